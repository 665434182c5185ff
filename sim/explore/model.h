// model.h: what nodes do, remembered.
//
// The core is a pure function, so each of its moves need be made only once: (node
// state, event) -> (node state, messages sent). Node states, messages and books are
// numbered; a move of the whole cluster is then a look into a table, and the same node
// states meet in millions of states of the cluster. The moves are made by the real core
// (subject.h). model_find...() only read, so that two threads may; what they miss is
// computed by one alone.
#ifndef SIM_EXPLORE_MODEL_H
#define SIM_EXPLORE_MODEL_H

#include "sim/explore/book.h"
#include "sim/explore/interned.h"
#include "sim/explore/permutation.h"

// Events of one node, as numbers. What may be asked of it depends on the node alone.
enum model_event {
    MODEL_TIMEOUT = 0,
    MODEL_PROPOSE,
    MODEL_CRASH,
    MODEL_SYNC,
    MODEL_REMOVE = 8,   // and the member's id
    MODEL_ADD = 24,     // and the member's id
    MODEL_MESSAGE = 40, // and the message's number
};

enum model_flag {
    MODEL_CHANGES = 1, // the node is another one now
    MODEL_TELLS = 2,   // it begins to lead, or knows more as committed
    MODEL_LOGS = 4,    // its log is another one now
};

struct model_move {
    uint64_t key;   // 0: none
    uint32_t node;  // what it has become; of a book: the book
    uint32_t first; // in model->sent
    uint16_t count; // messages that it sends
    uint8_t flags;
    uint8_t broken; // PROPERTY_COUNT: nothing
};

// Of a message, what its receiver's state decides on.
struct model_mark {
    raft_id to;
    raft_term term;
    enum raft_role asker; // a reply: the role of who asked; RAFT_FOLLOWER: it is none
};

struct model {
    struct subject_config config;
    struct permutations permutations;
    bool outcomes_only; // see model_init()
    struct subject subject;
    struct interned nodes, messages, books;
    struct book_node *looks;  // by node number
    struct book *pages;       // by book number
    struct model_mark *marks; // by message number
    uint32_t look_capacity, page_capacity, mark_capacity;
    struct model_move *moves;
    uint64_t move_slots;
    uint64_t move_count;
    uint32_t *sent; // numbers of messages
    uint32_t sent_count, sent_capacity;
    uint32_t nodes_checked, messages_checked; // for stale replies
    bool stale_acts;      // model_is_stale() does not hold for this core
    struct canon form;    // scratch
    struct parcel parcel; // scratch
};

// Where only outcomes count, the rules of how a core is to work (what must be durable
// before it leaves, what may be committed or changed when) are not judged: what breaks
// is then a property of Figure 3, or a vote given twice.
void model_init(struct model *model, const struct subject_config *config, bool symmetry,
                bool outcomes_only);
void model_release(struct model *model);

uint32_t model_start(struct model *model, raft_id id); // its number
uint32_t model_first_book(struct model *model);
uint32_t model_book(struct model *model, struct book *book);

// NULL where nobody has made this move yet.
const struct model_move *model_find(const struct model *model, uint32_t node,
                                    uint32_t event);
const struct model_move *model_find_page(const struct model *model, uint32_t book,
                                         uint32_t node, enum book_use use);

// Makes it. Not while another thread reads.
void model_compute(struct model *model, uint32_t node, uint32_t event);
void model_compute_page(struct model *model, uint32_t book, uint32_t node,
                        enum book_use use);

// Whether this is a reply to a question that was asked in a role and term which its
// receiver has left for good, as its disk says: then it changes nothing and sends
// nothing, now and ever after, and who forgets it loses no behaviour.
//
// That is a claim about the core, and a core with a bug may belie it. So it is tested
// as the search goes: model_check_stale() delivers every such reply to every such node
// state found, and each move is watched for a node that takes up a role again in a term
// that it had left. Together these are a proof by induction for the states searched;
// where it fails, model->stale_acts says so.
bool model_is_stale(const struct model *model, uint32_t node, uint32_t message);
void model_check_stale(struct model *model);

// A message as it was sent; borrowed until the next call.
const struct parcel *model_message(struct model *model, uint32_t message);

uint64_t model_bytes(const struct model *model);

#endif
