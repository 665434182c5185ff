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

static bool asks_again(const struct checker_step *step)
{
    for (uint32_t i = 0; i < step->output->message_count; i++) {
        const struct raft_message *message = &step->output->messages[i];

        if (message->type == RAFT_INSTALL_SNAPSHOT_REPLY &&
            message->to == step->view->leader_id &&
            !message->install_snapshot_reply.installed &&
            message->install_snapshot_reply.next_offset == 0)
            return true;
    }
    return false;
}

// IS-4: who says nothing of a snapshot that it cannot use lets its leader wait. But
// what it says may itself wait for the disk, or for room in the output.
static void check_refusal(struct checker *checker, raft_id id,
                          const struct checker_step *step)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_view *view = step->view;
    bool durable = shadow->durable.current_term == view->current_term &&
                   shadow->durable.voted_for == view->voted_for;

    if (view->role == RAFT_FOLLOWER && view->leader_id != 0 && durable &&
        step->output->message_count < RAFT_OUTPUT_MESSAGES_MAX && !asks_again(step))
        checker_violate(checker, PROPERTY_SNAPSHOT_TAKEN, id, view->leader_id,
                        "a snapshot up to %" PRIu64
                        " is of no use, but its leader is not asked for it again",
                        step->event->snapshot_received.meta->last_included_index);
}

void checker_snapshot_received(struct checker *checker, raft_id id,
                               const struct checker_step *step)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    const struct raft_snapshot_meta *meta = step->event->snapshot_received.meta;

    // A crash at this moment would leave a snapshot of a term that is not known
    // (STATE-1).
    if (step->event->snapshot_received.failed)
        check_refusal(checker, id, step);
    else if (meta->last_included_term > shadow->durable.current_term)
        checker_violate(checker, PROPERTY_SNAPSHOT_TAKEN, id, 0,
                        "a snapshot of term %" PRIu64
                        " is on its disk before that term, which is %" PRIu64 " there",
                        meta->last_included_term, shadow->durable.current_term);
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
