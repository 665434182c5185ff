// values.c: commands on values that are byte strings; see values.h.
//
// Each handler reads its words, looks, decides and stores, in this order, so that an
// error changes nothing.
#include "kvserver/service/values.h"

#include <string.h>

#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/store.h"

static const char wrong_type[] =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
static const char not_an_integer[] = "ERR value is not an integer or out of range";
static const char too_long[] =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

enum finding { ABSENT, FOUND, WRONG_TYPE };

// Looks a string up. WRONG_TYPE has been replied to.
static enum finding find(struct command_call *call, struct bytes key,
                         struct store_value *value)
{
    if (!store_get(call->store, key, value)) {
        *value = (struct store_value){.type = STORE_STRING};
        return ABSENT;
    }
    if (value->type == STORE_STRING)
        return FOUND;
    resp_error(call->reply, wrong_type);
    return WRONG_TYPE;
}

static void put(struct command_call *call, struct bytes key, struct bytes text,
                uint64_t deadline_ms)
{
    struct store_value value = {STORE_STRING, deadline_ms, text};
    store_put(call->store, key, &value);
}

// Whether a value of that many bytes may be stored; otherwise the error is replied.
static bool fits(struct command_call *call, size_t size)
{
    if (size <= call->limits->value_bytes_max)
        return true;
    resp_error(call->reply, too_long);
    return false;
}

static void reply_found(struct command_call *call, enum finding finding,
                        const struct store_value *value)
{
    if (finding == FOUND)
        resp_bulk(call->reply, value->payload);
    else if (finding == ABSENT)
        resp_null(call->reply);
}

// ---- SET ------------------------------------------------------------------------

enum set_flag {
    SET_NX = 1 << 0,
    SET_XX = 1 << 1,
    SET_GET = 1 << 2,
    SET_KEEPTTL = 1 << 3,
    SET_EX = 1 << 4,
    SET_PX = 1 << 5,
    SET_EXAT = 1 << 6,
    SET_PXAT = 1 << 7,
    SET_TIMED = SET_EX | SET_PX | SET_EXAT | SET_PXAT,
};

struct set_options {
    unsigned flags;
    int64_t time_ms; // of whichever SET_TIMED flag is set
};

static const struct set_word {
    const char *text;
    unsigned flag;
    unsigned excludes;
} set_words[] = {
    {"NX", SET_NX, SET_XX},
    {"XX", SET_XX, SET_NX},
    {"GET", SET_GET, 0},
    {"KEEPTTL", SET_KEEPTTL, SET_TIMED},
    {"EX", SET_EX, SET_KEEPTTL | (SET_TIMED & ~SET_EX)},
    {"PX", SET_PX, SET_KEEPTTL | (SET_TIMED & ~SET_PX)},
    {"EXAT", SET_EXAT, SET_KEEPTTL | (SET_TIMED & ~SET_EXAT)},
    {"PXAT", SET_PXAT, SET_KEEPTTL | (SET_TIMED & ~SET_PXAT)},
};

static const struct set_word *set_word_find(struct bytes word)
{
    for (size_t i = 0; i < sizeof(set_words) / sizeof(set_words[0]); i++)
        if (command_word_is(word, set_words[i].text))
            return &set_words[i];
    return NULL;
}

static void refuse_time(struct buffer *error, const char *command)
{
    resp_error_format(error, "ERR invalid expire time in '%s' command", command);
}

static bool read_set_time(struct set_options *options, struct bytes text,
                          const char *command, struct buffer *error)
{
    bool seconds = options->flags & (SET_EX | SET_EXAT);
    int64_t time;
    if (!number_parse(text, &time)) {
        resp_error(error, not_an_integer);
        return false;
    }
    if (time <= 0 || (seconds && time > INT64_MAX / 1000)) {
        refuse_time(error, command);
        return false;
    }
    options->time_ms = seconds ? time * 1000 : time;
    return true;
}

static bool read_set(const struct bytes *words, uint32_t count,
                     struct set_options *options, struct buffer *error)
{
    struct bytes time = {NULL, 0};
    *options = (struct set_options){0};
    for (uint32_t i = 3; i < count; i++) {
        const struct set_word *word = set_word_find(words[i]);
        bool timed = word != NULL && (word->flag & SET_TIMED);
        if (word == NULL || (options->flags & word->excludes) ||
            (timed && i + 1 == count)) {
            resp_error(error, "ERR syntax error");
            return false;
        }
        options->flags |= word->flag;
        if (timed)
            time = words[++i];
    }
    return !(options->flags & SET_TIMED) || read_set_time(options, time, "set", error);
}

bool values_check_set(const struct bytes *words, uint32_t count, struct buffer *error)
{
    struct set_options options;
    return read_set(words, count, &options, error);
}

// The deadline that SET gives. False where it lies beyond the end of time.
static bool set_deadline(const struct command_call *call,
                         const struct set_options *options,
                         const struct store_value *old, uint64_t *deadline_ms)
{
    *deadline_ms = options->flags & SET_KEEPTTL ? old->deadline_ms : 0;
    if (!(options->flags & SET_TIMED))
        return true;
    bool relative = options->flags & (SET_EX | SET_PX);
    uint64_t base_ms = relative ? call->store->clock_ms : 0;
    *deadline_ms = base_ms + (uint64_t)options->time_ms;
    return *deadline_ms <= INT64_MAX;
}

void values_set(struct command_call *call)
{
    struct set_options options;
    if (!read_set(call->words, call->count, &options, call->reply) ||
        !fits(call, call->words[2].size))
        return;
    // The whole of SET replaces a value of any type; GET insists on a string.
    struct bytes key = call->words[1];
    struct store_value old = {0};
    bool found = store_get(call->store, key, &old);
    uint64_t deadline_ms;
    if (!set_deadline(call, &options, &old, &deadline_ms)) {
        refuse_time(call->reply, "set");
        return;
    }
    if (options.flags & SET_GET) {
        enum finding finding = find(call, key, &old);
        if (finding == WRONG_TYPE)
            return;
        reply_found(call, finding, &old);
    }
    bool refused =
        (options.flags & SET_NX && found) || (options.flags & SET_XX && !found);
    if (!refused)
        put(call, key, call->words[2], deadline_ms);
    if (options.flags & SET_GET)
        return;
    if (refused)
        resp_null(call->reply);
    else
        resp_simple(call->reply, "OK");
}

// SETEX and PSETEX: the time stands before the value.

static bool read_setex(const struct bytes *words, unsigned flag,
                       struct set_options *options, struct buffer *error)
{
    *options = (struct set_options){.flags = flag};
    const char *command = flag == SET_EX ? "setex" : "psetex";
    return read_set_time(options, words[2], command, error);
}

bool values_check_setex(const struct bytes *words, uint32_t count, struct buffer *error)
{
    struct set_options options;
    (void)count;
    return read_setex(words, SET_EX, &options, error);
}

bool values_check_psetex(const struct bytes *words, uint32_t count,
                         struct buffer *error)
{
    struct set_options options;
    (void)count;
    return read_setex(words, SET_PX, &options, error);
}

static void setex(struct command_call *call, unsigned flag)
{
    struct set_options options;
    struct store_value none = {0};
    uint64_t deadline_ms;
    if (!read_setex(call->words, flag, &options, call->reply) ||
        !fits(call, call->words[3].size))
        return;
    if (!set_deadline(call, &options, &none, &deadline_ms)) {
        refuse_time(call->reply, call->command->name);
        return;
    }
    put(call, call->words[1], call->words[3], deadline_ms);
    resp_simple(call->reply, "OK");
}

void values_setex(struct command_call *call)
{
    setex(call, SET_EX);
}

void values_psetex(struct command_call *call)
{
    setex(call, SET_PX);
}

// ---- the other ways to read and to replace --------------------------------------

void values_get(struct command_call *call)
{
    struct store_value value;
    reply_found(call, find(call, call->words[1], &value), &value);
}

void values_getdel(struct command_call *call)
{
    struct store_value value;
    enum finding finding = find(call, call->words[1], &value);
    reply_found(call, finding, &value);
    if (finding == FOUND)
        store_remove(call->store, call->words[1]);
}

void values_getset(struct command_call *call)
{
    struct store_value value;
    if (!fits(call, call->words[2].size))
        return;
    enum finding finding = find(call, call->words[1], &value);
    if (finding == WRONG_TYPE)
        return;
    reply_found(call, finding, &value);
    put(call, call->words[1], call->words[2], 0);
}

void values_setnx(struct command_call *call)
{
    struct store_value value;
    if (!fits(call, call->words[2].size))
        return;
    bool found = store_get(call->store, call->words[1], &value);
    if (!found)
        put(call, call->words[1], call->words[2], 0);
    resp_integer(call->reply, !found);
}

void values_strlen(struct command_call *call)
{
    struct store_value value;
    if (find(call, call->words[1], &value) != WRONG_TYPE)
        resp_integer(call->reply, (int64_t)value.payload.size);
}

void values_mget(struct command_call *call)
{
    size_t start = call->reply->size;
    resp_array(call->reply, call->count - 1);
    for (uint32_t i = 1; i < call->count; i++) {
        struct store_value value;
        if (!store_get(call->store, call->words[i], &value) ||
            value.type != STORE_STRING) {
            resp_null(call->reply);
            continue;
        }
        if (!command_reply_fits(call, start, value.payload.size))
            return;
        resp_bulk(call->reply, value.payload);
    }
}

bool values_check_mset(const struct bytes *words, uint32_t count, struct buffer *error)
{
    if (count % 2 == 1)
        return true;
    command_error_arity(error, command_find(words[0]));
    return false;
}

void values_mset(struct command_call *call)
{
    if (!values_check_mset(call->words, call->count, call->reply))
        return;
    for (uint32_t i = 2; i < call->count; i += 2)
        if (!fits(call, call->words[i].size))
            return;
    for (uint32_t i = 1; i < call->count; i += 2)
        put(call, call->words[i], call->words[i + 1], 0);
    resp_simple(call->reply, "OK");
}

void values_append(struct command_call *call)
{
    struct bytes key = call->words[1];
    struct bytes tail = call->words[2];
    struct store_value value;
    if (find(call, key, &value) == WRONG_TYPE ||
        !fits(call, value.payload.size + tail.size))
        return;
    struct buffer *text = &call->store->payload;
    buffer_clear(text);
    buffer_append(text, value.payload.data, value.payload.size);
    buffer_append(text, tail.data, tail.size);
    put(call, key, (struct bytes){text->data, text->size}, value.deadline_ms);
    resp_integer(call->reply, (int64_t)text->size);
}

// ---- counting -------------------------------------------------------------------

static void add(struct command_call *call, int64_t step)
{
    struct bytes key = call->words[1];
    struct store_value value;
    int64_t number = 0;
    enum finding finding = find(call, key, &value);
    if (finding == WRONG_TYPE)
        return;
    if (finding == FOUND && !number_parse(value.payload, &number)) {
        resp_error(call->reply, not_an_integer);
        return;
    }
    if (step > 0 ? number > INT64_MAX - step : number < INT64_MIN - step) {
        resp_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    size_t size = number_write(text, number + step);
    put(call, key, (struct bytes){text, size}, value.deadline_ms);
    resp_integer(call->reply, number + step);
}

static bool read_step(struct bytes text, bool down, int64_t *step, struct buffer *error)
{
    if (!number_parse(text, step)) {
        resp_error(error, not_an_integer);
        return false;
    }
    if (down && *step == INT64_MIN) { // which has no opposite
        resp_error(error, "ERR decrement would overflow");
        return false;
    }
    if (down)
        *step = -*step;
    return true;
}

bool values_check_incrby(const struct bytes *words, uint32_t count,
                         struct buffer *error)
{
    int64_t step;
    (void)count;
    return read_step(words[2], false, &step, error);
}

bool values_check_decrby(const struct bytes *words, uint32_t count,
                         struct buffer *error)
{
    int64_t step;
    (void)count;
    return read_step(words[2], true, &step, error);
}

void values_incr(struct command_call *call)
{
    add(call, 1);
}

void values_decr(struct command_call *call)
{
    add(call, -1);
}

void values_incrby(struct command_call *call)
{
    int64_t step;
    if (read_step(call->words[2], false, &step, call->reply))
        add(call, step);
}

void values_decrby(struct command_call *call)
{
    int64_t step;
    if (read_step(call->words[2], true, &step, call->reply))
        add(call, step);
}
