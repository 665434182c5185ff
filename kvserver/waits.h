// waits.h: all requests that the node knows, the oldest first, so that finding what has
// waited for too long costs nothing where nothing has.
#ifndef KVSERVER_WAITS_H
#define KVSERVER_WAITS_H

#include "kvserver/request.h"

struct waits {
    struct request *oldest;
    struct request *youngest;
};

void waits_add(struct waits *waits, struct request *request, uint64_t now_ms);
void waits_remove(struct waits *waits, struct request *request);

#endif
