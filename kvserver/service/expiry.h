// expiry.h: commands that give a key a deadline, or tell how far off it is.
#ifndef KVSERVER_SERVICE_EXPIRY_H
#define KVSERVER_SERVICE_EXPIRY_H

#include "kvserver/service/command.h"

void expiry_expire(struct command_call *call);
void expiry_expireat(struct command_call *call);
void expiry_expiretime(struct command_call *call);
void expiry_pexpire(struct command_call *call);
void expiry_pexpireat(struct command_call *call);
void expiry_pexpiretime(struct command_call *call);
void expiry_pttl(struct command_call *call);
void expiry_ttl(struct command_call *call);

bool expiry_check(const struct bytes *words, uint32_t count, struct buffer *error);

#endif
