#include "sim/checker/checker_snapshot.h"

#include "sim/checker/checker_log.h"

#include <inttypes.h>

// Whether a snapshot of this index and term can have been taken.
static bool check_place(struct checker *checker, raft_id id, raft_index index,
                        raft_term term)
{
    if (index <= checker->committed.last &&
        marks_at(&checker->committed, index).term == term)
        return true;
    checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                    "a snapshot up to %" PRIu64 " of term %" PRIu64
                    ", but that was never committed",
                    index, term);
    return false;
}

void checker_snapshot_base(struct checker *checker, raft_id id, raft_index index,
                           raft_term term)
{
    struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place place;

    if (!check_place(checker, id, index, term))
        return;
    marks_restart(&shadow->found, index);
    place = electorate_at(&checker->committed_members, index);
    shadow->found_members.count = 0;
    electorate_push(&shadow->found_members, place.index, &place.electorate);
}

bool checker_snapshot_replace(struct checker *checker, raft_id id,
                              const struct raft_snapshot_meta *meta)
{
    struct shadow *shadow = checker_shadow(checker, id);
    raft_index last = meta->last_included_index;
    struct electorate_place place;

    if (!check_place(checker, id, last, meta->last_included_term))
        return false;
    if (last <= shadow->commit_index)
        checker_violate(checker, PROPERTY_COMMIT_KEPT, id, 0,
                        "a snapshot up to %" PRIu64 " replaces a log of which %" PRIu64
                        " is committed",
                        last, shadow->commit_index);
    place = electorate_at(&checker->committed_members, last);
    if (place.index != meta->configuration_index ||
        place.electorate.hash != electorate_of(&meta->configuration).hash)
        checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                        "the snapshot up to %" PRIu64 " tells another configuration "
                        "than was committed at %" PRIu64,
                        last, place.index);
    // What is known as committed here is the same; the rest gives way.
    if (shadow->commit_index < shadow->log.last)
        checker_log_cut(shadow, shadow->commit_index);
    marks_restart(&shadow->log, last);
    electorate_release(&shadow->members);
    electorate_push(&shadow->members, place.index, &place.electorate);
    // Its file is durable, or it could not have been received.
    shadow->durable_index = last;
    shadow->given = last;
    shadow->restoring = last;
    shadow->first_index = last + 1;
    return true;
}

void checker_snapshot_view(struct checker *checker, raft_id id,
                           const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);

    if (view->first_index == shadow->first_index &&
        view->snapshot_index == shadow->snapshot_index)
        return;
    if (view->first_index < shadow->first_index ||
        view->snapshot_index < shadow->snapshot_index)
        checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                        "its log begins at %" PRIu64
                        " and its snapshot ends at %" PRIu64 ", after %" PRIu64
                        " and %" PRIu64,
                        view->first_index, view->snapshot_index, shadow->first_index,
                        shadow->snapshot_index);
    if (view->first_index > view->snapshot_index + 1)
        checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                        "its log begins at %" PRIu64
                        ", but its newest snapshot ends at %" PRIu64,
                        view->first_index, view->snapshot_index);
    if (view->snapshot_index > view->commit_index)
        checker_violate(checker, PROPERTY_SNAPSHOT, id, 0,
                        "a snapshot up to %" PRIu64 ", but only %" PRIu64
                        " is committed",
                        view->snapshot_index, view->commit_index);
    shadow->first_index = view->first_index;
    shadow->snapshot_index = view->snapshot_index;
}
