// fixture.h: cores under a test's hand, without disk, network or clock.
//
// A test in the manner of the paper: init, step, check. A node gathers what it sent;
// its writes become durable when the test says so (or at once, with auto_persist).
#ifndef TESTS_RAFT_FIXTURE_H
#define TESTS_RAFT_FIXTURE_H

#include "raft/raft.h"
#include "raft/trace.h"
#include "tests/raft/messages.h"
#include "tests/test.h"

TEST_NAMES(role_names, TEST_NAMED(RAFT_FOLLOWER), TEST_NAMED(RAFT_PRE_CANDIDATE),
           TEST_NAMED(RAFT_CANDIDATE), TEST_NAMED(RAFT_LEADER))
TEST_NAMES(member_role_names, TEST_NAMED(RAFT_REMOVED), TEST_NAMED(RAFT_VOTER),
           TEST_NAMED(RAFT_LEAVING), TEST_NAMED(RAFT_STAYING), TEST_NAMED(RAFT_LEARNER),
           TEST_NAMED(RAFT_JOINING))
TEST_NAMES(status_names, TEST_NAMED(RAFT_OK), TEST_NAMED(RAFT_NOT_LEADER),
           TEST_NAMED(RAFT_LOG_FULL), TEST_NAMED(RAFT_READS_FULL),
           TEST_NAMED(RAFT_TOO_LARGE), TEST_NAMED(RAFT_INVALID),
           TEST_NAMED(RAFT_TRANSFERRING), TEST_NAMED(RAFT_BACKLOG_FULL),
           TEST_NAMED(RAFT_CHANGE_PENDING), TEST_NAMED(RAFT_NOT_READY),
           TEST_NAMED(RAFT_NOT_CAUGHT_UP), TEST_NAMED(RAFT_DISK_FULL))
TEST_NAMES(message_names, TEST_NAMED(RAFT_REQUEST_VOTE),
           TEST_NAMED(RAFT_REQUEST_VOTE_REPLY), TEST_NAMED(RAFT_APPEND_ENTRIES),
           TEST_NAMED(RAFT_APPEND_ENTRIES_REPLY), TEST_NAMED(RAFT_INSTALL_SNAPSHOT),
           TEST_NAMED(RAFT_INSTALL_SNAPSHOT_REPLY), TEST_NAMED(RAFT_TIMEOUT_NOW),
           TEST_NAMED(RAFT_READ_INDEX), TEST_NAMED(RAFT_READ_INDEX_REPLY))

enum {
    SENT_MAX = 512,
    SENT_ENTRIES_MAX = 64,
    SENT_BYTES_MAX = 192,
    GROUP_MAX = 7,
    SNAPSHOTS_MAX = 256, // by their last index
    STEPS_DEEP_MAX = 64, // from one event, by what is reported at once
};

struct sent {
    struct raft_message message;
    struct raft_entry entries[SENT_ENTRIES_MAX];
    char data[SENT_ENTRIES_MAX][SENT_BYTES_MAX];
};

struct node {
    struct raft *raft;
    void *memory;
    struct raft_config config;
    uint64_t now_ms;
    uint64_t write; // the newest given out
    bool begins;    // no step since it was started
    bool auto_persist;
    bool auto_apply;
    uint32_t steps_deep;     // within each other now
    enum raft_status status; // of the last step
    struct raft_output output;
    struct raft_view view;
    uint32_t sent_count;
    struct sent *sent;
    raft_index applied;
    uint32_t read_count;
    struct raft_read reads[RAFT_READS_MAX];
    bool auto_store;      // snapshots that have arrived are good
    uint32_t store_count; // chunks that were to be stored,
    uint64_t stored;      // and where the last of them ended
    raft_index restored;  // by the newest snapshot that was to be restored
    uint32_t told_count;  // notes of the last step
    const char *told[RAFT_NOTES_MAX];
};

// What the snapshots tell of themselves that anyone has taken: those of one index are
// the same everywhere.
static UNUSED struct raft_snapshot_meta snapshots[SNAPSHOTS_MAX];

static void node_step(struct node *node, struct raft_event event);

static UNUSED void node_persist(struct node *node)
{
    node_step(node, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                        .persisted.write = node->write});
}

static UNUSED void node_keep_sent(struct node *node)
{
    for (uint32_t i = 0; i < node->output.message_count; i++) {
        CHECK(node->sent_count < SENT_MAX);
        struct sent *sent = &node->sent[node->sent_count++];
        sent->message = node->output.messages[i];
        if (sent->message.type != RAFT_APPEND_ENTRIES)
            continue;
        struct raft_append_entries *append = &sent->message.append_entries;
        CHECK(append->count <= SENT_ENTRIES_MAX);
        for (uint32_t e = 0; e < append->count; e++) {
            sent->entries[e] = append->entries[e];
            CHECK(append->entries[e].size <= sizeof sent->data[e]);
            if (append->entries[e].size > 0)
                memcpy(sent->data[e], append->entries[e].data, append->entries[e].size);
            sent->entries[e].data = sent->data[e];
        }
        append->entries = sent->entries;
    }
}

// A host would read the chunk from its file.
static UNUSED void node_keep_chunks(struct node *node)
{
    for (uint32_t i = 0; i < node->output.snapshot_send_count; i++) {
        CHECK(node->sent_count < SENT_MAX);
        const struct raft_snapshot_send *send = &node->output.snapshot_sends[i];
        const struct raft_snapshot_meta *meta = &snapshots[send->last_included_index];
        node->sent[node->sent_count++].message =
            a_chunk(node->config.id, send->to, node->view.current_term,
                    send->last_included_index, meta->last_included_term, send->offset);
    }
}

static UNUSED void node_received(struct node *node,
                                 const struct raft_snapshot_meta *meta, bool failed)
{
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_RECEIVED};
    event.snapshot_received.meta = meta;
    event.snapshot_received.failed = failed;
    node_step(node, event);
}

static UNUSED void node_store(struct node *node, raft_index *received)
{
    const struct raft_install_snapshot *chunk = node->output.snapshot_store;
    node->store_count++;
    node->stored = chunk->offset + chunk->size;
    if (node->stored == chunk->total && node->auto_store)
        *received = chunk->last_included_index;
}

// Reports that are answered by what is to be reported again would go on for ever.
static UNUSED void node_enter(struct node *node, enum raft_event_type type)
{
    if (node->steps_deep++ < STEPS_DEEP_MAX)
        return;
    const char *what = type == RAFT_EVENT_PERSISTED ? "another write (output.write)"
                       : type == RAFT_EVENT_APPLIED ? "more to apply (output.apply)"
                                                    : "another snapshot";
    const char *report = type == RAFT_EVENT_PERSISTED ? "PERSISTED"
                         : type == RAFT_EVENT_APPLIED ? "APPLIED"
                                                      : "SNAPSHOT_RECEIVED";
    test_fail(
        __FILE__, __LINE__,
        "node %u answers RAFT_EVENT_%s with %s, %d times without an end: a report "
        "that changes nothing asks for nothing",
        node->config.id, report, what, STEPS_DEEP_MAX);
}

// What it has done, and how it was before: the view is still that of its last step.
static UNUSED void node_tell_step(struct node *node, const struct raft_event *event)
{
    struct test_step step = {.who = node->config.id, .begins = node->begins};
    snprintf(
        step.before, sizeof step.before,
        "-- n%" PRIu32 " %s t%" PRIu64 " vote n%" PRIu32 " log=%" PRIu64 "/%" PRIu64,
        node->config.id, node->begins ? "starts with" : "had", node->view.current_term,
        node->view.voted_for, node->view.last_index, node->view.last_term);
    raft_trace_step(step.line, sizeof step.line, node->raft, event, &node->output);
    test_step(&step);
    node->begins = false;
}

static void node_step(struct node *node, struct raft_event event)
{
    node_enter(node, event.type);
    event.now_ms = node->now_ms;
    enum raft_status status = raft_step(node->raft, &event, &node->output);
    node_tell_step(node, &event);
    uint64_t write = node->output.write;
    if (write != 0) {
        CHECK_EQ(write, node->write + 1);
        node->write = write;
    }
    node_keep_sent(node);
    for (uint32_t i = 0; i < node->output.read_count; i++) {
        CHECK(node->read_count < RAFT_READS_MAX);
        node->reads[node->read_count++] = node->output.reads[i];
    }
    uint32_t told_count = node->output.note_count;
    const char *told[RAFT_NOTES_MAX];
    memcpy(told, node->output.notes, sizeof told);
    raft_index received = 0;
    if (node->output.snapshot_store != NULL)
        node_store(node, &received);
    raft_index applied = 0;
    if (node->output.snapshot_restore != NULL)
        node->restored = node->applied = applied =
            node->output.snapshot_restore->last_included_index;
    for (uint32_t i = 0; i < node->output.apply_count; i++) {
        applied = node->output.apply[i].index;
        CHECK_EQ(applied, node->applied + 1); // in order, each once
        node->applied = applied;
    }
    raft_observe(node->raft, &node->view);
    node_keep_chunks(node);
    struct raft_output own = node->output; // its numbers; what it points at goes
    const char *broken = raft_check(node->raft);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "core invariant: %s", broken);
    if (write != 0 && node->auto_persist)
        node_persist(node);
    if (applied != 0 && node->auto_apply)
        node_step(node, (struct raft_event){.type = RAFT_EVENT_APPLIED,
                                            .applied.index = applied});
    if (received != 0)
        node_received(node, &snapshots[received], false);
    node->status = status;
    node->told_count = told_count;
    memcpy(node->told, told, sizeof told);
    node->output = own;
    node->steps_deep--;
}

static UNUSED void node_init(struct node *node, raft_id id, uint32_t voters)
{
    memset(node, 0, sizeof *node);
    raft_config_default(&node->config);
    node->config.id = id;
    node->config.seed = 1;
    node->config.log_entries_max = 1024;
    node->config.log_bytes_max = 1 << 16;
    node->config.command_bytes_max = 1 << 16;
    node->config.message_entries_max = 16;
    node->config.check_quorum = false; // where it is meant, a test says so
    for (uint32_t i = 1; i <= voters; i++)
        node->config.configuration.members[node->config.configuration.count++] =
            (struct raft_member){.id = i, .role = RAFT_VOTER};
    node->auto_persist = true;
    node->auto_apply = true;
    node->sent = malloc(SENT_MAX * sizeof *node->sent);
}

// Starts (or restarts) the node as found on disk: a snapshot, and behind it one entry
// for each of `terms`.
static UNUSED void node_boot_behind(struct node *node,
                                    struct raft_hard_state hard_state,
                                    const struct raft_snapshot_meta *snapshot,
                                    const raft_term *terms, uint32_t count)
{
    free(node->memory);
    size_t size = (raft_size(&node->config) + 63) / 64 * 64;
    node->memory = aligned_alloc(64, size);
    CHECK(node->memory != NULL);
    node->config.start_ms = node->now_ms;
    node->raft = raft_init(node->memory, &node->config, &hard_state, snapshot);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry = {.index = snapshot->last_included_index + i + 1,
                                   .term = terms[i],
                                   .type = RAFT_ENTRY_COMMAND,
                                   .size = 1,
                                   .data = "x"};
        CHECK_EQ(raft_load(node->raft, &entry), RAFT_OK);
    }
    node->write = 0;
    node->begins = true;
    node->applied = snapshot->last_included_index;
    node->sent_count = 0;
    raft_observe(node->raft, &node->view);
}

static UNUSED void node_boot(struct node *node, struct raft_hard_state hard_state,
                             const raft_term *terms, uint32_t count)
{
    struct raft_snapshot_meta none = {0};
    node_boot_behind(node, hard_state, &none, terms, count);
}

static UNUSED void node_start(struct node *node, raft_id id, uint32_t voters)
{
    node_init(node, id, voters);
    node_boot(node, (struct raft_hard_state){0}, NULL, 0);
}

static UNUSED void node_stop(struct node *node)
{
    free(node->memory);
    free(node->sent);
}

static UNUSED void node_tick(struct node *node, uint64_t ms)
{
    node->now_ms += ms;
    node_step(node, (struct raft_event){.type = RAFT_EVENT_TICK});
}

// Lets the longest election timeout pass.
static UNUSED void node_time_out(struct node *node)
{
    node_tick(node, 2 * node->config.election_timeout_ms);
}

static UNUSED void node_receive(struct node *node, struct raft_message message)
{
    node_step(node,
              (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message});
}

static UNUSED void node_propose(struct node *node, const char *text)
{
    struct raft_command command = {text, (uint32_t)strlen(text)};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = &command;
    event.propose.count = 1;
    node_step(node, event);
}

static UNUSED void node_read(struct node *node, uint64_t id)
{
    node_step(node, (struct raft_event){.type = RAFT_EVENT_READ, .read.id = id});
}

static UNUSED void node_change_all(struct node *node, const struct raft_member *members,
                                   uint32_t count)
{
    struct raft_event event = {.type = RAFT_EVENT_CHANGE_MEMBERSHIP};
    event.change.members = members;
    event.change.count = count;
    node_step(node, event);
}

static UNUSED void node_change(struct node *node, raft_id id,
                               enum raft_member_role role)
{
    struct raft_member member = {.id = id, .role = role};
    node_change_all(node, &member, 1);
}

static UNUSED void node_transfer(struct node *node, raft_id to)
{
    node_step(node, (struct raft_event){.type = RAFT_EVENT_TRANSFER_LEADERSHIP,
                                        .transfer.to = to});
}

// Takes a snapshot of what is applied and drops what comes before `keep_from`.
static UNUSED void node_compact(struct node *node, raft_index keep_from)
{
    raft_index index = node->view.last_applied;
    CHECK(index < SNAPSHOTS_MAX);
    CHECK(raft_snapshot_meta_at(node->raft, index, &snapshots[index]));
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN};
    event.snapshot_taken.index = index;
    event.snapshot_taken.keep_from = keep_from;
    node_step(node, event);
}

// What is known of member `id`, on a leader.
static UNUSED const struct raft_peer_view *node_peer(const struct node *node,
                                                     raft_id id)
{
    for (uint32_t i = 0; i < node->view.peer_count; i++) {
        if (node->view.peers[i].id == id)
            return &node->view.peers[i];
    }
    test_fail(__FILE__, __LINE__, "node %u knows of no member %u", node->config.id, id);
    return NULL;
}

// The role of member `id` in the configuration in use; RAFT_REMOVED: it is none.
static UNUSED enum raft_member_role node_role_of(const struct node *node, raft_id id)
{
    const struct raft_member *member = raft_member_find(node->view.configuration, id);
    return member == NULL ? RAFT_REMOVED : member->role;
}

static UNUSED bool node_told(const struct node *node, const char *words)
{
    for (uint32_t i = 0; i < node->told_count; i++) {
        if (strcmp(node->told[i], words) == 0)
            return true;
    }
    return false;
}

static UNUSED void node_forget_sent(struct node *node)
{
    node->sent_count = 0;
}

// The oldest message of this type to this receiver (0: to anyone), or NULL.
static UNUSED const struct raft_message *
node_sent(const struct node *node, enum raft_message_type type, raft_id to)
{
    for (uint32_t i = 0; i < node->sent_count; i++) {
        const struct raft_message *message = &node->sent[i].message;
        if (message->type == type && (to == 0 || message->to == to))
            return message;
    }
    return NULL;
}

// The same, which there has to be.
static UNUSED const struct raft_message *
node_must_send(const struct node *node, enum raft_message_type type, raft_id to)
{
    const struct raft_message *message = node_sent(node, type, to);
    if (message == NULL)
        test_fail(__FILE__, __LINE__, "node %u sent node %u no %s", node->config.id, to,
                  test_name("RAFT_REQUEST_VOTE", type));
    return message;
}

static UNUSED const struct raft_message *
node_last_sent(const struct node *node, enum raft_message_type type, raft_id to)
{
    const struct raft_message *found = NULL;
    for (uint32_t i = 0; i < node->sent_count; i++) {
        const struct raft_message *message = &node->sent[i].message;
        if (message->type == type && (to == 0 || message->to == to))
            found = message;
    }
    return found;
}

static UNUSED uint32_t node_count_sent(const struct node *node,
                                       enum raft_message_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->sent_count; i++)
        count += node->sent[i].message.type == type;
    return count;
}

// ---- roles ------------------------------------------------------------------------

// By timeout and pre-votes of all others.
static UNUSED void node_become_candidate(struct node *node)
{
    raft_term next_term = node->view.current_term + 1;
    node_time_out(node);
    for (uint32_t i = 0; i < node->config.configuration.count; i++) {
        raft_id from = node->config.configuration.members[i].id;
        if (from != node->config.id && node->view.role == RAFT_PRE_CANDIDATE)
            node_receive(node, a_prevote(from, node->config.id, next_term, true));
    }
    CHECK_EQ(node->view.current_term, next_term);
}

static UNUSED void node_become_leader(struct node *node)
{
    node_become_candidate(node);
    for (uint32_t i = 0; i < node->config.configuration.count; i++) {
        raft_id from = node->config.configuration.members[i].id;
        if (from != node->config.id && node->view.role == RAFT_CANDIDATE)
            node_receive(node,
                         a_vote(from, node->config.id, node->view.current_term, true));
    }
    CHECK_EQ(node->view.role, RAFT_LEADER);
}

// All other members of a leader's configuration have its whole log.
static UNUSED void node_hear_from_all(struct node *node)
{
    struct raft_configuration members = *node->view.configuration;
    for (uint32_t i = 0; i < members.count; i++) {
        if (members.members[i].id != node->config.id && node->view.role == RAFT_LEADER)
            node_receive(node, an_ack(members.members[i].id, node->config.id,
                                      node->view.current_term, node->view.last_index));
    }
}

// A leader whose no-op is committed.
static UNUSED void node_lead(struct node *node)
{
    node_become_leader(node);
    node_hear_from_all(node);
    CHECK_EQ(node->view.commit_index, node->view.last_index);
    node_forget_sent(node);
}

// ---- several nodes ----------------------------------------------------------------

struct group {
    uint32_t count;
    struct node nodes[GROUP_MAX]; // node i has id i + 1
    bool cut[GROUP_MAX + 1][GROUP_MAX + 1];
    uint32_t drop_percent; // of all messages
    uint64_t random;
};

static UNUSED struct node *group_node(struct group *group, raft_id id)
{
    return &group->nodes[id - 1];
}

// The first `voters` of `count` nodes make up the cluster; the others wait.
static UNUSED void group_start_with(struct group *group, uint32_t count,
                                    uint32_t voters)
{
    memset(group, 0, sizeof *group);
    group->count = count;
    for (uint32_t i = 0; i < count; i++) {
        node_start(&group->nodes[i], i + 1, i < voters ? voters : 0);
        group->nodes[i].auto_store = true;
    }
}

static UNUSED void group_start(struct group *group, uint32_t count)
{
    group_start_with(group, count, count);
}

static UNUSED void group_stop(struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        node_stop(&group->nodes[i]);
}

// What each node runs with, from its start on.
static UNUSED void group_configure(struct group *group, bool pre_vote,
                                   bool check_quorum, uint32_t lease_drift_percent)
{
    for (uint32_t i = 0; i < group->count; i++) {
        struct node *node = &group->nodes[i];
        node->config.pre_vote = pre_vote;
        node->config.check_quorum = check_quorum;
        node->config.lease_drift_percent = lease_drift_percent;
        node_boot(node, (struct raft_hard_state){0}, NULL, 0);
    }
}

static UNUSED bool group_drops(struct group *group)
{
    group->random = group->random * 6364136223846793005u + 1442695040888963407u;
    return (group->random >> 33) % 100 < group->drop_percent;
}

// Delivers the newest message of this type between these two, alone.
static UNUSED void group_pass(struct group *group, raft_id from, raft_id to,
                              enum raft_message_type type)
{
    const struct raft_message *message =
        node_last_sent(group_node(group, from), type, to);
    CHECK(message != NULL);
    node_receive(group_node(group, to), *message);
}

// What it has sent so far, to be freed; it goes on with nothing sent.
static UNUSED struct sent *node_take_sent(struct node *node, uint32_t *count)
{
    struct sent *sent = node->sent;
    *count = node->sent_count;
    node->sent = malloc(SENT_MAX * sizeof *node->sent);
    node->sent_count = 0;
    return sent;
}

// Delivers all messages, and those that follow from them, until there are none.
static UNUSED void group_deliver(struct group *group)
{
    for (bool busy = true; busy;) {
        busy = false;
        for (uint32_t i = 0; i < group->count; i++) {
            struct node *node = &group->nodes[i];
            if (node->sent_count == 0)
                continue;
            busy = true;
            uint32_t count;
            struct sent *sent = node_take_sent(node, &count);
            for (uint32_t m = 0; m < count; m++) {
                raft_id to = sent[m].message.to;
                if (to <= group->count && !group->cut[i + 1][to] && !group_drops(group))
                    node_receive(group_node(group, to), sent[m].message);
            }
            free(sent);
        }
    }
}

static UNUSED void group_tick(struct group *group, uint64_t ms)
{
    for (uint32_t i = 0; i < group->count; i++)
        node_tick(&group->nodes[i], ms);
    group_deliver(group);
}

static UNUSED void group_isolate(struct group *group, raft_id id, bool cut)
{
    for (uint32_t i = 1; i <= group->count; i++)
        group->cut[i][id] = group->cut[id][i] = cut;
}

// The only one who leads in the newest term, or NULL.
static UNUSED struct node *group_leader(struct group *group)
{
    struct node *leader = NULL;
    raft_term term = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        struct node *node = &group->nodes[i];
        if (node->view.current_term > term) {
            term = node->view.current_term;
            leader = NULL;
        }
        if (node->view.role == RAFT_LEADER && node->view.current_term == term)
            leader = node;
    }
    return leader;
}

// Makes `id` stand for election and win.
static UNUSED void group_elect(struct group *group, raft_id id)
{
    struct node *node = group_node(group, id);
    for (uint32_t i = 0; i < group->count; i++) // stickiness ends
        group->nodes[i].now_ms += 2 * node->config.election_timeout_ms;
    node_tick(node, 0);
    group_deliver(group);
    CHECK_EQ(node->view.role, RAFT_LEADER);
}

#endif
