// interned.h: each distinct form is kept once and has a number; and its hashes.
//
// A state of the cluster is then a handful of numbers. The hashes, one for each
// permutation of the nodes, depend on the form alone and not on the number, so that
// names made of them are the same in every run.
#ifndef SIM_EXPLORE_INTERNED_H
#define SIM_EXPLORE_INTERNED_H

#include "kvserver/service/buffer.h"
#include "sim/explore/canon.h"

enum { INTERNED_NONE = 0xffffffff };

struct interned {
    uint32_t count;
    uint32_t capacity;
    uint32_t hash_count; // of each
    uint64_t *hashes;
    uint64_t *ends; // in `bytes`, by number
    struct buffer bytes;
    uint32_t *slots; // 1 + number, by the first hash
    uint32_t slot_count;
};

void interned_init(struct interned *interned, uint32_t hash_count);
void interned_release(struct interned *interned);

// INTERNED_NONE where this form has no number.
uint32_t interned_find(const struct interned *interned, const struct canon *form);

// Gives a new form its number. The caller fills in interned_hashes() but the first.
uint32_t interned_add(struct interned *interned, const struct canon *form);

static inline uint64_t *interned_hashes(const struct interned *interned,
                                        uint32_t number)
{
    return &interned->hashes[(size_t)number * interned->hash_count];
}

void interned_read(const struct interned *interned, uint32_t number,
                   struct canon *form);
uint64_t interned_bytes(const struct interned *interned);

#endif
