#include "raft/membership.h"

#include <string.h>

#include "raft/configuration.h"
#include "raft/quorum.h"
#include "raft/role.h"
#include "raft/state.h"
#include "raft/transfer.h"

// Left to leaders to come, who cannot commit anything without one each.
enum { SLOTS_FOR_NOOPS = 8 };

// ---- what is in use -------------------------------------------------------------

// BEGIN SOLUTION lab6: section 6
static bool counts_in(const struct raft *raft,
                      const struct raft_configuration *configuration)
{
    const struct raft_member *self = configuration_find(configuration, raft->config.id);
    return self != NULL && configuration_counts(self->role);
}
// END SOLUTION

bool membership_counts(const struct raft *raft)
{
    // BEGIN SOLUTION lab6: section 6
    return counts_in(raft, &raft->configuration);
    // END SOLUTION
}

// What is known of a peer stays known where it is a member before and after.
static void use_peers(struct raft *raft, const struct raft_configuration *configuration)
{
    struct progress before[RAFT_MEMBERS_MAX];
    memcpy(before, raft->peers, sizeof before);
    uint32_t count_before = raft->configuration.count;
    for (uint32_t i = 0; i < configuration->count; i++) {
        struct progress *peer = &raft->peers[i];
        raft_id id = configuration->members[i].id;
        uint32_t at = 0;
        while (at < count_before && before[at].id != id)
            at++;
        if (at < count_before) {
            *peer = before[at];
            continue;
        }
        memset(peer, 0, sizeof *peer);
        peer->id = id;
        progress_reset(peer, raft->log.last_index, raft->now_ms);
    }
}

// Whether no voter has a higher priority than this node.
static bool is_preferred(const struct raft *raft)
{
    const struct raft_member *self =
        configuration_find(&raft->configuration, raft->config.id);
    for (uint32_t i = 0; self != NULL && i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (configuration_counts(member->role) && member->priority > self->priority)
            return false;
    }
    return true;
}

// Whether this node counted before the configuration at `index`, which may not be
// committed. The log tells, and not the course of things: what was in use a moment ago
// may have been truncated.
static bool counted_before(const struct raft *raft, raft_index index)
{
    // BEGIN SOLUTION lab6: dissertation 4.2.2
    if (index <= raft->log.base_index)
        return false;
    struct raft_configuration before;
    membership_at(raft, index - 1, &before);
    return counts_in(raft, &before);
    // END SOLUTION
}

static void use(struct raft *raft, const struct raft_configuration *configuration,
                raft_index index)
{
    use_peers(raft, configuration);
    raft->configuration = *configuration;
    raft->configuration_index = index;
    raft->leaving = !membership_counts(raft) && counted_before(raft, index);
    raft->preferred = is_preferred(raft);
    raft->moves = configuration_is_joint(configuration);
    for (uint32_t i = 0; i < configuration->count; i++)
        raft->moves = raft->moves || configuration->members[i].role == RAFT_JOINING;
}

void membership_start(struct raft *raft, const struct raft_configuration *configuration,
                      raft_index configuration_index)
{
    raft->base_configuration = *configuration;
    raft->base_configuration_index = configuration_index;
    use(raft, configuration, configuration_index);
}

void membership_entry_added(struct raft *raft, const struct raft_entry *entry)
{
    // BEGIN SOLUTION lab6: section 6
    struct raft_configuration configuration;
    bool good = raft_configuration_decode(entry->data, entry->size, &configuration);
    assert(good);
    (void)good;
    use(raft, &configuration, entry->index);
    // END SOLUTION
}

raft_index membership_at(const struct raft *raft, raft_index index,
                         struct raft_configuration *configuration)
{
    // BEGIN SOLUTION lab6: section 6
    if (index >= raft->configuration_index) {
        *configuration = raft->configuration;
        return raft->configuration_index;
    }
    raft_index at = log_find_configuration(&raft->log, index);
    if (at == 0) {
        *configuration = raft->base_configuration;
        return raft->base_configuration_index;
    }
    struct raft_entry entry;
    log_entry(&raft->log, at, &entry);
    bool good = raft_configuration_decode(entry.data, entry.size, configuration);
    assert(good);
    (void)good;
    return at;
    // END SOLUTION
}

void membership_entries_dropped(struct raft *raft, raft_index index)
{
    // BEGIN SOLUTION lab6: section 6, AE-3
    if (raft->configuration_index < index)
        return;
    struct raft_configuration before;
    raft_index at = membership_at(raft, index - 1, &before);
    use(raft, &before, at);
    state_reach(raft, RAFT_MARK_TRUNCATE_CONFIGURATION);
    // END SOLUTION
}

void membership_compact(struct raft *raft, raft_index index)
{
    struct raft_configuration base;
    if (index >= raft->configuration_index &&
        raft->configuration_index > raft->log.base_index)
        state_reach(raft, RAFT_MARK_COMPACTED_CONFIGURATION);
    raft->base_configuration_index = membership_at(raft, index, &base);
    raft->base_configuration = base;
}

// ---- questions ------------------------------------------------------------------

bool membership_may_campaign(const struct raft *raft)
{
    // BEGIN SOLUTION lab6: dissertation 4.2.2
    return membership_counts(raft) ||
           (raft->leaving && raft->configuration_index > raft->commit_index);
    // END SOLUTION
}

bool membership_is_sole_voter(const struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        const struct raft_member *member = &raft->configuration.members[i];
        if (member->id != raft->config.id && configuration_counts(member->role))
            return false;
    }
    return membership_counts(raft);
}

uint64_t membership_quorum(const struct raft *raft,
                           uint64_t (*value_of)(const struct raft *raft,
                                                uint32_t member))
{
    uint64_t values[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < raft->configuration.count; i++)
        values[i] = value_of(raft, i);
    return quorum_value(&raft->configuration, values);
}

// ---- changes, as leader ---------------------------------------------------------

// BEGIN SOLUTION lab6: dissertation 4.1
static bool may_change(const struct raft *raft, enum raft_status *status)
{
    if (raft->commit_index < raft->term_start_index)
        *status = RAFT_NOT_READY; // the own-term guard
    else if (raft->configuration_index > raft->commit_index ||
             configuration_is_joint(&raft->configuration))
        *status = RAFT_CHANGE_PENDING;
    else
        *status = RAFT_OK;
    return *status == RAFT_OK;
}
// END SOLUTION

static enum raft_status append(struct raft *raft,
                               const struct raft_configuration *configuration)
{
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t size = raft_configuration_encode(configuration, text);
    uint64_t used = raft->log.last_index - raft->log.base_index;
    if (used + SLOTS_FOR_NOOPS > raft->log.slot_count)
        return RAFT_LOG_FULL;
    if (!log_append(&raft->log, raft->hard_state.current_term, RAFT_ENTRY_CONFIGURATION,
                    text, size))
        return RAFT_LOG_FULL;
    struct raft_entry entry;
    log_entry(&raft->log, raft->log.last_index, &entry);
    state_persist_entries(raft, entry.index);
    membership_entry_added(raft, &entry);
    return RAFT_OK;
}

// BEGIN SOLUTION lab6: dissertation 4.2.1
// A voter that lacks much of the log would hold up every commit that needs it.
static bool new_voters_have_caught_up(struct raft *raft,
                                      const struct raft_configuration *next)
{
    for (uint32_t i = 0; i < next->count; i++) {
        const struct raft_member *member = &next->members[i];
        const struct raft_member *now =
            configuration_find(&raft->configuration, member->id);
        if (!configuration_counts(member->role) ||
            (now != NULL && configuration_counts(now->role)))
            continue;
        const struct progress *peer = state_peer(raft, member->id);
        if (peer == NULL || !progress_is_caught_up(peer, raft->now_ms,
                                                   raft->config.election_timeout_ms))
            return false;
    }
    return true;
}
// END SOLUTION

enum raft_status membership_change(struct raft *raft, const struct raft_member *members,
                                   uint32_t count, struct raft_output *output)
{
    // BEGIN SOLUTION lab6: section 6, dissertation 4.1
    enum raft_status status;
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    if (raft->transfer_to != 0) {
        state_reach(raft, RAFT_MARK_CHANGE_TRANSFERRING);
        return RAFT_TRANSFERRING;
    }
    if (!may_change(raft, &status)) {
        state_reach(raft, status == RAFT_NOT_READY ? RAFT_MARK_CHANGE_TOO_EARLY
                                                   : RAFT_MARK_CHANGE_PENDING);
        return status;
    }
    struct raft_configuration next;
    status = configuration_change(&raft->configuration, members, count, &next);
    if (status != RAFT_OK)
        return status;
    if (!new_voters_have_caught_up(raft, &next)) {
        state_reach(raft, RAFT_MARK_CHANGE_NOT_CAUGHT_UP);
        return RAFT_NOT_CAUGHT_UP;
    }
    status = append(raft, &next);
    if (status != RAFT_OK)
        return status;
    output->proposed_index = raft->log.last_index;
    output->proposed_term = raft->hard_state.current_term;
    state_reach(raft, configuration_is_joint(&next) ? RAFT_MARK_CHANGE_JOINT
                                                    : RAFT_MARK_CHANGE_SINGLE);
    state_note(output, configuration_is_joint(&next) ? "change -> joint configuration"
                                                     : "change -> new configuration");
    return RAFT_OK;
    // END SOLUTION
}

// BEGIN SOLUTION lab6: dissertation 4.2.1
static const struct raft_member *ready_to_vote(const struct raft *raft)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->configuration.members[i].role == RAFT_JOINING &&
            progress_is_caught_up(&raft->peers[i], raft->now_ms,
                                  raft->config.election_timeout_ms))
            return &raft->configuration.members[i];
    }
    return NULL;
}
// END SOLUTION

void membership_advance(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab6: dissertation 4.2.1 and 4.3 (empty at first)
    if (!raft->moves || raft->commit_index < raft->configuration_index ||
        raft->commit_index < raft->term_start_index)
        return;
    struct raft_configuration next;
    if (configuration_is_joint(&raft->configuration)) {
        bool inherited = raft->configuration_index < raft->term_start_index;
        configuration_leave(&raft->configuration, &next);
        if (append(raft, &next) != RAFT_OK)
            return;
        state_note(output, "joint is committed -> leave it");
        state_reach(raft, RAFT_MARK_JOINT_LEFT);
        if (inherited)
            state_reach(raft, RAFT_MARK_JOINT_INHERITED);
        return;
    }
    if (!membership_counts(raft))
        return; // it is about to go, and whoever takes over needs no more than it has
    const struct raft_member *joining = ready_to_vote(raft);
    if (joining == NULL || raft->transfer_to != 0)
        return;
    struct raft_member change = *joining;
    change.role = RAFT_VOTER;
    if (configuration_change(&raft->configuration, &change, 1, &next) == RAFT_OK &&
        append(raft, &next) == RAFT_OK) {
        state_note(output, "caught up -> voter");
        state_reach(raft, RAFT_MARK_PROMOTED);
    }
    // END SOLUTION
}

void membership_step_down(struct raft *raft, struct raft_output *output)
{
    // BEGIN SOLUTION lab6: dissertation 4.2.2 (empty at first)
    // It adds no other once it does not count: the newest is what removed it.
    if (membership_counts(raft) || raft->commit_index < raft->configuration_index)
        return;
    transfer_hand_over(raft, output);
    state_note(output, "counts no more -> follower");
    state_reach(raft, RAFT_MARK_LEADER_REMOVED);
    role_become_follower(raft, 0);
    // END SOLUTION
}
