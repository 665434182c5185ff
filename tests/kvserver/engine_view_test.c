// Views of the memory engine: what was there at the freeze, whatever is changed since.
#include "tests/kvserver/bytes_in_use.h"
#include "tests/kvserver/engine_fixture.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct bytes none = {NULL, 0};

static struct engine_view *freeze(struct engine *engine)
{
    struct engine_view *view = engine->ops->freeze(engine);
    CHECK(view != NULL);
    return view;
}

// Checks one step of the view, from `after` on.
static bool check_next(struct engine *engine, struct engine_view *view,
                       const struct model *model, uint32_t at,
                       const struct bytes *after)
{
    struct bytes key, value;
    bool found = engine->ops->view_next(view, after, &key, &value);
    CHECK_EQ(found, at < model->count);
    if (found) {
        const struct pair *pair = &model->pairs[at];
        check_equal(key, pair->key, pair->key_size);
        check_equal(value, pair->value, pair->value_size);
    }
    return found;
}

static void check_view(struct engine *engine, struct engine_view *view,
                       const struct model *model)
{
    struct bytes after = none;
    for (uint32_t at = 0; check_next(engine, view, model, at, at == 0 ? NULL : &after);
         at++)
        after = key_of(&model->pairs[at]);
}

// From a key that need not be there.
static void check_view_after(struct engine *engine, struct engine_view *view,
                             const struct model *model, uint32_t size_max)
{
    struct pair probe;
    draw_key(&probe, size_max);
    struct bytes after = key_of(&probe);
    uint32_t at = model_at(model, after) + model_has(model, after);
    check_next(engine, view, model, at, &after);
}

// ---- random changes -------------------------------------------------------------

// Views of random length, one after another; in each a walk that goes on while the
// engine changes, and all that the engine itself can be asked.
static void run_views(uint64_t seed, uint32_t size_max, uint32_t steps)
{
    struct engine *engine = engine_memory_new();
    struct model *model = calloc(1, sizeof(*model));
    struct model *frozen = calloc(1, sizeof(*frozen));
    struct engine_view *view = NULL;
    uint32_t walked = 0;
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    for (uint32_t step = 0; step < steps; step++) {
        change(engine, model, size_max, (step / 3000) % 2 == 0 ? 8 : 2);
        struct pair probe;
        draw_key(&probe, size_max);
        check_get(engine, model, key_of(&probe));
        check_seek(engine, model, none, key_of(&probe));
        if (view == NULL && random_below(300) == 0) {
            view = freeze(engine);
            memcpy(frozen, model, sizeof(*model));
            walked = 0;
        } else if (view != NULL && random_below(1500) == 0) {
            check_view(engine, view, frozen);
            engine->ops->thaw(view);
            view = NULL;
        }
        if (view != NULL) {
            struct bytes after = none;
            if (walked > 0)
                after = key_of(&frozen->pairs[walked - 1]);
            if (check_next(engine, view, frozen, walked, walked > 0 ? &after : NULL))
                walked++;
            if (step % 4 == 0)
                check_view_after(engine, view, frozen, size_max);
        }
        if (step % 1000 == 0)
            check_walk(engine, model);
    }
    check_walk(engine, model);
    if (view != NULL)
        engine->ops->thaw(view);
    engine->ops->free(engine);
    free(model);
    free(frozen);
}

TEST(a_view_stays_as_it_was_under_random_changes)
{
    for (uint64_t seed = 1; seed <= 3; seed++)
        run_views(seed, 6, 12000);
}

TEST(a_view_tells_keys_apart_that_share_their_first_bytes)
{
    run_views(4, KEY_MAX, 12000);
}

// ---- single cases ---------------------------------------------------------------

// All keys begin alike, so that searching reads the records of inner nodes as well.
static void fill(struct engine *engine, struct model *model, uint32_t count)
{
    while (model->count < count) {
        struct pair pair;
        draw_key(&pair, 8);
        memmove(pair.key + 8, pair.key, pair.key_size);
        memset(pair.key, 's', 8);
        pair.key_size += 8;
        draw_value(&pair);
        CHECK_EQ(put(engine, &pair), 0);
        model_put(model, &pair);
    }
}

struct filled {
    struct engine *engine;
    struct model *model;
};

static struct filled setup(uint32_t count)
{
    struct filled f = {engine_memory_new(), calloc(1, sizeof(struct model))};
    random_state = 77;
    fill(f.engine, f.model, count);
    return f;
}

static void teardown(struct filled *f)
{
    f->engine->ops->free(f->engine);
    free(f->model);
}

TEST(a_view_survives_the_erasing_of_every_key)
{
    struct filled f = setup(3000);
    struct engine_view *view = freeze(f.engine);
    for (uint32_t i = 0; i < f.model->count; i++)
        CHECK_EQ(f.engine->ops->erase(f.engine, key_of(&f.model->pairs[i])), 1);
    CHECK_EQ(f.engine->ops->count(f.engine), 0);
    struct bytes key, value;
    CHECK(!f.engine->ops->seek(f.engine, none, none, &key, &value));
    check_view(f.engine, view, f.model);
    f.engine->ops->thaw(view);
    CHECK(!f.engine->ops->seek(f.engine, none, none, &key, &value));
    teardown(&f);
}

// Thin leaves, which are joined with neighbours to the left that nobody has changed.
TEST(a_view_survives_the_joining_of_nodes)
{
    struct filled f = setup(5000);
    for (uint32_t i = f.model->count; i-- > 0;) {
        struct bytes key = key_of(&f.model->pairs[i]);
        if (i % 3 == 0)
            continue;
        CHECK_EQ(f.engine->ops->erase(f.engine, key), 1);
        CHECK_EQ(model_erase(f.model, key), 1);
    }
    struct engine_view *view = freeze(f.engine);
    for (uint32_t i = f.model->count; i-- > 0;) {
        struct bytes key = key_of(&f.model->pairs[i]);
        CHECK_EQ(f.engine->ops->erase(f.engine, key), 1);
        check_next(f.engine, view, f.model, i + 1, &key);
    }
    for (uint32_t i = f.model->count; i-- > 0;) {
        struct bytes key = key_of(&f.model->pairs[i]);
        check_next(f.engine, view, f.model, i + 1, &key);
    }
    check_view(f.engine, view, f.model);
    f.engine->ops->thaw(view);
    teardown(&f);
}

TEST(a_view_of_nothing_stays_empty)
{
    struct filled f = setup(0);
    struct engine_view *view = freeze(f.engine);
    check_view(f.engine, view, f.model);
    struct model empty = {0};
    fill(f.engine, f.model, 500);
    check_view(f.engine, view, &empty);
    f.engine->ops->thaw(view);
    check_walk(f.engine, f.model);
    teardown(&f);
}

TEST(what_a_view_lent_outlives_the_record_in_the_engine)
{
    struct engine *engine = engine_memory_new();
    struct bytes first = {"a", 1}, second = {"b", 1};
    struct bytes old = {"old", 3}, new = {"new", 3};
    struct bytes key, value;
    CHECK_EQ(engine->ops->put(engine, first, old), 0);
    CHECK_EQ(engine->ops->put(engine, second, old), 0);
    struct engine_view *view = freeze(engine);
    CHECK(engine->ops->view_next(view, NULL, &key, &value));
    CHECK_EQ(engine->ops->put(engine, first, new), 0); // the same size: not in place
    CHECK_EQ(engine->ops->put(engine, first, old), 0);
    CHECK_EQ(engine->ops->put(engine, first, new), 0);
    CHECK_EQ(engine->ops->erase(engine, second), 1);
    check_equal(key, "a", 1);
    check_equal(value, "old", 3);
    CHECK(engine->ops->view_next(view, &first, &key, &value));
    CHECK_EQ(engine->ops->erase(engine, first), 1);
    check_equal(key, "b", 1);
    check_equal(value, "old", 3);
    engine->ops->thaw(view);
    CHECK_EQ(engine->ops->count(engine), 0);
    engine->ops->free(engine);
}

// ---- out of memory --------------------------------------------------------------

// What the process has mapped now is all that it gets. malloc_trim first: what lies
// free at the end of the heap would be used up before anything fails.
static void limit_memory(struct rlimit *before)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK_EQ(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    malloc_trim(0);
    CHECK_EQ(getrlimit(RLIMIT_AS, before), 0);
    struct rlimit limit = *before;
    limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE);
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

TEST(a_change_that_finds_no_memory_changes_nothing)
{
    if (sanitizer_bytes != NULL)
        return; // their own memory cannot be limited; the other build shows it
    struct filled f = setup(4000);
    struct model *frozen = calloc(1, sizeof(*frozen));
    memcpy(frozen, f.model, sizeof(*frozen));
    struct engine_view *view = freeze(f.engine);
    // Half of the leaves are copied already: there it is the record that fails.
    for (uint32_t i = 0; i < f.model->count / 2; i += 5)
        CHECK_EQ(put(f.engine, &f.model->pairs[i]), 0);
    struct rlimit before;
    limit_memory(&before);
    uint32_t failed_puts = 0, failed_erases = 0;
    for (int i = 0; i < 20000; i++) {
        struct pair pair = f.model->pairs[random_below(f.model->count)];
        pair.key[pair.key_size - 1] ^= (unsigned char)random_below(2);
        struct bytes key = key_of(&pair);
        bool puts = random_below(3) > 0;
        memset(pair.value, i, VALUE_MAX);
        pair.value_size = VALUE_MAX - random_below(200);
        int status = puts ? put(f.engine, &pair) : f.engine->ops->erase(f.engine, key);
        if (puts && status == 0)
            model_put(f.model, &pair);
        else if (!puts && status >= 0)
            CHECK_EQ(model_erase(f.model, key), status);
        else
            CHECK_EQ((uint64_t)status, (uint64_t)-ENOMEM);
        failed_puts += puts && status < 0;
        failed_erases += !puts && status < 0;
        check_get(f.engine, f.model, key);
    }
    check_walk(f.engine, f.model);
    check_view(f.engine, view, frozen);
    CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
    CHECK(failed_puts > 100 && failed_erases > 100);
    f.engine->ops->thaw(view);
    check_walk(f.engine, f.model);
    free(frozen);
    teardown(&f);
}

// ---- what a view costs ----------------------------------------------------------

static struct bytes numbered(unsigned char key[8], uint32_t number)
{
    uint32_t mixed = number * 2654435761u; // in no order
    memset(key, 'k', 4);
    for (int i = 0; i < 4; i++)
        key[4 + i] = (unsigned char)(mixed >> (24 - 8 * i));
    return (struct bytes){key, 8};
}

static void put_numbered(struct engine *engine, uint32_t first, uint32_t count,
                         struct bytes value)
{
    unsigned char key[8];
    for (uint32_t i = first; i < first + count; i++)
        CHECK_EQ(engine->ops->put(engine, numbered(key, i), value), 0);
}

TEST(a_put_during_a_view_copies_its_path_and_only_once)
{
    enum { COUNT = 100000 };
    struct engine *engine = engine_memory_new();
    put_numbered(engine, 0, COUNT, (struct bytes){"0123456789", 10});
    size_t before = bytes_in_use();
    struct engine_view *view = freeze(engine);
    CHECK_EQ(bytes_in_use(), before);
    put_numbered(engine, 5, 1, (struct bytes){"9876543210", 10});
    size_t first = bytes_in_use() - before;
    CHECK(first > 1024 && first < 8192); // three or four nodes and a record
    put_numbered(engine, 5, 1, (struct bytes){"abcdefghij", 10});
    CHECK_EQ(bytes_in_use() - before, first);
    engine->ops->thaw(view);
    CHECK(bytes_in_use() < before + 256); // no node is left; malloc may round up
    engine->ops->free(engine);
}

// Every record is replaced and half of the keys come and go while a view is there.
static size_t churn(struct engine *engine, uint32_t count)
{
    unsigned char key[8];
    struct engine_view *view = freeze(engine);
    put_numbered(engine, 0, count, (struct bytes){"9876543210", 10});
    put_numbered(engine, count, count / 2, (struct bytes){"x", 1});
    for (uint32_t i = count; i < count + count / 2; i++)
        CHECK_EQ(engine->ops->erase(engine, numbered(key, i)), 1);
    size_t peak = bytes_in_use();
    engine->ops->thaw(view);
    return peak;
}

TEST(after_views_the_memory_falls_back_to_what_it_was)
{
    enum { COUNT = 40000 };
    struct engine *engine = engine_memory_new();
    put_numbered(engine, 0, COUNT, (struct bytes){"0123456789", 10});
    size_t begin = bytes_in_use();
    size_t peak = churn(engine, COUNT);
    CHECK(peak > begin + begin / 2);
    // The next views begin, and one ends, before the garbage of the first is gone.
    struct engine_view *view = freeze(engine);
    put_numbered(engine, 0, 100, (struct bytes){"0123456789", 10});
    engine->ops->thaw(view);
    CHECK(bytes_in_use() > begin + begin / 4);
    CHECK(churn(engine, COUNT) < peak + peak / 4);
    // In place: these take nothing, and each gives a little back.
    for (int i = 0; i < 4; i++)
        put_numbered(engine, 0, COUNT / 4, (struct bytes){"abcdefghij", 10});
    // Splits and merges may have left other nodes than there were.
    CHECK(bytes_in_use() < begin + begin / 3);
    for (uint32_t i = 0; i < COUNT; i++) {
        unsigned char key[8];
        CHECK_EQ(engine->ops->erase(engine, numbered(key, i)), 1);
    }
    size_t end = bytes_in_use();
    engine->ops->free(engine);
    CHECK(end - bytes_in_use() < 16384); // the engine and an empty root
}

TEST(a_cleared_engine_is_empty_at_once_and_gives_its_memory_back_by_and_by)
{
    enum { COUNT = 40000 };
    struct engine *engine = engine_memory_new();
    size_t begin = bytes_in_use();
    put_numbered(engine, 0, COUNT, (struct bytes){"0123456789", 10});
    size_t full = bytes_in_use();
    struct bytes key, value;
    CHECK(engine->ops->seek(engine, none, none, &key, &value));
    CHECK_EQ(engine->ops->clear(engine), 0);
    CHECK_EQ(engine->ops->count(engine), 0);
    CHECK(!engine->ops->seek(engine, none, none, &key, &value));
    CHECK(bytes_in_use() > full - full / 10);
    for (int i = 0; i < 3000; i++)
        put_numbered(engine, 1, 1, (struct bytes){"0123456789", 10});
    CHECK(bytes_in_use() < begin + 16384);
    CHECK_EQ(engine->ops->count(engine), 1);
    engine->ops->free(engine);
}

TEST_MAIN
