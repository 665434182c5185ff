// progress.h: what a leader knows of each peer (Figure 2, "Volatile state on leaders").
//
// A peer begins in PROBE: one message at a time, since its log is not known. Once one
// was accepted it is in REPLICATE: several messages are in flight and next_index runs
// ahead of what was acknowledged; a refusal sends it back to PROBE. One that needs
// entries which the leader has dropped is in SNAPSHOT until it has a snapshot.
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

struct progress_message {
    raft_index last_index;
    uint64_t bytes;
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
    uint64_t inflight_bytes;
    struct progress_message inflight[RAFT_INFLIGHT_MAX];

    uint64_t contact_ms; // when it was last heard in this term

    // Catching up goes in rounds: each ends where the log ended when it began
    // (dissertation 4.2.1).
    raft_index round_end_index;
    uint64_t round_start_ms;
    bool round_was_short; // the last one took no longer than an election timeout

    // SNAPSHOT: which, how much of it the peer has, and the chunk under way.
    raft_index snapshot_index;
    uint64_t snapshot_offset;
    bool snapshot_sent;
    uint64_t snapshot_sent_ms;
};

// As a new leader begins: next is one past its last entry, nothing is known to match.
void progress_reset(struct progress *progress, raft_index last_index, uint64_t now_ms);

void progress_become_probe(struct progress *progress, raft_index next_index);
void progress_become_replicate(struct progress *progress);
void progress_become_snapshot(struct progress *progress, raft_index snapshot_index);

// Whether a message with entries may be sent now.
bool progress_may_send(const struct progress *progress,
                       const struct raft_config *config);

// Entries up to `last_index` were sent, with so many bytes of data.
void progress_sent(struct progress *progress, raft_index last_index, uint64_t bytes);

// What it has acknowledged, up to match_index, is in flight no more.
void progress_arrived(struct progress *progress);

// Whether a refusal of `prev_log_index` still says something about the peer's log.
bool progress_refusal_is_news(const struct progress *progress,
                              raft_index prev_log_index);

// Ends the round of catching up where the peer has reached its end, and begins the
// next.
void progress_advance_round(struct progress *progress, raft_index last_index,
                            uint64_t now_ms, uint32_t election_timeout_ms);

// Whether it would hold up nobody as a voter: its last round was short, and so is, as
// yet, the one under way.
bool progress_is_caught_up(const struct progress *progress, uint64_t now_ms,
                           uint32_t election_timeout_ms);

#endif
