// node.h: a node of Maelstrom's workload lin-kv over raft/host.
//
// It is told its name and the others' by `init`; only then is there a host. Lines come
// in through node_take(), and node_turn() does what is due: deadlines, and syncs, which
// are waited for (a turn's writes share one). Answers leave through stdout.
//
// Writes and cas go to the leader: who does not lead passes them on, once, and gives
// the answer back. Reads are asked of the own host, which asks the leader (ReadIndex).
#ifndef KVSERVER_MAELSTROM_NODE_H
#define KVSERVER_MAELSTROM_NODE_H

#include <stddef.h>
#include <stdint.h>

struct node;

// The directory is borrowed; a node keeps its log in one of its own below it.
struct node *node_new(const char *directory);
void node_free(struct node *node);

void node_take(struct node *node, const char *line, size_t size);

// Returns in how many ms the next turn is due at the latest; -1: none is.
int node_turn(struct node *node);

#endif
