#include "sim/linearize.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cell.h"
#include "sim/frontier.h"

// The search goes from return to return. Up to each, some of the open operations must
// have been placed, the returning one at the latest; all ways to do so that matter make
// the next layer (see frontier.h). Placing as late as possible is enough: what is not
// needed for this return can be placed before the next one. And so it is enough
//   - to place a pure operation as soon as the state allows it: it changes nothing;
//   - to place a blind write, other than the returning one, only where something sees
//     it at once: unseen, it can stand right before the next blind write.
// A layer holds only so many configurations; where one did not fit, an empty layer
// later proves nothing, and the key is tried again with wider layers.

enum { NONE = UINT32_MAX, WIDTH_FIRST = 8, WIDTH_FACTOR = 8, VISITED_FACTOR = 8 };

enum class {
    CLASS_PURE,   // changes nothing: read, refused cas, delete of nothing
    CLASS_BLIND,  // always possible, and makes the same state of every other
    CLASS_EFFECT, // all else
};

struct operation {
    uint32_t number; // in the history
    uint32_t call_order;
    uint32_t return_order;
    uint32_t state;    // that it reads or writes
    uint32_t expected; // by a cas
    uint32_t text;     // appended
    int64_t by;
    int64_t result;
    uint32_t slot;
    uint32_t twin; // the previous pending operation that is equal, or NONE
    uint8_t kind;
    uint8_t class;
    bool pending;
};

struct search {
    const struct history *history;
    struct cells cells;
    // Of all keys: operation numbers grouped by key, in order of their calls.
    uint32_t *numbers;
    uint32_t *first_of_key;
    // Of this key.
    struct operation *operations;
    uint32_t count;
    uint32_t *returns; // operations in order of their returns
    uint32_t return_count;
    uint32_t *reads_left; // by state: reads that have not returned
    uint32_t state_count; // that reads_left has
    bool plain;           // nothing but reads and blind writes
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

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size > 0 ? size : 1);
    if (result == NULL) {
        fprintf(stderr, "linearize: out of memory\n");
        abort();
    }
    return result;
}

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

// ---- one key's operations -------------------------------------------------------

static enum class class_of(const struct operation *operation) {
    switch ((enum history_kind)operation->kind){
        case HISTORY_READ : return CLASS_PURE;
        case HISTORY_WRITE : return CLASS_BLIND;
        case HISTORY_CAS : return operation->result == 0 ? CLASS_PURE : CLASS_EFFECT;
        case
        HISTORY_DELETE : if (operation->result == HISTORY_UNTOLD){return CLASS_BLIND;}
return operation->result == 0 ? CLASS_PURE : CLASS_EFFECT;
default:
return CLASS_EFFECT;
}
}

// False where the operation says nothing: it had no effect, and nothing was seen.
static bool prepare(struct search *search, uint32_t number, struct operation *operation)
{
    const struct history_operation *from = &search->history->operations[number];
    bool told = from->outcome == HISTORY_OK && from->result != HISTORY_UNTOLD;
    if (from->outcome == HISTORY_FAILED || (from->kind == HISTORY_READ && !told)) {
        return false;
    }
    *operation = (struct operation){.number = number,
                                    .call_order = from->call_order,
                                    .return_order = from->return_order,
                                    .state = CELL_ABSENT,
                                    .by = from->argument,
                                    .result = told ? from->result : HISTORY_UNTOLD,
                                    .slot = NONE,
                                    .twin = NONE,
                                    .kind = from->kind,
                                    .pending = from->outcome == HISTORY_PENDING};
    switch ((enum history_kind)from->kind) {
    case HISTORY_READ:
        operation->state = cell_of_text(&search->cells, (uint32_t)from->result);
        break;
    case HISTORY_CAS:
        operation->expected = cell_of_text(&search->cells, from->expected);
        operation->state = cell_of_text(&search->cells, (uint32_t)from->argument);
        break;
    case HISTORY_WRITE:
        operation->state = cell_of_text(&search->cells, (uint32_t)from->argument);
        break;
    case HISTORY_APPEND:
        operation->text = (uint32_t)from->argument;
        break;
    default:
        break;
    }
    operation->class = (uint8_t)class_of(operation);
    return true;
}

static uint32_t *reads_left(struct search *search, uint32_t state)
{
    if (state >= search->state_count) {
        uint32_t count = (state + 1) * 2;
        search->reads_left =
            grown(search->reads_left, count * sizeof(*search->reads_left));
        memset(search->reads_left + search->state_count, 0,
               (count - search->state_count) * sizeof(*search->reads_left));
        search->state_count = count;
    }
    return &search->reads_left[state];
}

static bool equal_pending(const struct operation *left, const struct operation *right)
{
    return left->kind == right->kind && left->state == right->state &&
           left->expected == right->expected && left->text == right->text &&
           left->by == right->by;
}

static int compare_pending(const void *left_pointer, const void *right_pointer)
{
    const struct operation *left = *(struct operation *const *)left_pointer;
    const struct operation *right = *(struct operation *const *)right_pointer;
    const int64_t keys[][2] = {{left->kind, right->kind},
                               {left->state, right->state},
                               {left->expected, right->expected},
                               {left->text, right->text},
                               {left->by, right->by},
                               {left->call_order, right->call_order}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

// Equal pending operations may be placed in order of their calls: no other order of
// them reaches more.
static void find_twins(struct search *search)
{
    struct operation **pending = grown(NULL, search->count * sizeof(*pending));
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        if (search->operations[i].pending) {
            pending[count++] = &search->operations[i];
        }
    }
    if (count > 0) {
        qsort(pending, count, sizeof(*pending), compare_pending);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (equal_pending(pending[i - 1], pending[i])) {
            pending[i]->twin = (uint32_t)(pending[i - 1] - search->operations);
        }
    }
    free(pending);
}

static int compare_u64(const void *left_pointer, const void *right_pointer)
{
    uint64_t left = *(const uint64_t *)left_pointer;
    uint64_t right = *(const uint64_t *)right_pointer;
    return left < right ? -1 : left > right;
}

static void order_returns(struct search *search)
{
    uint64_t *keys = grown(NULL, search->count * sizeof(*keys));
    uint32_t count = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        if (!search->operations[i].pending) {
            keys[count++] = (uint64_t)search->operations[i].return_order << 32 | i;
        }
    }
    if (count > 0) {
        qsort(keys, count, sizeof(*keys), compare_u64);
    }
    search->returns = grown(search->returns, count * sizeof(*search->returns));
    for (uint32_t i = 0; i < count; i++) {
        search->returns[i] = (uint32_t)keys[i];
    }
    search->return_count = count;
    free(keys);
}

// A pending blind write of what nobody ever reads changes nothing, in a plain key.
static void drop_unread(struct search *search)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < search->count; i++) {
        const struct operation *operation = &search->operations[i];
        if (!search->plain || !operation->pending ||
            *reads_left(search, operation->state) > 0) {
            search->operations[kept++] = *operation;
        }
    }
    search->count = kept;
}

// Leaves no count behind from the key before.
static void forget_reads(struct search *search)
{
    for (uint32_t i = 0; i < search->count; i++) {
        if (search->operations[i].kind == HISTORY_READ) {
            *reads_left(search, search->operations[i].state) = 0;
        }
    }
}

static void load_key(struct search *search, uint32_t key)
{
    uint32_t first = search->first_of_key[key];
    uint32_t end = search->first_of_key[key + 1];
    forget_reads(search);
    search->operations =
        grown(search->operations, (end - first) * sizeof(*search->operations));
    search->count = 0;
    search->plain = true;
    for (uint32_t i = first; i < end; i++) {
        struct operation *operation = &search->operations[search->count];
        if (!prepare(search, search->numbers[i], operation)) {
            continue;
        }
        search->count++;
        if (operation->kind == HISTORY_READ) {
            ++*reads_left(search, operation->state);
        } else if (operation->class != CLASS_BLIND) {
            search->plain = false;
        }
    }
    drop_unread(search);
    find_twins(search);
    order_returns(search);
}

// ---- slots ----------------------------------------------------------------------

// How many operations are open at most.
static uint32_t most_open(const struct search *search)
{
    uint32_t called = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < search->return_count; i++) {
        const struct operation *next = &search->operations[search->returns[i]];
        while (called < search->count &&
               search->operations[called].call_order < next->return_order) {
            called++;
        }
        most = called - i > most ? called - i : most;
    }
    return most;
}

static void make_slots(struct search *search)
{
    uint32_t words = most_open(search) / 64 + 1;
    size_t size = (size_t)words * 9 * sizeof(uint64_t);
    uint64_t *memory = search->slot_words = grown(search->slot_words, size);
    memset(memory, 0, size);
    search->slots = (struct frontier_slots){.words = words,
                                            .open = memory,
                                            .pure = memory + words,
                                            .blind = memory + (size_t)words * 2,
                                            .pending = memory + (size_t)words * 3,
                                            .effect = memory + (size_t)words * 4};
    search->parent = memory + (size_t)words * 5;
    search->child = memory + (size_t)words * 7;
    search->slot_holders =
        grown(search->slot_holders, (size_t)words * 64 * sizeof(uint32_t));
}

static void take_slot(struct search *search, uint32_t index)
{
    struct operation *operation = &search->operations[index];
    struct frontier_slots *slots = &search->slots;
    if (operation->pending && search->plain &&
        *reads_left(search, operation->state) == 0) {
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

static bool pure_allowed(const struct operation *operation, uint32_t state)
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
            if (pure_allowed(&search->operations[search->slot_holders[slot]], state)) {
                set_bit(placed, slot);
                any = true;
            }
        }
    }
    return any;
}

// The state after an operation that has an effect; false where it cannot be here.
static bool effect_of(struct search *search, const struct operation *operation,
                      uint32_t *state)
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
        *state = cell_append(&search->cells, *state, operation->text);
        return !told ||
               (int64_t)cell_length(&search->cells, *state) == operation->result;
    case HISTORY_INCR:
        return cell_incr(&search->cells, *state, operation->by, state, &number) &&
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
    const struct operation *operation = &search->operations[search->slot_holders[slot]];
    uint32_t words = search->slots.words;
    search->steps++;
    if (operation->twin != NONE) {
        const struct operation *twin = &search->operations[operation->twin];
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
            if (search->operations[search->slot_holders[slot]].state != state) {
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
static void pass_return(struct search *search, const struct operation *returning)
{
    uint32_t slot = returning->slot;
    struct frontier *now = &search->now;
    uint32_t originals = now->count;
    bool wanted = !search->plain || returning->class != CLASS_BLIND ||
                  *reads_left(search, returning->state) > 0;
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

static void next_layer(struct search *search, const struct operation *returned)
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
    if (returned->kind == HISTORY_READ && --*reads_left(search, returned->state) == 0 &&
        search->plain) {
        retire_pending(search, returned->state);
    }
}

static void start(struct search *search, uint32_t width)
{
    uint32_t words = search->slots.words;
    frontier_init(&search->now, words, width * VISITED_FACTOR);
    frontier_init(&search->next, words, width);
    struct frontier_config config = {.state = CELL_ABSENT, .writer = NONE};
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
    for (uint32_t i = 0; i < search->return_count; i++) {
        const struct operation *returning = &search->operations[search->returns[i]];
        while (called < search->count &&
               search->operations[called].call_order < returning->return_order) {
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
    const struct operation *stuck =
        &search->operations[search->returns[search->returned]];
    for (uint32_t i = 0; i < search->now.count; i++) {
        uint32_t writer = search->now.configs[i].writer;
        if (writer != NONE && writer != stuck->number) {
            add_to_window(result, writer, LINEARIZE_WINDOW_MAX / 2);
        }
    }
    for (uint32_t i = search->count; i-- > 0;) {
        const struct operation *operation = &search->operations[i];
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
    load_key(search, key);
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

// Groups the operations by key; says which keys there are.
static uint32_t group_by_key(struct search *search, uint32_t *keys)
{
    const struct history *history = search->history;
    uint32_t *first = search->first_of_key;
    memset(first, 0, ((size_t)history->text_count + 2) * sizeof(*first));
    for (uint32_t i = 0; i < history->count; i++) {
        assert(i == 0 || history->operations[i - 1].call_order <
                             history->operations[i].call_order);
        first[history->operations[i].key + 1]++;
    }
    uint32_t count = 0;
    for (uint32_t key = 0; key <= history->text_count; key++) {
        if (first[key + 1] > 0) {
            keys[count++] = key;
        }
        first[key + 1] += first[key];
    }
    for (uint32_t i = 0; i < history->count; i++) {
        search->numbers[first[history->operations[i].key]++] = i;
    }
    for (uint32_t key = history->text_count + 1; key > 0; key--) {
        first[key] = first[key - 1];
    }
    first[0] = 0;
    return count;
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
    size_t texts = (size_t)history->text_count + 2;
    struct search search = {.history = history,
                            .steps_max = limits->steps_max,
                            .memory_bytes_max = limits->memory_bytes_max};
    cell_init(&search.cells, history);
    search.numbers = grown(NULL, history->count * sizeof(uint32_t));
    search.first_of_key = grown(NULL, texts * sizeof(uint32_t));
    uint32_t *keys = grown(NULL, texts * sizeof(uint32_t));
    *result = (struct linearize_result){.verdict = LINEARIZE_YES};
    result->keys = group_by_key(&search, keys);
    judge_all(&search, keys, result->keys, result);
    result->steps = search.steps;
    if (result->verdict == LINEARIZE_YES) {
        result->key = 0;
        result->ordered = 0;
    }
    free(keys);
    free(search.numbers);
    free(search.first_of_key);
    free(search.operations);
    free(search.returns);
    free(search.reads_left);
    free(search.slot_words);
    free(search.slot_holders);
    cell_release(&search.cells);
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
