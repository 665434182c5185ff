// manual.h: a world by hand, in which nothing happens by itself.
//
// What is sent waits in flight on its link, in the order of sending, until somebody
// delivers, repeats or drops it. The nodes' clocks stand still, but for a timeout, a
// jump, or a passing of time. A sync ends at once, or, where a disk is by hand too,
// when somebody says so. A client's request reaches its node at once, and so does the
// answer its client. So a list of such steps is a run, whatever the seed: schedules are
// made of them.
#ifndef SIM_MANUAL_H
#define SIM_MANUAL_H

#include <stdbool.h>

#include "kvserver/engine/engine.h"
#include "raft/raft.h"

struct world;
struct node;
struct client;

#define MANUAL_NONE UINT32_MAX

// "append", "vote-reply": the word for a message's kind; never NULL.
const char *manual_kind(const struct raft_message *message);
bool manual_is_kind(const char *word);

// The place in world->links.held of the `position`-th message (from 1) from one node to
// another; where `kind` is not NULL, of those of that kind. MANUAL_NONE: there is none.
uint32_t manual_find(const struct world *world, raft_id from, raft_id to,
                     const char *kind, uint64_t position);

// The message at that place, to be looked at; its data is out of reach.
const struct raft_message *manual_message(const struct world *world, uint32_t place);

void manual_deliver(struct world *world, uint32_t place);
void manual_again(struct world *world, uint32_t place); // it stays in flight, too
void manual_stray(struct world *world, uint32_t place); // a copy without a sender
void manual_drop(struct world *world, uint32_t place);

// Ends the node's syncs under way in their order, and those that start meanwhile, up to
// `most`; returns how many.
uint64_t manual_sync(struct node *node, uint64_t most);

// Time passes for all clocks; nobody looks at them.
void manual_pass(struct world *world, uint64_t us);

// Takes all that is due now: ends of syncs, requests, answers.
bool manual_drain(struct world *world);

// Hands the world over to the clock: all that is in flight is sent on.
void manual_end(struct world *world);

// ---- clients by hand ------------------------------------------------------------

// Makes a client of this number where there is none.
struct client *manual_client(struct world *world, uint32_t number);

// Gives a node a client's next request; what the client asked before is given up where
// it was not answered. A write goes with the client's session, if it has one.
void manual_ask(struct world *world, struct client *client, raft_id node,
                const struct bytes *words, uint32_t count, bool read);

// Asks for a session.
void manual_register(struct world *world, struct client *client, raft_id node);

// Gives a node the client's last request once more, answered or not: a copy that the
// network made, or another attempt. False where there is none, or where the store could
// not know it for the same.
bool manual_repeat(struct world *world, struct client *client, raft_id node);

// A command that was proposed for nobody, for the history: it may take effect at any
// time from now on, or never.
void manual_record(struct world *world, const struct bytes *words, uint32_t count);

#endif
