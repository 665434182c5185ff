#include "sim/history/linearize_blur.h"

#include <stdlib.h>
#include <string.h>

enum { WORK_MAX = 1 << 22 }; // bytes looked through

// What was read, or compared with: place << 32 | cell, sorted, each once.
struct blur {
    uint64_t *seen;
    uint32_t count;
    uint64_t bytes;
    bool *counts; // by place: numbers are made of its value
};

static int compare_seen(const void *left_pointer, const void *right_pointer)
{
    uint64_t left = *(const uint64_t *)left_pointer;
    uint64_t right = *(const uint64_t *)right_pointer;
    return left < right ? -1 : left > right;
}

static void see(struct blur *blur, const struct linearize_act *act)
{
    uint32_t cell = CELL_ABSENT;
    if (act->kind == HISTORY_INCR) {
        blur->counts[act->at] = true;
    } else if (act->kind == HISTORY_READ) {
        cell = act->state;
    } else if (act->kind == HISTORY_CAS) {
        cell = act->expected;
    }
    if (cell != CELL_ABSENT) {
        blur->seen[blur->count++] = (uint64_t)act->at << 32 | cell;
    }
}

// Returns how many operations are pending.
static uint32_t look(struct blur *blur, const struct linearize_key *part)
{
    uint32_t pending = 0, kept = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        uint32_t count;
        const struct linearize_act *act =
            linearize_key_acts(part, &part->operations[i], &count);
        for (; count > 0; count--, act++) {
            see(blur, act);
        }
        pending += part->operations[i].pending;
    }
    if (blur->count > 0) {
        qsort(blur->seen, blur->count, sizeof(*blur->seen), compare_seen);
    }
    for (uint32_t i = 0; i < blur->count; i++) {
        if (kept == 0 || blur->seen[kept - 1] != blur->seen[i]) {
            blur->seen[kept++] = blur->seen[i];
            blur->bytes += cell_length(&part->cells, (uint32_t)blur->seen[i]);
        }
    }
    blur->count = kept;
    return pending;
}

// The text that an operation puts into its key; HISTORY_ABSENT: none.
static uint32_t text_of(const struct linearize_key *part,
                        const struct linearize_operation *operation)
{
    const struct history_operation *from =
        &part->history->operations[operation->number];
    bool puts = from->kind == HISTORY_WRITE || from->kind == HISTORY_CAS ||
                from->kind == HISTORY_APPEND;
    return puts ? (uint32_t)from->argument : HISTORY_ABSENT;
}

static bool is_recognised(const struct blur *blur, const struct linearize_key *part,
                          uint32_t at, uint32_t text)
{
    size_t size;
    const char *bytes = history_text(part->history, text, &size);
    for (uint32_t i = 0; i < blur->count; i++) {
        size_t whole;
        const char *seen = cell_text(&part->cells, (uint32_t)blur->seen[i], &whole);
        if (blur->seen[i] >> 32 == at && memmem(seen, whole, bytes, size) != NULL) {
            return true;
        }
    }
    return false;
}

// Takes the text of an earlier one of that kind and length.
static void make_alike(struct linearize_key *part,
                       struct linearize_operation *const *blurred, uint32_t count,
                       struct linearize_operation *operation)
{
    struct linearize_act *act = &operation->act;
    uint64_t length =
        cell_length(&part->cells, cell_of_text(&part->cells, text_of(part, operation)));
    for (uint32_t i = 0; i < count; i++) {
        const struct linearize_act *other = &blurred[i]->act;
        uint32_t text = text_of(part, blurred[i]);
        if (other->kind == act->kind && other->at == act->at &&
            cell_length(&part->cells, cell_of_text(&part->cells, text)) == length) {
            act->by = other->by;
            act->text = other->text;
            act->state = other->state;
            return;
        }
    }
}

static void blur_pending(const struct blur *blur, struct linearize_key *part,
                         uint32_t pending)
{
    struct linearize_operation **blurred =
        linearize_key_grown(NULL, pending * sizeof(struct linearize_operation *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->count; i++) {
        struct linearize_operation *operation = &part->operations[i];
        uint32_t at = operation->act.at;
        if (operation->pending && operation->act_count == 0 && !blur->counts[at] &&
            text_of(part, operation) != HISTORY_ABSENT &&
            !is_recognised(blur, part, at, text_of(part, operation))) {
            make_alike(part, blurred, count, operation);
            blurred[count++] = operation;
        }
    }
    free(blurred);
}

void linearize_blur(struct linearize_key *part)
{
    struct blur blur = {0};
    size_t most = part->count + (size_t)part->act_count;
    blur.seen = linearize_key_grown(NULL, most * sizeof(*blur.seen));
    blur.counts = linearize_key_grown(NULL, part->width * sizeof(bool));
    memset(blur.counts, false, part->width * sizeof(bool));
    uint64_t pending = look(&blur, part);
    if (pending > 1 && pending * (pending + blur.count + blur.bytes) <= WORK_MAX) {
        blur_pending(&blur, part, (uint32_t)pending);
    }
    free(blur.seen);
    free(blur.counts);
}
