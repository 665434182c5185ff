// The core as a whole: determinism, forking, texts, and what a configuration may say.
#include "raft/trace.h"
#include "raft/version.h"
#include "tests/raft/fixture.h"

// The state holds no pointer that a copy would break.
TEST(a_copy_of_the_memory_is_a_copy_of_the_node)
{
    struct node node;
    node_start(&node, 1, 3);
    node_become_leader(&node);
    for (int i = 0; i < 20; i++)
        node_propose(&node, "ab");
    node_receive(&node, an_ack(2, 1, 1, 9));
    size_t size = raft_size(&node.config);
    void *copy = aligned_alloc(64, (size + 63) / 64 * 64);
    CHECK(copy != NULL);
    memcpy(copy, node.memory, size);
    memset(node.memory, 0xff, size); // the original is gone
    struct raft_message ack = an_ack(3, 1, 1, 12);
    struct raft_event event = {
        .type = RAFT_EVENT_MESSAGE, .now_ms = node.now_ms, .message = &ack};
    struct raft_output output;
    CHECK_EQ(raft_step(copy, &event, &output), RAFT_OK);
    CHECK_EQ(output.apply_count, 3); // 10..12
    CHECK(memcmp(output.apply[0].data, "ab", 2) == 0);
    CHECK(raft_check(copy) == NULL);
    free(copy);
    node_stop(&node);
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_of_a_life(uint64_t seed)
{
    uint64_t hash = 0xcbf29ce484222325u;
    struct group group;
    memset(&group, 0, sizeof group);
    group.count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        node_init(&group.nodes[i], i + 1, 3);
        group.nodes[i].config.seed = seed;
        node_boot(&group.nodes[i], (struct raft_hard_state){0}, NULL, 0);
    }
    for (int round = 0; round < 200; round++) {
        group_tick(&group, 10);
        for (uint32_t i = 0; i < 3; i++) {
            node_propose(&group.nodes[i], "x");
            hash =
                hash_bytes(hash, &group.nodes[i].view.current_term, sizeof(raft_term));
            hash =
                hash_bytes(hash, &group.nodes[i].view.commit_index, sizeof(raft_index));
            hash =
                hash_bytes(hash, &group.nodes[i].output.deadline_ms, sizeof(uint64_t));
        }
        group_deliver(&group);
    }
    group_stop(&group);
    return hash;
}

TEST(the_same_seed_gives_the_same_life_and_another_seed_another)
{
    CHECK_EQ(hash_of_a_life(1), hash_of_a_life(1));
    CHECK(hash_of_a_life(1) != hash_of_a_life(2));
}

TEST(time_does_not_go_back)
{
    struct node node;
    node_start(&node, 1, 3);
    node.now_ms = 1000000;
    node_receive(&node, an_append(2, 1, 1, 0, 0, 0, NULL));
    node.now_ms = 5;
    node_tick(&node, 0);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    CHECK(node.output.deadline_ms >= 1000000);
    node_stop(&node);
}

// 24.8 and 49.7 days of milliseconds.
TEST(timers_work_across_2_to_the_31_and_2_to_the_32_milliseconds)
{
    for (int bits = 31; bits <= 32; bits++) {
        struct node node;
        node_init(&node, 1, 3);
        node.now_ms = ((uint64_t)1 << bits) - 100;
        node_boot(&node, (struct raft_hard_state){0}, NULL, 0);
        node_tick(&node, 0);
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        node_tick(&node, 140); // past the boundary, not past the timeout
        CHECK_EQ(node.view.role, RAFT_FOLLOWER);
        node_time_out(&node);
        CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
        node_stop(&node);
    }
}

TEST(events_that_no_correct_host_reports_are_refused_and_change_nothing)
{
    struct node node;
    node_start(&node, 1, 3);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_TAKEN,
                                         .snapshot_taken.index = 1});
    CHECK_EQ(node.status, RAFT_INVALID);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_RECEIVED});
    CHECK_EQ(node.status, RAFT_INVALID);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_CHANGE_MEMBERSHIP});
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_step(&node, (struct raft_event){.type = RAFT_EVENT_TRANSFER_LEADERSHIP});
    CHECK_EQ(node.status, RAFT_NOT_LEADER);
    node_step(&node, (struct raft_event){.type = (enum raft_event_type)99});
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.view.current_term, 0);
    CHECK_EQ(node.view.first_index, 1);
    node_stop(&node);
}

TEST(every_status_and_role_has_a_text)
{
    for (int status = 0; status < RAFT_STATUS_COUNT; status++)
        CHECK(strlen(raft_status_text((enum raft_status)status)) > 3);
    CHECK_TEXT(raft_status_text((enum raft_status)99), "an unknown status");
    CHECK_TEXT(raft_role_text(RAFT_LEADER), "leader");
    CHECK_TEXT(raft_role_text((enum raft_role)99), "an unknown role");
}

// What a configuration with one value changed is refused for; "": it is not.
#define CHECK_PROBLEM(member, value, expected)                \
    do {                                                      \
        struct raft_config config = node.config;              \
        config.member = (value);                              \
        const char *problem = raft_config_problem(&config);   \
        CHECK_TEXT(problem == NULL ? "" : problem, expected); \
    } while (0)

TEST(configurations_that_cannot_be_run_are_named)
{
    struct node node;
    node_init(&node, 1, 3);
    CHECK(raft_config_problem(&node.config) == NULL);
    CHECK_PROBLEM(id, 0, "the node's id is 0");
    CHECK_PROBLEM(election_timeout_ms, 0, "a timeout is 0");
    CHECK_PROBLEM(heartbeat_ms, 0, "a timeout is 0");
    CHECK_PROBLEM(heartbeat_ms, node.config.election_timeout_ms,
                  "the heartbeat is not shorter than the election timeout");
    CHECK_PROBLEM(election_timeout_ms, UINT32_MAX / 2, "");
    CHECK_PROBLEM(election_timeout_ms, UINT32_MAX / 2 + 1,
                  "the election timeout is too long");
    CHECK_PROBLEM(election_spread_ms, UINT32_MAX / 2, "");
    CHECK_PROBLEM(election_spread_ms, UINT32_MAX / 2 + 1,
                  "the election timeouts are spread too widely");
    free(node.sent);
}

TEST(capacities_that_cannot_be_had_are_named)
{
    struct node node;
    node_init(&node, 1, 3);
    const char *entries = "the log's capacity for entries is not between 64 and 2^30";
    const char *batch = "the entries in a message are not between 1 and 2^20";
    const char *window =
        "the messages in flight are not between 1 and RAFT_INFLIGHT_MAX";
    CHECK_PROBLEM(log_entries_max, 64, "");
    CHECK_PROBLEM(log_entries_max, 63, entries);
    CHECK_PROBLEM(log_entries_max, 1 << 30, "");
    CHECK_PROBLEM(log_entries_max, (1u << 30) + 1, entries);
    CHECK_PROBLEM(log_bytes_max, (uint64_t)1 << 46, "");
    CHECK_PROBLEM(log_bytes_max, ((uint64_t)1 << 46) + 1,
                  "the log's capacity for bytes is above 2^46");
    CHECK_PROBLEM(command_bytes_max, 1 << 30,
                  "the largest command does not fit into the log");
    CHECK_PROBLEM(message_entries_max, 0, batch);
    CHECK_PROBLEM(message_entries_max, 1 << 20, "");
    CHECK_PROBLEM(message_entries_max, (1 << 20) + 1, batch);
    CHECK_PROBLEM(inflight_max, 0, window);
    CHECK_PROBLEM(inflight_max, RAFT_INFLIGHT_MAX, "");
    CHECK_PROBLEM(inflight_max, RAFT_INFLIGHT_MAX + 1, window);
    free(node.sent);
}

TEST(the_version_is_told_in_three_numbers)
{
    int major;
    int minor;
    int patch;
    CHECK_TEXT(raft_version_text(), RAFT_VERSION);
    CHECK_EQ(sscanf(raft_version_text(), "%d.%d.%d", &major, &minor, &patch), 3);
}

TEST(a_log_that_does_not_follow_is_not_loaded)
{
    struct node node;
    node_init(&node, 1, 3);
    node_boot(&node, (struct raft_hard_state){2, 0}, TERMS(1, 2), 2);
    struct raft_entry entry = {.index = 4, .term = 2};
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_INVALID); // a gap
    entry = (struct raft_entry){.index = 3, .term = 1};
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_INVALID); // a term that goes back
    entry = (struct raft_entry){.index = 3, .term = 3};
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_INVALID); // a term not yet reached
    entry = (struct raft_entry){.index = 3,
                                .term = 2,
                                .type = RAFT_ENTRY_CONFIGURATION,
                                .size = 3,
                                .data = "1 x"};
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_INVALID); // members that are none
    entry.type = RAFT_ENTRY_COMMAND;
    CHECK_EQ(raft_load(node.raft, &entry), RAFT_OK);
    node_stop(&node);
}

TEST(a_snapshot_is_described_only_where_one_may_be_taken)
{
    struct node node;
    struct raft_snapshot_meta meta;
    node_start(&node, 1, 1);
    CHECK(!raft_snapshot_meta_at(node.raft, 0, &meta)); // of nothing
    node_time_out(&node);
    for (int i = 0; i < 4; i++)
        node_propose(&node, "x");
    CHECK_EQ(node.view.last_applied, 5);
    node_compact(&node, 5);
    CHECK(!raft_snapshot_meta_at(node.raft, 6, &meta)); // not applied
    CHECK(!raft_snapshot_meta_at(node.raft, 3, &meta)); // not held any more
    CHECK(raft_snapshot_meta_at(node.raft, 5, &meta));
    CHECK_EQ(meta.last_included_index, 5);
    CHECK_EQ(meta.last_included_term, 1);
    node_stop(&node);
}

static void check_message(struct raft_message message, const char *expected)
{
    char text[128];
    CHECK_EQ(raft_trace_message(text, sizeof text, &message), strlen(expected));
    CHECK_TEXT(text, expected);
    CHECK_EQ(raft_trace_message(text, 5, &message), strlen(expected));
    CHECK_EQ(strlen(text), 4); // cut, and ended
    CHECK_EQ(raft_trace_message(text, 0, &message), strlen(expected));
}

TEST(a_message_is_told_in_one_line)
{
    check_message(a_vote_request(1, 2, 3, 4, 2), "RequestVote n1>n2 t3 log=4/2");
    check_message(a_vote(2, 1, 3, true), "RequestVoteReply n2>n1 t3 granted");
    check_message(a_prevote(2, 1, 3, false), "PreVoteReply n2>n1 t3 refused");
    check_message((struct raft_message){RAFT_TIMEOUT_NOW, 1, 2, 3},
                  "TimeoutNow n1>n2 t3");
    check_message((struct raft_message){RAFT_MESSAGE_TYPE_END, 1, 2, 3},
                  "UnknownMessage n1>n2 t3");
    struct raft_message answer = {RAFT_READ_INDEX_REPLY, 1, 2, 3};
    answer.read_index = (struct raft_read_index){.id = 8, .index = 5, .ok = true};
    check_message(answer, "ReadIndexReply n1>n2 t3 id=8 index=5");
    answer.read_index.ok = false;
    check_message(answer, "ReadIndexReply n1>n2 t3 id=8 refused");
}

static void check_trace(struct node *node, struct raft_event event,
                        const char *expected)
{
    char text[512];
    event.now_ms = node->now_ms;
    raft_step(node->raft, &event, &node->output);
    size_t length =
        raft_trace_step(text, sizeof text, node->raft, &event, &node->output);
    CHECK_TEXT(text, expected);
    CHECK_EQ(length, strlen(expected));
    CHECK_EQ(raft_trace_step(text, 20, node->raft, &event, &node->output), length);
    CHECK_EQ(strlen(text), 19); // cut, and ended
}

TEST(a_step_is_told_in_one_line)
{
    struct node node;
    node_start(&node, 2, 3);
    node.now_ms = 110;
    struct raft_message message = a_vote_request(1, 2, 2, 4, 1);
    check_trace(
        &node, (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message},
        "[   110] n2 < RequestVote n1 t2 log=4/1: term higher -> follower; grant"
        " | save t2 vote n1");
    check_trace(&node,
                (struct raft_event){.type = RAFT_EVENT_PERSISTED, .persisted.write = 1},
                "[   110] n2 durable write 1 | > RequestVoteReply n1 granted");
    message = an_append(1, 2, 2, 0, 0, 1, TERMS(1, 2));
    check_trace(&node,
                (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message},
                "[   110] n2 < AppendEntries n1 t2 prev=0/0 +2 commit=1 | log 1..2");
    check_trace(
        &node, (struct raft_event){.type = RAFT_EVENT_PERSISTED, .persisted.write = 2},
        "[   110] n2 durable write 2 | apply 1..1 | > AppendEntriesReply n1 match=2");
    message = a_prevote_request(3, 2, 3, 9, 2);
    check_trace(&node,
                (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message},
                "[   110] n2 < PreVote n3 t3 log=9/2: has a leader -> refuse pre-vote"
                " | > PreVoteReply n3 refused");
    node_stop(&node);
}

TEST_MAIN
