#include "raft/host/segment_table.h"

#include <string.h>

static uint64_t segments(const struct segment_span *span)
{
    return span->last - span->first + 1;
}

// Two neighbours share a span: those with the fewest segments, so that spans stay of
// about one length, and no segment is kept much longer than it has to be.
static void share(struct segment_table *table)
{
    struct segment_span *spans = table->spans;
    uint32_t best = 0;
    for (uint32_t i = 1; i + 1 < table->count; i++) {
        if (segments(&spans[i]) + segments(&spans[i + 1]) <
            segments(&spans[best]) + segments(&spans[best + 1]))
            best = i;
    }
    spans[best].last = spans[best + 1].last;
    if (spans[best].highest_index < spans[best + 1].highest_index)
        spans[best].highest_index = spans[best + 1].highest_index;
    table->count--;
    memmove(&spans[best + 1], &spans[best + 2],
            (table->count - best - 1) * sizeof spans[0]);
}

void segment_table_add(struct segment_table *table, uint64_t number)
{
    assert(number != 0);
    assert(table->count == 0 || table->spans[table->count - 1].last + 1 == number);
    if (table->count == SEGMENT_SPANS_MAX)
        share(table);
    table->spans[table->count++] =
        (struct segment_span){.first = number, .last = number};
}

void segment_table_note(struct segment_table *table, raft_index index)
{
    assert(table->count > 0);
    struct segment_span *span = &table->spans[table->count - 1];
    if (index > span->highest_index)
        span->highest_index = index;
}

uint64_t segment_table_removable(const struct segment_table *table, raft_index index)
{
    const struct segment_span *span = &table->spans[0];
    bool alone = table->count == 1 && span->first == span->last;
    if (table->count == 0 || alone || index == 0 || span->highest_index > index)
        return 0;
    return span->first;
}

void segment_table_remove_first(struct segment_table *table)
{
    assert(table->count > 0);
    struct segment_span *span = &table->spans[0];
    if (++span->first <= span->last)
        return;
    table->count--;
    memmove(span, span + 1, table->count * sizeof *span);
}

void segment_table_remove_last(struct segment_table *table)
{
    assert(table->count > 0);
    struct segment_span *span = &table->spans[table->count - 1];
    if (--span->last < span->first)
        table->count--;
}
