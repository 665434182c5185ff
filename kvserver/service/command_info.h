// command_info.h: the command COMMAND: what the table knows, told to a client.
#ifndef KVSERVER_SERVICE_COMMAND_INFO_H
#define KVSERVER_SERVICE_COMMAND_INFO_H

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

// Answers COMMAND, COMMAND COUNT, LIST, INFO, DOCS, GETKEYS and HELP in full, errors
// included. words[0] is "COMMAND". RESP2: maps come as flat arrays.
void command_info_reply(const struct bytes *words, uint32_t count,
                        struct buffer *reply);

#endif
