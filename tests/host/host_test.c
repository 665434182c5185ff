// The host's loop with the real core: persist, send, apply, and what stops it.
#include "raft/host/host.h"

#include "tests/host/host_fixture.h"

// ---- persist before apply -------------------------------------------------------

TEST(opening_sends_and_applies_nothing_before_the_first_tick)
{
    start(3);
    CHECK(open_node());
    CHECK_EQ(world.sent_count, 0);
    CHECK_EQ(world.steps_seen, 0);
    CHECK(host_deadline_ms(world.host) <= world.now_ms);
    CHECK(!host_busy(world.host));
    CHECK(host_stopped(world.host) == NULL);
}

TEST(a_command_is_applied_once_its_sync_has_ended_and_not_before)
{
    start(1);
    lead();
    uint32_t applied = world.applied_count;
    CHECK_EQ(propose("x"), RAFT_OK);
    CHECK_EQ(world.applied_count, applied);
    CHECK(host_busy(world.host));
    CHECK(world.disk.pending_token != 0);
    host_tick(world.host, &world.io, world.now_ms + 10);
    CHECK_EQ(world.applied_count, applied); // time alone makes nothing durable
    end_sync();
    CHECK_EQ(world.applied_count, applied + 1);
    CHECK_EQ(world.first_byte[applied], 'x');
    CHECK(!host_busy(world.host));
}

TEST(a_proposal_is_told_its_place)
{
    start(1);
    lead();
    struct raft_command commands[2] = {{"a", 1}, {"b", 1}};
    raft_index index = 0;
    raft_term term = 0;
    CHECK_EQ(
        host_propose(world.host, &world.io, world.now_ms, commands, 2, &index, &term),
        RAFT_OK);
    end_all_syncs();
    CHECK_EQ(term, view().current_term);
    CHECK_EQ(world.applied[index - 1].term, term);
    CHECK_EQ(world.first_byte[index - 1], 'a');
    CHECK_EQ(world.first_byte[index], 'b');
}

TEST(what_arrives_during_a_sync_goes_with_the_next_one)
{
    start(1);
    lead();
    struct host_counters before = counters();
    uint64_t started = world.disk.syncs_started;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(propose("command"), RAFT_OK);
    CHECK_EQ(world.disk.syncs_started, started + 1);
    uint32_t applied = world.applied_count;
    end_sync();
    CHECK_EQ(world.applied_count, applied + 1); // the first alone was covered
    CHECK_EQ(world.disk.syncs_started, started + 2);
    end_sync();
    CHECK_EQ(world.applied_count, applied + 10);
    CHECK_EQ(world.disk.syncs_started, started + 2);
    CHECK_EQ(counters().syncs, before.syncs + 2);
    CHECK_EQ(counters().writes, before.writes + 10);
    CHECK(counters().bytes_appended > before.bytes_appended);
}

TEST(a_read_is_answered_from_the_applied_state)
{
    start(1);
    lead();
    CHECK_EQ(host_read(world.host, &world.io, world.now_ms, 77), RAFT_OK);
    CHECK_EQ(world.read_count, 1);
    CHECK_EQ(world.reads[0], 77);
    CHECK_EQ(world.reads_refused, 0);
}

TEST(the_observer_is_told_of_every_step)
{
    start(1);
    lead();
    uint64_t seen = world.steps_seen;
    propose("x");
    CHECK_EQ(world.steps_seen, seen + 1);
    end_sync(); // persisted, then applied
    CHECK(world.steps_seen >= seen + 3);
}

// ---- votes and acknowledgements -------------------------------------------------

static void ask_for_vote(raft_id candidate, raft_term term)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE, .from = candidate, .to = 1, .term = term};
    // Asked by a leader to campaign, so that no pre-vote and no lease stands before.
    message.request_vote.transfer = true;
    world.sent_count = 0;
    host_receive(world.host, &world.io, world.now_ms, &message);
}

static const struct raft_message *find_sent(enum raft_message_type type)
{
    for (uint32_t i = 0; i < world.sent_count; i++) {
        if (world.sent[i].type == type)
            return &world.sent[i];
    }
    return NULL;
}

TEST(a_vote_leaves_after_its_sync_and_survives_a_crash)
{
    start(3);
    CHECK(open_node());
    host_tick(world.host, &world.io, world.now_ms);
    ask_for_vote(2, 5);
    CHECK(find_sent(RAFT_REQUEST_VOTE_REPLY) == NULL);
    end_all_syncs();
    const struct raft_message *reply = find_sent(RAFT_REQUEST_VOTE_REPLY);
    CHECK(reply != NULL && reply->request_vote_reply.vote_granted);

    restart(0);
    CHECK_EQ(view().current_term, 5);
    CHECK_EQ(view().voted_for, 2);
    ask_for_vote(3, 5);
    end_all_syncs();
    reply = find_sent(RAFT_REQUEST_VOTE_REPLY);
    CHECK(reply == NULL || !reply->request_vote_reply.vote_granted);
}

TEST(term_and_vote_are_durable_together_or_not_at_all)
{
    start(3);
    CHECK(open_node());
    ask_for_vote(2, 5);
    for (uint64_t mask = 0; mask < 4; mask++) {
        struct world copy = world;
        memory_disk_crash(&copy.disk, mask);
        connect(&copy);
        copy.memory = aligned_alloc(16, host_size(&copy.config));
        copy.host = host_open(copy.memory, &copy.config, &copy.io, 0, copy.error,
                              sizeof copy.error);
        CHECK(copy.host != NULL);
        struct raft_view seen;
        raft_observe(host_raft(copy.host), &seen);
        CHECK_EQ(seen.voted_for, seen.current_term == 5 ? 2 : 0);
        free(copy.memory);
    }
}

static void append_from_leader(raft_index prev_index, raft_term prev_term,
                               raft_term term, uint32_t count)
{
    struct raft_entry entries[8];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.index = prev_index + 1 + i,
                                         .term = term,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = 4,
                                         .data = "data"};
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES, .from = 2, .to = 1, .term = term};
    message.append_entries = (struct raft_append_entries){.prev_log_index = prev_index,
                                                          .prev_log_term = prev_term,
                                                          .count = count,
                                                          .entries = entries};
    world.sent_count = 0;
    host_receive(world.host, &world.io, world.now_ms, &message);
}

TEST(an_acknowledgement_leaves_after_its_sync_and_its_entries_survive)
{
    start(3);
    CHECK(open_node());
    append_from_leader(0, 0, 4, 5);
    const struct raft_message *reply = find_sent(RAFT_APPEND_ENTRIES_REPLY);
    CHECK(reply == NULL || reply->append_entries_reply.match_index == 0);
    end_all_syncs();
    reply = find_sent(RAFT_APPEND_ENTRIES_REPLY);
    CHECK(reply != NULL && reply->append_entries_reply.success);
    CHECK_EQ(reply->append_entries_reply.match_index, 5);
    restart(0);
    CHECK_EQ(view().last_index, 5);
    CHECK_EQ(view().last_term, 4);
    CHECK_EQ(view().durable_index, 5);
}

TEST(replaced_entries_stay_replaced_over_a_crash)
{
    start(3);
    CHECK(open_node());
    append_from_leader(0, 0, 1, 6);
    end_all_syncs();
    append_from_leader(2, 1, 2, 2);
    end_all_syncs();
    restart(0);
    CHECK_EQ(view().last_index, 4);
    CHECK_EQ(view().last_term, 2);
    raft_term term = 0;
    CHECK(raft_term_at(host_raft(world.host), 2, &term));
    CHECK_EQ(term, 1);
}

// ---- restart --------------------------------------------------------------------

TEST(a_restarted_node_applies_its_log_again)
{
    start(1);
    world.config.segment_bytes_max = 512;
    lead();
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(propose(i % 2 ? "odd" : "even"), RAFT_OK);
        if (i % 3 == 0)
            end_all_syncs();
    }
    end_all_syncs();
    CHECK(counters().segments >= 4);
    uint32_t applied = world.applied_count;
    memory_disk_crash(&world.disk, 0);
    lead();
    CHECK_EQ(world.applied_count, applied + 1); // and a no-op of the new term
    CHECK_EQ(world.first_byte[applied - 1], 'o');
    CHECK_EQ(world.first_byte[applied - 2], 'e');
}

// A long log must not keep the node from its messages and heartbeats.
TEST(a_long_backlog_is_applied_in_turns_and_nothing_is_left_out)
{
    start(1);
    lead();
    for (int i = 0; i < 90; i++) {
        CHECK_EQ(propose("backlog"), RAFT_OK);
        end_all_syncs();
    }
    raft_index last = view().last_index;
    world.config.raft.message_entries_max = 1; // one entry an apply
    CHECK(open_node());
    uint32_t turns = 0;
    while (world.applied_count < last) {
        uint32_t before = world.applied_count;
        CHECK(turns++ < 100);
        world.now_ms = host_deadline_ms(world.host);
        host_tick(world.host, &world.io, world.now_ms);
        end_all_syncs();
        CHECK(world.applied_count - before <= 48); // sixteen a call, of 90
    }
    CHECK(turns > 2);
    CHECK_EQ(view().last_applied, view().last_index);
}

TEST(a_torn_tail_is_cut_on_open_and_counted)
{
    start(1);
    lead();
    raft_index last = view().last_index;
    propose("never synced");
    memory_disk_crash(&world.disk, 0);
    struct memory_file *file =
        memory_disk_find(&world.disk, "00000000000000000001.log");
    memset(file->now.bytes + file->now.size, 7, 30);
    file->now.size += 30;
    CHECK(open_node());
    CHECK_EQ(view().last_index, last);
    CHECK_EQ(counters().torn_bytes, 30);
}

TEST(a_damaged_log_is_refused_with_file_and_offset)
{
    start(1);
    lead();
    propose("x");
    end_all_syncs();
    memory_disk_find(&world.disk, "00000000000000000001.log")->now.bytes[60] ^= 1;
    CHECK(!open_node());
    CHECK_TEXT(world.error, "00000000000000000001.log: offset 48: damaged, and it had "
                            "been synced");
}

TEST(a_log_beyond_the_capacity_is_refused)
{
    start(1);
    lead();
    for (int i = 0; i < 90; i++)
        CHECK_EQ(propose("x"), RAFT_OK);
    end_all_syncs();
    world.config.raft.log_entries_max = 64;
    CHECK(!open_node());
    CHECK(strstr(world.error, "00000000000000000001.log: offset ") != NULL);
    CHECK(strstr(world.error, raft_status_text(RAFT_LOG_FULL)) != NULL);
}

TEST(a_configuration_that_cannot_be_used_is_refused)
{
    start(1);
    world.config.raft.id = 0;
    struct host_config usable = world.config;
    usable.raft.id = 1;
    world.memory = aligned_alloc(16, host_size(&usable));
    CHECK(host_open(world.memory, &world.config, &world.io, 0, world.error,
                    sizeof world.error) == NULL);
    CHECK(strstr(world.error, raft_config_problem(&world.config.raft)) != NULL);
    CHECK_EQ(world.disk.operations, 0);
}

TEST(another_cluster_is_refused)
{
    start(1);
    CHECK(open_node());
    world.config.cluster_id++;
    CHECK(!open_node());
    CHECK(strstr(world.error, "another cluster") != NULL);
}

// ---- stopping -------------------------------------------------------------------

static void check_stopped_for_good(void)
{
    uint64_t operations = world.disk.operations;
    uint64_t started = world.disk.syncs_started;
    uint32_t applied = world.applied_count;
    uint32_t sent = world.sent_count;
    CHECK(host_stopped(world.host) != NULL);
    CHECK(propose("y") != RAFT_OK);
    CHECK(host_read(world.host, &world.io, world.now_ms, 9) != RAFT_OK);
    host_tick(world.host, &world.io, world.now_ms + 100000);
    append_from_leader(0, 0, 100, 3);
    world.sent_count = sent;
    CHECK_EQ(world.disk.operations, operations);
    CHECK_EQ(world.disk.syncs_started, started);
    CHECK_EQ(world.applied_count, applied);
    CHECK_EQ(world.read_count, 0);
    CHECK_EQ(host_deadline_ms(world.host), UINT64_MAX);
    CHECK(!host_busy(world.host));
}

TEST(a_failed_sync_stops_the_node_and_is_not_tried_again)
{
    start(1);
    lead();
    uint32_t applied = world.applied_count;
    propose("x");
    propose("z");
    world.disk.sync_status = -EIO;
    end_sync();
    CHECK_EQ(world.applied_count, applied);
    CHECK_TEXT(host_stopped(world.host),
               "segment 1 of the log: sync: Input/output error");
    world.disk.sync_status = 0;
    check_stopped_for_good();
}

TEST(a_failed_append_stops_the_node_and_nothing_leaves_it)
{
    start(3);
    CHECK(open_node());
    host_tick(world.host, &world.io, world.now_ms);
    world.sent_count = 0;
    world.disk.crash_at = world.disk.operations + 1;
    uint64_t seen = world.steps_seen;
    ask_for_vote(2, 5);
    CHECK_EQ(world.sent_count, 0);
    CHECK_EQ(world.steps_seen, seen); // the step ended with the failure
    CHECK_TEXT(host_stopped(world.host),
               "segment 1 of the log: append: Input/output error");
    world.disk.crashed = false;
    check_stopped_for_good();
    // The half-written record is no vote.
    restart(UINT64_MAX);
    CHECK_EQ(view().current_term, 0);
}

TEST(a_full_disk_keeps_what_was_durable)
{
    start(1);
    world.config.raft.log_entries_max = 1024;
    world.config.raft.log_bytes_max = 1 << 20;
    lead();
    static char text[2000];
    memset(text, 'f', sizeof text - 1);
    for (int i = 0; i < 1000 && !host_disk_full(world.host); i++) {
        propose(text);
        end_all_syncs();
    }
    CHECK_EQ(propose(text), RAFT_DISK_FULL);
    CHECK(host_stopped(world.host) == NULL);
    uint32_t applied = world.applied_count;
    restart(0);
    CHECK_EQ(view().last_index, applied);
}

TEST(a_token_that_is_not_the_newest_is_ignored)
{
    start(1);
    lead();
    uint32_t applied = world.applied_count;
    uint64_t old = world.disk.pending_token;
    propose("x");
    CHECK(old != world.disk.pending_token);
    host_synced(world.host, &world.io, world.now_ms, world.disk.pending_token + 1, 0);
    host_synced(world.host, &world.io, world.now_ms, world.disk.pending_token - 1, 0);
    CHECK_EQ(world.applied_count, applied);
    end_sync();
    CHECK_EQ(world.applied_count, applied + 1);
    host_synced(world.host, &world.io, world.now_ms, 1, -EIO);
    CHECK(host_stopped(world.host) == NULL);
}

// ---- plain data -----------------------------------------------------------------

TEST(a_copy_of_the_memory_is_a_node_of_its_own)
{
    start(1);
    lead();
    propose("x"); // its sync is under way
    size_t size = host_size(&world.config);
    static struct world fork;
    fork = world;
    connect(&fork);
    fork.memory = aligned_alloc(16, size);
    memcpy(fork.memory, world.memory, size);
    fork.host = (struct host *)((char *)fork.memory +
                                ((char *)world.host - (char *)world.memory));

    end_all_syncs();
    propose("only here");
    end_all_syncs();
    uint32_t applied = world.applied_count;
    memset(world.memory, 0, size); // the copy leans on nothing in it

    uint64_t token = fork.disk.pending_token;
    host_synced(fork.host, &fork.io, fork.now_ms, token,
                memory_disk_end_sync(&fork.disk));
    CHECK_EQ(fork.applied_count, applied - 1);
    CHECK_EQ(fork.first_byte[fork.applied_count - 1], 'x');
}

TEST(a_node_that_could_not_start_its_next_sync_is_never_due_again)
{
    start(1);
    lead();
    CHECK_EQ(propose("x"), RAFT_OK);
    CHECK_EQ(propose("y"), RAFT_OK); // goes with the next sync
    uint64_t token = world.disk.pending_token;
    CHECK_EQ(memory_disk_end_sync(&world.disk), 0);
    world.disk.crashed = true; // from now on every call fails
    uint32_t applied = world.applied_count;
    host_synced(world.host, &world.io, world.now_ms, token, 0);
    CHECK(host_stopped(world.host) != NULL);
    CHECK_EQ(world.applied_count, applied);
    CHECK_EQ(host_deadline_ms(world.host), UINT64_MAX);
}

TEST_MAIN
