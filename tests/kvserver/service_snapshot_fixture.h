// service_snapshot_fixture.h: snapshots taken and restored in pieces of all sizes.
#ifndef TESTS_KVSERVER_SERVICE_SNAPSHOT_FIXTURE_H
#define TESTS_KVSERVER_SERVICE_SNAPSHOT_FIXTURE_H

#include "tests/kvserver/service_commands.h"
#include "tests/kvserver/service_fixture.h"

static inline void read_rest(struct service_snapshot *snapshot, size_t piece_max,
                             struct buffer *out)
{
    char *piece = malloc(piece_max);
    for (;;) {
        size_t size = 1 + random_below((uint32_t)piece_max);
        size_t got = service_snapshot_read(snapshot, piece, size);
        buffer_append(out, piece, got);
        if (got < size)
            break;
    }
    CHECK_EQ(service_snapshot_read(snapshot, piece, piece_max), 0);
    free(piece);
}

static inline struct buffer take(struct service *service, size_t piece_max)
{
    struct buffer out = {0};
    struct service_snapshot *snapshot = service_snapshot_begin(service);
    CHECK(snapshot != NULL);
    read_rest(snapshot, piece_max, &out);
    service_snapshot_end(snapshot);
    return out;
}

static inline int restore(struct service *service, const struct buffer *bytes,
                          size_t piece_max)
{
    CHECK_EQ(service_restore_begin(service), 0);
    for (size_t at = 0; at < bytes->size;) {
        size_t size = 1 + random_below((uint32_t)piece_max);
        size = size < bytes->size - at ? size : bytes->size - at;
        if (service_restore_write(service, bytes->data + at, size) != 0)
            break;
        at += size;
    }
    return service_restore_end(service);
}

static inline void check_same_bytes(const struct buffer *a, const struct buffer *b)
{
    CHECK_EQ(a->size, b->size);
    CHECK(a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static inline void check_same_state(struct service *a, struct service *b)
{
    CHECK_EQ(service_hash(a), service_hash(b));
    CHECK_EQ(service_hash(a), service_hash_slow(a));
    CHECK_EQ(service_hash(b), service_hash_slow(b));
    CHECK_EQ(service_applied_index(a), service_applied_index(b));
    CHECK_EQ(service_clock_ms(a), service_clock_ms(b));
    CHECK_EQ(service_next_deadline_ms(a), service_next_deadline_ms(b));
    CHECK_EQ(service_key_count(a), service_key_count(b));
    CHECK_EQ(service_session_count(a), service_session_count(b));
}

static inline void check_empty(struct service *service)
{
    CHECK_EQ(service_applied_index(service), 0);
    CHECK_EQ(service_clock_ms(service), 0);
    CHECK_EQ(service_key_count(service), 0);
    CHECK_EQ(service_session_count(service), 0);
    CHECK_EQ(service_next_deadline_ms(service), UINT64_MAX);
    CHECK_EQ(service_hash(service), service_hash_slow(service));
}

// ---- drawn logs -----------------------------------------------------------------

static inline void setup_small(struct fixture *f)
{
    struct service_limits limits;
    service_limits_default(&limits);
    limits.sessions_max = 20;
    limits.session_idle_ms_max = 3000;
    setup_limited(f, &limits);
}

// One entry, drawn as a leader's would be; `other` applies it, too, where there is one,
// and must answer the same.
static inline void apply_drawn(struct fixture *f, struct fixture *other)
{
    char text[128];
    struct bytes words[WORDS_MAX];
    draw_command(text, sizeof(text));
    uint32_t count = split(text, words);
    f->time_ms += random_below(20);
    f->time_ms -= random_below(8) == 0 ? 30 : 0;
    uint32_t ids = 1 + (uint32_t)f->index;
    uint64_t session = random_below(3) == 0 ? 1 + random_below(ids) : 0;
    uint64_t sequence = session == 0 ? 0 : 1 + random_below(3);
    apply_words(f, session, sequence, words, count);
    if (other == NULL)
        return;
    buffer_clear(&other->reply);
    service_apply(other->service, f->index, f->entry.data, f->entry.size,
                  &other->reply);
    check_same_bytes(&f->reply, &other->reply);
    CHECK_EQ(service_hash(f->service), service_hash(other->service));
}

static inline void apply_many(struct fixture *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        apply_drawn(f, NULL);
}

#endif
