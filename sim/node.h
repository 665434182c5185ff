// node.h: one node of the world: host (with core and log), service, simulated disk.
//
// Host and service live in memory and are lost in a crash; the disk stays, less what
// its crash mode takes. What reaches a paused node waits until it goes on; what reaches
// a node that is down is lost. A host that stopped itself (a failed write) is down,
// too, until it is crashed and restarted. A spare starts only once somebody adds it,
// with an empty configuration; who has lost its disk never starts again under its name.
//
// A node can be cut off inside one call of its host, behind any write to its disk and
// any send: the call then goes on over a disk that is thrown away and sends nothing,
// and the node crashes with the disk that it had at that point.
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include <stdbool.h>

#include "kvserver/service/service.h"
#include "raft/host/host.h"
#include "sim/disk/disk.h"
#include "sim/heap.h"
#include "sim/node_clock.h"
#include "sim/request.h"

struct world;

enum { NODE_READS_MAX = 2 * RAFT_READS_MAX };

// A proposal whose entry has not been applied yet.
struct node_proposal {
    raft_index index;
    raft_term term;
    uint64_t request;
};

// How the next crash goes that comes by itself: at a write, or inside a step.
struct node_crash_plan {
    bool set; // else it is drawn
    enum sim_disk_crash_mode mode;
    uint64_t draw;
};

struct node {
    raft_id id;
    struct world *world;
    struct sim_disk *disk;
    struct random disk_random;
    uint64_t sync_us_min;
    uint64_t sync_us_max;
    bool disk_faulty;          // somebody broke it: the host may stop
    bool disk_full;            // the host may not start, but if it runs it waits
    bool disk_lost;            // for good
    raft_index restored_index; // its log begins anew behind a snapshot up to there
    bool sync_manual;          // in a manual world: its syncs wait in `syncs`; those
                               // of a perfect disk do to the end of the call
    uint64_t *syncs;
    uint32_t sync_count;
    uint32_t sync_capacity;
    bool crash_at_write;       // crash between the next write and the end of its sync
    bool crash_is_set;         // that write has come
    uint32_t effects_left;     // disk calls and sends until it is cut off; 0: it is not
    struct sim_disk *cut_disk; // its disk at that very point; NULL: it was not cut off
    struct node_crash_plan crash_plan; // of the crash that one of these leads to
    bool damage_waits;   // for a snapshot that arrives, to damage a chunk of it
    uint32_t fill_waits; // so many disk calls and sends behind a chunk that has
    bool fill_counts;    // come (it has) its disk will be full; 0: it will not
    uint64_t fill_room;  // but for so many bytes
    uint32_t fill_turns; // so often its room changes before all is free again
    uint64_t stutter_us; // it works in bursts, with such pauses; 0: it does not
    uint32_t stutters_left;
    int64_t skew_ms;         // of its wall clock
    struct node_clock clock; // its monotonic one
    struct random seeds;     // of its core: another one at each start

    bool up;
    bool paused;
    uint32_t incarnation;
    char stopped[160]; // why the host gave up or did not start; empty: it did not
    void *memory;
    size_t memory_size;
    struct host *host;
    struct host_io io;
    struct service *service;
    uint64_t snapshots_taken; // in all its lives
    uint64_t snapshots_received;
    struct service_snapshot *snapshot; // being taken; NULL: none
    struct raft_view view; // after the last step; its configuration while it is up

    uint64_t tick_us; // when WORLD_TICK is set; UINT64_MAX: never
    bool clock_set;   // WORLD_CLOCK is under way

    struct node_proposal *proposals; // a ring, in order of index
    uint32_t proposal_first;
    uint32_t proposal_count;
    uint32_t proposal_capacity;
    uint64_t reads[NODE_READS_MAX]; // requests; 0: free
    uint32_t read_next;

    struct heap_event *waiting; // while paused
    uint32_t waiting_count;
    uint32_t waiting_capacity;
};

void node_init(struct node *node, struct world *world, raft_id id);
void node_release(struct node *node);

// Opens the host on what the disk holds. False, with the reason in node->stopped, where
// it refuses, or without one where it was cut off on the way.
bool node_start(struct node *node);
void node_pause(struct node *node);
void node_resume(struct node *node);

// Takes an event that names this node, and what it carries.
void node_event(struct node *node, const struct heap_event *event);

// Gives back what an event to this node carries, unread.
void node_drop(struct node *node, const struct heap_event *event);

// True where the node takes part: up, not paused, host not stopped.
bool node_is_live(const struct node *node);

// Nothing more leaves it: it crashes at the end of this call of its host.
bool node_is_cut_off(const struct node *node);

// Its disk is gone, and it with it.
void node_lose_disk(struct node *node);

// Its clock runs at another rate, or jumps ahead.
void node_set_clock_rate(struct node *node, uint32_t rate_ppm);
void node_jump_clock(struct node *node, uint64_t by_us);

// Its monotonic clock jumps to the host's next deadline, and stays ahead of the
// world's: a follower's election timeout, a leader's heartbeat.
void node_timeout(struct node *node);

// What is due after every call into the host: deadlines, a stop.
void node_settle(struct node *node);

// Its monotonic clock: what its host is told.
uint64_t node_now_ms(const struct node *node);

// What its wall clock shows, in ms since 1970.
uint64_t node_wall_ms(const struct node *node);

#endif
