// fixture.h: cores under a test's hand, without disk, network or clock.
//
// A test in the manner of the paper: init, step, check. A node gathers what it sent;
// its writes become durable when the test says so (or at once, with auto_persist).
#ifndef TESTS_RAFT_FIXTURE_H
#define TESTS_RAFT_FIXTURE_H

#include "raft/raft.h"
#include "tests/test.h"

enum { SENT_MAX = 512, SENT_ENTRIES_MAX = 64, GROUP_MAX = 7 };

struct sent {
    struct raft_message message;
    struct raft_entry entries[SENT_ENTRIES_MAX];
    char data[SENT_ENTRIES_MAX][16];
};

struct node {
    struct raft *raft;
    void *memory;
    struct raft_config config;
    uint64_t now_ms;
    uint64_t write; // the newest given out
    bool auto_persist;
    bool auto_apply;
    enum raft_status status; // of the last step
    struct raft_output output;
    struct raft_view view;
    uint32_t sent_count;
    struct sent *sent;
    raft_index applied;
    uint32_t read_count;
    struct raft_read reads[RAFT_READS_MAX];
};

#define UNUSED __attribute__((unused))

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

static void node_step(struct node *node, struct raft_event event)
{
    event.now_ms = node->now_ms;
    enum raft_status status = raft_step(node->raft, &event, &node->output);
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
    raft_index applied = 0;
    for (uint32_t i = 0; i < node->output.apply_count; i++) {
        applied = node->output.apply[i].index;
        CHECK_EQ(applied, node->applied + 1); // in order, each once
        node->applied = applied;
    }
    raft_observe(node->raft, &node->view);
    struct raft_output own = node->output; // its numbers; what it points at goes
    const char *broken = raft_check(node->raft);
    CHECK_TEXT(broken == NULL ? "" : broken, "");
    if (write != 0 && node->auto_persist)
        node_persist(node);
    if (applied != 0 && node->auto_apply)
        node_step(node, (struct raft_event){.type = RAFT_EVENT_APPLIED,
                                            .applied.index = applied});
    node->status = status;
    node->output = own;
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
    node->sent = calloc(SENT_MAX, sizeof *node->sent);
}

// Starts (or restarts) the node as found on disk, with one entry for each of `terms`.
static UNUSED void node_boot(struct node *node, struct raft_hard_state hard_state,
                             const raft_term *terms, uint32_t count)
{
    free(node->memory);
    size_t size = (raft_size(&node->config) + 63) / 64 * 64;
    node->memory = aligned_alloc(64, size);
    CHECK(node->memory != NULL);
    node->config.start_ms = node->now_ms;
    struct raft_snapshot_meta none = {0};
    node->raft = raft_init(node->memory, &node->config, &hard_state, &none);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_entry entry = {.index = i + 1,
                                   .term = terms[i],
                                   .type = RAFT_ENTRY_COMMAND,
                                   .size = 1,
                                   .data = "x"};
        CHECK_EQ(raft_load(node->raft, &entry), RAFT_OK);
    }
    node->write = 0;
    node->applied = 0;
    node->sent_count = 0;
    raft_observe(node->raft, &node->view);
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

// ---- messages from others ---------------------------------------------------------

static UNUSED struct raft_message a_vote_request(raft_id from, raft_id to,
                                                 raft_term term, raft_index last_index,
                                                 raft_term last_term)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE, .from = from, .to = to, .term = term};
    message.request_vote.last_log_index = last_index;
    message.request_vote.last_log_term = last_term;
    return message;
}

static UNUSED struct raft_message a_prevote_request(raft_id from, raft_id to,
                                                    raft_term term,
                                                    raft_index last_index,
                                                    raft_term last_term)
{
    struct raft_message message = a_vote_request(from, to, term, last_index, last_term);
    message.request_vote.pre_vote = true;
    return message;
}

static UNUSED struct raft_message a_vote(raft_id from, raft_id to, raft_term term,
                                         bool granted)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE_REPLY, .from = from, .to = to, .term = term};
    message.request_vote_reply.vote_granted = granted;
    return message;
}

static UNUSED struct raft_message a_prevote(raft_id from, raft_id to, raft_term term,
                                            bool granted)
{
    struct raft_message message = a_vote(from, to, term, granted);
    message.request_vote_reply.pre_vote = true;
    return message;
}

// Up to four entries with these terms (0 ends the list), each holding "x".
static UNUSED struct raft_message an_append(raft_id from, raft_id to, raft_term term,
                                            raft_index prev_index, raft_term prev_term,
                                            raft_index commit, const raft_term terms[4])
{
    static struct raft_entry entries[4];
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES, .from = from, .to = to, .term = term};
    message.append_entries.prev_log_index = prev_index;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.leader_commit = commit;
    message.append_entries.entries = entries;
    for (uint32_t i = 0; i < 4 && terms != NULL && terms[i] != 0; i++)
        entries[message.append_entries.count++] =
            (struct raft_entry){.index = prev_index + 1 + i,
                                .term = terms[i],
                                .type = RAFT_ENTRY_COMMAND,
                                .size = 1,
                                .data = "x"};
    return message;
}

#define TERMS(...) ((const raft_term[4]){__VA_ARGS__})

static UNUSED struct raft_message an_ack(raft_id from, raft_id to, raft_term term,
                                         raft_index match)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .from = from, .to = to, .term = term};
    message.append_entries_reply.success = true;
    message.append_entries_reply.match_index = match;
    message.append_entries_reply.prev_log_index = match;
    return message;
}

static UNUSED struct raft_message a_refusal(raft_id from, raft_id to, raft_term term,
                                            raft_index prev, raft_index conflict_index,
                                            raft_term conflict_term)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .from = from, .to = to, .term = term};
    message.append_entries_reply.prev_log_index = prev;
    message.append_entries_reply.conflict_index = conflict_index;
    message.append_entries_reply.conflict_term = conflict_term;
    return message;
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

// ---- several nodes ----------------------------------------------------------------

struct group {
    uint32_t count;
    struct node nodes[GROUP_MAX]; // node i has id i + 1
    bool cut[GROUP_MAX + 1][GROUP_MAX + 1];
};

static UNUSED struct node *group_node(struct group *group, raft_id id)
{
    return &group->nodes[id - 1];
}

static UNUSED void group_start(struct group *group, uint32_t count)
{
    memset(group, 0, sizeof *group);
    group->count = count;
    for (uint32_t i = 0; i < count; i++)
        node_start(&group->nodes[i], i + 1, count);
}

static UNUSED void group_stop(struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        node_stop(&group->nodes[i]);
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
            uint32_t count = node->sent_count;
            struct sent *sent = node->sent;
            node->sent = calloc(SENT_MAX, sizeof *node->sent);
            node->sent_count = 0;
            for (uint32_t m = 0; m < count; m++) {
                raft_id to = sent[m].message.to;
                if (!group->cut[i + 1][to])
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
