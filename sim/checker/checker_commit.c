#include "sim/checker/checker_commit.h"

#include <inttypes.h>

raft_index checker_commit_before(const struct checker *checker, raft_term term)
{
    const struct marks *terms = &checker->commit_terms;
    raft_index last = checker->committed.last;

    for (raft_index i = terms->last; i > 0; i--) {
        struct mark mark = marks_at(terms, i);

        if (mark.term < term)
            return last;
        last = mark.chain - 1;
    }
    return 0;
}

// Who holds the committed log up to there on disk, of all nodes.
static uint32_t holders(const struct checker *checker, raft_index index)
{
    uint32_t hold = 0;

    for (raft_id id = 1; id <= checker->node_count; id++)
        if (checker->nodes[id].durable_index >= index &&
            checker_holds_committed(checker, &checker->nodes[id], index))
            hold |= 1u << id;
    return hold;
}

// Counted by the configuration in use: the newest in the log of who commits. Where this
// step has logged one, the commit may be its effect; or the condition for it, where the
// one before was not committed: then that one counts.
static bool is_majority_durable(const struct checker *checker,
                                const struct shadow *shadow, raft_index index)
{
    struct electorate_place newest = electorate_newest(&shadow->members);
    uint32_t hold = holders(checker, index);

    return electorate_is_quorum(&shadow->decides.electorate, hold) ||
           (shadow->decides.index <= shadow->committed_before &&
            electorate_is_quorum(&newest.electorate, hold));
}

// Which half of the configuration lacks it; nothing of one that has no halves.
static const char *half_that_lacks(const struct electorate *electorate, uint32_t hold)
{
    struct electorate half = *electorate;

    if (electorate->old_voters == 0)
        return "";
    half.old_voters = 0;
    return electorate_is_quorum(&half, hold) ? "the old half of " : "the new half of ";
}

static void tell_not_durable(struct checker *checker, raft_id id, raft_index last)
{
    const struct electorate_place *decides = &checker_shadow(checker, id)->decides;

    if (decides->index == 0) {
        checker_violate(checker, PROPERTY_COMMIT_DURABLE, id, 0,
                        "entry %" PRIu64 " is committed, but not durable on a majority",
                        last);
        return;
    }
    checker_violate(checker, PROPERTY_COMMIT_DURABLE, id, 0,
                    "entry %" PRIu64 " is committed, but not durable on a majority of "
                    "%sthe configuration at %" PRIu64,
                    last, half_that_lacks(&decides->electorate, holders(checker, last)),
                    decides->index);
}

// The configurations among what is committed now.
static void extend_members(struct checker *checker, const struct shadow *shadow,
                           raft_index last)
{
    raft_index known = electorate_newest(&checker->committed_members).index;

    uint32_t first = shadow->members.count;

    while (first > 0 && shadow->members.at[first - 1].index > known)
        first--;
    for (uint32_t i = first; i < shadow->members.count; i++) {
        const struct electorate_place *place = &shadow->members.at[i];

        if (place->index <= last)
            electorate_push(&checker->committed_members, place->index,
                            &place->electorate);
    }
}

// This node shows entries as committed that none has shown before.
static void extend_committed(struct checker *checker, raft_id id,
                             const struct raft_view *view)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    raft_index first = checker->committed.last + 1, last = view->commit_index;
    struct marks *terms = &checker->commit_terms;

    for (raft_index index = first; index <= last; index++)
        marks_push(&checker->committed, checker_mark(checker, &shadow->log, index));
    if (terms->last == 0 || marks_at(terms, terms->last).term != view->current_term)
        marks_push(terms, (struct mark){view->current_term, first});
    extend_members(checker, shadow, last);
    if (!is_majority_durable(checker, shadow, last))
        tell_not_durable(checker, id, last);
    for (raft_id other = 1; other <= checker->node_count; other++) {
        const struct shadow *leader = &checker->nodes[other];

        if (leader->up && leader->role == RAFT_LEADER &&
            leader->hard_state.current_term > view->current_term &&
            !checker_holds_committed(checker, leader, last))
            checker_violate(checker, PROPERTY_LEADER_COMPLETENESS, other, id,
                            "entry %" PRIu64 ", committed in term %" PRIu64
                            ", is not in the log of the leader of term %" PRIu64,
                            last, view->current_term, leader->hard_state.current_term);
    }
}

void checker_commit_check(struct checker *checker, raft_id id,
                          const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);
    raft_index commit = view->commit_index;

    if (commit == shadow->commit_index)
        return;
    if (commit < shadow->commit_index)
        checker_violate(checker, PROPERTY_COMMIT_MONOTONIC, id, 0,
                        "commit index %" PRIu64 " after %" PRIu64, commit,
                        shadow->commit_index);
    shadow->commit_index = commit;
    if (commit > shadow->log.last) {
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "commit index %" PRIu64 " beyond the log's end %" PRIu64,
                        commit, shadow->log.last);
        return;
    }
    if (view->role == RAFT_LEADER &&
        checker_mark(checker, &shadow->log, commit).term != view->current_term)
        checker_violate(
            checker, PROPERTY_COMMIT_OWN_TERM, id, 0,
            "the leader of term %" PRIu64 " commits up to an entry of term %" PRIu64,
            view->current_term, checker_mark(checker, &shadow->log, commit).term);
    if (commit > checker->committed.last)
        extend_committed(checker, id, view);
    else if (!checker_holds_committed(checker, shadow, commit))
        checker_violate(checker, PROPERTY_STATE_MACHINE_SAFETY, id, 0,
                        "its log up to %" PRIu64
                        " is committed and differs from what was committed before",
                        commit);
    if (checker->violation_count == 0)
        marks_raise(&shadow->log, commit);
}

void checker_commit_apply(struct checker *checker, raft_id id,
                          const struct raft_output *output)
{
    struct shadow *shadow = checker_shadow(checker, id);

    for (uint32_t i = 0; i < output->apply_count; i++) {
        const struct raft_entry *entry = &output->apply[i];
        struct mark mark;

        if (shadow->restoring != 0 || entry->index != shadow->given + 1 ||
            entry->index > shadow->commit_index ||
            entry->index > shadow->durable_index) {
            checker_violate(checker, PROPERTY_APPLY_ORDER, id, 0,
                            "entry %" PRIu64 " is given out behind %" PRIu64
                            " with commit index %" PRIu64 ", durable %" PRIu64,
                            entry->index, shadow->given, shadow->commit_index,
                            shadow->durable_index);
            return;
        }
        shadow->given = entry->index;
        mark =
            marks_follow(checker_mark(checker, &shadow->log, entry->index - 1), entry);
        if (mark.chain != marks_at(&checker->committed, entry->index).chain)
            checker_violate(checker, PROPERTY_STATE_MACHINE_SAFETY, id, 0,
                            "entry %" PRIu64 " of term %" PRIu64
                            " is applied, but another was committed there",
                            entry->index, entry->term);
    }
}

static void check_match(struct checker *checker, raft_id id,
                        const struct raft_peer_view *peer, raft_term term)
{
    struct shadow *shadow = checker_shadow(checker, id);
    const struct shadow *follower = &checker->nodes[peer->id];
    raft_index match = peer->match_index;

    if (match < shadow->match[peer->id])
        checker_violate(checker, PROPERTY_MATCH_MONOTONIC, id, peer->id,
                        "match index %" PRIu64 " after %" PRIu64, match,
                        shadow->match[peer->id]);
    shadow->match[peer->id] = match;
    if (follower->hard_state.current_term > term)
        return; // it may have followed another leader since
    if (match > follower->durable_index || match > shadow->log.last ||
        checker_mark(checker, &follower->log, match).chain !=
            checker_mark(checker, &shadow->log, match).chain)
        checker_violate(checker, PROPERTY_MATCH_TRUE, id, peer->id,
                        "match index %" PRIu64
                        ", but the follower does not hold that log on disk",
                        match);
}

void checker_commit_match(struct checker *checker, raft_id id,
                          const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);
    uint32_t peers = 0;

    for (uint32_t i = 0; i < view->peer_count; i++) {
        const struct raft_peer_view *peer = &view->peers[i];

        if (peer->id == id || peer->id > checker->node_count)
            continue;
        peers |= 1u << peer->id;
        if (peer->match_index != shadow->match[peer->id])
            check_match(checker, id, peer, view->current_term);
    }
    if (peers == shadow->peers)
        return;
    shadow->peers = peers;
    for (raft_id peer = 1; peer <= checker->node_count; peer++)
        if ((peers >> peer & 1) == 0)
            shadow->match[peer] = 0; // should it come back, all begins anew
}
