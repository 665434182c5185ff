// The exploration: names, counts that are exact, reductions that lose nothing.
#include "tests/test.h"

#include "sim/explore/explore.h"
#include "sim/explore/schedule.h"

// ---- the parts ------------------------------------------------------------------

TEST(a_name_is_new_once_whatever_the_table_has_grown_to)
{
    enum { NAMES = 200000 };
    struct visited visited;

    visited_init(&visited);
    for (uint64_t i = 0; i < NAMES; i++)
        CHECK(visited_add(&visited, canon_mix(i + 1)));
    for (uint64_t i = 0; i < NAMES; i++)
        CHECK(!visited_add(&visited, canon_mix(i + 1)));
    CHECK_EQ(visited.count, NAMES);
    CHECK(visited_bytes(&visited) < NAMES * 13);
    for (uint64_t i = 1; i < visited.length; i++)
        CHECK(visited.slots[i] == 0 || visited.slots[i - 1] < visited.slots[i]);
    visited_release(&visited);
}

TEST(a_layer_gives_back_what_it_was_given_in_order)
{
    struct layer layer = {0};
    uint8_t bytes[300];
    const uint8_t *read;
    uint32_t size;

    for (uint32_t i = 0; i < 5000; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        layer_push(&layer, bytes, i % sizeof(bytes));
    }
    CHECK_EQ(layer.count, 5000);
    for (uint32_t i = 0; i < 5000; i++) {
        CHECK(layer_read(&layer, &read, &size));
        CHECK_EQ(size, i % sizeof(bytes));
        CHECK(size == 0 || (read[0] == (uint8_t)i && read[size - 1] == (uint8_t)i));
        layer_drop_read(&layer);
    }
    CHECK(!layer_read(&layer, &read, &size));
    CHECK_EQ(layer.bytes, 0);
    layer_release(&layer);
}

TEST(permutations_keep_members_and_spares_apart)
{
    struct permutations permutations;

    permutation_list(&permutations, 4, 4, true);
    CHECK_EQ(permutations.count, 24);
    permutation_list(&permutations, 5, 3, true);
    CHECK_EQ(permutations.count, 12);
    for (uint32_t id = 0; id < 16; id++)
        CHECK_EQ(permutations.names[0][id], id);
    permutation_list(&permutations, 5, 5, false);
    CHECK_EQ(permutations.count, 1);
}

// A state somewhere in the middle of things, by hand.
static void play(struct schedule *schedule, const char *const *lines)
{
    char error[200] = "";

    for (; *lines != NULL; lines++)
        if (!schedule_read(schedule, *lines, error, sizeof(error)))
            test_fail(__FILE__, __LINE__, "%s: %s", *lines, error);
}

static const char *const middle[] = {
    "timeout 1",
    "deliver 1 2",
    "deliver 2 1",
    "propose at 1 set x 1",
    "deliver 1 2 append",
    "deliver 2 1",
    "timeout 3",
    "deliver 3 2",
    NULL,
};

TEST(a_form_read_back_and_written_again_is_the_same)
{
    struct subject_config config = {3, 3, 8, false, false};
    static struct model model;
    struct schedule schedule;
    struct subject subject;
    static struct canon once, again;

    model_init(&model, &config, true, false);
    schedule_init(&schedule, &model);
    play(&schedule, middle);
    subject_init(&subject, &config);
    CHECK(model.nodes.count > 8);
    for (uint32_t i = 0; i < model.nodes.count; i++) {
        interned_read(&model.nodes, i, &once);
        canon_read(&again, once.bytes, once.size);
        subject_walk(&again, &subject);
        CHECK_EQ(again.at, again.size);
        canon_write(&again, NULL);
        subject_walk(&again, &subject);
        CHECK_EQ(again.size, once.size);
        CHECK(memcmp(again.bytes, once.bytes, once.size) == 0);
        CHECK(raft_check(subject.raft) == NULL);
    }
    subject_release(&subject);
    schedule_release(&schedule);
    model_release(&model);
}

TEST(nodes_that_change_places_change_no_name)
{
    // The same story, told of 1, 2, 3 and of 2, 3, 1.
    static const char *const other[] = {
        "timeout 2",
        "deliver 2 3",
        "deliver 3 2",
        "propose at 2 set x 1",
        "deliver 2 3 append",
        "deliver 3 2",
        "timeout 1",
        "deliver 1 3",
        NULL,
    };
    const char *const *tellings[] = {middle, other};
    struct subject_config config = {3, 3, 8, false, false};
    struct global_name names[2];
    static struct model model;

    model_init(&model, &config, true, false);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t sums[PERMUTATION_COUNT_MAX];
        struct schedule schedule;
        struct global global;

        schedule_init(&schedule, &model);
        play(&schedule, tellings[i]);
        schedule_state(&schedule, &global);
        global_sum(&global, &model, sums);
        names[i] = global_name(sums, model.permutations.count);
        CHECK_EQ(names[i].orbit, 6);
        schedule_release(&schedule);
    }
    CHECK_EQ(names[0].name, names[1].name);
    model_release(&model);
}

// ---- whole spaces ---------------------------------------------------------------

static struct explore_result explore(const struct explore_options *options)
{
    struct explore_result result;

    explore_run(options, &result);
    CHECK(!result.failed);
    return result;
}

static struct explore_options bounds(uint32_t terms, uint32_t entries,
                                     uint32_t heartbeats, uint32_t crashes)
{
    struct explore_options options;

    explore_options_init(&options);
    options.bounds.terms = terms;
    options.bounds.used[BOOK_ENTRY] = entries;
    options.bounds.used[BOOK_HEARTBEAT] = heartbeats;
    options.bounds.used[BOOK_CRASH] = crashes;
    return options;
}

TEST(small_spaces_have_the_sizes_that_they_have)
{
    static const struct {
        uint32_t terms, entries, heartbeats, crashes;
        bool by_hand;
        uint64_t states, orbits;
        uint32_t depth;
    } spaces[] = {
        {1, 0, 0, 0, false, 292, 1624, 16},       {1, 1, 0, 0, false, 639, 3691, 17},
        {1, 1, 1, 0, false, 15976, 95560, 22},    {1, 0, 0, 1, true, 3547, 20849, 19},
        {2, 0, 0, 0, false, 218883, 1309747, 23},
    };

    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        struct explore_options options =
            bounds(spaces[i].terms, spaces[i].entries, spaces[i].heartbeats,
                   spaces[i].crashes);
        struct explore_result result;

        options.cluster.sync_by_hand = spaces[i].by_hand;
        result = explore(&options);
        CHECK_EQ(result.end, BFS_EXHAUSTED);
        CHECK_EQ(result.states, spaces[i].states);
        CHECK_EQ(result.orbits, spaces[i].orbits);
        CHECK_EQ(result.depth, spaces[i].depth);
        CHECK(!result.stale_kept);
    }
}

TEST(without_symmetry_there_are_as_many_as_all_orbits_hold)
{
    struct explore_options options = bounds(1, 1, 1, 1);
    struct explore_result reduced = explore(&options);
    struct explore_result whole;

    options.symmetry = false;
    whole = explore(&options);
    CHECK_EQ(whole.states, reduced.orbits);
    CHECK_EQ(whole.orbits, whole.states);
    CHECK_EQ(whole.depth, reduced.depth);
    CHECK(whole.states > 5 * reduced.states);
}

TEST(spares_and_changes_of_members_keep_their_symmetry)
{
    struct explore_options options = bounds(1, 0, 0, 0);
    struct explore_result reduced, whole;

    options.cluster.node_count = 4;
    options.cluster.member_count = 2;
    options.bounds.used[BOOK_CHANGE] = 1;
    reduced = explore(&options);
    options.symmetry = false;
    whole = explore(&options);
    CHECK_EQ(reduced.end, BFS_EXHAUSTED);
    CHECK_EQ(whole.states, reduced.orbits);
    CHECK(whole.states > reduced.states);
}

// Each node state that can be is met with the reductions, too.
TEST(the_reductions_lose_no_state_of_a_node)
{
    struct explore_options options = bounds(1, 1, 0, 1);
    struct explore_result reduced, whole;

    options.symmetry = false;
    reduced = explore(&options);
    options.bounds.reduction = options.bounds.drop_stale = false;
    options.bounds.used[BOOK_LOSS] = 1;
    whole = explore(&options);
    CHECK_EQ(whole.end, BFS_EXHAUSTED);
    CHECK_EQ(whole.node_states, reduced.node_states);
    CHECK_EQ(whole.messages, reduced.messages);
    CHECK(whole.states > 5 * reduced.states);
}

TEST(any_number_of_duplicates_makes_no_node_state_that_some_do_not)
{
    struct explore_options options = bounds(1, 1, 1, 0);
    struct explore_result once, any;

    options.symmetry = false;
    once = explore(&options);
    options.bounds.used[BOOK_DUPLICATE] = MOVES_ANY;
    any = explore(&options);
    CHECK_EQ(any.end, BFS_EXHAUSTED);
    CHECK(any.node_states >= once.node_states);
    CHECK(any.states < once.states);
}

// ---- brute force ----------------------------------------------------------------

// All states as they are, compared as they are: no names, no hashes, no order.
struct crowd {
    struct global *at;
    uint32_t count, capacity;
};

static void sort(struct global *global)
{
    for (uint32_t i = 1; i < global->count; i++)
        for (uint32_t at = i; at > 0 && global->messages[at - 1] > global->messages[at];
             at--) {
            uint32_t message = global->messages[at];

            global->messages[at] = global->messages[at - 1];
            global->messages[at - 1] = message;
        }
}

static bool join(void *context, const struct moves_next *next)
{
    struct crowd *crowd = context;
    struct global global = {0};

    CHECK_EQ(next->finding.broken, PROPERTY_COUNT);
    memcpy(global.nodes, next->global->nodes, 3 * sizeof(global.nodes[0]));
    global.book = next->global->book;
    global.count = next->global->count;
    memcpy(global.messages, next->global->messages,
           global.count * sizeof(global.messages[0]));
    sort(&global);
    for (uint32_t i = 0; i < crowd->count; i++)
        if (memcmp(&crowd->at[i], &global, sizeof(global)) == 0)
            return true;
    CHECK(crowd->count < crowd->capacity);
    crowd->at[crowd->count++] = global;
    return true;
}

TEST(the_count_is_that_of_brute_force)
{
    struct explore_options options = bounds(1, 0, 0, 0);
    struct crowd crowd = {.capacity = 20000};
    static struct model model;
    static struct moves moves;
    struct global global;

    options.symmetry = false;
    options.bounds.reduction = options.bounds.drop_stale = false;
    options.bounds.used[BOOK_LOSS] = 1;
    crowd.at = calloc(crowd.capacity, sizeof(*crowd.at));
    model_init(&model, &options.cluster, false, false);
    global_start(&global, &model);
    crowd.at[crowd.count++] = global;
    moves.model = &model;
    moves.bounds = &options.bounds;
    moves.may_compute = true;
    moves.found = join;
    moves.context = &crowd;
    for (uint32_t i = 0; i < crowd.count; i++) {
        global = crowd.at[i];
        CHECK(moves_list(&moves, &global));
    }
    CHECK_EQ(explore(&options).states, crowd.count);
    CHECK(crowd.count > 1000);
    free(crowd.at);
    model_release(&model);
}

// ---- the same every time --------------------------------------------------------

static void backwards(void *context, void (*work)(void *argument, uint32_t part),
                      void *argument)
{
    (void)context;
    work(argument, 1);
    work(argument, 0);
}

TEST(a_crew_that_works_in_another_order_finds_the_same)
{
    struct explore_options options = bounds(1, 1, 1, 1);
    struct explore_result alone = explore(&options);
    struct explore_result again = explore(&options);
    struct explore_result crew;

    options.crew = (struct bfs_crew){NULL, backwards, true};
    crew = explore(&options);
    CHECK_EQ(again.states, alone.states);
    CHECK_EQ(crew.states, alone.states);
    CHECK_EQ(crew.orbits, alone.orbits);
    CHECK_EQ(crew.transitions, alone.transitions);
    CHECK_EQ(crew.depth, alone.depth);
    CHECK_EQ(crew.moves, alone.moves);
}

TEST(a_state_takes_no_more_than_32_bytes)
{
    struct explore_options options = bounds(2, 1, 0, 0);
    struct explore_result result = explore(&options);

    CHECK(result.states > 400000);
    CHECK(result.bytes_max < 32 * result.states);
}

// ---- goals and beginnings -------------------------------------------------------

TEST(a_goal_is_gone_on_from)
{
    struct explore_options options = bounds(1, 0, 0, 0);
    struct explore_result result;

    CHECK(explore_read_goal(&options, "leader"));
    CHECK(explore_read_goal(&options, "committed 1"));
    CHECK(!explore_read_goal(&options, "peace"));
    CHECK(!explore_read_goal(&options, "term"));
    result = explore(&options);
    CHECK_EQ(result.end, BFS_EXHAUSTED);
    CHECK_EQ(result.stage, 2);
    options.goals[1].number = 7;
    result = explore(&options);
    CHECK_EQ(result.end, BFS_EXHAUSTED);
    CHECK_EQ(result.stage, 1);
}

TEST(what_a_scenario_does_is_where_it_begins)
{
    struct explore_options options = bounds(1, 0, 0, 0);
    struct explore_result all = explore(&options);
    struct explore_result rest, wrong;

    options.from = "timeout 1\ndeliver 1 2 # a vote\n\ndeliver 2 1\n";
    rest = explore(&options);
    CHECK(rest.states > 1 && rest.states < all.states);
    CHECK(rest.depth < all.depth);
    options.from = "timeout 1\ndeliver 2 1\n";
    explore_run(&options, &wrong);
    CHECK(wrong.failed && strstr(wrong.error, "line 2: ") != NULL);
}

TEST(bounds_that_have_no_end_are_refused)
{
    struct explore_options options = bounds(9, 9, 0, 0);

    CHECK(explore_problem(&options) != NULL);
    options = bounds(1, 0, MOVES_ANY, 0);
    CHECK(explore_problem(&options) != NULL);
    options = bounds(1, 0, 0, 0);
    options.cluster.pre_vote = true;
    CHECK(explore_problem(&options) != NULL);
    options.bounds.used[BOOK_TIMEOUT] = 2;
    CHECK(explore_problem(&options) == NULL);
}

TEST_MAIN
