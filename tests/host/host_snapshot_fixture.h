// host_snapshot_fixture.h: a node over a state machine that has snapshots, under a
// test's hand.
#ifndef TESTS_HOST_HOST_SNAPSHOT_FIXTURE_H
#define TESTS_HOST_HOST_SNAPSHOT_FIXTURE_H

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

static inline void put_body(const struct machine *from, uint8_t *body)
{
    memcpy(body, &from->index, 8);
    memcpy(body + 8, &from->fold, 8);
    for (size_t i = 16; i < BODY_BYTES; i++)
        body[i] = (uint8_t)(from->fold >> (i % 8 * 8));
}

static inline void apply(void *context, const struct raft_entry *entries,
                         uint32_t count)
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

static inline int freeze(void *context)
{
    (void)context;
    CHECK(!machine.frozen);
    machine.frozen = true;
    machine.at = 0;
    put_body(&machine, machine.body);
    return 0;
}

static inline int64_t read_frozen(void *context, void *data, size_t size)
{
    (void)context;
    CHECK(machine.frozen);
    size_t left = BODY_BYTES - machine.at;
    size_t part = left < size ? left : size;
    memcpy(data, machine.body + machine.at, part);
    machine.at += part;
    return (int64_t)part;
}

static inline void thaw(void *context)
{
    (void)context;
    CHECK(machine.frozen);
    machine.frozen = false;
}

static inline int restore_begin(void *context)
{
    (void)context;
    CHECK(!machine.frozen);
    machine.at = 0;
    return 0;
}

static inline int restore_write(void *context, const void *data, size_t size)
{
    (void)context;
    CHECK(machine.at + size <= BODY_BYTES);
    memcpy(machine.body + machine.at, data, size);
    machine.at += size;
    return 0;
}

static inline int restore_end(void *context, raft_index index)
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

static inline void prepare(uint32_t members)
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

static inline bool open_again(void)
{
    memset(&machine, 0, sizeof machine);
    return open_node();
}

// Lets the host do what is due, and the disk end what is under way.
static inline void go_on(uint32_t turns)
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

static inline void begin_leading(void)
{
    CHECK(open_again());
    for (int i = 0; i < 100 && view().role != RAFT_LEADER; i++)
        go_on(1);
    CHECK_EQ(view().role, RAFT_LEADER);
    go_on(20);
}

static inline void propose_many(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "entry number %" PRIu64, view().last_index + 1);
        CHECK_EQ(propose(text), RAFT_OK);
        go_on(4);
    }
    go_on(60);
}

static inline struct memory_file *newest_snapshot(raft_index *index)
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

static inline uint32_t snapshot_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.disk.file_count; i++)
        count += world.disk.files[i].now.exists &&
                 snapshot_format_index(world.disk.files[i].name) != 0;
    return count;
}

// From node 1 to node 2, in term 7.
static inline void receive(struct raft_message message)
{
    message.from = 1;
    message.to = 2;
    message.term = 7;
    host_receive(world.host, &world.io, world.now_ms, &message);
}

#endif
