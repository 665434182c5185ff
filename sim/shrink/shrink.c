#include "sim/shrink/shrink.h"

#include "sim/shrink/simplify.h"

#include <string.h>

enum {
    PAIRS_MAX = 60,   // acts among which pairs are tried
    LONG_ACTS = 1500, // of these, only large pieces are left out at first
    LONG_PIECES = 32,
    WORLD_WORK = 100, // what making a world costs, in acts
};

// ---- rounds ---------------------------------------------------------------------

static void begin_pieces(struct shrink *shrink, uint32_t size_min)
{
    shrink->size_min = size_min;
    shrink->phase = SHRINK_PIECES;
    shrink->size = shrink->best->count / 2;
    shrink->at = 0;
    shrink->any = false;
    if (shrink->size == 0)
        shrink->size = 1;
}

void shrink_begin(struct shrink *shrink, struct tape *best, struct tape *candidate,
                  uint64_t work_max)
{
    *shrink =
        (struct shrink){.best = best, .candidate = candidate, .work_max = work_max};
    if (best->count > LONG_ACTS)
        begin_pieces(shrink, best->count / LONG_PIECES);
}

// A round: pieces, simpler ways, and where neither helped, pairs.
static void end_phase(struct shrink *shrink)
{
    if (shrink->phase == SHRINK_PIECES) {
        shrink->phase = SHRINK_SIMPLIFY;
        shrink->way = shrink->which = 0;
    } else if (shrink->phase == SHRINK_SIMPLIFY &&
               (shrink->size_min != 1 || shrink->any)) {
        begin_pieces(shrink, 1);
    } else if (shrink->phase == SHRINK_SIMPLIFY && shrink->best->count <= PAIRS_MAX) {
        shrink->phase = SHRINK_PAIRS;
        shrink->at = 0;
        shrink->second = 1;
    } else if (shrink->phase == SHRINK_PAIRS && shrink->any) {
        begin_pieces(shrink, 1);
    } else {
        shrink->phase = SHRINK_OVER;
    }
}

// ---- candidates -----------------------------------------------------------------

static void leave_out(struct shrink *shrink, uint32_t from, uint32_t to, uint32_t other)
{
    const struct tape *best = shrink->best;

    for (uint32_t i = 0; i < best->count; i++)
        if ((i < from || i >= to) && i != other)
            tape_add(shrink->candidate, &best->acts[i]);
}

// Each returns false where its phase has no more candidates.

static bool next_piece(struct shrink *shrink)
{
    while (shrink->at >= shrink->best->count) {
        if (shrink->size <= shrink->size_min)
            return false;
        shrink->size /= 2;
        shrink->at = 0;
    }
    leave_out(shrink, shrink->at, shrink->at + shrink->size, UINT32_MAX);
    return true;
}

static bool next_pair(struct shrink *shrink)
{
    if (shrink->second >= shrink->best->count) {
        shrink->at++;
        shrink->second = shrink->at + 1;
    }
    if (shrink->second >= shrink->best->count)
        return false;
    leave_out(shrink, shrink->at, shrink->at + 1, shrink->second);
    return true;
}

static bool next_way(struct shrink *shrink)
{
    for (; shrink->way < simplify_ways(); shrink->way++, shrink->which = 0) {
        tape_begin(shrink->candidate, &shrink->best->config, shrink->best);
        if (simplify_make(shrink->way, shrink->which, shrink->best, shrink->candidate))
            return true;
    }
    return false;
}

bool shrink_next(struct shrink *shrink)
{
    if (shrink->work_max > 0 && shrink->work >= shrink->work_max)
        return false;
    while (shrink->phase != SHRINK_OVER) {
        bool made;

        tape_begin(shrink->candidate, &shrink->best->config, shrink->best);
        if (shrink->phase == SHRINK_PIECES)
            made = next_piece(shrink);
        else if (shrink->phase == SHRINK_PAIRS)
            made = next_pair(shrink);
        else
            made = next_way(shrink);
        if (made)
            return true;
        end_phase(shrink);
    }
    return false;
}

// ---- results --------------------------------------------------------------------

bool shrink_is_better(const struct shrink *shrink, const struct tape *played)
{
    return tape_cost(played) < tape_cost(shrink->best);
}

void shrink_take(struct shrink *shrink, const struct tape *played)
{
    bool better = played != NULL && shrink_is_better(shrink, played);

    shrink->tests++;
    shrink->work += shrink->candidate->count + WORLD_WORK;
    if (better) {
        tape_copy(shrink->best, played);
        shrink->any = true;
    }
    if (shrink->phase == SHRINK_SIMPLIFY)
        shrink->which++;
    else if (!better && shrink->phase == SHRINK_PIECES)
        shrink->at += shrink->size;
    else if (!better)
        shrink->second++;
}
