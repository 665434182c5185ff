// session.h: writes that are sent twice run once (dissertation 6.3).
//
// A session's commands are numbered from 1. The next number runs and its reply is
// kept; the last one again gets the kept reply; all else is refused. Sessions are
// dropped by the log's time and by their number, so on every replica at the same entry.
#ifndef KVSERVER_SERVICE_SESSION_H
#define KVSERVER_SERVICE_SESSION_H

#include "kvserver/service/command.h"
#include "kvserver/service/entry.h"

// RAFT.REGISTER: opens a session; its number is the index of the entry.
void session_register(struct command_call *call);

// Drops sessions that were idle for too long, at most STORE_SWEEP_MAX of them.
void session_sweep(struct store *store, const struct service_limits *limits);

// Runs the command as its session's next one, or replies why not.
void session_run(struct command_call *call, const struct entry *entry);

#endif
