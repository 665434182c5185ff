// log_fixture.h: a durable log over a memory disk, and what is found on opening it.
#ifndef TESTS_HOST_LOG_FIXTURE_H
#define TESTS_HOST_LOG_FIXTURE_H

#include "raft/host/durable_log.h"
#include "raft/host/log_recover.h"
#include "tests/host/memory_disk.h"

enum {
    FIXTURE_CLUSTER = 77,
    FIXTURE_NODE = 3,
    FIXTURE_ENTRIES_MAX = 256,
    FIXTURE_PAYLOAD_MAX = 4096,
};

struct fixture {
    struct memory_disk disk;
    struct durable_log log;
};

// A log as its reader sees it. All of an entry follows from its index, term and size.
struct content {
    struct raft_hard_state hard_state;
    raft_index base; // the log begins behind it
    raft_index last_index;
    raft_term terms[FIXTURE_ENTRIES_MAX]; // by index
    uint32_t sizes[FIXTURE_ENTRIES_MAX];
};

struct opened {
    bool ok;
    char error[200];
    struct content content;
    bool dropped;
    raft_index first_index;
    uint64_t torn_bytes;
    struct durable_log_found found;
    struct log_segment segment;
    uint64_t end;
};

// The first bytes of an entry's command; good until it is asked again.
static inline const uint8_t *fixture_payload(raft_index index, raft_term term,
                                             uint32_t size)
{
    static uint8_t bytes[FIXTURE_PAYLOAD_MAX];
    CHECK(size <= sizeof bytes);
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(index * 31 + term * 7 + i * 13 + 1);
    return bytes;
}

static inline void fixture_init(struct fixture *fixture, uint64_t segment_bytes_max)
{
    memset(&fixture->disk, 0, sizeof fixture->disk);
    durable_log_init(&fixture->log, FIXTURE_CLUSTER, FIXTURE_NODE, segment_bytes_max);
}

static inline void fixture_copy(struct fixture *to, const struct fixture *from)
{
    to->log = from->log;
    memory_disk_copy(&to->disk, &from->disk);
}

static inline int fixture_create(struct fixture *fixture)
{
    struct disk disk = memory_disk_interface(&fixture->disk);
    return durable_log_create(&fixture->log, &disk);
}

static inline int fixture_vote(struct fixture *fixture, raft_term term, raft_id vote)
{
    struct disk disk = memory_disk_interface(&fixture->disk);
    struct raft_hard_state hard_state = {.current_term = term, .voted_for = vote};
    struct durable_log_write write = {.hard_state = &hard_state};
    return durable_log_append(&fixture->log, &disk, &write);
}

static inline int fixture_put(struct fixture *fixture, raft_index index, raft_term term,
                              uint32_t size)
{
    struct disk disk = memory_disk_interface(&fixture->disk);
    struct raft_entry entry = {.index = index,
                               .term = term,
                               .type = RAFT_ENTRY_COMMAND,
                               .size = size,
                               .data = fixture_payload(index, term, size)};
    struct durable_log_write write = {.entries = &entry, .entry_count = 1};
    return durable_log_append(&fixture->log, &disk, &write);
}

static inline int fixture_restart(struct fixture *fixture, raft_index index,
                                  raft_term term)
{
    struct disk disk = memory_disk_interface(&fixture->disk);
    struct raft_snapshot_meta restart = {.last_included_index = index,
                                         .last_included_term = term};
    struct durable_log_write write = {.restart = &restart};
    return durable_log_append(&fixture->log, &disk, &write);
}

static inline void fixture_sync(struct fixture *fixture)
{
    struct disk disk = memory_disk_interface(&fixture->disk);
    CHECK_EQ(durable_log_sync(&fixture->log, &disk, 1), 0);
    CHECK_EQ(memory_disk_end_sync(&fixture->disk), 0);
    durable_log_synced(&fixture->log);
}

static inline enum raft_status fixture_load(void *context,
                                            const struct raft_entry *entry)
{
    struct content *content = context;
    CHECK_EQ(entry->index, content->last_index + 1);
    CHECK(entry->index < FIXTURE_ENTRIES_MAX);
    CHECK_EQ(entry->type, RAFT_ENTRY_COMMAND);
    const uint8_t *payload = fixture_payload(entry->index, entry->term, entry->size);
    CHECK(memcmp(entry->data, payload, entry->size) == 0);
    content->last_index = entry->index;
    content->terms[entry->index] = entry->term;
    content->sizes[entry->index] = entry->size;
    return RAFT_OK;
}

// Opens the log as host_open() does, less the core, where this is the last entry of the
// newest good snapshot.
static inline struct opened fixture_open_behind(struct memory_disk *memory,
                                                raft_index index, raft_term term)
{
    struct opened opened = {.content.base = index, .content.last_index = index};
    struct disk disk = memory_disk_interface(memory);
    struct log_recovery recovery;
    log_recover_init(&recovery, FIXTURE_CLUSTER, FIXTURE_NODE, opened.error,
                     sizeof opened.error);
    struct log_loader loader = {.context = &opened.content, .load = fixture_load};
    opened.ok = log_recover_scan(&recovery, &disk, index, term) &&
                log_recover_load(&recovery, &loader);
    if (opened.ok && recovery.found.segment.number != 0) {
        CHECK_EQ(opened.content.last_index, recovery.last_index);
        CHECK(recovery.first_index <= index + 1);
    }
    opened.dropped = recovery.dropped;
    opened.first_index = recovery.first_index;
    opened.content.hard_state = recovery.found.hard_state;
    opened.torn_bytes = recovery.torn_bytes;
    opened.found = recovery.found;
    opened.segment = recovery.found.segment;
    opened.end = recovery.found.end;
    log_recover_release(&recovery);
    return opened;
}

static inline struct opened fixture_open(struct memory_disk *memory)
{
    return fixture_open_behind(memory, 0, 0);
}

// The log goes on where it was opened.
static inline void fixture_resume(struct fixture *fixture, const struct opened *opened)
{
    durable_log_init(&fixture->log, FIXTURE_CLUSTER, FIXTURE_NODE,
                     fixture->log.segment_bytes_max);
    if (opened->segment.number == 0)
        CHECK_EQ(fixture_create(fixture), 0);
    else
        durable_log_resume(&fixture->log, &opened->found);
}

static inline void fixture_refused_behind(struct memory_disk *disk, raft_index index,
                                          raft_term term, const char *error)
{
    struct opened opened = fixture_open_behind(disk, index, term);
    CHECK(!opened.ok);
    CHECK_TEXT(opened.error, error);
}

static inline void fixture_refused(struct memory_disk *disk, const char *error)
{
    fixture_refused_behind(disk, 0, 0, error);
}

#define SEGMENT(n) "0000000000000000000" #n ".log"

#endif
