#include "sim/history/linearize_key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *linearize_key_grown(void *memory, size_t size)
{
    void *result = realloc(memory, size > 0 ? size : 1);
    if (result == NULL) {
        fprintf(stderr, "linearize: out of memory\n");
        abort();
    }
    return result;
}

static enum linearize_class class_of(const struct linearize_operation *operation)
{
    switch ((enum history_kind)operation->kind) {
    case HISTORY_READ:
        return CLASS_PURE;
    case HISTORY_WRITE:
        return CLASS_BLIND;
    case HISTORY_CAS:
        return operation->result == 0 ? CLASS_PURE : CLASS_EFFECT;
    case HISTORY_DELETE:
        if (operation->result == HISTORY_UNTOLD) {
            return CLASS_BLIND;
        }
        return operation->result == 0 ? CLASS_PURE : CLASS_EFFECT;
    default:
        return CLASS_EFFECT;
    }
}

// False where the operation says nothing: it had no effect, and nothing was seen.
static bool prepare(struct linearize_key *part, uint32_t number,
                    struct linearize_operation *operation)
{
    const struct history_operation *from = &part->history->operations[number];
    bool told = from->outcome == HISTORY_OK && from->result != HISTORY_UNTOLD;
    if (from->outcome == HISTORY_FAILED || (from->kind == HISTORY_READ && !told)) {
        return false;
    }
    *operation =
        (struct linearize_operation){.number = number,
                                     .call_order = from->call_order,
                                     .return_order = from->return_order,
                                     .state = CELL_ABSENT,
                                     .by = from->argument,
                                     .result = told ? from->result : HISTORY_UNTOLD,
                                     .slot = LINEARIZE_NONE,
                                     .twin = LINEARIZE_NONE,
                                     .kind = from->kind,
                                     .pending = from->outcome == HISTORY_PENDING};
    switch ((enum history_kind)from->kind) {
    case HISTORY_READ:
        operation->state = cell_of_text(&part->cells, (uint32_t)from->result);
        break;
    case HISTORY_CAS:
        operation->expected = cell_of_text(&part->cells, from->expected);
        operation->state = cell_of_text(&part->cells, (uint32_t)from->argument);
        break;
    case HISTORY_WRITE:
        operation->state = cell_of_text(&part->cells, (uint32_t)from->argument);
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

uint32_t *linearize_key_reads_left(struct linearize_key *part, uint32_t state)
{
    if (state >= part->state_count) {
        uint32_t count = (state + 1) * 2;
        part->reads_left =
            linearize_key_grown(part->reads_left, count * sizeof(*part->reads_left));
        memset(part->reads_left + part->state_count, 0,
               (count - part->state_count) * sizeof(*part->reads_left));
        part->state_count = count;
    }
    return &part->reads_left[state];
}

static bool equal_pending(const struct linearize_operation *left,
                          const struct linearize_operation *right)
{
    return left->kind == right->kind && left->state == right->state &&
           left->expected == right->expected && left->text == right->text &&
           left->by == right->by;
}

static int compare_pending(const void *left_pointer, const void *right_pointer)
{
    const struct linearize_operation *left =
        *(struct linearize_operation *const *)left_pointer;
    const struct linearize_operation *right =
        *(struct linearize_operation *const *)right_pointer;
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
static void find_twins(struct linearize_key *part)
{
    struct linearize_operation **pending =
        linearize_key_grown(NULL, part->count * sizeof(*pending));
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->operations[i].pending) {
            pending[count++] = &part->operations[i];
        }
    }
    if (count > 0) {
        qsort(pending, count, sizeof(*pending), compare_pending);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (equal_pending(pending[i - 1], pending[i])) {
            pending[i]->twin = (uint32_t)(pending[i - 1] - part->operations);
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

static void order_returns(struct linearize_key *part)
{
    uint64_t *keys = linearize_key_grown(NULL, part->count * sizeof(*keys));
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        if (!part->operations[i].pending) {
            keys[count++] = (uint64_t)part->operations[i].return_order << 32 | i;
        }
    }
    if (count > 0) {
        qsort(keys, count, sizeof(*keys), compare_u64);
    }
    part->returns = linearize_key_grown(part->returns, count * sizeof(*part->returns));
    for (uint32_t i = 0; i < count; i++) {
        part->returns[i] = (uint32_t)keys[i];
    }
    part->return_count = count;
    free(keys);
}

// A pending blind write of what nobody ever reads changes nothing, in a plain key.
static void drop_unread(struct linearize_key *part)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        const struct linearize_operation *operation = &part->operations[i];
        if (!part->plain || !operation->pending ||
            *linearize_key_reads_left(part, operation->state) > 0) {
            part->operations[kept++] = *operation;
        }
    }
    part->count = kept;
}

// Leaves no count behind from the key before.
static void forget_reads(struct linearize_key *part)
{
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->operations[i].kind == HISTORY_READ) {
            *linearize_key_reads_left(part, part->operations[i].state) = 0;
        }
    }
}

void linearize_key_load(struct linearize_key *part, uint32_t key)
{
    uint32_t first = part->first_of_key[key];
    uint32_t end = part->first_of_key[key + 1];
    forget_reads(part);
    part->operations = linearize_key_grown(part->operations,
                                           (end - first) * sizeof(*part->operations));
    part->count = 0;
    part->plain = true;
    for (uint32_t i = first; i < end; i++) {
        struct linearize_operation *operation = &part->operations[part->count];
        if (!prepare(part, part->numbers[i], operation)) {
            continue;
        }
        part->count++;
        if (operation->kind == HISTORY_READ) {
            ++*linearize_key_reads_left(part, operation->state);
        } else if (operation->class != CLASS_BLIND) {
            part->plain = false;
        }
    }
    drop_unread(part);
    find_twins(part);
    order_returns(part);
}

uint32_t linearize_key_most_open(const struct linearize_key *part)
{
    uint32_t called = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < part->return_count; i++) {
        const struct linearize_operation *next = &part->operations[part->returns[i]];
        while (called < part->count &&
               part->operations[called].call_order < next->return_order) {
            called++;
        }
        most = called - i > most ? called - i : most;
    }
    return most;
}

// ---- all keys -------------------------------------------------------------------

// Groups the operations by key, each group in order of the calls.
static void group_by_key(struct linearize_key *part)
{
    const struct history *history = part->history;
    uint32_t *first = part->first_of_key;
    for (uint32_t i = 0; i < history->count; i++) {
        assert(i == 0 || history->operations[i - 1].call_order <
                             history->operations[i].call_order);
        first[history->operations[i].key + 1]++;
    }
    for (uint32_t key = 0; key <= history->text_count; key++) {
        first[key + 1] += first[key];
    }
    for (uint32_t i = 0; i < history->count; i++) {
        part->numbers[first[history->operations[i].key]++] = i;
    }
    // Each has moved to where the next begins.
    memmove(first + 1, first, ((size_t)history->text_count + 1) * sizeof(*first));
    first[0] = 0;
}

uint32_t linearize_key_list(const struct linearize_key *part, uint32_t *keys)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key <= part->history->text_count; key++) {
        if (part->first_of_key[key] < part->first_of_key[key + 1]) {
            keys[count++] = key;
        }
    }
    return count;
}

void linearize_key_init(struct linearize_key *part, const struct history *history)
{
    *part = (struct linearize_key){.history = history};
    size_t size = ((size_t)history->text_count + 2) * sizeof(uint32_t);
    part->numbers = linearize_key_grown(NULL, history->count * sizeof(uint32_t));
    part->first_of_key = linearize_key_grown(NULL, size);
    memset(part->first_of_key, 0, size);
    cell_init(&part->cells, history);
    group_by_key(part);
}

void linearize_key_release(struct linearize_key *part)
{
    cell_release(&part->cells);
    free(part->numbers);
    free(part->first_of_key);
    free(part->operations);
    free(part->returns);
    free(part->reads_left);
}
