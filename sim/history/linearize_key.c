#include "sim/history/linearize_key.h"

#include "sim/history/linearize_blur.h"

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

// ---- one operation -------------------------------------------------------------

static enum linearize_class class_of_act(const struct linearize_act *act)
{
    switch ((enum history_kind)act->kind) {
    case HISTORY_READ:
        return CLASS_PURE;
    case HISTORY_WRITE:
        return CLASS_BLIND;
    case HISTORY_CAS:
        return act->result == 0 ? CLASS_PURE : CLASS_EFFECT;
    case HISTORY_DELETE:
        if (act->result == HISTORY_UNTOLD) {
            return CLASS_BLIND;
        }
        return act->result == 0 ? CLASS_PURE : CLASS_EFFECT;
    default:
        return CLASS_EFFECT;
    }
}

// Which answers of an operation count.
enum telling {
    TELLS_NOTHING,
    TELLS_READS, // only values that were read
    TELLS_ALL,
};

static struct linearize_act prepare_act(struct linearize_key *part,
                                        const struct history_part *from,
                                        enum telling telling)
{
    bool told =
        telling == TELLS_ALL || (telling == TELLS_READS && from->kind == HISTORY_READ);
    struct linearize_act act = {.at = part->place_of_key[from->key],
                                .state = CELL_ABSENT,
                                .by = from->argument,
                                .result = told ? from->result : HISTORY_UNTOLD,
                                .kind = from->kind};
    switch ((enum history_kind)from->kind) {
    case HISTORY_READ:
        if (act.result != HISTORY_UNTOLD) {
            act.state = cell_of_text(&part->cells, (uint32_t)from->result);
        }
        break;
    case HISTORY_CAS:
        act.expected = cell_of_text(&part->cells, from->expected);
        act.state = cell_of_text(&part->cells, (uint32_t)from->argument);
        break;
    case HISTORY_WRITE:
        act.state = cell_of_text(&part->cells, (uint32_t)from->argument);
        break;
    case HISTORY_APPEND:
        act.text = (uint32_t)from->argument;
        break;
    default:
        break;
    }
    return act;
}

static void add_act(struct linearize_key *part, const struct linearize_act *act)
{
    if (part->act_count == part->act_capacity) {
        part->act_capacity = part->act_capacity * 2 + 64;
        part->acts =
            linearize_key_grown(part->acts, part->act_capacity * sizeof(*part->acts));
    }
    part->acts[part->act_count++] = *act;
}

// Where its deletes found all or nothing, each of them did.
static int64_t found_by_each(const struct history_part *parts, uint32_t count,
                             int64_t found)
{
    int64_t deletes = 0;
    for (uint32_t i = 0; i < count; i++) {
        deletes += parts[i].kind == HISTORY_DELETE;
    }
    return found == 0 ? 0 : found == deletes ? 1 : HISTORY_UNTOLD;
}

// False where the transaction says nothing.
static bool prepare_txn(struct linearize_key *part,
                        const struct history_operation *from, enum telling telling,
                        struct linearize_operation *operation)
{
    const struct history_part *parts = &part->history->parts[from->first_part];
    bool counted = telling == TELLS_ALL && from->result != HISTORY_UNTOLD;
    int64_t each = HISTORY_UNTOLD;
    bool says = false;
    if (counted) {
        each = found_by_each(parts, from->part_count, from->result);
    }
    operation->found = counted ? from->result : HISTORY_UNTOLD;
    operation->first_act = part->act_count;
    operation->act_count = from->part_count;
    operation->class = CLASS_PURE;
    for (uint32_t i = 0; i < from->part_count; i++) {
        struct linearize_act act = prepare_act(part, &parts[i], telling);
        if (act.kind == HISTORY_DELETE && act.result == HISTORY_UNTOLD) {
            act.result = each;
        }
        if (class_of_act(&act) != CLASS_PURE) {
            operation->class = CLASS_EFFECT;
        }
        says |= act.kind != HISTORY_READ || act.result != HISTORY_UNTOLD;
        add_act(part, &act);
    }
    if (counted && from->result != 0) {
        operation->class = CLASS_EFFECT; // where the count is looked at
    }
    return says || counted;
}

// False where the operation says nothing: it had no effect, and nothing was seen. What
// is told holds where it happened, even if it did not return in time.
static bool prepare(struct linearize_key *part, uint32_t number, enum telling telling,
                    bool returned, struct linearize_operation *operation)
{
    const struct history_operation *from = &part->history->operations[number];
    bool says;
    if (from->outcome == HISTORY_FAILED) {
        return false;
    }
    *operation = (struct linearize_operation){.number = number,
                                              .call_order = from->call_order,
                                              .return_order = from->return_order,
                                              .found = HISTORY_UNTOLD,
                                              .slot = LINEARIZE_NONE,
                                              .twin = LINEARIZE_NONE,
                                              .pending = !returned};
    if (!returned) {
        operation->return_order = HISTORY_NEVER;
    }
    if (from->kind == HISTORY_TXN) {
        says = prepare_txn(part, from, telling, operation);
    } else {
        struct history_part whole = history_whole(from);
        operation->act = prepare_act(part, &whole, telling);
        operation->class = (uint8_t)class_of_act(&operation->act);
        says = from->kind != HISTORY_READ || operation->act.result != HISTORY_UNTOLD;
    }
    // What changes nothing and need not have happened says nothing.
    return says && (returned || operation->class != CLASS_PURE);
}

const struct linearize_act *
linearize_key_acts(const struct linearize_key *part,
                   const struct linearize_operation *operation, uint32_t *count)
{
    *count = operation->act_count == 0 ? 1 : operation->act_count;
    return operation->act_count == 0 ? &operation->act
                                     : &part->acts[operation->first_act];
}

// ---- what need not be tried ----------------------------------------------------

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

// Compares what two operations that are no transactions would do.
static int compare_acts(const struct linearize_act *left,
                        const struct linearize_act *right)
{
    const int64_t keys[][2] = {
        {left->kind, right->kind},    {left->at, right->at},
        {left->state, right->state},  {left->expected, right->expected},
        {left->text, right->text},    {left->by, right->by},
        {left->result, right->result}};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

static int compare_pending(const void *left_pointer, const void *right_pointer)
{
    const struct linearize_operation *left =
        *(struct linearize_operation *const *)left_pointer;
    const struct linearize_operation *right =
        *(struct linearize_operation *const *)right_pointer;
    int order = compare_acts(&left->act, &right->act);
    if (order == 0) {
        // In order of their calls.
        order = left < right ? -1 : left > right;
    }
    return order;
}

// Equal pending operations may be placed in order of their calls: no other order of
// them reaches more.
static void find_twins(struct linearize_key *part)
{
    struct linearize_operation **pending =
        linearize_key_grown(NULL, part->count * sizeof(*pending));
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        if (part->operations[i].pending && part->operations[i].act_count == 0) {
            pending[count++] = &part->operations[i];
        }
    }
    if (count > 0) {
        qsort(pending, count, sizeof(*pending), compare_pending);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (compare_acts(&pending[i - 1]->act, &pending[i]->act) == 0) {
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

// What is read, and which keys of a group are plain: only read and blindly written.
struct readings {
    uint64_t *seen; // place << 32 | cell, sorted
    uint32_t count;
    bool *plain; // by place
};

static void collect_readings(const struct linearize_key *part,
                             struct readings *readings)
{
    uint32_t count = 0;
    size_t most = part->count + (size_t)part->act_count;
    readings->seen = linearize_key_grown(NULL, most * sizeof(*readings->seen));
    readings->plain = linearize_key_grown(NULL, part->width * sizeof(bool));
    memset(readings->plain, true, part->width * sizeof(bool));
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t acts;
        int64_t found = part->operations[i].found;
        const struct linearize_act *act =
            linearize_key_acts(part, &part->operations[i], &acts);
        for (; acts > 0; acts--, act++) {
            if (act->kind == HISTORY_READ) {
                readings->seen[count++] = (uint64_t)act->at << 32 | act->state;
            } else if (class_of_act(act) != CLASS_BLIND ||
                       (act->kind == HISTORY_DELETE && found != HISTORY_UNTOLD)) {
                readings->plain[act->at] = false;
            }
        }
    }
    if (count > 0) {
        qsort(readings->seen, count, sizeof(*readings->seen), compare_u64);
    }
    readings->count = count;
}

// A pending blind write of what nobody ever reads changes nothing, on a plain key.
static bool is_read(const struct readings *readings, const struct linearize_act *act)
{
    uint64_t wanted = (uint64_t)act->at << 32 | act->state;
    return !readings->plain[act->at] ||
           (readings->count > 0 && bsearch(&wanted, readings->seen, readings->count,
                                           sizeof(wanted), compare_u64) != NULL);
}

static void drop_unread(struct linearize_key *part)
{
    struct readings readings;
    uint32_t kept = 0;
    bool any = false;
    for (uint32_t i = 0; i < part->count && !any; i++) {
        any = part->operations[i].pending;
    }
    if (!any) {
        return;
    }
    collect_readings(part, &readings);
    for (uint32_t i = 0; i < part->count; i++) {
        const struct linearize_operation *operation = &part->operations[i];
        if (!operation->pending || operation->act_count > 0 ||
            is_read(&readings, &operation->act)) {
            part->operations[kept++] = *operation;
        }
    }
    part->count = kept;
    free(readings.seen);
    free(readings.plain);
}

// ---- a group -------------------------------------------------------------------

// Leaves no count behind from the group before.
static void forget_reads(struct linearize_key *part)
{
    for (uint32_t i = 0; i < part->count; i++) {
        const struct linearize_operation *operation = &part->operations[i];
        if (operation->act_count == 0 && operation->act.kind == HISTORY_READ) {
            *linearize_key_reads_left(part, operation->act.state) = 0;
        }
    }
}

// Takes the operations that are freed, or those that are not.
static void take_operations(struct linearize_key *part,
                            const struct linearize_part *what, bool freed)
{
    for (uint32_t i = 0; i < what->count; i++) {
        const struct history_operation *from =
            &part->history->operations[what->numbers[i]];
        struct linearize_operation *operation = &part->operations[part->count];
        bool told = from->outcome == HISTORY_OK && !freed;
        bool returned = told && from->return_order <= what->end_order;
        if ((what->freed != NULL && what->freed[i]) != freed ||
            from->call_order > what->end_order ||
            !prepare(part, what->numbers[i],
                     !told          ? TELLS_NOTHING
                     : what->hushed ? TELLS_READS
                                    : TELLS_ALL,
                     returned, operation)) {
            continue;
        }
        if (freed) {
            operation->call_order = 0;
        }
        part->count++;
    }
}

void linearize_key_load(struct linearize_key *part, uint32_t group,
                        const struct linearize_part *what)
{
    struct linearize_part all = {.end_order = HISTORY_NEVER,
                                 .numbers = linearize_key_numbers(part, group),
                                 .count = linearize_key_size(part, group)};
    what = what == NULL ? &all : what;
    forget_reads(part);
    part->operations =
        linearize_key_grown(part->operations, all.count * sizeof(*part->operations));
    part->count = 0;
    part->act_count = 0;
    part->width = part->width_of_group[group];
    if (what->freed != NULL) {
        take_operations(part, what, true);
    }
    take_operations(part, what, false);
    drop_unread(part);
    part->plain = part->width == 1;
    for (uint32_t i = 0; i < part->count; i++) {
        const struct linearize_operation *operation = &part->operations[i];
        if (operation->act_count == 0 && operation->act.kind == HISTORY_READ) {
            ++*linearize_key_reads_left(part, operation->act.state);
        } else if (operation->class != CLASS_BLIND) {
            part->plain = false;
        }
    }
    if (!part->plain) {
        linearize_blur(part);
    }
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

// ---- all groups ----------------------------------------------------------------

static uint32_t root_of(uint32_t *parents, uint32_t key)
{
    while (parents[key] != key) {
        parents[key] = parents[parents[key]];
        key = parents[key];
    }
    return key;
}

// Keys that a transaction touches, in that order or another, are of one group.
static void join_keys(struct linearize_key *part)
{
    const struct history *history = part->history;
    uint32_t *parents = part->group_of_key;
    for (uint32_t key = 0; key <= history->text_count; key++) {
        parents[key] = key;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *operation = &history->operations[i];
        for (uint32_t j = 1; j < operation->part_count; j++) {
            const struct history_part *parts = &history->parts[operation->first_part];
            uint32_t left = root_of(parents, parts[0].key);
            uint32_t right = root_of(parents, parts[j].key);
            parents[left < right ? right : left] = left < right ? left : right;
        }
    }
    for (uint32_t key = 0; key <= history->text_count; key++) {
        uint32_t group = root_of(parents, key);
        parents[key] = group;
        part->place_of_key[key] = part->width_of_group[group]++;
    }
}

static uint32_t group_of(const struct linearize_key *part, uint32_t number)
{
    const struct history_operation *operation = &part->history->operations[number];
    uint32_t key = operation->kind == HISTORY_TXN
                       ? part->history->parts[operation->first_part].key
                       : operation->key;
    return part->group_of_key[key];
}

// Sorts the operations by group, each group in order of the calls.
static void sort_by_group(struct linearize_key *part)
{
    const struct history *history = part->history;
    uint32_t *first = part->first_of_group;
    for (uint32_t i = 0; i < history->count; i++) {
        assert(i == 0 || history->operations[i - 1].call_order <
                             history->operations[i].call_order);
        first[group_of(part, i) + 1]++;
    }
    for (uint32_t key = 0; key <= history->text_count; key++) {
        first[key + 1] += first[key];
    }
    for (uint32_t i = 0; i < history->count; i++) {
        part->numbers[first[group_of(part, i)]++] = i;
    }
    // Each has moved to where the next begins.
    memmove(first + 1, first, ((size_t)history->text_count + 1) * sizeof(*first));
    first[0] = 0;
}

uint32_t linearize_key_size(const struct linearize_key *part, uint32_t group)
{
    return part->first_of_group[group + 1] - part->first_of_group[group];
}

const uint32_t *linearize_key_numbers(const struct linearize_key *part, uint32_t group)
{
    return part->numbers + part->first_of_group[group];
}

uint32_t linearize_key_list(const struct linearize_key *part, uint32_t *groups)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key <= part->history->text_count; key++) {
        if (linearize_key_size(part, key) > 0) {
            groups[count++] = key;
        }
    }
    return count;
}

uint32_t linearize_key_count(const struct linearize_key *part)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key <= part->history->text_count; key++) {
        count += linearize_key_size(part, key) > 0 ? part->width_of_group[key] : 0;
    }
    return count;
}

static uint32_t *zeroes(size_t count)
{
    uint32_t *memory = linearize_key_grown(NULL, count * sizeof(*memory));
    memset(memory, 0, count * sizeof(*memory));
    return memory;
}

void linearize_key_init(struct linearize_key *part, const struct history *history)
{
    size_t keys = (size_t)history->text_count + 2;
    *part = (struct linearize_key){.history = history};
    part->numbers = linearize_key_grown(NULL, history->count * sizeof(uint32_t));
    part->first_of_group = zeroes(keys);
    part->group_of_key = zeroes(keys);
    part->place_of_key = zeroes(keys);
    part->width_of_group = zeroes(keys);
    cell_init(&part->cells, history);
    join_keys(part);
    sort_by_group(part);
}

void linearize_key_release(struct linearize_key *part)
{
    cell_release(&part->cells);
    free(part->numbers);
    free(part->first_of_group);
    free(part->group_of_key);
    free(part->place_of_key);
    free(part->width_of_group);
    free(part->operations);
    free(part->acts);
    free(part->returns);
    free(part->reads_left);
}
