// linearize_brute.h: small random histories, judged by trying every order.
//
// A store that is correct makes them; then answers are changed one by one. Each third
// one that is not linearizable has its window checked, too.
#ifndef TESTS_SIM_LINEARIZE_BRUTE_H
#define TESTS_SIM_LINEARIZE_BRUTE_H

#include "sim/linearize.h"

#include "sim/random.h"
#include "tests/test.h"

enum { SMALL_MAX = 9, STORE_BYTES = 128, KEYS_MAX = 3, PARTS_MAX = 3, WINDOW_EACH = 3 };

// ---- a store, written for this test alone ---------------------------------------

struct cell {
    bool present;
    char text[STORE_BYTES];
};

struct store {
    struct cell cells[KEYS_MAX]; // of the keys "0", "1"...
};

static inline void text_of(const struct history *history, uint32_t id, char *text)
{
    size_t size;
    const char *bytes = history_text(history, id, &size);
    CHECK(size < STORE_BYTES);
    memcpy(text, bytes, size);
    text[size] = '\0';
}

static inline bool holds(const struct cell *cell, const struct history *history,
                         uint32_t id)
{
    char text[STORE_BYTES];
    if (id == HISTORY_ABSENT || !cell->present) {
        return (id == HISTORY_ABSENT) == !cell->present;
    }
    text_of(history, id, text);
    return strcmp(cell->text, text) == 0;
}

static inline void store_text(struct cell *cell, const struct history *history,
                              uint32_t id)
{
    cell->present = true;
    text_of(history, id, cell->text);
}

static inline int64_t append_text(struct cell *cell, const struct history *history,
                                  uint32_t id)
{
    char added[STORE_BYTES];
    text_of(history, id, added);
    size_t size = cell->present ? strlen(cell->text) : 0;
    CHECK(size + strlen(added) < STORE_BYTES);
    strcpy(cell->text + size, added);
    cell->present = true;
    return (int64_t)strlen(cell->text);
}

// Does what one operation does to its key; false where the store refuses it.
static inline bool perform_part(struct store *store, struct history *history,
                                const struct history_part *part, int64_t *result)
{
    size_t size;
    struct cell *cell = &store->cells[history_text(history, part->key, &size)[0] - '0'];
    *result = HISTORY_UNTOLD;
    switch ((enum history_kind)part->kind) {
    case HISTORY_READ:
        *result = cell->present
                      ? history_intern(history, cell->text, strlen(cell->text))
                      : HISTORY_ABSENT;
        return true;
    case HISTORY_WRITE:
        store_text(cell, history, (uint32_t)part->argument);
        return true;
    case HISTORY_CAS:
        *result = holds(cell, history, part->expected);
        if (*result == 1) {
            store_text(cell, history, (uint32_t)part->argument);
        }
        return true;
    case HISTORY_APPEND:
        *result = append_text(cell, history, (uint32_t)part->argument);
        return true;
    case HISTORY_INCR: {
        int64_t number = cell->present ? strtoll(cell->text, NULL, 10) : 0;
        char again[32];
        snprintf(again, sizeof(again), "%" PRId64, number);
        if (cell->present && strcmp(again, cell->text) != 0) {
            return false;
        }
        *result = number + part->argument;
        snprintf(cell->text, sizeof(cell->text), "%" PRId64, *result);
        cell->present = true;
        return true;
    }
    default:
        *result = cell->present;
        cell->present = false;
        return true;
    }
}

struct answer {
    int64_t result;
    int64_t parts[PARTS_MAX];
};

// Does the operation, all of it or nothing.
static inline bool perform(struct store *store, struct history *history,
                           const struct history_operation *operation,
                           struct answer *answer)
{
    if (operation->kind != HISTORY_TXN) {
        struct history_part whole = history_whole(operation);
        return perform_part(store, history, &whole, &answer->result);
    }
    struct store after = *store;
    answer->result = 0;
    for (uint32_t i = 0; i < operation->part_count; i++) {
        struct history_part part = history->parts[operation->first_part + i];
        if (!perform_part(&after, history, &part, &answer->parts[i])) {
            return false;
        }
        answer->result += part.kind == HISTORY_DELETE ? answer->parts[i] : 0;
    }
    *store = after;
    return true;
}

// Whether the answer is what the history says, as far as it says anything.
static inline bool same(const struct history *history,
                        const struct history_operation *operation,
                        const struct answer *answer)
{
    bool same =
        operation->result == HISTORY_UNTOLD || operation->result == answer->result;
    for (uint32_t i = 0; i < operation->part_count; i++) {
        int64_t told = history->parts[operation->first_part + i].result;
        same &= told == HISTORY_UNTOLD || told == answer->parts[i];
    }
    return same;
}

// ---- brute force: every order ---------------------------------------------------

static inline bool may_come_next(const struct history *history, uint32_t placed,
                                 uint32_t next)
{
    for (uint32_t i = 0; i < history->count; i++) {
        if (!(placed & 1u << i) && history->operations[i].outcome == HISTORY_OK &&
            history->operations[i].return_order <
                history->operations[next].call_order) {
            return false;
        }
    }
    return !(placed & 1u << next) &&
           history->operations[next].outcome != HISTORY_FAILED;
}

static inline bool brute_force(struct history *history, struct store store,
                               uint32_t placed)
{
    bool done = true;
    for (uint32_t i = 0; i < history->count; i++) {
        done &= placed & 1u << i || history->operations[i].outcome != HISTORY_OK;
    }
    for (uint32_t i = 0; i < history->count && !done; i++) {
        if (!may_come_next(history, placed, i)) {
            continue;
        }
        const struct history_operation operation = history->operations[i];
        struct store after = store;
        struct answer answer;
        bool accepted = perform(&after, history, &operation, &answer);
        // What is refused has no effect, as if it had never happened.
        bool fits = accepted ? same(history, &operation, &answer)
                             : operation.outcome == HISTORY_PENDING;
        done = fits && brute_force(history, after, placed | 1u << i);
    }
    return done;
}

// ---- random histories -----------------------------------------------------------

struct shape {
    uint32_t clients;
    uint32_t operations;
    uint32_t values;
    uint32_t kinds[HISTORY_KIND_COUNT]; // weights
    uint32_t pending_ppm;
    uint32_t untold_ppm;
    uint32_t keys;
};

static inline uint32_t value_id(struct history *history, uint64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRIu64, number);
    return history_intern(history, text, (size_t)size);
}

static inline enum history_kind draw_kind(struct random *random,
                                          const struct shape *shape, uint32_t kinds)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < kinds; i++) {
        sum += shape->kinds[i];
    }
    uint64_t drawn = random_below(random, sum);
    uint32_t kind = 0;
    while (drawn >= shape->kinds[kind]) {
        drawn -= shape->kinds[kind++];
    }
    return (enum history_kind)kind;
}

static inline struct history_part draw_part(struct history *history,
                                            struct random *random,
                                            const struct shape *shape,
                                            enum history_kind kind)
{
    struct history_part part = {.kind = (uint8_t)kind};
    uint64_t value = random_below(random, shape->values);
    uint64_t expected = random_below(random, shape->values + 1);
    uint64_t key = random_below(random, shape->keys);
    part.key = value_id(history, key);
    part.argument =
        kind == HISTORY_INCR ? (int64_t)value * 2 - 1 : value_id(history, value);
    part.expected = expected == 0 ? 0 : value_id(history, expected - 1);
    return part;
}

static inline uint32_t call_drawn(struct history *history, struct random *random,
                                  const struct shape *shape)
{
    enum history_kind kind = draw_kind(random, shape, HISTORY_KIND_COUNT);
    struct history_part parts[PARTS_MAX];
    uint64_t count = kind == HISTORY_TXN ? random_between(random, 1, PARTS_MAX) : 1;
    bool deletes = random_chance(random, 200000);
    for (uint64_t i = 0; i < count; i++) {
        enum history_kind of_part =
            deletes ? HISTORY_DELETE : draw_kind(random, shape, HISTORY_TXN);
        parts[i] =
            draw_part(history, random, shape, kind == HISTORY_TXN ? of_part : kind);
    }
    if (kind == HISTORY_TXN) {
        return history_call_txn(history, 0, parts, (uint32_t)count, history->order);
    }
    struct history_operation asked = {.kind = (uint8_t)kind,
                                      .key = parts[0].key,
                                      .argument = parts[0].argument,
                                      .expected = parts[0].expected};
    return history_call(history, &asked, history->order);
}

struct client {
    uint32_t operation;
    bool busy;
    bool done;
    bool accepted;
    struct answer answer;
};

// Tells the answer, or a part of it.
static inline void finish(struct history *history, const struct client *client,
                          struct random *random, const struct shape *shape)
{
    const struct history_operation operation = history->operations[client->operation];
    bool untold = random_chance(random, shape->untold_ppm);
    for (uint32_t i = 0; i < operation.part_count && client->accepted; i++) {
        bool quiet = random_chance(random, shape->untold_ppm);
        history_tell(history, client->operation, i,
                     quiet ? HISTORY_UNTOLD : client->answer.parts[i]);
    }
    history_return(history, client->operation,
                   client->accepted ? HISTORY_OK : HISTORY_FAILED,
                   untold ? HISTORY_UNTOLD : client->answer.result, history->order);
}

// One step of one client of a store that is correct: call, take effect, or return.
static inline void client_step(struct history *history, struct store *store,
                               struct client *client, struct random *random,
                               const struct shape *shape)
{
    if (!client->busy) {
        if (history->count == shape->operations) {
            return;
        }
        *client = (struct client){.busy = true};
        client->operation = call_drawn(history, random, shape);
        return;
    }
    if (!client->done) {
        const struct history_operation asked = history->operations[client->operation];
        if (random_chance(random, shape->pending_ppm / 2)) {
            client->busy = false; // never done, never answered
            return;
        }
        client->accepted = perform(store, history, &asked, &client->answer);
        client->done = true;
        client->busy = !random_chance(random, shape->pending_ppm / 2);
        return;
    }
    finish(history, client, random, shape);
    client->busy = false;
}

static inline void make_legal(struct history *history, struct random *random,
                              const struct shape *shape)
{
    struct client clients[32] = {0};
    struct store store = {0};
    uint32_t busy = 0;
    CHECK(shape->clients <= 32);
    do {
        uint64_t drawn = random_below(random, shape->clients);
        client_step(history, &store, &clients[drawn], random, shape);
        busy = 0;
        for (uint32_t i = 0; i < shape->clients; i++) {
            busy += clients[i].busy;
        }
    } while (history->count < shape->operations || busy > 0);
}

static inline void mutate_result(struct history *history, enum history_kind kind,
                                 uint64_t value, int64_t *result)
{
    switch (kind) {
    case HISTORY_READ:
        *result = value_id(history, value);
        break;
    case HISTORY_WRITE:
        break;
    case HISTORY_CAS:
    case HISTORY_DELETE:
        *result = *result == 0;
        break;
    default:
        *result = *result == HISTORY_UNTOLD ? 1 : *result + (value % 2 == 0 ? 1 : -1);
        break;
    }
}

// Changes one answer, or makes a refusal of what was done or the other way round.
static inline void mutate(struct history *history, struct random *random,
                          const struct shape *shape)
{
    uint64_t index = random_below(random, history->count);
    struct history_operation *operation = &history->operations[index];
    uint64_t value = random_below(random, shape->values);
    uint64_t part = random_below(random, PARTS_MAX);
    if (operation->outcome == HISTORY_PENDING) {
        return;
    }
    if (random_chance(random, 200000)) {
        operation->outcome =
            operation->outcome == HISTORY_OK ? HISTORY_FAILED : HISTORY_OK;
        operation->result = HISTORY_UNTOLD;
        for (uint32_t i = 0; i < operation->part_count; i++) {
            history->parts[operation->first_part + i].result = HISTORY_UNTOLD;
        }
    } else if (operation->outcome == HISTORY_OK) {
        enum history_kind kind = (enum history_kind)operation->kind;
        int64_t *result = &operation->result;
        if (kind == HISTORY_WRITE) {
            operation->argument = value_id(history, value);
        }
        if (part < operation->part_count) {
            struct history_part *at = &history->parts[operation->first_part + part];
            kind = (enum history_kind)at->kind;
            result = &at->result;
        }
        mutate_result(history, kind, value, result);
    }
}

static inline enum linearize_verdict verdict_of(const struct history *history,
                                                struct linearize_result *result)
{
    struct linearize_limits limits;
    linearize_limits_default(&limits);
    linearize_history(history, &limits, result);
    return result->verdict;
}

static inline void show(const struct history *history, uint64_t seed)
{
    fprintf(stderr, "seed %" PRIu64 ":\n", seed);
    history_write(history, stderr);
}

// ---- windows --------------------------------------------------------------------

static inline void free_operation(struct history *history, struct history_operation *at)
{
    at->outcome = HISTORY_PENDING;
    at->result = HISTORY_UNTOLD;
    at->call_order = 0;
    for (uint32_t i = 0; i < at->part_count; i++) {
        history->parts[at->first_part + i].result = HISTORY_UNTOLD;
    }
}

// Whether the operations of a window, one of them left out, show it: all others that
// were called before the stuck one returned are free, and what comes later is unknown.
static inline bool window_shows(struct history *history,
                                const struct linearize_result *result,
                                uint32_t left_out)
{
    struct history_operation *all = history->operations;
    struct history_part *all_parts = history->parts;
    struct history_operation operations[SMALL_MAX];
    struct history_part parts[SMALL_MAX * PARTS_MAX];
    uint32_t end_order = history->operations[result->stuck].return_order;
    bool kept[SMALL_MAX] = {false};
    for (uint32_t i = 0; i < result->window_count; i++) {
        kept[result->window[i]] = i != left_out;
    }
    memcpy(operations, all, history->count * sizeof(*operations));
    if (history->part_count > 0) {
        memcpy(parts, all_parts, history->part_count * sizeof(*parts));
    }
    history->operations = operations;
    history->parts = parts;
    for (uint32_t i = 0; i < history->count; i++) {
        struct history_operation *at = &operations[i];
        if (at->outcome == HISTORY_FAILED || at->call_order > end_order) {
            at->outcome = HISTORY_FAILED;
        } else if (!kept[i]) {
            free_operation(history, at);
        } else if (at->return_order > end_order) {
            at->outcome = HISTORY_PENDING; // its answer holds where it happened
        }
    }
    bool shows = !brute_force(history, (struct store){0}, 0);
    history->operations = all;
    history->parts = all_parts;
    return shows;
}

static inline void check_window(struct history *history,
                                const struct linearize_result *result)
{
    CHECK(result->window_count > 0 && result->window_count == result->window_size);
    CHECK(window_shows(history, result, UINT32_MAX));
    for (uint32_t i = 0; i < result->window_count; i++) {
        CHECK(!window_shows(history, result, i));
    }
}

// A fifth of the rounds, unless LINEARIZE_ALL is set; all together are then more than
// 200,000 histories, and LINEARIZE_ALL=10 makes ten times as many. Each round has a
// history that is linearizable and three that may not be. True where many were not.
static inline bool compare_with_brute_force(const struct shape *shape, uint32_t rounds)
{
    uint32_t illegal = 0;
    const char *all = getenv("LINEARIZE_ALL");
    long times = all == NULL ? 0 : strtol(all, NULL, 10);
    rounds = all == NULL ? rounds / 5 : rounds * (uint32_t)(times > 0 ? times : 1);
    for (uint64_t seed = 0; seed < rounds; seed++) {
        struct random random;
        random_seed(&random, seed, 1);
        struct history history = {0};
        make_legal(&history, &random, shape);
        struct linearize_result result;
        if (verdict_of(&history, &result) != LINEARIZE_YES) {
            show(&history, seed);
        }
        CHECK_TEXT(linearize_verdict_text(result.verdict), "yes");
        for (int mutation = 0; mutation < 3; mutation++) {
            mutate(&history, &random, shape);
            bool legal = brute_force(&history, (struct store){0}, 0);
            enum linearize_verdict verdict = verdict_of(&history, &result);
            if (verdict != (legal ? LINEARIZE_YES : LINEARIZE_NO)) {
                show(&history, seed);
            }
            CHECK_TEXT(linearize_verdict_text(verdict), legal ? "yes" : "no");
            if (verdict == LINEARIZE_NO && illegal % WINDOW_EACH == 0) {
                check_window(&history, &result);
            }
            illegal += !legal;
        }
        history_release(&history);
    }
    return illegal > rounds / 10;
}

#endif
