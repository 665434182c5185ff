#include "raft/read_index.h"

#include "raft/membership.h"
#include "raft/state.h"

void read_index_reset(struct raft *raft)
{
    raft->round_started = 0;
    raft->round_confirmed = 0;
}

enum raft_status read_index_ask(struct raft *raft, uint64_t id)
{
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft->term_start_index > raft->log.last_index)
        return RAFT_LOG_FULL; // the no-op had no room: nothing will be confirmed
    if (raft->reads_count == RAFT_READS_MAX)
        return RAFT_READS_FULL;
    uint32_t at = (raft->reads_first + raft->reads_count++) % RAFT_READS_MAX;
    struct read_request *read = &raft->reads[at];
    read->id = id;
    // A new leader does not know what is committed before its own no-op is.
    read->index = raft->commit_index > raft->term_start_index ? raft->commit_index
                                                              : raft->term_start_index;
    read->round = raft->round_started + 1; // one that starts from now on
    return RAFT_OK;
}

static uint64_t round_of(const struct raft *raft, uint32_t member)
{
    if (raft->peers[member].id == raft->config.id)
        return raft->round_started;
    return raft->peers[member].acked_round;
}

static bool next_round_is_wanted(const struct raft *raft)
{
    if (raft->round_started > raft->round_confirmed)
        return false;
    uint32_t newest = (raft->reads_first + raft->reads_count - 1) % RAFT_READS_MAX;
    return raft->reads[newest].round > raft->round_started;
}

void read_index_advance(struct raft *raft)
{
    if (raft->reads_count == 0) // no round is wanted, none is waited for
        return;
    raft->round_confirmed = membership_quorum(raft, round_of);
    if (!next_round_is_wanted(raft))
        return;
    raft->round_started++;
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        raft->peers[i].ping = true;
    raft->round_confirmed = membership_quorum(raft, round_of); // a quorum of one
}

static bool is_answered(const struct raft *raft, const struct read_request *read)
{
    return read->round <= raft->round_confirmed && read->index <= raft->last_applied;
}

void read_index_answer(struct raft *raft, struct raft_output *output)
{
    struct raft_read *answers =
        (struct raft_read *)((uintptr_t)raft + raft->answers_offset);
    output->reads = answers;
    while (raft->reads_count > 0) {
        const struct read_request *read = &raft->reads[raft->reads_first];
        if (raft->role == RAFT_LEADER && !is_answered(raft, read))
            break;
        struct raft_read *answer = &answers[output->read_count++];
        answer->id = read->id;
        answer->index = read->index;
        answer->status = raft->role == RAFT_LEADER ? RAFT_OK : RAFT_NOT_LEADER;
        raft->reads_first = (raft->reads_first + 1) % RAFT_READS_MAX;
        raft->reads_count--;
    }
}
