#include "kvserver/waits.h"

#include <assert.h>

void waits_add(struct waits *waits, struct request *request, uint64_t now_ms)
{
    assert(!request->waiting);
    request->waiting = true;
    request->asked_ms = now_ms;
    request->younger = NULL;
    request->older = waits->youngest;
    if (waits->youngest != NULL)
        waits->youngest->younger = request;
    else
        waits->oldest = request;
    waits->youngest = request;
}

void waits_remove(struct waits *waits, struct request *request)
{
    assert(request->waiting);
    request->waiting = false;
    if (request->older != NULL)
        request->older->younger = request->younger;
    else
        waits->oldest = request->younger;
    if (request->younger != NULL)
        request->younger->older = request->older;
    else
        waits->youngest = request->older;
}
