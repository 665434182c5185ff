// strings.h: commands on values that are byte strings.
#ifndef KVSERVER_SERVICE_STRINGS_H
#define KVSERVER_SERVICE_STRINGS_H

#include "kvserver/service/command.h"

void strings_append(struct command_call *call);
void strings_decr(struct command_call *call);
void strings_decrby(struct command_call *call);
void strings_get(struct command_call *call);
void strings_getdel(struct command_call *call);
void strings_getset(struct command_call *call);
void strings_incr(struct command_call *call);
void strings_incrby(struct command_call *call);
void strings_mget(struct command_call *call);
void strings_mset(struct command_call *call);
void strings_psetex(struct command_call *call);
void strings_set(struct command_call *call);
void strings_setex(struct command_call *call);
void strings_setnx(struct command_call *call);
void strings_strlen(struct command_call *call);

bool strings_check_set(const struct bytes *words, uint32_t count, struct buffer *error);
bool strings_check_setex(const struct bytes *words, uint32_t count,
                         struct buffer *error);
bool strings_check_psetex(const struct bytes *words, uint32_t count,
                          struct buffer *error);
bool strings_check_mset(const struct bytes *words, uint32_t count,
                        struct buffer *error);
bool strings_check_incrby(const struct bytes *words, uint32_t count,
                          struct buffer *error);
bool strings_check_decrby(const struct bytes *words, uint32_t count,
                          struct buffer *error);

#endif
