// append_entries.h: the AppendEntries RPC (Figure 2; section 5.3).
//
// A follower takes entries only behind a place where its log equals the leader's, drops
// its own only where a term differs (an old, short or repeated message takes nothing
// away), and commits no further than the last entry that the message has shown to
// match. It acknowledges what is durable. A message without entries is answered at
// once, with as much of the match as is on disk.
#ifndef RAFT_APPEND_ENTRIES_H
#define RAFT_APPEND_ENTRIES_H

#include "raft/raft.h"

struct progress;

// Of the current or an older term. RAFT_INVALID where no correct leader could send it.
enum raft_status append_entries_receive(struct raft *raft,
                                        const struct raft_message *message,
                                        struct raft_output *output);

// An acknowledgement or a refusal. RAFT_OK, and nothing changes, for one that says
// nothing any more: of an older term, from no member, or where this node does not lead.
// RAFT_INVALID, and nothing changes, for one that no correct follower of this term
// sends: it matches beyond the log's end, refuses what stands behind index 0, or echoes
// a round that has not begun. One of this term that comes late or twice is RAFT_OK:
// match_index never goes down, and next_index stays above it.
enum raft_status append_entries_receive_reply(struct raft *raft,
                                              const struct raft_message *message,
                                              struct raft_output *output);

// As leader: this peer's durable log equals the own up to match_index (LEAD-3a). True
// where that is news.
bool append_entries_matched(struct progress *peer, raft_index match_index);

// As leader: owes every peer a message, be it empty.
void append_entries_heartbeat(struct raft *raft);

// As leader: sends each peer what is due and what its window allows.
void append_entries_send(struct raft *raft, struct raft_output *output);

#endif
