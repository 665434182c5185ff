#include "raft/durability.h"

#include <string.h>

#include "raft/state.h"

static struct durability_write *pending_at(struct durability *durability,
                                           uint32_t place)
{
    uint32_t at = (durability->pending_first + place) % RAFT_WRITES_MAX;
    return &durability->pending[at];
}

void durability_defer(struct raft *raft, const struct raft_message *message,
                      uint64_t needs)
{
    struct durability *durability = &raft->durability;
    if (durability->outbox_count == RAFT_OUTBOX_MAX) {
        state_reach(raft, RAFT_MARK_OUTBOX_FULL);
        durability->outbox_count--;
        memmove(&durability->outbox[0], &durability->outbox[1],
                durability->outbox_count * sizeof durability->outbox[0]);
    }
    struct outbox_item *item = &durability->outbox[durability->outbox_count++];
    item->needs = needs;
    item->made_in = raft->hard_state.current_term;
    item->message = *message;
}

// BEGIN SOLUTION lab3: STATE-0
static bool step_persists(const struct raft *raft, const struct raft_output *output)
{
    return output->hard_state_changed || output->snapshot_restore != NULL ||
           raft->durability.persist_from != 0;
}
// END SOLUTION

uint64_t durability_newest_write(const struct raft *raft,
                                 const struct raft_output *output)
{
    // BEGIN SOLUTION lab3: STATE-0
    return raft->durability.issued + step_persists(raft, output);
    // END SOLUTION
}

void durability_forget(struct raft *raft, raft_index index)
{
    // BEGIN SOLUTION lab3: STATE-0, STATE-3
    struct durability *durability = &raft->durability;
    if (durability->durable_index >= index)
        durability->durable_index = index - 1;
    for (uint32_t i = 0; i < durability->pending_count; i++) {
        struct durability_write *pending = pending_at(durability, i);
        if (pending->last_index >= index)
            pending->last_index = index - 1;
    }
    // END SOLUTION
}

void durability_restart(struct raft *raft, raft_index index)
{
    struct durability *durability = &raft->durability;
    durability->durable_index = index;
    for (uint32_t i = 0; i < durability->pending_count; i++)
        pending_at(durability, i)->last_index = index;
}

// BEGIN SOLUTION lab3: STATE-0
static void remember(struct durability *durability, raft_index last_index)
{
    // Where there is no place, the newest write stands for the one before it as well:
    // that one is then reported later than it could be, never earlier.
    if (durability->pending_count == RAFT_WRITES_MAX)
        durability->pending_count--;
    struct durability_write *pending =
        pending_at(durability, durability->pending_count++);
    pending->write = durability->issued;
    pending->last_index = last_index;
}
// END SOLUTION

void durability_issue(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab3: STATE-0, STATE-1, STATE-2, STATE-3
    struct durability *durability = &raft->durability;
    if (!step_persists(raft, output))
        return;
    output->write = ++durability->issued;
    output->hard_state = raft->hard_state;
    raft_index first = durability->persist_from;
    durability->persist_from = 0;
    if (first != 0 && first <= raft->log.last_index) {
        uint32_t count = (uint32_t)(raft->log.last_index - first + 1);
        output->entry_count = count;
        output->entries = state_view(raft, first, &output->entry_count);
        assert(output->entry_count == count);
    }
    remember(durability, raft->log.last_index);
    // END SOLUTION
}

enum raft_status durability_report(struct raft *raft, uint64_t write)
{
    // BEGIN SOLUTION lab3: STATE-0
    struct durability *durability = &raft->durability;
    if (write > durability->issued)
        return RAFT_INVALID;
    if (write <= durability->reported)
        return RAFT_OK;
    durability->reported = write;
    while (durability->pending_count > 0 && pending_at(durability, 0)->write <= write) {
        raft_index last_index = pending_at(durability, 0)->last_index;
        if (last_index > durability->durable_index)
            durability->durable_index = last_index;
        durability->pending_first = (durability->pending_first + 1) % RAFT_WRITES_MAX;
        durability->pending_count--;
    }
    if (durability_of_hard_state(raft))
        durability->durable_term = raft->hard_state.current_term;
    return RAFT_OK;
    // END SOLUTION
}

bool durability_of_hard_state(const struct raft *raft)
{
    // BEGIN SOLUTION lab3: STATE-1, STATE-2
    return raft->durability.hard_state_write <= raft->durability.reported;
    // END SOLUTION
}

// BEGIN SOLUTION lab3: STATE-0
// The term has passed, or the election in it: who follows now asks for no votes, and
// its log may have changed since.
static bool is_in_vain(const struct raft *raft, const struct outbox_item *item)
{
    return item->made_in != raft->hard_state.current_term ||
           (item->message.type == RAFT_REQUEST_VOTE && raft->role != RAFT_CANDIDATE);
}
// END SOLUTION

void durability_release(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab3: STATE-0
    struct durability *durability = &raft->durability;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < durability->outbox_count; i++) {
        const struct outbox_item *item = &durability->outbox[i];
        if (is_in_vain(raft, item)) {
            state_reach(raft, RAFT_MARK_HELD_BACK_IN_VAIN);
            continue;
        }
        struct raft_message *message = NULL;
        if (item->needs <= durability->reported) // STATE-0
            message = state_message(raft, output, item->message.type, item->message.to);
        if (message != NULL)
            *message = item->message;
        else
            durability->outbox[kept++] = *item;
    }
    durability->outbox_count = kept;
    // END SOLUTION
}
