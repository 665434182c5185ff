// workload.h: what simulated clients ask for, and what it means for a history.
//
// Registers "k..." are read, written, written where there is nothing, appended to and
// deleted; counters "c..." are added to. Now and then one command speaks of two
// registers at once (MSET, MGET, DEL): k0 with k1, k3 with k4, so that only few keys
// have to be judged together. Every value is unique. Keys "e..." expire and stay out of
// the history, which knows no time to live. Or all that is written are registers, each
// value as long as any other, so that equally many entries take equally many bytes, as
// do two states.
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "sim/history/history.h"
#include "sim/random.h"

enum { WORKLOAD_WORDS_MAX = 5, WORKLOAD_WORD_BYTES = 40 };

struct workload_command {
    char text[WORKLOAD_WORDS_MAX][WORKLOAD_WORD_BYTES];
    uint32_t count;
    bool read;     // a linearizable read; else it goes through the log
    bool recorded; // belongs in the history
};

struct workload_client {
    uint32_t id;
    uint64_t values; // written so far
    uint32_t digits; // of a number in a value; 0: values and commands of all lengths
};

void workload_draw(struct workload_command *command, struct random *random,
                   struct workload_client *client, uint32_t keys);

void workload_words(const struct workload_command *command, struct bytes *words);

// Records the call of a store's command: GET, SET (alone or with NX), APPEND, INCR,
// INCRBY, DEL, MGET or MSET. False where it is another, or malformed.
bool workload_call(struct history *history, uint32_t client, const struct bytes *words,
                   uint32_t count, uint64_t now_us, uint32_t *operation);

// Records its RESP reply.
void workload_return(struct history *history, uint32_t operation, const char *data,
                     uint32_t size, uint64_t now_us);

#endif
