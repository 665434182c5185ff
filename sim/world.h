// world.h: one simulated world: nodes, links, disks, clients, faults, one clock, one
// heap.
//
// Time is virtual and in microseconds; it jumps from event to event. Everything that
// happens is an event in the heap: a deadline, a delivery, the end of a sync, a
// client's action, a fault. world_step() takes the earliest. Each subsystem draws from
// a random stream of its own, seeded from the one seed, so that the same seed gives the
// same run everywhere. After every step of every node the checker looks; at the first
// violation the world stands still.
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdio.h>

#include "kvserver/service/buffer.h"
#include "sim/checker/checker.h"
#include "sim/client.h"
#include "sim/counters.h"
#include "sim/deed.h"
#include "sim/faults/faults.h"
#include "sim/heap.h"
#include "sim/history/history.h"
#include "sim/links.h"
#include "sim/ndjson.h"
#include "sim/node.h"
#include "sim/pool.h"
#include "sim/random.h"
#include "sim/standstill.h"
#include "sim/trace.h"
#include "sim/wire.h"

// Kinds of events; `node` names a node or a client.
enum world_event {
    WORLD_TICK = 1, // a host's deadline
    WORLD_DELIVER,  // packet, sender
    WORLD_SYNCED,   // the disk's number of the sync
    WORLD_CLOCK,    // a key's deadline has come; incarnation
    WORLD_REQUEST,  // request
    WORLD_CRASH,    // one that was set to follow a write; incarnation
    WORLD_REPLY,    // reply
    WORLD_CLIENT,   // a client thinks or waits no longer; its generation
    WORLD_FAULT,    // the next injected fault; generation
    WORLD_UNDO,     // the end of a fault; which, node, generation
};

// What a run is about, where the swarm does not draw each kind of fault by itself.
enum world_theme {
    WORLD_NO_THEME = 0,
    WORLD_FULL_DISKS,  // full disks, cut-off leaders and crashes
    WORLD_CATCHING_UP, // followers that fall behind, and snapshots that go wrong
    WORLD_ELECTIONS,   // voters that crash and are back before the term is over
    WORLD_THEME_COUNT,
};

// Random streams.
enum world_stream {
    WORLD_STREAM_NETWORK = 1,
    WORLD_STREAM_CLIENTS,
    WORLD_STREAM_FAULTS,
    WORLD_STREAM_SETTINGS,
    WORLD_STREAM_NODES,
    WORLD_STREAM_CHURN,
    WORLD_STREAM_CORE,
    WORLD_STREAM_WIRE = 90,
    WORLD_STREAM_DISKS = 100, // and the node's id
    WORLD_STREAM_SEEDS = 200, // and the node's id
};

// What the virtual wall clock shows at virtual time 0.
#define WORLD_EPOCH_MS 1700000000000u

struct world_config {
    uint64_t seed;
    uint32_t node_count;   // with the spares
    uint32_t member_count; // of the first start: nodes 1 to this; the others are spares
    uint32_t election_timeout_ms;
    uint32_t election_spread_ms; // 0: the core's default
    uint32_t heartbeat_ms;
    bool equal_seeds;       // all cores draw from the same one, as raft.h lets them
    enum world_theme theme; // of the swarm
    bool pre_vote;
    bool check_quorum;
    bool ordered_links;
    uint64_t delay_us_min;
    uint64_t delay_us_max;
    uint64_t sync_us_min;
    uint64_t sync_us_max;
    bool perfect_disks;    // a write is durable in the step that gives it out
    uint32_t value_digits; // clients only write values that are equally long; 0: all
    bool no_retries;       // clients send an operation once, and have no sessions
    uint32_t log_entries_max;
    uint64_t log_bytes_max;
    uint32_t message_entries_max; // 0: the core's default
    uint64_t message_bytes_max;   // and so are these
    uint32_t inflight_max;
    uint64_t inflight_bytes_max;
    uint64_t uncommitted_bytes_max;
    uint64_t command_bytes_max;

    // What bytes cost; 0: nothing. A node's messages leave it one after another.
    uint64_t sync_ns_per_kib;
    uint64_t send_ns_per_kib;
    uint64_t send_ns_per_message;

    uint32_t lease_drift_percent;         // 0: no leases
    uint64_t clock_start_ms;              // what the monotonic clocks show at time 0...
    uint64_t clock_ahead_ms[LINKS_NODES]; // ...and each node's beyond that, by id
    uint32_t clock_drift_percent; // faults make them so much faster at the most...
    bool clock_jumps;             // ...and let them jump ahead
    bool clocks_conspire;         // a leader that is cut off is the slowest of all
    bool core_first; // of a run: at the end a majority is healed before the rest
    bool manual;     // nothing happens by itself (manual.h)

    uint32_t snapshot_entries; // 0: none are taken by themselves
    uint32_t snapshot_tail_entries;
    uint32_t snapshot_chunk_bytes; // 0: the host's default
    uint64_t segment_bytes_max;    // 0: the host's default
    bool unchecked;                // to measure what the checks cost
    bool own;                      // the invariants of sim/own take their place
    uint64_t judge_steps_max;      // for the clients' history; 0: the default

    const struct wire_codec *wire; // NULL: messages pass as they are
};

// A command given at a node without waiting for its outcome.
struct world_ticket {
    bool ended;
    enum reply_status status;
    raft_id node;
    raft_index index;
    raft_term term;
    struct buffer reply;
};

// Who looks on; all zeroes: nobody.
struct world_watch {
    void *context;
    // An event was taken. False: no more are.
    bool (*seen)(void *context, struct world *world, const struct heap_event *event);
    // A deed is about to be done.
    void (*told)(void *context, struct world *world, const struct deed *deed);
};

struct world {
    struct world_config config;
    bool manual; // still
    bool halted; // by its watch
    struct world_watch watch;
    uint64_t now_us;
    uint64_t event_count;
    struct standstill standstill;
    struct heap heap;
    struct pool pool;
    struct links links;
    struct wire wire;
    struct node nodes[LINKS_NODES]; // by id; 0 is not used
    struct clients clients;
    struct faults faults;
    struct random churn;
    struct history history;
    struct checker *checker;
    struct node_own *own; // NULL: not asked for
    struct counters counters;
    struct trace trace;
    struct ndjson ndjson;
    uint64_t reached[RAFT_REACHED_WORDS]; // bits of enum raft_mark, of all nodes
    struct world_ticket *tickets;
    uint32_t ticket_count;
    struct buffer scratch; // a command or a reply, within one event
};

void world_config_default(struct world_config *config);

// NULL where a node cannot be built as asked; `error` says why.
struct world *world_new(const struct world_config *config, char *error, size_t size);
void world_free(struct world *world);

// Takes one event. False where there is none, or where a violation was found.
bool world_step(struct world *world);

// Takes all events up to this time, and moves the clock there.
bool world_run_until(struct world *world, uint64_t time_us);

// Takes all events before this time, and moves the clock there: what is done now comes
// before all else at this time.
bool world_run_before(struct world *world, uint64_t time_us);

// Tells the watch of a deed; a command is formatted only where there is one.
void world_tell(struct world *world, const struct deed *deed);
void world_tell_command(struct world *world, raft_id node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_tell_phase(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool world_violated(const struct world *world);

static inline uint64_t world_now_ms(const struct world *world)
{
    return world->now_us / 1000;
}

// The node that leads: of those that say so, the one of the highest term. NULL: none.
struct node *world_leader(struct world *world);

// The newest configuration that is known: the leader's, or else that of the live node
// that knows most as committed; NULL where nobody is up. Borrowed until the next event.
const struct raft_configuration *world_configuration(struct world *world);

// Whether the node is a member by that; where nothing is known, everybody is.
bool world_is_member(struct world *world, raft_id id);

// Asks a leader for a change of members; returns as world_propose().
int64_t world_change(struct world *world, raft_id node,
                     const struct raft_configuration *changes,
                     enum raft_status *status);

// Gives words to a node as a proposal without a session; returns the ticket's number,
// or -1 where the node refused (`status`).
int64_t world_propose(struct world *world, raft_id node, const struct bytes *words,
                      uint32_t count, enum raft_status *status);

// Asks a node for a linearizable read; returns the ticket's number.
uint32_t world_read(struct world *world, raft_id node, const struct bytes *words,
                    uint32_t count);

// Ends a ticket; called by the node.
void world_end_ticket(struct world *world, const struct reply *reply, const void *data);

#endif
