#include "kvserver/node_answers.h"

#include "kvserver/service/resp.h"

#define UNKNOWN "TIMEOUT not committed yet; the outcome of this write is unknown"

static const char *const refusals[RAFT_STATUS_COUNT] = {
    [RAFT_LOG_FULL] = "TRYAGAIN the log is full until a snapshot allows to shorten it; "
                      "nothing was done",
    [RAFT_TOO_LARGE] = "ERR the command is too large for one log entry",
    [RAFT_INVALID] = "ERR this change of members is not possible",
    [RAFT_TRANSFERRING] = "TRYAGAIN leadership is being handed over; nothing was done",
    [RAFT_BACKLOG_FULL] = "TRYAGAIN too many bytes wait for a majority; nothing was "
                          "done",
    [RAFT_CHANGE_PENDING] = "TRYAGAIN CHANGE PENDING: another change of members is "
                            "under way",
    [RAFT_NOT_READY] = "TRYAGAIN NOT READY: the leader has committed nothing in its "
                       "term yet",
    [RAFT_NOT_CAUGHT_UP] = "ERR NOT CAUGHT UP: the member lacks too many entries to "
                           "vote; added as joining it becomes a voter by itself",
    [RAFT_DISK_FULL] = "ERR the disk is full: writes are refused, reads go on",
};

void node_answers_error(struct node *node, struct request *request, const char *error)
{
    node_forget(node, request);
    resp_error(node->client.reply_to(request), error);
    node->client.replied(request);
}

void node_answers_redirect(struct node *node, struct request *request)
{
    node_forget(node, request);
    node_redirect(node, node->client.reply_to(request));
    node->client.replied(request);
}

void node_answers_give_up(struct node *node, struct request *request)
{
    node->counters.timeouts++;
    if (request->kind == REQUEST_READ)
        node_answers_error(node, request,
                           "TIMEOUT no majority confirmed the read in time");
    else if (request == node->transfer)
        node_answers_error(node, request,
                           "TIMEOUT nobody is known to have taken leadership over");
    else
        node_answers_error(node, request, UNKNOWN);
}

void node_answers_status(struct node *node, struct request *request,
                         enum raft_status status)
{
    if (status == RAFT_NOT_LEADER)
        node_answers_redirect(node, request);
    else if (node_stopped(node) != NULL || refusals[status] == NULL)
        node_answers_error(node, request, "ERR the node has stopped");
    else
        node_answers_error(node, request, refusals[status]);
}

void node_answers_expire(struct node *node)
{
    struct waits *waits = &node->waits;
    struct leadership *leadership = &node->leadership;
    uint64_t now = uv_now(node->loop);

    while (waits->oldest != NULL &&
           waits->oldest->asked_ms + node->options->request_timeout_ms <= now)
        node_answers_give_up(node, waits->oldest);
    if (leadership->lost_ms == 0 || now < leadership->lost_deadline_ms)
        return;
    while (waits->oldest != NULL && waits->oldest->asked_ms <= leadership->lost_ms)
        node_answers_give_up(node, waits->oldest);
    leadership->lost_ms = 0;
}
