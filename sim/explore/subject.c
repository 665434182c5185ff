#include "sim/explore/subject.h"

#include <stdlib.h>
#include <string.h>

#include "raft/configuration.h"
#include "raft/timer.h"

enum {
    NOW_MS = 1000000000, // whenever it is: timers alone look at it
    LOG_BYTES = 4096,
};

// What stands in for a client's command: no two of them need differ, since index and
// term tell them apart.
static const char command[] = "x";

// ---- life cycle -----------------------------------------------------------------

static void configure(const struct subject *subject, raft_id id,
                      struct raft_config *config)
{
    raft_config_default(config);
    config->id = id;
    config->seed = 1;
    config->start_ms = NOW_MS;
    config->election_timeout_ms = 1000000; // many heartbeats
    config->heartbeat_ms = 1;
    config->log_entries_max = 64;
    config->log_bytes_max = LOG_BYTES;
    config->command_bytes_max = sizeof(command);
    config->message_entries_max = subject->config.batch;
    config->pre_vote = subject->config.pre_vote;
    config->check_quorum = false;
    if (id > subject->config.member_count)
        return; // waits to be added
    config->configuration.count = subject->config.member_count;
    for (uint32_t i = 0; i < subject->config.member_count; i++)
        config->configuration.members[i] =
            (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
}

static void *allocate(size_t size)
{
    void *memory = aligned_alloc(16, (size + 15) / 16 * 16);

    if (memory == NULL)
        abort();
    memset(memory, 0, size);
    return memory;
}

static struct log *make_log(const struct raft_config *config)
{
    size_t slots = log_slot_count(config) * sizeof(struct log_slot);
    struct log *log = allocate(sizeof(*log) + slots + log_byte_count(config));

    log_init(log, config, sizeof(*log), sizeof(*log) + slots);
    return log;
}

void subject_init(struct subject *subject, const struct subject_config *config)
{
    struct raft_hard_state nothing = {0};
    struct raft_snapshot_meta none = {0};
    struct raft_config core;

    memset(subject, 0, sizeof(*subject));
    subject->config = *config;
    for (raft_id id = 1; id <= config->node_count; id++) {
        configure(subject, id, &core);
        subject->size = raft_size(&core);
        subject->templates[id] = allocate(subject->size);
        raft_init(subject->templates[id], &core, &nothing, &none);
    }
    subject->raft = allocate(subject->size);
    subject->disk = make_log(&core);
}

void subject_release(struct subject *subject)
{
    for (raft_id id = 1; id <= subject->config.node_count; id++)
        free(subject->templates[id]);
    free(subject->raft);
    free(subject->disk);
}

static void set_clocks(struct raft *raft)
{
    raft->election_deadline_ms = NOW_MS + 2 * raft->config.election_timeout_ms;
    raft->heartbeat_deadline_ms = NOW_MS + raft->config.heartbeat_ms;
}

// As on the day it was made, with an empty log: the rings hold nothing.
static void use_template(struct subject *subject, raft_id id)
{
    memcpy(subject->raft, subject->templates[id], sizeof(struct raft));
    set_clocks(subject->raft);
    log_restart(subject->disk, 0, 0);
    subject->saved = (struct raft_hard_state){0};
    subject->promised_term = 0;
    subject->promised_to = 0;
}

void subject_start(struct subject *subject, raft_id id)
{
    use_template(subject, id);
}

static void copy_log(struct log *to, const struct log *from)
{
    log_restart(to, 0, 0);
    for (raft_index index = 1; index <= from->last_index; index++) {
        struct raft_entry entry;

        log_entry(from, index, &entry);
        log_append(to, entry.term, entry.type, entry.data, entry.size);
    }
}

// ---- its normal form ------------------------------------------------------------

static void walk_log(struct canon *form, struct log *log)
{
    uint64_t count = log->last_index;
    char data[PARCEL_DATA_BYTES_MAX];

    assert(log->base_index == 0);
    canon_u64(form, &count);
    for (raft_index index = 1; index <= count; index++) {
        struct raft_entry entry = {0};

        if (!form->reading) {
            log_entry(log, index, &entry);
            assert(entry.size <= sizeof(data));
            if (entry.size > 0)
                memcpy(data, entry.data, entry.size);
        }
        canon_u64(form, &entry.term);
        parcel_walk_entry(form, &entry.type, data, &entry.size);
        if (form->reading)
            log_append(log, entry.term, entry.type, data, entry.size);
    }
}

static void read_configuration(struct raft *raft)
{
    struct raft_entry entry;

    log_entry(&raft->log, raft->configuration_index, &entry);
    raft_configuration_decode(entry.data, entry.size, &raft->configuration);
    memset(raft->peers, 0, sizeof(raft->peers));
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        raft->peers[i].id = raft->configuration.members[i].id;
}

static void walk_configuration(struct canon *form, struct raft *raft)
{
    canon_u64(form, &raft->configuration_index);
    if (raft->configuration_index == 0)
        return; // that of the first start
    canon_flag(form, &raft->leaving);
    canon_flag(form, &raft->moves);
    canon_flag(form, &raft->preferred);
    if (form->reading)
        read_configuration(raft);
}

// Writes are named by how many there are behind the newest durable one.
static void walk_write(struct canon *form, const struct raft *raft, uint64_t *write)
{
    uint64_t reported = raft->durability.reported; // 0 where it is read
    uint64_t after = *write > reported ? *write - reported : 0;

    canon_u64(form, &after);
    if (form->reading)
        *write = after;
}

static void walk_durability(struct canon *form, struct raft *raft)
{
    struct durability *durability = &raft->durability;

    canon_u64(form, &durability->durable_index);
    canon_u64(form, &durability->durable_term);
    walk_write(form, raft, &durability->issued);
    walk_write(form, raft, &durability->hard_state_write);
    canon_u32(form, &durability->pending_count);
    for (uint32_t i = 0; i < durability->pending_count; i++) {
        uint32_t at = (durability->pending_first + i) % RAFT_WRITES_MAX;

        walk_write(form, raft, &durability->pending[at].write);
        canon_u64(form, &durability->pending[at].last_index);
    }
    canon_u32(form, &durability->outbox_count);
    for (uint32_t i = 0; i < durability->outbox_count; i++) {
        struct outbox_item *item = &durability->outbox[i];

        walk_write(form, raft, &item->needs);
        canon_u64(form, &item->made_in);
        parcel_walk_message(form, &item->message);
    }
}

static void walk_inflight(struct canon *form, struct progress *peer)
{
    canon_u32(form, &peer->inflight_count);
    if (form->reading)
        peer->inflight_bytes = 0;
    for (uint32_t i = 0; i < peer->inflight_count; i++) {
        uint32_t at = (peer->inflight_first + i) % RAFT_INFLIGHT_MAX;
        struct progress_message *message = &peer->inflight[at];

        canon_u64(form, &message->last_index);
        canon_u64(form, &message->bytes);
        if (form->reading)
            peer->inflight_bytes += message->bytes;
    }
}

static void walk_progress(struct canon *form, struct progress *peer, bool votes)
{
    uint32_t state = peer->state;

    canon_u64(form, &peer->next_index);
    canon_u64(form, &peer->match_index);
    canon_u32(form, &state);
    peer->state = (enum raft_progress_state)state;
    assert(peer->state != RAFT_SNAPSHOT);
    canon_flag(form, &peer->probe_sent);
    canon_flag(form, &peer->ping);
    walk_inflight(form, peer);
    if (form->reading) {
        peer->contact_ms = NOW_MS;
        peer->round_start_ms = NOW_MS;
    }
    if (votes) // of how a voter caught up, nobody asks
        return;
    canon_u64(form, &peer->round_end_index);
    canon_flag(form, &peer->round_was_short);
}

static void walk_peers(struct canon *form, struct raft *raft)
{
    uint32_t order[RAFT_MEMBERS_MAX];

    parcel_order(form, &raft->configuration, order);
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        enum raft_member_role role = raft->configuration.members[order[i]].role;
        struct progress *peer = &raft->peers[order[i]];
        uint32_t vote = peer->vote;

        if (raft->role == RAFT_LEADER) {
            walk_progress(form, peer, configuration_counts(role));
        } else if (raft->role != RAFT_FOLLOWER) {
            canon_u32(form, &vote);
            peer->vote = (enum progress_vote)vote;
        }
    }
}

static void walk_contact(struct canon *form, struct raft *raft)
{
    bool recent = timer_leader_is_recent(raft);

    if (!raft->config.pre_vote)
        return;
    canon_flag(form, &recent);
    if (!form->reading)
        return;
    raft->leader_heard = recent;
    raft->leader_contact_ms = NOW_MS;
}

static void walk_role(struct canon *form, struct raft *raft)
{
    uint32_t role = raft->role;

    canon_u32(form, &role);
    raft->role = (enum raft_role)role;
    canon_id(form, &raft->leader_id);
    walk_contact(form, raft);
    if (raft->role == RAFT_CANDIDATE) {
        walk_write(form, raft, &raft->campaign_write);
        canon_flag(form, &raft->campaign_durable);
    }
    if (raft->role == RAFT_LEADER)
        canon_u64(form, &raft->term_start_index);
    walk_peers(form, raft);
}

// Where the disk says no less, it is that which would have to be forgotten.
static bool disk_keeps_promise(const struct subject *subject)
{
    const struct raft_hard_state *saved = &subject->saved;

    return saved->current_term > subject->promised_term ||
           (saved->current_term == subject->promised_term &&
            saved->voted_for == subject->promised_to);
}

static void walk_disk(struct canon *form, struct subject *subject)
{
    bool kept = disk_keeps_promise(subject);

    if (subject->config.sync_by_hand) {
        canon_u64(form, &subject->saved.current_term);
        canon_id(form, &subject->saved.voted_for);
        walk_log(form, subject->disk);
    } else if (form->reading) {
        subject->saved = subject->raft->hard_state;
        copy_log(subject->disk, &subject->raft->log);
    }
    canon_flag(form, &kept);
    if (kept && form->reading) {
        subject->promised_term = subject->saved.current_term;
        subject->promised_to = subject->saved.voted_for;
    } else if (!kept) {
        canon_u64(form, &subject->promised_term);
        canon_id(form, &subject->promised_to);
    }
}

void subject_walk(struct canon *form, struct subject *subject)
{
    struct raft *raft = subject->raft;
    raft_id id = raft->config.id;

    canon_id(form, &id);
    if (form->reading)
        use_template(subject, id);
    canon_u64(form, &raft->hard_state.current_term);
    canon_id(form, &raft->hard_state.voted_for);
    walk_log(form, &raft->log);
    walk_configuration(form, raft);
    canon_u64(form, &raft->commit_index);
    canon_u64(form, &raft->last_applied);
    canon_u64(form, &raft->apply_given);
    walk_durability(form, raft);
    walk_role(form, raft);
    walk_disk(form, subject);
}

// ---- what one node alone must not do --------------------------------------------

static void breaks(struct subject *subject, enum property property)
{
    if (subject->broken == PROPERTY_COUNT)
        subject->broken = property;
}

static void check_vote(struct subject *subject, raft_term term, raft_id to)
{
    const struct raft_hard_state *saved = &subject->saved;

    if (term < subject->promised_term ||
        (term == subject->promised_term && subject->promised_to != 0 &&
         subject->promised_to != to))
        breaks(subject, PROPERTY_VOTE_ONCE);
    subject->promised_term = term;
    subject->promised_to = to;
    if (saved->current_term < term ||
        (saved->current_term == term && saved->voted_for != to))
        breaks(subject, PROPERTY_VOTE_DURABLE);
}

static void check_sent(struct subject *subject, const struct raft_message *message)
{
    const struct raft_append_entries_reply *reply = &message->append_entries_reply;

    if (message->type == RAFT_REQUEST_VOTE_REPLY &&
        message->request_vote_reply.vote_granted &&
        !message->request_vote_reply.pre_vote)
        check_vote(subject, message->term, message->to);
    if (message->type == RAFT_REQUEST_VOTE && !message->request_vote.pre_vote)
        check_vote(subject, message->term, message->from);
    if (message->type == RAFT_APPEND_ENTRIES_REPLY && reply->success &&
        (reply->match_index > subject->disk->last_index ||
         message->term > subject->saved.current_term))
        breaks(subject, PROPERTY_ACK_DURABLE);
}

// What it was before a step.
struct before {
    raft_term term;
    enum raft_role role;
    raft_index commit_index;
    raft_index last_index;
    raft_index configuration_index;
};

static void check_step(struct subject *subject, const struct before *before)
{
    const struct raft *raft = subject->raft;
    raft_term term = 0;

    if (raft_check(raft) != NULL)
        breaks(subject, PROPERTY_CORE_INVARIANT);
    if (raft->hard_state.current_term < before->term)
        breaks(subject, PROPERTY_TERM_MONOTONIC);
    if (raft->commit_index < before->commit_index)
        breaks(subject, PROPERTY_COMMIT_MONOTONIC);
    if (raft->role != RAFT_LEADER)
        return;
    if (before->role == RAFT_LEADER && raft->log.last_index < before->last_index)
        breaks(subject, PROPERTY_LEADER_APPEND_ONLY);
    if (raft->commit_index > before->commit_index &&
        (!log_term(&raft->log, raft->commit_index, &term) ||
         term != raft->hard_state.current_term))
        breaks(subject, PROPERTY_COMMIT_OWN_TERM);
    if (before->role == RAFT_LEADER &&
        raft->configuration_index > before->configuration_index &&
        before->commit_index < raft->term_start_index &&
        raft->commit_index < raft->term_start_index)
        breaks(subject, PROPERTY_CHANGE_OWN_TERM);
}

// ---- one event ------------------------------------------------------------------

static void send(struct subject *subject, const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->message_count; i++) {
        assert(subject->sent_count < SUBJECT_MESSAGES_MAX);
        check_sent(subject, &output->messages[i]);
        parcel_copy(&subject->sent[subject->sent_count++], &output->messages[i]);
    }
}

static void step(struct subject *subject, struct raft_event *event)
{
    struct raft *raft = subject->raft;
    struct before before = {raft->hard_state.current_term, raft->role,
                            raft->commit_index, raft->log.last_index,
                            raft->configuration_index};
    struct raft_output output;

    if (event->now_ms == 0)
        event->now_ms = raft->now_ms;
    raft_step(raft, event, &output);
    send(subject, &output);
    if (output.apply_count > 0)
        subject->applied = output.apply[output.apply_count - 1].index;
    check_step(subject, &before);
}

static void apply(struct subject *subject)
{
    while (subject->applied != 0) {
        struct raft_event event = {.type = RAFT_EVENT_APPLIED};

        event.applied.index = subject->applied;
        subject->applied = 0;
        step(subject, &event);
    }
}

// The first write has a sync of its own; what was written meanwhile goes with the next.
// What a write holds is taken from the core: nobody looks between two syncs.
static void sync(struct subject *subject)
{
    struct durability *durability = &subject->raft->durability;
    uint64_t write = durability->reported + 1;

    while (durability->reported < durability->issued) {
        struct raft_event event = {.type = RAFT_EVENT_PERSISTED};

        event.persisted.write = write;
        subject->saved = subject->raft->hard_state;
        copy_log(subject->disk, &subject->raft->log);
        step(subject, &event);
        apply(subject);
        write = durability->issued;
    }
}

static void restart(struct subject *subject)
{
    struct raft *raft = subject->raft;
    struct raft_snapshot_meta none = {0};
    struct raft_config config = raft->config;

    raft_init(raft, &config, &subject->saved, &none);
    for (raft_index index = 1; index <= subject->disk->last_index; index++) {
        struct raft_entry entry;

        log_entry(subject->disk, index, &entry);
        raft_load(raft, &entry);
    }
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    step(subject, &event);
}

static void change(struct subject *subject, const struct subject_event *event)
{
    struct raft_member member = {.id = event->member, .role = RAFT_REMOVED};
    struct raft_event request = {.type = RAFT_EVENT_CHANGE_MEMBERSHIP};

    if (event->kind == SUBJECT_ADD)
        member.role = RAFT_JOINING;
    request.change.members = &member;
    request.change.count = 1;
    step(subject, &request);
}

static void deliver(struct subject *subject, const struct parcel *parcel)
{
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &parcel->message};

    step(subject, &event);
}

static void propose(struct subject *subject)
{
    struct raft_command one = {command, 1};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};

    event.propose.commands = &one;
    event.propose.count = 1;
    step(subject, &event);
}

static void time_out(struct subject *subject)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK};

    event.now_ms = timer_deadline(subject->raft);
    if (event.now_ms != UINT64_MAX)
        step(subject, &event);
}

void subject_take(struct subject *subject, const struct subject_event *event)
{
    subject->broken = PROPERTY_COUNT;
    subject->sent_count = 0;
    subject->applied = 0;
    switch (event->kind) {
    case SUBJECT_TIMEOUT:
        time_out(subject);
        break;
    case SUBJECT_PROPOSE:
        propose(subject);
        break;
    case SUBJECT_CRASH:
        restart(subject);
        break;
    case SUBJECT_SYNC:
        sync(subject);
        break;
    case SUBJECT_REMOVE:
    case SUBJECT_ADD:
        change(subject, event);
        break;
    case SUBJECT_DELIVER:
        deliver(subject, event->parcel);
        break;
    }
    apply(subject);
    if (!subject->config.sync_by_hand)
        sync(subject);
}
