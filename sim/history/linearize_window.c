#include "sim/history/linearize_window.h"

#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 512,
    CHECK_STEPS = 1 << 20, // of one attempt
    LATEST_FIRST = 4,      // so many of the newest are tried alone first, then more
    LATEST_FACTOR = 4,
};

struct window {
    struct linearize_search *search;
    uint32_t group;
    uint64_t steps_end; // of all attempts
    // Operations (numbers in the history, ascending), and which of them are freed.
    uint32_t *numbers;
    bool *freed;
    bool *before; // what was freed before an attempt
    bool only_reads;
    uint32_t count;
    uint32_t end_order; // when the operation returned that could not
};

// Whether it still shows. Then what happened after the operation that is stuck now does
// not matter.
static bool shows(struct window *window)
{
    struct linearize_search *search = window->search;
    struct linearize_part what = {.end_order = window->end_order,
                                  .numbers = window->numbers,
                                  .freed = window->freed,
                                  .count = window->count};
    if (search->steps >= window->steps_end) {
        return false;
    }
    linearize_key_load(&search->key, window->group, &what);
    if (linearize_search_try(search, WIDTH, CHECK_STEPS) != LINEARIZE_NO) {
        return false;
    }
    window->end_order = linearize_search_stuck(search)->return_order;
    return true;
}

// Whether nothing but reads and writes is left, none of them of two keys.
static bool is_plain(const struct window *window)
{
    const struct history *history = window->search->key.history;
    for (uint32_t i = 0; i < window->count; i++) {
        uint8_t kind = history->operations[window->numbers[i]].kind;
        if (kind != HISTORY_READ && kind != HISTORY_WRITE) {
            return false;
        }
    }
    return true;
}

// Forgets what says nothing any more, after shows(): what was called too late, and, of
// what is freed, the reads, and the writes of what nobody reads. (Where there are other
// kinds, a write may matter again: to a cas that is freed, too.)
static void forget(struct window *window)
{
    const struct linearize_key *key = &window->search->key;
    const struct history_operation *operations = key->history->operations;
    uint32_t next = 0, kept = 0;
    bool plain = is_plain(window);
    for (uint32_t i = 0; i < window->count; i++) {
        uint32_t number = window->numbers[i];
        // Freed ones come first, both in order of their calls.
        bool there = next < key->count && key->operations[next].number == number;
        next += window->freed[i] && there;
        bool matters = operations[number].call_order < window->end_order;
        if (window->freed[i] && plain) {
            matters = there;
        } else if (window->freed[i] && operations[number].kind == HISTORY_READ) {
            matters = false;
        }
        if (matters) {
            window->numbers[kept] = number;
            window->freed[kept++] = window->freed[i];
        }
    }
    window->count = kept;
}

// Whether an operation may be freed now: it is not yet, and is a read, if only these
// may.
static bool is_candidate(const struct window *window, uint32_t index)
{
    const struct history *history = window->search->key.history;
    uint32_t number = window->numbers[index];
    return !window->freed[index] &&
           (!window->only_reads || history->operations[number].kind == HISTORY_READ);
}

// Frees so many candidates, from the `from`-th of them on, where it still shows without
// them.
static bool free_some(struct window *window, uint32_t from, uint32_t count)
{
    uint32_t nth = 0;
    memcpy(window->before, window->freed, window->count * sizeof(bool));
    for (uint32_t i = 0; i < window->count; i++) {
        if (is_candidate(window, i)) {
            window->freed[i] = nth >= from && nth - from < count;
            nth++;
        }
    }
    uint32_t end_order = window->end_order;
    if (shows(window)) {
        forget(window);
        return true;
    }
    window->end_order = end_order;
    memcpy(window->freed, window->before, window->count * sizeof(bool));
    return false;
}

static uint32_t candidate_count(const struct window *window)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        count += is_candidate(window, i);
    }
    return count;
}

static uint32_t kept_count(const struct window *window)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        count += !window->freed[i];
    }
    return count;
}

// The newest operations alone, so many that it shows.
static void find_latest(struct window *window)
{
    uint32_t all = kept_count(window);
    for (uint64_t latest = LATEST_FIRST; latest < all; latest *= LATEST_FACTOR) {
        if (free_some(window, 0, all - (uint32_t)latest)) {
            return;
        }
    }
}

// Chunks of half of them first, single ones last, again until none can be freed.
static void free_chunks(struct window *window, bool only_reads)
{
    window->only_reads = only_reads;
    uint32_t chunk = (candidate_count(window) + 1) / 2;
    while (chunk > 0 && window->search->steps < window->steps_end) {
        bool any = false;
        for (uint32_t from = 0; from < candidate_count(window);) {
            bool freed = free_some(window, from, chunk);
            any |= freed;
            from += freed ? 0 : chunk;
        }
        chunk = chunk == 1 && any ? 1 : chunk / 2;
    }
}

// All operations of the group that were called before the one that is stuck returned.
static void open_window(struct window *window)
{
    const struct linearize_key *key = &window->search->key;
    uint32_t size = linearize_key_size(key, window->group);
    const uint32_t *numbers = linearize_key_numbers(key, window->group);
    window->end_order = linearize_search_stuck(window->search)->return_order;
    window->numbers = linearize_key_grown(NULL, size * sizeof(*window->numbers));
    window->freed = linearize_key_grown(NULL, size * sizeof(bool));
    window->before = linearize_key_grown(NULL, size * sizeof(bool));
    memset(window->freed, 0, size * sizeof(bool));
    for (uint32_t i = 0; i < size; i++) {
        const struct history_operation *operation =
            &key->history->operations[numbers[i]];
        if (operation->call_order < window->end_order &&
            operation->outcome != HISTORY_FAILED) {
            window->numbers[window->count++] = numbers[i];
        }
    }
}

static void add_once(uint32_t *numbers, uint32_t *count, uint32_t number)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (numbers[i] == number) {
            return;
        }
    }
    if (*count < LINEARIZE_WINDOW_MAX) {
        numbers[(*count)++] = number;
    }
}

// Who may have made what the stuck operation finds.
static void find_makers(const struct linearize_search *search,
                        struct linearize_result *result)
{
    result->stuck = linearize_search_stuck(search)->number;
    for (uint32_t i = 0; i < search->now.count; i++) {
        add_once(result->makers, &result->maker_count, search->now.configs[i].writer);
    }
}

void linearize_window_find(struct linearize_search *search, uint32_t group,
                           uint64_t steps_max, struct linearize_result *result)
{
    struct window window = {
        .search = search, .group = group, .steps_end = search->steps + steps_max};
    find_makers(search, result);
    open_window(&window);
    if (shows(&window)) {
        forget(&window);
        find_latest(&window);
        // Reads first: they say less than the writes that they saw.
        free_chunks(&window, true);
        free_chunks(&window, false);
        window.steps_end = UINT64_MAX;
        result->maker_count = 0;
        shows(&window);
        find_makers(search, result);
    }
    result->window_size = kept_count(&window);
    for (uint32_t i = 0; i < window.count; i++) {
        if (!window.freed[i]) {
            add_once(result->window, &result->window_count, window.numbers[i]);
        }
    }
    add_once(result->window, &result->window_count, result->stuck);
    free(window.numbers);
    free(window.freed);
    free(window.before);
}
