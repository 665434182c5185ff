// node_answers.h: requests that end without having been run: refused, led elsewhere, or
// given up after too long.
#ifndef KVSERVER_NODE_ANSWERS_H
#define KVSERVER_NODE_ANSWERS_H

#include "kvserver/node_state.h"

void node_answers_error(struct node *node, struct request *request, const char *error);
void node_answers_redirect(struct node *node, struct request *request);
void node_answers_give_up(struct node *node, struct request *request);

// What the host said of a proposal that it did not take. Each of these certain: nothing
// was done.
void node_answers_status(struct node *node, struct request *request,
                         enum raft_status status);

// Gives up what has waited for too long, and what an earlier leadership left behind.
void node_answers_expire(struct node *node);

#endif
