// read_index.c before lab 5: a read is an entry.
//
// The leader puts an empty entry into its log for every read, and answers once that one
// is committed and applied (dissertation 6.4 names this way first). Right, but each
// read costs what a write costs. Only a leader takes reads, and there are no leases.
#include "raft/read_index.h"

#include "raft/state.h"

enum { SLOTS_KEPT = 16 }; // for the no-ops of leaders to come

static struct read_request *read_at(struct raft *raft, uint32_t place)
{
    return &raft->reads[(raft->reads_first + place) % RAFT_READS_MAX];
}

void read_index_reset(struct raft *raft)
{
    raft->round_started = 0;
    raft->round_confirmed = 0;
}

void read_index_abandon(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->reads_count; i++)
        read_at(raft, i)->refused = true;
}

enum raft_status read_index_ask(struct raft *raft, uint64_t id)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft->reads_count == RAFT_READS_MAX)
        return RAFT_READS_FULL;
    uint64_t used = raft->log.last_index - raft->log.base_index;
    if (used + SLOTS_KEPT > raft->log.slot_count ||
        !log_append(&raft->log, raft->hard_state.current_term, RAFT_ENTRY_NOOP, NULL,
                    0))
        return RAFT_LOG_FULL;
    state_persist_entries(raft, raft->log.last_index);
    *read_at(raft, raft->reads_count++) =
        (struct read_request){.id = id, .index = raft->log.last_index};
    return RAFT_OK;
}

void read_index_advance(struct raft *raft, struct raft_output *output)
{
    (void)raft;
    (void)output;
}

void read_index_heartbeat(struct raft *raft)
{
    (void)raft;
}

bool read_index_has_lease(const struct raft *raft)
{
    (void)raft;
    return false;
}

uint64_t read_index_deadline(const struct raft *raft)
{
    (void)raft;
    return UINT64_MAX;
}

void read_index_receive(struct raft *raft, const struct raft_message *message)
{
    (void)raft;
    (void)message;
}

void read_index_receive_reply(struct raft *raft, const struct raft_message *message)
{
    (void)raft;
    (void)message;
}

void read_index_answer(struct raft *raft, struct raft_output *output)
{
    struct raft_read *answers =
        (struct raft_read *)((uintptr_t)raft + raft->answers_offset);
    output->reads = answers;
    while (raft->reads_count > 0) {
        const struct read_request *read = read_at(raft, 0);
        if (!read->refused && raft->last_applied < read->index)
            break;
        answers[output->read_count++] =
            (struct raft_read){.id = read->id,
                               .index = read->index,
                               .status = read->refused ? RAFT_NOT_LEADER : RAFT_OK};
        raft->reads_first = (raft->reads_first + 1) % RAFT_READS_MAX;
        raft->reads_count--;
    }
}
