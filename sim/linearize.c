#include "sim/linearize.h"

#include "sim/history/frontier.h"
#include "sim/history/linearize_key.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// The search goes from return to return. Up to each, some of the open operations must
// have been placed, the returning one at the latest; all ways to do so that matter make
// the next layer (see frontier.h). Placing as late as possible is enough: what is not
// needed for this return can be placed before the next one. And so it is enough
//   - to place a pure operation as soon as the state allows it: it changes nothing;
//   - to place a blind write, other than the returning one, only where something sees
//     it at once: unseen, it can stand right before the next blind write.
// A layer holds only so many configurations; where one did not fit, an empty layer
// later proves nothing, and the key is tried again with wider layers.

enum { WIDTH_FIRST = 8, WIDTH_FACTOR = 8, VISITED_FACTOR = 8 };

struct search {
    struct linearize_key key; // the one that is tried
    // Of this try.
    struct frontier_slots slots;
    uint64_t *slot_words;   // the memory of `slots`
    uint32_t *slot_holders; // the operation in each slot
    struct frontier now;
    struct frontier next;
    uint64_t *parent; // one configuration's bits
    uint64_t *child;
    uint64_t steps;
    uint64_t steps_max;
    uint64_t memory_bytes_max;
    uint32_t returned; // that have been passed
};

static bool get(const uint64_t *set, uint32_t slot)
{
    return set[slot / 64] >> (slot % 64) & 1;
}

static void set_bit(uint64_t *set, uint32_t slot)
{
    set[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void clear_bit(uint64_t *set, uint32_t slot)
{
    set[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

// ---- slots ----------------------------------------------------------------------

static void make_slots(struct search *search)
{
    uint32_t words = linearize_key_most_open(&search->key) / 64 + 1;
    size_t size = (size_t)words * 9 * sizeof(uint64_t);
    uint64_t *memory = search->slot_words =
        linearize_key_grown(search->slot_words, size);
    memset(memory, 0, size);
    search->slots = (struct frontier_slots){.words = words,
                                            .open = memory,
                                            .pure = memory + words,
                                            .blind = memory + (size_t)words * 2,
                                            .pending = memory + (size_t)words * 3,
                                            .effect = memory + (size_t)words * 4};
    search->parent = memory + (size_t)words * 5;
    search->child = memory + (size_t)words * 7;
    search->slot_holders = linearize_key_grown(search->slot_holders,
                                               (size_t)words * 64 * sizeof(uint32_t));
}

static void take_slot(struct search *search, uint32_t index)
{
    struct linearize_operation *operation = &search->key.operations[index];
    struct frontier_slots *slots = &search->slots;
    if (operation->pending && search->key.plain &&
        *linearize_key_reads_left(&search->key, operation->state) == 0) {
        return; // nobody is to read it any more
    }
    uint32_t word = 0;
    while (slots->open[word] == UINT64_MAX) {
        word++;
    }
    assert(word < slots->words);
    uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(~slots->open[word]);
    operation->slot = slot;
    search->slot_holders[slot] = index;
    set_bit(slots->open, slot);
    if (operation->pending) {
        set_bit(slots->pending, slot);
    }
    if (operation->class == CLASS_PURE) {
        set_bit(slots->pure, slot);
    } else if (operation->class == CLASS_EFFECT) {
        set_bit(slots->effect, slot);
    } else if (!operation->pending) {
        set_bit(slots->blind, slot);
    }
}

static void free_slot(struct search *search, uint32_t slot)
{
    struct frontier_slots *slots = &search->slots;
    clear_bit(slots->open, slot);
    clear_bit(slots->pure, slot);
    clear_bit(slots->blind, slot);
    clear_bit(slots->pending, slot);
    clear_bit(slots->effect, slot);
}

// ---- placing --------------------------------------------------------------------

static bool pure_allowed(const struct linearize_operation *operation, uint32_t state)
{
    switch ((enum history_kind)operation->kind) {
    case HISTORY_READ:
        return state == operation->state;
    case HISTORY_CAS:
        return state != operation->expected;
    default:
        return state == CELL_ABSENT;
    }
}

// Places every pure operation that the state allows; says whether there was one.
static bool place_pure(const struct search *search, uint32_t state, uint64_t *placed)
{
    bool any = false;
    for (uint32_t w = 0; w < search->slots.words; w++) {
        uint64_t left = search->slots.pure[w] & ~placed[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (pure_allowed(&search->key.operations[search->slot_holders[slot]],
                             state)) {
                set_bit(placed, slot);
                any = true;
            }
        }
    }
    return any;
}

// The state after an operation that has an effect; false where it cannot be here.
static bool effect_of(struct search *search,
                      const struct linearize_operation *operation, uint32_t *state)
{
    bool told = operation->result != HISTORY_UNTOLD;
    int64_t number;
    switch ((enum history_kind)operation->kind) {
    case HISTORY_CAS:
        if (*state == operation->expected) {
            *state = operation->state;
            return true;
        }
        return !told && !operation->pending;
    case HISTORY_APPEND:
        *state = cell_append(&search->key.cells, *state, operation->text);
        return !told ||
               (int64_t)cell_length(&search->key.cells, *state) == operation->result;
    case HISTORY_INCR:
        return cell_incr(&search->key.cells, *state, operation->by, state, &number) &&
               (!told || number == operation->result);
    default: // a delete that found something
        if (*state == CELL_ABSENT) {
            return false;
        }
        *state = CELL_ABSENT;
        return true;
    }
}

static bool any_effect_left(const struct search *search, const uint64_t *placed)
{
    for (uint32_t w = 0; w < search->slots.words; w++) {
        if (search->slots.effect[w] & ~placed[w]) {
            return true;
        }
    }
    return false;
}

// Every open blind write that has not been seen may stand right before this one. Not
// the one that returns: that it is absorbed by what is placed now is the same as to
// place this one after it has returned.
static void absorb(const struct search *search, uint32_t returning, uint64_t *bits)
{
    uint32_t words = search->slots.words;
    for (uint32_t w = 0; w < words; w++) {
        bits[words + w] |= search->slots.blind[w] & ~bits[w];
    }
    clear_bit(bits + words, returning);
}

// Tries to place one operation after search->parent, and adds what comes out.
static void try_place(struct search *search, const struct frontier_config *parent,
                      uint32_t slot, uint32_t returning, uint32_t fresh)
{
    const struct linearize_operation *operation =
        &search->key.operations[search->slot_holders[slot]];
    uint32_t words = search->slots.words;
    search->steps++;
    if (operation->twin != LINEARIZE_NONE) {
        const struct linearize_operation *twin =
            &search->key.operations[operation->twin];
        if (!get(search->parent, twin->slot)) {
            return;
        }
    }
    struct frontier_config config = {.state = parent->state,
                                     .writer = operation->number};
    bool blind = operation->class == CLASS_BLIND;
    if (blind) {
        config.state = operation->state;
    } else if (!effect_of(search, operation, &config.state)) {
        return;
    }
    memcpy(search->child, search->parent, words * 2 * sizeof(uint64_t));
    set_bit(search->child, slot);
    clear_bit(search->child + words, slot);
    if (blind) {
        absorb(search, returning, search->child);
    }
    bool seen = place_pure(search, config.state, search->child);
    if (blind && slot != returning && !seen) {
        if (!any_effect_left(search, search->child)) {
            return;
        }
        config.owing = true;
    }
    search->steps +=
        frontier_add(&search->now, &search->slots, &config, search->child, fresh) / 4;
}

// All that can be placed after configuration `index` comes behind it in `now`.
static void expand(struct search *search, uint32_t index, uint32_t returning)
{
    const struct frontier_config parent = search->now.configs[index];
    uint32_t words = search->slots.words;
    memcpy(search->parent, frontier_bits(&search->now, index),
           words * 2 * sizeof(uint64_t));
    // From here on the returning operation is to be placed itself.
    clear_bit(search->parent + words, returning);
    for (uint32_t w = 0; w < words; w++) {
        uint64_t left = search->slots.open[w] & ~search->slots.pure[w];
        if (parent.owing) {
            left = search->slots.effect[w];
        }
        left &= ~search->parent[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            try_place(search, &parent, slot, returning, index + 1);
        }
    }
}

static void emit(struct search *search, uint32_t index, uint32_t returning)
{
    uint32_t words = search->slots.words;
    uint64_t *bits = search->child;
    memcpy(bits, frontier_bits(&search->now, index), words * 2 * sizeof(uint64_t));
    clear_bit(bits, returning);
    clear_bit(bits + words, returning);
    search->steps += frontier_add(&search->next, &search->slots,
                                  &search->now.configs[index], bits, 0) /
                     4;
}

// ---- the search -----------------------------------------------------------------

// Pending writes of a value that nobody is to read any more need no slot.
static void retire_pending(struct search *search, uint32_t state)
{
    struct frontier_slots *slots = &search->slots;
    for (uint32_t w = 0; w < slots->words; w++) {
        uint64_t left = slots->pending[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (search->key.operations[search->slot_holders[slot]].state != state) {
                continue;
            }
            free_slot(search, slot);
            for (uint32_t i = 0; i < search->now.count; i++) {
                clear_bit(frontier_bits(&search->now, i), slot);
            }
        }
    }
}

// Makes the layer after a return from the one before it.
static void pass_return(struct search *search,
                        const struct linearize_operation *returning)
{
    uint32_t slot = returning->slot;
    struct frontier *now = &search->now;
    uint32_t originals = now->count;
    bool wanted = !search->key.plain || returning->class != CLASS_BLIND ||
                  *linearize_key_reads_left(&search->key, returning->state) > 0;
    for (uint32_t i = 0; i < now->count && search->steps < search->steps_max; i++) {
        uint64_t *bits = frontier_bits(now, i);
        if (i < originals) {
            place_pure(search, now->configs[i].state, bits);
        }
        bool placed = get(bits, slot);
        bool absorbed = i < originals && get(bits + search->slots.words, slot);
        if (placed || absorbed) {
            emit(search, i, slot);
        }
        if (!placed && (!absorbed || wanted)) {
            expand(search, i, slot);
        }
    }
}

static void next_layer(struct search *search,
                       const struct linearize_operation *returned)
{
    free_slot(search, returned->slot);
    frontier_clear(&search->now);
    struct frontier now = search->next;
    search->next = search->now;
    search->now = now;
    // Each has a limit of its own.
    uint32_t limit = search->next.limit;
    search->next.limit = search->now.limit;
    search->now.limit = limit;
    if (returned->kind == HISTORY_READ &&
        --*linearize_key_reads_left(&search->key, returned->state) == 0 &&
        search->key.plain) {
        retire_pending(search, returned->state);
    }
}

static void start(struct search *search, uint32_t width)
{
    uint32_t words = search->slots.words;
    frontier_init(&search->now, words, width * VISITED_FACTOR);
    frontier_init(&search->next, words, width);
    struct frontier_config config = {.state = CELL_ABSENT, .writer = LINEARIZE_NONE};
    memset(search->child, 0, words * 2 * sizeof(uint64_t));
    frontier_add(&search->now, &search->slots, &config, search->child, 0);
    search->returned = 0;
}

// The widest layers that fit in the memory, whatever the number of open operations.
static uint32_t width_max(const struct search *search)
{
    uint64_t each = sizeof(struct frontier_config) + 2 * sizeof(uint32_t) +
                    search->slots.words * 2 * sizeof(uint64_t);
    uint64_t width = search->memory_bytes_max / (each * (VISITED_FACTOR + 1) * 2);
    return width > UINT32_MAX / 64 ? UINT32_MAX / 64 : (uint32_t)width;
}

// Tries one key with layers of so many configurations. NO leaves the layer before the
// return that could not be passed; UNKNOWN may be for want of width or of steps.
static enum linearize_verdict try_key(struct search *search, uint32_t width)
{
    uint32_t called = 0;
    make_slots(search);
    search->returned = 0;
    if (width > WIDTH_FIRST && width > width_max(search)) {
        return LINEARIZE_UNKNOWN;
    }
    start(search, width);
    for (uint32_t i = 0; i < search->key.return_count; i++) {
        const struct linearize_operation *returning =
            &search->key.operations[search->key.returns[i]];
        while (called < search->key.count &&
               search->key.operations[called].call_order < returning->return_order) {
            take_slot(search, called++);
        }
        pass_return(search, returning);
        if (search->steps >= search->steps_max) {
            return LINEARIZE_UNKNOWN;
        }
        if (search->next.count == 0) {
            bool truncated = search->now.truncated || search->next.truncated;
            return truncated ? LINEARIZE_UNKNOWN : LINEARIZE_NO;
        }
        next_layer(search, returning);
        search->returned++;
    }
    return LINEARIZE_YES;
}

// ---- the answer -----------------------------------------------------------------

static bool add_to_window(struct linearize_result *result, uint32_t number,
                          uint32_t limit)
{
    for (uint32_t i = 0; i < result->window_count; i++) {
        if (result->window[i] == number) {
            return true;
        }
    }
    if (result->window_count == limit) {
        return false;
    }
    result->window[result->window_count++] = number;
    return true;
}

static int compare_u32(const void *left_pointer, const void *right_pointer)
{
    uint32_t left = *(const uint32_t *)left_pointer;
    uint32_t right = *(const uint32_t *)right_pointer;
    return left < right ? -1 : left > right;
}

// Who wrote what may be there, what is open, and what could not return.
static void fill_window(const struct search *search, struct linearize_result *result)
{
    const struct linearize_operation *stuck =
        &search->key.operations[search->key.returns[search->returned]];
    for (uint32_t i = 0; i < search->now.count; i++) {
        uint32_t writer = search->now.configs[i].writer;
        if (writer != LINEARIZE_NONE && writer != stuck->number) {
            add_to_window(result, writer, LINEARIZE_WINDOW_MAX / 2);
        }
    }
    for (uint32_t i = search->key.count; i-- > 0;) {
        const struct linearize_operation *operation = &search->key.operations[i];
        bool open = operation->call_order < stuck->return_order &&
                    operation->return_order > stuck->return_order;
        if (open &&
            !add_to_window(result, operation->number, LINEARIZE_WINDOW_MAX - 1)) {
            break;
        }
    }
    qsort(result->window, result->window_count, sizeof(*result->window), compare_u32);
    add_to_window(result, stuck->number, LINEARIZE_WINDOW_MAX);
}

static enum linearize_verdict judge_key(struct search *search, uint32_t key,
                                        uint32_t width, struct linearize_result *result)
{
    linearize_key_load(&search->key, key);
    enum linearize_verdict verdict = try_key(search, width);
    if (verdict != LINEARIZE_YES) {
        result->key = key;
        result->ordered = search->returned;
    }
    if (verdict == LINEARIZE_NO) {
        fill_window(search, result);
    }
    frontier_release(&search->now);
    frontier_release(&search->next);
    return verdict;
}

// Judges all undecided keys in turns, each turn with wider layers.
static void judge_all(struct search *search, uint32_t *keys, uint32_t count,
                      struct linearize_result *result)
{
    for (uint32_t width = WIDTH_FIRST; count > 0; width *= WIDTH_FACTOR) {
        uint32_t left = 0;
        bool wider = false;
        for (uint32_t i = 0; i < count; i++) {
            enum linearize_verdict verdict = judge_key(search, keys[i], width, result);
            if (verdict == LINEARIZE_NO) {
                result->verdict = LINEARIZE_NO;
                return;
            }
            if (verdict == LINEARIZE_UNKNOWN) {
                keys[left++] = keys[i];
                wider |= (uint64_t)width * WIDTH_FACTOR <= width_max(search);
            }
        }
        count = left;
        if (count > 0 && (!wider || search->steps >= search->steps_max)) {
            break;
        }
    }
    result->unknown = count;
    result->verdict = count == 0 ? LINEARIZE_YES : LINEARIZE_UNKNOWN;
}

void linearize_history(const struct history *history,
                       const struct linearize_limits *limits,
                       struct linearize_result *result)
{
    struct search search = {.steps_max = limits->steps_max,
                            .memory_bytes_max = limits->memory_bytes_max};
    linearize_key_init(&search.key, history);
    uint32_t *keys =
        linearize_key_grown(NULL, ((size_t)history->text_count + 1) * sizeof(*keys));
    *result = (struct linearize_result){.verdict = LINEARIZE_YES};
    result->keys = linearize_key_list(&search.key, keys);
    judge_all(&search, keys, result->keys, result);
    result->steps = search.steps;
    if (result->verdict == LINEARIZE_YES) {
        result->key = 0;
        result->ordered = 0;
    }
    free(keys);
    free(search.slot_words);
    free(search.slot_holders);
    linearize_key_release(&search.key);
}

void linearize_limits_default(struct linearize_limits *limits)
{
    *limits = (struct linearize_limits){.steps_max = UINT64_C(200000000),
                                        .memory_bytes_max = UINT64_C(100) << 20};
}

const char *linearize_verdict_text(enum linearize_verdict verdict)
{
    static const char *const texts[] = {"yes", "no", "unknown"};
    return texts[verdict];
}
