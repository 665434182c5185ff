#include "raft/commit.h"

#include "raft/configuration.h"
#include "raft/membership.h"
#include "raft/state.h"

// ---- leader ---------------------------------------------------------------------

static uint64_t match_of(const struct raft *raft, uint32_t member)
{
    // A leader's own entries count once they are on its disk, like anyone's.
    if (raft->peers[member].id == raft->config.id)
        return raft->durability.durable_index;
    return raft->peers[member].match_index;
}

// For the trace and the coverage marks alone: commit_index stands at its new place.
static void tell_commit(struct raft *raft, struct raft_output *output)
{
    state_reach(raft, RAFT_MARK_LEAD_4);
    if (!membership_counts(raft))
        state_reach(raft, RAFT_MARK_COMMIT_BY_NON_VOTER);
    if (configuration_is_joint(&raft->configuration))
        state_reach(raft, RAFT_MARK_COMMIT_JOINT);
    state_note(output, "quorum -> commit");
}

void commit_advance(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab2: LEAD-4
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
    tell_commit(raft, output);
    // END SOLUTION
}

// ---- follower -------------------------------------------------------------------

void commit_follow(struct raft *raft, raft_index leader_commit, raft_index last_new)
{
    // BEGIN SOLUTION lab2: AE-5
    raft_index commit = leader_commit < last_new ? leader_commit : last_new;
    if (leader_commit > last_new)
        state_reach(raft, RAFT_MARK_COMMIT_CUT);
    if (commit <= raft->commit_index)
        return;
    raft->commit_index = commit; // AE-5
    state_reach(raft, RAFT_MARK_AE_5);
    // END SOLUTION
}

// ---- both: application ----------------------------------------------------------

static raft_index may_apply(const struct raft *raft)
{
    raft_index durable = raft->durability.durable_index;
    return raft->commit_index < durable ? raft->commit_index : durable;
}

// The next entries, up to `last` or as many as fit into one step.
static void hand_out(struct raft *raft, raft_index last, struct raft_output *output)
{
    // BEGIN SOLUTION lab2: ALL-1
    uint64_t due = last - raft->apply_given; // ALL-1
    uint32_t count = raft->config.message_entries_max;
    if (due < count)
        count = (uint32_t)due;
    output->apply = state_view(raft, raft->apply_given + 1, &count);
    output->apply_count = count;
    raft->apply_given += count;
    state_reach(raft, RAFT_MARK_ALL_1);
    // END SOLUTION
}

void commit_apply(struct raft *raft, struct raft_output *output)
{
    // One batch at a time: the host reports it before it gets the next.
    raft_index last = may_apply(raft);
    if (raft->last_applied == raft->apply_given && last > raft->apply_given)
        hand_out(raft, last, output);
}

enum raft_status commit_applied(struct raft *raft, raft_index index)
{
    if (index > raft->apply_given)
        return RAFT_INVALID;
    if (index > raft->last_applied)
        raft->last_applied = index; // STATE-5
    return RAFT_OK;
}
