// notice.h: the few lines that a running node writes to stderr, each with the time and
// the node's number:
//
//     2026-03-01 12:00:00.123 n1 leads term 4
#ifndef KVSERVER_NOTICE_H
#define KVSERVER_NOTICE_H

#include "raft/raft.h"

// Every later line carries this number.
void notice_name(raft_id id);

void notice_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
