// service_fixture.h: a service with its log, spoken to in lines of text.
#ifndef TESTS_KVSERVER_SERVICE_FIXTURE_H
#define TESTS_KVSERVER_SERVICE_FIXTURE_H

#include "tests/test.h"

#include <stdbool.h>

#include "kvserver/service/service.h"

enum { WORDS_MAX = 16, START_MS = 1000000 };

struct fixture {
    struct service *service;
    uint64_t index;
    uint64_t time_ms;
    struct buffer entry;
    struct buffer reply;
};

static inline void setup_limited(struct fixture *f, const struct service_limits *limits)
{
    *f = (struct fixture){.time_ms = START_MS};
    f->service = service_new(engine_memory_new(), limits);
    CHECK(f->service != NULL);
}

static inline void setup(struct fixture *f)
{
    struct service_limits limits;
    service_limits_default(&limits);
    setup_limited(f, &limits);
}

static inline void teardown(struct fixture *f)
{
    CHECK_EQ(service_hash(f->service), service_hash_slow(f->service));
    service_free(f->service);
    buffer_free(&f->entry);
    buffer_free(&f->reply);
}

// Words are separated by single blanks.
static inline uint32_t split(const char *text, struct bytes words[WORDS_MAX])
{
    uint32_t count = 0;
    for (;;) {
        size_t size = strcspn(text, " ");
        CHECK(count < WORDS_MAX);
        words[count++] = (struct bytes){text, size};
        if (text[size] == 0)
            return count;
        text += size + 1;
    }
}

static inline const char *text_of(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    buffer->size--;
    return buffer->data;
}

static inline const char *apply_words(struct fixture *f, uint64_t session,
                                      uint64_t sequence, const struct bytes *words,
                                      uint32_t count)
{
    buffer_clear(&f->entry);
    buffer_clear(&f->reply);
    service_encode(&f->entry, f->time_ms, session, sequence, words, count);
    service_apply(f->service, ++f->index, f->entry.data, f->entry.size, &f->reply);
    return text_of(&f->reply);
}

static inline const char *apply_in(struct fixture *f, uint64_t session,
                                   uint64_t sequence, const char *text)
{
    struct bytes words[WORDS_MAX];
    return apply_words(f, session, sequence, words, split(text, words));
}

static inline const char *apply(struct fixture *f, const char *text)
{
    return apply_in(f, 0, 0, text);
}

// With session 1.
static inline void setup_session(struct fixture *f)
{
    setup(f);
    CHECK_TEXT(apply(f, "RAFT.REGISTER"), ":1\r\n");
}

static inline void tick(struct fixture *f, uint64_t time_ms)
{
    f->time_ms = time_ms;
    apply_words(f, 0, 0, NULL, 0);
}

static inline const char *read_at(struct fixture *f, uint64_t now_ms, const char *text)
{
    struct bytes words[WORDS_MAX];
    uint32_t count = split(text, words);
    buffer_clear(&f->reply);
    CHECK_EQ(service_classify(words, count, &f->reply), SERVICE_READ);
    service_read(f->service, words, count, now_ms, &f->reply);
    return text_of(&f->reply);
}

static inline const char *read(struct fixture *f, const char *text)
{
    return read_at(f, f->time_ms, text);
}

static inline enum service_kind classify(struct fixture *f, const char *text)
{
    struct bytes words[WORDS_MAX];
    uint32_t count = split(text, words);
    buffer_clear(&f->reply);
    enum service_kind kind = service_classify(words, count, &f->reply);
    text_of(&f->reply);
    return kind;
}

#endif
