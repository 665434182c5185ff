#include "sim/request.h"

#include <string.h>

uint64_t request_make(struct pool *pool, const struct request *head,
                      const struct bytes *words)
{
    size_t size = sizeof(*head) + head->word_count * sizeof(uint32_t);
    uint64_t handle;
    struct request *request;
    uint32_t *sizes;
    char *at;

    assert(head->word_count <= REQUEST_WORDS_MAX);
    for (uint32_t i = 0; i < head->word_count; i++)
        size += words[i].size;
    handle = pool_take(pool, size);
    request = pool_at(pool, handle);
    *request = *head;
    sizes = (uint32_t *)(request + 1);
    at = (char *)(sizes + head->word_count);
    for (uint32_t i = 0; i < head->word_count; i++) {
        sizes[i] = (uint32_t)words[i].size;
        if (words[i].size > 0)
            memcpy(at, words[i].data, words[i].size);
        at += words[i].size;
    }
    return handle;
}

void request_words(const struct request *request, struct bytes *words)
{
    const uint32_t *sizes = (const uint32_t *)(request + 1);
    const char *at = (const char *)(sizes + request->word_count);

    for (uint32_t i = 0; i < request->word_count; i++) {
        words[i] = (struct bytes){at, sizes[i]};
        at += sizes[i];
    }
}

uint64_t request_reply_make(struct pool *pool, const struct reply *head,
                            const void *data)
{
    uint64_t handle = pool_take(pool, sizeof(*head) + head->size);
    struct reply *reply = pool_at(pool, handle);

    *reply = *head;
    if (head->size > 0)
        memcpy(reply + 1, data, head->size);
    return handle;
}

const char *request_reply_data(const struct reply *reply)
{
    return (const char *)(reply + 1);
}
