// node_state.h: what the files node*.c share: one node's state.
#ifndef KVSERVER_NODE_STATE_H
#define KVSERVER_NODE_STATE_H

#include "kvserver/leadership.h"
#include "kvserver/node.h"
#include "kvserver/peers.h"
#include "kvserver/pending.h"
#include "kvserver/proposals.h"
#include "kvserver/reads.h"
#include "rpc/syncer.h"
#include "kvserver/waits.h"
#include "raft/host/disk_posix.h"

struct node {
    uv_loop_t *loop;
    const struct options *options;
    struct node_client client;

    struct host *host;
    struct host_io io;
    void *memory;
    size_t memory_size;
    struct disk_posix *disk;
    struct peers peers;
    struct service *service;
    struct service_snapshot *snapshot; // while one is written
    bool restoring;                    // the service is being replaced: leave it alone
    struct leadership leadership;      // as of the last node_flush()
    bool touched;                      // the host was called since

    uv_timer_t timer;
    uint64_t timer_ms;       // when it rings; UINT64_MAX: it is not set
    uint64_t clock_asked_ms; // a bare clock entry is under way since; 0: none
    raft_index clock_index;

    struct proposals proposals; // what this turn of the loop gathered
    bool holding;               // they wait for a transfer's end
    uint32_t entries_max;       // of one step
    struct pending pending;
    struct reads reads;
    struct waits waits;
    struct reads asks;        // of operators, gathered alike
    bool handed_over;         // node_hand_over() was called
    struct request *transfer; // who asked for the transfer under way, or NULL
    struct request *leaving;  // who asked that this leader be removed, or NULL

    struct syncer syncer;

    struct node_counters counters;
};

// Looks at the core again: who leads, and who the members are.
void node_look(struct node *node);

#endif
