// session.c before lab 5: nobody remembers what has run. A write that arrives twice
// runs twice.
#include "kvserver/service/session.h"

#include "kvserver/service/resp.h"

void session_register(struct command_call *call)
{
    resp_integer(call->reply, (int64_t)call->index);
}

void session_sweep(struct store *store, const struct service_limits *limits)
{
    (void)store;
    (void)limits;
}

void session_run(struct command_call *call, const struct entry *entry)
{
    (void)entry;
    command_run(call, true);
}
