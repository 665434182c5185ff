#include "sim/checker/checker_promise.h"

#include "sim/checker/checker_state.h"

#include <inttypes.h>

static struct promises *promises_of(struct checker *checker, raft_id id)
{
    return &checker_shadow(checker, id)->promises;
}

void checker_promise_open(struct checker *checker, raft_id id)
{
    struct promises *promises = promises_of(checker, id);
    struct promises none = {0};

    if (checker->limits.leases) {
        none.heard_ms = promises->heard_ms;
        none.heard_from = promises->heard_from;
    }
    *promises = none;
}

// ---- votes ----------------------------------------------------------------------

// The RequestVote that this step was given, or NULL; pre-votes promise nothing.
static const struct raft_message *asked_for_vote(const struct checker_step *step)
{
    const struct raft_event *event = step->event;

    if (event->type != RAFT_EVENT_MESSAGE ||
        event->message->type != RAFT_REQUEST_VOTE ||
        event->message->request_vote.pre_vote)
        return NULL;
    return event->message;
}

static const struct raft_message *vote_reply(const struct raft_output *output,
                                             raft_id to)
{
    for (uint32_t i = 0; i < output->message_count; i++)
        if (output->messages[i].to == to &&
            output->messages[i].type == RAFT_REQUEST_VOTE_REPLY &&
            !output->messages[i].request_vote_reply.pre_vote)
            return &output->messages[i];
    return NULL;
}

// Who has the vote, on disk, and asks again, is answered, since the first answer may be
// lost: by the vote, as long as the log has not changed.
static void check_answer(struct checker *checker, raft_id id,
                         const struct checker_step *step,
                         const struct raft_hard_state *before)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct promises *promises = &shadow->promises;
    const struct raft_message *asked = asked_for_vote(step), *reply;

    if (asked == NULL || asked->term != before->current_term || asked->from == 0 ||
        asked->from != before->voted_for ||
        shadow->durable.current_term != before->current_term ||
        shadow->durable.voted_for != before->voted_for)
        return;
    reply = vote_reply(step->output, asked->from);
    if (reply == NULL && step->output->message_count < RAFT_OUTPUT_MESSAGES_MAX)
        checker_violate(checker, PROPERTY_VOTE_KEPT, id, asked->from,
                        "does not answer the node that has its vote of term %" PRIu64,
                        asked->term);
    if (reply != NULL && !reply->request_vote_reply.vote_granted &&
        asked->term == promises->vote_term &&
        step->view->last_index == promises->vote_last_index &&
        step->view->last_term == promises->vote_last_term)
        checker_violate(checker, PROPERTY_VOTE_KEPT, id, asked->from,
                        "refuses the vote of term %" PRIu64 " that it has given",
                        asked->term);
}

// The PreVote that this step was given, or NULL.
static const struct raft_message *asked_for_pre_vote(const struct checker_step *step)
{
    const struct raft_event *event = step->event;

    if (event->type != RAFT_EVENT_MESSAGE ||
        event->message->type != RAFT_REQUEST_VOTE ||
        !event->message->request_vote.pre_vote)
        return NULL;
    return event->message;
}

static bool is_up_to_date(const struct raft_request_vote *request,
                          const struct raft_view *view)
{
    return request->last_log_term > view->last_term ||
           (request->last_log_term == view->last_term &&
            request->last_log_index >= view->last_index);
}

static bool refuses_pre_vote(const struct raft_output *output, raft_id to)
{
    for (uint32_t i = 0; i < output->message_count; i++)
        if (output->messages[i].to == to &&
            output->messages[i].type == RAFT_REQUEST_VOTE_REPLY &&
            output->messages[i].request_vote_reply.pre_vote &&
            !output->messages[i].request_vote_reply.vote_granted)
            return true;
    return false;
}

// FOL-2: who may win shall not have to wait. A leader that asks leads no more, and a
// pre-vote, granted or not, puts off nobody's own campaign.
static void check_pre_vote(struct checker *checker, raft_id id,
                           const struct checker_step *step,
                           const struct raft_hard_state *before)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct promises *promises = &shadow->promises;
    const struct raft_message *asked = asked_for_pre_vote(step);
    const struct raft_view *view = step->view;

    if (asked == NULL || view->role != RAFT_FOLLOWER ||
        view->current_term != before->current_term)
        return;
    if (promises->leader_id == asked->from && asked->term > before->current_term &&
        is_up_to_date(&asked->request_vote, view) &&
        shadow->durable.current_term == before->current_term &&
        shadow->durable.voted_for == before->voted_for &&
        refuses_pre_vote(step->output, asked->from))
        checker_violate(checker, PROPERTY_TIMEOUT, id, asked->from,
                        "refuses the pre-vote of its own leader, which leads no more");
    if (step->event->now_ms < promises->deadline_ms &&
        step->output->deadline_ms > promises->deadline_ms)
        checker_violate(checker, PROPERTY_TIMEOUT, id, asked->from,
                        "a pre-vote puts off its campaign by %" PRIu64 " ms",
                        step->output->deadline_ms - promises->deadline_ms);
}

static void remember_vote(struct promises *promises, const struct raft_view *view,
                          const struct raft_hard_state *before)
{
    if (view->voted_for == 0 || (view->voted_for == before->voted_for &&
                                 view->current_term == before->current_term))
        return;
    promises->vote_term = view->current_term;
    promises->vote_last_index = view->last_index;
    promises->vote_last_term = view->last_term;
}

// No vote and no higher term, within a timeout of hearing a leader, to anybody but that
// leader; unless it hands over.
static void check_promise(struct checker *checker, raft_id id,
                          const struct checker_step *step,
                          const struct raft_hard_state *before)
{
    const struct promises *promises = promises_of(checker, id);
    const struct raft_message *asked = asked_for_vote(step);
    uint64_t timeout_ms = checker->limits.election_timeout_ms;
    uint64_t now_ms = step->event->now_ms;

    if (asked == NULL || asked->request_vote.transfer ||
        !checker->limits.check_quorum || promises->heard_from == 0 ||
        promises->heard_from == asked->from || now_ms < promises->heard_ms ||
        now_ms - promises->heard_ms >= timeout_ms)
        return;
    if (step->view->current_term != before->current_term ||
        step->view->voted_for != before->voted_for)
        checker_violate(checker, PROPERTY_PROMISE, id, asked->from,
                        "follows a RequestVote %" PRIu64
                        " ms after it has heard node %" PRIu32 " as leader",
                        now_ms - promises->heard_ms, promises->heard_from);
}

static void remember_leader(struct promises *promises, const struct checker_step *step)
{
    const struct raft_message *message = step->event->message;
    const struct raft_view *view = step->view;

    if (step->event->type != RAFT_EVENT_MESSAGE ||
        (message->type != RAFT_APPEND_ENTRIES &&
         message->type != RAFT_INSTALL_SNAPSHOT) ||
        message->term != view->current_term || view->role != RAFT_FOLLOWER ||
        view->leader_id != message->from)
        return;
    promises->heard_ms = step->event->now_ms;
    promises->heard_from = message->from;
}

// ---- messages -------------------------------------------------------------------

static void check_request(struct checker *checker, raft_id id,
                          const struct raft_message *message)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_request_vote *request = &message->request_vote;

    if (shadow->promises.told_term == message->term && !request->transfer)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, message->to,
                        "was told to take over in term %" PRIu64
                        ", and does not say so",
                        message->term);
    if (request->last_log_index > shadow->durable_index ||
        shadow->durable.current_term < message->term)
        checker_violate(checker, PROPERTY_VOTE_DURABLE, id, message->to,
                        "asks for votes of term %" PRIu64 " with a log up to %" PRIu64
                        ", but term %" PRIu64 " and %" PRIu64 " are on disk",
                        message->term, request->last_log_index,
                        shadow->durable.current_term, shadow->durable_index);
}

static void check_size(struct checker *checker, raft_id id,
                       const struct raft_message *message)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < message->append_entries.count; i++)
        bytes += message->append_entries.entries[i].size;
    if (checker->limits.message_bytes_max > 0 && message->append_entries.count > 1 &&
        bytes > checker->limits.message_bytes_max)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, message->to,
                        "%" PRIu64 " bytes in one AppendEntries", bytes);
}

// That of a pre-vote, and of its grant, is one that nobody has yet.
static bool tells_own_term(const struct raft_message *message)
{
    if (message->type == RAFT_REQUEST_VOTE)
        return !message->request_vote.pre_vote;
    return message->type != RAFT_REQUEST_VOTE_REPLY ||
           !message->request_vote_reply.pre_vote ||
           !message->request_vote_reply.vote_granted;
}

static void check_message(struct checker *checker, raft_id id,
                          const struct raft_message *message,
                          const struct raft_view *view)
{
    if (tells_own_term(message) && message->term != view->current_term)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, message->to,
                        "a message of term %" PRIu64 " leaves in term %" PRIu64,
                        message->term, view->current_term);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        if (!message->request_vote.pre_vote)
            check_request(checker, id, message);
        break;
    case RAFT_APPEND_ENTRIES:
        check_size(checker, id, message);
        break;
    default:
        break;
    }
}

// ---- leaders --------------------------------------------------------------------

// Those of whom it is so, and the leader itself, as bits.
static uint32_t heard_since(const struct raft_view *view, uint64_t since_ms)
{
    uint32_t heard = 1u << view->id;

    for (uint32_t i = 0; i < view->peer_count; i++)
        if (view->peers[i].contact_ms > since_ms)
            heard |= 1u << view->peers[i].id;
    return heard;
}

// A heartbeat later than the moment from which on no majority was heard, it has to have
// stepped down. A node that stood still finds that out with its first tick.
static void check_heard(struct checker *checker, raft_id id,
                        const struct checker_step *step)
{
    struct promises *promises = promises_of(checker, id);
    struct electorate_place newest =
        electorate_newest(&checker_shadow(checker, id)->members);
    uint64_t now_ms = step->event->now_ms;
    uint64_t timeout_ms = checker->limits.election_timeout_ms;

    if (!checker->limits.check_quorum || now_ms < timeout_ms ||
        electorate_is_quorum(&newest.electorate,
                             heard_since(step->view, now_ms - timeout_ms))) {
        promises->alone = false;
        return;
    }
    if (!promises->alone) {
        promises->alone = true;
        promises->alone_ms = now_ms;
        return;
    }
    if (step->event->type == RAFT_EVENT_TICK &&
        now_ms - promises->alone_ms >= checker->limits.heartbeat_ms)
        checker_violate(checker, PROPERTY_QUORUM_HEARD, id, 0,
                        "leads on, %" PRIu64
                        " ms after the last majority was heard within %" PRIu64 " ms",
                        now_ms - promises->alone_ms, timeout_ms);
}

static uint32_t holders(const struct raft_view *view, raft_index index)
{
    uint32_t hold = view->durable_index >= index ? 1u << view->id : 0;

    for (uint32_t i = 0; i < view->peer_count; i++)
        if (view->peers[i].match_index >= index)
            hold |= 1u << view->peers[i].id;
    return hold;
}

// LEAD-4, the other way round: what a majority has, of the own term, is committed at
// once.
static void check_commit(struct checker *checker, raft_id id,
                         const struct raft_view *view)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place newest = electorate_newest(&shadow->members);

    for (uint32_t i = 0; i < view->peer_count; i++) {
        raft_index match = view->peers[i].match_index;

        if (match <= view->commit_index || match > shadow->log.last ||
            checker_mark(checker, &shadow->log, match).term != view->current_term ||
            !electorate_is_quorum(&newest.electorate, holders(view, match)))
            continue;
        checker_violate(checker, PROPERTY_COMMIT_AT_ONCE, id, 0,
                        "a majority has entry %" PRIu64 ", but %" PRIu64
                        " is committed",
                        match, view->commit_index);
        return;
    }
}

static void check_leader(struct checker *checker, raft_id id,
                         const struct checker_step *step)
{
    const struct raft_view *view = step->view;
    struct promises *promises = promises_of(checker, id);

    check_heard(checker, id, step);
    if (view->lease && checker->leader_term > view->current_term &&
        !checker->limits.drift_unbounded)
        checker_violate(checker, PROPERTY_LEASE, id, 0,
                        "has a lease in term %" PRIu64 ", but term %" PRIu64
                        " has a leader",
                        view->current_term, checker->leader_term);
    for (uint32_t i = 0; i < view->peer_count; i++)
        if (view->peers[i].inflight == 0 && view->peers[i].inflight_bytes > 0)
            checker_violate(checker, PROPERTY_REST, id, view->peers[i].id,
                            "%" PRIu64 " bytes are in flight, in no message",
                            view->peers[i].inflight_bytes);
    // A configuration of this very step counts from the next on.
    if (checker->limits.election_timeout_ms > 0 &&
        view->configuration_index == promises->configuration_index)
        check_commit(checker, id, view);
}

// ---- reads ----------------------------------------------------------------------

static void check_reads(struct checker *checker, raft_id id,
                        const struct checker_step *step)
{
    struct promises *promises = promises_of(checker, id);

    for (uint32_t i = 0; i < step->output->read_count; i++) {
        const struct raft_read *read = &step->output->reads[i];
        struct promised_read *asked = &promises->reads[read->id % PROMISES_READS];

        if (asked->id == read->id + 1 && read->status == RAFT_OK &&
            read->index < asked->committed && !checker->limits.drift_unbounded)
            checker_violate(checker, PROPERTY_READ_INDEX, id, 0,
                            "a read at %" PRIu64 ", but %" PRIu64
                            " was committed when it was asked for",
                            read->index, asked->committed);
        asked->id = 0;
    }
}

static void remember_read(struct checker *checker, raft_id id,
                          const struct raft_event *event)
{
    struct promises *promises = promises_of(checker, id);

    if (event->type == RAFT_EVENT_READ)
        promises->reads[event->read.id % PROMISES_READS] =
            (struct promised_read){event->read.id + 1, checker->committed_before};
}

// It campaigns since it was told to.
static void take_over(struct checker *checker, raft_id id, raft_term term)
{
    struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place newest = electorate_newest(&shadow->members);

    shadow->promises.told_term = term;
    if (!electorate_votes(&newest.electorate, id))
        checker_violate(checker, PROPERTY_LEADER_MEMBER, id, 0,
                        "takes over in term %" PRIu64
                        ", although it knows that it has no vote",
                        term);
}

void checker_promise_step(struct checker *checker, raft_id id,
                          const struct checker_step *step,
                          const struct raft_hard_state *before)
{
    struct promises *promises = promises_of(checker, id);
    const struct raft_view *view = step->view;

    check_promise(checker, id, step, before);
    check_answer(checker, id, step, before);
    check_pre_vote(checker, id, step, before);
    if (step->event->type == RAFT_EVENT_MESSAGE &&
        step->event->message->type == RAFT_TIMEOUT_NOW &&
        view->current_term > before->current_term && view->role == RAFT_CANDIDATE)
        take_over(checker, id, view->current_term);
    remember_vote(promises, view, before);
    remember_leader(promises, step);
    for (uint32_t i = 0; i < step->output->message_count; i++)
        check_message(checker, id, &step->output->messages[i], view);
    if (view->role == RAFT_LEADER)
        check_leader(checker, id, step);
    else
        promises->alone = false;
    promises->configuration_index = view->configuration_index;
    promises->deadline_ms = step->output->deadline_ms;
    promises->leader_id = view->leader_id;
    remember_read(checker, id, step->event);
    check_reads(checker, id, step);
}
