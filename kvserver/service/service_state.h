// service_state.h: what a service is made of, for the files that share it.
#ifndef KVSERVER_SERVICE_SERVICE_STATE_H
#define KVSERVER_SERVICE_SERVICE_STATE_H

#include "kvserver/service/service.h"
#include "kvserver/service/snapshot.h"
#include "kvserver/service/store.h"

// What is being restored; see restore.c.
struct restore {
    enum {
        RESTORE_NONE, // none was begun
        RESTORE_HEADER,
        RESTORE_RECORDS,
        RESTORE_DONE,
        RESTORE_FAILED,
    } phase;
    int status;             // of the failure
    uint64_t applied_index; // the service's, once all is well
    uint64_t record_count;
    uint64_t header_hash;
    struct buffer gathered; // the beginning of a part that came in pieces
    struct buffer last_key;
};

struct service {
    struct store store;
    struct service_limits limits;
    uint64_t applied_index;
    struct buffer words;               // of the entry being applied
    struct buffer scratch;             // replies that nobody waits for
    struct service_snapshot *snapshot; // being taken, or NULL
    struct restore restore;
};

#endif
