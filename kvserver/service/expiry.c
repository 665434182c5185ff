// expiry.c: deadlines; see expiry.h.
//
// A relative time counts from the log's clock at the entry, so that every replica
// arrives at the same deadline; what is stored is always absolute.
#include "kvserver/service/expiry.h"

#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/store.h"

enum expire_flag {
    EXPIRE_NX = 1 << 0, // only where there is no deadline yet
    EXPIRE_XX = 1 << 1, // only where there is one
    EXPIRE_GT = 1 << 2, // only where it is put off; no deadline counts as the furthest
    EXPIRE_LT = 1 << 3, // only where it is brought nearer
};

static unsigned expire_flag(struct bytes word)
{
    static const char *const texts[] = {"NX", "XX", "GT", "LT"};
    for (unsigned i = 0; i < 4; i++)
        if (command_word_is(word, texts[i]))
            return 1u << i;
    return 0;
}

static bool read_flags(const struct bytes *words, uint32_t count, unsigned *flags,
                       struct buffer *error)
{
    *flags = 0;
    for (uint32_t i = 3; i < count; i++) {
        unsigned flag = expire_flag(words[i]);
        if (flag == 0) {
            int size = words[i].size < 512 ? (int)words[i].size : 512;
            resp_error_format(error, "ERR Unsupported option %.*s", size,
                              (const char *)words[i].data);
            return false;
        }
        *flags |= flag;
    }
    const char *problem = NULL;
    if ((*flags & EXPIRE_NX) && (*flags & ~(unsigned)EXPIRE_NX))
        problem = "ERR NX and XX, GT or LT options at the same time are not compatible";
    else if ((*flags & EXPIRE_GT) && (*flags & EXPIRE_LT))
        problem = "ERR GT and LT options at the same time are not compatible";
    if (problem != NULL)
        resp_error(error, problem);
    return problem == NULL;
}

bool expiry_check(const struct bytes *words, uint32_t count, struct buffer *error)
{
    unsigned flags;
    int64_t time;
    if (!read_flags(words, count, &flags, error))
        return false;
    if (number_parse(words[2], &time))
        return true;
    resp_error(error, "ERR value is not an integer or out of range");
    return false;
}

// base + time, in ms; false where that is beyond the end of time.
static bool absolute(int64_t time, int64_t unit_ms, int64_t base_ms, int64_t *when_ms)
{
    if (time > INT64_MAX / unit_ms || time < INT64_MIN / unit_ms)
        return false;
    if (time * unit_ms > INT64_MAX - base_ms)
        return false;
    *when_ms = base_ms + time * unit_ms;
    return true;
}

static bool allowed(unsigned flags, uint64_t deadline_ms, int64_t when_ms)
{
    bool timed = deadline_ms != 0;
    int64_t current_ms = (int64_t)deadline_ms;
    if ((flags & EXPIRE_NX) && timed)
        return false;
    if ((flags & EXPIRE_XX) && !timed)
        return false;
    if ((flags & EXPIRE_GT) && (!timed || when_ms <= current_ms))
        return false;
    return !((flags & EXPIRE_LT) && timed && when_ms >= current_ms);
}

static void set_deadline(struct store *store, struct bytes key,
                         struct store_value *value, int64_t when_ms)
{
    if (when_ms <= 0) { // long gone, and 0 stands for none
        store_remove(store, key);
        return;
    }
    buffer_clear(&store->payload);
    buffer_append(&store->payload, value->payload.data, value->payload.size);
    value->payload = (struct bytes){store->payload.data, store->payload.size};
    value->deadline_ms = (uint64_t)when_ms;
    store_put(store, key, value);
}

static void expire(struct command_call *call, int64_t unit_ms, bool relative)
{
    unsigned flags;
    int64_t time = 0;
    int64_t when_ms;
    if (!expiry_check(call->words, call->count, call->reply))
        return;
    read_flags(call->words, call->count, &flags, call->reply);
    number_parse(call->words[2], &time);
    int64_t base_ms = relative ? (int64_t)call->store->clock_ms : 0;
    if (!absolute(time, unit_ms, base_ms, &when_ms)) {
        resp_error_format(call->reply, "ERR invalid expire time in '%s' command",
                          call->command->name);
        return;
    }
    struct store_value value;
    bool done = store_get(call->store, call->words[1], &value) &&
                allowed(flags, value.deadline_ms, when_ms);
    if (done)
        set_deadline(call->store, call->words[1], &value, when_ms);
    resp_integer(call->reply, done);
}

void expiry_expire(struct command_call *call)
{
    expire(call, 1000, true);
}

void expiry_pexpire(struct command_call *call)
{
    expire(call, 1, true);
}

void expiry_expireat(struct command_call *call)
{
    expire(call, 1000, false);
}

void expiry_pexpireat(struct command_call *call)
{
    expire(call, 1, false);
}

// ---- how far off ----------------------------------------------------------------

// -2: no such key; -1: no deadline; otherwise ms from `base_ms` on, never negative.
static int64_t time_left(struct command_call *call, uint64_t base_ms)
{
    struct store_value value;
    if (!store_get(call->store, call->words[1], &value))
        return -2;
    if (value.deadline_ms == 0)
        return -1;
    return value.deadline_ms > base_ms ? (int64_t)(value.deadline_ms - base_ms) : 0;
}

static int64_t rounded_seconds(int64_t ms)
{
    return ms < 0 ? ms : (int64_t)(((uint64_t)ms + 500) / 1000);
}

void expiry_pttl(struct command_call *call)
{
    resp_integer(call->reply, time_left(call, call->now_ms));
}

void expiry_ttl(struct command_call *call)
{
    resp_integer(call->reply, rounded_seconds(time_left(call, call->now_ms)));
}

void expiry_pexpiretime(struct command_call *call)
{
    resp_integer(call->reply, time_left(call, 0));
}

void expiry_expiretime(struct command_call *call)
{
    resp_integer(call->reply, rounded_seconds(time_left(call, 0)));
}
