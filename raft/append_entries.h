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
