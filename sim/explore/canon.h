// canon.h: the normal form of a thing that the exploration names: a string of bytes.
//
// One and the same walk over a thing's fields writes its form and reads it back, so
// that the two cannot disagree: canon_u64() appends *value, or fills it in. Numbers
// are LEB128, and most take one byte. A node's id is written as what a permutation
// calls it: the hash of a form under a permutation names the same thing in a cluster
// whose nodes have changed places.
#ifndef SIM_EXPLORE_CANON_H
#define SIM_EXPLORE_CANON_H

#include <stdbool.h>

#include "raft/raft.h"

enum { CANON_BYTES_MAX = 8192 };

struct canon {
    bool reading;
    const uint8_t *names; // of ids, by id; names[0] is 0
    uint32_t size;
    uint32_t at; // reading
    uint8_t bytes[CANON_BYTES_MAX];
};

void canon_write(struct canon *form, const uint8_t *names);
void canon_read(struct canon *form, const void *bytes, uint32_t size);

void canon_u64(struct canon *form, uint64_t *value);
void canon_u32(struct canon *form, uint32_t *value);
void canon_flag(struct canon *form, bool *value);
void canon_id(struct canon *form, raft_id *id); // read as it was written
void canon_bytes(struct canon *form, void *bytes, uint32_t size);

// Well mixed, so that sums of such hashes name sets.
uint64_t canon_hash(const struct canon *form);

// The same mixing for one number.
uint64_t canon_mix(uint64_t value);

#endif
