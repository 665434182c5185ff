// fuzz_world.h: cores, a pool of messages between them, and a model of each one's disk.
//
// The model alone decides what a core may say: a vote, an acknowledgement or an entry
// for apply is checked against what it holds on stable storage. A twin in memory with
// other garbage takes every step too, and must say the same: no core reads what it did
// not write, none holds a pointer into itself, and time and chance come from outside.
#ifndef TESTS_RAFT_FUZZ_WORLD_H
#define TESTS_RAFT_FUZZ_WORLD_H

#include "raft/raft.h"
#include "raft/trace.h"
#include "tests/test.h"

enum {
    CORES_MAX = 5,
    ENTRIES_MAX = 512, // as many as any core's log has room for
    WRITES_MAX = 64,
    POOL_MAX = 64,
    BATCH_MAX = 24, // more than four times the smallest message_entries_max
    DATA_MAX = 24,
    TERMS_MAX = 4096,
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
    uint32_t count;
    struct kept_entry entries[ENTRIES_MAX];
};

struct model { // of a disk
    struct raft_hard_state hard_state;
    raft_index last_index;
    struct kept_entry entries[ENTRIES_MAX + 1]; // from index 1
};

struct core {
    struct raft_config config;
    size_t size;
    void *memory;
    void *twin;
    uint64_t now_ms;
    struct model disk;
    uint64_t issued;
    uint64_t reported;
    struct kept_write *writes; // those under way, by number
    raft_index given;          // for apply
    raft_index applied;
    uint64_t deadline_ms;
    struct raft_view view; // after the last step
};

struct world {
    uint64_t random;
    bool hostile;
    uint32_t count;
    struct core cores[CORES_MAX];
    struct kept_message pool[POOL_MAX];
    uint32_t pool_count;
    struct kept_entry applied[ENTRIES_MAX + 1]; // by anyone; index 0: none yet
    raft_id leaders[TERMS_MAX];                 // of each term
    raft_id cut_off; // hears nobody, and nobody hears it; 0: none
};

static uint64_t draw(struct world *world)
{
    uint64_t value = world->random += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)(draw(world) % limit);
}

static bool one_in(struct world *world, uint32_t limit)
{
    return below(world, limit) == 0;
}

// ---- what a core says -------------------------------------------------------------

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

static void check_run(const struct raft_entry *entries, uint32_t count,
                      raft_index first)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(entries[i].index, first + i);
        CHECK((unsigned)entries[i].type < RAFT_ENTRY_TYPE_COUNT);
    }
}

static void check_durable(const struct core *core, const struct raft_entry *entry)
{
    CHECK(entry->index <= core->disk.last_index);
    const struct kept_entry *kept = &core->disk.entries[entry->index];
    CHECK_EQ(kept->entry.term, entry->term);
    CHECK_EQ(kept->entry.type, entry->type);
    CHECK_EQ(kept->entry.size, entry->size);
    CHECK(entry->size == 0 || memcmp(kept->data, entry->data, entry->size) == 0);
}

// STATE-0: the log up to here, as it is in memory, is on disk. What lies far behind was
// looked at before.
static void check_log_durable(const struct core *core, raft_index last)
{
    raft_index first = core->view.first_index;
    if (last > first + 32)
        first = last - 32;
    for (raft_index index = first; index <= last; index++) {
        struct raft_entry entry;
        CHECK(raft_entry_at(core->memory, index, &entry));
        check_durable(core, &entry);
    }
}

static void check_append(const struct core *core, const struct raft_message *message)
{
    const struct raft_append_entries *append = &message->append_entries;
    CHECK_EQ(core->view.role, RAFT_LEADER);
    CHECK_EQ(core->disk.hard_state.current_term, message->term);
    CHECK(append->leader_commit <= core->view.last_index);
    CHECK(append->count <= core->config.message_entries_max);
    check_run(append->entries, append->count, append->prev_log_index + 1);
    raft_term term;
    CHECK(raft_term_at(core->memory, append->prev_log_index, &term));
    CHECK_EQ(append->prev_log_term, term);
}

// STATE-0: nothing is said that a crash in this moment would make a lie.
static void check_message(const struct world *world, const struct core *core,
                          const struct raft_message *message)
{
    const struct raft_hard_state *disk = &core->disk.hard_state;
    CHECK_EQ(message->from, core->config.id);
    CHECK(message->to != core->config.id);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        if (message->request_vote.pre_vote)
            return;
        CHECK_EQ(disk->current_term, message->term);
        CHECK_EQ(disk->voted_for, core->config.id);
        if (core->view.role == RAFT_CANDIDATE) // else it goes out too late to count
            check_log_durable(core, message->request_vote.last_log_index);
        return;
    case RAFT_REQUEST_VOTE_REPLY:
        if (!message->request_vote_reply.pre_vote)
            CHECK(disk->current_term >= message->term);
        if (!message->request_vote_reply.pre_vote &&
            message->request_vote_reply.vote_granted)
            CHECK_EQ(disk->voted_for, message->to);
        return;
    case RAFT_APPEND_ENTRIES:
        check_append(core, message);
        return;
    case RAFT_APPEND_ENTRIES_REPLY:
        CHECK(disk->current_term >= message->term);
        // Two leaders in one term may take back what was acknowledged.
        if (message->append_entries_reply.success && !world->hostile)
            check_log_durable(core, message->append_entries_reply.match_index);
        return;
    case RAFT_READ_INDEX:
        CHECK_EQ(message->to, core->view.leader_id);
        return;
    case RAFT_READ_INDEX_REPLY:
        CHECK(message->read_index.index <= core->view.commit_index);
        return;
    default:
        CHECK(false);
    }
}

static void copy_message(struct kept_message *to, const struct kept_message *from)
{
    *to = *from;
    if (to->message.type != RAFT_APPEND_ENTRIES)
        return;
    to->message.append_entries.entries = to->entries;
    for (uint32_t i = 0; i < to->message.append_entries.count; i++)
        to->entries[i].data = to->data[i];
}

static void keep_message(struct world *world, const struct raft_message *message)
{
    bool full = world->pool_count == POOL_MAX; // then another is lost
    uint32_t at = full ? below(world, POOL_MAX) : world->pool_count++;
    struct kept_message *kept = &world->pool[at];
    kept->message = *message;
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    CHECK(message->append_entries.count <= BATCH_MAX);
    for (uint32_t i = 0; i < message->append_entries.count; i++)
        keep_entry(&kept->entries[i], kept->data[i],
                   &message->append_entries.entries[i]);
    kept->message.append_entries.entries = kept->entries;
}

static void keep_write(struct core *core, const struct raft_output *output)
{
    if (output->write == 0) {
        CHECK(!output->hard_state_changed);
        CHECK_EQ(output->entry_count, 0);
        return;
    }
    CHECK_EQ(output->write, core->issued + 1);
    core->issued = output->write;
    struct kept_write *write = &core->writes[output->write % WRITES_MAX];
    write->hard_state_changed = output->hard_state_changed;
    write->hard_state = output->hard_state;
    write->count = output->entry_count;
    CHECK(write->count <= ENTRIES_MAX);
    if (write->count > 0)
        check_run(output->entries, write->count, output->entries[0].index);
    for (uint32_t i = 0; i < write->count; i++)
        keep_entry(&write->entries[i].entry, write->entries[i].data,
                   &output->entries[i]);
}

// State Machine Safety (Figure 3), where all are honest.
static void check_agreement(struct world *world, const struct raft_entry *entry)
{
    struct kept_entry *applied = &world->applied[entry->index];
    if (applied->entry.index == 0)
        keep_entry(&applied->entry, applied->data, entry);
    CHECK_EQ(entry->term, applied->entry.term);
    CHECK_EQ(entry->size, applied->entry.size);
    CHECK(entry->size == 0 || memcmp(entry->data, applied->data, entry->size) == 0);
}

static void check_apply(struct world *world, struct core *core,
                        const struct raft_output *output)
{
    check_run(output->apply, output->apply_count, core->given + 1);
    for (uint32_t i = 0; i < output->apply_count; i++) {
        check_durable(core, &output->apply[i]);
        if (!world->hostile)
            check_agreement(world, &output->apply[i]);
    }
    core->given += output->apply_count;
}

// Election Safety (Figure 3), where all are honest.
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

// Figure 2: the term, the commit index and the vote within a term go one way.
static void check_view(struct core *core)
{
    struct raft_view view;
    raft_observe(core->memory, &view);
    CHECK(view.current_term >= core->view.current_term);
    if (view.current_term == core->view.current_term && core->view.voted_for != 0)
        CHECK_EQ(view.voted_for, core->view.voted_for);
    CHECK(view.commit_index >= core->view.commit_index);
    CHECK(view.durable_index <= core->disk.last_index);
    core->view = view;
    check_log_durable(core, view.durable_index);
    const char *broken = raft_check(core->memory);
    CHECK_TEXT(broken == NULL ? "" : broken, "");
}

// ---- a step, and its twin ---------------------------------------------------------

static void check_same_entries(const struct raft_entry *a, const struct raft_entry *b,
                               uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(a[i].index, b[i].index);
        CHECK_EQ(a[i].term, b[i].term);
        CHECK_EQ(a[i].type, b[i].type);
        CHECK_EQ(a[i].size, b[i].size);
        CHECK(a[i].size == 0 || memcmp(a[i].data, b[i].data, a[i].size) == 0);
    }
}

// The trace tells all that is decided and said; what is pointed at is compared itself.
static void check_same(const struct core *core, const struct raft_event *event,
                       const struct raft_output *a, const struct raft_output *b)
{
    static char text[1 << 16];
    static char same[1 << 16];
    raft_trace_step(text, sizeof text, core->memory, event, a);
    raft_trace_step(same, sizeof same, core->twin, event, b);
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

static void step(struct world *world, struct core *core, struct raft_event event)
{
    event.now_ms = core->now_ms;
    struct raft_output output;
    struct raft_output same;
    enum raft_status status = raft_step(core->memory, &event, &output);
    CHECK_EQ(raft_step(core->twin, &event, &same), status);
    check_same(core, &event, &output, &same);
    core->deadline_ms = output.deadline_ms;
    keep_write(core, &output);
    check_view(core);
    check_leader(world, core);
    check_apply(world, core, &output);
    for (uint32_t i = 0; i < output.message_count; i++) {
        check_message(world, core, &output.messages[i]);
        keep_message(world, &output.messages[i]);
    }
    if (one_in(world, 64)) // "memcpy forks a node"
        memcpy(core->twin, core->memory, core->size);
}

// ---- the disk ---------------------------------------------------------------------

static void land(struct core *core, uint64_t number)
{
    const struct kept_write *write = &core->writes[number % WRITES_MAX];
    if (write->hard_state_changed)
        core->disk.hard_state = write->hard_state;
    for (uint32_t i = 0; i < write->count; i++) {
        const struct raft_entry *entry = &write->entries[i].entry;
        CHECK(entry->index <= core->disk.last_index + 1); // no gap
        CHECK(entry->index <= ENTRIES_MAX);
        struct kept_entry *kept = &core->disk.entries[entry->index];
        keep_entry(&kept->entry, kept->data, entry);
        core->disk.last_index = entry->index;
    }
    core->reported = number;
}

static void persist(struct world *world, struct core *core, uint64_t up_to)
{
    while (core->reported < up_to)
        land(core, core->reported + 1);
    step(world, core,
         (struct raft_event){.type = RAFT_EVENT_PERSISTED, .persisted.write = up_to});
}

static void boot(struct core *core)
{
    memset(core->memory, 0xa5, core->size);
    memset(core->twin, 0x5a, core->size);
    core->config.start_ms = core->now_ms;
    struct raft_snapshot_meta none = {0};
    raft_init(core->memory, &core->config, &core->disk.hard_state, &none);
    raft_init(core->twin, &core->config, &core->disk.hard_state, &none);
    for (raft_index index = 1; index <= core->disk.last_index; index++) {
        CHECK_EQ(raft_load(core->memory, &core->disk.entries[index].entry), RAFT_OK);
        CHECK_EQ(raft_load(core->twin, &core->disk.entries[index].entry), RAFT_OK);
    }
    core->issued = 0;
    core->reported = 0;
    core->given = 0;
    core->applied = 0;
    raft_observe(core->memory, &core->view);
}

// Some of what was under way may have reached the disk.
static void crash(struct world *world, struct core *core)
{
    uint64_t survive = below(world, (uint32_t)(core->issued - core->reported) + 1);
    for (uint64_t i = 0; i < survive; i++)
        land(core, core->reported + 1);
    boot(core);
}

#endif
