// frontier.h: all the ways in which a history may stand at one moment.
//
// A *configuration* is a value of the key and, for each operation that is open (called
// and not yet returned), whether it has been placed in the order. Open operations have
// slots, so that a configuration is a few words long however long the history is.
// Of two configurations one may have at least the other's futures; only it is kept:
//
//   placed      a pure one (it changes nothing) is better placed, a pending one (which
//               may also never happen) better not, others must be equal
//   absorbable  a blind write may be placed, unseen, right before another that has been
//               placed since its call, or anywhere from now on: better than either
#ifndef SIM_FRONTIER_H
#define SIM_FRONTIER_H

#include <stdbool.h>
#include <stdint.h>

// Sets of slots.
struct frontier_slots {
    uint32_t words; // of 64 slots each
    uint64_t *open;
    uint64_t *pure;
    uint64_t *blind; // their value does not depend on what was there; not pending
    uint64_t *pending;
    uint64_t *effect; // neither pure nor blind, pending or not
};

struct frontier_config {
    uint32_t state;
    uint32_t writer; // the operation that made it so; not compared
    uint32_t next;   // 1 + the next of the same bucket
    uint32_t hash;
    uint32_t owing; // a blind write to key owing - 1 must be seen at once; 0: none
};

struct frontier {
    struct frontier_config *configs;
    uint64_t *bits; // of each: `words` placed, `words` absorbable
    uint32_t *heads;
    uint32_t words;
    uint32_t count;
    uint32_t capacity;
    uint32_t limit;
    uint32_t head_count;
    bool truncated; // one did not fit
};

void frontier_init(struct frontier *frontier, uint32_t words, uint32_t limit);
void frontier_release(struct frontier *frontier);
void frontier_clear(struct frontier *frontier);

uint64_t *frontier_bits(const struct frontier *frontier, uint32_t index);

// Keeps so many of them: those that have placed the fewest pending operations, which
// leaves the most for later.
void frontier_prune(struct frontier *frontier, const struct frontier_slots *slots,
                    uint32_t count);

// The states of the configurations have got other numbers.
void frontier_rehash(struct frontier *frontier, const struct frontier_slots *slots);

// Adds a configuration where none has at least its futures. It may take the place of a
// worse one at `fresh` or beyond. Returns how many it was compared with.
uint32_t frontier_add(struct frontier *frontier, const struct frontier_slots *slots,
                      const struct frontier_config *config, const uint64_t *bits,
                      uint32_t fresh);

#endif
