#include "sim/history/linearize_sight.h"

enum {
    SUMS = 64,        // of so small lengths all sums are known
    PENDING_MAX = 64, // more are not looked at one by one
};

// What the value may yet become by pending operations that build on it. One that
// replaces it would make the operation in question useless.
struct sight {
    const struct cells *cells;
    uint32_t at; // the key's place in its group
    uint32_t before;
    uint32_t after;
    bool pending;   // the operation in question
    bool anything;  // nobody knows
    uint64_t sums;  // bit n: appends may add n bytes
    uint64_t bytes; // that all appends together may add
    int64_t least;  // that increments may add
    int64_t most;
};

// ---- what pending operations can still make of it ---------------------------------

static uint64_t text_length(const struct cells *cells, uint32_t text)
{
    size_t size;
    history_text(cells->history, text, &size);
    return size;
}

static void add_append(struct sight *sight, uint64_t length)
{
    sight->sums |= length < SUMS ? sight->sums << length : 0;
    sight->bytes += length;
}

static void add_incr(struct sight *sight, int64_t by)
{
    int64_t *bound = by < 0 ? &sight->least : &sight->most;
    sight->anything |= __builtin_add_overflow(*bound, by, bound);
}

static void add_pending(struct sight *sight, const struct linearize_act *act)
{
    switch ((enum history_kind)act->kind) {
    case HISTORY_APPEND:
        add_append(sight, text_length(sight->cells, act->text));
        break;
    case HISTORY_INCR:
        add_incr(sight, act->by);
        break;
    case HISTORY_CAS:
        // What is present stays so, unless it is replaced.
        sight->anything |= act->expected != CELL_ABSENT || sight->after == CELL_ABSENT;
        break;
    case HISTORY_DELETE:
        // Something has to be there for it; that needs nothing pending, since with none
        // of them it comes to the same. A write that has to return may serve, though.
        sight->anything |= !sight->pending;
        break;
    default:
        break;
    }
}

// Whether what a transaction does depends on what it finds at the key.
static bool builds_on(const struct linearize_operation *operation,
                      const struct linearize_act *act, uint32_t count, uint32_t at)
{
    for (; count > 0; count--, act++) {
        bool told = act->result != HISTORY_UNTOLD;
        if (act->at != at || (act->kind == HISTORY_READ && !told)) {
            continue;
        }
        if (act->kind == HISTORY_DELETE) {
            return told || operation->found != HISTORY_UNTOLD;
        }
        return act->kind != HISTORY_WRITE;
    }
    return false;
}

// ---- who may see it ---------------------------------------------------------------

static bool may_have_length(const struct sight *sight, uint64_t length)
{
    uint64_t present = cell_length(sight->cells, sight->after);
    if (length < present) {
        return sight->anything;
    }
    uint64_t more = length - present;
    return sight->anything ||
           (more < SUMS ? sight->sums >> more & 1 : more <= sight->bytes);
}

static bool may_be_number(const struct sight *sight, int64_t number)
{
    int64_t present, more;
    if (sight->anything) {
        return true;
    }
    if (!cell_number(sight->cells, sight->after, &present)) {
        return false;
    }
    return __builtin_sub_overflow(number, present, &more) ||
           (more >= sight->least && more <= sight->most);
}

static bool may_become(const struct sight *sight, uint32_t wanted)
{
    int64_t number;
    if (sight->anything || sight->after == wanted) {
        return true;
    }
    if (wanted == CELL_ABSENT) {
        return false;
    }
    if (sight->least < 0 || sight->most > 0) {
        // Appends may follow: digits, too.
        return sight->bytes > 0 || (cell_number(sight->cells, wanted, &number) &&
                                    may_be_number(sight, number));
    }
    return may_have_length(sight, cell_length(sight->cells, wanted)) &&
           (sight->after == CELL_ABSENT ||
            cell_begins(sight->cells, wanted, sight->after));
}

static bool sees_append(const struct sight *sight, const struct linearize_act *act)
{
    uint64_t added = text_length(sight->cells, act->text);
    return act->result == HISTORY_UNTOLD ||
           ((uint64_t)act->result >= added &&
            (sight->most > 0 || sight->least < 0 ||
             may_have_length(sight, (uint64_t)act->result - added)));
}

static bool sees_incr(const struct sight *sight, const struct linearize_act *act)
{
    int64_t wanted;
    return act->result == HISTORY_UNTOLD || sight->bytes > 0 ||
           __builtin_sub_overflow(act->result, act->by, &wanted) ||
           may_be_number(sight, wanted);
}

// A delete that found something needs nothing pending where something was there before.
// (A write that has to return needs to stand before it, though, to be unseen.)
static bool sees_delete(const struct sight *sight, const struct linearize_act *act)
{
    return act->result == 0 || !sight->pending || sight->before == CELL_ABSENT;
}

// Whether an operation that is open sees it: what it does first to the key that depends
// on what is there.
static bool sees(const struct sight *sight, const struct linearize_operation *operation,
                 const struct linearize_act *act, uint32_t count)
{
    bool wide = operation->act_count > 0;
    for (; count > 0; count--, act++) {
        bool told = act->result != HISTORY_UNTOLD;
        if (act->at != sight->at || (act->kind == HISTORY_READ && !told)) {
            continue;
        }
        switch ((enum history_kind)act->kind) {
        case HISTORY_READ:
            return may_become(sight, act->state);
        case HISTORY_WRITE:
            return false;
        case HISTORY_CAS:
            return !told || act->result == 0 || may_become(sight, act->expected);
        case HISTORY_APPEND:
            return sees_append(sight, act);
        case HISTORY_INCR:
            return sees_incr(sight, act);
        default:
            if (wide) {
                return told || operation->found != HISTORY_UNTOLD;
            }
            return told && sees_delete(sight, act);
        }
    }
    return false;
}

// ---- looking around ---------------------------------------------------------------

// So many hide a value nearly always, and looking at each of them costs more than it
// gains: where all but a window of a history is left free, there are thousands.
static bool are_many(const struct linearize_search *search, const uint64_t *placed)
{
    const struct frontier_slots *slots = &search->slots;
    uint32_t count = 0;
    for (uint32_t w = 0; w < slots->words && count <= PENDING_MAX; w++)
        count += (uint32_t)__builtin_popcountll(slots->pending[w] & slots->effect[w] &
                                                ~placed[w]);
    return count > PENDING_MAX;
}

// True where a transaction may see it, and show it by what it does to other keys.
static bool look_at_pending(struct sight *sight, const struct linearize_search *search,
                            const uint64_t *placed)
{
    const struct frontier_slots *slots = &search->slots;
    for (uint32_t w = 0; w < slots->words; w++) {
        uint64_t left = slots->pending[w] & slots->effect[w] & ~placed[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            const struct linearize_operation *operation =
                &search->key.operations[search->slot_holders[slot]];
            uint32_t count;
            const struct linearize_act *act =
                linearize_key_acts(&search->key, operation, &count);
            if (operation->act_count > 0) {
                if (builds_on(operation, act, count, sight->at)) {
                    return true;
                }
            } else if (act->at == sight->at) {
                add_pending(sight, act);
            }
        }
    }
    return false;
}

static bool look_at_answered(const struct sight *sight,
                             const struct linearize_search *search,
                             const uint64_t *placed)
{
    const struct frontier_slots *slots = &search->slots;
    for (uint32_t w = 0; w < slots->words; w++) {
        uint64_t left = slots->open[w] & ~slots->pending[w] & ~placed[w];
        for (; left != 0; left &= left - 1) {
            uint32_t slot = w * 64 + (uint32_t)__builtin_ctzll(left);
            const struct linearize_operation *operation =
                &search->key.operations[search->slot_holders[slot]];
            uint32_t count;
            const struct linearize_act *act =
                linearize_key_acts(&search->key, operation, &count);
            if (sees(sight, operation, act, count)) {
                return true;
            }
        }
    }
    return false;
}

bool linearize_sight_may(const struct linearize_search *search,
                         const struct linearize_act *act, bool pending,
                         const uint32_t cells[2], const uint64_t *placed)
{
    struct sight sight = {.cells = &search->key.cells,
                          .at = act->at,
                          .before = cells[0],
                          .after = cells[1],
                          .pending = pending,
                          .sums = 1};
    return are_many(search, placed) || look_at_pending(&sight, search, placed) ||
           look_at_answered(&sight, search, placed);
}
