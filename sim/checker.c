#include "sim/checker.h"

#include "sim/marks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A write under way, and what it makes durable.
struct pending_write {
    uint64_t number;
    raft_index last; // of the log; lowered where a later write replaces entries
    struct raft_hard_state hard_state;
};

// What the checker remembers of one node.
struct shadow {
    // Persistent on the node: kept across its crashes.
    struct marks log;
    struct marks found; // while it starts: what was on its disk
    raft_index durable_index;
    struct raft_hard_state durable;
    raft_term granted_term; // the newest term in which it voted for somebody
    raft_id granted_to;
    uint32_t incarnation;

    // Of this incarnation.
    bool up;
    enum raft_role role;
    struct raft_hard_state hard_state;
    raft_index commit_index;
    raft_index given; // for apply
    raft_index applied;
    uint64_t write; // the newest number
    struct pending_write *pending;
    uint32_t pending_first;
    uint32_t pending_count;
    uint32_t pending_capacity;
    raft_index match[RAFT_MEMBERS_MAX + 1]; // as leader; by id
};

struct checker {
    uint32_t node_count;
    struct shadow nodes[RAFT_MEMBERS_MAX + 1];

    struct marks places;      // by index: the first term seen there, and its chain
    struct mark_map other;    // (index, term) -> chain for further terms
    struct mark_map leaders;  // (1, term) -> node and incarnation
    struct marks committed;   // what some node has shown as committed
    struct marks commit_term; // by index: the term of the leader that committed it
    struct marks states;      // by index: the hash of the state machine, once applied
    uint64_t leader_count;

    uint64_t event;
    uint64_t time_us;
    uint32_t violation_count;
    struct violation violations[CHECKER_VIOLATIONS_MAX];
};

const char *checker_property_text(enum property property)
{
    static const char *const texts[PROPERTY_COUNT] = {
        [PROPERTY_ELECTION_SAFETY] = "election safety",
        [PROPERTY_LEADER_APPEND_ONLY] = "leader append-only",
        [PROPERTY_LOG_MATCHING] = "log matching",
        [PROPERTY_LEADER_COMPLETENESS] = "leader completeness",
        [PROPERTY_STATE_MACHINE_SAFETY] = "state machine safety",
        [PROPERTY_STATE_EQUALITY] = "state equality",
        [PROPERTY_APPLY_ORDER] = "apply order",
        [PROPERTY_TERM_MONOTONIC] = "monotonic term",
        [PROPERTY_COMMIT_MONOTONIC] = "monotonic commit index",
        [PROPERTY_MATCH_MONOTONIC] = "monotonic match index",
        [PROPERTY_MATCH_TRUE] = "true match index",
        [PROPERTY_COMMIT_OWN_TERM] = "commit in own term",
        [PROPERTY_COMMIT_DURABLE] = "commit durable on a majority",
        [PROPERTY_COMMIT_KEPT] = "committed entry kept",
        [PROPERTY_VOTE_ONCE] = "one vote a term",
        [PROPERTY_VOTE_DURABLE] = "vote durable",
        [PROPERTY_ACK_DURABLE] = "acknowledgement durable",
        [PROPERTY_DURABILITY] = "durability",
        [PROPERTY_LOG_TERMS] = "log terms",
        [PROPERTY_OUTPUT_SHAPE] = "output shape",
        [PROPERTY_CORE_INVARIANT] = "core invariant",
        [PROPERTY_NODE_STOPPED] = "node stopped",
        [PROPERTY_LIVENESS] = "liveness",
        [PROPERTY_LINEARIZABILITY] = "linearizability",
    };

    assert(property < PROPERTY_COUNT);
    return texts[property];
}

// ---- life cycle -----------------------------------------------------------------

struct checker *checker_new(uint32_t node_count)
{
    struct checker *checker = calloc(1, sizeof(*checker));

    assert(node_count >= 1 && node_count <= RAFT_MEMBERS_MAX);
    if (checker == NULL)
        abort();
    checker->node_count = node_count;
    return checker;
}

void checker_free(struct checker *checker)
{
    if (checker == NULL)
        return;
    for (uint32_t id = 0; id <= RAFT_MEMBERS_MAX; id++) {
        marks_release(&checker->nodes[id].log);
        marks_release(&checker->nodes[id].found);
        free(checker->nodes[id].pending);
    }
    marks_release(&checker->places);
    marks_release(&checker->committed);
    marks_release(&checker->commit_term);
    marks_release(&checker->states);
    marks_map_release(&checker->other);
    marks_map_release(&checker->leaders);
    free(checker);
}

void checker_at(struct checker *checker, uint64_t event, uint64_t time_us)
{
    checker->event = event;
    checker->time_us = time_us;
}

void checker_violate(struct checker *checker, enum property property, raft_id node,
                     raft_id other, const char *format, ...)
{
    struct violation *violation;
    va_list arguments;

    if (checker->violation_count == CHECKER_VIOLATIONS_MAX)
        return;
    violation = &checker->violations[checker->violation_count++];
    violation->property = property;
    violation->event = checker->event;
    violation->time_us = checker->time_us;
    violation->node = node;
    violation->other = other;
    va_start(arguments, format);
    vsnprintf(violation->text, sizeof(violation->text), format, arguments);
    va_end(arguments);
}

uint32_t checker_violation_count(const struct checker *checker)
{
    return checker->violation_count;
}

const struct violation *checker_violation(const struct checker *checker, uint32_t at)
{
    assert(at < checker->violation_count);
    return &checker->violations[at];
}

raft_index checker_committed(const struct checker *checker)
{
    return checker->committed.last;
}

uint64_t checker_leaders(const struct checker *checker)
{
    return checker->leader_count;
}

static struct shadow *shadow_of(struct checker *checker, raft_id id)
{
    assert(id >= 1 && id <= checker->node_count);
    return &checker->nodes[id];
}

// Whether this node's log holds what was committed up to `index`.
static bool holds_committed(const struct checker *checker, const struct shadow *shadow,
                            raft_index index)
{
    return shadow->log.last >= index && marks_at(&shadow->log, index).chain ==
                                            marks_at(&checker->committed, index).chain;
}

// ---- logs -----------------------------------------------------------------------

// Log Matching: all logs with an entry of this term here have this chain.
static void check_place(struct checker *checker, raft_id id, raft_index index,
                        struct mark mark)
{
    struct mark first;
    uint64_t chain;

    if (index == checker->places.last + 1)
        marks_push(&checker->places, mark);
    first = marks_at(&checker->places, index);
    if (first.term == mark.term)
        chain = first.chain;
    else
        chain = marks_map_keep(&checker->other, index, mark.term, mark.chain);
    if (chain != mark.chain)
        checker_violate(checker, PROPERTY_LOG_MATCHING, id, 0,
                        "entry %" PRIu64 " of term %" PRIu64
                        " stands behind another log, or is another, than elsewhere",
                        index, mark.term);
}

// Adds an entry to a picture of a log; false where no correct log could take it.
static bool add_entry(struct checker *checker, raft_id id, struct marks *log,
                      const struct raft_entry *entry)
{
    struct mark before = marks_at(log, log->last);

    if (entry->index != log->last + 1) {
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "entry %" PRIu64 " follows entry %" PRIu64, entry->index,
                        log->last);
        return false;
    }
    if (entry->term == 0 || entry->term < before.term) {
        checker_violate(checker, PROPERTY_LOG_TERMS, id, 0,
                        "entry %" PRIu64 " has term %" PRIu64
                        ", the one before %" PRIu64,
                        entry->index, entry->term, before.term);
        return false;
    }
    marks_push(log, marks_follow(before, entry));
    check_place(checker, id, entry->index, marks_at(log, entry->index));
    return true;
}

// Entries from `last` + 1 on are about to be replaced: no write under way makes the old
// ones durable any more.
static void cut_log(struct shadow *shadow, raft_index last)
{
    marks_cut(&shadow->log, last);
    if (shadow->durable_index > last)
        shadow->durable_index = last;
    for (uint32_t i = 0; i < shadow->pending_count; i++) {
        uint32_t at = (shadow->pending_first + i) & (shadow->pending_capacity - 1);

        if (shadow->pending[at].last > last)
            shadow->pending[at].last = last;
    }
}

static void push_pending(struct shadow *shadow, const struct pending_write *write)
{
    uint32_t count = shadow->pending_count;

    if (count == shadow->pending_capacity) {
        uint32_t capacity = count == 0 ? 16 : 2 * count;
        struct pending_write *grown = malloc(capacity * sizeof(*grown));

        if (grown == NULL)
            abort();
        for (uint32_t i = 0; i < count; i++)
            grown[i] = shadow->pending[(shadow->pending_first + i) & (count - 1)];
        free(shadow->pending);
        shadow->pending = grown;
        shadow->pending_capacity = capacity;
        shadow->pending_first = 0;
    }
    shadow->pending[(shadow->pending_first + count) & (shadow->pending_capacity - 1)] =
        *write;
    shadow->pending_count++;
}

static void check_write(struct checker *checker, raft_id id,
                        const struct checker_step *step)
{
    struct shadow *shadow = shadow_of(checker, id);
    const struct raft_output *output = step->output;
    struct pending_write write = {output->write, 0, shadow->hard_state};

    if (output->write == 0) {
        if (output->hard_state_changed || output->entry_count > 0)
            checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                            "something to persist, but no write");
        return;
    }
    if (output->write != shadow->write + 1)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "write %" PRIu64 " follows write %" PRIu64, output->write,
                        shadow->write);
    shadow->write = output->write;
    if (output->hard_state_changed)
        shadow->hard_state = write.hard_state = output->hard_state;
    if (output->entry_count > 0) {
        raft_index first = output->entries[0].index;
        bool led = shadow->role == RAFT_LEADER && step->view->role == RAFT_LEADER;

        if (first == 0 || first > shadow->log.last + 1) {
            checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                            "entry %" PRIu64 " written behind entry %" PRIu64, first,
                            shadow->log.last);
            return;
        }
        if (led && first <= shadow->log.last)
            checker_violate(checker, PROPERTY_LEADER_APPEND_ONLY, id, 0,
                            "the leader of term %" PRIu64 " overwrites entry %" PRIu64,
                            step->view->current_term, first);
        if (first <= shadow->commit_index)
            checker_violate(checker, PROPERTY_COMMIT_KEPT, id, 0,
                            "entry %" PRIu64 " is overwritten, but %" PRIu64
                            " is committed",
                            first, shadow->commit_index);
        cut_log(shadow, first - 1);
        for (uint32_t i = 0; i < output->entry_count; i++)
            if (!add_entry(checker, id, &shadow->log, &output->entries[i]))
                return;
    }
    write.last = shadow->log.last;
    push_pending(shadow, &write);
}

static void check_persisted(struct checker *checker, raft_id id, uint64_t number)
{
    struct shadow *shadow = shadow_of(checker, id);

    if (number > shadow->write)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "write %" PRIu64 " is durable, but only %" PRIu64
                        " were asked for",
                        number, shadow->write);
    while (shadow->pending_count > 0) {
        const struct pending_write *write = &shadow->pending[shadow->pending_first];

        if (write->number > number)
            return;
        if (write->last > shadow->durable_index)
            shadow->durable_index = write->last;
        shadow->durable = write->hard_state;
        shadow->pending_first =
            (shadow->pending_first + 1) & (shadow->pending_capacity - 1);
        shadow->pending_count--;
    }
}

// The view agrees with the picture made from the outputs alone.
static void check_view(struct checker *checker, raft_id id,
                       const struct checker_step *step)
{
    const struct shadow *shadow = shadow_of(checker, id);
    const struct raft_view *view = step->view;
    struct mark last = marks_at(&shadow->log, shadow->log.last);

    if (view->last_index != shadow->log.last || view->last_term != last.term)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "its log ends at %" PRIu64 "/%" PRIu64
                        ", but was written to %" PRIu64 "/%" PRIu64,
                        view->last_index, view->last_term, shadow->log.last, last.term);
    if (view->current_term != shadow->hard_state.current_term ||
        view->voted_for != shadow->hard_state.voted_for)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "term %" PRIu64 " and vote %" PRIu32
                        " were not given out to persist",
                        view->current_term, view->voted_for);
    if (last.term > view->current_term)
        checker_violate(checker, PROPERTY_LOG_TERMS, id, 0,
                        "the log holds term %" PRIu64 " in term %" PRIu64, last.term,
                        view->current_term);
    if (step->broken != NULL)
        checker_violate(checker, PROPERTY_CORE_INVARIANT, id, 0, "%s", step->broken);
}

// ---- terms, votes and leaders ---------------------------------------------------

static void check_term(struct checker *checker, raft_id id,
                       const struct raft_hard_state *before,
                       const struct raft_view *view)
{
    if (view->current_term < before->current_term)
        checker_violate(checker, PROPERTY_TERM_MONOTONIC, id, 0,
                        "term %" PRIu64 " after term %" PRIu64, view->current_term,
                        before->current_term);
    if (view->current_term == before->current_term && before->voted_for != 0 &&
        view->voted_for != before->voted_for)
        checker_violate(checker, PROPERTY_VOTE_ONCE, id, view->voted_for,
                        "in term %" PRIu64 " the vote goes from node %" PRIu32
                        " to node %" PRIu32,
                        view->current_term, before->voted_for, view->voted_for);
}

// A vote that others may count: never another one in the same term.
static void check_grant(struct checker *checker, raft_id id, raft_term term, raft_id to)
{
    struct shadow *shadow = shadow_of(checker, id);

    if (term == shadow->granted_term && to != shadow->granted_to)
        checker_violate(checker, PROPERTY_VOTE_ONCE, id, to,
                        "in term %" PRIu64 " a vote for node %" PRIu32
                        " after one for node %" PRIu32,
                        term, to, shadow->granted_to);
    if (term < shadow->granted_term)
        checker_violate(checker, PROPERTY_VOTE_ONCE, id, to,
                        "a vote in term %" PRIu64 " after one in term %" PRIu64, term,
                        shadow->granted_term);
    shadow->granted_term = term;
    shadow->granted_to = to;
    if (shadow->durable.current_term < term ||
        (shadow->durable.current_term == term && shadow->durable.voted_for != to))
        checker_violate(checker, PROPERTY_VOTE_DURABLE, id, to,
                        "the vote of term %" PRIu64 " leaves, but term %" PRIu64
                        " is on disk",
                        term, shadow->durable.current_term);
}

// The last index that was committed by a leader of a term before `term`.
static raft_index committed_before(const struct checker *checker, raft_term term)
{
    raft_index low = 0;
    raft_index high = checker->commit_term.last;

    if (marks_at(&checker->commit_term, high).term < term)
        return high;
    while (low < high) {
        raft_index middle = low + (high - low + 1) / 2;

        if (marks_at(&checker->commit_term, middle).term < term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void check_new_leader(struct checker *checker, raft_id id,
                             const struct raft_view *view)
{
    struct shadow *shadow = shadow_of(checker, id);
    raft_term term = view->current_term;
    uint64_t self = (uint64_t)id << 32 | shadow->incarnation;
    uint64_t leader = marks_map_keep(&checker->leaders, 1, term, self);
    raft_index needed = committed_before(checker, term);

    checker->leader_count++;
    if (leader != self)
        checker_violate(checker, PROPERTY_ELECTION_SAFETY, id, (raft_id)(leader >> 32),
                        "node %" PRIu32 " becomes leader of term %" PRIu64
                        ", which node %" PRIu32 " has led",
                        id, term, (raft_id)(leader >> 32));
    if (!holds_committed(checker, shadow, needed))
        checker_violate(checker, PROPERTY_LEADER_COMPLETENESS, id, 0,
                        "the leader of term %" PRIu64
                        " lacks entries committed before, up to %" PRIu64,
                        term, needed);
    for (raft_id peer = 0; peer <= RAFT_MEMBERS_MAX; peer++)
        shadow->match[peer] = 0;
}

// ---- messages -------------------------------------------------------------------

static void check_message(struct checker *checker, raft_id id,
                          const struct raft_message *message)
{
    const struct shadow *shadow = shadow_of(checker, id);

    if (message->from != id || message->to == id)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, message->to,
                        "a message from node %" PRIu32 " to node %" PRIu32,
                        message->from, message->to);
    switch (message->type) {
    case RAFT_REQUEST_VOTE_REPLY:
        if (message->request_vote_reply.vote_granted &&
            !message->request_vote_reply.pre_vote)
            check_grant(checker, id, message->term, message->to);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        if (message->append_entries_reply.success &&
            (message->append_entries_reply.match_index > shadow->durable_index ||
             message->term > shadow->durable.current_term))
            checker_violate(checker, PROPERTY_ACK_DURABLE, id, message->to,
                            "acknowledges %" PRIu64 " in term %" PRIu64 ", but %" PRIu64
                            " and term %" PRIu64 " are on disk",
                            message->append_entries_reply.match_index, message->term,
                            shadow->durable_index, shadow->durable.current_term);
        break;
    case RAFT_APPEND_ENTRIES:
        if (shadow->role != RAFT_LEADER ||
            message->append_entries.leader_commit > shadow->commit_index)
            checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, message->to,
                            "AppendEntries with commit %" PRIu64
                            " from a node that has %" PRIu64 " or does not lead",
                            message->append_entries.leader_commit,
                            shadow->commit_index);
        break;
    default:
        break;
    }
}

// ---- commit and apply -----------------------------------------------------------

static bool is_majority_durable(const struct checker *checker,
                                const struct raft_view *view, raft_index index)
{
    uint32_t voters = 0, hold = 0, old_voters = 0, old_hold = 0;
    bool joint = false;

    for (uint32_t i = 0; i < view->configuration.count; i++) {
        const struct raft_member *member = &view->configuration.members[i];
        const struct shadow *shadow = &checker->nodes[member->id];
        bool held =
            shadow->durable_index >= index && holds_committed(checker, shadow, index);
        bool in_new = member->role == RAFT_VOTER || member->role == RAFT_STAYING;
        bool in_old = member->role == RAFT_LEAVING || member->role == RAFT_STAYING;

        joint = joint || in_old;
        voters += in_new;
        hold += in_new && held;
        old_voters += in_old;
        old_hold += in_old && held;
    }
    return 2 * hold > voters && (!joint || 2 * old_hold > old_voters);
}

// This node shows entries as committed that none has shown before.
static void extend_committed(struct checker *checker, raft_id id,
                             const struct raft_view *view)
{
    const struct shadow *shadow = shadow_of(checker, id);
    raft_index last = view->commit_index;

    for (raft_index index = checker->committed.last + 1; index <= last; index++) {
        marks_push(&checker->committed, marks_at(&shadow->log, index));
        marks_push(&checker->commit_term, (struct mark){view->current_term, 0});
    }
    if (!is_majority_durable(checker, view, last))
        checker_violate(checker, PROPERTY_COMMIT_DURABLE, id, 0,
                        "entry %" PRIu64 " is committed, but not durable on a majority",
                        last);
    for (raft_id other = 1; other <= checker->node_count; other++) {
        const struct shadow *leader = &checker->nodes[other];

        if (leader->up && leader->role == RAFT_LEADER &&
            leader->hard_state.current_term > view->current_term &&
            !holds_committed(checker, leader, last))
            checker_violate(checker, PROPERTY_LEADER_COMPLETENESS, other, id,
                            "entry %" PRIu64 ", committed in term %" PRIu64
                            ", is not in the log of the leader of term %" PRIu64,
                            last, view->current_term, leader->hard_state.current_term);
    }
}

static void check_commit(struct checker *checker, raft_id id,
                         const struct raft_view *view)
{
    struct shadow *shadow = shadow_of(checker, id);
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
        marks_at(&shadow->log, commit).term != view->current_term)
        checker_violate(checker, PROPERTY_COMMIT_OWN_TERM, id, 0,
                        "the leader of term %" PRIu64
                        " commits up to an entry of term %" PRIu64,
                        view->current_term, marks_at(&shadow->log, commit).term);
    if (commit > checker->committed.last)
        extend_committed(checker, id, view);
    else if (!holds_committed(checker, shadow, commit))
        checker_violate(checker, PROPERTY_STATE_MACHINE_SAFETY, id, 0,
                        "its log up to %" PRIu64
                        " is committed and differs from what was committed before",
                        commit);
}

static void check_apply_output(struct checker *checker, raft_id id,
                               const struct raft_output *output)
{
    struct shadow *shadow = shadow_of(checker, id);

    for (uint32_t i = 0; i < output->apply_count; i++) {
        const struct raft_entry *entry = &output->apply[i];
        struct mark mark;

        if (entry->index != shadow->given + 1 || entry->index > shadow->commit_index ||
            entry->index > shadow->durable_index) {
            checker_violate(checker, PROPERTY_APPLY_ORDER, id, 0,
                            "entry %" PRIu64 " is given out behind %" PRIu64
                            " with commit index %" PRIu64 ", durable %" PRIu64,
                            entry->index, shadow->given, shadow->commit_index,
                            shadow->durable_index);
            return;
        }
        shadow->given = entry->index;
        mark = marks_follow(marks_at(&shadow->log, entry->index - 1), entry);
        if (mark.chain != marks_at(&checker->committed, entry->index).chain)
            checker_violate(checker, PROPERTY_STATE_MACHINE_SAFETY, id, 0,
                            "entry %" PRIu64 " of term %" PRIu64
                            " is applied, but another was committed there",
                            entry->index, entry->term);
    }
}

void checker_apply(struct checker *checker, raft_id id, const struct raft_entry *entry,
                   uint64_t state_hash)
{
    struct shadow *shadow = shadow_of(checker, id);

    if (entry->index != shadow->applied + 1) {
        checker_violate(checker, PROPERTY_APPLY_ORDER, id, 0,
                        "entry %" PRIu64 " is applied behind entry %" PRIu64,
                        entry->index, shadow->applied);
        return;
    }
    shadow->applied = entry->index;
    if (entry->index == checker->states.last + 1)
        marks_push(&checker->states, (struct mark){id, state_hash});
    else if (marks_at(&checker->states, entry->index).chain != state_hash)
        checker_violate(checker, PROPERTY_STATE_EQUALITY, id,
                        (raft_id)marks_at(&checker->states, entry->index).term,
                        "the state after entry %" PRIu64 " differs", entry->index);
}

// ---- progress -------------------------------------------------------------------

static void check_match(struct checker *checker, raft_id id,
                        const struct raft_view *view)
{
    struct shadow *shadow = shadow_of(checker, id);

    for (uint32_t i = 0; i < view->peer_count; i++) {
        const struct raft_peer_view *peer = &view->peers[i];
        const struct shadow *follower;
        raft_index match = peer->match_index;

        if (peer->id == id || peer->id > checker->node_count ||
            match == shadow->match[peer->id])
            continue;
        if (match < shadow->match[peer->id])
            checker_violate(checker, PROPERTY_MATCH_MONOTONIC, id, peer->id,
                            "match index %" PRIu64 " after %" PRIu64, match,
                            shadow->match[peer->id]);
        shadow->match[peer->id] = match;
        follower = &checker->nodes[peer->id];
        if (follower->hard_state.current_term > view->current_term)
            continue; // it may have followed another leader since
        if (match > follower->durable_index || match > shadow->log.last ||
            marks_at(&follower->log, match).chain !=
                marks_at(&shadow->log, match).chain)
            checker_violate(checker, PROPERTY_MATCH_TRUE, id, peer->id,
                            "match index %" PRIu64
                            ", but the follower does not hold that log on disk",
                            match);
    }
}

// ---- the calls ------------------------------------------------------------------

void checker_load(struct checker *checker, raft_id id, const struct raft_entry *entry)
{
    add_entry(checker, id, &shadow_of(checker, id)->found, entry);
}

void checker_open(struct checker *checker, raft_id id, const struct raft_view *view)
{
    struct shadow *shadow = shadow_of(checker, id);
    struct marks old = shadow->log;
    raft_index durable = shadow->durable_index;

    assert(!shadow->up);
    if (shadow->found.last < durable ||
        marks_at(&shadow->found, durable).chain != marks_at(&old, durable).chain)
        checker_violate(checker, PROPERTY_DURABILITY, id, 0,
                        "entries up to %" PRIu64 " were durable, %" PRIu64
                        " came back, or others",
                        durable, shadow->found.last);
    check_term(checker, id, &shadow->durable, view);
    shadow->log = shadow->found;
    shadow->found = (struct marks){0};
    marks_release(&old);
    shadow->durable_index = shadow->log.last;
    shadow->hard_state = (struct raft_hard_state){view->current_term, view->voted_for};
    shadow->durable = shadow->hard_state;
    shadow->incarnation++;
    shadow->up = true;
    shadow->role = view->role;
    shadow->commit_index = view->commit_index;
    shadow->given = view->last_applied;
    shadow->applied = view->last_applied;
    shadow->write = 0;
    shadow->pending_count = 0;
    memset(shadow->match, 0, sizeof(shadow->match));
}

void checker_crash(struct checker *checker, raft_id id)
{
    struct shadow *shadow = shadow_of(checker, id);

    shadow->up = false;
    shadow->role = RAFT_FOLLOWER;
    shadow->pending_count = 0;
}

void checker_step(struct checker *checker, raft_id id, const struct checker_step *step)
{
    struct shadow *shadow = shadow_of(checker, id);
    const struct raft_view *view = step->view;
    struct raft_hard_state before = shadow->hard_state;
    raft_id granted = view->voted_for;

    assert(shadow->up);
    if (step->event->type == RAFT_EVENT_PERSISTED)
        check_persisted(checker, id, step->event->persisted.write);
    check_term(checker, id, &before, view);
    check_write(checker, id, step);
    check_view(checker, id, step);
    if (checker->violation_count > 0)
        return; // the picture of this log may be wrong now
    if (view->role == RAFT_LEADER &&
        (shadow->role != RAFT_LEADER || view->current_term != before.current_term)) {
        if (granted == id)
            check_grant(checker, id, view->current_term, id);
        check_new_leader(checker, id, view);
    }
    shadow->role = view->role;
    check_commit(checker, id, view);
    if (checker->violation_count > 0)
        return;
    check_apply_output(checker, id, step->output);
    if (view->role == RAFT_LEADER)
        check_match(checker, id, view);
    for (uint32_t i = 0; i < step->output->message_count; i++)
        check_message(checker, id, &step->output->messages[i]);
}
