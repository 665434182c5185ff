// raft_codec_damage_test.c: no damaged line does harm, or is taken for another message.
#include "rpc/raft_codec.h"

#include "rpc/raft_codec_fields.h"
#include "tests/rpc/random_message.h"
#include "tests/test.h"

enum { LINE_BYTES_MAX = 64 * 1024, ENTRIES_MAX = 16 };

static const char *encoded(struct frame *frame, const struct raft_message *message)
{
    frame->size = 0;
    CHECK(raft_codec_encode(frame, message));
    return frame->data;
}

// Up to three small injuries: a byte changed, doubled, taken away, or the end cut off.
static size_t injure(struct random_message *r, char *line, size_t size)
{
    static const char favourites[] = "{}[]\",:\\0123456789.-+eEu\n\t \xff\xc3tfn";
    uint64_t injuries = 1 + random_below(r, 3);
    for (uint64_t i = 0; i < injuries && size > 0; i++) {
        size_t at = random_below(r, size);
        switch (random_below(r, 5)) {
        case 0:
            line[at] = (char)random_draw(r);
            break;
        case 1:
            line[at] = favourites[random_below(r, sizeof favourites - 1)];
            break;
        case 2:
            memmove(line + at, line + at + 1, size - at - 1);
            size--;
            break;
        case 3:
            memmove(line + at + 1, line + at, size - at);
            size++;
            break;
        default:
            size = random_below(r, 4) == 0 ? at : size;
            break;
        }
    }
    return size;
}

// Both ways of decoding say the same, and what is taken can be said again.
static void check_both_ways(struct raft_codec_arena arenas[2], const char *line,
                            size_t size, uint32_t *taken)
{
    struct raft_message fast, slow;
    struct jsonrpc_problem fast_problem = {0, ""}, slow_problem = {0, ""};
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, line, size);
    bool good = raft_codec_decode(&arenas[0], copy, size, &fast, &fast_problem);
    CHECK_EQ(good,
             raft_codec_decode_slowly(&arenas[1], copy, size, &slow, &slow_problem));
    free(copy);
    if (!good) {
        CHECK_EQ(fast_problem.code, slow_problem.code);
        CHECK(fast_problem.code <= -32600 && fast_problem.code >= -32700);
        return;
    }
    (*taken)++;
    CHECK(same_message(&fast, &slow));
    struct frame *frame = frame_new(256);
    CHECK(raft_codec_encode(frame, &fast));
    CHECK(raft_codec_decode(&arenas[1], frame->data, frame->size - 1, &slow,
                            &slow_problem));
    CHECK(same_message(&fast, &slow));
    frame_release(frame);
}

// Exactly as many bytes as it has, so that a sanitizer sees a read beyond.
static bool decode_copy(struct raft_codec_arena *arena, const char *line, size_t size,
                        struct raft_message *message, struct jsonrpc_problem *problem)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, line, size);
    bool good = raft_codec_decode(arena, copy, size, message, problem);
    free(copy);
    return good;
}

// One range is lost: with it, where it ends before the last two braces, the checksum
// and the end of what stood before that.
static size_t cut_range(struct random_message *r, char *line, size_t size)
{
    size_t at = random_below(r, size);
    size_t count = 1 + random_below(r, size - at);
    memmove(line + at, line + at + count, size - at - count);
    return size - count;
}

TEST(what_is_taken_of_damaged_lines_is_what_was_sent)
{
    struct random_message r = {.state = 11};
    struct raft_codec_arena arena;
    struct raft_message got;
    struct jsonrpc_problem problem;
    struct frame *frame = frame_new(16);
    char *line = malloc(LINE_BYTES_MAX);
    uint32_t taken = 0, refused = 0;
    raft_codec_arena_init(&arena, LINE_BYTES_MAX, ENTRIES_MAX);
    for (int i = 0; i < 100000; i++) {
        random_message_next(&r);
        encoded(frame, &r.message);
        memcpy(line, frame->data, frame->size - 1);
        size_t size = frame->size - 1;
        size = i % 4 == 0 ? cut_range(&r, line, size) : injure(&r, line, size);
        bool good = decode_copy(&arena, line, size, &got, &problem);
        CHECK(!good || same_message(&r.message, &got));
        taken += good;
        refused += !good;
    }
    CHECK(taken > 1000); // some injuries change nothing
    CHECK(refused > 50000);
    raft_codec_arena_release(&arena);
    free(line);
    frame_release(frame);
}

// Half of them get a checksum that holds in spite of the damage.
TEST(a_hundred_thousand_damaged_lines_do_no_harm_and_both_decoders_agree)
{
    struct random_message r = {.state = 3};
    struct raft_codec_arena arenas[2];
    struct frame *frame = frame_new(16);
    char *line = malloc(LINE_BYTES_MAX);
    uint32_t taken = 0;
    raft_codec_arena_init(&arenas[0], LINE_BYTES_MAX, ENTRIES_MAX);
    raft_codec_arena_init(&arenas[1], LINE_BYTES_MAX, ENTRIES_MAX);
    for (int i = 0; i < 100000; i++) {
        if (i % 8 == 0) {
            random_message_next(&r);
            encoded(frame, &r.message);
        }
        size_t size = frame->size - 1;
        memcpy(line, frame->data, size);
        if (i % 2 == 0) {
            size = injure(&r, line, size - RAFT_CODEC_SUM_BYTES);
            raft_codec_sum(line, size, line + size);
            size += RAFT_CODEC_SUM_BYTES;
        } else {
            size = injure(&r, line, size);
        }
        check_both_ways(arenas, line, size, &taken);
    }
    CHECK(taken > 5000); // some injuries only change a digit or a letter
    raft_codec_arena_release(&arenas[0]);
    raft_codec_arena_release(&arenas[1]);
    free(line);
    frame_release(frame);
}

TEST_MAIN
