// Each kind of fault happens, and has its effect.
#include "sim/faults/faults.h"

#include "sim/faults/faults_disks.h"
#include "sim/faults/faults_network.h"
#include "sim/faults/faults_nodes.h"
#include "sim/run_core.h"
#include "sim/node_crash.h"
#include "sim/rest.h"
#include "sim/world.h"
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
    return world;
}

static struct node *elect(struct world *world)
{
    while (world_leader(world) == NULL)
        CHECK(world_step(world) && world->now_us < 10000000);
    return world_leader(world);
}

static int64_t propose(struct world *world, raft_id id)
{
    const struct bytes words[3] = {{"SET", 3}, {"x", 1}, {"1", 1}};
    enum raft_status status;

    return world_propose(world, id, words, 3, &status);
}

// ---- shapes ---------------------------------------------------------------------

// How many others each node can speak to, in the order of the shape.
static void count_neighbours(const struct world *world, const raft_id *order,
                             uint32_t count, uint32_t *neighbours)
{
    for (uint32_t a = 0; a < count; a++) {
        neighbours[a] = 0;
        for (uint32_t b = 0; b < count; b++)
            neighbours[a] += a != b && !world->links.cut[order[a]][order[b]] &&
                             !world->links.cut[order[b]][order[a]];
    }
}

TEST(each_partial_partition_has_its_shape)
{
    static const raft_id order[5] = {3, 1, 5, 2, 4};
    static const uint32_t expected[FAULTS_SHAPE_COUNT][5] = {
        [FAULTS_BRIDGE] = {4, 2, 2, 2, 2},      [FAULTS_HUB] = {4, 1, 1, 1, 1},
        [FAULTS_CONSTRAINED] = {3, 1, 1, 1, 0}, [FAULTS_CHAIN] = {1, 2, 2, 2, 1},
        [FAULTS_RING] = {2, 2, 2, 2, 2}, // with itself: a majority, each another one
    };
    struct world *world = make(5, 1);

    for (int shape = 0; shape < FAULTS_SHAPE_COUNT; shape++) {
        uint32_t neighbours[5];

        faults_network_shape(world, (enum faults_shape)shape, order, 5);
        count_neighbours(world, order, 5, neighbours);
        for (uint32_t i = 0; i < 5; i++)
            CHECK_EQ(neighbours[i], expected[shape][i]);
    }
    world_free(world);
}

TEST(who_sees_the_most_leads_where_a_leader_is_cut_off_from_all)
{
    struct world *world = make(5, 2);
    raft_id leader = elect(world)->id;
    raft_id order[5], hub = leader % 5 + 1;

    for (uint32_t i = 0; i < 5; i++)
        order[i] = (leader + i) % 5 + 1; // the hub first, the leader last
    faults_network_shape(world, FAULTS_CONSTRAINED, order, 5);
    while (world_leader(world) == NULL || world_leader(world)->id != hub)
        CHECK(world_step(world) && world->now_us < 20000000);
    world_free(world);
}

// ---- links ----------------------------------------------------------------------

static void send(struct world *world, raft_id from, raft_id to)
{
    struct raft_message message = {
        .type = RAFT_TIMEOUT_NOW, .from = from, .to = to, .term = 1};

    links_send(world, &message, 1);
}

TEST(an_odd_link_loses_doubles_and_takes_longer_and_others_do_not)
{
    struct links_own lossy = {.loss_ppm = RANDOM_CERTAIN_PPM};
    struct links_own doubling = {.duplicate_ppm = RANDOM_CERTAIN_PPM};
    struct links_own far = {.delay_us_min = 70000, .delay_us_max = 70000};
    struct world *world = make(3, 1);
    uint64_t lost = world->links.lost, doubled = world->links.duplicated;

    links_make_odd(&world->links, 1, 2, &lossy);
    send(world, 1, 2);
    CHECK_EQ(world->links.lost, lost + 1);
    send(world, 2, 1);
    CHECK_EQ(world->links.lost, lost + 1);
    links_make_odd(&world->links, 1, 2, &doubling);
    send(world, 1, 2);
    CHECK_EQ(world->links.duplicated, doubled + 1);
    links_make_odd(&world->links, 1, 2, &far);
    world->links.ordered = true;
    send(world, 1, 2);
    CHECK(world->links.due_us[1][2] >= 70000);
    links_make_odd(&world->links, 1, 2, NULL);
    send(world, 1, 3);
    CHECK(world->links.due_us[1][3] < 70000);
    world_free(world);
}

TEST(an_ordered_link_keeps_its_order_but_for_what_is_overtaken)
{
    struct world *world = make(3, 1);
    struct links *links = &world->links;
    uint64_t before = 0;

    links->ordered = true;
    for (uint32_t i = 0; i < 200; i++) {
        send(world, 1, 2);
        CHECK(links->due_us[1][2] >= before);
        before = links->due_us[1][2];
    }
    CHECK_EQ(links->overtaken, 0);
    links->reorder_ppm = RANDOM_CERTAIN_PPM;
    send(world, 1, 2);
    CHECK_EQ(links->overtaken, 1);
    CHECK_EQ(links->due_us[1][2], before);
    world_free(world);
}

// ---- strikes --------------------------------------------------------------------

// A world in which this kind alone strikes, with clients at work.
static struct world *make_struck(enum fault fault, uint64_t seed)
{
    struct world *world = make(5, seed);

    clients_start(world, 3, 3);
    faults_start(world, 1u << fault);
    return world;
}

// Takes events until what is looked for is there.
static bool comes(struct world *world, bool (*is_there)(const struct world *world))
{
    while (world->now_us < 30000000 && world_step(world))
        if (is_there(world))
            return true;
    return false;
}

static uint32_t cuts(const struct world *world)
{
    uint32_t count = 0;

    for (raft_id from = 1; from <= 5; from++)
        for (raft_id to = 1; to <= 5; to++)
            count += world->links.cut[from][to];
    return count;
}

static bool some_are_cut(const struct world *world)
{
    return cuts(world) > 0;
}

static bool none_is_cut(const struct world *world)
{
    return cuts(world) == 0;
}

static bool one_direction_is_cut(const struct world *world)
{
    for (raft_id a = 1; a <= 5; a++)
        for (raft_id b = 1; b <= 5; b++)
            if (world->links.cut[a][b] && !world->links.cut[b][a])
                return true;
    return false;
}

static bool some_are_held(const struct world *world)
{
    return world->links.held_count > 0;
}

static bool some_are_odd(const struct world *world)
{
    for (raft_id a = 1; a <= 5; a++)
        for (raft_id b = 1; b <= 5; b++)
            if (world->links.odd[a][b])
                return true;
    return false;
}

static bool some_are_lost(const struct world *world)
{
    return world->links.loss_ppm > 0 && world->links.lost > 0;
}

static bool some_are_doubled(const struct world *world)
{
    return world->links.duplicated > 0;
}

static bool some_are_slow(const struct world *world)
{
    return world->links.slow_ppm > 0;
}

static bool some_are_overtaken(const struct world *world)
{
    return world->links.overtaken > 0;
}

static bool is_down(const struct world *world)
{
    for (raft_id id = 1; id <= 5; id++)
        if (!world->nodes[id].up)
            return true;
    return false;
}

static bool is_paused(const struct world *world)
{
    for (raft_id id = 1; id <= 5; id++)
        if (world->nodes[id].paused)
            return true;
    return false;
}

static bool is_stopped_by_its_disk(const struct world *world)
{
    for (raft_id id = 1; id <= 5; id++)
        if (world->nodes[id].disk_faulty && world->nodes[id].stopped[0] != '\0')
            return true;
    return false;
}

static bool waits_for_space(const struct world *world)
{
    for (raft_id id = 1; id <= 5; id++)
        if (node_is_live(&world->nodes[id]) && host_disk_full(world->nodes[id].host))
            return true;
    return false;
}

static bool clocks_differ(const struct world *world)
{
    for (raft_id id = 2; id <= 5; id++)
        if (node_now_ms(&world->nodes[id]) != node_now_ms(&world->nodes[1]))
            return true;
    return false;
}

static bool leaders_changed(const struct world *world)
{
    return checker_leaders(world->checker) > 1;
}

static bool some_took_a_snapshot(const struct world *world)
{
    for (raft_id id = 1; id <= 5; id++)
        if (world->nodes[id].snapshots_taken > 0)
            return true;
    return false;
}

static bool members_changed(const struct world *world)
{
    return checker_configurations(world->checker) > 0;
}

TEST(each_kind_of_fault_comes_alone_and_has_its_effect)
{
    static const struct {
        enum fault fault;
        bool (*effect)(const struct world *world);
    } kinds[] = {
        {FAULT_PARTITION, some_are_cut},
        {FAULT_ONEWAY, one_direction_is_cut},
        {FAULT_PARTIAL, some_are_cut},
        {FAULT_FLAP, some_are_cut},
        {FAULT_SWIZZLE, some_are_cut},
        {FAULT_SWIZZLE, some_are_held},
        {FAULT_LINK, some_are_odd},
        {FAULT_LOSS, some_are_lost},
        {FAULT_DUPLICATE, some_are_doubled},
        {FAULT_DELAY, some_are_slow},
        {FAULT_REORDER, some_are_overtaken},
        {FAULT_CRASH, is_down},
        {FAULT_INSIDE, is_down},
        {FAULT_PAUSE, is_paused},
        {FAULT_SLOW, is_paused},
        {FAULT_DISK, is_stopped_by_its_disk},
        {FAULT_DISK, waits_for_space},
        {FAULT_DAMAGE, is_down},
        {FAULT_CLOCK, clocks_differ},
        {FAULT_TRANSFER, leaders_changed},
        {FAULT_SNAPSHOT, some_took_a_snapshot},
        {FAULT_MEMBERS, members_changed},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct world *world = make_struck(kinds[i].fault, 3);

        if (!comes(world, kinds[i].effect))
            CHECK_TEXT(faults_text(kinds[i].fault), "has its effect");
        CHECK(!world_violated(world));
        for (int kind = 0; kind < FAULT_COUNT; kind++)
            CHECK(kind == (int)kinds[i].fault || world->faults.strikes[kind] == 0);
        world_free(world);
    }
}

TEST(a_cut_that_comes_and_goes_does_so_more_than_once)
{
    struct world *world = make_struck(FAULT_FLAP, 4);

    for (uint32_t turn = 0; turn < 3; turn++) {
        CHECK(comes(world, some_are_cut));
        CHECK(comes(world, none_is_cut));
    }
    world_free(world);
}

// ---- crashes inside -------------------------------------------------------------

TEST(a_crash_inside_a_step_lets_out_what_came_before_and_nothing_behind)
{
    struct world *world = make(5, 6);
    struct node *leader = elect(world);
    struct sim_disk_counters disk;
    uint64_t sent, appends;

    CHECK(world_run_until(world, world->now_us + 20000));
    sent = world->links.sent;
    sim_disk_count(leader->disk, &disk);
    appends = disk.appends;
    // The entry is appended, its sync starts, and two of four messages leave.
    leader->effects_left = 4;
    CHECK(propose(world, leader->id) >= 0);
    CHECK(!leader->up);
    CHECK_EQ(world->links.sent, sent + 2);
    sim_disk_count(leader->disk, &disk);
    CHECK_EQ(disk.appends, appends + 1);
    CHECK(world->tickets[0].ended && world->tickets[0].status == REPLY_LOST);
    CHECK(!node_is_cut_off(leader));
    CHECK(!world_violated(world));
    world_free(world);
}

TEST(a_crash_behind_the_write_keeps_the_entry_only_where_the_disk_does)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *world = make(3, seed);
        struct node *leader = elect(world);
        raft_index last;

        CHECK(world_run_until(world, world->now_us + 500000));
        last = leader->view.last_index;
        leader->effects_left = 1; // the append; no sync has started
        propose(world, leader->id);
        CHECK(!leader->up);
        CHECK(node_start(leader));
        CHECK(leader->view.last_index == last || leader->view.last_index == last + 1);
        CHECK(world_run_until(world, world->now_us + 2000000));
        CHECK(world_leader(world) != NULL && rest_is_settled(world, NULL, 0));
        world_free(world);
    }
}

TEST(a_start_that_is_cut_off_can_be_repeated)
{
    struct world *world = make(3, 7);
    struct node *node = &world->nodes[1];
    uint32_t cut_off = 0;

    elect(world);
    for (uint32_t effects = 1; effects <= 10; effects++) {
        propose(world, world_leader(world)->id);
        CHECK(world_run_until(world, world->now_us + 1000));
        node_crash(node, SIM_DISK_LOSE_TAIL);
        node->effects_left = effects;
        if (!node_start(node)) {
            CHECK_TEXT(node->stopped, "");
            cut_off++;
            CHECK(node_start(node));
        }
        node->effects_left = 0;
        CHECK(world_run_until(world, world->now_us + 1000000));
        CHECK(node_is_live(node) && world_leader(world) != NULL);
    }
    CHECK(cut_off > 0);
    CHECK(rest_is_settled(world, NULL, 0));
    world_free(world);
}

// ---- damage ---------------------------------------------------------------------

TEST(a_damaged_log_is_refused_and_whole_once_it_can_be_read_again)
{
    uint32_t refused = 0;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *world = make(3, seed);
        struct node *node = &world->nodes[1];

        world->config.segment_bytes_max = 1500;
        node_crash(node, SIM_DISK_LOSE_NOTHING);
        CHECK(node_start(node));
        clients_start(world, 3, 3);
        CHECK(world_run_until(world, 3000000));
        for (uint32_t i = 0; i < 6; i++) // any kind of damage is drawn
            faults_disks_damage(node, &world->faults.random);
        if (!node->up && !node_start(node))
            refused++;
        CHECK(!world_violated(world));
        faults_disks_heal(node);
        CHECK(node->up);
        CHECK(world_run_until(world, 5000000));
        CHECK(!world_violated(world));
        world_free(world);
    }
    CHECK(refused > 3);
}

// ---- mixes ----------------------------------------------------------------------

TEST(a_fixed_mix_has_all_kinds_alike_and_a_swarm_leaves_some_out)
{
    uint32_t full = 0, seeds = 40;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct world *world = make(1, seed);
        uint32_t kinds = 0;

        faults_start(world, (1u << FAULT_COUNT) - 1);
        for (int kind = 0; kind < FAULT_SETTINGS; kind++)
            kinds += world->faults.weights[kind] > 0;
        CHECK(world->faults.weight_sum > 0);
        full += kinds == FAULT_SETTINGS;
        world->faults.fixed = true;
        faults_start(world, (1u << FAULT_COUNT) - 1);
        for (int kind = 0; kind < FAULT_SETTINGS; kind++)
            CHECK_EQ(world->faults.weights[kind], 1);
        CHECK_EQ(world->faults.weights[FAULT_SETTINGS], 0);
        world_free(world);
    }
    CHECK(full < seeds / 4);
}

// ---- the core -------------------------------------------------------------------

TEST(a_core_works_while_the_rest_stays_broken)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct world *world = make(5, seed);
        uint32_t left = 0;

        clients_start(world, 3, 3);
        faults_start(world, 1u << FAULT_PARTITION | 1u << FAULT_CRASH);
        CHECK(world_run_until(world, 2000000));
        CHECK(run_core(world) > 0);
        CHECK(!world_violated(world));
        CHECK(world_leader(world) != NULL);
        for (raft_id id = 1; id <= 5; id++)
            for (raft_id other = 1; other <= 5; other++)
                left += world->links.cut[id][other] || !world->nodes[id].up;
        CHECK(left > 0);
        world_free(world);
    }
}

TEST(a_core_whose_leader_is_just_being_removed_asks_the_next_one)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = make(4, seed);
        struct raft_configuration changes = {.count = 1};
        struct node *leader = elect(world);
        enum raft_status status;

        CHECK(world_run_until(world, world->now_us + 500000));
        changes.members[0] = (struct raft_member){leader->id, RAFT_REMOVED};
        CHECK(world_change(world, leader->id, &changes, &status) >= 0);
        CHECK(run_core(world) > 0);
        CHECK(!world_violated(world));
        world_free(world);
    }
}

TEST(a_core_that_cannot_work_is_a_liveness_violation)
{
    struct world *world = make(3, 5);

    elect(world);
    // No fault, so that nothing heals it: all messages take longer than any timeout.
    world->config.delay_us_min = world->config.delay_us_max = 1000000;
    run_core(world);
    CHECK(world_violated(world));
    CHECK_EQ(checker_violation(world->checker, 0)->property, PROPERTY_LIVENESS);
    world_free(world);
}

TEST_MAIN
