// session.c: writes that are sent twice run once; see session.h.
#include "kvserver/service/session.h"

#include <inttypes.h>

#include "kvserver/service/resp.h"
#include "kvserver/service/store.h"

// BEGIN SOLUTION lab5: dissertation 6.3, sessions end
static bool is_idle(const struct store *store, const struct service_limits *limits,
                    const struct store_session *session)
{
    return store->clock_ms - session->used_ms > limits->session_idle_ms_max;
}
// END SOLUTION

// False where no session has been idle for too long.
static bool drop_idle(struct store *store, const struct service_limits *limits)
{
    // BEGIN SOLUTION lab5: dissertation 6.3, sessions end
    struct store_session session;
    if (!store_session_idlest(store, &session) || !is_idle(store, limits, &session))
        return false;
    store_session_remove(store, &session);
    return true;
    // END SOLUTION
}

void session_sweep(struct store *store, const struct service_limits *limits)
{
    for (int swept = 0; swept < STORE_SWEEP_MAX; swept++) {
        if (!store_session_may_be_idle(store, limits->session_idle_ms_max) ||
            !drop_idle(store, limits))
            break;
    }
}

void session_register(struct command_call *call)
{
    // BEGIN SOLUTION lab5: dissertation 6.3, a session begins
    struct store *store = call->store;
    struct store_session idlest;
    while (store->session_count >= call->limits->sessions_max &&
           store_session_idlest(store, &idlest))
        store_session_remove(store, &idlest);
    struct store_session session = {
        .id = call->index,
        .used_index = call->index,
        .used_ms = store->clock_ms,
    };
    store_session_put(store, &session);
    resp_integer(call->reply, (int64_t)session.id);
    // END SOLUTION
}

// The refusals say what a client is to do, since it cannot see which one it met.

static void refuse_unknown(struct buffer *reply, uint64_t id)
{
    resp_error_format(reply,
                      "SESSION %" PRIu64 " is not known: it was never registered, or "
                      "was dropped; whether its last command ran is unknown. "
                      "RAFT.REGISTER gives a new one",
                      id);
}

static void refuse_sequence(struct buffer *reply, const struct store_session *session,
                            uint64_t sequence)
{
    if (sequence < session->sequence)
        resp_error_format(reply,
                          "SESSION %" PRIu64 " has run %" PRIu64 " before, and its "
                          "reply is no longer kept: the next is %" PRIu64,
                          session->id, sequence, session->sequence + 1);
    else
        resp_error_format(reply,
                          "SESSION %" PRIu64 " cannot run %" PRIu64 " yet: the next "
                          "is %" PRIu64 ", send it first",
                          session->id, sequence, session->sequence + 1);
}

void session_run(struct command_call *call, const struct entry *entry)
{
    // BEGIN SOLUTION lab5: dissertation 6.3, each command once
    struct store *store = call->store;
    struct store_session session;
    if (!store_session_get(store, entry->session, &session) ||
        is_idle(store, call->limits, &session)) {
        refuse_unknown(call->reply, entry->session);
        return;
    }
    if (entry->sequence == session.sequence) {
        buffer_append(call->reply, session.reply.data, session.reply.size);
        return;
    }
    if (entry->sequence != session.sequence + 1) {
        refuse_sequence(call->reply, &session, entry->sequence);
        return;
    }
    // The new session and this one would be last used by the same entry, and its index
    // is how the idlest is found.
    if (command_word_is(call->words[0], "RAFT.REGISTER")) {
        resp_error(call->reply, "ERR RAFT.REGISTER is not run within a session");
        return;
    }
    size_t start = call->reply->size;
    command_run(call, true);
    session.used_index = call->index;
    session.used_ms = store->clock_ms;
    session.sequence = entry->sequence;
    session.reply =
        (struct bytes){call->reply->data + start, call->reply->size - start};
    store_session_put(store, &session);
    // END SOLUTION
}
