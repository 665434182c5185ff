// Worlds as wholes: repeatable, fair to their nodes, and never silent about a
// violation.
#include "sim/node_crash.h"
#include "sim/rest.h"
#include "sim/world.h"

#include "sim/json.h"
#include "sim/language/options.h"
#include "sim/run.h"
#include "tests/test.h"

static struct world *make(uint32_t nodes, uint64_t seed)
{
    struct world_config config;
    struct world *world;
    char error[200] = "";

    world_config_default(&config);
    config.node_count = config.member_count = nodes;
    config.seed = seed;
    world = world_new(&config, error, sizeof(error));
    CHECK_TEXT(error, "");
    CHECK(world != NULL);
    return world;
}

static struct node *elect(struct world *world)
{
    while (world_leader(world) == NULL)
        CHECK(world_step(world) && world->now_us < 10000000);
    return world_leader(world);
}

static void propose(struct world *world, raft_id id, const char *value)
{
    const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {value, strlen(value)}};
    enum raft_status status;

    CHECK(world_propose(world, id, words, 3, &status) >= 0);
}

TEST(the_same_seed_gives_the_same_trace_and_another_one_another)
{
    uint64_t hashes[3];

    for (uint32_t i = 0; i < 3; i++) {
        struct world *world = make(5, i == 2 ? 8 : 7);

        clients_start(world, 3, 3);
        faults_start(world, (1u << FAULT_COUNT) - 1);
        CHECK(world_run_until(world, 5000000));
        hashes[i] = world->trace.hash;
        world_free(world);
    }
    CHECK_EQ(hashes[0], hashes[1]);
    CHECK(hashes[0] != hashes[2]);
}

TEST(time_jumps_from_event_to_event)
{
    struct world *world = make(3, 1);

    CHECK(world_run_until(world, 60000000));
    CHECK_EQ(world->now_us, 60000000);
    // Heartbeats, their answers, and what wakes for them: no polling in between.
    CHECK(world->event_count < 60 * 20 * 8);
    world_free(world);
}

TEST(a_crash_loses_the_memory_and_what_was_not_synced_and_keeps_the_rest)
{
    struct world *world = make(3, 2);
    struct node *leader = elect(world);
    raft_index durable;

    propose(world, leader->id, "1");
    CHECK(world_run_until(world, world->now_us + 1000000));
    durable = leader->view.durable_index;
    CHECK_EQ(durable, 2);
    leader->sync_us_min = leader->sync_us_max = 1000000;
    propose(world, leader->id, "2");
    CHECK_EQ(leader->view.last_index, 3);
    node_crash(leader, SIM_DISK_LOSE_ALL);
    CHECK(!leader->up && leader->service == NULL && leader->host == NULL);
    CHECK(world->tickets[1].ended && world->tickets[1].status == REPLY_LOST);
    CHECK(node_start(leader));
    CHECK_EQ(leader->view.last_index, durable);
    CHECK_EQ(leader->view.role, RAFT_FOLLOWER);
    CHECK_EQ(service_applied_index(leader->service), 0);
    CHECK(!world_violated(world));
    world_free(world);
}

TEST(a_dead_machine_that_forgets_synced_bytes_is_found)
{
    struct world *world = make(3, 2);
    struct node *leader = elect(world);
    struct sim_disk_hooks hooks = {0};

    propose(world, leader->id, "1");
    CHECK(world_run_until(world, world->now_us + 1000000));
    node_crash(leader, SIM_DISK_LOSE_ALL);
    // Another disk, an empty one, is put in its place.
    struct sim_disk *empty = sim_disk_new(&hooks);
    struct sim_disk *full = leader->disk;
    sim_disk_door(empty, &leader->io.disk);
    leader->disk = empty;
    node_start(leader);
    CHECK(world_violated(world));
    CHECK_EQ(checker_violation(world->checker, 0)->property, PROPERTY_DURABILITY);
    CHECK(!world_step(world));
    sim_disk_free(full);
    world_free(world);
}

TEST(a_host_that_stops_without_a_reason_is_a_violation)
{
    struct world *world = make(3, 2);
    struct node *leader = elect(world);

    sim_disk_fail_syncs(leader->disk, 1); // and nobody says that the disk is faulty
    propose(world, leader->id, "1");
    world_run_until(world, world->now_us + 1000000);
    CHECK(world_violated(world));
    CHECK_EQ(checker_violation(world->checker, 0)->property, PROPERTY_NODE_STOPPED);
    world_free(world);
}

TEST(a_paused_node_stands_still_and_then_goes_on)
{
    struct world *world = make(3, 3);
    struct node *leader = elect(world);
    struct node *other = &world->nodes[leader->id % 3 + 1];

    CHECK(world_run_until(world, world->now_us + 500000));
    node_pause(other);
    propose(world, leader->id, "1");
    CHECK(world_run_until(world, world->now_us + 500000));
    CHECK_EQ(leader->view.commit_index, 2);
    CHECK_EQ(other->view.last_index, 1);
    node_resume(other);
    CHECK(world_run_until(world, world->now_us + 500000));
    CHECK_EQ(other->view.commit_index, 2);
    CHECK(rest_is_settled(world, NULL, 0));
    world_free(world);
}

TEST(a_crash_set_for_a_write_comes_before_its_sync_has_ended)
{
    struct world *world = make(3, 4);
    struct node *leader = elect(world);

    CHECK(world_run_until(world, world->now_us + 500000));
    leader->crash_at_write = true;
    propose(world, leader->id, "1");
    while (leader->up)
        CHECK(world_step(world));
    CHECK(leader->view.durable_index < leader->view.last_index);
    world_free(world);
}

// Of a cluster of three that is led by `leader`.
static void check_missing(struct world *world, const char *format, raft_id node)
{
    char missing[REST_TEXT_BYTES] = "", expected[REST_TEXT_BYTES];

    snprintf(expected, sizeof(expected), format, (unsigned)node);
    CHECK(!rest_is_settled(world, missing, sizeof(missing)));
    CHECK_TEXT(missing, expected);
}

TEST(what_a_cluster_lacks_to_be_at_rest_is_named)
{
    struct world *world = make(3, 3);
    struct raft_configuration changes = {.count = 2};
    struct node *leader, *other;
    enum raft_status status;

    check_missing(world, "nobody leads", 0);
    leader = elect(world);
    other = &world->nodes[leader->id == 1 ? 2 : 1]; // of the two, it is named first
    CHECK(world_run_until(world, world->now_us + 500000));
    CHECK(rest_is_settled(world, NULL, 0));
    propose(world, leader->id, "1");
    check_missing(world, "entry 2 of node %u is not committed", leader->id);
    node_pause(other);
    CHECK(world_run_until(world, world->now_us + 200000));
    check_missing(world, "node %u does not run", other->id);
    node_resume(other);
    check_missing(world, "the log of node %u ends at 1, and 2 is committed", other->id);
    CHECK(world_run_until(world, world->now_us + 500000));
    CHECK(rest_is_settled(world, NULL, 0));
    changes.members[0].id = other->id; // both are removed at once
    changes.members[1].id = 6 - leader->id - other->id;
    CHECK(world_change(world, leader->id, &changes, &status) >= 0);
    check_missing(world, "the configuration is still joint", 0);
    world_free(world);
}

TEST(settling_starts_what_is_down_and_heals_what_is_cut)
{
    struct world *world = make(3, 5);

    elect(world);
    node_crash(&world->nodes[1], SIM_DISK_LOSE_ALL);
    node_crash(&world->nodes[2], SIM_DISK_LOSE_TAIL);
    links_cut(&world->links, 1, 3, true);
    sim_disk_fail_syncs(world->nodes[3].disk, UINT64_MAX);
    world->nodes[3].disk_faulty = true;
    run_settle(world);
    CHECK(!world_violated(world));
    CHECK(rest_is_settled(world, NULL, 0));
    CHECK(world_leader(world) != NULL || checker_committed(world->checker) == 0);
    world_free(world);
}

TEST(a_cluster_that_does_not_come_to_rest_is_a_liveness_violation)
{
    struct world *world = make(3, 5);
    struct node *leader = elect(world);

    CHECK(world_run_until(world, world->now_us + 500000));
    // Every message takes longer than any election timeout: no fault, but no way
    // either.
    world->config.delay_us_min = world->config.delay_us_max = 1000000;
    propose(world, leader->id, "1");
    node_crash(leader, SIM_DISK_LOSE_NOTHING);
    run_settle(world);
    CHECK(world_violated(world));
    CHECK_EQ(checker_violation(world->checker, 0)->property, PROPERTY_LIVENESS);
    world_free(world);
}

TEST(all_memory_under_way_comes_back)
{
    struct world *world = make(5, 6);

    clients_start(world, 5, 3);
    faults_start(world, (1u << FAULT_COUNT) - 1);
    CHECK(world_run_until(world, 5000000));
    run_settle(world);
    CHECK(!world_violated(world));
    // Heartbeats may be under way; nothing else is.
    CHECK(world->pool.in_use < 64);
    world_free(world);
}

// ---- small things ---------------------------------------------------------------

TEST(durations_are_read_exactly_or_not_at_all)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {{"250us", 250},    {"1.5ms", 1500},  {"2s", 2000000},
                {"0.25s", 250000}, {"1m", 60000000}, {"0s", 0}};
    static const char *const bad[] = {
        "", "5", "s", "1.2.3s", "-1s", "1 s", "1days", "1.2345s", "99999999999999999h"};
    uint64_t us;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(options_duration(good[i].text, &us));
        CHECK_EQ(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (options_duration(bad[i], &us))
            CHECK_TEXT(bad[i], "refused");
}

TEST(percentages_are_read_exactly_or_not_at_all)
{
    uint32_t ppm;

    CHECK(options_percent("12.5%", &ppm));
    CHECK_EQ(ppm, 125000);
    CHECK(options_percent("100", &ppm));
    CHECK_EQ(ppm, 1000000);
    CHECK(!options_percent("100.1%", &ppm));
    CHECK(!options_percent("%", &ppm));
    CHECK(!options_percent("5%%", &ppm));
}

TEST(lists_of_faults_are_read_exactly_or_not_at_all)
{
    uint32_t enabled;

    CHECK(faults_parse("none", &enabled));
    CHECK_EQ(enabled, 0);
    CHECK(faults_parse("all", &enabled));
    CHECK_EQ(enabled, (1u << FAULT_COUNT) - 1);
    CHECK(faults_parse("loss,crash", &enabled));
    CHECK_EQ(enabled, 1u << FAULT_LOSS | 1u << FAULT_CRASH);
    CHECK(!faults_parse("los", &enabled));
    CHECK(!faults_parse("loss,", &enabled));
    CHECK(!faults_parse("", &enabled));
}

TEST(json_escapes_what_it_must)
{
    struct buffer out = {0};

    json_open(&out);
    json_bytes(&out, "a", "q\" b\\ n\n \x01\xff", 11);
    json_number(&out, "n", UINT64_MAX);
    json_open_array(&out, "list");
    json_item(&out, "x", 1);
    json_item(&out, "", 0);
    json_close_array(&out);
    json_bool(&out, "yes", true);
    json_close(&out);
    buffer_append(&out, "", 1);
    CHECK_TEXT(out.data, "{\"a\":\"q\\\" b\\\\ n\\n \\u0001\\u00ff\",\"n\":"
                         "18446744073709551615,\"list\":[\"x\",\"\"],\"yes\":true}");
    buffer_free(&out);
}

TEST_MAIN
