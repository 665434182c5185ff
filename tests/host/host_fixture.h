// host_fixture.h: a node over a disk in memory, under a test's hand.
#ifndef TESTS_HOST_HOST_FIXTURE_H
#define TESTS_HOST_HOST_FIXTURE_H

#include "raft/host/host.h"
#include "tests/host/memory_disk.h"

enum { APPLIED_MAX = 300, SENT_MAX = 64, READS_MAX = 8 };

// A node and all that its host may reach.
struct world {
    struct memory_disk disk;
    struct host_config config;
    struct host_io io;
    void *memory;
    struct host *host;
    uint64_t now_ms;
    char error[200];

    struct raft_entry applied[APPLIED_MAX]; // less their data
    char first_byte[APPLIED_MAX];
    uint32_t applied_count;
    struct raft_message sent[SENT_MAX]; // less what they point at
    uint32_t sent_count;
    uint64_t reads[READS_MAX];
    uint32_t read_count;
    uint32_t reads_refused;
    uint64_t steps_seen;
};

static struct world world;

static void take_messages(void *context, const struct raft_message *messages,
                          uint32_t count)
{
    struct world *to = context;
    for (uint32_t i = 0; i < count && to->sent_count < SENT_MAX; i++)
        to->sent[to->sent_count++] = messages[i];
}

static void take_entries(void *context, const struct raft_entry *entries,
                         uint32_t count)
{
    struct world *to = context;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(to->applied_count < APPLIED_MAX);
        CHECK_EQ(entries[i].index, to->applied_count + 1);
        to->applied[to->applied_count] = entries[i];
        to->first_byte[to->applied_count++] =
            entries[i].size > 0 ? *(const char *)entries[i].data : '\0';
    }
}

static void take_read(void *context, uint64_t id, enum raft_status status)
{
    struct world *to = context;
    to->reads_refused += status != RAFT_OK;
    CHECK(to->read_count < READS_MAX);
    to->reads[to->read_count++] = id;
}

static void see_step(void *context, const struct raft *raft,
                     const struct raft_event *event, const struct raft_output *output)
{
    struct world *to = context;
    CHECK(event->type != 0 && output->deadline_ms > 0);
    const char *broken = raft_check(raft);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "core invariant: %s", broken);
    to->steps_seen++;
}

static void connect(struct world *to)
{
    to->io = (struct host_io){.disk = memory_disk_interface(&to->disk),
                              .network = {to, take_messages},
                              .machine = {to, take_entries, take_read},
                              .observer = {to, see_step}};
}

static void start(uint32_t members)
{
    free(world.memory);
    memset(&world, 0, sizeof world);
    host_config_default(&world.config);
    world.config.cluster_id = 5;
    struct raft_config *raft = &world.config.raft;
    raft->id = 1;
    raft->seed = 42;
    raft->log_entries_max = 128;
    raft->log_bytes_max = 1 << 16;
    raft->command_bytes_max = 1 << 12;
    raft->message_bytes_max = 1 << 12;
    raft->configuration.count = members;
    for (uint32_t i = 0; i < members; i++)
        raft->configuration.members[i] =
            (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
    connect(&world);
}

static bool open_node(void)
{
    free(world.memory);
    world.memory = aligned_alloc(16, host_size(&world.config));
    memset(world.memory, 0xa5, host_size(&world.config)); // open must not care
    world.applied_count = 0;
    world.sent_count = 0;
    world.read_count = 0;
    world.error[0] = '\0';
    world.host = host_open(world.memory, &world.config, &world.io, world.now_ms,
                           world.error, sizeof world.error);
    return world.host != NULL;
}

static void end_sync(void)
{
    uint64_t token = world.disk.pending_token;
    int status = memory_disk_end_sync(&world.disk);
    host_synced(world.host, &world.io, world.now_ms, token, status);
}

static void end_all_syncs(void)
{
    for (int i = 0; world.disk.pending_token != 0; i++) {
        CHECK(i < 1000); // each is for writes that were appended before
        end_sync();
    }
}

static struct raft_view view(void)
{
    struct raft_view seen;
    raft_observe(host_raft(world.host), &seen);
    return seen;
}

// A cluster of one elects itself, and its no-op is applied.
static __attribute__((unused)) void lead(void)
{
    CHECK(open_node());
    for (int i = 0; i < 100 && (view().role != RAFT_LEADER || host_busy(world.host));
         i++) {
        world.now_ms = host_deadline_ms(world.host);
        host_tick(world.host, &world.io, world.now_ms);
        end_all_syncs();
    }
    CHECK_EQ(view().role, RAFT_LEADER);
    CHECK_EQ(view().last_applied, view().last_index);
}

static enum raft_status propose(const char *text)
{
    struct raft_command command = {.data = text, .size = (uint32_t)strlen(text)};
    raft_index index;
    raft_term term;
    return host_propose(world.host, &world.io, world.now_ms, &command, 1, &index,
                        &term);
}

static struct host_counters counters(void)
{
    struct host_counters now;
    host_count(world.host, &now);
    return now;
}

static __attribute__((unused)) void restart(uint64_t mask)
{
    memory_disk_crash(&world.disk, mask);
    CHECK(open_node());
}

#endif
