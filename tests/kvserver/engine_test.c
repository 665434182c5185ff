// The memory engine against a sorted array that is searched from end to end.
#include "tests/kvserver/engine_fixture.h"

static void run_random(uint64_t seed, uint32_t size_max, uint32_t steps)
{
    struct engine *engine = engine_memory_new();
    struct model *model = calloc(1, sizeof(*model));
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    for (uint32_t step = 0; step < steps; step++) {
        // Tides: mostly growing, then mostly shrinking, so that nodes split and merge.
        change(engine, model, size_max, (step / 3000) % 2 == 0 ? 8 : 2);
        struct pair probe, prefix;
        draw_key(&probe, size_max);
        check_get(engine, model, key_of(&probe));
        draw_key(&prefix, 2);
        check_seek(engine, model, key_of(&prefix), key_of(&probe));
        if (step % 1000 == 0)
            check_walk(engine, model);
    }
    check_walk(engine, model);
    engine->ops->free(engine);
    free(model);
}

TEST(random_changes_leave_what_a_sorted_array_would_hold)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_random(seed, 6, 12000);
}

TEST(keys_that_share_their_first_bytes_are_told_apart)
{
    run_random(5, KEY_MAX, 12000);
}

static struct bytes numbered(unsigned char key[8], uint32_t number, bool descending)
{
    uint32_t shown = descending ? UINT32_MAX - number : number;
    memset(key, 'k', 4);
    for (int i = 0; i < 4; i++)
        key[4 + i] = (unsigned char)(shown >> (24 - 8 * i));
    return (struct bytes){key, 8};
}

static void check_in_order(bool descending)
{
    enum { COUNT = 50000 };
    struct engine *engine = engine_memory_new();
    unsigned char key[8];
    struct bytes value, empty = {NULL, 0};
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK_EQ(engine->ops->put(engine, numbered(key, i, descending), empty), 0);
    CHECK_EQ(engine->ops->count(engine), COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(engine->ops->get(engine, numbered(key, i, descending), &value));
    for (uint32_t i = 0; i < COUNT; i++) {
        CHECK_EQ(engine->ops->erase(engine, numbered(key, i, descending)), 1);
        CHECK(!engine->ops->get(engine, numbered(key, i, descending), &value));
    }
    CHECK_EQ(engine->ops->count(engine), 0);
    engine->ops->free(engine);
}

TEST(keys_may_arrive_and_go_in_rising_order)
{
    check_in_order(false);
}

TEST(keys_may_arrive_and_go_in_falling_order)
{
    check_in_order(true);
}

TEST(the_empty_key_is_a_key_and_sorts_first)
{
    struct engine *engine = engine_memory_new();
    struct bytes none = {NULL, 0};
    struct bytes zero = {"", 1};
    struct bytes key, value;
    CHECK(!engine->ops->get(engine, none, &value));
    CHECK_EQ(engine->ops->put(engine, zero, none), 0);
    CHECK_EQ(engine->ops->put(engine, none, zero), 0);
    CHECK(engine->ops->seek(engine, none, none, &key, &value));
    CHECK_EQ(key.size, 0);
    CHECK_EQ(value.size, 1);
    CHECK(engine->ops->seek(engine, none, zero, &key, &value));
    CHECK_EQ(key.size, 1);
    CHECK_EQ(value.size, 0);
    CHECK_EQ(engine->ops->erase(engine, none), 1);
    CHECK_EQ(engine->ops->erase(engine, none), 0);
    engine->ops->free(engine);
}

TEST(a_key_and_a_value_may_be_megabytes)
{
    enum { SIZE = 3 << 20 };
    struct engine *engine = engine_memory_new();
    char *text = malloc(SIZE + 1);
    memset(text, 'x', SIZE + 1);
    struct bytes large = {text, SIZE};
    struct bytes larger = {text, SIZE + 1};
    struct bytes key, value;
    CHECK_EQ(engine->ops->put(engine, large, larger), 0);
    CHECK_EQ(engine->ops->put(engine, larger, large), 0);
    CHECK(engine->ops->get(engine, large, &value));
    CHECK_EQ(value.size, SIZE + 1);
    CHECK(engine->ops->seek(engine, large, larger, &key, &value));
    CHECK_EQ(key.size, SIZE + 1);
    CHECK_EQ(value.size, SIZE);
    engine->ops->free(engine);
    free(text);
}

TEST(a_value_may_be_replaced_by_a_part_of_itself)
{
    struct engine *engine = engine_memory_new();
    struct bytes key = {"k", 1};
    struct bytes value = {"0123456789", 10};
    CHECK_EQ(engine->ops->put(engine, key, value), 0);
    CHECK(engine->ops->get(engine, key, &value));
    value.data = (const char *)value.data + 3;
    value.size = 5;
    CHECK_EQ(engine->ops->put(engine, key, value), 0);
    CHECK(engine->ops->get(engine, key, &value));
    check_equal(value, "34567", 5);
    engine->ops->free(engine);
}

TEST_MAIN
