// book.h: what a state has to know of its past, beside what the nodes know.
//
// Who led in which term (election safety), what was committed and in which term (leader
// completeness, state machine safety), and how much of the bounds is used up. A leader
// may crash and forget that it led; the book does not. Entries are told by their chain:
// a hash over index, term and type of all entries up to there, which no permutation of
// the nodes changes.
#ifndef SIM_EXPLORE_BOOK_H
#define SIM_EXPLORE_BOOK_H

#include "sim/checker/checker.h"
#include "sim/checker/electorate.h"
#include "sim/explore/subject.h"

enum { BOOK_TERMS_MAX = 15 };

// What is used up, and bounded.
enum book_use {
    BOOK_NOTHING = 0,
    BOOK_HEARTBEAT,
    BOOK_ENTRY,
    BOOK_CRASH,
    BOOK_LOSS,
    BOOK_DUPLICATE,
    BOOK_CHANGE,
    BOOK_TIMEOUT, // of one that does not lead
    BOOK_USE_COUNT,
    BOOK_RESTART = BOOK_USE_COUNT, // unbounded: who is down comes back
    BOOK_GOES_DOWN,                // a crash, after which the node stays down
};

struct book {
    uint32_t used[BOOK_USE_COUNT];
    raft_id leaders[BOOK_TERMS_MAX + 1]; // by term; 0: nobody
    uint64_t down;                       // nodes, a bit for each id
    uint32_t committed;                  // entries
    uint64_t chains[SUBJECT_LOG_MAX + 1];
    raft_term committed_in[SUBJECT_LOG_MAX + 1]; // the term of who first showed it so
};

// What others may want to know of a node, without taking it out of its form.
struct book_node {
    raft_id id;
    enum raft_role role;
    raft_term term;
    uint32_t commit_index;
    uint32_t last_index;
    uint32_t disk_index;
    raft_term disk_term;
    bool syncs;      // a write is not durable
    bool configured; // it knows a configuration
    struct electorate electorate;
    raft_term terms[SUBJECT_LOG_MAX + 1];
    uint64_t chains[SUBJECT_LOG_MAX + 1];
    uint64_t disk_chains[SUBJECT_LOG_MAX + 1];
};

void book_look(struct book_node *node, const struct subject *subject);
void book_walk(struct canon *form, struct book *book);

// Writes down what a node has become, and what that used up. What is broken by it, or
// PROPERTY_COUNT.
enum property book_note(struct book *book, const struct book_node *node,
                        enum book_use use);

#endif
