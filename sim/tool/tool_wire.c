#include "sim/tool/tool_wire.h"

#include "rpc/raft_codec.h"
#include "sim/wire.h"

enum {
    ENTRIES_MAX = 1 << 16,
    BYTES_MAX = 1 << 24, // of a message's entries
    FRAME_BYTES = 4096,  // at first
};

static struct frame *frame;
static struct raft_codec_arena arena;

static bool encode(void *context, const struct raft_message *message, const char **line,
                   size_t *size)
{
    (void)context;
    frame->size = 0;
    if (!raft_codec_encode(frame, message))
        return false;
    *line = frame->data;
    *size = frame->size - 1;
    return true;
}

static bool decode(void *context, const char *line, size_t size,
                   struct raft_message *message)
{
    struct jsonrpc_problem problem;

    (void)context;
    return raft_codec_decode(&arena, line, size, message, &problem);
}

void tool_wire_offer(void)
{
    static const struct wire_codec codec = {NULL, encode, decode};

    frame = frame_new(FRAME_BYTES);
    raft_codec_arena_init(&arena, raft_codec_line_bytes_max(ENTRIES_MAX, BYTES_MAX),
                          ENTRIES_MAX);
    wire_offer(&codec);
}
