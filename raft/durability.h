// durability.h: what is on disk, and what must wait for it.
//
// "Updated on stable storage before responding to RPCs" (Figure 2, label STATE-0). Each
// step that changes persistent state gives out one numbered write. The host reports
// numbers back, and only a number says which writing of an index was meant: entries 5,6
// may be written, replaced, and written again with the same index and term, and the
// first report must not vouch for the third writing. Messages that speak of something
// not yet durable wait here. They are few (replies and vote requests); a full outbox
// drops the oldest, as a network may.
#ifndef RAFT_DURABILITY_H
#define RAFT_DURABILITY_H

#include "raft/raft.h"

struct durability_write {
    uint64_t write;
    raft_index last_index; // of the log, as this write leaves it
};

struct outbox_item {
    uint64_t needs;              // may go once this write is durable
    raft_term made_in;           // is worth nothing in another term
    struct raft_message message; // of a kind without entries
};

struct durability {
    uint64_t issued;           // writes given out
    uint64_t reported;         // writes that are durable
    uint64_t hard_state_write; // the newest with a hard state; 0: as found on disk
    raft_index durable_index;  // the log is on disk up to here
    raft_index persist_from;   // entries that this step adds to its write; 0: none
    raft_term durable_term;    // of the hard state on disk
    uint32_t pending_first;
    uint32_t pending_count;
    struct durability_write pending[RAFT_WRITES_MAX];
    uint32_t outbox_count;
    struct outbox_item outbox[RAFT_OUTBOX_MAX];
};

struct raft;

// Holds a message (made by this core, in the current term) back until `needs` is
// durable.
void durability_defer(struct raft *raft, const struct raft_message *message,
                      uint64_t needs);

// The write that makes all that has changed so far durable, this step's included.
uint64_t durability_newest_write(const struct raft *raft,
                                 const struct raft_output *output);

// The log loses the entry at `index` and all behind it: no report vouches for them now.
void durability_forget(struct raft *raft, raft_index index);

// The log begins anew behind `index`, and a durable snapshot holds all up to there.
void durability_restart(struct raft *raft, raft_index index);

// Gives this step's write its number and puts it into the output, where there is one.
void durability_issue(struct raft *raft, struct raft_output *output);

// The host reports: every write up to this one is durable.
enum raft_status durability_report(struct raft *raft, uint64_t write);

// Whether the current term and vote are on disk.
bool durability_of_hard_state(const struct raft *raft);

// Moves what may go now from the outbox to the output.
void durability_release(struct raft *raft, struct raft_output *output);

#endif
