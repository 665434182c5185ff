// raft.c: the one function, and the life cycle around it.
//
// A step has three parts: the event changes the state (one switch, one call a case);
// what follows from the change is drawn (commit, reads); then everything that may leave
// is put into the output. All sending is in the third part.
#include "raft/raft.h"

#include <string.h>

#include "raft/append_entries.h"
#include "raft/commit.h"
#include "raft/configuration.h"
#include "raft/install_snapshot.h"
#include "raft/invariants.h"
#include "raft/membership.h"
#include "raft/prevote.h"
#include "raft/propose.h"
#include "raft/read_index.h"
#include "raft/request_vote.h"
#include "raft/role.h"
#include "raft/state.h"
#include "raft/timer.h"
#include "raft/transfer.h"

enum {
    ALIGNMENT = 16,
    LOG_ENTRIES_MIN = 64,
    VIEWS_PER_STEP = 4, // persist, apply, and two batches for peers that lag
};

const char *raft_status_text(enum raft_status status)
{
    static const char *const texts[RAFT_STATUS_COUNT] = {
        [RAFT_OK] = "done",
        [RAFT_NOT_LEADER] = "this node does not lead",
        [RAFT_LOG_FULL] = "the log is full",
        [RAFT_READS_FULL] = "too many reads are under way",
        [RAFT_TOO_LARGE] = "the command is too large",
        [RAFT_INVALID] = "no correct host or peer says this",
        [RAFT_TRANSFERRING] = "leadership is being handed over",
        [RAFT_BACKLOG_FULL] = "too many bytes wait to be committed",
        [RAFT_CHANGE_PENDING] = "another membership change is under way",
        [RAFT_NOT_READY] = "the leader has committed nothing in its term yet",
        [RAFT_NOT_CAUGHT_UP] = "the voter-to-be has not caught up",
        [RAFT_DISK_FULL] = "the disk is full",
    };
    bool known = (unsigned)status < RAFT_STATUS_COUNT;
    return known ? texts[status] : "an unknown status";
}

const char *raft_role_text(enum raft_role role)
{
    static const char *const texts[] = {"follower", "pre-candidate", "candidate",
                                        "leader"};
    return (unsigned)role <= RAFT_LEADER ? texts[role] : "an unknown role";
}

// ---- life cycle -----------------------------------------------------------------

void raft_config_default(struct raft_config *config)
{
    *config = (struct raft_config){
        .election_timeout_ms = 150, // section 9.3
        .heartbeat_ms = 30,
        .log_entries_max = 1 << 16,
        .log_bytes_max = 16 << 20,
        .command_bytes_max = 1 << 20,
        .message_entries_max = 256,
        .message_bytes_max = 256 << 10,
        .inflight_max = 8,
        .inflight_bytes_max = 4 << 20,
        .uncommitted_bytes_max = 64 << 20,
        .pre_vote = true,
        .check_quorum = true,
    };
}

const char *raft_config_problem(const struct raft_config *config)
{
    if (config->id == 0)
        return "the node's id is 0";
    if (config->election_timeout_ms == 0 || config->heartbeat_ms == 0)
        return "a timeout is 0";
    if (config->heartbeat_ms >= config->election_timeout_ms)
        return "the heartbeat is not shorter than the election timeout";
    if (config->election_timeout_ms > UINT32_MAX / 2)
        return "the election timeout is too long";
    if (config->election_spread_ms > UINT32_MAX / 2)
        return "the election timeouts are spread too widely";
    if (config->log_entries_max < LOG_ENTRIES_MIN || config->log_entries_max > 1u << 30)
        return "the log's capacity for entries is not between 64 and 2^30";
    if (config->log_bytes_max > (uint64_t)1 << 46)
        return "the log's capacity for bytes is above 2^46";
    if (config->command_bytes_max > config->log_bytes_max)
        return "the largest command does not fit into the log";
    if (config->message_entries_max == 0 || config->message_entries_max > 1u << 20)
        return "the entries in a message are not between 1 and 2^20";
    if (config->inflight_max == 0 || config->inflight_max > RAFT_INFLIGHT_MAX)
        return "the messages in flight are not between 1 and RAFT_INFLIGHT_MAX";
    if (config->lease_drift_percent > 50)
        return "the clocks' drift is above 50 percent: no lease would be left";
    if (config->lease_drift_percent > 0 && !config->check_quorum)
        return "leases are safe only with check_quorum";
    const char *problem = configuration_problem(&config->configuration);
    if (problem == NULL && configuration_is_joint(&config->configuration))
        problem = "a cluster cannot begin with a joint configuration";
    return problem;
}

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// Where everything lies, from the start of the memory.
struct layout {
    size_t messages;
    size_t entries;
    size_t answers;
    size_t sends;
    size_t slots;
    size_t bytes;
    size_t size;
};

static struct layout lay_out(const struct raft_config *config)
{
    struct layout at;
    at.messages = aligned(sizeof(struct raft));
    at.entries =
        at.messages + aligned(RAFT_OUTPUT_MESSAGES_MAX * sizeof(struct raft_message));
    at.answers =
        at.entries + aligned((size_t)VIEWS_PER_STEP * config->message_entries_max *
                             sizeof(struct raft_entry));
    at.sends = at.answers + aligned(RAFT_READS_MAX * sizeof(struct raft_read));
    at.slots = at.sends + aligned(RAFT_MEMBERS_MAX * sizeof(struct raft_snapshot_send));
    at.bytes = at.slots + aligned(log_slot_count(config) * sizeof(struct log_slot));
    at.size = at.bytes + aligned(log_byte_count(config));
    return at;
}

size_t raft_size(const struct raft_config *config)
{
    return lay_out(config).size;
}

static void start_log(struct raft *raft, const struct layout *at,
                      const struct raft_snapshot_meta *snapshot)
{
    size_t log_at = offsetof(struct raft, log);
    log_init(&raft->log, &raft->config, at->slots - log_at, at->bytes - log_at);
    raft->log.base_index = snapshot->last_included_index;
    raft->log.base_term = snapshot->last_included_term;
    raft->log.last_index = snapshot->last_included_index;
    raft->durability.durable_index = snapshot->last_included_index;
    raft->snapshot_index = snapshot->last_included_index;
    raft->commit_index = snapshot->last_included_index;
    raft->last_applied = snapshot->last_included_index;
    raft->apply_given = snapshot->last_included_index;
}

// A snapshot of a later term than the hard state: the node stopped between receiving
// the one and writing the other. It has voted in no later term, or that would be known.
static void raise_term(struct raft *raft, raft_term term)
{
    if (term > raft->hard_state.current_term)
        raft->hard_state = (struct raft_hard_state){.current_term = term};
}

// Where it is alone; but one that promised a lease may not have been.
static void wait_for_no_one(struct raft *raft)
{
    if (membership_is_sole_voter(raft) && raft->config.lease_drift_percent == 0)
        raft->election_deadline_ms = raft->now_ms;
}

struct raft *raft_init(void *memory, const struct raft_config *config,
                       const struct raft_hard_state *hard_state,
                       const struct raft_snapshot_meta *snapshot)
{
    assert(raft_config_problem(config) == NULL);
    assert((uintptr_t)memory % ALIGNMENT == 0);
    struct layout at = lay_out(config);
    struct raft *raft = memory;
    memset(raft, 0, sizeof *raft);
    raft->config = *config;
    raft->messages_offset = at.messages;
    raft->entries_offset = at.entries;
    raft->answers_offset = at.answers;
    raft->sends_offset = at.sends;
    raft->entries_max = VIEWS_PER_STEP * config->message_entries_max;
    raft->now_ms = config->start_ms;
    raft->hard_state = *hard_state;
    raft->durability.durable_term = hard_state->current_term;
    start_log(raft, &at, snapshot);
    raise_term(raft, snapshot->last_included_term);
    if (snapshot->last_included_index > 0)
        membership_start(raft, &snapshot->configuration, snapshot->configuration_index);
    else
        membership_start(raft, &config->configuration, 0);
    timer_seed(raft, config->seed);
    raft->ask_id_base = timer_draw(raft) >> 16; // a whole number in JSON, too
    timer_reset_election(raft);
    // Who may have confirmed a lease before it stopped has to respect it.
    raft->leader_heard = config->lease_drift_percent > 0;
    raft->leader_contact_ms = config->start_ms;
    wait_for_no_one(raft);
    return raft;
}

enum raft_status raft_load(struct raft *raft, const struct raft_entry *entry)
{
    struct log *log = &raft->log;
    if (entry->index != log->last_index + 1 || entry->term < log_last_term(log) ||
        entry->term > raft->hard_state.current_term)
        return RAFT_INVALID;
    struct raft_configuration configuration;
    if (entry->type == RAFT_ENTRY_CONFIGURATION &&
        !raft_configuration_decode(entry->data, entry->size, &configuration))
        return RAFT_INVALID;
    if (!log_append(log, entry->term, entry->type, entry->data, entry->size))
        return RAFT_LOG_FULL;
    raft->durability.durable_index = log->last_index;
    if (entry->type == RAFT_ENTRY_CONFIGURATION) {
        membership_entry_added(raft, entry);
        timer_reset_election(raft);
        wait_for_no_one(raft);
    }
    return RAFT_OK;
}

// ---- one step -------------------------------------------------------------------

static void campaign(struct raft *raft, struct raft_output *output)
{
    state_reach(raft, raft->role == RAFT_FOLLOWER ? RAFT_MARK_FOL_2 : RAFT_MARK_CAND_4);
    if (!role_may_campaign_again(raft)) {
        state_reach(raft, RAFT_MARK_CAMPAIGN_WAITS_FOR_DISK);
        timer_reset_election(raft);
    } else if (raft->config.pre_vote) {
        state_note(output, "election timeout -> pre-candidate"); // FOL-2, CAND-4
        role_become_pre_candidate(raft);
        prevote_start(raft, output);
    } else {
        role_become_candidate(raft, output);
        request_vote_start(raft, false, output);
    }
}

static void tick(struct raft *raft, struct raft_output *output)
{
    if (timer_heartbeat_is_due(raft)) {
        if (timer_quorum_is_lost(raft)) {
            state_note(output, "no quorum heard -> follower");
            state_reach(raft, RAFT_MARK_LEADER_ALONE);
            role_become_follower(raft, 0);
            return;
        }
        timer_reset_heartbeat(raft);
        append_entries_heartbeat(raft);
    } else if (timer_election_is_due(raft)) {
        if (membership_may_campaign(raft)) {
            campaign(raft, output);
        } else {
            state_note(output, "leader lost");
            state_reach(raft, RAFT_MARK_TIMEOUT_WITHOUT_VOTE);
            role_become_follower(raft, 0); // and its readers look for another
            timer_reset_election(raft);
        }
    }
}

// Whether a message's term is the sender's own. That of a pre-vote, and of its grant,
// is one that nobody has yet.
static bool tells_a_term(const struct raft_message *message)
{
    if (message->type == RAFT_REQUEST_VOTE)
        return !message->request_vote.pre_vote;
    if (message->type == RAFT_REQUEST_VOTE_REPLY)
        return !(message->request_vote_reply.pre_vote &&
                 message->request_vote_reply.vote_granted);
    return true;
}

// The refusal of an append of an older term has said all there is to say with its own.
static bool tells_only_a_term(const struct raft_message *message)
{
    return message->type == RAFT_APPEND_ENTRIES_REPLY &&
           !message->append_entries_reply.success &&
           message->append_entries_reply.prev_log_index == 0;
}

// Anything that a peer says in the leader's own term shows that it is there.
static void note_contact(struct raft *raft, const struct raft_message *message)
{
    if (raft->role != RAFT_LEADER || message->term != raft->hard_state.current_term)
        return;
    struct progress *peer = state_peer(raft, message->from);
    if (peer != NULL)
        peer->contact_ms = raft->now_ms;
}

static void reach_higher_term(struct raft *raft, const struct raft_message *message)
{
    const struct progress *peer = state_peer(raft, message->from);
    if (raft->role == RAFT_CANDIDATE)
        state_reach(raft, RAFT_MARK_CANDIDATE_DEPOSED);
    if (raft->role != RAFT_LEADER)
        return;
    state_reach(raft, RAFT_MARK_LEADER_DEPOSED);
    if (peer == NULL)
        state_reach(raft, RAFT_MARK_LEADER_DEPOSED_BY_STRANGER);
    else if (raft->now_ms - peer->contact_ms >= raft->config.election_timeout_ms)
        state_reach(raft, RAFT_MARK_LEADER_DEPOSED_BY_UNHEARD);
}

static enum raft_status receive(struct raft *raft, const struct raft_message *message,
                                struct raft_output *output)
{
    if (message->to != raft->config.id || message->from == raft->config.id ||
        message->from == 0 || message->term == 0 || message->term > STATE_TERM_MAX)
        return RAFT_INVALID;
    if (message->type == RAFT_REQUEST_VOTE && !message->request_vote.pre_vote &&
        request_vote_is_unwanted(raft, message)) {
        state_note(output, "has a leader -> ignore RequestVote");
        state_reach(raft, RAFT_MARK_VOTE_UNWANTED);
        return RAFT_OK;
    }
    if (tells_a_term(message) && message->term > raft->hard_state.current_term) {
        reach_higher_term(raft, message);
        role_adopt_term(raft, message->term, output); // ALL-2
    }
    note_contact(raft, message);
    if (tells_only_a_term(message))
        return RAFT_OK;
    switch (message->type) { // FOL-1: a follower answers, and asks nothing
    case RAFT_REQUEST_VOTE:
        if (message->request_vote.pre_vote)
            prevote_receive(raft, message, output);
        else
            request_vote_receive(raft, message, output);
        return RAFT_OK;
    case RAFT_REQUEST_VOTE_REPLY:
        if (message->request_vote_reply.pre_vote)
            prevote_receive_reply(raft, message, output);
        else
            request_vote_receive_reply(raft, message, output);
        return RAFT_OK;
    case RAFT_APPEND_ENTRIES:
        return append_entries_receive(raft, message, output);
    case RAFT_APPEND_ENTRIES_REPLY:
        return append_entries_receive_reply(raft, message, output);
    case RAFT_INSTALL_SNAPSHOT:
        return install_snapshot_receive(raft, message, output);
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        return install_snapshot_receive_reply(raft, message);
    case RAFT_TIMEOUT_NOW:
        return transfer_receive(raft, message, output);
    case RAFT_READ_INDEX:
        read_index_receive(raft, message);
        return RAFT_OK;
    case RAFT_READ_INDEX_REPLY:
        read_index_receive_reply(raft, message);
        return RAFT_OK;
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
    return RAFT_INVALID;
}

static enum raft_status persisted(struct raft *raft, uint64_t write,
                                  struct raft_output *output)
{
    enum raft_status status = durability_report(raft, write);
    if (status == RAFT_OK)
        request_vote_persisted(raft, output);
    return status;
}

static enum raft_status handle(struct raft *raft, const struct raft_event *event,
                               struct raft_output *output)
{
    switch (event->type) {
    case RAFT_EVENT_TICK:
        tick(raft, output);
        return RAFT_OK;
    case RAFT_EVENT_MESSAGE:
        return receive(raft, event->message, output);
    case RAFT_EVENT_PROPOSE:
        return propose_receive(raft, event->propose.commands, event->propose.count,
                               output);
    case RAFT_EVENT_READ:
        return read_index_ask(raft, event->read.id);
    case RAFT_EVENT_PERSISTED:
        return persisted(raft, event->persisted.write, output);
    case RAFT_EVENT_APPLIED:
        return commit_applied(raft, event->applied.index);
    case RAFT_EVENT_SNAPSHOT_TAKEN:
        return install_snapshot_taken(raft, event->snapshot_taken.index,
                                      event->snapshot_taken.keep_from);
    case RAFT_EVENT_SNAPSHOT_RECEIVED:
        return install_snapshot_received(raft, event->snapshot_received.meta,
                                         event->snapshot_received.failed, output);
    case RAFT_EVENT_CHANGE_MEMBERSHIP:
        return membership_change(raft, event->change.members, event->change.count,
                                 output);
    case RAFT_EVENT_TRANSFER_LEADERSHIP:
        return transfer_start(raft, event->transfer.to, output);
    case RAFT_EVENT_TYPE_END:
        break;
    }
    return RAFT_INVALID;
}

static void give_out(struct raft *raft, struct raft_output *output)
{
    if (raft->role == RAFT_LEADER) {
        propose_begin_term(raft);
        commit_advance(raft, output);
        membership_advance(raft, output);
    }
    read_index_advance(raft, output);
    // In this order: the first two always find room for what they show.
    durability_issue(raft, output);
    commit_apply(raft, output);
    if (raft->role == RAFT_LEADER) {
        append_entries_send(raft, output);
        install_snapshot_send(raft, output);
        transfer_advance(raft, output);
        membership_step_down(raft, output);
    }
    durability_release(raft, output);
    read_index_answer(raft, output);
    output->leader_hint = raft->leader_id;
    output->deadline_ms = timer_deadline(raft);
    if (raft->output_full)
        output->deadline_ms = raft->now_ms;
    memcpy(output->reached, raft->reached, sizeof output->reached);
    memset(raft->reached, 0, sizeof raft->reached);
}

enum raft_status raft_step(struct raft *raft, const struct raft_event *event,
                           struct raft_output *output)
{
    memset(output, 0, sizeof *output);
    raft->entries_used = 0;
    raft->view_count = 0;
    raft->output_full = false;
    output->messages =
        (const struct raft_message *)((uintptr_t)raft + raft->messages_offset);
    timer_advance(raft, event->now_ms);
    enum raft_status status = handle(raft, event, output);
    give_out(raft, output);
    return status;
}

// ---- observing ------------------------------------------------------------------

static void observe_peers(const struct raft *raft, struct raft_view *view)
{
    if (raft->role != RAFT_LEADER)
        return;
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct progress *peer = &raft->peers[i];
        if (peer->id == raft->config.id)
            continue;
        bool snapshot = peer->state == RAFT_SNAPSHOT;
        view->peers[view->peer_count++] = (struct raft_peer_view){
            .id = peer->id,
            .next_index = peer->next_index,
            .match_index = peer->match_index,
            .state = peer->state,
            .inflight = peer->inflight_count,
            .inflight_bytes = peer->inflight_bytes,
            .snapshot_index = snapshot ? peer->snapshot_index : 0,
            .snapshot_offset = snapshot ? peer->snapshot_offset : 0,
            .contact_ms = peer->contact_ms,
            .caught_up = progress_is_caught_up(peer, raft->now_ms,
                                               raft->config.election_timeout_ms)};
    }
}

void raft_observe(const struct raft *raft, struct raft_view *view)
{
    // Field by field: to clear the peers first would cost more than all the rest.
    view->id = raft->config.id;
    view->role = raft->role;
    view->leader_id = raft->leader_id;
    view->current_term = raft->hard_state.current_term;
    view->voted_for = raft->hard_state.voted_for;
    view->commit_index = raft->commit_index;
    view->last_applied = raft->last_applied;
    view->first_index = log_first_index(&raft->log);
    view->last_index = raft->log.last_index;
    view->last_term = log_last_term(&raft->log);
    view->durable_index = raft->durability.durable_index;
    view->durable_term = raft->durability.durable_term;
    view->elections = raft->elections;
    view->log_bytes = log_bytes_used(&raft->log);
    view->uncommitted_bytes = log_bytes_after(&raft->log, raft->commit_index);
    view->reads_pending = raft->reads_count;
    view->snapshot_index = raft->snapshot_index;
    view->transfer_to = raft->transfer_to;
    view->lease = read_index_has_lease(raft);
    view->configuration_index = raft->configuration_index;
    view->configuration = &raft->configuration;
    view->peer_count = 0;
    observe_peers(raft, view);
}

bool raft_entry_at(const struct raft *raft, raft_index index, struct raft_entry *entry)
{
    if (index < log_first_index(&raft->log) || index > raft->log.last_index)
        return false;
    log_entry(&raft->log, index, entry);
    return true;
}

bool raft_term_at(const struct raft *raft, raft_index index, raft_term *term)
{
    return log_term(&raft->log, index, term);
}

bool raft_snapshot_meta_at(const struct raft *raft, raft_index index,
                           struct raft_snapshot_meta *meta)
{
    raft_term term;
    if (index == 0 || index > raft->last_applied || !log_term(&raft->log, index, &term))
        return false;
    meta->last_included_index = index;
    meta->last_included_term = term;
    meta->configuration_index = membership_at(raft, index, &meta->configuration);
    return meta->configuration.count > 0; // else this node has not been told it yet
}

const char *raft_check(const struct raft *raft)
{
    return invariants_broken(raft);
}

const struct raft_member *
raft_member_find(const struct raft_configuration *configuration, raft_id id)
{
    return configuration_find(configuration, id);
}
