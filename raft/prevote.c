#include "raft/prevote.h"

#include "raft/configuration.h"
#include "raft/durability.h"
#include "raft/request_vote.h"
#include "raft/role.h"
#include "raft/state.h"

// Counts what has come in; acts once a majority agrees, or cannot any more.
static void count_votes(struct raft *raft, struct raft_output *output)
{
    switch (request_vote_outcome(raft)) {
    case REQUEST_VOTE_WON:
        role_become_candidate(raft, output);
        request_vote_start(raft, false, output);
        break;
    case REQUEST_VOTE_LOST:
        state_note(output, "pre-vote lost -> follower");
        state_reach(raft, RAFT_MARK_PREVOTE_LOST);
        role_become_follower(raft, 0);
        break;
    case REQUEST_VOTE_OPEN:
        break;
    }
}

void prevote_start(struct raft *raft, struct raft_output *output)
{
    struct progress *self = state_peer(raft, raft->config.id);
    if (self != NULL)
        self->vote = PROGRESS_VOTE_GRANTED;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        raft_id to = raft->configuration.members[i].id;
        if (to == raft->config.id ||
            !configuration_counts(raft->configuration.members[i].role))
            continue;
        struct raft_message *message =
            state_message(raft, output, RAFT_REQUEST_VOTE, to);
        if (message == NULL)
            break;
        message->term = raft->hard_state.current_term + 1;
        message->request_vote.last_log_index = raft->log.last_index;
        message->request_vote.last_log_term = log_last_term(&raft->log);
        message->request_vote.pre_vote = true;
    }
    count_votes(raft, output);
}

static bool may_grant(struct raft *raft, const struct raft_message *message,
                      struct raft_output *output)
{
    if (message->term <= raft->hard_state.current_term) {
        state_note(output, "term not higher -> refuse pre-vote");
        state_reach(raft, RAFT_MARK_PREVOTE_TERM);
        return false;
    }
    if (request_vote_has_leader(raft, message->from)) {
        state_note(output, "has a leader -> refuse pre-vote");
        state_reach(raft, RAFT_MARK_PREVOTE_LEADER);
        return false;
    }
    if (!request_vote_is_up_to_date(raft, &message->request_vote)) {
        state_note(output, "log behind -> refuse pre-vote");
        state_reach(raft, RAFT_MARK_PREVOTE_BEHIND);
        return false;
    }
    state_note(output, "grant pre-vote");
    return true;
}

void prevote_receive(struct raft *raft, const struct raft_message *message,
                     struct raft_output *output)
{
    bool granted = may_grant(raft, message, output);
    struct raft_message reply =
        state_reply(raft, RAFT_REQUEST_VOTE_REPLY, message->from);
    if (granted)
        reply.term = message->term;
    reply.request_vote_reply.pre_vote = true;
    reply.request_vote_reply.vote_granted = granted;
    durability_defer(raft, &reply, raft->durability.hard_state_write);
}

void prevote_receive_reply(struct raft *raft, const struct raft_message *message,
                           struct raft_output *output)
{
    struct progress *peer = state_peer(raft, message->from);
    if (raft->role != RAFT_PRE_CANDIDATE || peer == NULL)
        return;
    bool granted = message->request_vote_reply.vote_granted;
    if (granted && message->term != raft->hard_state.current_term + 1) {
        state_reach(raft, RAFT_MARK_PREVOTE_OLD);
        return; // the answer to an older question
    }
    peer->vote = granted ? PROGRESS_VOTE_GRANTED : PROGRESS_VOTE_REFUSED;
    state_note(output, granted ? "pre-vote granted" : "pre-vote refused");
    count_votes(raft, output);
}
