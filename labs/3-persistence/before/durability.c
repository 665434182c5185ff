// durability.c before lab 3: the disk is perfect.
//
// What a step gives out to be written is on disk at once, and no crash takes it back.
// So nothing has to wait: every message leaves in the step that made it.
#include "raft/durability.h"

#include "raft/state.h"

void durability_defer(struct raft *raft, const struct raft_message *message,
                      uint64_t needs)
{
    (void)needs;
    struct durability *durability = &raft->durability;
    if (durability->outbox_count == RAFT_OUTBOX_MAX)
        durability->outbox_count--; // as a network may lose it
    durability->outbox[durability->outbox_count++].message = *message;
}

uint64_t durability_newest_write(const struct raft *raft,
                                 const struct raft_output *output)
{
    (void)raft;
    (void)output;
    return 0;
}

void durability_forget(struct raft *raft, raft_index index)
{
    if (raft->durability.durable_index >= index)
        raft->durability.durable_index = index - 1;
}

void durability_restart(struct raft *raft, raft_index index)
{
    raft->durability.durable_index = index;
}

void durability_issue(struct raft *raft, struct raft_output *output)
{
    struct durability *durability = &raft->durability;
    raft_index first = durability->persist_from;
    durability->persist_from = 0;
    if (first == 0 && !output->hard_state_changed && output->snapshot_restore == NULL)
        return;
    output->write = ++durability->issued;
    output->hard_state = raft->hard_state;
    if (first != 0 && first <= raft->log.last_index) {
        output->entry_count = (uint32_t)(raft->log.last_index - first + 1);
        output->entries = state_view(raft, first, &output->entry_count);
    }
    durability->reported = durability->issued;
    durability->durable_index = raft->log.last_index;
    durability->durable_term = raft->hard_state.current_term;
}

enum raft_status durability_report(struct raft *raft, uint64_t write)
{
    return write > raft->durability.issued ? RAFT_INVALID : RAFT_OK;
}

bool durability_of_hard_state(const struct raft *raft)
{
    (void)raft;
    return true;
}

void durability_release(struct raft *raft, struct raft_output *output)
{
    struct durability *durability = &raft->durability;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < durability->outbox_count; i++) {
        const struct raft_message *waiting = &durability->outbox[i].message;
        struct raft_message *message =
            state_message(raft, output, waiting->type, waiting->to);
        if (message != NULL)
            *message = *waiting;
        else
            durability->outbox[kept++] = durability->outbox[i];
    }
    durability->outbox_count = kept;
}
