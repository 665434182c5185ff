#include "sim/explore/layer.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 64 << 10 };

struct layer_piece {
    struct layer_piece *next;
    uint32_t used;
    uint32_t read;
    uint8_t bytes[PIECE_BYTES];
};

static void add_piece(struct layer *layer)
{
    struct layer_piece *piece = malloc(sizeof(*piece));

    if (piece == NULL)
        abort();
    piece->next = NULL;
    piece->used = 0;
    piece->read = 0;
    if (layer->last != NULL)
        layer->last->next = piece;
    else
        layer->first = piece;
    layer->last = piece;
    layer->bytes += sizeof(*piece);
}

// A record is its size, in two bytes, and its bytes.
void layer_push(struct layer *layer, const uint8_t *bytes, uint32_t size)
{
    struct layer_piece *piece = layer->last;

    if (piece == NULL || piece->used + size + 2 > PIECE_BYTES)
        add_piece(layer);
    piece = layer->last;
    piece->bytes[piece->used] = (uint8_t)size;
    piece->bytes[piece->used + 1] = (uint8_t)(size >> 8);
    memcpy(&piece->bytes[piece->used + 2], bytes, size);
    piece->used += size + 2;
    layer->count++;
}

bool layer_read(struct layer *layer, const uint8_t **bytes, uint32_t *size)
{
    struct layer_piece *piece = layer->first;

    while (piece != NULL && piece->read == piece->used)
        piece = piece->next;
    if (piece == NULL)
        return false;
    *size = (uint32_t)piece->bytes[piece->read] |
            (uint32_t)piece->bytes[piece->read + 1] << 8;
    *bytes = &piece->bytes[piece->read + 2];
    piece->read += *size + 2;
    layer->count--;
    return true;
}

void layer_drop_read(struct layer *layer)
{
    while (layer->first != NULL && layer->first->read == layer->first->used) {
        struct layer_piece *piece = layer->first;

        layer->first = piece->next;
        if (layer->first == NULL)
            layer->last = NULL;
        layer->bytes -= sizeof(*piece);
        free(piece);
    }
}

void layer_release(struct layer *layer)
{
    while (layer->first != NULL) {
        layer->first->read = layer->first->used;
        layer_drop_read(layer);
    }
}
