// progress.h: what a leader knows of each peer (Figure 2, "Volatile state on leaders").
//
// A peer begins in PROBE: one message at a time, since its log is not known. Once one
// was accepted it is in REPLICATE: several messages are in flight and next_index runs
// ahead of what was acknowledged; a refusal sends it back to PROBE.
// Invariant: match_index < next_index, and neither match_index nor acked_round
// decreases within a term.
#ifndef RAFT_PROGRESS_H
#define RAFT_PROGRESS_H

#include "raft/raft.h"

enum progress_vote {
    PROGRESS_VOTE_UNKNOWN = 0,
    PROGRESS_VOTE_GRANTED,
    PROGRESS_VOTE_REFUSED,
};

struct progress {
    raft_id id;
    enum progress_vote vote; // in the campaign under way

    // On leaders.
    raft_index next_index;
    raft_index match_index;
    uint64_t acked_round; // the newest read round that it confirmed
    enum raft_progress_state state;
    bool probe_sent; // PROBE: waits for an answer, or for the next heartbeat
    bool ping;       // owed a message, even an empty one
    uint32_t inflight_count;
    uint32_t inflight_first;
    raft_index inflight[RAFT_INFLIGHT_MAX]; // last index of each message under way
};

// As a new leader begins: next is one past its last entry, nothing is known to match.
void progress_reset(struct progress *progress, raft_index last_index);

void progress_become_probe(struct progress *progress, raft_index next_index);
void progress_become_replicate(struct progress *progress);

// Whether a message with entries may be sent now.
bool progress_may_send(const struct progress *progress, uint32_t inflight_max);

// Entries up to `last_index` were sent.
void progress_sent(struct progress *progress, raft_index last_index);

// The peer's durable log equals the leader's up to `match_index`. True where that is
// news.
bool progress_acknowledged(struct progress *progress, raft_index match_index);

// Whether a refusal of `prev_log_index` still says something about the peer's log.
bool progress_refusal_is_news(const struct progress *progress,
                              raft_index prev_log_index);

#endif
