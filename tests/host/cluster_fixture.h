// cluster_fixture.h: the nodes of cluster_nodes.h under a test's hand.
//
// One event at a time, drawn from a seed: a message, the end of a sync, a deadline;
// time passes where nothing else is due. A crash that a test asks for ends the node
// whose disk it is.
#ifndef TESTS_HOST_CLUSTER_FIXTURE_H
#define TESTS_HOST_CLUSTER_FIXTURE_H

#include "tests/host/cluster_nodes.h"

// ---- one event after another ----------------------------------------------------

// The power went in the middle of something.
static inline void note_crash(struct node *node)
{
    if (node->disk.crashed)
        node->host = NULL;
}

static inline void node_tick(struct node *node)
{
    host_tick(node->host, &node->io, cluster.now_ms);
    note_crash(node);
}

static inline void node_end_sync(struct node *node, uint32_t which)
{
    uint64_t token;
    int status = memory_disk_end_one_sync(&node->disk, which, &token);
    if (!node->disk.crashed)
        host_synced(node->host, &node->io, cluster.now_ms, token, status);
    note_crash(node);
}

static inline void deliver(uint32_t which)
{
    static struct packet packet;
    packet = cluster.packets[which];
    cluster.packets[which] = cluster.packets[--cluster.packet_count];
    packet_point(&packet);
    struct node *to = &cluster.nodes[packet.message.to - 1];
    if (to->host == NULL || is_lost(&packet.message))
        return;
    host_receive(to->host, &to->io, cluster.now_ms, &packet.message);
    note_crash(to);
}

static inline bool tick_who_is_due(void)
{
    uint32_t first = (uint32_t)fixture_random(cluster.count);
    for (uint32_t i = 0; i < cluster.count; i++) {
        struct node *node = &cluster.nodes[(first + i) % cluster.count];
        if (node->host != NULL && host_deadline_ms(node->host) <= cluster.now_ms) {
            node_tick(node);
            return true;
        }
    }
    return false;
}

static inline bool end_some_sync(void)
{
    uint32_t first = (uint32_t)fixture_random(cluster.count);
    for (uint32_t i = 0; i < cluster.count && !cluster.halt_syncs; i++) {
        struct node *node = &cluster.nodes[(first + i) % cluster.count];
        if (node->host != NULL && node->disk.pending_count > 0) {
            node_end_sync(node, (uint32_t)fixture_random(node->disk.pending_count));
            return true;
        }
    }
    return false;
}

static inline bool deliver_some(void)
{
    if (cluster.packet_count == 0)
        return false;
    deliver((uint32_t)fixture_random(cluster.packet_count));
    return true;
}

// Whatever is due, in an order of the seed; false where time has to pass.
static inline bool cluster_step(void)
{
    uint64_t first = fixture_random(3);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t kind = (first + i) % 3;
        if (kind == 0   ? deliver_some()
            : kind == 1 ? end_some_sync()
                        : tick_who_is_due())
            return true;
    }
    return false;
}

static inline void cluster_pass_time(uint64_t until_ms)
{
    uint64_t next_ms = until_ms;
    for (uint32_t i = 0; i < cluster.count; i++) {
        const struct node *node = &cluster.nodes[i];
        if (node->host != NULL && host_deadline_ms(node->host) < next_ms)
            next_ms = host_deadline_ms(node->host);
    }
    if (next_ms > cluster.now_ms)
        cluster.now_ms = next_ms;
}

static inline void cluster_run(uint64_t duration_ms)
{
    uint64_t until_ms = cluster.now_ms + duration_ms;
    uint64_t steps = 0;
    while (cluster.now_ms < until_ms) {
        while (cluster_step())
            CHECK(steps++ < 200000);
        cluster_pass_time(until_ms);
    }
}

// NULL: nobody that is up and can be heard.
static inline struct node *cluster_leader(void)
{
    struct node *leader = NULL;
    for (uint32_t i = 0; i < cluster.count; i++) {
        struct node *node = &cluster.nodes[i];
        if (node->host == NULL || node->cut_off || host_stopped(node->host) != NULL ||
            node_view(node).role != RAFT_LEADER)
            continue;
        if (leader == NULL ||
            node_view(leader).current_term < node_view(node).current_term)
            leader = node;
    }
    return leader;
}

static inline struct node *cluster_elect(void)
{
    for (int i = 0; i < 300; i++) {
        struct node *leader = cluster_leader();
        if (leader != NULL &&
            node_view(leader).commit_index >= node_view(leader).configuration_index &&
            node_view(leader).last_term == node_view(leader).current_term &&
            node_view(leader).commit_index == node_view(leader).last_index)
            return leader;
        cluster_run(50);
    }
    test_fail(__FILE__, __LINE__, "no leader in 15 seconds");
}

static inline enum raft_status node_propose(struct node *node)
{
    char text[40];
    snprintf(text, sizeof text, "command %" PRIu64, ++cluster.proposals);
    struct raft_command command = {.data = text, .size = (uint32_t)strlen(text)};
    raft_index index;
    raft_term term;
    enum raft_status status =
        host_propose(node->host, &node->io, cluster.now_ms, &command, 1, &index, &term);
    note_crash(node);
    return status;
}

// As many commands, one after another, whoever leads meanwhile.
static inline void cluster_propose(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK_EQ(node_propose(cluster_elect()), RAFT_OK);
        cluster_run(5);
    }
}

// Every node that is up holds all that any node has ever applied.
static inline void cluster_settle(void)
{
    for (int round = 0; round < 300; round++) {
        bool settled = cluster_leader() != NULL;
        for (uint32_t i = 0; i < cluster.count; i++) {
            struct node *node = &cluster.nodes[i];
            if (node->host == NULL || node->cut_off)
                continue;
            CHECK_TEXT(host_stopped(node->host) == NULL ? "" : host_stopped(node->host),
                       "");
            settled = settled && !node->machine.restoring &&
                      node->machine.state.index >= cluster.applied_index &&
                      !host_busy(node->host) && !host_disk_full(node->host);
        }
        if (settled)
            return;
        cluster_run(50);
    }
    test_fail(__FILE__, __LINE__, "what was applied did not reach all in 15 seconds");
}

// What a crash would leave now is what the core holds.
static inline void check_durable_is_the_cores(struct node *node)
{
    static struct node other;
    CHECK(!host_busy(node->host));
    other = *node;
    other.memory = NULL;
    node_connect(&other);
    memory_disk_crash(&other.disk, 0);
    node_open(&other);
    struct raft_view a = node_view(node);
    struct raft_view b = node_view(&other);
    CHECK_EQ(b.current_term, a.current_term);
    CHECK_EQ(b.voted_for, a.voted_for);
    CHECK_EQ(b.last_index, a.last_index);
    CHECK_EQ(b.last_term, a.last_term);
    raft_index first = a.first_index > b.first_index ? a.first_index : b.first_index;
    for (raft_index i = first; i <= a.last_index; i++) {
        struct raft_entry left;
        struct raft_entry right;
        CHECK(raft_entry_at(host_raft(node->host), i, &left));
        CHECK(raft_entry_at(host_raft(other.host), i, &right));
        CHECK_EQ(left.term, right.term);
        CHECK_EQ(left.size, right.size);
        CHECK(left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
    }
    free(other.memory);
}

// A chunk of the newest snapshot, as `from` would send it.
static inline struct raft_message chunk_of(struct node *from, const struct node *to,
                                           uint64_t offset)
{
    static uint8_t bytes[CHUNK_BYTES];
    raft_index index = node_view(from).snapshot_index;
    const struct memory_content *file = node_snapshot(from, index);
    uint64_t left = file->size - offset;
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT,
                                   .from = from->id,
                                   .to = to->id,
                                   .term = node_view(from).current_term};
    struct raft_install_snapshot *chunk = &message.install_snapshot;
    chunk->last_included_index = index;
    CHECK(raft_term_at(host_raft(from->host), index, &chunk->last_included_term));
    chunk->offset = offset;
    chunk->total = file->size;
    for (int i = 0; i < 4; i++)
        chunk->checksum |= (uint64_t)file->bytes[file->size - 4 + (uint64_t)i]
                           << (8 * i);
    chunk->size = (uint32_t)(left < CHUNK_BYTES ? left : CHUNK_BYTES);
    memcpy(bytes, file->bytes + offset, chunk->size);
    chunk->data = bytes;
    return message;
}

// ---- plain data -----------------------------------------------------------------

// All there is, as at some moment.
struct cluster_copy {
    struct cluster cluster;
    void *memory[NODES_MAX];
};

static inline void cluster_save(struct cluster_copy *copy)
{
    copy->cluster = cluster;
    for (uint32_t i = 0; i < cluster.count; i++) {
        size_t size = host_size(&cluster.nodes[i].config);
        free(copy->memory[i]);
        copy->memory[i] = aligned_alloc(16, size);
        memcpy(copy->memory[i], cluster.nodes[i].memory, size);
    }
}

// Into other memory than before: no node leans on where it was.
static inline void cluster_load(const struct cluster_copy *copy)
{
    void *used[NODES_MAX];
    for (uint32_t i = 0; i < NODES_MAX; i++)
        used[i] = cluster.nodes[i].memory;
    cluster = copy->cluster;
    for (uint32_t i = 0; i < cluster.count; i++) {
        struct node *node = &cluster.nodes[i];
        size_t size = host_size(&node->config);
        void *memory = aligned_alloc(16, size);
        memcpy(memory, copy->memory[i], size);
        if (node->host != NULL)
            node->host = (struct host *)((char *)memory +
                                         ((char *)node->host - (char *)node->memory));
        node->memory = memory;
    }
    for (uint32_t i = 0; i < NODES_MAX; i++)
        free(used[i]);
}

// The nodes' state in one number, to see whether two runs were the same.
static inline uint64_t cluster_digest(void)
{
    uint64_t hash = fixture_hash(1, &cluster.now_ms, sizeof cluster.now_ms);
    for (uint32_t i = 0; i < cluster.count; i++) {
        const struct node *node = &cluster.nodes[i];
        hash = fixture_hash(hash, &node->machine.state,
                            machine_size(&node->machine.state));
        for (uint32_t j = 0; j < node->disk.file_count; j++) {
            const struct memory_file *file = &node->disk.files[j];
            if (file->now.exists)
                hash = fixture_hash(hash, file->now.bytes, (size_t)file->now.size);
        }
    }
    return hash;
}

#endif
