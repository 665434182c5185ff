// keys.h: commands on keys of any type.
#ifndef KVSERVER_SERVICE_KEYS_H
#define KVSERVER_SERVICE_KEYS_H

#include "kvserver/service/command.h"

void keys_dbsize(struct command_call *call);
void keys_del(struct command_call *call);
void keys_exists(struct command_call *call);
void keys_flush(struct command_call *call);
void keys_keys(struct command_call *call);
void keys_persist(struct command_call *call);
void keys_scan(struct command_call *call);
void keys_type(struct command_call *call);

bool keys_check_flush(const struct bytes *words, uint32_t count, struct buffer *error);
bool keys_check_scan(const struct bytes *words, uint32_t count, struct buffer *error);

#endif
