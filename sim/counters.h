// counters.h: what a world has cost since it began, or since somebody asked anew.
//
// Messages are counted as they are sent, whether they arrive or not, and have a size by
// a fixed model, which no change of the code moves: COUNTERS_MESSAGE_BYTES each, in an
// AppendEntries COUNTERS_ENTRY_BYTES and the data for each entry, and the bytes of a
// snapshot's chunk. Steps and elections are read off the nodes' views, and so mean the
// same whatever the core is like inside.
#ifndef SIM_COUNTERS_H
#define SIM_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "raft/raft.h"

struct world;

enum {
    COUNTERS_MESSAGE_BYTES = 64,
    COUNTERS_ENTRY_BYTES = 24,
};

enum counters_kind {
    COUNTERS_PRE_VOTE,
    COUNTERS_PRE_VOTE_REPLY,
    COUNTERS_VOTE,
    COUNTERS_VOTE_REPLY,
    COUNTERS_APPEND, // AppendEntries with entries; without: a heartbeat
    COUNTERS_HEARTBEAT,
    COUNTERS_APPEND_REPLY,
    COUNTERS_SNAPSHOT,
    COUNTERS_SNAPSHOT_REPLY,
    COUNTERS_TIMEOUT_NOW,
    COUNTERS_READ_INDEX,
    COUNTERS_READ_INDEX_REPLY,
    COUNTERS_KINDS,
};

enum counter {
    COUNTER_STEPS,            // of all nodes
    COUNTER_SYNCS,            // begun
    COUNTER_ELECTIONS,        // campaigns in a new term; a pre-vote is none
    COUNTER_ELECTIONS_WON,    //
    COUNTER_ENTRIES_APPENDED, // new ones, by leaders to their own logs
    COUNTER_ENTRIES_SENT,     // in messages
    COUNTER_ENTRIES_WRITTEN,  // given to disks
    COUNTER_WAIT_US_MAX,      // of a client, for what it has asked for
    COUNTER_COUNT,
};

struct counters {
    uint64_t since_us;
    uint64_t values[COUNTER_COUNT];
    uint64_t messages[COUNTERS_KINDS];
    uint64_t bytes[COUNTERS_KINDS];
    raft_index committed; // the highest commit index that any node has had
    raft_index committed_before;
    raft_term term_max; // of all nodes, since the world began
};

// Counts anew from here.
void counters_reset(struct counters *counters, uint64_t now_us);

void counters_sent(struct counters *counters, const struct raft_message *message);

// A client has waited for so long, whether it has its answer now or not.
void counters_waited(struct counters *counters, uint64_t wait_us);

// A node has taken a step; it was in this role, term and log before.
struct counters_before {
    enum raft_role role;
    raft_term term;
    raft_index last_index;
};
void counters_step(struct counters *counters, const struct counters_before *before,
                   const struct raft_view *view, const struct raft_output *output);

struct counters_item {
    char name[40];
    uint64_t value;
};

// What is counted at this place of the list; false behind its end.
bool counters_at(const struct counters *counters, uint64_t now_us, uint32_t at,
                 struct counters_item *item);

// The value by the name; false where there is none of that name.
bool counters_find(const struct counters *counters, uint64_t now_us, const char *name,
                   uint64_t *value);

#endif
