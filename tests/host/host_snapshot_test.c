// Snapshots of a host that it takes itself while it serves: what a crash, a damaged
// file and a full disk leave of them (section 7). Bugs 44, 58 and 60 of docs/bugs.md.
#include "tests/host/host_snapshot_fixture.h"

// ---- taking one -----------------------------------------------------------------

TEST(a_snapshot_is_taken_and_the_log_begins_behind_it)
{
    prepare(1);
    begin_leading();
    propose_many(90);
    CHECK(counters().snapshots_taken >= 3);
    CHECK(counters().segments_removed > 0);
    CHECK_EQ(snapshot_count(), 2);
    raft_index index;
    CHECK(newest_snapshot(&index) != NULL);
    CHECK_EQ(view().snapshot_index, index);
    CHECK_EQ(view().first_index, index + 1 - 5); // the tail stays
    CHECK(!counters().snapshot_underway);
}

TEST(a_restart_begins_with_the_snapshot_and_the_log_behind_it)
{
    prepare(1);
    begin_leading();
    propose_many(70);
    struct machine before = machine;
    raft_term term = view().current_term;
    memory_disk_crash(&world.disk, 0);
    CHECK(open_again());
    CHECK_EQ(machine.restores, 1);
    CHECK(machine.index > 20 && host_warning(world.host) == NULL);
    CHECK_EQ(view().current_term, term);
    CHECK_EQ(view().last_index, before.index);
    for (int i = 0; i < 100 && machine.index <= before.index; i++)
        go_on(1);
    CHECK(machine.index > before.index); // with the new term's no-op
    CHECK_EQ(folds[before.index], before.fold);
}

// Bugs 44 and 59: state, log and hard state cannot disagree, whichever write is the
// last.
TEST(a_crash_at_any_operation_of_taking_one_loses_nothing)
{
    uint64_t cases = 0;
    for (uint64_t crash_at = 1;; crash_at++) {
        prepare(1);
        begin_leading();
        propose_many(30);
        uint64_t floor = machine.index; // applied, so durable
        world.disk.crash_at = world.disk.operations + crash_at;
        for (uint32_t i = 0; i < 45 && !world.disk.crashed; i++) {
            if (propose("what may be lost") == RAFT_OK &&
                host_stopped(world.host) == NULL)
                go_on(4);
            if (host_stopped(world.host) == NULL && !world.disk.crashed)
                floor = machine.index;
        }
        if (!world.disk.crashed)
            break;
        uint64_t mask = crash_at * 0x9e3779b97f4a7c15u;
        memory_disk_crash(&world.disk, crash_at % 3 == 0 ? 0 : mask);
        bool opened = open_again();
        CHECK_TEXT(world.error, "");
        CHECK(opened);
        CHECK(view().last_index >= floor);
        for (int i = 0; i < 200 && machine.index < floor; i++)
            go_on(1);
        CHECK(machine.index >= floor);
        cases++;
    }
    CHECK(cases > 100);
}

// ---- damage ---------------------------------------------------------------------

static void damage(struct memory_file *file, uint64_t at)
{
    file->now.bytes[at] ^= 0x10;
    file->durable = file->now;
}

TEST(a_damaged_snapshot_is_named_and_the_one_before_is_used)
{
    prepare(1);
    begin_leading();
    propose_many(70);
    struct machine before = machine;
    raft_index index;
    struct memory_file *file = newest_snapshot(&index);
    memory_disk_crash(&world.disk, 0);
    damage(file, file->now.size / 2);
    CHECK(open_again());
    CHECK(strstr(host_warning(world.host), file->name) != NULL);
    CHECK(machine.index < index); // the one before
    for (int i = 0; i < 100 && machine.index < before.index; i++)
        go_on(1);
    CHECK_EQ(folds[before.index], before.fold);
}

TEST(two_damaged_snapshots_are_refused_by_name)
{
    prepare(1);
    begin_leading();
    propose_many(90);
    memory_disk_crash(&world.disk, 0);
    raft_index first;
    struct memory_file *newest = newest_snapshot(&first);
    damage(newest, 100);
    newest->now.exists = false;
    raft_index second;
    struct memory_file *before = newest_snapshot(&second);
    newest->now.exists = true;
    damage(before, before->now.size - 1);
    CHECK(!open_again());
    CHECK(strstr(world.error, newest->name) != NULL);
    CHECK(strstr(world.error, before->name) != NULL);
    CHECK_EQ(machine.restores, 0);
}

// ---- a full disk, a failing disk ------------------------------------------------

// Bug 60: nothing is ahead of the disk that anybody was told of.
TEST(a_full_disk_refuses_writes_answers_reads_and_goes_on)
{
    for (uint32_t spare = 0; spare < 120; spare += 7) {
        prepare(1);
        world.config.snapshot_entries = 0;
        begin_leading();
        propose_many(5);
        world.disk.capacity = memory_disk_used(&world.disk) + spare;
        raft_index before = view().last_index;
        enum raft_status status = RAFT_OK;
        for (int i = 0; i < 10 && status == RAFT_OK; i++) {
            status = propose("0123456789");
            go_on(3);
        }
        CHECK_EQ(status, RAFT_DISK_FULL);
        CHECK(host_disk_full(world.host) && host_stopped(world.host) == NULL);
        uint32_t reads = world.read_count;
        CHECK_EQ(host_read(world.host, &world.io, world.now_ms, 5), RAFT_OK);
        go_on(3);
        CHECK_EQ(world.read_count, reads + 1);
        CHECK_EQ(world.reads_refused, 0);
        world.disk.capacity = 0;
        world.now_ms += 200;
        go_on(10);
        CHECK(!host_disk_full(world.host));
        CHECK_EQ(propose("after"), RAFT_OK);
        go_on(10);
        CHECK_EQ(machine.index, view().last_index);
        CHECK(machine.index > before);
        struct machine then = machine;
        memory_disk_crash(&world.disk, 0);
        begin_leading();
        CHECK(machine.index > then.index);
        CHECK_EQ(folds[then.index], then.fold);
    }
}

TEST(what_a_follower_could_not_write_is_written_as_it_is_in_the_end)
{
    prepare(3);
    world.config.raft.id = 2;
    CHECK(open_again());
    struct raft_entry entries[3];
    for (uint32_t i = 0; i < 3; i++)
        entries[i] = (struct raft_entry){.index = i + 1,
                                         .term = 3,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = 1,
                                         .data = "a"};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries.entries = entries;
    message.append_entries.count = 3;
    world.disk.capacity = memory_disk_used(&world.disk);
    receive(message);
    go_on(3);
    CHECK(host_disk_full(world.host));
    for (uint32_t i = 0; i < world.sent_count; i++) // nothing of it is acknowledged
        CHECK(world.sent[i].type != RAFT_APPEND_ENTRIES_REPLY ||
              world.sent[i].append_entries_reply.match_index == 0);
    entries[1].term = entries[2].term = 5; // replaced while they wait
    entries[1].data = entries[2].data = "b";
    message.append_entries.prev_log_index = 1;
    message.append_entries.prev_log_term = 3;
    message.append_entries.entries = &entries[1];
    message.append_entries.count = 2;
    receive(message);
    world.disk.capacity = 0;
    world.now_ms += 101;
    go_on(10);
    CHECK(!host_disk_full(world.host));
    CHECK_EQ(view().durable_index, 3);
    memory_disk_crash(&world.disk, 0);
    CHECK(open_again());
    CHECK_EQ(view().last_index, 3);
    CHECK_EQ(view().current_term, 7);
    raft_term term;
    CHECK(raft_term_at(host_raft(world.host), 2, &term));
    CHECK_EQ(term, 5);
    CHECK(raft_term_at(host_raft(world.host), 1, &term));
    CHECK_EQ(term, 3);
}

TEST_MAIN
