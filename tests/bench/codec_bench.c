// codec_bench: what it costs to write messages as lines, with checksums, and read them.
//
// One thread, CPU time. A chunk of a snapshot holds bytes that are no text, as its file
// does, or text; each is written to a line and read back, and must come back as it was.
// What is counted are the chunk's own bytes, not the line's. Then messages with few
// entries or none, in ns each, and what of that is the checksum.
#include "rpc/raft_codec.h"

#include "rpc/raft_codec_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK_MAX = 256 << 10, PASS_BYTES = 64 << 20, ROUNDS = 1000000, ENTRIES = 64 };

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(char *data, bool text)
{
    uint64_t x = 7;
    for (size_t i = 0; i < CHUNK_MAX; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        data[i] = (char)(text ? 'a' + (x >> 40) % 26 : x >> 40);
    }
}

struct passes {
    struct frame *frame;
    struct raft_codec_arena arena;
    double encode_s;
    double decode_s;
};

static void pass(struct passes *p, const struct raft_message *message)
{
    uint32_t size = message->install_snapshot.size;
    struct raft_message got;
    struct jsonrpc_problem problem;
    for (uint32_t done = 0; done < PASS_BYTES; done += size) {
        double start = cpu_seconds();
        p->frame->size = 0;
        bool good = raft_codec_encode(p->frame, message);
        double between = cpu_seconds();
        good = good && raft_codec_decode(&p->arena, p->frame->data, p->frame->size - 1,
                                         &got, &problem);
        p->decode_s += cpu_seconds() - between;
        p->encode_s += between - start;
        if (!good || got.install_snapshot.size != size ||
            memcmp(got.install_snapshot.data, message->install_snapshot.data, size) !=
                0) {
            fprintf(stderr, "codec_bench: a chunk did not come back as it was\n");
            exit(1);
        }
    }
}

static void measure(const char *data, uint32_t size, const char *what)
{
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT, .from = 1, .term = 4};
    struct passes p = {.frame = frame_new(2 * CHUNK_MAX)};
    message.install_snapshot = (struct raft_install_snapshot){
        90000, 3, 0, 1 << 30, 0xfedcba9876543210u, size, data};
    raft_codec_arena_init(&p.arena, raft_codec_line_bytes_max(0, size), 0);
    pass(&p, &message); // warm
    p.encode_s = p.decode_s = 0;
    pass(&p, &message);
    const double mb = PASS_BYTES / 1e6;
    printf("%3u KiB %-6s  encode %6.0f MB/s  decode %6.0f MB/s  both %6.0f MB/s\n",
           size >> 10, what, mb / p.encode_s, mb / p.decode_s,
           mb / (p.encode_s + p.decode_s));
    raft_codec_arena_release(&p.arena);
    frame_release(p.frame);
}

// ---- messages -------------------------------------------------------------------

struct costs {
    double encode_s, decode_s, sum_s;
};

static void measure_message(const struct raft_message *message, const char *what)
{
    struct frame *frame = frame_new(1 << 16);
    struct raft_codec_arena arena;
    struct raft_message got;
    struct jsonrpc_problem problem;
    struct costs costs;
    bool good = true;
    char end[RAFT_CODEC_SUM_BYTES];
    int rounds = ROUNDS / (int)(1 + message->append_entries.count);
    raft_codec_arena_init(&arena, 1 << 16, ENTRIES);
    double start = cpu_seconds();
    for (int i = 0; i < rounds; i++) {
        frame->size = 0;
        good &= raft_codec_encode(frame, message);
    }
    costs.encode_s = cpu_seconds() - start;
    start = cpu_seconds();
    for (int i = 0; i < rounds; i++) {
        good &= raft_codec_decode(&arena, frame->data, frame->size - 1, &got, &problem);
    }
    costs.decode_s = cpu_seconds() - start;
    size_t size = frame->size - 1 - sizeof end;
    start = cpu_seconds();
    for (int i = 0; i < rounds; i++) {
        raft_codec_sum(frame->data, size, end);
        good &= memcmp(frame->data + size, end, sizeof end) == 0;
    }
    costs.sum_s = cpu_seconds() - start;
    if (!good) {
        fprintf(stderr, "codec_bench: a message did not come back\n");
        exit(1);
    }
    const double ns = 1e9 / rounds;
    printf("%-22s  %5zu bytes  encode %6.0f ns  decode %6.0f ns  of each the checksum "
           "%4.0f ns\n",
           what, frame->size, costs.encode_s * ns, costs.decode_s * ns,
           costs.sum_s * ns);
    raft_codec_arena_release(&arena);
    frame_release(frame);
}

static void measure_messages(void)
{
    static const char command[] = "@1795222800123 7.3 *3 3:SET 5:apple 3:red";
    struct raft_entry entries[ENTRIES];
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .from = 1, .term = 4};
    for (uint32_t i = 0; i < ENTRIES; i++) {
        entries[i] = (struct raft_entry){90001 + i, 4, RAFT_ENTRY_COMMAND,
                                         sizeof command - 1, command};
    }
    message.append_entries = (struct raft_append_entries){90000, 4, 89990, 77, 0, NULL};
    measure_message(&message, "heartbeat");
    message.append_entries.entries = entries;
    message.append_entries.count = 1;
    measure_message(&message, "one command");
    message.append_entries.count = ENTRIES;
    measure_message(&message, "64 commands");
    message =
        (struct raft_message){.type = RAFT_APPEND_ENTRIES_REPLY, .from = 2, .term = 4};
    message.append_entries_reply.success = true;
    message.append_entries_reply.match_index = 90001;
    measure_message(&message, "acknowledgement");
}

int main(void)
{
    static char data[CHUNK_MAX];
    printf("codec: chunks of a snapshot as lines of JSON\n");
    for (int text = 0; text < 2; text++) {
        fill(data, text);
        for (uint32_t size = 64 << 10; size <= CHUNK_MAX; size *= 4) {
            measure(data, size, text ? "text" : "bytes");
        }
    }
    measure_messages();
    return 0;
}
