// disk_fixture.h: a simulated disk on a bench, its interface in a test's hand.
#ifndef TESTS_SIM_DISK_FIXTURE_H
#define TESTS_SIM_DISK_FIXTURE_H

#include <errno.h>

#include "sim/disk/disk.h"
#include "tests/test.h"

enum { STARTED_MAX = 64 };

struct bench {
    struct sim_disk *disk;
    struct disk door;
    struct random random;
    uint64_t started[STARTED_MAX]; // syncs, as they were told of
    uint64_t bytes;                // of the last
    uint32_t started_count;
};

static inline void note_sync(void *context, uint64_t sync, uint64_t bytes)
{
    struct bench *bench = context;
    CHECK(bench->started_count < STARTED_MAX);
    bench->started[bench->started_count++] = sync;
    bench->bytes = bytes;
}

static inline void setup(struct bench *bench, uint64_t seed)
{
    *bench = (struct bench){0};
    struct sim_disk_hooks hooks = {.context = bench, .sync_started = note_sync};
    bench->disk = sim_disk_new(&hooks);
    sim_disk_door(bench->disk, &bench->door);
    random_seed(&bench->random, seed, 3);
}

static inline int append(struct bench *bench, const char *name, const char *text)
{
    return bench->door.append(bench->door.context, name, text, strlen(text));
}

static inline int sync_now(struct bench *bench, const char *name)
{
    return bench->door.sync(bench->door.context, name, 0);
}

// The content as text; "(none)" where there is no file.
static inline const char *content(struct bench *bench, const char *name)
{
    static char text[8192];
    int64_t size =
        bench->door.read(bench->door.context, name, 0, text, sizeof(text) - 1);
    if (size == -ENOENT) {
        return "(none)";
    }
    CHECK(size >= 0);
    text[size] = '\0';
    return text;
}

static inline void crash(struct bench *bench, enum sim_disk_crash_mode mode)
{
    sim_disk_crash(bench->disk, &bench->random, mode);
}

// Writes 1,000 synced and 3,000 unsynced bytes, none of them zero.
static inline void write_sectors(struct bench *bench, uint8_t *expected)
{
    for (uint32_t i = 0; i < 4000; i++) {
        expected[i] = (uint8_t)(1 + i % 255);
    }
    bench->door.append(bench->door.context, "log", expected, 1000);
    sync_now(bench, "log");
    bench->door.append(bench->door.context, "log", expected + 1000, 3000);
}

// The whole of the log, read by read: one ends with its sector. 0 where there is none.
static inline int64_t read_log(struct bench *bench, uint8_t *data, size_t size)
{
    int64_t held = 0, got = 1;
    while (got > 0 && (size_t)held < size) {
        got = bench->door.read(bench->door.context, "log", (uint64_t)held, data + held,
                               size - (size_t)held);
        held += got > 0 ? got : 0;
    }
    return held;
}

#endif
