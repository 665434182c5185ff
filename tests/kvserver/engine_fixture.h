// engine_fixture.h: an engine beside a sorted array that is searched from end to end.
#ifndef TESTS_KVSERVER_ENGINE_FIXTURE_H
#define TESTS_KVSERVER_ENGINE_FIXTURE_H

#include "tests/test.h"

#include <stdbool.h>

#include "kvserver/engine/engine.h"

enum { KEY_MAX = 20, VALUE_MAX = 300, PAIRS_MAX = 6000 };

struct pair {
    unsigned char key[KEY_MAX];
    size_t key_size;
    unsigned char value[VALUE_MAX];
    size_t value_size;
};

struct model {
    uint32_t count;
    struct pair pairs[PAIRS_MAX];
};

static uint64_t random_state;

static inline uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % bound);
}

static inline int order(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int result = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (result != 0)
        return result;
    return a.size < b.size ? -1 : a.size > b.size;
}

static inline struct bytes key_of(const struct pair *pair)
{
    return (struct bytes){pair->key, pair->key_size};
}

// The position of the first key that is not below.
static inline uint32_t model_at(const struct model *model, struct bytes key)
{
    uint32_t at = 0;
    while (at < model->count && order(key_of(&model->pairs[at]), key) < 0)
        at++;
    return at;
}

static inline bool model_has(const struct model *model, struct bytes key)
{
    uint32_t at = model_at(model, key);
    return at < model->count && order(key_of(&model->pairs[at]), key) == 0;
}

static inline void model_put(struct model *model, const struct pair *pair)
{
    uint32_t at = model_at(model, key_of(pair));
    if (!model_has(model, key_of(pair))) {
        CHECK(model->count < PAIRS_MAX);
        memmove(&model->pairs[at + 1], &model->pairs[at],
                (model->count - at) * sizeof(*pair));
        model->count++;
    }
    model->pairs[at] = *pair;
}

static inline int model_erase(struct model *model, struct bytes key)
{
    uint32_t at = model_at(model, key);
    if (!model_has(model, key))
        return 0;
    model->count--;
    memmove(&model->pairs[at], &model->pairs[at + 1],
            (model->count - at) * sizeof(model->pairs[0]));
    return 1;
}

// Few different bytes, zero among them, so that keys are prefixes of each other.
static inline void draw_key(struct pair *pair, uint32_t size_max)
{
    static const unsigned char alphabet[] = {0, 1, 'a', 0xff};
    pair->key_size = random_below(size_max + 1);
    for (size_t i = 0; i < pair->key_size; i++)
        pair->key[i] = alphabet[random_below(sizeof(alphabet))];
}

static inline void draw_value(struct pair *pair)
{
    pair->value_size = random_below(8) == 0 ? random_below(VALUE_MAX) : random_below(9);
    for (size_t i = 0; i < pair->value_size; i++)
        pair->value[i] = (unsigned char)random_below(256);
}

static inline int put(struct engine *engine, const struct pair *pair)
{
    return engine->ops->put(engine, key_of(pair),
                            (struct bytes){pair->value, pair->value_size});
}

static inline void check_equal(struct bytes actual, const void *data, size_t size)
{
    CHECK_EQ(actual.size, size);
    CHECK(size == 0 || memcmp(actual.data, data, size) == 0);
}

static inline void check_get(struct engine *engine, const struct model *model,
                             struct bytes key)
{
    struct bytes value;
    bool found = engine->ops->get(engine, key, &value);
    CHECK_EQ(found, model_has(model, key));
    if (found) {
        const struct pair *pair = &model->pairs[model_at(model, key)];
        check_equal(value, pair->value, pair->value_size);
    }
}

static inline void check_seek(struct engine *engine, const struct model *model,
                              struct bytes prefix, struct bytes from)
{
    struct bytes key, value;
    uint32_t at = model_at(model, order(from, prefix) < 0 ? prefix : from);
    const struct pair *pair = &model->pairs[at];
    bool expected =
        at < model->count && pair->key_size >= prefix.size &&
        (prefix.size == 0 || memcmp(pair->key, prefix.data, prefix.size) == 0);
    CHECK_EQ(engine->ops->seek(engine, prefix, from, &key, &value), expected);
    if (expected) {
        check_equal(key, pair->key, pair->key_size);
        check_equal(value, pair->value, pair->value_size);
    }
}

// Walks over everything as the service does: from the last key with a zero behind it.
static inline void check_walk(struct engine *engine, const struct model *model)
{
    struct bytes none = {NULL, 0};
    struct bytes from = none;
    unsigned char next[KEY_MAX + 1];
    struct bytes key, value;
    uint32_t seen = 0;
    while (engine->ops->seek(engine, none, from, &key, &value)) {
        CHECK(seen < model->count);
        check_equal(key, model->pairs[seen].key, model->pairs[seen].key_size);
        check_equal(value, model->pairs[seen].value, model->pairs[seen].value_size);
        seen++;
        memcpy(next, key.data, key.size);
        next[key.size] = 0;
        from = (struct bytes){next, key.size + 1};
    }
    CHECK_EQ(seen, model->count);
    CHECK_EQ(engine->ops->count(engine), model->count);
}

// `puts_of_10` of ten changes add, the others take away.
static inline void change(struct engine *engine, struct model *model, uint32_t size_max,
                          uint32_t puts_of_10)
{
    struct pair pair;
    draw_key(&pair, size_max);
    if (random_below(10) < puts_of_10) {
        draw_value(&pair);
        CHECK_EQ(put(engine, &pair), 0);
        model_put(model, &pair);
    } else {
        int expected = model_erase(model, key_of(&pair));
        CHECK_EQ(engine->ops->erase(engine, key_of(&pair)), expected);
    }
}

#endif
