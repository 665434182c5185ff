#include "sim/node_machine.h"

#include "sim/node_requests.h"
#include "sim/world.h"

#include <errno.h>
#include <stdlib.h>

static void apply_entries(void *context, const struct raft_entry *entries,
                          uint32_t count)
{
    struct node *node = context;
    struct world *world = node->world;

    for (uint32_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &entries[i];
        bool waited = node->proposal_count > 0;
        uint64_t hash;

        buffer_clear(&world->scratch);
        if (entry->type == RAFT_ENTRY_COMMAND)
            service_apply(node->service, entry->index, entry->data, entry->size,
                          waited ? &world->scratch : NULL);
        else
            service_skip(node->service, entry->index);
        hash = service_hash(node->service);
        checker_apply(world->checker, node->id, entry, hash);
        trace_apply(&world->trace, node->id, entry->index, hash);
        node_requests_applied(node, entry, &world->scratch);
    }
}

// ---- snapshots ------------------------------------------------------------------

static int begin_snapshot(void *context)
{
    struct node *node = context;

    assert(node->snapshot == NULL);
    node->snapshot = service_snapshot_begin(node->service);
    return node->snapshot == NULL ? -ENOMEM : 0;
}

static int64_t read_snapshot(void *context, void *data, size_t size)
{
    struct node *node = context;

    return (int64_t)service_snapshot_read(node->snapshot, data, size);
}

static void end_snapshot(void *context)
{
    struct node *node = context;

    if (node->snapshot != NULL)
        service_snapshot_end(node->snapshot);
    node->snapshot = NULL;
}

static int begin_restore(void *context)
{
    struct node *node = context;

    assert(node->snapshot == NULL);
    return service_restore_begin(node->service);
}

static int write_restore(void *context, const void *data, size_t size)
{
    struct node *node = context;

    return service_restore_write(node->service, data, size);
}

static int end_restore(void *context, raft_index index)
{
    struct node *node = context;
    struct world *world = node->world;
    int status = service_restore_end(node->service);
    uint64_t hash;

    if (status != 0)
        return status;
    if (service_applied_index(node->service) != index)
        return -EBADMSG;
    hash = service_hash(node->service);
    checker_restored(world->checker, node->id, index, hash);
    trace_apply(&world->trace, node->id, index, hash);
    node_requests_restored(node, index);
    if (node->up) {
        node->restored_index = index;
        node->snapshots_received++;
    }
    return 0;
}

// ---- life cycle -----------------------------------------------------------------

void node_machine_door(struct node *node, struct state_machine *machine)
{
    *machine = (struct state_machine){
        .context = node,
        .apply = apply_entries,
        .read_ready = node_requests_read_ready,
        .snapshot_begin = begin_snapshot,
        .snapshot_read = read_snapshot,
        .snapshot_end = end_snapshot,
        .restore_begin = begin_restore,
        .restore_write = write_restore,
        .restore_end = end_restore,
    };
}

void node_machine_start(struct node *node)
{
    struct service_limits limits;

    assert(node->service == NULL);
    service_limits_default(&limits);
    node->service = service_new(engine_memory_new(), &limits);
    if (node->service == NULL)
        abort();
}

void node_machine_stop(struct node *node)
{
    end_snapshot(node);
    if (node->service != NULL)
        service_free(node->service);
    node->service = NULL;
}
