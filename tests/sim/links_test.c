// The network between the nodes: what a link does to a message, and what it does not.
#include "sim/links.h"

#include "sim/packet.h"
#include "sim/world.h"
#include "tests/test.h"

static struct world *world;

// A world whose nodes have said nothing yet; events come from this test alone.
static void begin(void)
{
    struct world_config config;
    char error[100];

    world_config_default(&config);
    config.delay_us_min = 1000;
    config.delay_us_max = 9000;
    world = world_new(&config, error, sizeof(error));
    CHECK(world != NULL);
    heap_clear(&world->heap);
}

static void send(raft_id from, raft_id to, raft_term term)
{
    struct raft_message message = {
        .type = RAFT_TIMEOUT_NOW, .from = from, .to = to, .term = term};

    links_send(world, &message, 1);
}

// Takes the next event off the heap and says whether the link lets it through.
static bool take(struct heap_event *event, raft_term *term)
{
    bool arrives;

    CHECK(heap_pop(&world->heap, event));
    CHECK_EQ(event->kind, WORLD_DELIVER);
    *term = packet_open(&world->pool, event->arguments[0])->term;
    arrives = links_arrives(&world->links, (raft_id)event->arguments[1], event->node);
    pool_give(&world->pool, event->arguments[0]);
    return arrives;
}

static void end(void)
{
    CHECK_EQ(world->pool.in_use, 0);
    world_free(world);
}

TEST(a_message_arrives_within_the_range_of_delays)
{
    struct heap_event event;
    raft_term term;

    begin();
    for (uint32_t i = 1; i <= 200; i++) {
        send(1, 2, i);
        CHECK(take(&event, &term));
        CHECK_EQ(term, i);
        CHECK_EQ(event.node, 2);
        CHECK(event.time_us >= 1000 && event.time_us <= 9000);
    }
    CHECK_EQ(world->links.delivered, 200);
    end();
}

TEST(messages_overtake_each_other)
{
    struct heap_event event;
    raft_term term, before = 0;
    uint32_t overtaken = 0;

    begin();
    for (raft_term i = 1; i <= 100; i++)
        send(1, 2, i);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(take(&event, &term));
        overtaken += term < before;
        before = term;
    }
    CHECK(overtaken > 10);
    end();
}

TEST(a_cut_link_loses_what_is_sent_and_what_is_under_way)
{
    struct heap_event event;
    raft_term term;

    begin();
    send(1, 2, 1);
    links_cut(&world->links, 1, 2, true);
    send(1, 2, 2);
    CHECK(!take(&event, &term));
    CHECK_EQ(term, 1);
    CHECK(heap_peek(&world->heap) == NULL);
    CHECK_EQ(world->links.lost, 2);
    end();
}

TEST(a_cut_is_one_way_and_can_be_healed)
{
    struct heap_event event;
    raft_term term;

    begin();
    links_cut(&world->links, 1, 2, true);
    send(2, 1, 1);
    CHECK(take(&event, &term));
    send(1, 3, 2);
    CHECK(take(&event, &term));
    links_heal(world);
    send(1, 2, 3);
    CHECK(take(&event, &term));
    end();
}

TEST(a_held_link_keeps_its_messages_until_it_is_let_go)
{
    struct heap_event event;
    raft_term term;

    begin();
    links_hold(&world->links, 1, 2);
    send(1, 2, 1);
    send(1, 2, 2);
    send(2, 1, 9);
    CHECK(take(&event, &term));
    CHECK_EQ(term, 9);
    CHECK(heap_peek(&world->heap) == NULL);
    CHECK_EQ(links_let_go(world, 2, 1, true), 0);
    CHECK_EQ(links_let_go(world, 1, 2, true), 2);
    CHECK(take(&event, &term));
    CHECK(take(&event, &term));
    send(1, 2, 3);
    CHECK(take(&event, &term));
    CHECK_EQ(term, 3);
    end();
}

TEST(what_a_link_holds_can_be_dropped)
{
    begin();
    links_hold(&world->links, 1, 2);
    send(1, 2, 1);
    CHECK_EQ(links_let_go(world, 1, 2, false), 1);
    CHECK(heap_peek(&world->heap) == NULL);
    CHECK_EQ(world->links.lost, 1);
    end();
}

TEST(loss_and_duplication_come_as_often_as_they_are_asked_for)
{
    struct heap_event event;
    raft_term term;
    uint32_t arrived = 0;

    begin();
    world->links.loss_ppm = 500000;
    for (uint32_t i = 0; i < 1000; i++)
        send(1, 2, 1);
    CHECK(world->links.lost > 400 && world->links.lost < 600);
    while (heap_peek(&world->heap) != NULL)
        take(&event, &term);
    world->links.loss_ppm = 0;
    world->links.duplicate_ppm = 250000;
    for (uint32_t i = 0; i < 1000; i++)
        send(1, 2, 1);
    for (; heap_peek(&world->heap) != NULL; arrived++)
        take(&event, &term);
    CHECK(arrived > 1180 && arrived < 1320);
    CHECK_EQ(arrived, 1000 + world->links.duplicated);
    end();
}

TEST(a_packet_is_a_copy_with_its_entries)
{
    char data[] = "hello";
    struct raft_entry entries[2] = {{5, 2, RAFT_ENTRY_COMMAND, 5, data},
                                    {6, 2, RAFT_ENTRY_NOOP, 0, NULL}};
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES, .from = 1, .to = 2, .term = 2};
    struct pool pool = {0};
    const struct raft_message *copy;
    uint64_t packet;

    message.append_entries.entries = entries;
    message.append_entries.count = 2;
    message.append_entries.prev_log_index = 4;
    packet = packet_make(&pool, &message);
    memset(data, 'x', sizeof(data));
    memset(entries, 0xff, sizeof(entries));
    copy = packet_open(&pool, packet);
    CHECK_EQ(copy->append_entries.prev_log_index, 4);
    CHECK_EQ(copy->append_entries.count, 2);
    CHECK_EQ(copy->append_entries.entries[0].index, 5);
    CHECK(memcmp(copy->append_entries.entries[0].data, "hello", 5) == 0);
    CHECK_EQ(copy->append_entries.entries[1].size, 0);
    pool_give(&pool, packet);
    CHECK_EQ(pool.in_use, 0);
    pool_release(&pool);
}

TEST(a_snapshot_chunk_is_copied_with_its_bytes)
{
    char data[300];
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT, .from = 1, .to = 2};
    struct pool pool = {0};
    const struct raft_message *copy;

    memset(data, 's', sizeof(data));
    message.install_snapshot.data = data;
    message.install_snapshot.size = sizeof(data);
    copy = packet_open(&pool, packet_make(&pool, &message));
    memset(data, 'x', sizeof(data));
    CHECK(((const char *)copy->install_snapshot.data)[299] == 's');
    pool_release(&pool);
}

TEST(a_pool_reuses_its_blocks_and_never_moves_them)
{
    struct pool pool = {0};
    uint64_t handles[500];
    char *first;

    handles[0] = pool_take(&pool, 100);
    first = pool_at(&pool, handles[0]);
    memset(first, 7, 100);
    for (uint32_t i = 1; i < 500; i++)
        memset(pool_at(&pool, handles[i] = pool_take(&pool, i * 40)), 9, i * 40);
    CHECK(first == pool_at(&pool, handles[0]));
    CHECK_EQ(first[0], 7);
    CHECK_EQ(first[99], 7);
    for (uint32_t i = 0; i < 500; i++)
        pool_give(&pool, handles[i]);
    CHECK_EQ(pool.in_use, 0);
    CHECK_EQ(pool_take(&pool, 499 * 40), handles[499]);
    pool_release(&pool);
}

// Sends two commands of 1 KiB each and says when they arrive.
static void send_kib(uint64_t times_us[2])
{
    static char data[1024];
    struct raft_entry entry = {1, 1, RAFT_ENTRY_COMMAND, sizeof(data), data};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .from = 1, .term = 1};

    message.append_entries.entries = &entry;
    message.append_entries.count = 1;
    for (raft_id to = 2; to <= 3; to++) {
        struct heap_event event;

        message.to = to;
        links_send(world, &message, 1);
        CHECK(heap_pop(&world->heap, &event));
        times_us[to - 2] = event.time_us;
        pool_give(&world->pool, event.arguments[0]);
    }
}

TEST(messages_leave_a_node_one_after_another_where_bytes_cost_time)
{
    uint64_t times_us[2];

    begin();
    world->links.delay_us_min = world->links.delay_us_max = 1000;
    send_kib(times_us);
    CHECK(times_us[0] == 1000 && times_us[1] == 1000);
    world->config.send_ns_per_message = 20000;
    world->config.send_ns_per_kib = 300000;
    send_kib(times_us);
    CHECK_EQ(times_us[0], 1000 + 320);
    CHECK_EQ(times_us[1], 1000 + 2 * 320);
    world->now_us = 5000; // what was said has long left
    send_kib(times_us);
    CHECK_EQ(times_us[0], 5000 + 1000 + 320);
    world_free(world);
}

// How long a leader's first write of one command takes, with that cost of a KiB.
static uint64_t sync_us(uint64_t ns_per_kib)
{
    struct world_config config;
    uint64_t begin_us;
    char error[100];

    world_config_default(&config);
    config.node_count = config.member_count = 1;
    config.sync_us_min = config.sync_us_max = 100;
    config.sync_ns_per_kib = ns_per_kib;
    world = world_new(&config, error, sizeof(error));
    CHECK(world != NULL);
    while (world->nodes[1].view.role != RAFT_CANDIDATE)
        CHECK(world_step(world));
    begin_us = world->now_us;
    while (world->nodes[1].view.durable_term == 0)
        CHECK(world_step(world));
    begin_us = world->now_us - begin_us;
    world_free(world);
    return begin_us;
}

TEST(a_sync_takes_longer_where_bytes_cost_time)
{
    CHECK_EQ(sync_us(0), 100);
    CHECK(sync_us(1000000) > 100 && sync_us(1000000) < 1100); // less than a KiB
}

TEST_MAIN
