// paper.h: nodes that campaign as the paper has it, without asking for pre-votes first.
#ifndef TESTS_LABS_LAB1_PAPER_H
#define TESTS_LABS_LAB1_PAPER_H

#include "tests/raft/fixture.h"

// Starts (or restarts) the node with this on its disk: an entry for each of `terms`.
static UNUSED void paper_boot(struct node *node, raft_id id, uint32_t voters,
                              struct raft_hard_state hard_state, const raft_term *terms,
                              uint32_t count)
{
    node_init(node, id, voters);
    node->config.pre_vote = false;
    node_boot(node, hard_state, terms, count);
}

static UNUSED void paper_start(struct node *node, raft_id id, uint32_t voters)
{
    paper_boot(node, id, voters, (struct raft_hard_state){0}, NULL, 0);
}

// How long the node would wait now if it heard nothing more.
static UNUSED uint64_t paper_patience_ms(struct node *node)
{
    node_tick(node, 0);
    return node->output.deadline_ms - node->now_ms;
}

// Lets time pass up to the deadline that the node has told, to the millisecond.
static UNUSED void paper_wait(struct node *node)
{
    node_tick(node, paper_patience_ms(node));
}

// The votes of nodes 2 to `last` in the current term.
static UNUSED void paper_votes(struct node *node, raft_id last)
{
    for (raft_id from = 2; from <= last; from++)
        node_receive(node,
                     a_vote(from, node->config.id, node->view.current_term, true));
}

static UNUSED uint32_t paper_sent_count(const struct node *node,
                                        enum raft_message_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->sent_count; i++)
        count += node->sent[i].message.type == type;
    return count;
}

#endif
