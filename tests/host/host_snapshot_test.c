// Snapshots of a host: taken while it serves, received, restored; the disk that is
// full, damaged or gone in the middle (section 7). Bugs 40 to 44, 58 and 60 of
// docs/bugs.md.
#include "raft/host/host.h"
#include "raft/host/snapshot_format.h"
#include "tests/host/host_fixture.h"

// ---- a state machine with snapshots ---------------------------------------------

enum { BODY_BYTES = 3000, PIECE_BYTES = 512 };

// The state is what a fold over all applied entries gives: two nodes agree or they do
// not. Its snapshot is long enough to take several pieces.
struct machine {
    raft_index index;
    uint64_t fold;
    bool frozen;
    uint8_t body[BODY_BYTES]; // of the frozen state, or of the one that arrives
    size_t at;
    uint32_t restores;
};

static struct machine machine;
static uint64_t folds[APPLIED_MAX]; // after each index, as first applied

static void put_body(const struct machine *from, uint8_t *body)
{
    memcpy(body, &from->index, 8);
    memcpy(body + 8, &from->fold, 8);
    for (size_t i = 16; i < BODY_BYTES; i++)
        body[i] = (uint8_t)(from->fold >> (i % 8 * 8));
}

static void apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(entries[i].index, machine.index + 1);
        machine.index = entries[i].index;
        const uint8_t *bytes = entries[i].data;
        machine.fold = machine.fold * 31 + entries[i].term;
        for (uint32_t b = 0; b < entries[i].size; b++)
            machine.fold = machine.fold * 31 + bytes[b];
        CHECK(machine.index < APPLIED_MAX);
        if (folds[machine.index] == 0)
            folds[machine.index] = machine.fold;
        CHECK_EQ(machine.fold, folds[machine.index]); // State Machine Safety
    }
}

static int freeze(void *context)
{
    (void)context;
    CHECK(!machine.frozen);
    machine.frozen = true;
    machine.at = 0;
    put_body(&machine, machine.body);
    return 0;
}

static int64_t read_frozen(void *context, void *data, size_t size)
{
    (void)context;
    CHECK(machine.frozen);
    size_t left = BODY_BYTES - machine.at;
    size_t part = left < size ? left : size;
    memcpy(data, machine.body + machine.at, part);
    machine.at += part;
    return (int64_t)part;
}

static void thaw(void *context)
{
    (void)context;
    CHECK(machine.frozen);
    machine.frozen = false;
}

static int restore_begin(void *context)
{
    (void)context;
    CHECK(!machine.frozen);
    machine.at = 0;
    return 0;
}

static int restore_write(void *context, const void *data, size_t size)
{
    (void)context;
    CHECK(machine.at + size <= BODY_BYTES);
    memcpy(machine.body + machine.at, data, size);
    machine.at += size;
    return 0;
}

static int restore_end(void *context, raft_index index)
{
    (void)context;
    struct machine told = {0};
    memcpy(&told.index, machine.body, 8);
    memcpy(&told.fold, machine.body + 8, 8);
    uint8_t whole[BODY_BYTES];
    put_body(&told, whole);
    if (machine.at != BODY_BYTES || told.index != index ||
        memcmp(whole, machine.body, BODY_BYTES) != 0)
        return -EBADMSG;
    machine.index = told.index;
    machine.fold = told.fold;
    machine.restores++;
    CHECK(folds[index] == 0 || folds[index] == machine.fold);
    return 0;
}

// ---- a node over it -------------------------------------------------------------

static void prepare(uint32_t members)
{
    start(members);
    memset(&machine, 0, sizeof machine);
    memset(folds, 0, sizeof folds);
    world.config.segment_bytes_max = 1500;
    world.config.snapshot_entries = 20;
    world.config.snapshot_bytes = 0;
    world.config.snapshot_tail_entries = 5;
    world.config.snapshot_chunk_bytes = PIECE_BYTES;
    world.io.machine = (struct state_machine){.context = &world,
                                              .apply = apply,
                                              .read_ready = take_read,
                                              .snapshot_begin = freeze,
                                              .snapshot_read = read_frozen,
                                              .snapshot_end = thaw,
                                              .restore_begin = restore_begin,
                                              .restore_write = restore_write,
                                              .restore_end = restore_end};
}

static bool open_again(void)
{
    memset(&machine, 0, sizeof machine);
    return open_node();
}

// Lets the host do what is due, and the disk end what is under way.
static void go_on(uint32_t turns)
{
    for (uint32_t i = 0; i < turns && host_stopped(world.host) == NULL; i++) {
        if (host_deadline_ms(world.host) > world.now_ms && !host_busy(world.host) &&
            world.disk.pending_count == 0)
            world.now_ms = host_deadline_ms(world.host);
        host_tick(world.host, &world.io, world.now_ms);
        if (world.disk.pending_count > 0)
            end_sync();
    }
}

static void begin_leading(void)
{
    CHECK(open_again());
    for (int i = 0; i < 100 && view().role != RAFT_LEADER; i++)
        go_on(1);
    CHECK_EQ(view().role, RAFT_LEADER);
    go_on(20);
}

static void propose_many(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "entry number %" PRIu64, view().last_index + 1);
        CHECK_EQ(propose(text), RAFT_OK);
        go_on(4);
    }
    go_on(60);
}

static struct memory_file *newest_snapshot(raft_index *index)
{
    struct memory_file *found = NULL;
    *index = 0;
    for (uint32_t i = 0; i < world.disk.file_count; i++) {
        struct memory_file *file = &world.disk.files[i];
        raft_index at = snapshot_format_index(file->name);
        if (file->now.exists && at > *index) {
            *index = at;
            found = file;
        }
    }
    return found;
}

static uint32_t snapshot_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.disk.file_count; i++)
        count += world.disk.files[i].now.exists &&
                 snapshot_format_index(world.disk.files[i].name) != 0;
    return count;
}

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

// ---- receiving one --------------------------------------------------------------

static uint8_t file_bytes[BODY_BYTES + 3000];
static uint64_t file_size;
static struct raft_install_snapshot offered;

// Node 1, alone, makes the file that node 2 of three is sent.
static void make_a_file(void)
{
    prepare(3);
    world.config.raft.configuration.count = 1;
    begin_leading();
    propose_many(30);
    raft_index index;
    const struct memory_file *file = newest_snapshot(&index);
    CHECK(file != NULL);
    file_size = file->now.size;
    memcpy(file_bytes, file->now.bytes, (size_t)file_size);
    uint32_t checksum;
    memcpy(&checksum, file_bytes + file_size - 4, 4);
    raft_term term;
    CHECK(raft_term_at(host_raft(world.host), index, &term));
    offered = (struct raft_install_snapshot){.last_included_index = index,
                                             .last_included_term = term,
                                             .total = file_size,
                                             .checksum = checksum};
}

static void begin_following(void)
{
    uint64_t kept[APPLIED_MAX];
    memcpy(kept, folds, sizeof kept);
    prepare(3);
    memcpy(folds, kept, sizeof kept); // two nodes, one truth
    world.config.raft.id = 2;
    CHECK(open_again());
}

static void receive(struct raft_message message)
{
    message.from = 1;
    message.to = 2;
    message.term = 7;
    host_receive(world.host, &world.io, world.now_ms, &message);
}

static void receive_chunk(uint64_t offset)
{
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT,
                                   .install_snapshot = offered};
    uint64_t left = file_size - offset;
    message.install_snapshot.offset = offset;
    message.install_snapshot.size = (uint32_t)(left < PIECE_BYTES ? left : PIECE_BYTES);
    message.install_snapshot.data = file_bytes + offset;
    receive(message);
}

static const struct raft_install_snapshot_reply *last_answer(void)
{
    for (uint32_t i = world.sent_count; i > 0; i--) {
        if (world.sent[i - 1].type == RAFT_INSTALL_SNAPSHOT_REPLY)
            return &world.sent[i - 1].install_snapshot_reply;
    }
    return NULL;
}

static void receive_all(void)
{
    for (uint64_t offset = 0; offset < file_size; offset += PIECE_BYTES) {
        world.sent_count = 0;
        receive_chunk(offset);
        go_on(2);
    }
    go_on(60);
}

TEST(a_snapshot_that_arrives_in_chunks_becomes_the_state)
{
    make_a_file();
    begin_following();
    receive_all();
    CHECK_EQ(machine.restores, 1);
    CHECK_EQ(machine.index, offered.last_included_index);
    CHECK_EQ(view().first_index, offered.last_included_index + 1);
    CHECK_EQ(view().last_applied, offered.last_included_index);
    CHECK(last_answer() != NULL && last_answer()->installed);
    CHECK_EQ(counters().snapshots_received, 1);
    memory_disk_crash(&world.disk, 0); // and it is durable
    CHECK(open_again());
    CHECK_EQ(machine.index, offered.last_included_index);
    CHECK_EQ(view().current_term, 7);
}

// Bug 42: what was damaged, or cut short, on the way is found by the whole's checksum.
TEST(a_chunk_that_was_damaged_on_the_way_is_asked_for_again)
{
    make_a_file();
    for (uint64_t at = 0; at < file_size; at += 97) {
        begin_following();
        file_bytes[at] ^= 0x40;
        receive_all();
        file_bytes[at] ^= 0x40;
        CHECK_EQ(machine.restores, 0);
        CHECK_EQ(view().last_index, 0);
        CHECK(last_answer() != NULL && !last_answer()->installed);
        CHECK_EQ(last_answer()->next_offset, 0);
        CHECK_EQ(snapshot_count(), 0);
        receive_all(); // whole this time
        CHECK_EQ(machine.index, offered.last_included_index);
    }
}

TEST(a_snapshot_of_another_cluster_is_refused)
{
    make_a_file();
    begin_following();
    world.config.cluster_id = 6;
    memory_disk_crash(&world.disk, 0);
    memset(&world.disk, 0, sizeof world.disk);
    CHECK(open_again());
    receive_all();
    CHECK_EQ(machine.restores, 0);
    CHECK_EQ(snapshot_count(), 0);
}

// Bugs 40, 41, 43 and 44.
TEST(a_crash_at_any_operation_of_receiving_one_leaves_the_old_state_or_the_new)
{
    make_a_file();
    uint64_t cases = 0;
    uint64_t came_through = 0;
    for (uint64_t crash_at = 1;; crash_at++) {
        begin_following();
        world.disk.crash_at = world.disk.operations + crash_at;
        bool promised = false;
        for (uint64_t offset = 0; offset < file_size && !world.disk.crashed;
             offset += PIECE_BYTES) {
            receive_chunk(offset);
            go_on(2);
        }
        go_on(60);
        promised = last_answer() != NULL && last_answer()->installed;
        if (!world.disk.crashed)
            break;
        memory_disk_crash(&world.disk,
                          crash_at % 2 == 0 ? 0 : crash_at * 0x5851f42d4c957f2du);
        bool opened = open_again();
        CHECK_TEXT(world.error, "");
        CHECK(opened);
        bool has_it = view().first_index == offered.last_included_index + 1;
        CHECK(has_it || (view().last_index == 0 && machine.index == 0));
        CHECK(has_it || !promised);
        came_through += has_it;
        if (has_it)
            CHECK_EQ(view().configuration->count, 1); // of the file, bug 43
        world.sent_count = 0;
        receive_all(); // whatever was left, the next time it arrives
        CHECK_EQ(machine.index, offered.last_included_index);
        cases++;
    }
    CHECK(cases > 12 && came_through > 0 && came_through < cases);
}

// A log that ends before the snapshot, or differs from it, is dropped; bug 41.
TEST(entries_that_the_snapshot_replaces_do_not_come_back)
{
    make_a_file();
    begin_following();
    struct raft_entry stale[40];
    for (uint32_t i = 0; i < 40; i++)
        stale[i] = (struct raft_entry){.index = i + 1,
                                       .term = 6,
                                       .type = RAFT_ENTRY_COMMAND,
                                       .size = 5,
                                       .data = "stale"};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries.entries = stale;
    message.append_entries.count = 40;
    receive(message);
    go_on(10);
    CHECK_EQ(view().last_index, 40);
    receive_all();
    CHECK_EQ(view().last_index, offered.last_included_index);
    memory_disk_crash(&world.disk, 0);
    CHECK(open_again());
    CHECK_EQ(view().last_index, offered.last_included_index);
    CHECK_EQ(machine.index, offered.last_included_index);
}

TEST(a_copy_of_the_memory_goes_on_with_the_snapshot)
{
    make_a_file();
    begin_following();
    for (uint64_t offset = 0; offset < 3 * PIECE_BYTES; offset += PIECE_BYTES) {
        receive_chunk(offset);
        go_on(2);
    }
    size_t size = host_size(&world.config);
    void *copy = aligned_alloc(16, (size + 15) / 16 * 16);
    memcpy(copy, world.host, size);
    memset(world.host, 0x5a, size);
    free(world.memory);
    world.memory = copy;
    world.host = copy;
    for (uint64_t offset = 3 * PIECE_BYTES; offset < file_size; offset += PIECE_BYTES) {
        receive_chunk(offset);
        go_on(2);
    }
    go_on(60);
    CHECK_EQ(machine.index, offered.last_included_index);
}

// ---- sending one ----------------------------------------------------------------

TEST(a_leader_sends_the_file_as_it_stands)
{
    make_a_file(); // by node 1, which leads alone
    struct raft_member joiner = {.id = 9, .role = RAFT_LEARNER};
    raft_index index;
    raft_term term;
    CHECK_EQ(
        host_change(world.host, &world.io, world.now_ms, &joiner, 1, &index, &term),
        RAFT_OK);
    go_on(20);
    struct raft_message reply = {.type = RAFT_APPEND_ENTRIES_REPLY, .from = 9, .to = 1};
    reply.term = view().current_term;
    reply.append_entries_reply.prev_log_index = index;
    world.sent_count = 0;
    host_receive(world.host, &world.io, world.now_ms, &reply);
    uint64_t at = 0;
    while (at < file_size) {
        const struct raft_message *sent = NULL;
        for (uint32_t i = 0; i < world.sent_count; i++) {
            if (world.sent[i].type == RAFT_INSTALL_SNAPSHOT)
                sent = &world.sent[i];
        }
        CHECK(sent != NULL);
        CHECK_EQ(sent->install_snapshot.offset, at);
        CHECK_EQ(sent->install_snapshot.total, file_size);
        CHECK_EQ(sent->install_snapshot.checksum, offered.checksum);
        CHECK_EQ(memcmp(sent->install_snapshot.data, file_bytes + at,
                        sent->install_snapshot.size),
                 0);
        at += sent->install_snapshot.size;
        struct raft_message got = {.type = RAFT_INSTALL_SNAPSHOT_REPLY,
                                   .from = 9,
                                   .to = 1,
                                   .term = reply.term};
        got.install_snapshot_reply.last_included_index = offered.last_included_index;
        got.install_snapshot_reply.next_offset = at;
        world.sent_count = 0;
        if (at < file_size)
            host_receive(world.host, &world.io, world.now_ms, &got);
    }
    CHECK(counters().snapshot_chunks_sent > BODY_BYTES / PIECE_BYTES);
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

// The removal of a segment leans on whichever sync comes next, be its file given up.
TEST(a_failed_sync_counts_although_its_file_was_given_up)
{
    make_a_file();
    begin_following();
    memset(folds, 0, sizeof folds); // the five below are not node 1's
    struct raft_entry entries[5];
    for (uint32_t i = 0; i < 5; i++)
        entries[i] = (struct raft_entry){.index = i + 1,
                                         .term = 1,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .size = 1,
                                         .data = "o"};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries.entries = entries;
    message.append_entries.count = 5;
    message.append_entries.leader_commit = 5;
    receive(message);
    go_on(10);
    CHECK_EQ(machine.index, 5);
    host_snapshot(world.host, &world.io, world.now_ms);
    for (int i = 0; i < 50 && world.disk.pending_count == 0; i++)
        host_tick(world.host, &world.io, world.now_ms);
    CHECK_EQ(world.disk.pending_count, 1); // of one's own, and it stays under way
    for (uint64_t offset = 0; offset < file_size; offset += PIECE_BYTES)
        receive_chunk(offset);
    for (int i = 0; i < 100 && machine.restores == 0; i++) {
        host_tick(world.host, &world.io, world.now_ms);
        uint64_t token;
        if (world.disk.pending_count > 1 &&
            memory_disk_end_one_sync(&world.disk, 1, &token) == 0)
            host_synced(world.host, &world.io, world.now_ms, token, 0);
    }
    CHECK_EQ(machine.restores, 1);
    CHECK(!counters().snapshot_underway && host_stopped(world.host) == NULL);
    world.disk.sync_status = -EIO;
    end_sync();
    CHECK(host_stopped(world.host) != NULL);
}

TEST_MAIN
