// requests.c: see requests.h.
#include "rpc/requests.h"

#include <stddef.h>

static void answer(struct driver_request *request, enum driver_outcome outcome,
                   enum raft_status status)
{
    request->status = status;
    request->done(request, outcome);
}

void requests_refuse(struct driver_request *request, enum raft_status status)
{
    answer(request, DRIVER_NOT_DONE, status);
}

// ---- writes ---------------------------------------------------------------------

void requests_add_write(struct requests *r, struct driver_request *request)
{
    struct driver_request **link = &r->first;
    if (r->last != NULL && r->last->index <= request->index) {
        link = &r->last->next;
    }
    // Behind those that an earlier leadership left at higher indices: a few, rarely.
    while (*link != NULL && (*link)->index <= request->index) {
        link = &(*link)->next;
    }
    request->next = *link;
    *link = request;
    if (request->next == NULL) {
        r->last = request;
    }
}

static struct driver_request *take_first(struct requests *r)
{
    struct driver_request *request = r->first;
    r->first = request->next;
    if (r->first == NULL) {
        r->last = NULL;
    }
    return request;
}

void requests_applied(struct requests *r, raft_index index, raft_term term)
{
    while (r->first != NULL && r->first->index <= index) {
        struct driver_request *request = take_first(r);
        bool same = request->index == index && request->term == term;
        answer(request, same ? DRIVER_DONE : DRIVER_NOT_DONE,
               same ? RAFT_OK : RAFT_NOT_LEADER);
    }
}

void requests_restored(struct requests *r, raft_index index)
{
    while (r->first != NULL && r->first->index <= index) {
        answer(take_first(r), DRIVER_UNKNOWN, RAFT_NOT_LEADER);
    }
}

// ---- reads ----------------------------------------------------------------------

void requests_add_read(struct requests *r, struct driver_request *request)
{
    request->index = ++r->read_id;
    request->next = r->reads;
    r->reads = request;
}

void requests_read_ready(struct requests *r, uint64_t id, enum raft_status status)
{
    struct driver_request **link = &r->reads;
    while (*link != NULL && (*link)->index != id) {
        link = &(*link)->next;
    }
    struct driver_request *request = *link;
    if (request != NULL) {
        *link = request->next;
        answer(request, status == RAFT_OK ? DRIVER_DONE : DRIVER_NOT_DONE, status);
    }
}

// ---- without an answer ----------------------------------------------------------

static bool unlink_from(struct driver_request **link, struct driver_request *request)
{
    while (*link != NULL && *link != request) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return false;
    }
    *link = request->next;
    return true;
}

void requests_forget(struct requests *r, struct driver_request *request)
{
    if (unlink_from(&r->reads, request) || !unlink_from(&r->first, request)) {
        return;
    }
    r->last = r->first;
    while (r->last != NULL && r->last->next != NULL) {
        r->last = r->last->next;
    }
}

void requests_end(struct requests *r)
{
    requests_restored(r, UINT64_MAX);
    while (r->reads != NULL) {
        requests_read_ready(r, r->reads->index, RAFT_NOT_LEADER);
    }
}
