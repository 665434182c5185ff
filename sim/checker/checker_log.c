#include "sim/checker/checker_log.h"

#include "sim/checker/checker_member.h"
#include "sim/checker/checker_snapshot.h"

#include <inttypes.h>
#include <stdlib.h>

// Log Matching: all logs with an entry of this term here have this chain.
static void check_place(struct checker *checker, raft_id id, raft_index index,
                        struct mark mark)
{
    struct mark first;
    uint64_t chain;

    if (index == checker->places.last + 1)
        marks_push(&checker->places, mark);
    first = marks_at(&checker->places, index);
    if (first.term == mark.term)
        chain = first.chain;
    else
        chain = marks_map_keep(&checker->other, index, mark.term, mark.chain);
    if (chain != mark.chain)
        checker_violate(checker, PROPERTY_LOG_MATCHING, id, 0,
                        "entry %" PRIu64 " of term %" PRIu64
                        " stands behind another log, or is another, than elsewhere",
                        index, mark.term);
}

bool checker_log_add(struct checker *checker, raft_id id, struct marks *log,
                     struct electorate_list *members, const struct raft_entry *entry)
{
    struct mark before = checker_mark(checker, log, log->last);

    if (entry->index != log->last + 1) {
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "entry %" PRIu64 " follows entry %" PRIu64, entry->index,
                        log->last);
        return false;
    }
    if (entry->term == 0 || entry->term < before.term) {
        checker_violate(checker, PROPERTY_LOG_TERMS, id, 0,
                        "entry %" PRIu64 " has term %" PRIu64
                        ", the one before %" PRIu64,
                        entry->index, entry->term, before.term);
        return false;
    }
    marks_push(log, marks_follow(before, entry));
    check_place(checker, id, entry->index, marks_at(log, entry->index));
    return entry->type != RAFT_ENTRY_CONFIGURATION ||
           checker_member_add(checker, id, members, entry);
}

// Entries from `last` + 1 on are about to be replaced: no write under way makes the old
// ones durable any more.
void checker_log_cut(struct shadow *shadow, raft_index last)
{
    marks_cut(&shadow->log, last);
    electorate_cut(&shadow->members, last);
    if (shadow->durable_index > last)
        shadow->durable_index = last;
    for (uint32_t i = 0; i < shadow->pending_count; i++) {
        uint32_t at = (shadow->pending_first + i) & (shadow->pending_capacity - 1);

        if (shadow->pending[at].last > last)
            shadow->pending[at].last = last;
    }
}

static void push_pending(struct shadow *shadow, const struct pending_write *write)
{
    uint32_t count = shadow->pending_count;

    if (count == shadow->pending_capacity) {
        uint32_t capacity = count == 0 ? 16 : 2 * count;
        struct pending_write *grown = malloc(capacity * sizeof(*grown));

        if (grown == NULL)
            abort();
        for (uint32_t i = 0; i < count; i++)
            grown[i] = shadow->pending[(shadow->pending_first + i) & (count - 1)];
        free(shadow->pending);
        shadow->pending = grown;
        shadow->pending_capacity = capacity;
        shadow->pending_first = 0;
    }
    shadow->pending[(shadow->pending_first + count) & (shadow->pending_capacity - 1)] =
        *write;
    shadow->pending_count++;
}

// The entries of a write; false where the picture cannot follow.
static bool write_entries(struct checker *checker, raft_id id,
                          const struct checker_step *step)
{
    struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_output *output = step->output;
    raft_index first = output->entries[0].index;
    bool led = shadow->role == RAFT_LEADER && step->view->role == RAFT_LEADER;

    if (first == 0 || first > shadow->log.last + 1) {
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "entry %" PRIu64 " written behind entry %" PRIu64, first,
                        shadow->log.last);
        return false;
    }
    if (led && first <= shadow->log.last)
        checker_violate(checker, PROPERTY_LEADER_APPEND_ONLY, id, 0,
                        "the leader of term %" PRIu64 " overwrites entry %" PRIu64,
                        step->view->current_term, first);
    if (first <= shadow->commit_index)
        checker_violate(checker, PROPERTY_COMMIT_KEPT, id, 0,
                        "entry %" PRIu64 " is overwritten, but %" PRIu64
                        " is committed",
                        first, shadow->commit_index);
    checker_log_cut(shadow, first - 1);
    for (uint32_t i = 0; i < output->entry_count; i++) {
        const struct raft_entry *entry = &output->entries[i];

        if (!checker_log_add(checker, id, &shadow->log, &shadow->members, entry))
            return false;
        if (led && entry->type == RAFT_ENTRY_CONFIGURATION)
            checker_member_change(checker, id, step->view);
    }
    return true;
}

void checker_log_write(struct checker *checker, raft_id id,
                       const struct checker_step *step)
{
    struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_output *output = step->output;
    struct pending_write write = {output->write, 0, shadow->hard_state};

    if (output->write == 0) {
        if (output->hard_state_changed || output->entry_count > 0 ||
            output->snapshot_restore != NULL)
            checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                            "something to persist, but no write");
        return;
    }
    if (output->write != shadow->write + 1)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "write %" PRIu64 " follows write %" PRIu64, output->write,
                        shadow->write);
    shadow->write = output->write;
    if (output->hard_state_changed)
        shadow->hard_state = write.hard_state = output->hard_state;
    if (output->snapshot_restore != NULL &&
        !checker_snapshot_replace(checker, id, output->snapshot_restore))
        return;
    if (output->entry_count > 0 && !write_entries(checker, id, step))
        return;
    write.last = shadow->log.last;
    push_pending(shadow, &write);
    if (checker->limits.perfect_disks)
        checker_log_persisted(checker, id, write.number);
}

void checker_log_persisted(struct checker *checker, raft_id id, uint64_t number)
{
    struct shadow *shadow = checker_shadow(checker, id);

    if (number > shadow->write)
        checker_violate(checker, PROPERTY_OUTPUT_SHAPE, id, 0,
                        "write %" PRIu64 " is durable, but only %" PRIu64
                        " were asked for",
                        number, shadow->write);
    while (shadow->pending_count > 0) {
        const struct pending_write *write = &shadow->pending[shadow->pending_first];

        if (write->number > number)
            return;
        if (write->last > shadow->durable_index)
            shadow->durable_index = write->last;
        shadow->durable = write->hard_state;
        shadow->pending_first =
            (shadow->pending_first + 1) & (shadow->pending_capacity - 1);
        shadow->pending_count--;
    }
}
