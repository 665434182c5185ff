// tape.h: a run as a list of acts in a world by hand, which can be cut and
// replayed.
//
// An act is one command of the language: a node looks at its clock, a message is
// delivered, a sync ends, a client asks, or any other command as text. A message is
// known by its kind and its *print*, a hash of what it says (but for the commands'
// bytes); where no message with that print is in flight, as after earlier acts were cut
// out, the one that is as far from the newest of its kind takes its place. What applies
// to nothing is skipped, so that every part of a tape is a tape.
#ifndef SIM_SHRINK_TAPE_H
#define SIM_SHRINK_TAPE_H

#include "sim/world.h"

enum act_kind {
    ACT_TIMEOUT = 1,
    ACT_DELIVER,
    ACT_SYNC,
    ACT_CLIENT,  // text: the words that the client asks with, as in the language
    ACT_COMMAND, // text: the whole line
};

enum act_ask { ACT_ASK, ACT_REGISTER, ACT_REPEAT };

struct act {
    uint8_t kind;
    uint8_t node;        // who is acted on; 0: nobody alone
    uint8_t from;        // DELIVER
    uint8_t again;       // DELIVER: the message stays in flight
    uint8_t stray;       // DELIVER: a copy without a sender
    uint8_t ask;         // CLIENT
    uint8_t snapshot;    // the node began one by itself
    const char *letter;  // DELIVER: the message's kind (manual_kind())
    uint64_t print;      // DELIVER
    uint32_t rank;       // DELIVER: newer messages of its kind on its link...
    uint32_t nth;        // ...and its place among those, from 1; 0: not played yet
    uint32_t elapsed_ms; // first the node's clock jumps so far
    uint32_t client;
    uint32_t text; // an offset in the tape's texts
};

// Bounded, and in one piece of memory, so that a process may fill it for another one.
enum { TAPE_ACTS_MAX = 1 << 18, TAPE_TEXT_BYTES = 1 << 23 };

struct tape {
    struct world_config config; // of a manual world
    uint32_t sync_manual;       // bits of the nodes whose disks are by hand
    uint32_t count;
    uint32_t text_size;
    bool full; // something was left out
    struct act acts[TAPE_ACTS_MAX];
    char texts[TAPE_TEXT_BYTES];
};

// A tape without acts; the texts of `like` (NULL: none) are its own, too.
void tape_begin(struct tape *tape, const struct world_config *config,
                const struct tape *like);

// Adds an act; its text is kept as it is.
void tape_add(struct tape *tape, const struct act *act);

// Keeps a text; returns its offset.
uint32_t tape_text(struct tape *tape, const char *text);

void tape_copy(struct tape *to, const struct tape *from);

// What it takes to read it: commands first, then how odd they are.
uint64_t tape_cost(const struct tape *tape);

// How many commands it is written with, the first one not counted.
uint32_t tape_commands(const struct tape *tape);

// Whoever sent it: a stray copy does not say.
uint64_t tape_print(const struct raft_message *message);

// The line without its end, for an act as it stands.
void tape_line(const struct tape *tape, const struct act *act, struct buffer *line);

// The line "cluster ..." of its world.
void tape_cluster(const struct tape *tape, struct buffer *line);

// The settings behind "cluster N" that are not the usual ones.
void tape_settings(const struct world_config *config, struct buffer *line);

// How many of them there are, weighed: more nodes count for more.
uint64_t tape_count_settings(const struct world_config *config);

// Gives the nodes other numbers: to[i] for node i, in acts and texts.
void tape_rename(struct tape *tape, const raft_id to[LINKS_NODES]);

#endif
