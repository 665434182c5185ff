// store.c: typed values, deadlines, sessions and the state hash; see store.h.
//
// Each change of a record takes its old hash out of the sum and adds its new one, so
// that the sum depends on what is stored and not on how it came there.
#include "kvserver/service/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvserver/service/hash.h"

enum {
    SPACE_VALUE = STORE_SPACE_VALUE,
    SPACE_DEADLINE = 'e',
    SPACE_SESSION = STORE_SPACE_SESSION,
    SPACE_USED = 'u',
    HEAD_SIZE = 9, // of every key: the space and a number
    HAS_DEADLINE = 0x80,
    SESSION_HEAD_SIZE = 24,
};

static struct bytes content(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

// A replica that cannot keep what was committed must not go on.
static void must(int status)
{
    if (status >= 0)
        return;
    fprintf(stderr, "raftlab: the engine failed: %s\n", strerror(-status));
    abort();
}

// ---- numbers and hashes ---------------------------------------------------------

// Written out, so that compilers make one store of it.
static void write_number(unsigned char *b, uint64_t value)
{
    b[0] = (unsigned char)(value >> 56);
    b[1] = (unsigned char)(value >> 48);
    b[2] = (unsigned char)(value >> 40);
    b[3] = (unsigned char)(value >> 32);
    b[4] = (unsigned char)(value >> 24);
    b[5] = (unsigned char)(value >> 16);
    b[6] = (unsigned char)(value >> 8);
    b[7] = (unsigned char)value;
}

static void append_number(struct buffer *out, uint64_t value)
{
    unsigned char bytes[8];
    write_number(bytes, value);
    buffer_append(out, bytes, sizeof(bytes));
}

static uint64_t read_number(const void *data)
{
    const unsigned char *b = data;
    return (uint64_t)b[0] << 56 | (uint64_t)b[1] << 48 | (uint64_t)b[2] << 40 |
           (uint64_t)b[3] << 32 | (uint64_t)b[4] << 24 | (uint64_t)b[5] << 16 |
           (uint64_t)b[6] << 8 | (uint64_t)b[7];
}

// One seed for all clusters and for ever: the order of keys is a part of the state.
static uint64_t hash_key(struct bytes key)
{
    return hash_bytes(0, key);
}

static uint64_t hash_record(struct bytes key, struct bytes value)
{
    return hash_bytes(hash_bytes(1, key), value);
}

// What the sum changes by where `new` takes the place of `old`.
static uint64_t hash_change(struct bytes key, struct bytes old, struct bytes new)
{
    uint64_t seed = hash_bytes(1, key);
    return hash_bytes(seed, new) - hash_bytes(seed, old);
}

// ---- records --------------------------------------------------------------------

static struct bytes make_key(struct buffer *buffer, char space, uint64_t number,
                             struct bytes rest)
{
    unsigned char head[HEAD_SIZE];
    head[0] = (unsigned char)space;
    write_number(head + 1, number);
    buffer_clear(buffer);
    buffer_append(buffer, head, sizeof(head));
    buffer_append(buffer, rest.data, rest.size);
    return content(buffer);
}

static bool engine_get(struct store *store, struct bytes key, struct bytes *value)
{
    return store->engine->ops->get(store->engine, key, value);
}

static void engine_put(struct store *store, struct bytes key, struct bytes value)
{
    must(store->engine->ops->put(store->engine, key, value));
}

static void engine_erase(struct store *store, struct bytes key)
{
    must(store->engine->ops->erase(store->engine, key));
}

static bool engine_first(struct store *store, char space, struct bytes *key,
                         struct bytes *value)
{
    struct bytes prefix = {&space, 1};
    return store->engine->ops->seek(store->engine, prefix, prefix, key, value);
}

static struct store_value decode_value(struct bytes record)
{
    const unsigned char *bytes = record.data;
    assert(record.size >= 1);
    bool timed = bytes[0] & HAS_DEADLINE;
    size_t head = timed ? 9 : 1;
    assert(record.size >= head);
    return (struct store_value){
        .type = (enum store_type)(bytes[0] & ~HAS_DEADLINE),
        .deadline_ms = timed ? read_number(bytes + 1) : 0,
        .payload = {bytes + head, record.size - head},
    };
}

static struct bytes encode_value(struct store *store, const struct store_value *value)
{
    bool timed = value->deadline_ms != 0;
    unsigned char type = (unsigned char)(value->type | (timed ? HAS_DEADLINE : 0));
    buffer_clear(&store->value);
    buffer_append(&store->value, &type, 1);
    if (timed)
        append_number(&store->value, value->deadline_ms);
    buffer_append(&store->value, value->payload.data, value->payload.size);
    return content(&store->value);
}

static bool is_due(const struct store *store, uint64_t deadline_ms)
{
    return deadline_ms != 0 && deadline_ms <= store->clock_ms;
}

// The soonest deadline is remembered: most entries find that nothing is due.

static void deadline_added(struct store *store, uint64_t deadline_ms)
{
    if (deadline_ms < store->due_ms)
        store->due_ms = deadline_ms;
}

static void deadline_gone(struct store *store, uint64_t deadline_ms)
{
    if (deadline_ms <= store->due_ms)
        store->due_known = false;
}

void store_init(struct store *store, struct engine *engine)
{
    assert(engine->ops->count(engine) == 0);
    *store = (struct store){.engine = engine};
}

void store_release(struct store *store)
{
    store->engine->ops->free(store->engine);
    buffer_free(&store->key);
    buffer_free(&store->value);
    buffer_free(&store->from);
    buffer_free(&store->payload);
}

// ---- values ---------------------------------------------------------------------

bool store_get(struct store *store, struct bytes key, struct store_value *value)
{
    struct bytes record;
    struct bytes where = make_key(&store->key, SPACE_VALUE, hash_key(key), key);
    if (!engine_get(store, where, &record))
        return false;
    *value = decode_value(record);
    return !is_due(store, value->deadline_ms);
}

void store_put(struct store *store, struct bytes key, const struct store_value *value)
{
    if (is_due(store, value->deadline_ms)) {
        store_remove(store, key);
        return;
    }
    struct bytes where = make_key(&store->key, SPACE_VALUE, hash_key(key), key);
    struct bytes record = encode_value(store, value);
    struct bytes old;
    uint64_t old_deadline_ms = 0;
    if (engine_get(store, where, &old)) {
        old_deadline_ms = decode_value(old).deadline_ms;
        store->hash += hash_change(where, old, record);
    } else {
        store->key_count++;
        store->hash += hash_record(where, record);
    }
    engine_put(store, where, record);
    if (old_deadline_ms == value->deadline_ms)
        return;
    if (old_deadline_ms != 0) {
        engine_erase(store,
                     make_key(&store->from, SPACE_DEADLINE, old_deadline_ms, key));
        deadline_gone(store, old_deadline_ms);
    }
    if (value->deadline_ms != 0) {
        engine_put(store,
                   make_key(&store->from, SPACE_DEADLINE, value->deadline_ms, key),
                   (struct bytes){NULL, 0});
        deadline_added(store, value->deadline_ms);
    }
}

bool store_remove(struct store *store, struct bytes key)
{
    struct bytes record;
    struct bytes where = make_key(&store->key, SPACE_VALUE, hash_key(key), key);
    if (!engine_get(store, where, &record))
        return false;
    uint64_t deadline_ms = decode_value(record).deadline_ms;
    store->hash -= hash_record(where, record);
    store->key_count--;
    // Before the first erase, since `key` may be borrowed from the engine.
    struct bytes due = make_key(&store->from, SPACE_DEADLINE, deadline_ms, key);
    engine_erase(store, where);
    if (deadline_ms != 0) {
        engine_erase(store, due);
        deadline_gone(store, deadline_ms);
    }
    return !is_due(store, deadline_ms);
}

static void remove_space(struct store *store, char space)
{
    struct bytes key, value;
    while (engine_first(store, space, &key, &value)) {
        if (space == SPACE_VALUE)
            store->hash -= hash_record(key, value);
        buffer_clear(&store->from);
        buffer_append(&store->from, key.data, key.size);
        engine_erase(store, content(&store->from));
    }
}

void store_remove_all(struct store *store)
{
    remove_space(store, SPACE_VALUE);
    remove_space(store, SPACE_DEADLINE);
    store->due_known = false;
    store->key_count = 0;
}

// Moves on along one space; `key` is the last one found, or data NULL at the start.
static bool engine_next(struct store *store, char space, struct bytes *key,
                        struct bytes *value)
{
    if (key->data == NULL)
        return engine_first(store, space, key, value);
    buffer_clear(&store->from);
    buffer_append(&store->from, key->data, key->size);
    buffer_append(&store->from, "", 1);
    struct bytes prefix = {&space, 1};
    struct bytes from = content(&store->from);
    return store->engine->ops->seek(store->engine, prefix, from, key, value);
}

// Keys that are due and not yet swept are walked over: there are few, or a storm of
// deadlines is being worked off.
uint64_t store_visible_count(struct store *store)
{
    uint64_t due = 0;
    struct bytes key = {NULL, 0};
    struct bytes value;
    while (engine_next(store, SPACE_DEADLINE, &key, &value) &&
           is_due(store, read_number((const char *)key.data + 1)))
        due++;
    return store->key_count - due;
}

bool store_walk_next(struct store *store, struct store_walk *walk)
{
    char space = SPACE_VALUE;
    struct bytes prefix = {&space, 1};
    struct bytes none = {NULL, 0};
    struct bytes key, record;
    bool found;
    if (walk->started) {
        key = (struct bytes){(const char *)walk->key.data - HEAD_SIZE,
                             walk->key.size + HEAD_SIZE};
        found = engine_next(store, space, &key, &record);
    } else {
        struct bytes from = make_key(&store->from, space, walk->from_hash, none);
        found = store->engine->ops->seek(store->engine, prefix, from, &key, &record);
    }
    if (!found)
        return false;
    struct store_value value = decode_value(record);
    walk->started = true;
    walk->hash = read_number((const char *)key.data + 1);
    walk->key =
        (struct bytes){(const char *)key.data + HEAD_SIZE, key.size - HEAD_SIZE};
    walk->visible = !is_due(store, value.deadline_ms);
    walk->type = value.type;
    return true;
}

// ---- time -----------------------------------------------------------------------

static bool first_deadline(struct store *store, uint64_t *deadline_ms,
                           struct bytes *name)
{
    struct bytes key, value;
    if (!engine_first(store, SPACE_DEADLINE, &key, &value))
        return false;
    *deadline_ms = read_number((const char *)key.data + 1);
    *name = (struct bytes){(const char *)key.data + HEAD_SIZE, key.size - HEAD_SIZE};
    return true;
}

void store_advance(struct store *store, uint64_t time_ms)
{
    if (time_ms > store->clock_ms)
        store->clock_ms = time_ms;
    uint64_t deadline_ms;
    struct bytes name;
    for (int swept = 0; swept < STORE_SWEEP_MAX; swept++) {
        if (!is_due(store, store_next_deadline_ms(store)) ||
            !first_deadline(store, &deadline_ms, &name))
            break;
        store_remove(store, name);
    }
}

uint64_t store_next_deadline_ms(struct store *store)
{
    struct bytes name;
    if (!store->due_known && !first_deadline(store, &store->due_ms, &name))
        store->due_ms = UINT64_MAX;
    store->due_known = true;
    return store->due_ms;
}

// ---- sessions -------------------------------------------------------------------

bool store_session_get(struct store *store, uint64_t id, struct store_session *session)
{
    struct bytes none = {NULL, 0};
    struct bytes record;
    if (!engine_get(store, make_key(&store->key, SPACE_SESSION, id, none), &record))
        return false;
    const unsigned char *bytes = record.data;
    assert(record.size >= SESSION_HEAD_SIZE);
    *session = (struct store_session){
        .id = id,
        .used_index = read_number(bytes),
        .used_ms = read_number(bytes + 8),
        .sequence = read_number(bytes + 16),
        .reply = {bytes + SESSION_HEAD_SIZE, record.size - SESSION_HEAD_SIZE},
    };
    return true;
}

// No session was last used before `used_from_ms`: most entries need not ask which one
// is the idlest.
static void session_added(struct store *store, uint64_t used_ms)
{
    if (used_ms < store->used_from_ms)
        store->used_from_ms = used_ms;
}

void store_session_remove(struct store *store, const struct store_session *session)
{
    struct bytes none = {NULL, 0};
    struct bytes where = make_key(&store->key, SPACE_SESSION, session->id, none);
    struct bytes used = make_key(&store->from, SPACE_USED, session->used_index, none);
    struct bytes record;
    if (!engine_get(store, where, &record))
        return;
    store->hash -= hash_record(where, record);
    store->session_count--;
    engine_erase(store, where);
    engine_erase(store, used);
}

void store_session_put(struct store *store, const struct store_session *session)
{
    buffer_clear(&store->value);
    append_number(&store->value, session->used_index);
    append_number(&store->value, session->used_ms);
    append_number(&store->value, session->sequence);
    buffer_append(&store->value, session->reply.data, session->reply.size);
    struct bytes record = content(&store->value);

    struct bytes none = {NULL, 0};
    struct bytes where = make_key(&store->key, SPACE_SESSION, session->id, none);
    struct bytes old;
    if (engine_get(store, where, &old)) {
        store->hash += hash_change(where, old, record);
        uint64_t used_index = read_number(old.data);
        engine_erase(store, make_key(&store->from, SPACE_USED, used_index, none));
    } else {
        store->hash += hash_record(where, record);
        store->session_count++;
    }
    session_added(store, session->used_ms);
    engine_put(store, where, record);
    struct bytes used = make_key(&store->from, SPACE_USED, session->used_index, none);
    engine_put(store, used, (struct bytes){store->key.data + 1, 8});
}

bool store_session_idlest(struct store *store, struct store_session *session)
{
    struct bytes key, value;
    bool any = engine_first(store, SPACE_USED, &key, &value) &&
               store_session_get(store, read_number(value.data), session);
    store->used_from_ms = any ? session->used_ms : store->clock_ms;
    return any;
}

bool store_session_may_be_idle(const struct store *store, uint64_t idle_ms_max)
{
    return store->clock_ms - store->used_from_ms > idle_ms_max;
}

// ---- restoring ------------------------------------------------------------------

int store_clear(struct store *store)
{
    int status = store->engine->ops->clear(store->engine);
    if (status != 0)
        return status;
    store->clock_ms = 0;
    store->due_known = false;
    store->used_from_ms = 0;
    store->hash = 0;
    store->key_count = 0;
    store->session_count = 0;
    return 0;
}

static int restore_value(struct store *store, struct bytes key, struct bytes record)
{
    const unsigned char *bytes = key.data;
    struct bytes name = {bytes + HEAD_SIZE, key.size - HEAD_SIZE};
    if (read_number(bytes + 1) != hash_key(name) || record.size == 0)
        return -EBADMSG;
    unsigned char type = *(const unsigned char *)record.data;
    bool timed = type & HAS_DEADLINE;
    if ((type & ~HAS_DEADLINE) != STORE_STRING || (timed && record.size < 9))
        return -EBADMSG;
    uint64_t deadline_ms = decode_value(record).deadline_ms;
    if ((timed && deadline_ms == 0) || deadline_ms > INT64_MAX)
        return -EBADMSG;
    int status = store->engine->ops->put(store->engine, key, record);
    if (status == 0 && timed)
        status = store->engine->ops->put(
            store->engine, make_key(&store->from, SPACE_DEADLINE, deadline_ms, name),
            (struct bytes){NULL, 0});
    store->due_known = false;
    if (status == 0)
        store->key_count++;
    return status;
}

static int restore_session(struct store *store, struct bytes key, struct bytes record,
                           uint64_t index_max)
{
    const unsigned char *bytes = record.data;
    if (key.size != HEAD_SIZE || record.size < SESSION_HEAD_SIZE)
        return -EBADMSG;
    struct bytes none = {NULL, 0};
    struct bytes id = {(const char *)key.data + 1, 8};
    uint64_t used_index = read_number(bytes);
    struct bytes used = make_key(&store->from, SPACE_USED, used_index, none);
    struct bytes value;
    if (read_number(id.data) == 0 || read_number(id.data) > used_index ||
        used_index > index_max || read_number(bytes + 8) > store->clock_ms ||
        engine_get(store, used, &value))
        return -EBADMSG;
    int status = store->engine->ops->put(store->engine, key, record);
    if (status == 0)
        status = store->engine->ops->put(store->engine, used, id);
    session_added(store, read_number(bytes + 8));
    if (status == 0)
        store->session_count++;
    return status;
}

int store_restore(struct store *store, struct bytes key, struct bytes record,
                  uint64_t index_max)
{
    if (key.size < HEAD_SIZE)
        return -EBADMSG;
    int status = -EBADMSG;
    char space = *(const char *)key.data;
    if (space == SPACE_VALUE)
        status = restore_value(store, key, record);
    else if (space == SPACE_SESSION)
        status = restore_session(store, key, record, index_max);
    if (status == 0)
        store->hash += hash_record(key, record);
    return status;
}

// ---- the state hash -------------------------------------------------------------

static uint64_t with_clock(uint64_t sum, uint64_t clock_ms)
{
    return hash_number(sum ^ hash_number(clock_ms + 1));
}

uint64_t store_hash(const struct store *store)
{
    return with_clock(store->hash, store->clock_ms);
}

uint64_t store_hash_slow(struct store *store)
{
    static const char spaces[] = {SPACE_VALUE, SPACE_SESSION};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(spaces); i++) {
        struct bytes key = {NULL, 0};
        struct bytes value;
        while (engine_next(store, spaces[i], &key, &value))
            sum += hash_record(key, value);
    }
    return with_clock(sum, store->clock_ms);
}
