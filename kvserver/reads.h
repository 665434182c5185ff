// reads.h: reads that wait until the leader knows that it still leads (dissertation
// 6.4). All that arrive while earlier ones are under way share one confirmation.
#ifndef KVSERVER_READS_H
#define KVSERVER_READS_H

#include "kvserver/request.h"

enum {
    READS_UNDERWAY_MAX = 4, // batches that wait for their confirmation
};

struct read_batch {
    uint64_t id;    // 0: unused
    uint32_t taken; // from its front, while it is answered
    uint32_t count;
    uint32_t capacity;
    struct request **requests; // NULL where one was forgotten or answered already
};

struct reads {
    uint64_t id_last;
    struct read_batch gathering;
    struct read_batch underway[READS_UNDERWAY_MAX];
};

void reads_init(struct reads *reads);
void reads_release(struct reads *reads);

// Adds a read to those that go with the next batch.
void reads_add(struct reads *reads, struct request *request);

// Whether there is something to start, and a batch for it.
bool reads_can_start(const struct reads *reads);

// Seals what was gathered and gives it a number; 0 where there is nothing, or where
// too many batches are under way. reads_put_back() undoes it.
uint64_t reads_start(struct reads *reads);
void reads_put_back(struct reads *reads, uint64_t id);

// The batch of that number, or NULL. Take each request with reads_take() until NULL;
// the batch is free for use after that.
struct read_batch *reads_find(struct reads *reads, uint64_t id);
struct request *reads_take(struct read_batch *batch);

// Takes one that only a leader may answer out of those that were gathered, or NULL.
struct request *reads_next_for_leader(struct reads *reads);

void reads_forget(struct request *request);

#endif
