// service.c: the replicated store as a function of the committed log; see service.h.
//
// Order within one entry: the clock moves, what is due goes, the session is asked, the
// command runs. Nothing but the entry and the state before it has any say in it.
#include "kvserver/service/service.h"

#include <assert.h>
#include <stdlib.h>

#include "kvserver/service/command.h"
#include "kvserver/service/entry.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/service_state.h"
#include "kvserver/service/session.h"

void service_limits_default(struct service_limits *limits)
{
    *limits = (struct service_limits){
        .sessions_max = 100000,
        .session_idle_ms_max = 24 * 60 * 60 * 1000,
        .value_bytes_max = 512u << 20,
        .reply_bytes_max = 512u << 20,
    };
}

struct service *service_new(struct engine *engine, const struct service_limits *limits)
{
    assert(limits->sessions_max > 0);
    struct service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return NULL;
    store_init(&service->store, engine);
    service->limits = *limits;
    return service;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    if (service->snapshot != NULL)
        service_snapshot_end(service->snapshot);
    store_release(&service->store);
    buffer_free(&service->restore.gathered);
    buffer_free(&service->restore.last_key);
    buffer_free(&service->words);
    buffer_free(&service->scratch);
    free(service);
}

// ---- commands -------------------------------------------------------------------

enum service_kind service_classify(const struct bytes *words, uint32_t count,
                                   struct buffer *error)
{
    assert(count > 0);
    const struct command *command = command_find(words[0]);
    if (command == NULL || command->kind == SERVICE_UNKNOWN) {
        command_error_unknown(error, words, count);
        return SERVICE_UNKNOWN;
    }
    if (!command_arity_ok(command, count)) {
        command_error_arity(error, command);
        return SERVICE_REFUSED;
    }
    if (command->check != NULL && !command->check(words, count, error))
        return SERVICE_REFUSED;
    return command->kind;
}

void service_encode(struct buffer *out, uint64_t time_ms, uint64_t session,
                    uint64_t sequence, const struct bytes *words, uint32_t count)
{
    struct entry entry = {time_ms, session, sequence, count};
    entry_encode(out, &entry, words);
}

static void run(struct service *service, const struct entry *entry,
                struct buffer *reply)
{
    struct store *store = &service->store;
    struct command_call call = {
        .words = (const struct bytes *)(const void *)service->words.data,
        .count = entry->count,
        .store = store,
        .limits = &service->limits,
        .index = service->applied_index,
        .now_ms = store->clock_ms,
        .reply = reply,
    };
    if (entry->session != 0)
        session_run(&call, entry);
    else
        command_run(&call, true);
}

void service_apply(struct service *service, uint64_t index, const void *command,
                   size_t size, struct buffer *reply)
{
    struct entry entry;
    if (reply == NULL) {
        reply = &service->scratch;
        buffer_clear(reply);
    }
    if (index <= service->applied_index) {
        resp_error(reply, "ERR this log entry was applied before");
        return;
    }
    service->applied_index = index;
    if (!entry_decode(command, size, &entry, &service->words)) {
        resp_error(reply, "ERR this log entry is not a command");
        return;
    }
    store_advance(&service->store, entry.time_ms);
    session_sweep(&service->store, &service->limits);
    if (entry.count == 0)
        resp_simple(reply, "OK");
    else
        run(service, &entry, reply);
}

void service_skip(struct service *service, uint64_t index)
{
    if (index > service->applied_index)
        service->applied_index = index;
}

void service_read(struct service *service, const struct bytes *words, uint32_t count,
                  uint64_t now_ms, struct buffer *reply)
{
    assert(count > 0);
    uint64_t clock_ms = service->store.clock_ms;
    struct command_call call = {
        .words = words,
        .count = count,
        .store = &service->store,
        .limits = &service->limits,
        .now_ms = now_ms > clock_ms ? now_ms : clock_ms,
        .reply = reply,
    };
    command_run(&call, false);
}

// ---- observing ------------------------------------------------------------------

uint64_t service_hash(const struct service *service)
{
    return store_hash(&service->store);
}

uint64_t service_hash_slow(struct service *service)
{
    return store_hash_slow(&service->store);
}

uint64_t service_applied_index(const struct service *service)
{
    return service->applied_index;
}

uint64_t service_clock_ms(const struct service *service)
{
    return service->store.clock_ms;
}

// Looking into the engine borrows from it and uses scratch space, so these two are
// not const inside; nothing that can be observed changes.

uint64_t service_next_deadline_ms(const struct service *service)
{
    return store_next_deadline_ms((struct store *)&service->store);
}

uint64_t service_key_count(const struct service *service)
{
    return store_visible_count((struct store *)&service->store);
}

uint64_t service_session_count(const struct service *service)
{
    return service->store.session_count;
}
