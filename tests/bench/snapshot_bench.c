// snapshot_bench: what a snapshot of a million keys costs those who keep writing.
//
// Puts are timed one by one, in no order, into an engine with a million values of 100
// bytes: without a view, while there is one, and after it. Then a service with as many
// keys is written out in pieces, and restored from them.
#include "kvserver/service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS = 1000000, VALUE_SIZE = 100, PIECE_SIZE = 1 << 20 };

// CPU time: what other processes take is not counted.
static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "snapshot_bench: %s\n", what);
    exit(1);
}

// ---- the engine -----------------------------------------------------------------

static struct bytes key_of(char key[24], uint32_t number)
{
    // The factor and KEYS have no divisor in common: every key, in no order.
    uint32_t mixed = (uint32_t)((uint64_t)number * 2654435761u % KEYS);
    int size = snprintf(key, 24, "key:%010u", mixed);
    return (struct bytes){key, (size_t)size};
}

// How many puts took so many microseconds; the last slot: or more.
static uint32_t taken[10000];
enum { SLOTS = sizeof(taken) / sizeof(taken[0]) };

// Within how many microseconds all puts but `left` ended.
static uint32_t within_us(uint32_t left)
{
    uint32_t slot = SLOTS - 1;
    for (uint32_t above = taken[slot]; slot > 0 && above <= left; above += taken[slot])
        slot--;
    return slot + 1;
}

// Seconds for one put of every key.
static double put_all(struct engine *engine, char filler)
{
    memset(taken, 0, sizeof(taken));
    char key[24], text[VALUE_SIZE];
    struct bytes value = {text, VALUE_SIZE};
    memset(text, filler, VALUE_SIZE);
    double begin = now_s(), last = begin;
    for (uint32_t i = 0; i < KEYS; i++) {
        must(engine->ops->put(engine, key_of(key, i), value) == 0, "a put failed");
        double now = now_s();
        double us = (now - last) * 1e6;
        taken[us < SLOTS - 1 ? (uint32_t)us : SLOTS - 1]++;
        last = now;
    }
    return last - begin;
}

static void bench_puts(void)
{
    struct engine *engine = engine_memory_new();
    must(engine != NULL, "out of memory");
    static const char *const names[] = {"insert", "replace", "replace, frozen",
                                        "replace again, frozen", "replace, thawed"};
    struct engine_view *view = NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        double begin = now_s();
        if (i == 2)
            view = engine->ops->freeze(engine);
        if (i == 4)
            engine->ops->thaw(view);
        double moved_us = (now_s() - begin) * 1e6;
        double seconds = put_all(engine, (char)('a' + i));
        printf("%-22s %7.0f puts/s; 99.9%% in %u us, 99.99%% in %u us, all in %u us",
               names[i], KEYS / seconds, within_us(KEYS / 1000),
               within_us(KEYS / 10000), within_us(0));
        if (i == 2 || i == 4)
            printf("; %s in %.1f us", i == 2 ? "frozen" : "thawed", moved_us);
        printf("\n");
    }
    engine->ops->free(engine);
}

// ---- the service ----------------------------------------------------------------

static struct service *service_filled(bool timed)
{
    struct service_limits limits;
    service_limits_default(&limits);
    struct service *service = service_new(engine_memory_new(), &limits);
    must(service != NULL, "out of memory");
    struct buffer entry = {0};
    char key[24], value[VALUE_SIZE];
    memset(value, 'v', sizeof(value));
    for (uint32_t i = 0; i < KEYS; i++) {
        struct bytes words[] = {
            {"SET", 3}, key_of(key, i), {value, VALUE_SIZE}, {"EX", 2}, {"100", 3}};
        buffer_clear(&entry);
        service_encode(&entry, 1 + i / 100, 0, 0, words, timed ? 5 : 3);
        service_apply(service, i + 1, entry.data, entry.size, NULL);
    }
    buffer_free(&entry);
    return service;
}

static void bench_snapshot(bool timed)
{
    struct service *service = service_filled(timed);
    struct service *other = service_filled(false);
    char *bytes = malloc((size_t)KEYS * 300);
    must(bytes != NULL, "out of memory");
    double begin = now_s();
    struct service_snapshot *snapshot = service_snapshot_begin(service);
    size_t total = 0, got;
    double longest_ms = 0;
    for (double last = now_s();; last = now_s()) {
        got = service_snapshot_read(snapshot, bytes + total, PIECE_SIZE);
        if ((now_s() - last) * 1e3 > longest_ms)
            longest_ms = (now_s() - last) * 1e3;
        if (got == 0)
            break;
        total += got;
    }
    service_snapshot_end(snapshot);
    double taken_s = now_s() - begin;
    printf("%s: snapshot of %zu MB at %.0f MB/s, the longest piece of 1 MiB %.1f ms\n",
           timed ? "all with deadlines" : "no deadlines", total / 1000000,
           (double)total / 1e6 / taken_s, longest_ms);
    begin = now_s();
    must(service_restore_begin(other) == 0, "no restore");
    for (size_t at = 0; at < total; at += PIECE_SIZE)
        must(service_restore_write(other, bytes + at,
                                   total - at < PIECE_SIZE ? total - at : PIECE_SIZE) ==
                 0,
             "a piece was refused");
    must(service_restore_end(other) == 0, "the restore failed");
    double restored_s = now_s() - begin;
    must(service_hash(other) == service_hash(service), "another state");
    printf("    restored over another million at %.0f keys/s\n", KEYS / restored_s);
    free(bytes);
    service_free(service);
    service_free(other);
}

int main(void)
{
    bench_puts();
    bench_snapshot(false);
    bench_snapshot(true);
    return 0;
}
