// checker_state.h: what the checker remembers. Internal to sim/checker*.c.
//
// The shadow of a node is made from its outputs alone: what it was to persist, what was
// reported durable, what it sent. It is never read from the node.
#ifndef SIM_CHECKER_STATE_H
#define SIM_CHECKER_STATE_H

#include "sim/checker/checker.h"
#include "sim/checker/marks.h"
#include "sim/checker/electorate.h"

// A write under way, and what it makes durable.
struct pending_write {
    uint64_t number;
    raft_index last; // of the log; lowered where a later write replaces entries
    struct raft_hard_state hard_state;
};

enum { PROMISES_READS = 512 }; // more than can be under way

struct promised_read {
    uint64_t id; // and one more; 0: none
    raft_index committed;
};

// What one incarnation of a node has promised or is held to.
struct promises {
    uint64_t heard_ms; // on its own clock: a leader
    raft_id heard_from;
    raft_term vote_term; // its newest vote, and its log at that moment
    raft_index vote_last_index;
    raft_term vote_last_term;
    uint64_t deadline_ms; // when it wanted to be called again
    raft_id leader_id;    // as it knew
    raft_term told_term;  // in which it was told to take over
    bool alone;           // as leader: no majority was heard within a timeout...
    uint64_t alone_ms;    // ...from this moment on at the latest
    raft_index configuration_index; // after its last step
    struct promised_read reads[PROMISES_READS];
};

// What the checker remembers of one node.
struct shadow {
    // Persistent on the node: kept across its crashes.
    struct marks log;
    struct electorate_list members; // the configurations in it
    struct marks found;             // while it starts: what was on its disk
    struct electorate_list found_members;
    raft_index durable_index;
    struct raft_hard_state durable;
    raft_term granted_term; // the newest term in which it voted for somebody
    raft_id granted_to;
    uint32_t incarnation;

    // Of this incarnation.
    bool up;
    enum raft_role role;
    struct raft_hard_state hard_state;
    raft_index commit_index;
    raft_index given; // for apply
    raft_index applied;
    uint64_t write; // the newest number
    struct pending_write *pending;
    uint32_t pending_first;
    uint32_t pending_count;
    uint32_t pending_capacity;
    raft_index match[RAFT_MEMBERS_MAX + 1]; // as leader; by id
    uint32_t peers;                         // as leader: whom it knows, as bits
    raft_index first_index;
    raft_index snapshot_index;
    raft_index restoring;            // a snapshot is being restored; 0: none
    struct electorate_place decides; // was in use before this step
    raft_index committed_before;     // this step, as it knew
    struct electorate_place in_use;  // as its view has told last
    struct promises promises;
};

struct checker {
    uint32_t node_count;
    uint32_t member_count; // of the first start
    struct checker_limits limits;
    struct shadow nodes[RAFT_MEMBERS_MAX + 1];

    struct marks places;         // by index: the first term seen there, and its chain
    struct mark_map other;       // (index, term) -> chain for further terms
    struct mark_map leaders;     // (1, term) -> node and incarnation
    struct mark_map votes;       // (candidate, term) -> who voted for it
    struct marks committed;      // what some node has shown as committed
    raft_index committed_before; // up to where, before the step
    struct electorate_list committed_members;
    struct marks commit_terms; // one for each: the term, and from which index on it
                               // committed, as `chain`
    struct marks states;       // by index: the hash of the state machine, once applied
    uint64_t leader_count;
    raft_term leader_term; // the newest that has had a leader
    bool off;
    bool own; // only PROPERTY_OWN counts
    raft_index committed_unchecked; // while it is off

    uint64_t event;
    uint64_t time_us;
    uint32_t violation_count;
    struct violation violations[CHECKER_VIOLATIONS_MAX];
};

// The shadow of node `id`, which is one of 1..node_count.
static inline struct shadow *checker_shadow(struct checker *checker, raft_id id)
{
    assert(id >= 1 && id <= checker->node_count);
    return &checker->nodes[id];
}

// The mark of a node's log. Up to its base that is what was committed.
static inline struct mark checker_mark(const struct checker *checker,
                                       const struct marks *log, raft_index index)
{
    return marks_at(index > log->base ? log : &checker->committed, index);
}

// Whether this log holds what was committed up to `index`.
// False also where so much was never committed.
bool checker_holds_committed(const struct checker *checker, const struct shadow *shadow,
                             raft_index index);

#endif
