#include "sim/linearize.h"

#include "sim/history/linearize_search.h"
#include "sim/history/linearize_window.h"

#include <stdlib.h>
#include <string.h>

// Each group of keys gets turns: first a narrow and a short one, then, where that was
// not enough, wider and longer ones. So a group that is hard does not starve the
// others, and what is tried again has cost little before.

enum {
    WIDTH_FIRST = 8,
    WIDTH_FACTOR = 8,
    STEPS_FIRST = 1 << 18,
    STEPS_FACTOR = 4,
    WINDOW_STEPS = 1 << 24
};

struct turn {
    uint32_t group;
    uint32_t width;
    uint64_t steps;
};

// NO leaves the search where it is stuck. Says in `again` whether another turn may
// help.
static enum linearize_verdict take_turn(struct linearize_search *search,
                                        struct turn *turn, uint64_t steps_left,
                                        bool *again)
{
    uint64_t steps = turn->steps < steps_left ? turn->steps : steps_left;
    linearize_key_load(&search->key, turn->group, NULL);
    enum linearize_verdict verdict = linearize_search_try(search, turn->width, steps);
    if (verdict == LINEARIZE_UNKNOWN && search->narrow) {
        turn->width *= WIDTH_FACTOR;
    }
    turn->steps *= STEPS_FACTOR;
    *again = turn->width <= linearize_search_width_max(search);
    return verdict;
}

static uint32_t key_of(const struct history_operation *operation,
                       const struct history *history)
{
    return operation->kind == HISTORY_TXN ? history->parts[operation->first_part].key
                                          : operation->key;
}

// Judges all undecided groups in turns.
static void judge_all(struct linearize_search *search, struct turn *turns,
                      uint64_t steps_max, struct linearize_result *result)
{
    uint32_t count = result->groups;
    while (count > 0 && search->steps < steps_max) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++) {
            bool again = false;
            uint64_t steps_left =
                search->steps < steps_max ? steps_max - search->steps : 0;
            enum linearize_verdict verdict =
                take_turn(search, &turns[i], steps_left, &again);
            if (verdict == LINEARIZE_YES) {
                continue;
            }
            result->key = turns[i].group;
            result->ordered = search->returned;
            if (verdict == LINEARIZE_NO) {
                result->verdict = LINEARIZE_NO;
                linearize_window_find(search, turns[i].group, WINDOW_STEPS, result);
                result->key = key_of(&search->key.history->operations[result->stuck],
                                     search->key.history);
                return;
            }
            if (again) {
                turns[left++] = turns[i];
            } else {
                result->unknown++;
            }
        }
        count = left;
    }
    result->unknown += count;
    result->verdict = result->unknown == 0 ? LINEARIZE_YES : LINEARIZE_UNKNOWN;
}

static struct turn *first_turns(const struct linearize_key *key, uint32_t *count)
{
    size_t most = (size_t)key->history->text_count + 1;
    uint32_t *groups = linearize_key_grown(NULL, most * sizeof(*groups));
    *count = linearize_key_list(key, groups);
    struct turn *turns = linearize_key_grown(NULL, *count * sizeof(*turns));
    for (uint32_t i = 0; i < *count; i++) {
        turns[i].group = groups[i];
        turns[i].width = WIDTH_FIRST;
        turns[i].steps =
            STEPS_FIRST + STEPS_FACTOR * (uint64_t)linearize_key_size(key, groups[i]);
    }
    free(groups);
    return turns;
}

void linearize_history(const struct history *history,
                       const struct linearize_limits *limits,
                       struct linearize_result *result)
{
    struct linearize_search search;
    linearize_search_init(&search, history, limits->memory_bytes_max);
    *result = (struct linearize_result){.verdict = LINEARIZE_YES};
    struct turn *turns = first_turns(&search.key, &result->groups);
    result->keys = linearize_key_count(&search.key);
    judge_all(&search, turns, limits->steps_max, result);
    result->steps = search.steps;
    if (result->verdict == LINEARIZE_YES) {
        result->key = 0;
        result->ordered = 0;
    }
    free(turns);
    linearize_search_release(&search);
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
