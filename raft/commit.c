#include "raft/commit.h"

#include "raft/configuration.h"
#include "raft/membership.h"
#include "raft/state.h"

static uint64_t match_of(const struct raft *raft, uint32_t member)
{
    // A leader's own entries count once they are on its disk, like anyone's.
    if (raft->peers[member].id == raft->config.id)
        return raft->durability.durable_index;
    return raft->peers[member].match_index;
}

void commit_advance(struct raft *raft, struct raft_output *output)
{
    if (raft->commit_index == raft->log.last_index)
        return; // there is nothing to count for
    raft_index quorum = membership_quorum(raft, match_of);
    if (quorum <= raft->commit_index)
        return;
    raft_term term;
    if (!log_term(&raft->log, quorum, &term) || term != raft->hard_state.current_term) {
        state_reach(raft, RAFT_MARK_COMMIT_OLD_TERM);
        return; // Figure 8
    }
    raft->commit_index = quorum; // LEAD-4, STATE-4
    state_reach(raft, RAFT_MARK_LEAD_4);
    if (!membership_counts(raft))
        state_reach(raft, RAFT_MARK_COMMIT_BY_NON_VOTER);
    if (configuration_is_joint(&raft->configuration))
        state_reach(raft, RAFT_MARK_COMMIT_JOINT);
    state_note(output, "quorum -> commit");
}

void commit_follow(struct raft *raft, raft_index leader_commit, raft_index last_new)
{
    raft_index commit = leader_commit < last_new ? leader_commit : last_new;
    if (leader_commit > last_new)
        state_reach(raft, RAFT_MARK_COMMIT_CUT);
    if (commit <= raft->commit_index)
        return;
    raft->commit_index = commit; // AE-5
    state_reach(raft, RAFT_MARK_AE_5);
}

static raft_index may_apply(const struct raft *raft)
{
    raft_index durable = raft->durability.durable_index;
    return raft->commit_index < durable ? raft->commit_index : durable;
}

bool commit_has_more(const struct raft *raft)
{
    return raft->last_applied == raft->apply_given &&
           may_apply(raft) > raft->apply_given;
}

void commit_apply(struct raft *raft, struct raft_output *output)
{
    if (!commit_has_more(raft))
        return;
    uint64_t due = may_apply(raft) - raft->apply_given; // ALL-1
    uint32_t count = raft->config.message_entries_max;
    if (due < count)
        count = (uint32_t)due;
    output->apply = state_view(raft, raft->apply_given + 1, &count);
    output->apply_count = count;
    raft->apply_given += count;
    state_reach(raft, RAFT_MARK_ALL_1);
}

enum raft_status commit_applied(struct raft *raft, raft_index index)
{
    if (index > raft->apply_given)
        return RAFT_INVALID;
    if (index > raft->last_applied)
        raft->last_applied = index; // STATE-5
    return RAFT_OK;
}
