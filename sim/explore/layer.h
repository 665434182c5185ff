// layer.h: packed states that wait for their turn, first in, first out.
//
// They lie in pieces, which are given back as they are read.
#ifndef SIM_EXPLORE_LAYER_H
#define SIM_EXPLORE_LAYER_H

#include <stdbool.h>
#include <stdint.h>

struct layer_piece;

// All zeroes is an empty one.
struct layer {
    struct layer_piece *first;
    struct layer_piece *last;
    uint64_t count;
    uint64_t bytes; // of all pieces
};

void layer_push(struct layer *layer, const uint8_t *bytes, uint32_t size);

// The oldest, valid until layer_drop_read(). False where it is empty.
bool layer_read(struct layer *layer, const uint8_t **bytes, uint32_t *size);

// Gives back the pieces that were read to their end.
void layer_drop_read(struct layer *layer);

void layer_release(struct layer *layer);

#endif
