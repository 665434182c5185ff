// client.h: simulated clients, which issue one operation after another and keep a
// history.
//
// A client registers a session, numbers its writes, and repeats one with the same
// number until it is answered, at whichever node it believes to lead. Where it gives
// up, or its session is gone, the outcome stays unknown: the history says pending, and
// the client registers anew. Reads are linearizable reads at the node believed to lead;
// some clients roam: they read at any node, which asks the leader.
// In a world without retries a client sends an operation once, without a session: what
// is refused has failed, and what is not answered stays unknown.
// Client 0 is the console: it does what the command language tells it.
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include <stdbool.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"
#include "raft/raft.h"
#include "sim/heap.h"
#include "sim/random.h"
#include "sim/request.h"
#include "sim/workload.h"

struct world;

enum client_state {
    CLIENT_IDLE = 0,
    CLIENT_THINKING,
    CLIENT_REGISTERING, // asks for a session on behalf of its operation
    CLIENT_WAITING,     // for the answer to its operation
};

struct client {
    uint32_t id;
    enum client_state state;
    uint64_t generation; // of the newest WORLD_CLIENT event
    uint64_t number;     // of the newest operation, or registration
    uint64_t session;    // 0: none
    uint64_t sequence;
    uint64_t words; // the operation under way: a request with its words; 0: none
    bool sent;      // the operation itself has left at least once
    uint32_t attempts;
    uint64_t begun_us; // the operation
    uint64_t patient_until_us;
    raft_id leader;     // as it believes; 0: no idea
    bool roams;         // reads at any node, and waits for none for long
    bool reads;         // by hand: what it asked last is a read...
    bool registers;     // ...or for a session...
    uint64_t last;      // ...as the request that it was; 0: none
    bool answered;      // the last attempt was, if only by "not the leader"
    bool recorded;      // the operation is in the history
    uint32_t operation; // there
    struct workload_client workload;
};

struct clients {
    struct random random;
    struct client *list; // [0] is the console
    uint32_t count;      // with the console
    uint32_t keys;
    uint64_t think_us_mean;
    bool active; // they start new operations
    uint64_t operations;
    uint64_t unknown;
    uint64_t retries;

    bool console_done;
    bool console_failed; // its session was gone
    struct buffer console_reply;
    struct buffer told; // in a manual world: answers, each a struct reply and its bytes
};

void clients_init(struct world *world);
void clients_release(struct clients *clients);

// Adds clients and sets them to work on so many keys.
void clients_start(struct world *world, uint32_t count, uint32_t keys);
// They finish what is under way and start nothing new.
void clients_stop(struct world *world);
// Whether it has asked for something, and has no answer.
bool clients_waits(const struct client *client);

// Gives the console one command; done when console_done is set.
void clients_ask(struct world *world, const struct bytes *words, uint32_t count,
                 bool read);

// Gives up what the client waits for, if anything: its outcome stays unknown.
void clients_abandon(struct world *world, struct client *client);

void clients_wake(struct world *world, const struct heap_event *event);
void clients_take_reply(struct world *world, uint64_t reply);

// Sends a reply on its way; called by the nodes.
void clients_send_reply(struct world *world, const struct reply *head,
                        const void *data);

#endif
