// links.h: the links between the nodes: delay, loss, duplication, cuts, held messages.
//
// Reordering comes from the delay, drawn anew for each message, unless the links are
// told to keep their order. A cut link loses what is sent and what arrives; a held link
// keeps what is sent until it is released. A link is one way: "cut 1 2" is two of
// them. What holds for all links may be made worse for one, which is then odd.
#ifndef SIM_LINKS_H
#define SIM_LINKS_H

#include <stdbool.h>

#include "raft/raft.h"
#include "sim/random.h"

struct world;

enum { LINKS_NODES = RAFT_MEMBERS_MAX + 1 };

struct links_held {
    uint64_t packet;
    raft_id from;
    raft_id to;
};

// What one link adds to what holds for all.
struct links_own {
    uint64_t delay_us_min;
    uint64_t delay_us_max;
    uint32_t slow_ppm;
    uint64_t slow_us_mean;
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
};

struct links {
    struct random random;
    uint64_t delay_us_min;
    uint64_t delay_us_max;
    uint32_t slow_ppm;     // so many messages take an extra delay...
    uint64_t slow_us_mean; // of about this
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint64_t busy_ns[LINKS_NODES]; // until then a node's earlier messages leave it
    bool ordered;         // no message overtakes another one on its link, but...
    uint32_t reorder_ppm; // ...so many are late by a few delays, and overtaken
    bool odd[LINKS_NODES][LINKS_NODES]; // [from][to], as below
    struct links_own own[LINKS_NODES][LINKS_NODES];
    uint64_t due_us[LINKS_NODES][LINKS_NODES]; // ordered: of the last on its way
    bool cut[LINKS_NODES][LINKS_NODES];
    uint64_t order_late_us; // TimeoutNow takes so much longer
    bool hold[LINKS_NODES][LINKS_NODES];
    struct links_held *held;
    uint32_t held_count;
    uint32_t held_capacity;

    uint64_t sent;
    uint64_t delivered;
    uint64_t lost; // by chance, by cuts, or because nobody was there
    uint64_t duplicated;
    uint64_t overtaken; // set back on purpose
};

void links_release(struct links *links);

// Takes messages to deliver, as a host's door to the network.
void links_send(struct world *world, const struct raft_message *messages,
                uint32_t count);

// A time that one message takes, drawn now. Requests and replies of clients use it too.
uint64_t links_delay_us(struct links *links);

// A packet's time has come: true where it arrives, false where its link is cut.
bool links_arrives(struct links *links, raft_id from, raft_id to);

// A packet is lost; its memory is the caller's.
void links_lose(struct world *world, uint64_t packet);

void links_cut(struct links *links, raft_id from, raft_id to, bool cut);
void links_mend(struct links *links); // all cuts
void links_heal(struct world *world); // all cuts and holds, with chance untouched

// Gives a link what it adds, or (NULL) nothing any more.
void links_make_odd(struct links *links, raft_id from, raft_id to,
                    const struct links_own *own);

void links_hold(struct links *links, raft_id from, raft_id to);
// Lets go of a link: what it held is sent on (or lost); returns how many messages.
uint32_t links_let_go(struct world *world, raft_id from, raft_id to, bool deliver);

#endif
