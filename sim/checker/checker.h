// checker.h: the properties of Figure 3 and the monotone indices, after every event.
//
// The checker never looks into a node: it is told of each step (the view after it, the
// event, the output), of each applied entry and of crashes and starts, and keeps its
// own picture of every log. Each entry of that picture carries the *chain*, a hash over
// the whole log up to there, so that "equal up to here" is one comparison and a check
// costs the same at the millionth entry as at the first. What a snapshot stands for is
// taken from the one committed log, which it must agree with.
//
// The first violation names the property, the event, the time, the nodes and the fact.
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include <stdbool.h>

#include "raft/raft.h"

enum property {
    PROPERTY_ELECTION_SAFETY,      // at most one leader can be elected in a term
    PROPERTY_LEADER_APPEND_ONLY,   // a leader only appends to its log
    PROPERTY_LOG_MATCHING,         // same index and term: same log up to there
    PROPERTY_LEADER_COMPLETENESS,  // later leaders hold all that was committed before
    PROPERTY_STATE_MACHINE_SAFETY, // the same entry is applied at the same index
    PROPERTY_STATE_EQUALITY,       // the same index applied: the same state hash
    PROPERTY_APPLY_ORDER,          // entries are applied one by one, once committed
    PROPERTY_TERM_MONOTONIC,
    PROPERTY_COMMIT_MONOTONIC,
    PROPERTY_MATCH_MONOTONIC,
    PROPERTY_MATCH_TRUE,      // matchIndex tells what the follower really holds
    PROPERTY_COMMIT_OWN_TERM, // a leader counts replicas only for its term (5.4.2)
    PROPERTY_COMMIT_DURABLE,  // what is committed is durable on a majority
    PROPERTY_COMMIT_KEPT,     // a committed entry is never overwritten
    PROPERTY_VOTE_ONCE,       // one vote in a term, across restarts too
    PROPERTY_HARD_STATE,      // a new term and a new vote are given out to persist
    PROPERTY_VOTE_DURABLE,    // a vote leaves only once it is durable
    PROPERTY_ACK_DURABLE,     // an acknowledgement leaves only once it is durable
    PROPERTY_DURABILITY,      // what was reported durable survives a crash
    PROPERTY_LOG_TERMS,       // terms in a log never fall, none is of the future
    PROPERTY_OUTPUT_SHAPE,    // outputs tell the truth about the log
    PROPERTY_CORE_INVARIANT,  // raft_check()
    PROPERTY_VOTE_QUORUM,     // a leader has the votes of its configuration's majority
    PROPERTY_LEADER_MEMBER,   // who is known to be no voter does not lead
    PROPERTY_CONFIGURATION,   // what is logged, used and told are the same, and sound
    PROPERTY_CHANGE_ALONE,    // one change at a time, majorities that overlap (4.3)
    PROPERTY_CHANGE_OWN_TERM, // no change before a commit in the leader's own term
    PROPERTY_SNAPSHOT,        // a snapshot tells what was committed, and no log lacks
                              // what no snapshot holds
    PROPERTY_SNAPSHOT_TAKEN,  // one that arrives is taken once its term is on disk, and
                              // one of no use is asked for again
    PROPERTY_NODE_STOPPED,    // a node gave up although its disk was well
    PROPERTY_LIVENESS,        // a healed cluster comes to rest, all equal
    PROPERTY_REST,            // and then counts nothing as under way
    PROPERTY_VOTE_KEPT,       // a vote that was given is given again
    PROPERTY_PROMISE,         // no vote against a leader that was just heard (6.2)
    PROPERTY_TIMEOUT,         // a pre-vote is no news of a leader, nor a reason to wait
    PROPERTY_QUORUM_HEARD,    // a leader that hears no majority steps down (6.2)
    PROPERTY_COMMIT_AT_ONCE,  // what a majority has is committed (LEAD-4)
    PROPERTY_READ_INDEX,      // a read is not behind what was committed (6.4)
    PROPERTY_LEASE,           // nobody else leads while a lease is held (6.4.1)
    PROPERTY_LINEARIZABILITY, // the clients' histories
    PROPERTY_OWN,             // an invariant of sim/own
    PROPERTY_COUNT,
};

struct violation {
    enum property property;
    uint64_t event;
    uint64_t time_us;
    raft_id node;
    raft_id other; // 0: none
    char text[200];
};

enum { CHECKER_VIOLATIONS_MAX = 8 };

// One step of one node.
struct checker_step {
    const struct raft_view *view; // after the step
    const struct raft_event *event;
    const struct raft_output *output;
    const char *broken; // raft_check()'s answer
};

struct checker; // opaque

// What the nodes are set up with, for rules that depend on it. All zeroes: those rules
// are not checked.
struct checker_limits {
    uint64_t election_timeout_ms;
    uint64_t heartbeat_ms;
    uint64_t message_bytes_max; // 0: not checked
    bool check_quorum;
    bool perfect_disks; // what a step gives out to persist is durable in that step
    bool leases;
    bool drift_unbounded; // clocks may be further apart than leases allow for
};

const char *checker_property_text(enum property property);

// Nodes are 1..node_count; the first `member_count` are the voters of the first start.
struct checker *checker_new(uint32_t node_count, uint32_t member_count);
void checker_free(struct checker *checker);
void checker_set_limits(struct checker *checker, const struct checker_limits *limits);

// From now on nothing is checked, only what others ask for is counted: to measure what
// the checks cost. What it then finds, or does not find, says nothing.
void checker_switch_off(struct checker *checker);

// The same, and of what others find only PROPERTY_OWN counts.
void checker_leave_to_own(struct checker *checker);
bool checker_is_on(const struct checker *checker);

// Says what the next violation is to be stamped with.
void checker_at(struct checker *checker, uint64_t event, uint64_t time_us);

// A node starts: what its snapshot stands for (0: nothing), then its log as found on
// disk, entry by entry, then its view.
void checker_base(struct checker *checker, raft_id id, raft_index index,
                  raft_term term);
void checker_load(struct checker *checker, raft_id id, const struct raft_entry *entry);
void checker_open(struct checker *checker, raft_id id, const struct raft_view *view);
void checker_crash(struct checker *checker, raft_id id);

void checker_step(struct checker *checker, raft_id id, const struct checker_step *step);

// The state machine of `id` has applied this entry and has this hash now.
void checker_apply(struct checker *checker, raft_id id, const struct raft_entry *entry,
                   uint64_t state_hash);

// The state machine of `id` was replaced by a snapshot's, and has this hash now; also
// before it starts.
void checker_restored(struct checker *checker, raft_id id, raft_index index,
                      uint64_t state_hash);

// Whether these nodes (as bits) are a quorum of each configuration that may count now:
// the newest that is committed, and any later one in a log.
bool checker_is_quorum(const struct checker *checker, uint32_t nodes);

// A violation found by somebody else.
void checker_violate(struct checker *checker, enum property property, raft_id node,
                     raft_id other, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

uint32_t checker_violation_count(const struct checker *checker);
const struct violation *checker_violation(const struct checker *checker, uint32_t at);

// The longest committed prefix that any node has shown, and how many leaders there
// were.
raft_index checker_committed(const struct checker *checker);
uint64_t checker_leaders(const struct checker *checker);
uint64_t checker_configurations(const struct checker *checker); // committed ones

#endif
