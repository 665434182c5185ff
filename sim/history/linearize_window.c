#include "sim/history/linearize_window.h"

#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 512,
    CHECK_STEPS = 1 << 20, // of one attempt
    LATEST_FIRST = 4,      // so many of the newest are tried alone first, then more
    LATEST_FACTOR = 4,
    SEEN_MAX = 64,
};

struct window {
    struct linearize_search *search;
    uint32_t group;
    uint64_t steps_end; // of all attempts
    // Operations (numbers in the history, ascending), and which of them are freed.
    uint32_t *numbers;
    bool *freed;
    uint32_t count;
    bool only_reads;          // may be freed now
    bool hushed;              // of all answers, only the values that were read count
    uint32_t *numbers_before; // an attempt
    bool *freed_before;
    uint32_t seen[SEEN_MAX]; // values
    uint32_t seen_count;
    uint32_t end_order; // when the operation returned that could not
};

// ---- what can matter --------------------------------------------------------------

// The values that somebody saw: was answered by a read that is kept, or compares with.
// False where they are too many to look through.
static bool see(struct window *window, uint32_t value)
{
    for (uint32_t i = 0; i < window->seen_count; i++) {
        if (window->seen[i] == value) {
            return true;
        }
    }
    if (window->seen_count == SEEN_MAX) {
        return false;
    }
    window->seen[window->seen_count++] = value;
    return true;
}

static bool see_part(struct window *window, const struct history_part *part, bool kept)
{
    if (part->kind == HISTORY_INCR) {
        return false; // a number says nothing of what it was made from
    }
    if (part->kind == HISTORY_CAS && part->expected != HISTORY_ABSENT) {
        return see(window, part->expected);
    }
    bool read = kept && part->kind == HISTORY_READ && part->result != HISTORY_UNTOLD &&
                part->result != HISTORY_ABSENT;
    return !read || see(window, (uint32_t)part->result);
}

// The parts of an operation: itself, or a transaction's.
static const struct history_part *parts_of(const struct history *history,
                                           uint32_t number, struct history_part *room,
                                           uint32_t *count)
{
    const struct history_operation *operation = &history->operations[number];
    *count = operation->part_count;
    if (operation->kind == HISTORY_TXN) {
        return &history->parts[operation->first_part];
    }
    *count = 1;
    *room = history_whole(operation);
    return room;
}

static bool see_all(struct window *window)
{
    const struct history *history = window->search->key.history;
    window->seen_count = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        struct history_part room;
        uint32_t count;
        const struct history_part *parts =
            parts_of(history, window->numbers[i], &room, &count);
        for (uint32_t j = 0; j < count; j++) {
            if (!see_part(window, &parts[j], !window->freed[i])) {
                return false;
            }
        }
    }
    return true;
}

static bool deletes(const struct history *history, uint32_t number)
{
    struct history_part room;
    uint32_t count;
    const struct history_part *parts = parts_of(history, number, &room, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].kind == HISTORY_DELETE) {
            return true;
        }
    }
    return false;
}

// Whether something that it wrote may be a part of something that was seen.
static bool may_matter(const struct window *window, uint32_t number)
{
    const struct history *history = window->search->key.history;
    struct history_part room;
    uint32_t count;
    const struct history_part *parts = parts_of(history, number, &room, &count);
    for (uint32_t i = 0; i < count; i++) {
        bool writes = parts[i].kind == HISTORY_WRITE || parts[i].kind == HISTORY_CAS ||
                      parts[i].kind == HISTORY_APPEND;
        for (uint32_t j = 0; j < window->seen_count && writes; j++) {
            size_t whole, size;
            const char *seen = history_text(history, window->seen[j], &whole);
            const char *text =
                history_text(history, (uint32_t)parts[i].argument, &size);
            if (memmem(seen, whole, text, size) != NULL) {
                return true;
            }
        }
    }
    return false;
}

// Where only values that were read count, what a freed operation wrote matters only
// where somebody saw it, if as a part: whatever is done to such a value until it is
// replaced is never seen.
static void forget_unseen(struct window *window)
{
    const struct history *history = window->search->key.history;
    uint32_t kept = 0;
    if (!window->hushed || !see_all(window)) {
        return;
    }
    for (uint32_t i = 0; i < window->count; i++) {
        uint32_t number = window->numbers[i];
        if (!window->freed[i] || deletes(history, number) ||
            may_matter(window, number)) {
            window->numbers[kept] = number;
            window->freed[kept++] = window->freed[i];
        }
    }
    window->count = kept;
}

// ---- freeing ----------------------------------------------------------------------

// Whether it still shows. Then what happened after the operation that is stuck now does
// not matter.
static bool shows(struct window *window)
{
    struct linearize_search *search = window->search;
    if (search->steps >= window->steps_end) {
        return false;
    }
    forget_unseen(window);
    struct linearize_part what = {.end_order = window->end_order,
                                  .numbers = window->numbers,
                                  .freed = window->freed,
                                  .hushed = window->hushed,
                                  .count = window->count};
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

static struct window save(struct window *window)
{
    memcpy(window->numbers_before, window->numbers,
           window->count * sizeof(*window->numbers));
    memcpy(window->freed_before, window->freed, window->count * sizeof(bool));
    return *window;
}

// Whether it shows with what has been freed since save(); else nothing has.
static bool keep_freed(struct window *window, const struct window *before)
{
    if (shows(window)) {
        forget(window);
        return true;
    }
    *window = *before;
    memcpy(window->numbers, window->numbers_before,
           window->count * sizeof(*window->numbers));
    memcpy(window->freed, window->freed_before, window->count * sizeof(bool));
    return false;
}

// Frees so many candidates, from the `from`-th of them on, where it still shows without
// them.
static bool free_some(struct window *window, uint32_t from, uint32_t count)
{
    struct window before = save(window);
    uint32_t nth = 0;
    for (uint32_t i = 0; i < window->count; i++) {
        if (is_candidate(window, i)) {
            window->freed[i] = nth >= from && nth - from < count;
            nth++;
        }
    }
    return keep_freed(window, &before);
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

// The newest operations alone, so many that it shows, with those that wrote what the
// stuck one saw.
static bool find_latest(struct window *window, uint32_t stuck)
{
    const struct history *history = window->search->key.history;
    struct history_part room;
    uint32_t count;
    const struct history_part *parts = parts_of(history, stuck, &room, &count);
    bool *wrote = linearize_key_grown(NULL, window->count * sizeof(bool));
    bool found = false;
    window->seen_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        see_part(window, &parts[i], true);
    }
    for (uint32_t i = 0; i < window->count; i++) {
        wrote[i] = !deletes(history, window->numbers[i]) &&
                   may_matter(window, window->numbers[i]);
    }
    for (uint64_t latest = LATEST_FIRST; latest < window->count && !found;
         latest *= LATEST_FACTOR) {
        struct window before = save(window);
        for (uint32_t i = 0; i < window->count; i++) {
            window->freed[i] = i + latest < window->count && !wrote[i];
        }
        found = keep_freed(window, &before);
    }
    free(wrote);
    return found;
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

// All operations of the group that were called before the one that is stuck returned;
// all of them are kept.
static void open_window(struct window *window)
{
    const struct linearize_key *key = &window->search->key;
    uint32_t size = linearize_key_size(key, window->group);
    const uint32_t *numbers = linearize_key_numbers(key, window->group);
    window->end_order = linearize_search_stuck(window->search)->return_order;
    window->numbers = linearize_key_grown(NULL, size * sizeof(*window->numbers));
    window->freed = linearize_key_grown(NULL, size * sizeof(bool));
    window->freed_before = linearize_key_grown(NULL, size * sizeof(bool));
    window->numbers_before = linearize_key_grown(NULL, size * sizeof(*numbers));
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

// In a group with more than reads and writes it helps where values that were read show
// it alone: then little of what is freed can matter.
static void reduce(struct window *window, uint32_t stuck)
{
    window->hushed = !is_plain(window);
    if (!window->hushed || !find_latest(window, stuck)) {
        window->hushed = false;
        if (!shows(window)) {
            return;
        }
        forget(window);
        find_latest(window, stuck);
    }
    // Reads first: they say less than the writes that they saw.
    free_chunks(window, true);
    free_chunks(window, false);
}

// With all answers perhaps still fewer show it; then, though, all that was forgotten
// counts again.
static void reduce_more(struct window *window, const struct window *all)
{
    struct window more = *window;
    more.numbers = linearize_key_grown(NULL, all->count * sizeof(*more.numbers));
    more.freed = linearize_key_grown(NULL, all->count * sizeof(bool));
    memcpy(more.numbers, all->numbers, all->count * sizeof(*more.numbers));
    more.count = all->count;
    more.hushed = false;
    for (uint32_t i = 0, next = 0; i < all->count; i++) {
        while (next < window->count &&
               (window->freed[next] || window->numbers[next] < all->numbers[i])) {
            next++;
        }
        more.freed[i] =
            next == window->count || window->numbers[next] != all->numbers[i];
    }
    if (shows(&more)) {
        forget(&more);
        free_chunks(&more, false);
        window->hushed = false;
        window->count = more.count;
        window->end_order = more.end_order;
        memcpy(window->numbers, more.numbers, more.count * sizeof(*more.numbers));
        memcpy(window->freed, more.freed, more.count * sizeof(bool));
    }
    free(more.numbers);
    free(more.freed);
}

void linearize_window_find(struct linearize_search *search, uint32_t group,
                           uint64_t steps_max, struct linearize_result *result)
{
    struct window window = {
        .search = search, .group = group, .steps_end = search->steps + steps_max};
    find_makers(search, result);
    open_window(&window);
    struct window all = window;
    all.numbers = linearize_key_grown(NULL, window.count * sizeof(*all.numbers));
    memcpy(all.numbers, window.numbers, window.count * sizeof(*all.numbers));
    reduce(&window, result->stuck);
    if (window.hushed) {
        reduce_more(&window, &all);
    }
    window.steps_end = UINT64_MAX;
    if (shows(&window)) {
        result->maker_count = 0;
        find_makers(search, result);
    }
    result->window_size = kept_count(&window);
    for (uint32_t i = 0; i < window.count; i++) {
        if (!window.freed[i]) {
            add_once(result->window, &result->window_count, window.numbers[i]);
        }
    }
    add_once(result->window, &result->window_count, result->stuck);
    free(all.numbers);
    free(window.numbers);
    free(window.freed);
    free(window.freed_before);
    free(window.numbers_before);
}
