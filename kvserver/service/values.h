// values.h: commands on values that are byte strings.
#ifndef KVSERVER_SERVICE_VALUES_H
#define KVSERVER_SERVICE_VALUES_H

#include "kvserver/service/command.h"

void values_append(struct command_call *call);
void values_decr(struct command_call *call);
void values_decrby(struct command_call *call);
void values_get(struct command_call *call);
void values_getdel(struct command_call *call);
void values_getset(struct command_call *call);
void values_incr(struct command_call *call);
void values_incrby(struct command_call *call);
void values_mget(struct command_call *call);
void values_mset(struct command_call *call);
void values_psetex(struct command_call *call);
void values_set(struct command_call *call);
void values_setex(struct command_call *call);
void values_setnx(struct command_call *call);
void values_strlen(struct command_call *call);

bool values_check_set(const struct bytes *words, uint32_t count, struct buffer *error);
bool values_check_setex(const struct bytes *words, uint32_t count,
                        struct buffer *error);
bool values_check_psetex(const struct bytes *words, uint32_t count,
                         struct buffer *error);
bool values_check_mset(const struct bytes *words, uint32_t count, struct buffer *error);
bool values_check_incrby(const struct bytes *words, uint32_t count,
                         struct buffer *error);
bool values_check_decrby(const struct bytes *words, uint32_t count,
                         struct buffer *error);

#endif
