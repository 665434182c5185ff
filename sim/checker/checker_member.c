#include "sim/checker/checker_member.h"

#include <inttypes.h>

bool checker_member_add(struct checker *checker, raft_id id,
                        struct electorate_list *members, const struct raft_entry *entry)
{
    struct raft_configuration configuration;
    struct electorate electorate;

    if (!raft_configuration_decode(entry->data, entry->size, &configuration)) {
        checker_violate(checker, PROPERTY_CONFIGURATION, id, 0,
                        "entry %" PRIu64 " is no configuration that can be used",
                        entry->index);
        return false;
    }
    electorate = electorate_of(&configuration);
    if (electorate.voters == 0)
        checker_violate(checker, PROPERTY_CONFIGURATION, id, 0,
                        "the configuration at %" PRIu64 " has no voter", entry->index);
    electorate_push(members, entry->index, &electorate);
    return true;
}

void checker_member_change(struct checker *checker, raft_id id,
                           const struct raft_view *view)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place now = electorate_newest(&shadow->members);
    struct electorate_place before = electorate_at(&shadow->members, now.index - 1);
    const char *problem = electorate_step_problem(&before.electorate, &now.electorate);

    if (problem != NULL)
        checker_violate(checker, PROPERTY_CHANGE_ALONE, id, 0,
                        "the configuration at %" PRIu64 " behind that at %" PRIu64
                        ": %s",
                        now.index, before.index, problem);
    if (before.index > view->commit_index)
        checker_violate(checker, PROPERTY_CHANGE_ALONE, id, 0,
                        "the configuration at %" PRIu64
                        " is logged, but that at %" PRIu64 " is not committed",
                        now.index, before.index);
    if (view->commit_index > shadow->log.last ||
        checker_mark(checker, &shadow->log, view->commit_index).term !=
            view->current_term)
        checker_violate(checker, PROPERTY_CHANGE_OWN_TERM, id, 0,
                        "the leader of term %" PRIu64
                        " logs a configuration at %" PRIu64
                        ", but has committed nothing of its term",
                        view->current_term, now.index);
}

void checker_member_view(struct checker *checker, raft_id id,
                         const struct raft_view *view)
{
    struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place newest = electorate_newest(&shadow->members);

    if (view->configuration_index != newest.index) {
        checker_violate(checker, PROPERTY_CONFIGURATION, id, 0,
                        "it uses the configuration at %" PRIu64
                        ", but its log holds one at %" PRIu64,
                        view->configuration_index, newest.index);
        return;
    }
    if (shadow->in_use.index == newest.index &&
        shadow->in_use.electorate.hash == newest.electorate.hash)
        return; // looked at before
    shadow->in_use = newest;
    if (electorate_of(view->configuration).hash != newest.electorate.hash)
        checker_violate(checker, PROPERTY_CONFIGURATION, id, 0,
                        "it uses another configuration than is logged at %" PRIu64,
                        newest.index);
}

void checker_member_vote(struct checker *checker, raft_id id, raft_term term,
                         raft_id to)
{
    marks_map_join(&checker->votes, to, term, 1u << id);
}

// Who is removed by an entry that may still be lost may be needed (4.2.2): it is a
// voter in the newest configuration that it knows as committed, or in a later one.
static bool may_be_needed(const struct shadow *shadow, raft_id id, raft_index known)
{
    for (uint32_t i = shadow->members.count; i-- > 0;) {
        const struct electorate_place *place = &shadow->members.at[i];

        if (place->index < known)
            return false;
        if (electorate_votes(&place->electorate, id))
            return true;
    }
    return false;
}

void checker_member_elected(struct checker *checker, raft_id id,
                            const struct raft_view *view)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place now = electorate_newest(&shadow->members);
    struct electorate_place known = electorate_at(&shadow->members, view->commit_index);
    uint64_t votes = marks_map_join(&checker->votes, id, view->current_term, 0);

    if (!electorate_is_quorum(&now.electorate, (uint32_t)votes))
        checker_violate(checker, PROPERTY_VOTE_QUORUM, id, 0,
                        "node %" PRIu32 " leads term %" PRIu64
                        " without the votes of a "
                        "majority of the configuration at %" PRIu64,
                        id, view->current_term, now.index);
    if (!may_be_needed(shadow, id, known.index))
        checker_violate(checker, PROPERTY_LEADER_MEMBER, id, 0,
                        "it becomes leader of term %" PRIu64
                        ", but is a voter in no configuration from that at %" PRIu64
                        " on, which it knows as committed",
                        view->current_term, known.index);
}

void checker_member_leads(struct checker *checker, raft_id id,
                          const struct raft_view *view)
{
    const struct shadow *shadow = checker_shadow(checker, id);
    struct electorate_place known = electorate_at(&shadow->members, view->commit_index);

    // What it may have logged since does not keep it in office.
    if (!may_be_needed(shadow, id, known.index))
        checker_violate(checker, PROPERTY_LEADER_MEMBER, id, 0,
                        "it leads on, but the configuration at %" PRIu64
                        ", in which it is no voter, is committed",
                        known.index);
}
