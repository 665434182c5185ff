// store.h: the state machine of workload lin-kv: keys and values are any JSON.
//
// A command is the client's own request, less what names the client, as it stands in
// the log: {"type":"cas","key":1,"from":2,"to":3}. Equal JSON is equal text here, as
// cJSON writes it without blanks.
#ifndef KVSERVER_MAELSTROM_STORE_H
#define KVSERVER_MAELSTROM_STORE_H

#include <cJSON.h>
#include <stddef.h>

#include "kvserver/engine/engine.h"

enum store_result {
    STORE_DONE,
    STORE_NO_KEY,      // cas: there is no such key
    STORE_OTHER_VALUE, // cas: it has another value
    STORE_MALFORMED,
};

// The command for a write or a cas, to be freed; NULL where a field is missing.
char *store_command(const cJSON *body);

enum store_result store_apply(struct engine *engine, const void *command, size_t size);

// The value of a key; NULL where it is absent. To be deleted.
cJSON *store_value(struct engine *engine, const cJSON *key);

#endif
