#include "sim/history/linearize_search.h"

#include "sim/history/linearize_near.h"
#include "sim/history/linearize_sight.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// The search goes from return to return. Up to each, some of the open operations must
// have been placed, the returning one at the latest; all ways to do so that matter make
// the next layer (see frontier.h). Placing as late as possible is enough: what is not
// needed for this return can be placed before the next one. And so it is enough
//   - to place a pure operation as soon as the state allows it: it changes nothing;
//   - to place a blind write, other than the returning one, only where something sees
//     it at once: unseen, it can stand right before the next blind write;
//   - to place a pending operation only where something sees it (linearize_sight.h).
// A layer holds only so many configurations; where one did not fit, an empty layer
// later proves nothing, and the key is tried again with wider layers.

enum { VISITED_FACTOR = 8, STATES_KEPT = 4096 };

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

static void make_slots(struct linearize_search *search)
{
    uint32_t words = linearize_key_most_open(&search->key) / 64 + 1;
    size_t size = (size_t)words * 11 * sizeof(uint64_t);
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
    search->wide = memory + (size_t)words * 9;
    search->near = memory + (size_t)words * 10;
    search->slot_holders = linearize_key_grown(search->slot_holders,
                                               (size_t)words * 64 * sizeof(uint32_t));
}

static void take_slot(struct linearize_search *search, uint32_t index)
{
    struct linearize_operation *operation = &search->key.operations[index];
    struct frontier_slots *slots = &search->slots;
    if (operation->pending && search->key.plain &&
        *linearize_key_reads_left(&search->key, operation->act.state) == 0) {
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
    if (operation->act_count > 0) {
        set_bit(search->wide, slot);
    }
    if (operation->class == CLASS_PURE) {
        set_bit(slots->pure, slot);
    } else if (operation->class == CLASS_EFFECT) {
        set_bit(slots->effect, slot);
    } else if (!operation->pending) {
        set_bit(slots->blind, slot);
    }
}

static void free_slot(struct linearize_search *search, uint32_t slot)
{
    struct frontier_slots *slots = &search->slots;
    clear_bit(search->wide, slot);
    clear_bit(slots->open, slot);
    clear_bit(slots->pure, slot);
    clear_bit(slots->blind, slot);
    clear_bit(slots->pending, slot);
    clear_bit(slots->effect, slot);
}

static const struct linearize_operation *in_slot(const struct linearize_search *search,
                                                 uint32_t slot)
{
    return &search->key.operations[search->slot_holders[slot]];
}

static bool touches(const struct linearize_search *search, uint32_t slot, uint32_t at)
{
    uint32_t count;
    const struct linearize_act *act =
        linearize_key_acts(&search->key, in_slot(search, slot), &count);
    for (; count > 0; count--, act++) {
        if (act->at == at) {
            return true;
        }
    }
    return false;
}

// Whether something of `set` that is not placed touches a key.
static bool any_touches(const struct linearize_search *search, const uint64_t *set,
                        const uint64_t *placed, uint32_t at)
{
    for (uint32_t w = 0; w < search->slots.words; w++) {
        uint64_t left = set[w] & ~placed[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (search->key.width == 1 || touches(search, slot, at)) {
                return true;
            }
        }
    }
    return false;
}

// ---- placing --------------------------------------------------------------------

static bool act_allowed(const struct linearize_act *act, uint32_t cell)
{
    switch ((enum history_kind)act->kind) {
    case HISTORY_READ:
        return cell == act->state || act->result == HISTORY_UNTOLD;
    case HISTORY_CAS:
        return cell != act->expected;
    default:
        return cell == CELL_ABSENT;
    }
}

static bool pure_allowed(const struct linearize_search *search,
                         const struct linearize_operation *operation, uint32_t state)
{
    uint32_t count;
    const struct linearize_act *act =
        linearize_key_acts(&search->key, operation, &count);
    for (; count > 0; count--, act++) {
        if (!act_allowed(act, joint_cell(&search->joint, state, act->at))) {
            return false;
        }
    }
    return true;
}

// Places every pure operation that the state allows; says whether there was one.
static bool place_pure(const struct linearize_search *search, uint32_t state,
                       uint64_t *placed)
{
    bool any = false;
    for (uint32_t w = 0; w < search->slots.words; w++) {
        uint64_t left = search->slots.pure[w] & ~placed[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (pure_allowed(search, in_slot(search, slot), state)) {
                set_bit(placed, slot);
                any = true;
            }
        }
    }
    return any;
}

// The value after an act that may change it; false where it cannot be here.
static bool change(struct linearize_search *search, const struct linearize_act *act,
                   uint32_t *cell)
{
    struct cells *cells = &search->key.cells;
    bool told = act->result != HISTORY_UNTOLD;
    int64_t result = *cell != CELL_ABSENT; // of a delete
    switch ((enum history_kind)act->kind) {
    case HISTORY_READ:
        return !told || *cell == act->state;
    case HISTORY_WRITE:
        *cell = act->state;
        return true;
    case HISTORY_CAS:
        result = *cell == act->expected;
        *cell = result == 1 ? act->state : *cell;
        break;
    case HISTORY_APPEND:
        *cell = cell_append(cells, *cell, act->text);
        result = (int64_t)cell_length(cells, *cell);
        break;
    case HISTORY_INCR:
        if (!cell_incr(cells, *cell, act->by, cell, &result)) {
            return false;
        }
        break;
    default:
        *cell = CELL_ABSENT;
        break;
    }
    return !told || result == act->result;
}

// The state after an operation that has an effect; false where it cannot be here.
static bool effect_of(struct linearize_search *search,
                      const struct linearize_operation *operation, uint32_t *state)
{
    uint32_t count;
    const struct linearize_act *act =
        linearize_key_acts(&search->key, operation, &count);
    uint32_t *cells = joint_open(&search->joint, *state);
    int64_t found = 0;
    if (operation->act_count == 0 && operation->pending && act->kind == HISTORY_CAS &&
        cells[act->at] != act->expected) {
        return false; // nothing would come of it
    }
    for (; count > 0; count--, act++) {
        found += act->kind == HISTORY_DELETE && cells[act->at] != CELL_ABSENT;
        if (!change(search, act, &cells[act->at])) {
            return false;
        }
    }
    *state = joint_close(&search->joint);
    return operation->found == HISTORY_UNTOLD || operation->found == found;
}

// Every open blind write to this key that has not been seen may stand right before this
// one. Not the one that returns: that it is absorbed by what is placed now is the same
// as to place this one after it has returned.
static void absorb(const struct linearize_search *search, uint32_t at,
                   uint32_t returning, uint64_t *bits)
{
    uint32_t words = search->slots.words;
    for (uint32_t w = 0; w < words; w++) {
        uint64_t left = search->slots.blind[w] & ~bits[w];
        if (search->key.width == 1) {
            bits[words + w] |= left;
            continue;
        }
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (in_slot(search, slot)->act.at == at) {
                set_bit(bits + words, slot);
            }
        }
    }
    clear_bit(bits + words, returning);
}

// What is unseen yet owes to be seen by what comes next on its key, unless that may be
// a transaction: it may see it together with another write, and before it one that has
// to return stands unseen. False where nobody can see it.
static bool owe(struct linearize_search *search,
                const struct linearize_operation *operation, uint32_t before,
                struct frontier_config *config)
{
    const struct linearize_act *act = &operation->act;
    uint32_t cells[2] = {joint_cell(&search->joint, before, act->at),
                         joint_cell(&search->joint, config->state, act->at)};
    bool wide = any_touches(search, search->wide, search->child, act->at);
    config->owing = wide ? 0 : act->at + 1;
    return (wide && !operation->pending) ||
           linearize_sight_may(search, act, operation->pending, cells, search->child);
}

// The state after an operation, and what it owes. False where it cannot be placed, or
// in vain.
static bool place(struct linearize_search *search,
                  const struct linearize_operation *operation, uint32_t returning,
                  struct frontier_config *config)
{
    const struct linearize_act *act = &operation->act;
    uint32_t before = config->state;
    bool blind = operation->class == CLASS_BLIND;
    if (!blind) {
        if (!effect_of(search, operation, &config->state)) {
            return false;
        }
    } else {
        joint_open(&search->joint, config->state)[act->at] = act->state;
        config->state = joint_close(&search->joint);
        absorb(search, act->at, returning, search->child);
    }
    bool seen = place_pure(search, config->state, search->child);
    bool needless = blind || (operation->pending && operation->act_count == 0);
    return !needless || seen || operation->slot == returning ||
           owe(search, operation, before, config);
}

// Tries to place one operation after search->parent, and adds what comes out.
static void try_place(struct linearize_search *search,
                      const struct frontier_config *parent, uint32_t slot,
                      uint32_t returning, uint32_t fresh)
{
    const struct linearize_operation *operation = in_slot(search, slot);
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
    memcpy(search->child, search->parent, words * 2 * sizeof(uint64_t));
    set_bit(search->child, slot);
    clear_bit(search->child + words, slot);
    if (!place(search, operation, returning, &config)) {
        return;
    }
    search->steps +=
        frontier_add(&search->now, &search->slots, &config, search->child, fresh) / 4;
}

// All that can be placed after configuration `index` comes behind it in `now`.
static void expand(struct linearize_search *search, uint32_t index, uint32_t returning)
{
    const struct frontier_config parent = search->now.configs[index];
    uint32_t words = search->slots.words;
    memcpy(search->parent, frontier_bits(&search->now, index),
           words * 2 * sizeof(uint64_t));
    // From here on the returning operation is to be placed itself.
    clear_bit(search->parent + words, returning);
    for (uint32_t w = 0; w < words; w++) {
        uint64_t left = search->near[w] & ~search->slots.pure[w];
        if (parent.owing > 0) {
            left &= search->slots.effect[w];
        }
        left &= ~search->parent[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (parent.owing > 0 && search->key.width > 1 &&
                !touches(search, slot, parent.owing - 1)) {
                continue;
            }
            try_place(search, &parent, slot, returning, index + 1);
        }
    }
}

static void emit(struct linearize_search *search, uint32_t index, uint32_t returning)
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
static void retire_pending(struct linearize_search *search, uint32_t state)
{
    struct frontier_slots *slots = &search->slots;
    for (uint32_t w = 0; w < slots->words; w++) {
        uint64_t left = slots->pending[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            if (in_slot(search, slot)->act.state != state) {
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
static void pass_return(struct linearize_search *search,
                        const struct linearize_operation *returning)
{
    uint32_t slot = returning->slot;
    struct frontier *now = &search->now;
    uint32_t originals = now->count;
    bool wanted = !search->key.plain || returning->class != CLASS_BLIND ||
                  *linearize_key_reads_left(&search->key, returning->act.state) > 0;
    linearize_near_find(search, returning);
    for (uint32_t i = 0; i < now->count && search->steps < search->steps_end; i++) {
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

// Forgets the joint states that nothing stands in any more.
static void forget_states(struct linearize_search *search)
{
    struct frontier *now = &search->now;
    if (search->key.width == 1 ||
        search->joint.count < STATES_KEPT + (uint64_t)now->count * 8) {
        return;
    }
    uint32_t *states = linearize_key_grown(NULL, now->count * sizeof(*states));
    for (uint32_t i = 0; i < now->count; i++) {
        states[i] = now->configs[i].state;
    }
    joint_keep(&search->joint, states, now->count);
    for (uint32_t i = 0; i < now->count; i++) {
        now->configs[i].state = states[i];
    }
    free(states);
    frontier_rehash(now, &search->slots);
}

static void next_layer(struct linearize_search *search,
                       const struct linearize_operation *returned)
{
    free_slot(search, returned->slot);
    frontier_prune(&search->next, &search->slots, search->width);
    frontier_clear(&search->now);
    struct frontier now = search->next;
    search->next = search->now;
    search->now = now;
    if (search->key.plain && returned->act.kind == HISTORY_READ &&
        --*linearize_key_reads_left(&search->key, returned->act.state) == 0) {
        retire_pending(search, returned->act.state);
    }
    forget_states(search);
}

static void start(struct linearize_search *search, uint32_t width)
{
    uint32_t words = search->slots.words;
    frontier_release(&search->now);
    frontier_release(&search->next);
    frontier_init(&search->now, words, width * VISITED_FACTOR);
    frontier_init(&search->next, words, width * VISITED_FACTOR);
    search->width = width;
    struct frontier_config config = {.state = 0, .writer = LINEARIZE_NONE};
    memset(search->child, 0, words * 2 * sizeof(uint64_t));
    frontier_add(&search->now, &search->slots, &config, search->child, 0);
    search->returned = 0;
    search->narrow = false;
    search->starved = false;
}

uint32_t linearize_search_width_max(const struct linearize_search *search)
{
    uint64_t each = sizeof(struct frontier_config) + 2 * sizeof(uint32_t) +
                    search->slots.words * 2 * sizeof(uint64_t) +
                    search->key.width * sizeof(uint32_t);
    uint64_t width = search->memory_bytes_max / (each * VISITED_FACTOR * 4);
    return width > UINT32_MAX / 64 ? UINT32_MAX / 64 : (uint32_t)width;
}

// After a return that was tried: whether it was passed, cannot be, or nobody knows.
static enum linearize_verdict outcome(struct linearize_search *search)
{
    if (search->steps >= search->steps_end) {
        search->starved = true;
        return LINEARIZE_UNKNOWN;
    }
    if (search->next.count > 0) {
        return LINEARIZE_YES;
    }
    search->narrow = search->now.truncated || search->next.truncated;
    return search->narrow ? LINEARIZE_UNKNOWN : LINEARIZE_NO;
}

enum linearize_verdict linearize_search_try(struct linearize_search *search,
                                            uint32_t width, uint64_t steps_max)
{
    struct linearize_key *key = &search->key;
    uint32_t called = 0;
    search->steps_end = search->steps + steps_max;
    joint_init(&search->joint, key->width);
    search->near_keys =
        linearize_key_grown(search->near_keys, key->width * sizeof(bool));
    make_slots(search);
    start(search, width);
    for (uint32_t i = 0; i < key->return_count; i++) {
        const struct linearize_operation *returning = &key->operations[key->returns[i]];
        while (called < key->count &&
               key->operations[called].call_order < returning->return_order) {
            take_slot(search, called++);
        }
        pass_return(search, returning);
        enum linearize_verdict verdict = outcome(search);
        if (verdict != LINEARIZE_YES) {
            return verdict;
        }
        next_layer(search, returning);
        search->returned++;
    }
    return LINEARIZE_YES;
}

const struct linearize_operation *
linearize_search_stuck(const struct linearize_search *search)
{
    return &search->key.operations[search->key.returns[search->returned]];
}

void linearize_search_init(struct linearize_search *search,
                           const struct history *history, uint64_t memory_bytes_max)
{
    *search = (struct linearize_search){.memory_bytes_max = memory_bytes_max};
    linearize_key_init(&search->key, history);
}

void linearize_search_release(struct linearize_search *search)
{
    frontier_release(&search->now);
    frontier_release(&search->next);
    joint_release(&search->joint);
    free(search->slot_words);
    free(search->slot_holders);
    free(search->near_keys);
    linearize_key_release(&search->key);
}
