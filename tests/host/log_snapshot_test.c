// The log beside snapshots: begun anew behind one, cut off in front, checked against
// it.
#include "tests/host/log_fixture.h"

static struct fixture fixture;
static struct memory_disk copy;

static void start(uint64_t segment_bytes_max)
{
    fixture_init(&fixture, segment_bytes_max);
    CHECK_EQ(fixture_create(&fixture), 0);
    CHECK_EQ(fixture_vote(&fixture, 2, 1), 0);
}

// Entries first..last, in segments of about three.
static void put_all(raft_index first, raft_index last, raft_term term)
{
    for (raft_index i = first; i <= last; i++)
        CHECK_EQ(fixture_put(&fixture, i, term, 60), 0);
}

static bool has_file(const char *name)
{
    const struct memory_file *file = memory_disk_find(&fixture.disk, name);
    return file != NULL && file->now.exists;
}

static void remove_file(const char *name)
{
    CHECK_EQ(memory_disk_remove(&fixture.disk, name), 0);
}

// ---- begun anew -----------------------------------------------------------------

TEST(a_restart_drops_all_before_it_and_goes_on_behind_the_snapshot)
{
    start(1 << 20);
    put_all(1, 9, 1);
    CHECK_EQ(fixture_restart(&fixture, 7, 2), 0);
    put_all(8, 10, 2);
    struct opened opened = fixture_open_behind(&fixture.disk, 7, 2);
    CHECK(opened.ok);
    CHECK(!opened.dropped);
    CHECK_EQ(opened.first_index, 8);
    CHECK_EQ(opened.content.last_index, 10);
    CHECK_EQ(opened.content.terms[8], 2);
}

TEST(an_index_and_a_term_stand_in_a_restarts_record)
{
    start(1 << 20);
    uint64_t offset = fixture.log.end;
    CHECK_EQ(fixture_restart(&fixture, 259, 2), 0);
    const uint8_t *bytes = memory_disk_find(&fixture.disk, SEGMENT(1))->now.bytes;
    CHECK_EQ(fixture.log.end, offset + 40);
    CHECK(memcmp(bytes + offset + 8, "\3\1\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 16) == 0);
    CHECK(memcmp(bytes + offset + 32, "\0\0\0\0\x10\0\0\0", 8) == 0);
}

TEST(one_write_begins_anew_between_its_hard_state_and_its_entries)
{
    start(1 << 20);
    put_all(1, 3, 1);
    struct raft_hard_state hard_state = {.current_term = 6};
    struct raft_snapshot_meta restart = {.last_included_index = 20,
                                         .last_included_term = 6};
    struct raft_entry entry = {.index = 21,
                               .term = 6,
                               .type = RAFT_ENTRY_COMMAND,
                               .size = 4,
                               .data = fixture_payload(21, 6, 4)};
    struct durable_log_write write = {.hard_state = &hard_state,
                                      .restart = &restart,
                                      .entries = &entry,
                                      .entry_count = 1};
    struct disk disk = memory_disk_interface(&fixture.disk);
    CHECK_EQ(durable_log_append(&fixture.log, &disk, &write), 0);
    struct opened opened = fixture_open_behind(&fixture.disk, 20, 6);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.last_index, 21);
    CHECK_EQ(opened.content.hard_state.current_term, 6);
}

TEST(a_restart_of_a_term_that_was_never_made_durable_is_refused)
{
    start(1 << 20);
    fixture.log.hard_state.current_term = 3; // in memory only
    CHECK_EQ(fixture_restart(&fixture, 9, 3), 0);
    fixture_refused_behind(&fixture.disk, 9, 3,
                           SEGMENT(1) ": offset 144: a snapshot of a term yet to come");
}

TEST(an_entry_that_a_snapshot_had_replaced_is_refused)
{
    start(1 << 20);
    CHECK_EQ(fixture_restart(&fixture, 9, 2), 0);
    put_all(9, 9, 2);
    fixture_refused_behind(
        &fixture.disk, 9, 2,
        SEGMENT(1) ": offset 184: an entry that a snapshot had replaced");
}

TEST(a_restart_behind_an_older_snapshot_is_refused)
{
    start(1 << 20);
    CHECK_EQ(fixture_restart(&fixture, 9, 2), 0);
    CHECK_EQ(fixture_restart(&fixture, 8, 2), 0);
    fixture_refused_behind(
        &fixture.disk, 9, 2,
        SEGMENT(1) ": offset 184: a snapshot that another had replaced");
}

// ---- the log and the newest good snapshot (rule 6) ------------------------------

// Bugs 39 and 41: what a snapshot holds is never replayed on top of it.
TEST(entries_that_the_snapshot_holds_are_not_loaded_again)
{
    start(400);
    put_all(1, 20, 2);
    CHECK(fixture.log.segment.number > 4);
    for (raft_index index = 1; index <= 20; index++) {
        copy = fixture.disk;
        struct opened opened = fixture_open_behind(&copy, index, 2);
        CHECK_TEXT(opened.error, ""); // the fixture checks that index + 1 comes first
        CHECK(!opened.dropped);
        CHECK_EQ(opened.first_index, 1);
        CHECK_EQ(opened.content.last_index, 20);
    }
}

TEST(a_log_that_ends_before_the_snapshot_begins_anew_behind_it)
{
    start(1 << 20);
    put_all(1, 5, 1);
    struct opened opened = fixture_open_behind(&fixture.disk, 6, 1);
    CHECK(opened.ok);
    CHECK(opened.dropped);
    CHECK_EQ(opened.first_index, 7);
    CHECK_EQ(opened.content.last_index, 6);
    CHECK_EQ(opened.content.hard_state.current_term, 2);
    CHECK_EQ(opened.content.hard_state.voted_for, 1);
    memory_disk_crash(&fixture.disk, 0);
    opened = fixture_open_behind(&fixture.disk, 6, 1);
    CHECK(opened.ok);
    CHECK(!opened.dropped); // it was durable
    CHECK_EQ(opened.first_index, 7);
}

TEST(a_snapshot_of_a_later_term_raises_the_term_and_no_vote_was_given_in_it)
{
    start(1 << 20);
    put_all(1, 5, 1);
    struct opened opened = fixture_open_behind(&fixture.disk, 6, 4);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.hard_state.current_term, 4);
    CHECK_EQ(opened.content.hard_state.voted_for, 0);
    opened = fixture_open_behind(&fixture.disk, 6, 4);
    CHECK_EQ(opened.content.hard_state.current_term, 4);
    CHECK_EQ(opened.content.hard_state.voted_for, 0);
}

TEST(another_term_at_the_snapshots_last_index_drops_the_log)
{
    start(400);
    put_all(1, 12, 1);
    struct opened opened = fixture_open_behind(&fixture.disk, 6, 2);
    CHECK(opened.ok);
    CHECK(opened.dropped);
    CHECK_EQ(opened.content.last_index, 6);
    fixture_resume(&fixture, &opened);
    put_all(7, 8, 2);
    opened = fixture_open_behind(&fixture.disk, 6, 2);
    CHECK(opened.ok);
    CHECK_EQ(opened.content.last_index, 8);
    CHECK_EQ(opened.content.terms[7], 2);
}

// The term that counts is that of the entry which is there at last.
TEST(a_replaced_entry_does_not_match_the_snapshot)
{
    start(1 << 20);
    put_all(1, 6, 1);
    put_all(4, 6, 2);
    copy = fixture.disk;
    CHECK(fixture_open_behind(&copy, 5, 1).dropped);
    copy = fixture.disk;
    CHECK(!fixture_open_behind(&copy, 5, 2).dropped);
    put_all(4, 4, 2);
    CHECK(fixture_open_behind(&fixture.disk, 5, 2).dropped); // 5 is gone
}

TEST(a_log_begun_anew_behind_another_term_than_the_snapshots_is_refused)
{
    start(1 << 20);
    CHECK_EQ(fixture_restart(&fixture, 9, 1), 0);
    fixture_refused_behind(&fixture.disk, 9, 2,
                           SEGMENT(1) ": offset 144: the log begins behind entry 9 of "
                                      "term 1, but in the snapshot its term is 2");
}

TEST(a_log_that_begins_behind_the_newest_good_snapshot_is_refused)
{
    start(1 << 20);
    put_all(1, 5, 1);
    CHECK_EQ(fixture_restart(&fixture, 9, 2), 0);
    put_all(10, 12, 2);
    copy = fixture.disk;
    char expected[200];
    snprintf(expected, sizeof expected,
             SEGMENT(1) ": offset %d: the log begins with entry 10 here, but ",
             144 + 5 * (40 + 64));
    size_t size = strlen(expected);
    snprintf(expected + size, sizeof expected - size,
             "the newest good snapshot ends at 4");
    fixture_refused_behind(&copy, 4, 1, expected);
    snprintf(expected + size, sizeof expected - size, "there is no good snapshot");
    fixture_refused_behind(&copy, 0, 0, expected);
    CHECK(memcmp(&copy, &fixture.disk, sizeof copy) == 0); // and left as it is
}

TEST(a_snapshot_without_any_log_is_refused)
{
    fixture_init(&fixture, 400);
    const char *refusal =
        SEGMENT(1) ": offset 0: there is a snapshot, but no log: the node's vote "
                   "is lost";
    fixture_refused_behind(&fixture.disk, 5, 1, refusal);
    CHECK_EQ(fixture_create(&fixture), 0);
    memory_disk_find(&fixture.disk, SEGMENT(1))->now.size = 50; // torn
    fixture_refused_behind(&fixture.disk, 5, 1, refusal);
}

TEST(a_restart_written_by_opening_is_durable_before_anything_says_so)
{
    start(1 << 20);
    put_all(1, 3, 1);
    fixture_put(&fixture, 4, 1, 512 - (uint32_t)fixture.log.end % 512 + 400);
    struct opened opened = fixture_open_behind(&fixture.disk, 9, 2);
    CHECK(opened.dropped);
    fixture_resume(&fixture, &opened);
    fixture_put(&fixture, 10, 2, 512);
    fixture_put(&fixture, 11, 2, 512); // says that the restart was durable
    for (uint64_t mask = 0; mask < 64; mask++) {
        copy = fixture.disk;
        memory_disk_crash(&copy, mask);
        opened = fixture_open_behind(&copy, 9, 2);
        CHECK_TEXT(opened.error, "");
        CHECK(!opened.dropped);
    }
}

// ---- segments that go -----------------------------------------------------------

TEST(each_sync_removes_one_segment_the_oldest_first_and_never_the_last)
{
    start(400);
    put_all(1, 13, 2);
    uint64_t last = fixture.log.segment.number;
    CHECK_EQ(last, 5);
    fixture_sync(&fixture);
    CHECK(has_file(SEGMENT(1)));
    durable_log_compact(&fixture.log, 13);
    CHECK(has_file(SEGMENT(1)));
    for (uint64_t gone = 1; gone < last; gone++) {
        fixture_sync(&fixture);
        CHECK_EQ(fixture.log.segments_removed, gone);
        char name[LOG_NAME_BYTES];
        log_format_name(name, gone);
        CHECK(!has_file(name));
        log_format_name(name, gone + 1);
        CHECK(has_file(name));
    }
    fixture_sync(&fixture);
    fixture_sync(&fixture);
    CHECK(has_file(SEGMENT(5)));
    CHECK_EQ(fixture.log.segments_removed, 4);
}

// The first one holds no entry at all, and yet the log may not begin behind it.
TEST(a_segment_of_hard_states_stays_where_there_is_no_snapshot)
{
    start(400);
    for (raft_term term = 3; term <= 20; term++)
        CHECK_EQ(fixture_vote(&fixture, term, 2), 0);
    put_all(1, 3, 20);
    CHECK(fixture.log.segment.number > 2);
    fixture_sync(&fixture);
    fixture_sync(&fixture);
    CHECK(has_file(SEGMENT(1)));
    struct opened opened = fixture_open_behind(&fixture.disk, 0, 0);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.last_index, 3);
}

TEST(a_segment_stays_while_anything_in_it_lies_above_the_index)
{
    start(400);
    put_all(1, 6, 1);
    uint64_t number = fixture.log.segment.number;
    put_all(3, 12, 2); // segments with replaced entries, too
    CHECK(fixture.log.segment.number > number + 2);
    durable_log_compact(&fixture.log, 3);
    for (int i = 0; i < 10; i++)
        fixture_sync(&fixture);
    CHECK_EQ(fixture.log.segments_removed, 1); // it holds 1 to 3 of term 1
    durable_log_compact(&fixture.log, 2);      // does not go back
    struct opened opened = fixture_open_behind(&fixture.disk, 3, 2);
    CHECK_TEXT(opened.error, "");
    CHECK_EQ(opened.content.last_index, 12);
}

TEST(removal_goes_on_after_a_restart_of_the_node)
{
    start(400);
    put_all(1, 13, 2);
    for (uint64_t gone = 1; gone <= 4; gone++) {
        struct opened opened = fixture_open_behind(&fixture.disk, 13, 2);
        CHECK_TEXT(opened.error, "");
        CHECK_EQ(opened.content.last_index, 13);
        fixture_resume(&fixture, &opened);
        durable_log_compact(&fixture.log, 13);
        fixture_sync(&fixture);
        CHECK(!has_file(gone == 1   ? SEGMENT(1)
                        : gone == 2 ? SEGMENT(2)
                        : gone == 3 ? SEGMENT(3)
                                    : SEGMENT(4)));
    }
    CHECK(has_file(SEGMENT(5)));
}

// Bug 59: one removal that is undone, or comes without the one before, is a hole.
TEST(no_removal_is_asked_for_before_the_one_before_is_durable)
{
    start(400);
    put_all(1, 13, 2);
    fixture_sync(&fixture);
    durable_log_compact(&fixture.log, 13);
    struct disk disk = memory_disk_interface(&fixture.disk);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(durable_log_sync(&fixture.log, &disk, 1), 0);
        for (uint32_t undone = 0; undone < 16; undone++) {
            copy = fixture.disk;
            uint64_t mask = 0;
            for (uint32_t slot = 0; slot < 4; slot++)
                mask |= undone >> slot & 1 ? KEEP_REMOVED(slot) : 0;
            memory_disk_crash(&copy, mask);
            CHECK_TEXT(fixture_open_behind(&copy, 13, 2).error, "");
        }
        CHECK_EQ(memory_disk_end_sync(&fixture.disk), 0);
        durable_log_synced(&fixture.log);
    }
    CHECK_EQ(fixture.log.segments_removed, 4);
}

TEST(a_hole_is_refused_whatever_the_snapshot_holds)
{
    start(400);
    put_all(1, 13, 2);
    remove_file(SEGMENT(3));
    fixture_refused_behind(&fixture.disk, 13, 2,
                           SEGMENT(3) ": offset 0: this segment is missing");
    remove_file(SEGMENT(1));
    fixture_refused_behind(&fixture.disk, 13, 2,
                           SEGMENT(3) ": offset 0: this segment is missing");
}

TEST(first_segments_may_be_gone_as_far_as_the_snapshot_reaches)
{
    start(400);
    put_all(1, 13, 2);
    remove_file(SEGMENT(1));
    remove_file(SEGMENT(2));
    raft_index first = fixture_open_behind(&fixture.disk, 13, 2).first_index;
    CHECK(first > 4 && first < 9);
    for (raft_index index = 1; index <= 13; index++) {
        copy = fixture.disk;
        struct opened opened = fixture_open_behind(&copy, index, 2);
        CHECK_EQ(opened.ok, index + 1 >= first);
        if (opened.ok)
            CHECK_EQ(opened.content.last_index, 13);
        else
            CHECK(strncmp(opened.error, SEGMENT(3) ": offset 96: the log begins", 50) ==
                  0);
    }
    fixture_refused(&fixture.disk, SEGMENT(2) ": offset 0: this segment is missing");
}

TEST(a_log_of_which_only_the_hard_state_is_left_goes_on_behind_the_snapshot)
{
    start(400);
    put_all(1, 3, 2);
    fixture.log.segment_bytes_max = 1;
    CHECK_EQ(fixture_vote(&fixture, 3, 2), 0);
    CHECK_EQ(fixture.log.segment.number, 2);
    durable_log_compact(&fixture.log, 3);
    fixture_sync(&fixture);
    CHECK(!has_file(SEGMENT(1)));
    struct opened opened = fixture_open_behind(&fixture.disk, 3, 2);
    CHECK(opened.ok);
    CHECK(!opened.dropped);
    CHECK_EQ(opened.first_index, 4);
    CHECK_EQ(opened.content.hard_state.current_term, 3);
    fixture_resume(&fixture, &opened);
    put_all(4, 6, 3);
    CHECK_EQ(fixture_open_behind(&fixture.disk, 3, 2).content.last_index, 6);
}

// Else a node whose newest snapshot is damaged would forget what it had acknowledged.
TEST(the_segment_in_which_the_log_begins_anew_stays_until_its_snapshot_is_the_older)
{
    start(400);
    put_all(1, 2, 1);
    CHECK_EQ(fixture_restart(&fixture, 20, 2), 0);
    fixture.log.segment_bytes_max = 1;
    CHECK_EQ(fixture_vote(&fixture, 3, 2), 0);
    durable_log_compact(&fixture.log, 2);
    fixture_sync(&fixture);
    CHECK_EQ(fixture.log.segments_removed, 0);
    struct opened opened = fixture_open_behind(&fixture.disk, 2, 1);
    CHECK(!opened.ok); // the snapshot at 20 is the only one that will do
    opened = fixture_open_behind(&fixture.disk, 20, 2);
    CHECK(opened.ok);
    fixture_resume(&fixture, &opened);
    durable_log_compact(&fixture.log, 2);
    fixture_sync(&fixture);
    CHECK_EQ(fixture.log.segments_removed, 0);
    durable_log_compact(&fixture.log, 20);
    fixture_sync(&fixture);
    CHECK_EQ(fixture.log.segments_removed, 1);
}

// ---- the table of segments ------------------------------------------------------

TEST(more_segments_than_places_share_them_and_are_all_removed_in_order)
{
    static struct segment_table table;
    memset(&table, 0, sizeof table);
    enum { COUNT = 1000 };
    for (uint64_t number = 1; number <= COUNT; number++) {
        segment_table_add(&table, number);
        segment_table_note(&table, number * 10);
        segment_table_note(&table, number * 10 - 5);
    }
    CHECK(table.count <= SEGMENT_SPANS_MAX);
    CHECK_EQ(segment_table_removable(&table, 9), 0);
    uint64_t removed = 0;
    for (raft_index index = 1; index <= 10 * COUNT; index++) {
        uint64_t number;
        while ((number = segment_table_removable(&table, index)) != 0) {
            CHECK_EQ(number, ++removed);
            CHECK(number * 10 <= index);
            segment_table_remove_first(&table);
        }
        CHECK((index - removed * 10) / 10 <= 32); // and not much later
    }
    CHECK_EQ(removed, COUNT - 1);
}

TEST(a_last_segment_that_was_never_used_is_taken_back_from_the_table)
{
    static struct segment_table table;
    memset(&table, 0, sizeof table);
    segment_table_add(&table, 4);
    segment_table_note(&table, 9);
    segment_table_add(&table, 5);
    segment_table_remove_last(&table);
    CHECK_EQ(segment_table_removable(&table, 9), 0);
    segment_table_add(&table, 5);
    CHECK_EQ(segment_table_removable(&table, 8), 0);
    CHECK_EQ(segment_table_removable(&table, 9), 4);
}

// ---- damage ---------------------------------------------------------------------

TEST(whatever_stands_in_a_compacted_log_opening_ends_in_a_log_or_in_a_refusal)
{
    start(400);
    put_all(1, 6, 1);
    CHECK_EQ(fixture_restart(&fixture, 9, 2), 0);
    put_all(10, 19, 2);
    fixture_sync(&fixture);
    durable_log_compact(&fixture.log, 6);
    fixture_sync(&fixture);
    put_all(20, 20, 2);
    CHECK(!has_file(SEGMENT(1)));
    uint64_t random = 11;
    uint32_t refused = 0, opened = 0;
    for (int round = 0; round < 3000; round++) {
        copy = fixture.disk;
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct memory_file *file = &copy.files[1 + (random >> 32) % 4];
        uint64_t at = (random >> 34) % file->now.size;
        memset(file->now.bytes + at, (int)(random >> 60), (random >> 50) % 9);
        if (random >> 49 & 1)
            file->now.size = at;
        raft_index index = (random >> 40) % 22;
        struct opened result = fixture_open_behind(&copy, index, 2);
        CHECK(result.ok || strstr(result.error, ".log: offset ") != NULL);
        refused += !result.ok;
        opened += result.ok;
    }
    CHECK(refused > 100 && opened > 100);
}

TEST_MAIN
