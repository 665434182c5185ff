// The format of a snapshot file: what is written is read, and whatever else stands in
// a file is refused by name.
#include "raft/host/snapshot_file.h"

#include "raft/host/crc32c.h"
#include "raft/host/snapshot_aside.h"
#include "raft/host/snapshot_shelf.h"
#include "tests/host/memory_disk.h"

enum { CLUSTER = 5, BODY_BYTES = 1000, FILE_BYTES_MAX = 8 * 1024 };

static struct memory_disk memory;

static struct snapshot_header example(raft_index index)
{
    struct snapshot_header header = {.cluster_id = CLUSTER};
    header.meta.last_included_index = index;
    header.meta.last_included_term = 7;
    header.meta.configuration_index = index / 2;
    header.meta.configuration.count = 2;
    header.meta.configuration.members[0] =
        (struct raft_member){1, RAFT_VOTER, 3, "127.0.0.1:7001"};
    header.meta.configuration.members[1] = (struct raft_member){2, RAFT_LEARNER, 0, ""};
    return header;
}

static uint8_t body_byte(size_t at)
{
    return (uint8_t)(at * 7 + at / 256);
}

// The whole file as the format says, without a disk. Returns its size.
static size_t build(uint8_t *bytes, raft_index index, size_t body_size)
{
    struct snapshot_header header = example(index);
    size_t size = snapshot_format_put_header(bytes, &header);
    for (size_t i = 0; i < body_size; i++)
        bytes[size++] = body_byte(i);
    struct snapshot_trailer trailer = {.body_size = body_size};
    snapshot_format_put_trailer(bytes + size, &trailer, crc32c_extend(0, bytes, size));
    return size + SNAPSHOT_TRAILER_BYTES;
}

static struct disk disk(void)
{
    return memory_disk_interface(&memory);
}

static void store(const char *name, const uint8_t *bytes, size_t size)
{
    struct disk to = disk();
    CHECK_EQ(to.append(to.context, name, bytes, size), 0);
}

static void store_snapshot(raft_index index)
{
    static uint8_t bytes[FILE_BYTES_MAX];
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    store(name, bytes, build(bytes, index, BODY_BYTES));
}

static struct memory_content *content(raft_index index)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    return &memory_disk_find(&memory, name)->now;
}

static enum snapshot_problem check(raft_index index, struct snapshot_reader *reader)
{
    struct disk from = disk();
    struct snapshot_listed file = {.index = index, .size = content(index)->size};
    bool good = snapshot_file_check(reader, &from, &file, CLUSTER);
    CHECK_EQ(good, reader->problem == SNAPSHOT_GOOD);
    return reader->problem;
}

// ---- the format -----------------------------------------------------------------

TEST(a_name_tells_the_index_and_no_other_name_does)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, 42);
    CHECK_TEXT(name, "00000000000000000042.snapshot");
    CHECK_EQ(snapshot_format_index(name), 42);
    snapshot_format_name(name, UINT64_MAX);
    CHECK_EQ(snapshot_format_index(name), UINT64_MAX);
    static const char *const others[] = {
        "",
        "snapshot.writing",
        "42.snapshot",
        "00000000000000000042.log",
        "0000000000000000004x.snapshot",
        "00000000000000000000.snapshot",
        "99999999999999999999.snapshot",
        "00000000000000000042.snapshot~",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK_EQ(snapshot_format_index(others[i]), 0);
}

TEST(a_snapshot_of_nothing_has_exactly_the_documented_bytes)
{
    uint8_t bytes[FILE_BYTES_MAX];
    struct snapshot_header header = {.cluster_id = 0x0102030405060708};
    header.meta.last_included_index = 0x2a;
    header.meta.last_included_term = 9;
    header.meta.configuration_index = 1;
    header.meta.configuration.count = 1;
    header.meta.configuration.members[0] =
        (struct raft_member){1, RAFT_VOTER, 0, "a:1"};
    static const char text[] = "1 voter 0 a:1\n";
    static const uint8_t fixed[48] = {
        'r', 'a', 'f', 't', 's', 'n', 'a', 'p', 1,  0, 0, 0, 14, 0, 0, 0,
        8,   7,   6,   5,   4,   3,   2,   1,   42, 0, 0, 0, 0,  0, 0, 0,
        9,   0,   0,   0,   0,   0,   0,   0,   1,  0, 0, 0, 0,  0, 0, 0};
    CHECK_EQ(snapshot_format_put_header(bytes, &header), 52 + 14);
    CHECK(memcmp(bytes, fixed, sizeof fixed) == 0);
    CHECK(memcmp(bytes + 48, text, 14) == 0);
    uint32_t sum = crc32c_extend(0, bytes, 62);
    const uint8_t stored[4] = {(uint8_t)sum, (uint8_t)(sum >> 8), (uint8_t)(sum >> 16),
                               (uint8_t)(sum >> 24)};
    CHECK(memcmp(bytes + 62, stored, 4) == 0);
    struct snapshot_trailer trailer = {.body_size = 0};
    snapshot_format_put_trailer(bytes + 66, &trailer, crc32c_extend(0, bytes, 66));
    static const uint8_t end[20] = {'s', 'n', 'a', 'p', 'e', 'n', 'd', '\n'};
    CHECK(memcmp(bytes + 66, end, sizeof end) == 0);
    CHECK_EQ(trailer.checksum, crc32c_extend(0, bytes, 66 + 20));
}

TEST(what_was_written_is_read_back_in_pieces_of_any_size)
{
    store_snapshot(42);
    for (size_t piece_bytes = 1; piece_bytes <= 2000; piece_bytes += 37) {
        struct snapshot_reader reader;
        struct disk from = disk();
        CHECK(snapshot_file_open(&reader, &from, "00000000000000000042.snapshot",
                                 content(42)->size, CLUSTER));
        struct raft_snapshot_meta *meta = &reader.header.meta;
        CHECK_EQ(meta->last_included_index, 42);
        CHECK_EQ(meta->last_included_term, 7);
        CHECK_EQ(meta->configuration_index, 21);
        CHECK_EQ(meta->configuration.count, 2);
        CHECK_TEXT(meta->configuration.members[0].address, "127.0.0.1:7001");
        CHECK_EQ(meta->configuration.members[1].role, RAFT_LEARNER);
        uint8_t buffer[2000];
        struct snapshot_piece piece;
        enum snapshot_read read = SNAPSHOT_READ_MORE;
        size_t body = 0;
        while (read == SNAPSHOT_READ_MORE) {
            read = snapshot_file_next(&reader, &from, buffer, piece_bytes, &piece);
            CHECK(piece.size <= piece_bytes);
            for (size_t i = 0; i < piece.size; i++)
                CHECK_EQ(piece.body[i], body_byte(body++));
        }
        CHECK_EQ(read, SNAPSHOT_READ_END);
        CHECK_EQ(body, BODY_BYTES);
    }
}

// ---- damage ---------------------------------------------------------------------

TEST(a_flipped_bit_anywhere_is_found)
{
    store_snapshot(42);
    for (size_t at = 0; at < content(42)->size; at++) {
        struct snapshot_reader reader;
        content(42)->bytes[at] ^= (uint8_t)(1u << at % 8);
        CHECK(check(42, &reader) != SNAPSHOT_GOOD);
        content(42)->bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    struct snapshot_reader reader;
    CHECK_EQ(check(42, &reader), SNAPSHOT_GOOD);
}

TEST(a_file_cut_short_or_grown_by_any_number_of_bytes_is_refused)
{
    store_snapshot(42);
    uint64_t whole = content(42)->size;
    struct snapshot_reader reader;
    for (uint64_t size = 0; size < whole + 600; size++) {
        content(42)->size = size;
        CHECK_EQ(check(42, &reader) == SNAPSHOT_GOOD, size == whole);
    }
}

// Each of these has right checksums, so that only its own check can refuse it.
TEST(a_whole_snapshot_that_is_not_ours_is_refused)
{
    uint8_t bytes[FILE_BYTES_MAX];
    struct snapshot_reader reader;
    size_t size = build(bytes, 41, 10);
    store("00000000000000000042.snapshot", bytes, size);
    CHECK_EQ(check(42, &reader), SNAPSHOT_OTHER_NAME);

    store_snapshot(50);
    struct disk from = disk();
    CHECK(!snapshot_file_open(&reader, &from, "00000000000000000050.snapshot",
                              content(50)->size, CLUSTER + 1));
    CHECK_EQ(reader.problem, SNAPSHOT_OTHER_CLUSTER);

    content(50)->bytes[8] = 2;
    CHECK_EQ(check(50, &reader), SNAPSHOT_LATER_VERSION);
    char text[100];
    snapshot_file_describe(&reader, text, sizeof text);
    CHECK_TEXT(text,
               "00000000000000000050.snapshot: of a later version of this program");
}

TEST(a_configuration_logged_behind_the_snapshot_is_refused)
{
    uint8_t bytes[FILE_BYTES_MAX];
    struct snapshot_header header = example(42);
    header.meta.configuration_index = 43;
    uint32_t size = snapshot_format_put_header(bytes, &header);
    uint32_t header_size;
    CHECK_EQ(snapshot_format_get_header(bytes, size, &header, &header_size),
             SNAPSHOT_NO_HEADER);
}

TEST(members_that_cannot_be_read_are_refused)
{
    uint8_t bytes[FILE_BYTES_MAX];
    struct snapshot_header header = example(42);
    uint32_t size = snapshot_format_put_header(bytes, &header);
    bytes[48] = 'x'; // for the "1" of member 1, with a checksum that is right again
    uint32_t sum = crc32c_extend(0, bytes, size - 4);
    for (int i = 0; i < 4; i++)
        bytes[size - 4 + (uint32_t)i] = (uint8_t)(sum >> (8 * i));
    uint32_t header_size;
    CHECK_EQ(snapshot_format_get_header(bytes, size, &header, &header_size),
             SNAPSHOT_NO_MEMBERS);
}

// A length is a claim like any other. With a sanitizer this would be seen to overrun.
TEST(no_length_is_believed_before_it_is_checked)
{
    uint8_t bytes[SNAPSHOT_HEADER_BYTES_MAX];
    struct snapshot_header header = example(42);
    uint32_t size = snapshot_format_put_header(bytes, &header);
    static const uint32_t lengths[] = {0,     1,          2400,       4000,
                                       65536, 0x7fffffff, 0xfffffff0, 0xffffffff};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (int k = 0; k < 4; k++)
            bytes[12 + k] = (uint8_t)(lengths[i] >> (8 * k));
        uint8_t *exact = malloc(size);
        memcpy(exact, bytes, size);
        uint32_t header_size;
        CHECK_EQ(snapshot_format_get_header(exact, size, &header, &header_size),
                 SNAPSHOT_NO_HEADER);
        free(exact);
    }
}

TEST(bytes_of_any_kind_end_in_a_refusal)
{
    uint64_t random = 1;
    uint8_t bytes[FILE_BYTES_MAX];
    for (int round = 0; round < 2000; round++) {
        size_t size = build(bytes, 42, 100);
        for (int i = 0; i < 4; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[(random >> 33) % size] ^= (uint8_t)((random >> 20) % 255 + 1);
        }
        memory.files[0].now.exists = false;
        store("00000000000000000042.snapshot", bytes, size);
        struct snapshot_reader reader;
        uint8_t original[FILE_BYTES_MAX];
        build(original, 42, 100);
        CHECK_EQ(check(42, &reader) == SNAPSHOT_GOOD,
                 memcmp(bytes, original, size) == 0);
    }
}

TEST(a_disk_that_cannot_read_is_told_apart_from_damage)
{
    store_snapshot(42);
    memory.read_status = -EIO;
    struct snapshot_reader reader;
    CHECK_EQ(check(42, &reader), SNAPSHOT_UNREADABLE);
    char text[100];
    snapshot_file_describe(&reader, text, sizeof text);
    CHECK_TEXT(text,
               "00000000000000000042.snapshot: cannot be read: Input/output error");
}

// ---- which there are ------------------------------------------------------------

TEST(snapshots_are_listed_with_the_newest_first_and_nothing_else_is)
{
    struct disk from = disk();
    static const raft_index indices[] = {7, 100, 30};
    for (int i = 0; i < 3; i++)
        store_snapshot(indices[i]);
    store("00000000000000000001.log", (const uint8_t *)"x", 1);
    store("snapshot.writing", (const uint8_t *)"x", 1);
    struct snapshot_listing listing;
    CHECK_EQ(snapshot_file_list(&listing, &from), 0);
    CHECK_EQ(listing.count, 3);
    CHECK_EQ(listing.files[0].index, 100);
    CHECK_EQ(listing.files[1].index, 30);
    CHECK_EQ(listing.files[2].index, 7);
    CHECK_EQ(listing.files[2].size, content(7)->size);
    snapshot_file_list_release(&listing);
}

TEST(what_was_left_aside_is_removed_and_only_that)
{
    struct disk from = disk();
    CHECK_EQ(snapshot_file_remove_aside(&from), 0); // there need not be any
    store_snapshot(7);
    store(SNAPSHOT_FILE_WRITING, (const uint8_t *)"x", 1);
    store(SNAPSHOT_FILE_RECEIVING, (const uint8_t *)"x", 1);
    CHECK_EQ(snapshot_file_remove_aside(&from), 0);
    CHECK(!memory_disk_find(&memory, SNAPSHOT_FILE_WRITING)->now.exists);
    CHECK(!memory_disk_find(&memory, SNAPSHOT_FILE_RECEIVING)->now.exists);
    CHECK(content(7)->exists);
    store(SNAPSHOT_FILE_WRITING, (const uint8_t *)"x", 1);
    memory.crashed = true;
    CHECK_EQ(snapshot_file_remove_aside(&from), (uint64_t)-EIO);
}

// ---- the two that are kept ------------------------------------------------------

static void put(struct snapshot_shelf *shelf, raft_index index)
{
    struct disk to = disk();
    store_snapshot(index);
    struct snapshot_kept kept = {.index = index, .size = content(index)->size};
    snapshot_shelf_put(shelf, &kept);
    for (bool more = true; more;)
        CHECK_EQ(snapshot_shelf_prune(shelf, &to, &more), 0);
}

static bool is_there(raft_index index)
{
    return content(index)->exists;
}

TEST(the_two_newest_are_kept_in_whatever_order_they_became_durable)
{
    struct snapshot_shelf shelf = {.cluster_id = CLUSTER};
    put(&shelf, 10);
    CHECK_EQ(snapshot_shelf_covered(&shelf), 0); // the first one may be damaged one day
    put(&shelf, 30);
    CHECK_EQ(snapshot_shelf_covered(&shelf), 10);
    put(&shelf, 20); // one's own, that ended after a newer one had arrived
    CHECK_EQ(shelf.kept[0].index, 30);
    CHECK_EQ(snapshot_shelf_covered(&shelf), 20);
    CHECK(is_there(30) && is_there(20) && !is_there(10));
    put(&shelf, 5);
    CHECK_EQ(shelf.kept[0].index, 30);
    CHECK_EQ(shelf.kept[1].index, 20);
    CHECK(!is_there(5));
    CHECK(snapshot_shelf_find(&shelf, 20) == &shelf.kept[1]);
    CHECK(snapshot_shelf_find(&shelf, 25) == NULL);
    CHECK(snapshot_shelf_find(&shelf, 0) == NULL);
}

TEST(a_snapshot_that_has_its_name_and_is_not_durable_yet_is_not_taken_for_an_old_one)
{
    struct snapshot_shelf shelf = {.cluster_id = CLUSTER};
    put(&shelf, 10);
    store_snapshot(40);
    put(&shelf, 20);
    put(&shelf, 30);
    CHECK(is_there(40) && is_there(30) && is_there(20) && !is_there(10));
}

TEST(the_same_snapshot_again_takes_the_place_of_the_first)
{
    struct snapshot_shelf shelf = {.cluster_id = CLUSTER};
    put(&shelf, 10);
    put(&shelf, 30);
    struct snapshot_kept again = {.index = 30, .size = content(30)->size, .term = 9};
    snapshot_shelf_put(&shelf, &again);
    CHECK_EQ(shelf.kept[0].term, 9);
    CHECK_EQ(shelf.kept[1].index, 10);
    CHECK(is_there(10) && is_there(30));
}

// A disk with one old file that is too large for a file in memory.
struct large {
    uint64_t size;
    uint32_t cuts;
    uint32_t removals;
};

static int list_large(void *context, void (*see)(void *, const char *, uint64_t),
                      void *argument)
{
    const struct large *large = context;
    if (large->removals == 0)
        see(argument, "00000000000000000010.snapshot", large->size);
    return 0;
}

static int cut_large(void *context, const char *name, uint64_t size)
{
    struct large *large = context;
    CHECK_EQ(snapshot_format_index(name), 10);
    CHECK(size < large->size && large->size - size <= SNAPSHOT_SHELF_CUT_BYTES);
    large->size = size;
    large->cuts++;
    return 0;
}

static int remove_large(void *context, const char *name)
{
    struct large *large = context;
    CHECK_EQ(snapshot_format_index(name), 10);
    CHECK(large->size <= SNAPSHOT_SHELF_CUT_BYTES);
    large->removals++;
    return 0;
}

TEST(a_large_file_is_removed_a_little_at_a_time)
{
    struct large large = {.size = 5 * (uint64_t)SNAPSHOT_SHELF_CUT_BYTES + 1};
    struct disk from = {.context = &large,
                        .list = list_large,
                        .truncate = cut_large,
                        .remove = remove_large};
    struct snapshot_shelf shelf = {.kept = {{.index = 30}, {.index = 20}}};
    bool more = true;
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(large.removals, 0);
        CHECK_EQ(snapshot_shelf_prune(&shelf, &from, &more), 0);
        CHECK(more);
    }
    CHECK_EQ(large.cuts, 5);
    CHECK_EQ(large.removals, 1);
    CHECK_EQ(snapshot_shelf_prune(&shelf, &from, &more), 0);
    CHECK(!more);
}

// ---- one that grows -------------------------------------------------------------

static int take_any(void *context, const char *name, const void *data, size_t size)
{
    (void)context;
    (void)data;
    CHECK_TEXT(name, SNAPSHOT_FILE_WRITING);
    return size > 0 ? 0 : -EINVAL;
}

static int note_token(void *context, const char *name, uint64_t token)
{
    CHECK(name[0] != '\0');
    *(uint64_t *)context = token;
    return 0;
}

TEST(a_long_file_is_synced_now_and_then_and_what_came_later_is_not_counted)
{
    static const uint8_t part[SNAPSHOT_ASIDE_SYNC_BYTES / 4];
    uint64_t started = 0;
    uint64_t tokens = 7;
    struct disk to = {.context = &started, .append = take_any, .sync = note_token};
    struct snapshot_aside aside = {.state = SNAPSHOT_ASIDE_GROWS};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(snapshot_aside_sync(&aside, &to, &tokens), 0);
        CHECK_EQ(started, 0);
        CHECK_EQ(snapshot_aside_append(&aside, &to, part, sizeof part), 0);
    }
    CHECK_EQ(snapshot_aside_sync(&aside, &to, &tokens), 0);
    CHECK_EQ(started, 8);
    for (int i = 0; i < 4; i++) {
        CHECK(!snapshot_aside_is_behind(&aside));
        CHECK_EQ(snapshot_aside_append(&aside, &to, part, sizeof part), 0);
    }
    CHECK(snapshot_aside_is_behind(&aside)); // no more before the disk has ended that
    CHECK_EQ(snapshot_aside_sync(&aside, &to, &tokens), 0);
    CHECK_EQ(started, 8); // one at a time
    snapshot_aside_complete(&aside);
    CHECK(!snapshot_aside_synced(&aside, 7));
    CHECK(snapshot_aside_synced(&aside, 8));
    CHECK(!snapshot_aside_is_ready(&aside)); // the second half is on no disk yet
    CHECK_EQ(snapshot_aside_sync(&aside, &to, &tokens), 0);
    CHECK_EQ(started, 9);
    CHECK(snapshot_aside_synced(&aside, 9));
    CHECK(snapshot_aside_is_ready(&aside));
}

TEST(a_kept_file_that_is_shorter_than_it_was_is_told_as_unreadable)
{
    struct snapshot_shelf shelf = {.cluster_id = CLUSTER};
    struct disk from = disk();
    put(&shelf, 10);
    uint8_t bytes[64];
    CHECK_EQ(snapshot_shelf_read(&shelf.kept[0], &from, 5, bytes, sizeof bytes),
             sizeof bytes);
    CHECK(memcmp(bytes, content(10)->bytes + 5, sizeof bytes) == 0);
    uint64_t size = shelf.kept[0].size;
    CHECK_EQ(snapshot_shelf_read(&shelf.kept[0], &from, size - 3, bytes, 64), 3);
    CHECK_EQ(snapshot_shelf_read(&shelf.kept[0], &from, size, bytes, 64), 0);
    content(10)->size = size - 5;
    CHECK_EQ(snapshot_shelf_read(&shelf.kept[0], &from, size - 20, bytes, 64),
             (uint64_t)-EIO);
    memory.read_status = -ENXIO;
    CHECK_EQ(snapshot_shelf_read(&shelf.kept[0], &from, 0, bytes, 64),
             (uint64_t)-ENXIO);
}

TEST_MAIN
