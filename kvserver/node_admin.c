#include "kvserver/node_admin.h"

#include <string.h>

#include "kvserver/members.h"
#include "kvserver/node_answers.h"
#include "kvserver/service/command.h"
#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"

static void answer_ok(struct node *node, struct request *request)
{
    node_forget(node, request);
    resp_simple(node->client.reply_to(request), "OK");
    node->client.replied(request);
}

static void answer_with(struct node *node, struct request *request,
                        const struct buffer *reply)
{
    node_forget(node, request);
    buffer_append(node->client.reply_to(request), reply->data, reply->size);
    node->client.replied(request);
}

// ---- members --------------------------------------------------------------------

static void members_propose(struct node *node, struct request *request,
                            const struct members_delta *delta)
{
    raft_index index = 0;
    raft_term term = 0;
    enum raft_status status = host_change(node->host, &node->io, uv_now(node->loop),
                                          delta->members, delta->count, &index, &term);
    struct request *loser;

    node->touched = true;
    if (status != RAFT_OK) {
        node_look(node);
        node_answers_status(node, request, status);
        return;
    }
    request->index = index;
    request->term = term;
    loser = pending_add(&node->pending, request);
    if (loser != NULL)
        node_answers_give_up(node, loser);
}

// A leader that is to go hands leadership over first: what clients wait for is then
// committed by the next one while this node can still learn of it. That one is asked.
static bool leave_first(struct node *node, struct request *request,
                        const struct members_delta *delta)
{
    bool leaves = false;

    for (uint32_t i = 0; i < delta->count; i++)
        leaves = leaves || (delta->members[i].id == node->options->id &&
                            delta->members[i].role != RAFT_VOTER);
    if (!leaves || request->tried ||
        host_transfer(node->host, &node->io, uv_now(node->loop), 0) != RAFT_OK)
        return false;
    request->tried = true;
    node->leaving = request;
    node->touched = true;
    node_look(node);
    return true;
}

static void members_run(struct node *node, struct request *request)
{
    struct raft_member self = {.id = node->options->id};
    struct buffer error = {0};
    struct members_delta delta;
    struct members_ask ask;

    place_write(&options_self(node->options)->place, self.address);
    if (!members_read(request->words + 1, request->word_count - 1, &ask, &error)) {
        answer_with(node, request, &error);
    } else {
        switch (members_resolve(&ask, &node->leadership.configuration, &self, &delta,
                                &error)) {
        case MEMBERS_REFUSED:
            answer_with(node, request, &error);
            break;
        case MEMBERS_FULFILLED:
            answer_ok(node, request);
            break;
        case MEMBERS_TO_CHANGE:
            if (!leave_first(node, request, &delta))
                members_propose(node, request, &delta);
            break;
        }
    }
    buffer_free(&error);
}

// ---- leadership -----------------------------------------------------------------

static const struct raft_member *member_of(const struct node *node, raft_id id)
{
    return raft_member_find(&node->leadership.configuration, id);
}

static void transfer_run(struct node *node, struct request *request)
{
    uint64_t to = 0;
    enum raft_status status;

    if (request->word_count > 2 ||
        (request->word_count == 2 && !number_parse_unsigned(request->words[1], &to))) {
        node_answers_error(node, request, "ERR RAFT.TRANSFER takes a member's id");
    } else if (to == node->options->id) {
        answer_ok(node, request);
    } else if (to > UINT32_MAX || (to != 0 && member_of(node, (raft_id)to) == NULL)) {
        node_answers_error(node, request, "ERR there is no such member");
    } else if (to != 0 && member_of(node, (raft_id)to)->role != RAFT_VOTER &&
               member_of(node, (raft_id)to)->role != RAFT_STAYING) {
        node_answers_error(node, request, "ERR that member has no vote");
    } else {
        status = host_transfer(node->host, &node->io, uv_now(node->loop), (raft_id)to);
        node->touched = true;
        if (status == RAFT_OK)
            node->transfer = request;
        else if (status == RAFT_INVALID || status == RAFT_NOT_CAUGHT_UP)
            node_answers_error(node, request, "ERR no other voter can be heard");
        else
            node_answers_status(node, request, status);
    }
}

// ---- both -----------------------------------------------------------------------

static void run(struct node *node, struct request *request)
{
    struct bytes name = request->words[0];

    if (command_word_is(name, "RAFT.SNAPSHOT") && request->word_count > 1) {
        node_answers_error(node, request,
                           "ERR wrong number of arguments for 'raft.snapshot' command");
    } else if (command_word_is(name, "RAFT.SNAPSHOT")) {
        host_snapshot(node->host, &node->io, uv_now(node->loop));
        node->touched = true;
        answer_ok(node, request);
    } else if (leadership_moves(&node->leadership) || node->transfer != NULL) {
        node_answers_status(node, request, RAFT_TRANSFERRING);
    } else if (!leadership_ours(&node->leadership)) {
        node_answers_redirect(node, request);
    } else if (command_word_is(name, "RAFT.TRANSFER")) {
        transfer_run(node, request);
    } else {
        members_run(node, request);
    }
}

void node_admin_flush(struct node *node)
{
    struct request *request;

    while ((request = reads_take(&node->asks.gathering)) != NULL)
        run(node, request);
}

static void transfer_watch(struct node *node)
{
    const struct raft_view *view = &node->leadership.view;
    struct request *request = node->transfer;

    if (request == NULL || view->transfer_to != 0)
        return;
    if (view->role == RAFT_LEADER)
        node_answers_error(node, request,
                           "ERR the transfer did not succeed: this node leads on");
    else if (view->leader_id != 0)
        answer_ok(node, request);
}

void node_admin_watch(struct node *node)
{
    struct request *leaving = node->leaving;

    transfer_watch(node);
    if (leaving == NULL || leadership_moves(&node->leadership))
        return;
    node->leaving = NULL;
    run(node, leaving);
}
