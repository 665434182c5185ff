// A crash at every operation of many histories, and what survives it.
//
// The claim: what is found is exactly what some prefix of the records written makes,
// and no shorter one than what completed syncs have reported durable; and all of it
// that lies behind the newest snapshot.
// Many small segments, which are copied often.
#define MEMORY_FILES_MAX  32
#define MEMORY_FILE_BYTES (4 * 1024)

#include "tests/host/log_fixture.h"

enum { RECORDS_MAX = 200, MASKS = 5 };

static struct fixture fixture;
static struct memory_disk before;

// The log after each record, as the writer means it.
static struct content model[RECORDS_MAX + 1];
static uint32_t written;
static uint32_t syncing;
static uint32_t durable;

// The snapshots on the disk, the newest and the one before: durable at once.
struct snapshot {
    raft_index index;
    raft_term term;
    bool taken; // else received
};
static struct snapshot newest;
static struct snapshot previous;

static bool snapshots; // are part of the history

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static struct content *model_next(void)
{
    CHECK(written < RECORDS_MAX);
    model[written + 1] = model[written];
    return &model[++written];
}

static int write_vote(uint64_t *random)
{
    struct content *content = model_next();
    struct raft_hard_state *state = &content->hard_state;
    if (state->voted_for == 0 && random_next(random) % 2 == 0) {
        state->voted_for = (raft_id)(1 + random_next(random) % 3);
    } else {
        state->current_term += 1 + random_next(random) % 2;
        state->voted_for = (raft_id)(random_next(random) % 3);
    }
    return fixture_vote(&fixture, state->current_term, state->voted_for);
}

// Most follow the last entry; some replace a few, but none that a snapshot holds.
static int write_entry(uint64_t *random)
{
    struct content *content = model_next();
    raft_index back = random_next(random) % 4 == 0 ? random_next(random) % 5 : 0;
    if (back > content->last_index - newest.index)
        back = content->last_index - newest.index;
    raft_index index = content->last_index + 1 - back;
    content->last_index = index;
    content->terms[index] = content->hard_state.current_term;
    content->sizes[index] = (uint32_t)(random_next(random) % 400);
    return fixture_put(&fixture, index, content->terms[index], content->sizes[index]);
}

static void add_snapshot(raft_index index, raft_term term, bool taken)
{
    previous = newest;
    newest = (struct snapshot){index, term, taken};
}

// Of something durable; the log is kept from the snapshot before on.
static int take_snapshot(uint64_t *random)
{
    const struct content *applied = &model[durable];
    const struct content *now = &model[written];
    raft_index index = newest.index + 1 + random_next(random) % 8;
    if (index > applied->last_index || index > now->last_index ||
        applied->terms[index] != now->terms[index])
        return 0;
    add_snapshot(index, now->terms[index], true);
    durable_log_compact(&fixture.log, previous.index);
    return 0;
}

// Of entries that this log lacks, from a leader of a later term.
static int receive_snapshot(uint64_t *random)
{
    struct content *content = model_next();
    content->hard_state.current_term++;
    content->hard_state.voted_for = 0;
    raft_term term = content->hard_state.current_term;
    int status = fixture_vote(&fixture, term, 0);
    if (status != 0)
        return status;
    raft_index index = newest.index + 1 + random_next(random) % 12;
    add_snapshot(index, term, false);
    content = model_next();
    content->base = content->last_index = index;
    content->terms[index] = term;
    return fixture_restart(&fixture, index, term);
}

static int start_sync(void)
{
    struct disk disk = memory_disk_interface(&fixture.disk);
    syncing = written;
    return durable_log_sync(&fixture.log, &disk, 1);
}

static int end_sync(void)
{
    int status = memory_disk_end_sync(&fixture.disk);
    if (status != 0)
        return status;
    durable_log_synced(&fixture.log);
    durable = syncing;
    return 0;
}

static int act(uint64_t *random)
{
    uint64_t choice = random_next(random) % (snapshots ? 11 : 8);
    if (choice == 0 || written == 0)
        return write_vote(random);
    if (choice <= 4)
        return write_entry(random);
    if (choice >= 8)
        return choice == 8 && random_next(random) % 4 == 0 ? receive_snapshot(random)
                                                           : take_snapshot(random);
    return fixture.disk.pending_token != 0 ? end_sync() : start_sync();
}

// Runs until the crash; false where there was none.
static bool run_history(uint64_t seed, uint64_t crash_at, uint32_t actions)
{
    uint64_t random = seed;
    memset(&model[0], 0, sizeof model[0]);
    written = syncing = durable = 0;
    newest = previous = (struct snapshot){0};
    fixture_init(&fixture, snapshots ? 600 : 900);
    fixture.disk.crash_at = crash_at;
    int status = fixture_create(&fixture);
    for (uint32_t i = 0; i < actions && status == 0; i++)
        status = act(&random);
    return status != 0;
}

// What the log makes together with a snapshot.
static struct content behind(const struct content *log, const struct snapshot *snapshot)
{
    struct content expected = *log;
    if (snapshot->index == 0)
        return expected;
    expected.base = snapshot->index;
    if (log->last_index >= snapshot->index &&
        log->terms[snapshot->index] == snapshot->term)
        return expected;
    expected.last_index = snapshot->index;
    if (expected.hard_state.current_term < snapshot->term)
        expected.hard_state = (struct raft_hard_state){snapshot->term, 0};
    return expected;
}

static bool same_content(const struct content *a, const struct content *b)
{
    if (a->hard_state.current_term != b->hard_state.current_term ||
        a->hard_state.voted_for != b->hard_state.voted_for || a->base != b->base ||
        a->last_index != b->last_index)
        return false;
    for (raft_index i = a->base + 1; i <= a->last_index; i++) {
        if (a->terms[i] != b->terms[i] || a->sizes[i] != b->sizes[i])
            return false;
    }
    return true;
}

// How many records make what was found; fails where no allowed number does.
static uint32_t find_prefix(const struct content *content,
                            const struct snapshot *snapshot)
{
    for (uint32_t count = written + 1; count-- > durable;) {
        struct content expected = behind(&model[count], snapshot);
        if (same_content(content, &expected))
            return count;
    }
    test_fail(__FILE__, __LINE__, "what was found is none of what was written");
}

static struct opened open_newest(struct memory_disk *disk)
{
    struct opened opened = fixture_open_behind(disk, newest.index, newest.term);
    CHECK_TEXT(opened.error, "");
    return opened;
}

// A second crash, at each operation of the recovery, must not change the outcome.
static void crash_while_opening(const struct memory_disk *crashed, uint64_t mask)
{
    for (uint64_t crash_at = 1;; crash_at++) {
        memory_disk_copy(&fixture.disk, crashed);
        fixture.disk.crash_at = crash_at;
        bool ok = fixture_open_behind(&fixture.disk, newest.index, newest.term).ok;
        memory_disk_crash(&fixture.disk, mask);
        struct opened opened = open_newest(&fixture.disk);
        find_prefix(&opened.content, &newest);
        if (ok)
            return;
        CHECK(crash_at < 10);
    }
}

// The newest snapshot turns out to be damaged: the one before, and the log from there.
static void check_previous(const struct memory_disk *crashed)
{
    if (!newest.taken)
        return;
    memory_disk_copy(&before, crashed);
    struct opened opened = fixture_open_behind(&before, previous.index, previous.term);
    CHECK_TEXT(opened.error, "");
    find_prefix(&opened.content, &previous);
}

static void check_crash(uint64_t mask, bool twice)
{
    static struct fixture crashed;
    fixture_copy(&crashed, &fixture);
    memory_disk_crash(&crashed.disk, mask);
    if (twice)
        crash_while_opening(&crashed.disk, ~mask >> 3);
    check_previous(&crashed.disk);
    fixture_copy(&fixture, &crashed);
    struct opened opened = open_newest(&fixture.disk);
    uint32_t count = find_prefix(&opened.content, &newest);

    // The node goes on, and crashes again: what was synced since is there.
    struct content expected = behind(&model[count], &newest);
    fixture_resume(&fixture, &opened);
    raft_index index = ++expected.last_index;
    expected.hard_state.current_term++;
    expected.hard_state.voted_for = 0;
    expected.terms[index] = expected.hard_state.current_term;
    expected.sizes[index] = 77;
    fixture_vote(&fixture, expected.hard_state.current_term, 0);
    fixture_put(&fixture, index, expected.terms[index], 77);
    fixture_sync(&fixture);
    memory_disk_crash(&fixture.disk, mask);
    opened = open_newest(&fixture.disk);
    CHECK(same_content(&opened.content, &expected));
}

static void crash_everywhere(uint64_t first_seed, uint64_t last_seed, bool twice)
{
    uint64_t masks = 12345;
    uint64_t segments = 0;
    uint64_t removed = 0;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
        for (uint64_t crash_at = 1; run_history(seed, crash_at, snapshots ? 90 : 45);
             crash_at++) {
            static struct fixture crashed;
            fixture_copy(&crashed, &fixture);
            for (int i = 0; i < MASKS; i++) {
                uint64_t high = random_next(&masks) << 33;
                uint64_t mask = high ^ random_next(&masks) << 8 ^ random_next(&masks);
                fixture_copy(&fixture, &crashed);
                check_crash(i == 0 ? 0 : i == 1 ? UINT64_MAX : mask, twice);
            }
        }
        segments += fixture.log.segment.number;
        removed += fixture.log.segments_removed;
    }
    CHECK(segments >= 3 * (last_seed - first_seed + 1)); // rotation was part of it
    CHECK(!snapshots || removed >= 2 * (last_seed - first_seed + 1));
}

// LAB 3 step 7, 1 point: STATE-0
TEST(no_crash_at_any_operation_loses_what_was_reported_durable)
{
    crash_everywhere(1, 12, false);
}

TEST(a_crash_while_a_crash_is_repaired_changes_nothing)
{
    crash_everywhere(100, 103, true);
}

TEST(no_crash_between_snapshots_restarts_and_removals_leaves_a_hole)
{
    snapshots = true;
    crash_everywhere(1, 8, false);
}

TEST(a_crash_while_a_log_is_begun_anew_is_repaired_like_the_first)
{
    snapshots = true;
    crash_everywhere(100, 102, true);
}

// The same claim with the process killed and the machine up: nothing is lost at all
// but the operation that was cut short.
TEST(a_killed_process_loses_at_most_the_write_it_was_in)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        for (uint64_t crash_at = 1; run_history(seed, crash_at, snapshots ? 90 : 45);
             crash_at++) {
            memory_disk_copy(&before, &fixture.disk);
            before.crashed = false;
            before.crash_at = 0;
            struct opened opened = open_newest(&before);
            CHECK(find_prefix(&opened.content, &newest) + 1 >= written);
        }
    }
}

TEST_MAIN
