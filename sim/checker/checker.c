#include "sim/checker/checker.h"

#include "sim/checker/checker_commit.h"
#include "sim/checker/checker_log.h"
#include "sim/checker/checker_member.h"
#include "sim/checker/checker_promise.h"
#include "sim/checker/checker_snapshot.h"
#include "sim/checker/checker_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        [PROPERTY_HARD_STATE] = "term and vote persisted",
        [PROPERTY_VOTE_DURABLE] = "vote durable",
        [PROPERTY_ACK_DURABLE] = "acknowledgement durable",
        [PROPERTY_DURABILITY] = "durability",
        [PROPERTY_LOG_TERMS] = "log terms",
        [PROPERTY_OUTPUT_SHAPE] = "output shape",
        [PROPERTY_CORE_INVARIANT] = "core invariant",
        [PROPERTY_VOTE_QUORUM] = "votes of a majority",
        [PROPERTY_LEADER_MEMBER] = "leader is a voter",
        [PROPERTY_CONFIGURATION] = "configuration as logged",
        [PROPERTY_CHANGE_ALONE] = "one change at a time",
        [PROPERTY_CHANGE_OWN_TERM] = "change in own term",
        [PROPERTY_SNAPSHOT] = "snapshot of what is committed",
        [PROPERTY_SNAPSHOT_TAKEN] = "snapshot taken or asked for again",
        [PROPERTY_NODE_STOPPED] = "node stopped",
        [PROPERTY_LIVENESS] = "liveness",
        [PROPERTY_REST] = "nothing under way at rest",
        [PROPERTY_VOTE_KEPT] = "vote kept",
        [PROPERTY_PROMISE] = "promise to a leader",
        [PROPERTY_TIMEOUT] = "election timeout",
        [PROPERTY_QUORUM_HEARD] = "leader hears a majority",
        [PROPERTY_COMMIT_AT_ONCE] = "commit at once",
        [PROPERTY_LEASE] = "alone under a lease",
        [PROPERTY_READ_INDEX] = "read index",
        [PROPERTY_LINEARIZABILITY] = "linearizability",
        [PROPERTY_OWN] = "own invariant",
    };

    assert(property < PROPERTY_COUNT);
    return texts[property];
}

// ---- life cycle -----------------------------------------------------------------

// Before a node starts: nothing was found on its disk yet. The members of the first
// start know themselves.
static void expect_nothing(struct checker *checker, raft_id id)
{
    struct shadow *shadow = checker_shadow(checker, id);

    marks_restart(&shadow->found, 0);
    shadow->found_members.count = 0;
    if (id <= checker->member_count)
        electorate_push(&shadow->found_members, 0,
                        &checker->committed_members.at[0].electorate);
}

struct checker *checker_new(uint32_t node_count, uint32_t member_count)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    struct raft_configuration first = {.count = member_count};
    struct electorate electorate;

    assert(node_count <= RAFT_MEMBERS_MAX);
    assert(member_count >= 1 && member_count <= node_count);
    if (checker == NULL)
        abort();
    checker->node_count = node_count;
    for (uint32_t i = 0; i < member_count; i++)
        first.members[i] = (struct raft_member){i + 1, RAFT_VOTER};
    electorate = electorate_of(&first);
    checker->member_count = member_count;
    electorate_push(&checker->committed_members, 0, &electorate);
    for (raft_id id = 1; id <= node_count; id++)
        expect_nothing(checker, id);
    return checker;
}

void checker_free(struct checker *checker)
{
    if (checker == NULL)
        return;
    for (uint32_t id = 0; id <= RAFT_MEMBERS_MAX; id++) {
        marks_release(&checker->nodes[id].log);
        marks_release(&checker->nodes[id].found);
        electorate_release(&checker->nodes[id].members);
        electorate_release(&checker->nodes[id].found_members);
        free(checker->nodes[id].pending);
    }
    marks_release(&checker->places);
    marks_release(&checker->committed);
    marks_release(&checker->commit_terms);
    marks_release(&checker->states);
    marks_map_release(&checker->other);
    marks_map_release(&checker->leaders);
    marks_map_release(&checker->votes);
    electorate_release(&checker->committed_members);
    free(checker);
}

void checker_set_limits(struct checker *checker, const struct checker_limits *limits)
{
    checker->limits = *limits;
}

void checker_switch_off(struct checker *checker)
{
    checker->off = true;
    checker->committed_unchecked = checker->committed.last;
}

void checker_leave_to_own(struct checker *checker)
{
    checker->off = true;
    checker->own = true;
}

bool checker_is_on(const struct checker *checker)
{
    return !checker->off;
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

    if (checker->violation_count == CHECKER_VIOLATIONS_MAX ||
        (checker->own && property != PROPERTY_OWN))
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
    return checker->off ? checker->committed_unchecked : checker->committed.last;
}

uint64_t checker_leaders(const struct checker *checker)
{
    return checker->leader_count;
}

uint64_t checker_configurations(const struct checker *checker)
{
    return checker->committed_members.count - 1; // that of the first start is in no log
}

bool checker_is_quorum(const struct checker *checker, uint32_t nodes)
{
    struct electorate_place known = electorate_newest(&checker->committed_members);

    if (!electorate_is_quorum(&known.electorate, nodes))
        return false;
    for (raft_id id = 1; id <= checker->node_count; id++) {
        struct electorate_place newest = electorate_newest(&checker->nodes[id].members);

        if (newest.index > known.index &&
            !electorate_is_quorum(&newest.electorate, nodes))
            return false;
    }
    return true;
}

bool checker_holds_committed(const struct checker *checker, const struct shadow *shadow,
                             raft_index index)
{
    return shadow->log.last >= index && checker->committed.last >= index &&
           checker_mark(checker, &shadow->log, index).chain ==
               marks_at(&checker->committed, index).chain;
}

// ---- terms, votes and leaders ---------------------------------------------------

// The view agrees with the picture made from the outputs alone.
static void check_view(struct checker *checker, raft_id id,
                       const struct checker_step *step)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_view *view = step->view;
    struct mark last = checker_mark(checker, &shadow->log, shadow->log.last);

    if (view->last_index != shadow->log.last || view->last_term != last.term)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "its log ends at %" PRIu64 "/%" PRIu64
                        ", but the writes that it gave out end at %" PRIu64 "/%" PRIu64,
                        view->last_index, view->last_term, shadow->log.last, last.term);
    if (view->current_term != shadow->hard_state.current_term ||
        view->voted_for != shadow->hard_state.voted_for)
        checker_violate(checker, PROPERTY_HARD_STATE, id, 0,
                        "node %" PRIu32 " has not given out its term %" PRIu64
                        " and vote %" PRIu32 " to persist",
                        id, view->current_term, view->voted_for);
    if (last.term > view->current_term)
        checker_violate(checker, PROPERTY_LOG_TERMS, id, 0,
                        "the log holds term %" PRIu64 " in term %" PRIu64, last.term,
                        view->current_term);
    if (step->broken != NULL)
        checker_violate(checker, PROPERTY_CORE_INVARIANT, id, 0, "%s", step->broken);
}

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

// Says of a vote that leaves what the disk has in its place.
static void tell_vote_undurable(struct checker *checker, raft_id id, raft_term term,
                                raft_id to)
{
    const struct raft_hard_state *durable = &checker_shadow(checker, id)->durable;
    char text[60];

    if (durable->current_term < term)
        snprintf(text, sizeof(text), "term %" PRIu64 " is on disk",
                 durable->current_term);
    else if (durable->voted_for == 0)
        snprintf(text, sizeof(text), "the disk has none");
    else
        snprintf(text, sizeof(text), "the disk has one for node %" PRIu32,
                 durable->voted_for);
    checker_violate(checker, PROPERTY_VOTE_DURABLE, id, to,
                    "the vote of term %" PRIu64 " leaves for node %" PRIu32 ", but %s",
                    term, to, text);
}

// A vote that others may count: never another one in the same term.
static void check_grant(struct checker *checker, raft_id id, raft_term term, raft_id to)
{
    struct shadow *shadow = checker_shadow(checker, id);

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
    checker_member_vote(checker, id, term, to);
    if (shadow->durable.current_term < term ||
        (shadow->durable.current_term == term && shadow->durable.voted_for != to))
        tell_vote_undurable(checker, id, term, to);
}

static void check_new_leader(struct checker *checker, raft_id id,
                             const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);
    raft_term term = view->current_term;
    uint64_t self = (uint64_t)id << 32 | shadow->incarnation;
    uint64_t leader = marks_map_keep(&checker->leaders, 1, term, self);
    raft_index needed = checker_commit_before(checker, term);

    checker->leader_count++;
    if (term > checker->leader_term)
        checker->leader_term = term;
    if (leader != self)
        checker_violate(checker, PROPERTY_ELECTION_SAFETY, id, (raft_id)(leader >> 32),
                        "node %" PRIu32 " becomes leader of term %" PRIu64
                        ", which node %" PRIu32 " has led",
                        id, term, (raft_id)(leader >> 32));
    if (!checker_holds_committed(checker, shadow, needed))
        checker_violate(checker, PROPERTY_LEADER_COMPLETENESS, id, 0,
                        "the leader of term %" PRIu64
                        " lacks entries committed before, up to %" PRIu64,
                        term, needed);
    checker_member_elected(checker, id, view);
    memset(shadow->match, 0, sizeof(shadow->match));
}

// ---- messages -------------------------------------------------------------------

static void check_message(struct checker *checker, raft_id id,
                          const struct raft_message *message, bool led)
{
    const struct shadow *shadow = checker_shadow(checker, id);

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
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        if (message->install_snapshot_reply.installed &&
            (message->install_snapshot_reply.last_included_index >
                 shadow->durable_index ||
             message->term > shadow->durable.current_term))
            checker_violate(checker, PROPERTY_ACK_DURABLE, id, message->to,
                            "says that %" PRIu64 " is installed in term %" PRIu64
                            ", but %" PRIu64 " and term %" PRIu64 " are on disk",
                            message->install_snapshot_reply.last_included_index,
                            message->term, shadow->durable_index,
                            shadow->durable.current_term);
        break;
    case RAFT_APPEND_ENTRIES:
        // A leader that steps down may send what it has in the same step.
        if ((shadow->role != RAFT_LEADER && !led) ||
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

// ---- the calls ------------------------------------------------------------------

void checker_base(struct checker *checker, raft_id id, raft_index index, raft_term term)
{
    struct shadow *shadow = checker_shadow(checker, id);

    assert(!shadow->up && shadow->found.last == 0);
    if (index > 0 && !checker->off)
        checker_snapshot_base(checker, id, index, term);
}

void checker_load(struct checker *checker, raft_id id, const struct raft_entry *entry)
{
    struct shadow *shadow = checker_shadow(checker, id);

    if (!checker->off)
        checker_log_add(checker, id, &shadow->found, &shadow->found_members, entry);
}

// What was durable came back. A snapshot may have taken the place of entries that were
// never committed: those may be gone.
static void check_found(struct checker *checker, raft_id id, raft_index base)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct marks *found = &shadow->found, *log = &shadow->log;
    raft_index durable = shadow->durable_index;

    if (checker->violation_count > 0 || durable < base)
        return; // the picture of it may be wrong, or it is all behind a snapshot
    if (base > 0 && checker_mark(checker, found, base).chain !=
                        checker_mark(checker, log, base).chain)
        return;
    if (found->last < durable || checker_mark(checker, found, durable).chain !=
                                     checker_mark(checker, log, durable).chain)
        checker_violate(checker, PROPERTY_DURABILITY, id, 0,
                        "entries up to %" PRIu64 " were durable, %" PRIu64
                        " came back, or others",
                        durable, found->last);
}

void checker_open(struct checker *checker, raft_id id, const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);
    struct marks old = shadow->log;
    struct electorate_list old_members = shadow->members;
    raft_index base = view->first_index > 0 ? view->first_index - 1 : 0;

    assert(!shadow->up);
    if (checker->off) {
        shadow->up = true;
        return;
    }
    check_found(checker, id, base);
    check_term(checker, id, &shadow->durable, view);
    shadow->log = shadow->found;
    shadow->members = shadow->found_members;
    shadow->found = (struct marks){0};
    shadow->found_members = (struct electorate_list){0};
    marks_release(&old);
    electorate_release(&old_members);
    shadow->durable_index = shadow->log.last;
    shadow->hard_state = (struct raft_hard_state){view->current_term, view->voted_for};
    shadow->durable = shadow->hard_state;
    shadow->incarnation++;
    checker_promise_open(checker, id);
    shadow->up = true;
    shadow->role = view->role;
    shadow->commit_index = view->commit_index;
    shadow->given = view->last_applied;
    shadow->applied = view->last_applied;
    shadow->restoring = 0;
    shadow->first_index = shadow->snapshot_index = 0;
    shadow->in_use = (struct electorate_place){0};
    shadow->write = 0;
    shadow->pending_count = 0;
    memset(shadow->match, 0, sizeof(shadow->match));
    if (checker->violation_count > 0)
        return;
    checker_member_view(checker, id, view);
    checker_snapshot_view(checker, id, view);
}

void checker_crash(struct checker *checker, raft_id id)
{
    struct shadow *shadow = checker_shadow(checker, id);

    shadow->up = false;
    shadow->role = RAFT_FOLLOWER;
    shadow->pending_count = 0;
    expect_nothing(checker, id);
}

void checker_apply(struct checker *checker, raft_id id, const struct raft_entry *entry,
                   uint64_t state_hash)
{
    struct shadow *shadow = checker_shadow(checker, id);

    if (checker->off)
        return;
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

void checker_restored(struct checker *checker, raft_id id, raft_index index,
                      uint64_t state_hash)
{
    struct shadow *shadow = checker_shadow(checker, id);

    if (checker->off)
        return;
    if (index > checker->states.last) {
        checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                        "a state up to %" PRIu64 " is restored, but nobody has applied "
                        "more than %" PRIu64,
                        index, checker->states.last);
        return;
    }
    if (shadow->up && index <= shadow->applied)
        checker_violate(checker, PROPERTY_APPLY_ORDER, id, 0,
                        "a state up to %" PRIu64 " replaces one up to %" PRIu64, index,
                        shadow->applied);
    if (marks_at(&checker->states, index).chain != state_hash)
        checker_violate(checker, PROPERTY_STATE_EQUALITY, id,
                        (raft_id)marks_at(&checker->states, index).term,
                        "the state restored up to %" PRIu64 " differs", index);
    if (shadow->up)
        shadow->applied = index;
}

// What is counted where nothing is checked.
static void count_step(struct checker *checker, struct shadow *shadow,
                       const struct raft_view *view)
{
    raft_term term = view->current_term;

    if (view->role == RAFT_LEADER &&
        (shadow->role != RAFT_LEADER || shadow->hard_state.current_term != term))
        checker->leader_count++;
    shadow->role = view->role;
    shadow->hard_state.current_term = term;
    if (view->commit_index > checker->committed_unchecked)
        checker->committed_unchecked = view->commit_index;
}

void checker_step(struct checker *checker, raft_id id, const struct checker_step *step)
{
    struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_view *view = step->view;
    struct raft_hard_state before = shadow->hard_state;
    raft_id granted = view->voted_for;
    bool led = shadow->role == RAFT_LEADER;

    assert(shadow->up);
    if (checker->off) {
        count_step(checker, shadow, view);
        return;
    }
    if (step->event->type == RAFT_EVENT_PERSISTED)
        checker_log_persisted(checker, id, step->event->persisted.write);
    if (step->event->type == RAFT_EVENT_APPLIED &&
        step->event->applied.index >= shadow->restoring)
        shadow->restoring = 0;
    check_term(checker, id, &before, view);
    checker->committed_before = checker->committed.last;
    shadow->decides = electorate_newest(&shadow->members);
    shadow->committed_before = shadow->commit_index;
    checker_log_write(checker, id, step);
    check_view(checker, id, step);
    if (checker->violation_count > 0)
        return; // the picture of this log may be wrong now
    checker_member_view(checker, id, view);
    checker_snapshot_view(checker, id, view);
    if (view->role == RAFT_LEADER &&
        (shadow->role != RAFT_LEADER || view->current_term != before.current_term)) {
        if (granted == id)
            check_grant(checker, id, view->current_term, id);
        check_new_leader(checker, id, view);
    }
    shadow->role = view->role;
    checker_commit_check(checker, id, view);
    if (checker->violation_count > 0)
        return;
    checker_commit_apply(checker, id, step->output);
    if (view->role == RAFT_LEADER) {
        checker_commit_match(checker, id, view);
        checker_member_leads(checker, id, view);
    }
    for (uint32_t i = 0; i < step->output->message_count; i++)
        check_message(checker, id, &step->output->messages[i], led);
    if (step->event->type == RAFT_EVENT_SNAPSHOT_RECEIVED)
        checker_snapshot_received(checker, id, step);
    if (checker->violation_count == 0)
        checker_promise_step(checker, id, step, &before);
}
