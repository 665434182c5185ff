// subject.h: one node taken out of its normal form, moved by one event, and put back.
//
// A node here is a real core (raft/), what its disk holds where syncs are made by hand,
// and the newest vote that it let go. Its form leaves out what changes nothing: clocks
// and deadlines (a timeout may come at any time), the random generator, counters that
// only observers read, places in rings, numbers of writes long durable, what it knew as
// a leader or candidate and reads no more, and the space for outputs.
//
// That clocks are left out is sound because nothing but timers reads them: check-quorum
// and leases are off, nobody reads or hands leadership over, and of pre-vote's question
// ("was a leader heard lately?") the answer is kept. Time passes in timeouts alone.
// Effects follow the host: write, send, apply; a sync ends at once or by an event.
#ifndef SIM_EXPLORE_SUBJECT_H
#define SIM_EXPLORE_SUBJECT_H

#include "raft/state.h"
#include "sim/checker/checker.h"
#include "sim/explore/parcel.h"

enum {
    SUBJECT_MESSAGES_MAX = 96,
    SUBJECT_LOG_MAX = PARCEL_ENTRIES_MAX,
};

struct subject_config {
    uint32_t node_count;
    uint32_t member_count; // nodes 1 to this are the voters of the first start
    uint32_t batch;        // entries in a message at the most
    bool pre_vote;
    bool sync_by_hand; // else a sync ends at once
};

enum subject_event_kind {
    SUBJECT_TIMEOUT = 1, // its deadline has come: it campaigns, or sends heartbeats
    SUBJECT_PROPOSE,
    SUBJECT_CRASH, // what is not on disk is lost; it starts again at once
    SUBJECT_SYNC,  // all that was written is durable
    SUBJECT_REMOVE,
    SUBJECT_ADD, // as one that becomes a voter once it has caught up
    SUBJECT_DELIVER,
};

struct subject_event {
    enum subject_event_kind kind;
    raft_id member;              // REMOVE, ADD
    const struct parcel *parcel; // DELIVER
};

struct subject {
    struct subject_config config;
    struct raft *templates[RAFT_MEMBERS_MAX + 1]; // by id: just started, log empty
    struct raft *raft;
    size_t size;

    // What the disk holds; between two events, unless syncs are made by hand, the same
    // as the core.
    struct raft_hard_state saved;
    struct log *disk;

    // The newest vote that left this node, for itself or for another.
    raft_term promised_term;
    raft_id promised_to;

    // Of the newest event.
    enum property broken; // PROPERTY_COUNT: none
    struct parcel sent[SUBJECT_MESSAGES_MAX];
    uint32_t sent_count;
    raft_index applied; // handed out, to be reported
};

void subject_init(struct subject *subject, const struct subject_config *config);
void subject_release(struct subject *subject);

// Node `id` as it starts with an empty disk.
void subject_start(struct subject *subject, raft_id id);

// Reads a form, or writes the subject's.
void subject_walk(struct canon *form, struct subject *subject);

// Takes an event. What it sends stands in subject->sent, and what it breaks by itself
// in subject->broken.
void subject_take(struct subject *subject, const struct subject_event *event);

#endif
