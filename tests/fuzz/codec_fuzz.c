// codec_fuzz.c: the lines between nodes: hello, and every message of Raft.
//
// Claims: both decoders agree, also on a line whose checksum holds in spite of what is
// in it; what is taken can be said again and comes back the same.
#include "rpc/hello.h"
#include "rpc/raft_codec.h"
#include "rpc/raft_codec_fields.h"
#include "tests/fuzz/fuzz.h"
#include "tests/rpc/random_message.h"

enum { LINE_BYTES_MAX = 4096, ENTRIES_MAX = 16 };

static struct raft_codec_arena arenas[2];
static struct frame *frame;

static void say_again(const struct raft_message *message)
{
    struct raft_message back;
    struct jsonrpc_problem problem;
    frame->size = 0;
    FUZZ_CHECK(raft_codec_encode(frame, message));
    FUZZ_CHECK(
        raft_codec_decode(&arenas[1], frame->data, frame->size - 1, &back, &problem) ||
        frame->size > LINE_BYTES_MAX);
    if (frame->size <= LINE_BYTES_MAX) {
        FUZZ_CHECK(same_message(message, &back));
    }
}

static void decode_both_ways(const char *line, size_t size)
{
    struct raft_message fast, slow;
    struct jsonrpc_problem fast_problem = {0, NULL}, slow_problem = {0, NULL};
    bool good = raft_codec_decode(&arenas[0], line, size, &fast, &fast_problem);
    FUZZ_CHECK(good ==
               raft_codec_decode_slowly(&arenas[1], line, size, &slow, &slow_problem));
    if (good) {
        FUZZ_CHECK(same_message(&fast, &slow));
        say_again(&fast);
    } else {
        FUZZ_CHECK(fast_problem.code == slow_problem.code);
        FUZZ_CHECK(fast_problem.text != NULL && fast_problem.text[0] != '\0');
    }
}

// The same bytes with a checksum in place of their last two, which are braces.
static void decode_summed(const char *line, size_t size)
{
    static char summed[LINE_BYTES_MAX + RAFT_CODEC_SUM_BYTES];
    if (size < 2 || size > LINE_BYTES_MAX) {
        return;
    }
    memcpy(summed, line, size - 2);
    raft_codec_sum(summed, size - 2, summed + size - 2);
    decode_both_ways(summed, size - 2 + RAFT_CODEC_SUM_BYTES);
}

static void greet(const char *line, size_t size)
{
    const struct hello self = {"c", 1, false};
    struct hello caller;
    struct jsonrpc_problem problem;
    frame->size = 0;
    if (hello_take(line, size, &self, frame, &caller, &problem)) {
        FUZZ_CHECK(caller.node != 0 && caller.node != self.node);
    } else {
        FUZZ_CHECK(frame->size > 0 && frame->data[frame->size - 1] == '\n');
    }
    (void)hello_check(line, size, &self, 2, &problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    struct raft_message message;
    struct jsonrpc_problem problem;
    if (frame == NULL) {
        frame = frame_new(LINE_BYTES_MAX);
        raft_codec_arena_init(&arenas[0], LINE_BYTES_MAX, ENTRIES_MAX);
        raft_codec_arena_init(&arenas[1], LINE_BYTES_MAX, ENTRIES_MAX);
    }
    decode_both_ways(line, size);
    decode_summed(line, size);
    if (raft_codec_decode_unsummed(&arenas[0], line, size, &message, &problem)) {
        say_again(&message);
    }
    greet(line, size);
    return 0;
}
