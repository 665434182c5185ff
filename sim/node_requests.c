#include "sim/node_requests.h"

#include "sim/world.h"

#include <stdlib.h>

// Ends a request: its answer goes to the client, or to the ticket.
static void finish(struct node *node, uint64_t handle, enum reply_status status,
                   const struct buffer *data)
{
    struct world *world = node->world;
    const struct request *request = pool_at(&world->pool, handle);
    struct reply reply = {
        .status = status,
        .client = request->client,
        .operation = request->operation,
        .from = node->id,
        .leader_hint = node->view.leader_id,
        .size = data == NULL ? 0 : (uint32_t)data->size,
    };
    const void *bytes = data == NULL ? NULL : data->data;

    if (node_is_cut_off(node)) {
        reply.status = REPLY_LOST;
        reply.size = 0;
    }
    if (reply.client == REQUEST_TICKET)
        world_end_ticket(world, &reply, bytes);
    else if (!node_is_cut_off(node))
        clients_send_reply(world, &reply, bytes);
    pool_give(&world->pool, handle);
}

static struct node_proposal *proposal_at(struct node *node, uint32_t position)
{
    assert(position < node->proposal_count);
    return &node->proposals[(node->proposal_first + position) &
                            (node->proposal_capacity - 1)];
}

static void push_proposal(struct node *node, struct node_proposal proposal)
{
    uint32_t count = node->proposal_count;

    // The log was cut and grows again: what stood there before is lost.
    while (count > 0 && proposal_at(node, count - 1)->index >= proposal.index) {
        finish(node, proposal_at(node, count - 1)->request, REPLY_LOST, NULL);
        node->proposal_count = --count;
    }
    if (count == node->proposal_capacity) {
        uint32_t capacity = count == 0 ? 64 : 2 * count;
        struct node_proposal *grown = malloc(capacity * sizeof(*grown));

        if (grown == NULL)
            abort();
        for (uint32_t i = 0; i < count; i++)
            grown[i] = *proposal_at(node, i);
        free(node->proposals);
        node->proposals = grown;
        node->proposal_capacity = capacity;
        node->proposal_first = 0;
    }
    node->proposal_count++;
    *proposal_at(node, count) = proposal;
}

static struct node_proposal pop_proposal(struct node *node)
{
    struct node_proposal proposal = *proposal_at(node, 0);

    node->proposal_first = (node->proposal_first + 1) & (node->proposal_capacity - 1);
    node->proposal_count--;
    return proposal;
}

void node_requests_applied(struct node *node, const struct raft_entry *entry,
                           const struct buffer *reply)
{
    while (node->proposal_count > 0) {
        struct node_proposal proposal = *proposal_at(node, 0);

        if (proposal.index > entry->index)
            return;
        pop_proposal(node);
        if (proposal.index == entry->index && proposal.term == entry->term)
            finish(node, proposal.request, REPLY_DONE, reply);
        else
            finish(node, proposal.request, REPLY_LOST, NULL);
    }
}

void node_requests_restored(struct node *node, raft_index index)
{
    while (node->proposal_count > 0 && proposal_at(node, 0)->index <= index)
        finish(node, pop_proposal(node).request, REPLY_LOST, NULL);
}

void node_requests_read_ready(void *context, uint64_t id, enum raft_status status)
{
    struct node *node = context;
    struct world *world = node->world;
    uint64_t handle;

    assert(id < NODE_READS_MAX);
    handle = node->reads[id];
    if (handle == 0)
        return;
    node->reads[id] = 0;
    if (status == RAFT_OK) {
        const struct request *request = pool_at(&world->pool, handle);
        struct bytes words[REQUEST_WORDS_MAX];

        request_words(request, words);
        buffer_clear(&world->scratch);
        service_read(node->service, words, request->word_count, node_wall_ms(node),
                     &world->scratch);
        finish(node, handle, REPLY_DONE, &world->scratch);
    } else {
        finish(node, handle, REPLY_NOT_LEADER, NULL);
    }
}

// A node that is no more answers nobody; but a ticket is told.
static void forget(struct node *node, uint64_t handle)
{
    const struct request *request = pool_at(&node->world->pool, handle);

    if (request->client == REQUEST_TICKET)
        finish(node, handle, REPLY_LOST, NULL);
    else
        pool_give(&node->world->pool, handle);
}

void node_requests_forget(struct node *node)
{
    for (uint32_t i = 0; i < node->proposal_count; i++)
        forget(node, proposal_at(node, i)->request);
    node->proposal_count = 0;
    for (uint32_t i = 0; i < NODE_READS_MAX; i++) {
        if (node->reads[i] != 0)
            forget(node, node->reads[i]);
        node->reads[i] = 0;
    }
}

enum raft_status node_requests_propose(struct node *node, uint64_t handle,
                                       raft_index *index, raft_term *term)
{
    struct world *world = node->world;
    const struct request *request = pool_at(&world->pool, handle);
    struct bytes words[REQUEST_WORDS_MAX];
    struct raft_command command;
    enum raft_status status;

    request_words(request, words);
    buffer_clear(&world->scratch);
    service_encode(&world->scratch, node_wall_ms(node), request->session,
                   request->sequence, words, request->word_count);
    command = (struct raft_command){world->scratch.data, (uint32_t)world->scratch.size};
    status = host_propose(node->host, &node->io, node_now_ms(node), &command, 1, index,
                          term);
    if (status == RAFT_OK)
        push_proposal(node, (struct node_proposal){*index, *term, handle});
    node_settle(node);
    return status;
}

enum raft_status node_requests_change(struct node *node, uint64_t handle,
                                      const struct raft_configuration *changes,
                                      raft_index *index, raft_term *term)
{
    enum raft_status status =
        host_change(node->host, &node->io, node_now_ms(node), changes->members,
                    changes->count, index, term);

    if (status == RAFT_OK)
        push_proposal(node, (struct node_proposal){*index, *term, handle});
    node_settle(node);
    return status;
}

void node_requests_read(struct node *node, uint64_t handle)
{
    enum raft_status status;
    uint32_t slot = node->read_next;

    for (uint32_t i = 0; i < NODE_READS_MAX && node->reads[slot] != 0; i++)
        slot = (slot + 1) % NODE_READS_MAX;
    if (node->reads[slot] != 0) {
        finish(node, handle, REPLY_REFUSED, NULL);
        return;
    }
    node->read_next = (slot + 1) % NODE_READS_MAX;
    node->reads[slot] = handle;
    status = host_read(node->host, &node->io, node_now_ms(node), slot);
    if (status != RAFT_OK && node->reads[slot] == handle) {
        node->reads[slot] = 0;
        finish(node, handle,
               status == RAFT_NOT_LEADER ? REPLY_NOT_LEADER : REPLY_REFUSED, NULL);
    }
    node_settle(node);
}

void node_requests_take(struct node *node, uint64_t handle)
{
    const struct request *request = pool_at(&node->world->pool, handle);
    enum raft_status status;
    raft_index index;
    raft_term term;

    if (request->read) {
        node_requests_read(node, handle);
        return;
    }
    status = node_requests_propose(node, handle, &index, &term);
    if (status != RAFT_OK)
        finish(node, handle,
               status == RAFT_NOT_LEADER ? REPLY_NOT_LEADER : REPLY_REFUSED, NULL);
}
