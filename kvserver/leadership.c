#include "kvserver/leadership.h"

#include <stdio.h>
#include <string.h>

#include "kvserver/members.h"
#include "kvserver/notice.h"
#include "kvserver/service/resp.h"

enum {
    LOST_ELECTIONS = 4,    // timeouts in which a successor usually shows
    HANDOVER_ELECTIONS = 2 // timeouts in which a transfer ends, one way or the other
};

static void tell_members(const struct raft_configuration *configuration)
{
    char text[RAFT_MEMBERS_MAX * 24] = "";
    size_t size = 0;

    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        const char *role = raft_configuration_role_text(member->role);

        size += (size_t)snprintf(text + size, sizeof text - size, " n%u%s%s",
                                 member->id, member->role == RAFT_VOTER ? "" : " ",
                                 member->role == RAFT_VOTER ? "" : role);
    }
    notice_line("the members are%s", text);
}

static void tell(const struct raft_view *before, const struct raft_view *view)
{
    if (view->leader_id == before->leader_id &&
        (view->leader_id == 0 || view->current_term == before->current_term))
        return;
    if (view->role == RAFT_LEADER)
        notice_line("leads term %llu", (unsigned long long)view->current_term);
    else if (view->leader_id != 0)
        notice_line("follows n%u in term %llu", view->leader_id,
                    (unsigned long long)view->current_term);
    else
        notice_line("has no leader");
}

// The view's configuration is the core's own and changes with the next step.
static void keep_configuration(struct leadership *leadership)
{
    struct raft_configuration *kept = &leadership->configuration;
    const struct raft_configuration *now = leadership->view.configuration;

    leadership->configuration_changed =
        kept->count != now->count ||
        memcmp(kept->members, now->members, now->count * sizeof now->members[0]) != 0;
    if (leadership->configuration_changed) {
        *kept = *now;
        if (leadership->view.configuration_index > 0)
            tell_members(kept);
    }
    leadership->view.configuration = kept;
}

static void watch_handover(struct leadership *leadership, uint64_t now_ms)
{
    const struct raft_view *view = &leadership->view;
    bool led_on = view->role == RAFT_LEADER && view->transfer_to == 0;
    bool another = view->role != RAFT_LEADER && view->leader_id != 0;

    if (view->role == RAFT_LEADER && view->transfer_to != 0) {
        if (leadership->handover_deadline_ms == 0)
            leadership->handover_deadline_ms =
                now_ms +
                (uint64_t)HANDOVER_ELECTIONS * leadership->options->election_timeout_ms;
    } else if (led_on || another || now_ms >= leadership->handover_deadline_ms) {
        leadership->handover_deadline_ms = 0;
    }
}

void leadership_observe(struct leadership *leadership, const struct raft *raft,
                        uint64_t now_ms)
{
    const struct raft_view *view = &leadership->view;
    struct raft_view before = leadership->view;

    raft_observe(raft, &leadership->view);
    keep_configuration(leadership);
    if (before.role == RAFT_LEADER &&
        (view->role != RAFT_LEADER || view->current_term != before.current_term)) {
        leadership->lost_ms = now_ms;
        leadership->lost_deadline_ms =
            now_ms +
            (uint64_t)LOST_ELECTIONS * leadership->options->election_timeout_ms;
    }
    watch_handover(leadership, now_ms);
    tell(&before, view);
}

bool leadership_ours(const struct leadership *leadership)
{
    return leadership->view.role == RAFT_LEADER;
}

bool leadership_moves(const struct leadership *leadership)
{
    return leadership->handover_deadline_ms != 0;
}

bool leadership_place(const struct leadership *leadership, raft_id id,
                      struct place *place)
{
    const struct options_member *told = options_member_find(leadership->options, id);

    if (place_of_member(&leadership->configuration, id, place) ||
        place_of_member(&leadership->options->known, id, place))
        return true;
    if (told != NULL)
        *place = told->place;
    return told != NULL;
}

// A node that was removed hears from no leader any more; a member does.
static raft_id other_cluster_member(const struct leadership *leadership)
{
    const struct raft_configuration *members = &leadership->configuration;

    if (raft_member_find(members, leadership->view.id) != NULL)
        return 0;
    for (uint32_t i = 0; i < members->count; i++)
        if (members->members[i].role == RAFT_VOTER)
            return members->members[i].id;
    return 0;
}

void leadership_redirect(const struct leadership *leadership, struct buffer *reply)
{
    raft_id leader = leadership->view.leader_id;
    struct place place;

    if (leader == 0)
        leader = other_cluster_member(leadership);
    if (leader == 0 || leader == leadership->view.id ||
        !leadership_place(leadership, leader, &place))
        resp_error(reply, "CLUSTERDOWN No raft leader");
    else
        resp_error_format(reply, "MOVED 0 %s:%u", place.host, place.client_port);
}
