// fuzz_world.h: cores, a pool of messages between them, and a model of each one's disk.
//
// The model alone decides what a core may say: a vote, an acknowledgement or an entry
// for apply is checked against what it holds on stable storage (fuzz_disk.h), and its
// configuration against its log. A twin in memory with other garbage takes every step
// too, and must say the same: no core reads what it did not write, none holds a pointer
// into itself, and time and chance come from outside.
#ifndef TESTS_RAFT_FUZZ_WORLD_H
#define TESTS_RAFT_FUZZ_WORLD_H

#include "raft/raft.h"
#include "raft/trace.h"
#include "tests/test.h"

enum {
    CORES_MAX = 7,
    ENTRIES_MAX = 512, // as many as any core's log has room for
    INDEX_MAX = 8192,  // places for entries by their index
    WRITES_MAX = 64,
    WRITE_MAX = 32, // entries in one
    POOL_MAX = 64,
    BATCH_MAX = 24, // more than four times the smallest message_entries_max
    DATA_MAX = 384, // a configuration of all members has room
    COMMAND_MAX = 24,
    TERMS_MAX = 4096,
    READS_MAX = 8192,
    CHUNK_MAX = 40,
    FILE_MAX = 100,
    FILES_KEPT = 2,
};

struct kept_entry {
    struct raft_entry entry;
    uint8_t data[DATA_MAX];
};

struct kept_message {
    struct raft_message message;
    struct raft_entry entries[BATCH_MAX];
    uint8_t data[BATCH_MAX][DATA_MAX];
};

struct kept_write {
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    raft_index restart_index; // 0: the log goes on
    raft_term restart_term;
    uint32_t count;
    struct kept_entry entries[WRITE_MAX];
};

// A snapshot: what it tells of itself, and a digest for the state in it.
struct file {
    struct raft_snapshot_meta meta;
    uint64_t digest; // also the seed of its bytes, and its checksum
    uint32_t size;
};

struct disk {
    struct raft_hard_state hard_state;
    raft_index base_index; // of the log; what comes before may stand there, too
    raft_term base_term;
    raft_index last_index;
    struct file files[FILES_KEPT]; // the newest first; index 0: none
    struct kept_entry entries[INDEX_MAX];
};

struct core {
    struct raft_config config;
    size_t size;
    void *memory;
    void *twin;
    uint64_t now_ms;
    struct disk disk;
    uint64_t issued;
    uint64_t reported;
    struct kept_write *writes; // those under way, by number

    // What its log in memory is, by what it gave out.
    struct raft_snapshot_meta base;
    struct kept_entry log[INDEX_MAX];

    raft_index given; // for apply
    raft_index applied;
    uint64_t digest;     // of the state with all that was given
    struct file taking;  // a snapshot under way
    struct file arrived; // one that came in, to be reported
    uint8_t aside[FILE_MAX];
    uint64_t aside_size;
    bool failed; // the next report of one that came in
    uint64_t deadline_ms;
    struct raft_view view; // after the last step
};

struct world {
    uint64_t random;
    bool hostile;
    bool one_clock; // for leases
    bool changes;   // of members
    uint64_t now_ms;
    uint32_t count;
    struct core cores[CORES_MAX];
    struct kept_message pool[POOL_MAX];
    uint32_t pool_count;
    uint64_t digests[INDEX_MAX];   // of the state at each index; 0: none yet
    struct file *files[INDEX_MAX]; // that anyone has taken
    raft_id leaders[TERMS_MAX];    // of each term
    raft_index committed;          // as far as any core knows
    uint64_t reads;
    raft_index floors[READS_MAX]; // of each read: what was committed when it was asked
    raft_id cut_off;              // hears nobody, and nobody hears it; 0: none
};

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static uint64_t draw(struct world *world)
{
    return mix(world->random += 0x9e3779b97f4a7c15u);
}

static uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)(draw(world) % limit);
}

static bool one_in(struct world *world, uint32_t limit)
{
    return below(world, limit) == 0;
}

static struct kept_entry *slot(struct kept_entry entries[INDEX_MAX], raft_index index)
{
    return &entries[index % INDEX_MAX];
}

static void keep_entry(struct raft_entry *kept, uint8_t data[DATA_MAX],
                       const struct raft_entry *entry)
{
    CHECK(entry->size <= DATA_MAX);
    *kept = *entry;
    memset(data, 0, DATA_MAX);
    if (entry->size > 0)
        memcpy(data, entry->data, entry->size); // reads all that is pointed at
    kept->data = data;
}

static bool same_entry(const struct raft_entry *a, const struct raft_entry *b)
{
    return a->index == b->index && a->term == b->term && a->type == b->type &&
           a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

// ---- messages under way -----------------------------------------------------------

static void own_what_is_pointed_at(struct kept_message *kept)
{
    struct raft_message *message = &kept->message;
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        message->install_snapshot.data = kept->data;
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    message->append_entries.entries = kept->entries;
    for (uint32_t i = 0; i < message->append_entries.count; i++)
        kept->entries[i].data = kept->data[i];
}

static void copy_message(struct kept_message *to, const struct kept_message *from)
{
    *to = *from;
    own_what_is_pointed_at(to);
}

static void keep_message(struct world *world, const struct raft_message *message)
{
    bool full = world->pool_count == POOL_MAX; // then another is lost
    uint32_t at = full ? below(world, POOL_MAX) : world->pool_count++;
    struct kept_message *kept = &world->pool[at];
    kept->message = *message;
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        memcpy(kept->data, message->install_snapshot.data,
               message->install_snapshot.size);
    if (message->type == RAFT_APPEND_ENTRIES) {
        CHECK(message->append_entries.count <= BATCH_MAX);
        for (uint32_t i = 0; i < message->append_entries.count; i++)
            keep_entry(&kept->entries[i], kept->data[i],
                       &message->append_entries.entries[i]);
    }
    own_what_is_pointed_at(kept);
}

// ---- the log in memory, and its configuration -------------------------------------

static void check_run(const struct raft_entry *entries, uint32_t count,
                      raft_index first)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(entries[i].index, first + i);
        CHECK((unsigned)entries[i].type < RAFT_ENTRY_TYPE_COUNT);
    }
}

// Section 6: "a server always uses the latest configuration in its log".
static void check_configuration(const struct core *core)
{
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    raft_index at = core->base.configuration_index;
    uint32_t size = raft_configuration_encode(&core->base.configuration, text);
    raft_index base = core->base.last_included_index;
    for (raft_index index = core->view.last_index; index > base; index--) {
        const struct kept_entry *kept = &core->log[index % INDEX_MAX];
        CHECK_EQ(kept->entry.index, index);
        if (kept->entry.type != RAFT_ENTRY_CONFIGURATION)
            continue;
        at = index;
        size = kept->entry.size;
        memcpy(text, kept->data, size);
        break;
    }
    char own[RAFT_CONFIGURATION_BYTES_MAX];
    CHECK_EQ(core->view.configuration_index, at);
    CHECK_EQ(raft_configuration_encode(core->view.configuration, own), size);
    CHECK(memcmp(own, text, size) == 0);
}

static void keep_log(struct core *core, const struct raft_output *output)
{
    if (output->snapshot_restore != NULL)
        core->base = *output->snapshot_restore;
    for (uint32_t i = 0; i < output->entry_count; i++) {
        const struct raft_entry *entry = &output->entries[i];
        struct kept_entry *kept = slot(core->log, entry->index);
        keep_entry(&kept->entry, kept->data, entry);
    }
}

// ---- properties of Figure 3 -------------------------------------------------------

// Election Safety, where all are honest.
static void check_leader(struct world *world, const struct core *core)
{
    if (world->hostile || core->view.role != RAFT_LEADER)
        return;
    CHECK(core->view.current_term < TERMS_MAX);
    raft_id *leader = &world->leaders[core->view.current_term];
    if (*leader == 0)
        *leader = core->config.id;
    CHECK_EQ(*leader, core->config.id);
}

// State Machine Safety, where all are honest: one state at one index, whether it came
// there entry by entry or by a snapshot.
static void check_state(struct world *world, const struct core *core, raft_index index)
{
    if (world->hostile)
        return;
    CHECK(index < INDEX_MAX);
    if (world->digests[index] == 0)
        world->digests[index] = core->digest;
    CHECK_EQ(world->digests[index], core->digest);
}

static void note_applied(struct world *world, struct core *core,
                         const struct raft_entry *entry)
{
    uint64_t digest = mix(core->digest ^ entry->term) + (uint64_t)entry->type;
    const uint8_t *data = entry->data;
    for (uint32_t i = 0; i < entry->size; i++)
        digest = digest * 0x100000001b3u ^ data[i];
    core->digest = mix(digest) | 1;
    check_state(world, core, entry->index);
}

// ---- a step's twin ----------------------------------------------------------------

static void check_same_entries(const struct raft_entry *a, const struct raft_entry *b,
                               uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK(same_entry(&a[i], &b[i]));
}

// The trace tells all that is decided and said; what is pointed at is compared itself.
static void check_same(const struct core *core, const struct raft_event *event,
                       const struct raft_output *a, const struct raft_output *b)
{
    static char text[1 << 16];
    static char same[1 << 16];
    raft_trace_step(text, sizeof text, core->memory, event, a);
    raft_trace_step(same, sizeof same, core->twin, event, b);
    if (getenv("RAFT_FUZZ_TRACE") != NULL) // n1 < RequestVote ..., as it goes
        fprintf(stderr, "%s\n", text);
    CHECK_TEXT(same, text);
    CHECK_EQ(b->deadline_ms, a->deadline_ms);
    CHECK_EQ(b->leader_hint, a->leader_hint);
    check_same_entries(a->entries, b->entries, a->entry_count);
    check_same_entries(a->apply, b->apply, a->apply_count);
    for (uint32_t i = 0; i < a->message_count; i++) {
        const struct raft_message *message = &a->messages[i];
        CHECK_EQ(b->messages[i].term, message->term);
        if (message->type == RAFT_APPEND_ENTRIES)
            check_same_entries(message->append_entries.entries,
                               b->messages[i].append_entries.entries,
                               message->append_entries.count);
    }
}

#endif
