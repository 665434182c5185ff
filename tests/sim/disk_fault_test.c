// The simulated disk's faults: damage, lies, syncs that fail and space that ends, and
// that each of them heals.
#include "tests/sim/disk_fixture.h"

TEST(damage_reads_the_same_each_time_and_heals)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abcdef");
    sync_now(&bench, "log");
    uint64_t hash = sim_disk_hash(bench.disk);
    CHECK(sim_disk_damage(bench.disk, "log", 1, 1, SIM_DISK_FLIP));
    CHECK(sim_disk_damage(bench.disk, "log", 4, 1, SIM_DISK_ZERO));
    CHECK(!sim_disk_damage(bench.disk, "log", 5, 2, SIM_DISK_FLIP));
    CHECK(!sim_disk_damage(bench.disk, "none", 0, 1, SIM_DISK_FLIP));
    CHECK_TEXT(content(&bench, "log"), "arcd");
    CHECK_TEXT(content(&bench, "log"), "arcd");
    crash(&bench, SIM_DISK_LOSE_SECTORS);
    bench.door.rename(bench.door.context, "log", "moved");
    CHECK_TEXT(content(&bench, "moved"), "arcd");
    bench.door.rename(bench.door.context, "moved", "log");
    sim_disk_heal(bench.disk);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    CHECK_EQ(sim_disk_hash(bench.disk), hash);
    sim_disk_free(bench.disk);
}

TEST(an_unreadable_byte_fails_only_reads_of_it)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abcdef");
    sim_disk_damage(bench.disk, "log", 3, 1, SIM_DISK_UNREADABLE);
    char part[8];
    CHECK_EQ(bench.door.read(bench.door.context, "log", 0, part, 3), 3);
    CHECK_EQ(bench.door.read(bench.door.context, "log", 2, part, 3), (uint64_t)-EIO);
    CHECK_EQ(bench.door.read(bench.door.context, "log", 4, part, 3), 2);
    sim_disk_free(bench.disk);
}

TEST(a_misdirected_read_gives_what_another_file_has_as_long_as_that_is_there)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "new", "abcdef");
    append(&bench, "old", "1234");
    CHECK(!sim_disk_misdirect(bench.disk, "none", "old"));
    CHECK(!sim_disk_misdirect(bench.disk, "new", "none"));
    CHECK(sim_disk_misdirect(bench.disk, "new", "old"));
    char part[8];
    CHECK_EQ(bench.door.read(bench.door.context, "new", 0, part, 8), 6);
    CHECK(memcmp(part, "1234\0\0", 6) == 0);
    CHECK_TEXT(content(&bench, "old"), "1234");
    sim_disk_heal(bench.disk);
    CHECK_TEXT(content(&bench, "new"), "abcdef");
    CHECK(sim_disk_misdirect(bench.disk, "new", "old"));
    bench.door.remove(bench.door.context, "old");
    CHECK_EQ(sync_now(&bench, "new"), 0);
    append(&bench, "other", "xyz");
    CHECK_TEXT(content(&bench, "new"), "abcdef");
    sim_disk_free(bench.disk);
}

TEST(damage_ends_where_the_file_is_cut_and_written_again)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abcdef");
    sim_disk_damage(bench.disk, "log", 1, 4, SIM_DISK_FLIP);
    bench.door.truncate(bench.door.context, "log", 2);
    append(&bench, "log", "cdef");
    CHECK_TEXT(content(&bench, "log"), "arcdef");
    sim_disk_free(bench.disk);
}

TEST(a_disk_that_lies_ends_syncs_well_and_keeps_only_what_was_there_before)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    CHECK_EQ(sync_now(&bench, "log"), 0);
    sim_disk_lie(bench.disk);
    append(&bench, "log", "def");
    CHECK_EQ(sync_now(&bench, "log"), 0);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abc");
    sim_disk_heal(bench.disk);
    append(&bench, "log", "ghi");
    CHECK_EQ(sync_now(&bench, "log"), 0);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abcghi");
    sim_disk_free(bench.disk);
}

TEST(a_failing_sync_makes_nothing_durable)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    sim_disk_fail_syncs(bench.disk, 2);
    CHECK_EQ(sync_now(&bench, "log"), (uint64_t)-EIO);
    CHECK_EQ(bench.door.sync(bench.door.context, "log", 1), 0);
    uint64_t token;
    int status;
    CHECK(sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    CHECK_EQ(status, (uint64_t)-EIO);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "(none)");
    append(&bench, "log", "abc");
    CHECK_EQ(sync_now(&bench, "log"), 0);
    CHECK_EQ(sync_now(&bench, "absent"), (uint64_t)-ENOENT);
    sim_disk_free(bench.disk);
}

TEST(a_full_disk_takes_a_part_and_says_so_until_there_is_room)
{
    struct bench bench;
    setup(&bench, 1);
    sim_disk_set_capacity(bench.disk, 5);
    CHECK_EQ(append(&bench, "a", "abc"), 0);
    CHECK_EQ(append(&bench, "b", "defg"), (uint64_t)-ENOSPC);
    CHECK_TEXT(content(&bench, "b"), "de");
    bench.door.remove(bench.door.context, "a");
    CHECK_EQ(append(&bench, "b", "fgh"), 0);
    CHECK_EQ(append(&bench, "b", "i"), (uint64_t)-ENOSPC);
    sim_disk_heal(bench.disk);
    CHECK_EQ(append(&bench, "b", "i"), 0);
    CHECK_TEXT(content(&bench, "b"), "defghi");
    sim_disk_free(bench.disk);
}

TEST_MAIN
