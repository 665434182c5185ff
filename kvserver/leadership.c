#include "kvserver/leadership.h"

#include "kvserver/notice.h"
#include "kvserver/service/resp.h"

enum { LOST_ELECTIONS = 4 }; // timeouts in which a successor usually shows

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

void leadership_observe(struct leadership *leadership, const struct raft *raft,
                        uint64_t now_ms)
{
    const struct raft_view *view = &leadership->view;
    struct raft_view before = leadership->view;

    raft_observe(raft, &leadership->view);
    if (before.role == RAFT_LEADER &&
        (view->role != RAFT_LEADER || view->current_term != before.current_term)) {
        leadership->lost_ms = now_ms;
        leadership->lost_deadline_ms =
            now_ms +
            (uint64_t)LOST_ELECTIONS * leadership->options->election_timeout_ms;
    }
    tell(&before, view);
}

bool leadership_ours(const struct leadership *leadership)
{
    return leadership->view.role == RAFT_LEADER;
}

void leadership_redirect(const struct leadership *leadership, struct buffer *reply)
{
    const struct options_member *leader =
        options_member_find(leadership->options, leadership->view.leader_id);

    if (leader == NULL || leader->id == leadership->options->id)
        resp_error(reply, "CLUSTERDOWN No raft leader");
    else
        resp_error_format(reply, "MOVED 0 %s:%u", leader->host, leader->client_port);
}
