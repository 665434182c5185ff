// cluster_nodes.h: hosts over disks in memory, a pool of messages, and a state machine
// with snapshots: what cluster_fixture.h lets run.
//
// Whatever a test claims is checked besides: every index has one state on all nodes,
// and no node votes twice in a term, crashes or not.
#ifndef TESTS_HOST_CLUSTER_NODES_H
#define TESTS_HOST_CLUSTER_NODES_H

#ifndef MEMORY_FILES_MAX
#define MEMORY_FILES_MAX 24
#endif
#ifndef MEMORY_FILE_BYTES
#define MEMORY_FILE_BYTES (16 * 1024)
#endif

#include <stdlib.h>

#include "raft/host/host.h"
#include "raft/host/snapshot_file.h"
#include "tests/host/memory_disk.h"

enum {
    NODES_MAX = 3,
    ITEMS_MAX = 1024, // in the state, one a command
    INDICES_MAX = 4096,
    PACKETS_MAX = 256,
    PACKET_ENTRIES_MAX = 16,
    PACKET_BYTES_MAX = 4096,
    TERMS_MAX = 256,
    CLUSTER = 5,
    CHUNK_BYTES = 256,
    HEADER_BYTES = SNAPSHOT_HEADER_BYTES_MAX,
};

// What a machine holds; its snapshot is these bytes, up to the last item.
struct machine_state {
    raft_index index;
    uint64_t hash; // of every entry that was ever applied, in order
    uint64_t count;
    uint64_t items[ITEMS_MAX]; // of each command
};

struct machine {
    struct machine_state state;
    struct machine_state frozen;
    bool is_frozen;
    size_t read;
    struct machine_state restored;
    bool restoring;
    size_t written;
    uint64_t frozen_count;
    int begin_status; // what snapshot_begin() returns, if not 0
    int read_status;  // what snapshot_read() returns, if not 0
    int write_status; // what restore_write() returns, if not 0
};

struct node {
    raft_id id;
    struct memory_disk disk;
    struct host_config config;
    struct host_io io;
    void *memory;
    struct host *host; // NULL: it is down
    struct machine machine;
    bool cut_off;
    uint64_t reads;
    uint64_t reads_refused;
    uint64_t starts;
    char error[600];
};

struct packet {
    struct raft_message message;
    struct raft_entry entries[PACKET_ENTRIES_MAX];
    uint8_t bytes[PACKET_BYTES_MAX];
};

struct cluster {
    uint32_t count;
    struct node nodes[NODES_MAX];
    uint64_t now_ms;
    uint64_t random;
    struct packet packets[PACKETS_MAX];
    uint32_t packet_count;

    // What happened, for as long as there is a cluster.
    uint64_t hash_at[INDICES_MAX]; // of the state at each index
    raft_index applied_index;      // the highest that any node has applied
    raft_id voted[TERMS_MAX][NODES_MAX];
    uint64_t proposals;

    // Faults.
    uint32_t drop_percent;
    uint64_t damage_chunk; // the chunk, from now on, that arrives damaged; 0: none
    bool lose_chunks;      // all else arrives
    bool halt_syncs;       // none ends
};

static struct cluster cluster;

static inline uint64_t fixture_random(uint64_t bound)
{
    cluster.random = cluster.random * 6364136223846793005u + 1442695040888963407u;
    return (cluster.random >> 33) % bound;
}

static inline uint64_t fixture_hash(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash ^ hash >> 29;
}

// ---- the state machine ----------------------------------------------------------

// An index has one state, whoever holds it and however it got there.
static inline void machine_check(const struct machine *machine)
{
    const struct machine_state *state = &machine->state;
    CHECK(state->index < INDICES_MAX);
    if (cluster.hash_at[state->index] == 0)
        cluster.hash_at[state->index] = state->hash;
    CHECK_EQ(state->hash, cluster.hash_at[state->index]);
    if (state->index > cluster.applied_index)
        cluster.applied_index = state->index;
}

static inline void machine_apply(void *context, const struct raft_entry *entries,
                                 uint32_t count)
{
    struct machine *machine = &((struct node *)context)->machine;
    struct machine_state *state = &machine->state;
    CHECK(!machine->restoring);
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(entries[i].index, state->index + 1);
        state->index = entries[i].index;
        uint64_t about[2] = {entries[i].term, (uint64_t)entries[i].type};
        state->hash = fixture_hash(state->hash + 1, about, sizeof about);
        state->hash = fixture_hash(state->hash, entries[i].data, entries[i].size);
        if (entries[i].type == RAFT_ENTRY_COMMAND) {
            CHECK(state->count < ITEMS_MAX);
            state->items[state->count++] =
                fixture_hash(1, entries[i].data, entries[i].size);
        }
        machine_check(machine);
    }
}

static inline void machine_read_ready(void *context, uint64_t id,
                                      enum raft_status status)
{
    struct node *node = context;
    CHECK(id != 0 && !node->machine.restoring);
    node->reads += status == RAFT_OK;
    node->reads_refused += status != RAFT_OK;
}

static inline size_t machine_size(const struct machine_state *state)
{
    return offsetof(struct machine_state, items) +
           (size_t)state->count * sizeof state->items[0];
}

static inline int machine_snapshot_begin(void *context)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(!machine->is_frozen && !machine->restoring);
    if (machine->begin_status != 0)
        return machine->begin_status;
    machine->frozen = machine->state;
    machine->is_frozen = true;
    machine->frozen_count++;
    machine->read = 0;
    return 0;
}

static inline int64_t machine_snapshot_read(void *context, void *data, size_t size)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(machine->is_frozen);
    if (machine->read_status != 0)
        return machine->read_status;
    size_t left = machine_size(&machine->frozen) - machine->read;
    size_t part = left < size ? left : size;
    memcpy(data, (const uint8_t *)&machine->frozen + machine->read, part);
    machine->read += part;
    return (int64_t)part;
}

static inline void machine_snapshot_end(void *context)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(machine->is_frozen);
    machine->is_frozen = false;
}

static inline int machine_restore_begin(void *context)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(!machine->is_frozen);
    machine->restoring = true;
    machine->written = 0;
    return 0;
}

static inline int machine_restore_write(void *context, const void *data, size_t size)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(machine->restoring && size > 0);
    CHECK(machine->written + size <= sizeof machine->restored);
    memcpy((uint8_t *)&machine->restored + machine->written, data, size);
    machine->written += size;
    return machine->write_status;
}

static inline int machine_restore_end(void *context, raft_index index)
{
    struct machine *machine = &((struct node *)context)->machine;
    CHECK(machine->restoring);
    machine->restoring = false;
    if (machine->restored.index != index ||
        machine->written != machine_size(&machine->restored))
        return -EBADMSG;
    machine->state = machine->restored;
    machine_check(machine);
    return 0;
}

// ---- messages -------------------------------------------------------------------

static inline void packet_point(struct packet *packet)
{
    uint8_t *bytes = packet->bytes;
    struct raft_message *message = &packet->message;
    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        message->install_snapshot.data = bytes;
    } else if (message->type == RAFT_APPEND_ENTRIES) {
        message->append_entries.entries = packet->entries;
        for (uint32_t i = 0; i < message->append_entries.count; i++) {
            packet->entries[i].data = bytes;
            bytes += packet->entries[i].size;
        }
    }
}

static inline void packet_fill(struct packet *packet, const struct raft_message *from)
{
    packet->message = *from;
    size_t used = 0;
    if (from->type == RAFT_INSTALL_SNAPSHOT) {
        CHECK(from->install_snapshot.size <= PACKET_BYTES_MAX);
        memcpy(packet->bytes, from->install_snapshot.data, from->install_snapshot.size);
    } else if (from->type == RAFT_APPEND_ENTRIES) {
        CHECK(from->append_entries.count <= PACKET_ENTRIES_MAX);
        for (uint32_t i = 0; i < from->append_entries.count; i++) {
            packet->entries[i] = from->append_entries.entries[i];
            size_t size = packet->entries[i].size;
            CHECK(used + size <= PACKET_BYTES_MAX);
            if (size > 0)
                memcpy(packet->bytes + used, packet->entries[i].data, size);
            used += size;
        }
    }
}

// A vote is given once a term, crashes or not.
static inline void note_vote(const struct raft_message *message)
{
    if (message->type != RAFT_REQUEST_VOTE_REPLY ||
        message->request_vote_reply.pre_vote ||
        !message->request_vote_reply.vote_granted)
        return;
    CHECK(message->term < TERMS_MAX);
    raft_id *voted = &cluster.voted[message->term][message->from - 1];
    CHECK(*voted == 0 || *voted == message->to);
    *voted = message->to;
}

static inline bool is_lost(const struct raft_message *message)
{
    return cluster.nodes[message->from - 1].cut_off ||
           cluster.nodes[message->to - 1].cut_off ||
           fixture_random(100) < cluster.drop_percent;
}

static inline void take_messages(void *context, const struct raft_message *messages,
                                 uint32_t count)
{
    struct node *node = context;
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_message *message = &messages[i];
        CHECK_EQ(message->from, node->id);
        note_vote(message);
        if (message->to > cluster.count || is_lost(message) ||
            (cluster.lose_chunks && message->type == RAFT_INSTALL_SNAPSHOT))
            continue;
        if (cluster.packet_count == PACKETS_MAX)
            continue; // lost as well
        struct packet *packet = &cluster.packets[cluster.packet_count++];
        packet_fill(packet, message);
        if (message->type == RAFT_INSTALL_SNAPSHOT && cluster.damage_chunk > 0 &&
            --cluster.damage_chunk == 0)
            packet->bytes[message->install_snapshot.size / 2] ^= 0x40;
    }
}

// ---- nodes ----------------------------------------------------------------------

static inline void see_step(void *context, const struct raft *raft,
                            const struct raft_event *event,
                            const struct raft_output *output)
{
    (void)context;
    CHECK(event->type != 0 && output->deadline_ms > 0);
    const char *broken = raft_check(raft);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "core invariant: %s", broken);
}

static inline void node_connect(struct node *node)
{
    node->io = (struct host_io){
        .disk = memory_disk_interface(&node->disk),
        .network = {node, take_messages},
        .machine = {node, machine_apply, machine_read_ready, machine_snapshot_begin,
                    machine_snapshot_read, machine_snapshot_end, machine_restore_begin,
                    machine_restore_write, machine_restore_end},
        .observer = {node, see_step}};
}

static inline void node_configure(struct node *node, uint32_t members)
{
    host_config_default(&node->config);
    node->config.cluster_id = CLUSTER;
    node->config.segment_bytes_max = 1024;
    node->config.snapshot_entries = 12;
    node->config.snapshot_bytes = 0;
    node->config.snapshot_tail_entries = 2;
    node->config.snapshot_chunk_bytes = CHUNK_BYTES;
    struct raft_config *raft = &node->config.raft;
    raft->id = node->id;
    raft->log_entries_max = 128;
    raft->log_bytes_max = 1 << 16;
    raft->command_bytes_max = 1 << 10;
    raft->message_bytes_max = 1 << 10;
    raft->message_entries_max = PACKET_ENTRIES_MAX;
    raft->configuration.count = members;
    for (uint32_t i = 0; i < members; i++)
        raft->configuration.members[i] =
            (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
}

// Of `count` nodes, all voters, none of them up yet.
static inline void cluster_init(uint32_t count, uint64_t seed)
{
    for (uint32_t i = 0; i < NODES_MAX; i++)
        free(cluster.nodes[i].memory);
    memset(&cluster, 0, sizeof cluster);
    cluster.count = count;
    cluster.random = seed;
    cluster.hash_at[0] = 1;
    for (uint32_t i = 0; i < count; i++) {
        cluster.nodes[i].id = i + 1;
        node_configure(&cluster.nodes[i], count);
        node_connect(&cluster.nodes[i]);
    }
}

// False: see node->error.
static inline bool node_try_open(struct node *node)
{
    free(node->memory);
    node->config.raft.seed = 100 * node->id + ++node->starts;
    size_t size = host_size(&node->config);
    node->memory = aligned_alloc(16, size);
    memset(node->memory, 0xa5, size); // open must not care
    memset(&node->machine, 0, sizeof node->machine);
    node->error[0] = '\0';
    node->host = host_open(node->memory, &node->config, &node->io, cluster.now_ms,
                           node->error, sizeof node->error);
    return node->host != NULL;
}

static inline void node_open(struct node *node)
{
    bool opened = node_try_open(node);
    CHECK_TEXT(node->error, "");
    CHECK(opened);
}

static inline void node_crash(struct node *node, uint64_t mask)
{
    node->host = NULL;
    memory_disk_crash(&node->disk, mask);
}

static inline void cluster_start(uint32_t count, uint64_t seed)
{
    cluster_init(count, seed);
    for (uint32_t i = 0; i < count; i++)
        node_open(&cluster.nodes[i]);
}

static inline struct raft_view node_view(const struct node *node)
{
    struct raft_view view;
    raft_observe(host_raft(node->host), &view);
    return view;
}

static inline struct host_counters node_counters(const struct node *node)
{
    struct host_counters counters;
    host_count(node->host, &counters);
    return counters;
}

static inline struct memory_content *node_file(struct node *node, const char *name)
{
    struct memory_file *file = memory_disk_find(&node->disk, name);
    CHECK(file != NULL && file->now.exists);
    return &file->now;
}

static inline struct memory_content *node_snapshot(struct node *node, raft_index index)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_format_name(name, index);
    return node_file(node, name);
}

// What the node's disk has; the newest first.
static inline uint32_t node_snapshots(struct node *node, raft_index indices[8])
{
    struct snapshot_listing listing;
    CHECK_EQ(snapshot_file_list(&listing, &node->io.disk), 0);
    CHECK(listing.count <= 8);
    uint32_t count = listing.count;
    for (uint32_t i = 0; i < count; i++)
        indices[i] = listing.files[i].index;
    snapshot_file_list_release(&listing);
    return count;
}

#endif
