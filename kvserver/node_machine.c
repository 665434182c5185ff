#include "kvserver/node_machine.h"

#include <errno.h>

#include "kvserver/node_answers.h"
#include "kvserver/service/resp.h"

#define NOT_DONE "TRYAGAIN the leader changed and the write was not done"

// ---- entries --------------------------------------------------------------------

// Who waits for this entry, where it is the one that they asked for.
static struct request *asker_take(struct node *node, const struct raft_entry *entry)
{
    struct request *request = pending_take(&node->pending, entry->index);

    if (request != NULL && request->term != entry->term) {
        // host.h: it has failed for good, so this is certain and not a -TIMEOUT.
        node_answers_error(node, request, NOT_DONE);
        return NULL;
    }
    if (request != NULL) {
        waits_remove(&node->waits, request);
        node->client.applying(request);
    }
    return request;
}

static void apply_one(struct node *node, const struct raft_entry *entry)
{
    struct request *request = asker_take(node, entry);
    struct buffer *reply = request != NULL ? node->client.reply_to(request) : NULL;

    if (entry->type == RAFT_ENTRY_COMMAND)
        service_apply(node->service, entry->index, entry->data, entry->size, reply);
    else
        service_skip(node->service, entry->index);
    if (entry->type == RAFT_ENTRY_CONFIGURATION && reply != NULL)
        resp_simple(reply, "OK");
    if (request != NULL)
        node->client.replied(request);
    if (entry->index >= node->clock_index)
        node->clock_asked_ms = 0;
}

static void machine_apply(void *context, const struct raft_entry *entries,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        apply_one(context, &entries[i]);
}

// ---- reads ----------------------------------------------------------------------

// Those that were under way when leadership was handed over wait to be led to whoever
// has it then; they have changed nothing.
static void read_refused(struct node *node, struct request *request)
{
    if (leadership_moves(&node->leadership))
        reads_add(&node->reads, request);
    else
        node_answers_redirect(node, request);
}

static void machine_read_ready(void *context, uint64_t id, enum raft_status status)
{
    struct node *node = context;
    struct read_batch *batch = reads_find(&node->reads, id);
    struct request *request;

    if (batch == NULL)
        return;
    if (status != RAFT_OK)
        node_look(node);
    while ((request = reads_take(batch)) != NULL) {
        if (status != RAFT_OK) {
            read_refused(node, request);
        } else {
            waits_remove(&node->waits, request);
            node->client.confirmed(request);
        }
    }
}

// ---- snapshots ------------------------------------------------------------------

static int snapshot_begin(void *context)
{
    struct node *node = context;

    node->snapshot = service_snapshot_begin(node->service);
    return node->snapshot != NULL ? 0 : -ENOMEM;
}

static int64_t snapshot_read(void *context, void *data, size_t size)
{
    struct node *node = context;

    return (int64_t)service_snapshot_read(node->snapshot, data, size);
}

static void snapshot_end(void *context)
{
    struct node *node = context;

    service_snapshot_end(node->snapshot);
    node->snapshot = NULL;
}

static int restore_begin(void *context)
{
    struct node *node = context;

    node->restoring = true;
    return service_restore_begin(node->service);
}

static int restore_write(void *context, const void *data, size_t size)
{
    struct node *node = context;

    return service_restore_write(node->service, data, size);
}

// Entries that the snapshot covers are never applied here, so that nobody can tell what
// became of the writes that waited for them.
static void give_up_skipped(struct node *node, raft_index index)
{
    struct request *request;

    while ((request = pending_skip(&node->pending, index)) != NULL)
        node_answers_give_up(node, request);
    if (node->clock_index <= index)
        node->clock_asked_ms = 0;
}

static int restore_end(void *context, raft_index index)
{
    struct node *node = context;
    int status = service_restore_end(node->service);

    node->restoring = false;
    if (status == 0 && service_applied_index(node->service) != index)
        status = -EBADMSG;
    if (status == 0)
        give_up_skipped(node, index);
    return status;
}

void node_machine_init(struct node *node)
{
    node->io.machine = (struct state_machine){.context = node,
                                              .apply = machine_apply,
                                              .read_ready = machine_read_ready,
                                              .snapshot_begin = snapshot_begin,
                                              .snapshot_read = snapshot_read,
                                              .snapshot_end = snapshot_end,
                                              .restore_begin = restore_begin,
                                              .restore_write = restore_write,
                                              .restore_end = restore_end};
}
