// joint.h: what several keys hold together, as one small number.
//
// Keys that a transaction touches have to be judged together: their state is a value
// (see cell.h) for each. Equal states have equal numbers. A single key needs no table:
// its state is its value. State 0 is: all absent.
#ifndef SIM_JOINT_H
#define SIM_JOINT_H

#include <stdint.h>

struct joint {
    uint32_t width;   // how many keys
    uint32_t *values; // `width` for each state
    uint32_t *scratch;
    uint32_t count;
    uint32_t capacity;
    uint32_t *buckets;
    uint32_t bucket_count;
};

// Begins anew, for so many keys; all zeroes before the first time.
void joint_init(struct joint *joint, uint32_t width);
void joint_release(struct joint *joint);

uint32_t joint_cell(const struct joint *joint, uint32_t state, uint32_t at);

// A copy of the state's values, to be changed, and the number of what it became.
uint32_t *joint_open(struct joint *joint, uint32_t state);
uint32_t joint_close(struct joint *joint);

// Forgets all states but these, which get new numbers.
void joint_keep(struct joint *joint, uint32_t *states, uint32_t count);

uint64_t joint_bytes(const struct joint *joint);

#endif
