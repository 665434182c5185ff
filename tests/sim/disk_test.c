// The simulated disk: what a crash may take and what it may not.
#include "tests/sim/disk_fixture.h"

TEST(appended_bytes_can_be_read_at_once)
{
    struct bench bench;
    setup(&bench, 1);
    CHECK_TEXT(content(&bench, "log"), "(none)");
    CHECK_EQ(append(&bench, "log", "abc"), 0);
    CHECK_EQ(append(&bench, "log", "def"), 0);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    char part[4] = {0};
    CHECK_EQ(bench.door.read(bench.door.context, "log", 4, part, 3), 2);
    CHECK_TEXT(part, "ef");
    CHECK_EQ(bench.door.read(bench.door.context, "log", 6, part, 3), 0);
    sim_disk_free(bench.disk);
}

TEST(a_crash_that_loses_all_leaves_exactly_what_was_synced)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    CHECK_EQ(sync_now(&bench, "log"), 0);
    append(&bench, "log", "def");
    append(&bench, "other", "x");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abc");
    CHECK_TEXT(content(&bench, "other"), "(none)");
    struct sim_disk_counters counters;
    sim_disk_count(bench.disk, &counters);
    CHECK_EQ(counters.bytes_used, 3);
    CHECK_EQ(counters.bytes_unsynced, 0);
    CHECK_EQ(counters.bytes_lost, 4);
    sim_disk_free(bench.disk);
}

TEST(a_sync_covers_what_was_appended_before_it_started_and_no_more)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    CHECK_EQ(bench.door.sync(bench.door.context, "log", 9), 0);
    CHECK_EQ(bench.bytes, 3);
    append(&bench, "log", "def");
    uint64_t token = 0;
    int status = 1;
    CHECK(sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    CHECK_EQ(token, 9);
    CHECK_EQ(status, 0);
    CHECK(!sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abc");
    sim_disk_free(bench.disk);
}

TEST(a_sync_under_way_at_a_crash_has_promised_nothing)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    bench.door.sync(bench.door.context, "log", 9);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "(none)");
    uint64_t token;
    int status;
    CHECK(!sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    sim_disk_free(bench.disk);
}

TEST(syncs_may_end_in_another_order_than_they_started)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abc");
    bench.door.sync(bench.door.context, "log", 1);
    append(&bench, "log", "def");
    bench.door.sync(bench.door.context, "log", 2);
    uint64_t token;
    int status;
    CHECK(sim_disk_complete(bench.disk, bench.started[1], &token, &status));
    CHECK(sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    CHECK_EQ(token, 1);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    sim_disk_free(bench.disk);
}

TEST(a_lost_tail_is_a_prefix_of_any_length)
{
    bool seen[8] = {false};
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bench bench;
        setup(&bench, seed);
        append(&bench, "log", "abc");
        sync_now(&bench, "log");
        append(&bench, "log", "defg");
        crash(&bench, SIM_DISK_LOSE_TAIL);
        const char *left = content(&bench, "log");
        CHECK(strlen(left) >= 3 && strncmp(left, "abcdefg", strlen(left)) == 0);
        seen[strlen(left)] = true;
        sim_disk_free(bench.disk);
    }
    CHECK(seen[3] && seen[4] && seen[5] && seen[6] && seen[7]);
}

TEST(a_read_may_return_less_than_was_asked_for)
{
    struct bench bench;
    uint8_t expected[4000], left[4000];
    setup(&bench, 1);
    write_sectors(&bench, expected);
    CHECK_EQ(bench.door.read(bench.door.context, "log", 500, left, 100), 12);
    CHECK_EQ(bench.door.read(bench.door.context, "log", 512, left, 4000), 512);
    CHECK_EQ(read_log(&bench, left, sizeof(left)), 4000);
    CHECK(memcmp(left, expected, sizeof(left)) == 0);
    sim_disk_free(bench.disk);
}

TEST(lost_sectors_read_as_zeros_and_synced_bytes_stay)
{
    uint32_t holes = 0, whole = 0, shorter = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct bench bench;
        uint8_t expected[4000], left[4096];
        setup(&bench, seed);
        write_sectors(&bench, expected);
        crash(&bench, SIM_DISK_LOSE_SECTORS);
        int64_t size = read_log(&bench, left, sizeof(left));
        CHECK(size >= 1000 && size <= 4000);
        shorter += size < 4000;
        CHECK(memcmp(left, expected, 1000) == 0);
        bool lost_before = false;
        for (int64_t at = 1000; at < size; at = (at / 512 + 1) * 512) {
            int64_t end = (at / 512 + 1) * 512 < size ? (at / 512 + 1) * 512 : size;
            bool kept = left[at] != 0;
            for (int64_t i = at; i < end; i++) {
                CHECK_EQ(left[i], kept ? expected[i] : 0);
            }
            holes += kept && lost_before;
            whole += kept;
            lost_before |= !kept;
        }
        sim_disk_free(bench.disk);
    }
    CHECK(holes > 50 && whole > 100 && shorter > 100);
}

TEST(a_rename_is_lost_or_kept_as_a_whole)
{
    bool lost = false, kept = false;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct bench bench;
        setup(&bench, seed);
        append(&bench, "state", "old");
        sync_now(&bench, "state");
        append(&bench, "state.new", "new");
        sync_now(&bench, "state.new");
        CHECK_EQ(bench.door.rename(bench.door.context, "state.new", "state"), 0);
        CHECK_TEXT(content(&bench, "state"), "new");
        CHECK_TEXT(content(&bench, "state.new"), "(none)");
        crash(&bench, seed % 2 ? SIM_DISK_LOSE_TAIL : SIM_DISK_LOSE_SECTORS);
        bool old = strcmp(content(&bench, "state"), "old") == 0;
        CHECK_TEXT(content(&bench, "state"), old ? "old" : "new");
        CHECK_TEXT(content(&bench, "state.new"), old ? "new" : "(none)");
        lost |= old;
        kept |= !old;
        sim_disk_free(bench.disk);
    }
    CHECK(lost && kept);
}

TEST(a_synced_rename_survives_every_crash)
{
    for (int mode = 0; mode < SIM_DISK_CRASH_MODE_COUNT; mode++) {
        struct bench bench;
        setup(&bench, 5);
        append(&bench, "state", "old");
        sync_now(&bench, "state");
        append(&bench, "state.new", "new");
        bench.door.rename(bench.door.context, "state.new", "state");
        CHECK_EQ(sync_now(&bench, "state"), 0);
        crash(&bench, (enum sim_disk_crash_mode)mode);
        CHECK_TEXT(content(&bench, "state"), "new");
        CHECK_TEXT(content(&bench, "state.new"), "(none)");
        sim_disk_free(bench.disk);
    }
}

TEST(a_renamed_file_without_synced_bytes_may_come_back_empty)
{
    bool empty = false;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct bench bench;
        setup(&bench, seed);
        append(&bench, "state.new", "new");
        bench.door.rename(bench.door.context, "state.new", "state");
        crash(&bench, SIM_DISK_LOSE_TAIL);
        empty |= strcmp(content(&bench, "state"), "") == 0;
        sim_disk_free(bench.disk);
    }
    CHECK(empty);
}

TEST(a_removal_is_undone_unless_any_file_was_synced_after_it)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "a", "1");
    sync_now(&bench, "a");
    append(&bench, "b", "2");
    sync_now(&bench, "b");
    CHECK_EQ(bench.door.remove(bench.door.context, "a"), 0);
    CHECK_EQ(bench.door.remove(bench.door.context, "a"), (uint64_t)-ENOENT);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "a"), "1");
    bench.door.remove(bench.door.context, "a");
    sync_now(&bench, "b");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "a"), "(none)");
    CHECK_TEXT(content(&bench, "b"), "2");
    sim_disk_free(bench.disk);
}

TEST(a_sync_does_not_make_another_new_file_durable)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "a", "1");
    append(&bench, "b", "2");
    sync_now(&bench, "b");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "a"), "(none)");
    CHECK_TEXT(content(&bench, "b"), "2");
    sim_disk_free(bench.disk);
}

TEST(a_name_used_again_refers_to_the_new_file)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "a", "first");
    sync_now(&bench, "a");
    bench.door.remove(bench.door.context, "a");
    append(&bench, "a", "second");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "a"), "first");
    bench.door.remove(bench.door.context, "a");
    append(&bench, "a", "third");
    sync_now(&bench, "a");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "a"), "third");
    sim_disk_free(bench.disk);
}

TEST(a_cut_that_was_not_synced_may_be_undone)
{
    bool undone = false, old_tail = false, kept = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct bench bench;
        setup(&bench, seed);
        append(&bench, "log", "abcdef");
        sync_now(&bench, "log");
        CHECK_EQ(bench.door.truncate(bench.door.context, "log", 4), 0);
        CHECK_EQ(bench.door.truncate(bench.door.context, "log", 2), 0);
        append(&bench, "log", "XY");
        CHECK_TEXT(content(&bench, "log"), "abXY");
        crash(&bench, seed % 2 ? SIM_DISK_LOSE_TAIL : SIM_DISK_LOSE_SECTORS);
        const char *left = content(&bench, "log");
        CHECK(strncmp(left, "ab", 2) == 0);
        undone |= strcmp(left, "abcdef") == 0;
        old_tail |= strcmp(left, "abXYef") == 0;
        kept |= strcmp(left, "abXY") == 0;
        sim_disk_free(bench.disk);
    }
    CHECK(undone && old_tail && kept);
}

TEST(a_cut_that_was_not_synced_may_bring_back_what_never_was)
{
    bool whole = false, behind = false, kept = false;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct bench bench;
        setup(&bench, seed);
        append(&bench, "log", "ab");
        sync_now(&bench, "log");
        append(&bench, "log", "cdef");
        CHECK_EQ(bench.door.truncate(bench.door.context, "log", 2), 0);
        append(&bench, "log", "XY");
        crash(&bench, SIM_DISK_LOSE_SECTORS);
        const char *left = content(&bench, "log");
        CHECK(strncmp(left, "ab", 2) == 0);
        whole |= strcmp(left, "abcdef") == 0;
        behind |= strcmp(left, "abXYef") == 0;
        kept |= strcmp(left, "abXY") == 0;
        sim_disk_free(bench.disk);
    }
    CHECK(whole && behind && kept);
}

TEST(a_synced_cut_is_durable)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abcdef");
    sync_now(&bench, "log");
    bench.door.truncate(bench.door.context, "log", 2);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    bench.door.truncate(bench.door.context, "log", 2);
    sync_now(&bench, "log");
    append(&bench, "log", "XYZ");
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "ab");
    CHECK_EQ(bench.door.truncate(bench.door.context, "log", 3), (uint64_t)-EINVAL);
    sim_disk_free(bench.disk);
}

TEST(a_sync_that_ends_after_a_cut_brings_nothing_back)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log", "abcdef");
    bench.door.sync(bench.door.context, "log", 1);
    bench.door.truncate(bench.door.context, "log", 2);
    append(&bench, "log", "XY");
    uint64_t token;
    int status;
    CHECK(sim_disk_complete(bench.disk, bench.started[0], &token, &status));
    CHECK_EQ(status, 0);
    CHECK_TEXT(content(&bench, "log"), "abXY");
    // The cut itself has not been synced, so that a crash may undo it.
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&bench, "log"), "abcdef");
    sim_disk_free(bench.disk);
}

static void add_line(void *argument, const char *name, uint64_t size)
{
    char *text = argument;
    sprintf(text + strlen(text), "%s=%" PRIu64 " ", name, size);
}

TEST(files_are_listed_by_name)
{
    struct bench bench;
    setup(&bench, 1);
    append(&bench, "log-2", "ab");
    append(&bench, "state", "");
    append(&bench, "log-1", "abc");
    char text[256] = "";
    CHECK_EQ(bench.door.list(bench.door.context, add_line, text), 0);
    CHECK_TEXT(text, "log-1=3 log-2=2 state=0 ");
    sim_disk_free(bench.disk);
}

TEST(a_clone_goes_its_own_way)
{
    struct bench bench, twin;
    setup(&bench, 1);
    setup(&twin, 1);
    sim_disk_free(twin.disk);
    append(&bench, "log", "abc");
    sync_now(&bench, "log");
    bench.door.truncate(bench.door.context, "log", 1);
    append(&bench, "log", "xy");
    bench.door.sync(bench.door.context, "log", 4);
    struct sim_disk_hooks hooks = {&twin, note_sync};
    twin.disk = sim_disk_clone(bench.disk, &hooks);
    sim_disk_door(twin.disk, &twin.door);
    CHECK_EQ(sim_disk_hash(twin.disk), sim_disk_hash(bench.disk));
    uint64_t token;
    int status;
    CHECK(sim_disk_complete(twin.disk, bench.started[0], &token, &status));
    CHECK_EQ(token, 4);
    append(&twin, "log", "more");
    crash(&twin, SIM_DISK_LOSE_ALL);
    crash(&bench, SIM_DISK_LOSE_ALL);
    CHECK_TEXT(content(&twin, "log"), "axy");
    CHECK_TEXT(content(&bench, "log"), "abc");
    sim_disk_free(bench.disk);
    sim_disk_free(twin.disk);
}

// ---- a random walk against the promise ------------------------------------------

struct promise {
    char synced[4096]; // what the file held when the last sync ended
    char written[4096];
};

// One file, any operations: what was synced, and not cut since, is always there.
static void walk_step(struct bench *bench, struct promise *promise)
{
    uint64_t choice = random_below(&bench->random, 10);
    size_t size = strlen(promise->written);
    if (choice < 6 && size < 4000) {
        char text[2] = {(char)('a' + random_below(&bench->random, 26)), '\0'};
        append(bench, "log", text);
        strcat(promise->written, text);
    } else if (choice < 8) {
        if (sync_now(bench, "log") == 0) {
            strcpy(promise->synced, promise->written);
        }
    } else if (choice < 9 && size > 0) {
        uint64_t to = random_between(&bench->random, size - size / 4, size);
        bench->door.truncate(bench->door.context, "log", to);
        bench->door.sync(bench->door.context, "log", 0);
        promise->written[to] = '\0';
        strcpy(promise->synced, promise->written);
    } else {
        uint64_t mode = random_below(&bench->random, SIM_DISK_CRASH_MODE_COUNT);
        crash(bench, (enum sim_disk_crash_mode)mode);
        static char left[8192];
        int64_t read = read_log(bench, (uint8_t *)left, 8191);
        size_t kept = strlen(promise->synced);
        CHECK((size_t)read >= kept && (size_t)read <= size);
        CHECK(memcmp(left, promise->synced, kept) == 0);
        // Holes are cut off, as a log would do.
        left[read] = '\0';
        if (strlen(left) < (size_t)read) {
            bench->door.truncate(bench->door.context, "log", strlen(left));
            sync_now(bench, "log");
        }
        strcpy(promise->written, left);
    }
}

TEST(no_synced_byte_is_ever_lost)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct bench bench;
        static struct promise promise;
        memset(&promise, 0, sizeof(promise));
        setup(&bench, seed);
        for (int step = 0; step < 500; step++) {
            walk_step(&bench, &promise);
        }
        sim_disk_free(bench.disk);
    }
}

TEST(the_same_seed_leaves_the_same_bytes)
{
    uint64_t hashes[2];
    for (int round = 0; round < 2; round++) {
        struct bench bench;
        uint8_t expected[4000];
        setup(&bench, 77);
        write_sectors(&bench, expected);
        append(&bench, "other", "x");
        crash(&bench, SIM_DISK_LOSE_SECTORS);
        hashes[round] = sim_disk_hash(bench.disk);
        sim_disk_free(bench.disk);
    }
    CHECK_EQ(hashes[0], hashes[1]);
}

TEST_MAIN
