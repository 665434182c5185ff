#include "sim/language/language_answers.h"

#include "sim/json.h"
#include "sim/language/options.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENT_MAX = 1000, SHOWN_BYTES_MAX = 100 };

// ---- what is kept ---------------------------------------------------------------

bool language_answers_client(struct language *language, uint32_t at, uint32_t *client)
{
    uint64_t number;

    if (!options_number(language_word(language, at), 1, CLIENT_MAX, &number))
        return language_fail(language, "\"%s\" is no client from 1 to %d",
                             language_word(language, at), CLIENT_MAX);
    *client = (uint32_t)number;
    return true;
}

static struct language_answer *answer_of(struct language *language, uint32_t client)
{
    uint32_t old = language->answer_count;

    if (client >= old) {
        language->answers =
            realloc(language->answers, (client + 1) * sizeof(*language->answers));
        if (language->answers == NULL)
            abort();
        memset(&language->answers[old], 0,
               (client + 1 - old) * sizeof(*language->answers));
        language->answer_count = client + 1;
    }
    return &language->answers[client];
}

void language_answers_await(struct language *language, uint32_t client)
{
    answer_of(language, client)->there = false;
}

void language_answers_forget(struct language *language)
{
    for (uint32_t i = 0; i < language->answer_count; i++)
        buffer_free(&language->answers[i].text);
    free(language->answers);
    language->answers = NULL;
    language->answer_count = 0;
}

// ---- after each command ---------------------------------------------------------

static void take_answer(struct language *language, const struct reply *reply,
                        const char *data)
{
    struct language_answer *answer = answer_of(language, reply->client);
    struct buffer *out = language->out;

    json_open(out);
    json_number(out, "client", reply->client);
    if (reply->status == REPLY_DONE) {
        answer->there = true;
        buffer_clear(&answer->text);
        language_plain(data, reply->size, &answer->text);
        json_bytes(out, "reply", answer->text.data, answer->text.size);
    } else {
        json_string(out, "refused",
                    reply->status == REPLY_NOT_LEADER ? "not the leader"
                    : reply->status == REPLY_LOST     ? "its entry was replaced"
                                                      : "no room");
        // Who refuses in the step that deposed it has still itself for a leader.
        json_number(out, "leader",
                    reply->leader_hint == reply->from ? 0 : reply->leader_hint);
    }
    json_close(out);
}

void language_answers_take(struct language *language)
{
    struct buffer *told = &language->world->clients.told;
    size_t at = 0;

    if (told->size == 0)
        return;
    json_open_array(language->out, "answers");
    while (at < told->size) {
        struct reply reply;

        memcpy(&reply, told->data + at, sizeof(reply));
        at += sizeof(reply);
        take_answer(language, &reply, told->data + at);
        at += reply.size;
    }
    json_close_array(language->out);
    buffer_clear(told);
}

// ---- claims ---------------------------------------------------------------------

static bool was_told(struct language *language, uint32_t client,
                     const struct buffer *text)
{
    return language_fail(
        language, "client %u was told %.*s", (unsigned)client,
        (int)(text->size < SHOWN_BYTES_MAX ? text->size : SHOWN_BYTES_MAX),
        text->size == 0 ? "" : text->data);
}

bool language_answers_expect(struct language *language)
{
    const struct language_answer *answer;
    uint32_t client;

    if (language->count != 4)
        return language_fail(language, "usage: expect answer C TEXT");
    if (!language_answers_client(language, 2, &client))
        return false;
    answer = answer_of(language, client);
    if (!answer->there)
        return language_fail(language, "client %u has no answer", (unsigned)client);
    return language_is_text(language, 3, &answer->text) ||
           was_told(language, client, &answer->text);
}

bool language_answers_expect_none(struct language *language)
{
    const struct language_answer *answer;
    uint32_t client;

    if (language->count != 4)
        return language_fail(language, "usage: expect no answer C");
    if (!language_answers_client(language, 3, &client))
        return false;
    answer = answer_of(language, client);
    return !answer->there || was_told(language, client, &answer->text);
}
