// store.h: typed values with deadlines, sessions and the state hash, over an engine.
//
// All of the replicated state but the clock lies in the engine, in four key spaces
// (numbers big endian, so that memcmp orders them):
//
//     'd' hash:8 key...      -> type:1 [deadline_ms:8] payload...   values
//     'e' deadline_ms:8 key  -> (nothing)                     deadlines, soonest first
//     's' session:8          -> used_index:8 used_ms:8 sequence:8 reply...
//     'u' used_index:8       -> session:8                     sessions, idlest first
//
// The type byte's high bit says that a deadline follows. Keys stand in the order of
// their hash: that is what lets SCAN go on from a 64-bit cursor, without a memory of
// its own. 'e' and 'u' can be derived and are not part of the hash.
#ifndef KVSERVER_SERVICE_STORE_H
#define KVSERVER_SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

// The records that a snapshot holds; the others are derived from them.
enum {
    STORE_SPACE_VALUE = 'd',
    STORE_SPACE_SESSION = 's',
};

enum store_type {
    STORE_STRING = 1,
};

struct store_value {
    enum store_type type;
    uint64_t deadline_ms; // 0: none
    struct bytes payload;
};

struct store {
    struct engine *engine;
    uint64_t clock_ms;
    uint64_t hash; // the sum of the hashes of all records in 'd' and 's'
    uint64_t key_count;
    uint64_t session_count;
    // Derived from the records, so that they need not be asked at each entry.
    uint64_t due_ms; // the first of 'e', UINT64_MAX: none; where it is known
    bool due_known;
    uint64_t used_from_ms; // no session was last used before this
    struct buffer key;     // scratch: what is handed to the engine
    struct buffer value;
    struct buffer from;
    struct buffer payload; // scratch for handlers
};

enum {
    // Deletions that one log entry does beyond its own work. What is left over is
    // invisible already and goes with the following entries.
    STORE_SWEEP_MAX = 64,
};

// Takes an empty engine over.
void store_init(struct store *store, struct engine *engine);
void store_release(struct store *store);

// ---- values ---------------------------------------------------------------------

// What is at the key, unless its deadline has come. The payload is borrowed until the
// next change.
bool store_get(struct store *store, struct bytes key, struct store_value *value);

// Replaces what is there. A deadline that has come already removes the key. The
// payload must not be borrowed from the store.
void store_put(struct store *store, struct bytes key, const struct store_value *value);

// True where the key was there to be seen.
bool store_remove(struct store *store, struct bytes key);
void store_remove_all(struct store *store);

uint64_t store_visible_count(struct store *store);

// A walk over the visible keys in hash order. Changes end it.
struct store_walk {
    uint64_t from_hash; // where to begin
    uint64_t hash;      // of the key found
    struct bytes key;   // borrowed
    bool visible;       // its deadline has not come
    bool started;       // owned by store_walk_next
    enum store_type type;
};
bool store_walk_next(struct store *store, struct store_walk *walk);

// ---- time -----------------------------------------------------------------------

// Moves the clock forward, never back, and removes keys whose deadline has come, the
// earliest first, at most STORE_SWEEP_MAX of them.
void store_advance(struct store *store, uint64_t time_ms);
uint64_t store_next_deadline_ms(struct store *store); // UINT64_MAX: none

// ---- sessions -------------------------------------------------------------------

struct store_session {
    uint64_t id;
    uint64_t used_index; // the log index of its last command
    uint64_t used_ms;    // the log's clock then
    uint64_t sequence;   // of its last command; 0: none yet
    struct bytes reply;  // of its last command
};

bool store_session_get(struct store *store, uint64_t id, struct store_session *session);
void store_session_put(struct store *store, const struct store_session *session);
void store_session_remove(struct store *store, const struct store_session *session);
bool store_session_idlest(struct store *store, struct store_session *session);

// False where certainly no session was idle for longer than this.
bool store_session_may_be_idle(const struct store *store, uint64_t idle_ms_max);

// ---- restoring ------------------------------------------------------------------

// Leaves nothing, and the clock at 0. 0, or -errno with nothing changed.
int store_clear(struct store *store);

// Adds a record of 'd' or 's', which was not there, and what is derived from it. The
// clock stands already; index_max is the applied index. 0, -EBADMSG where no state can
// have such a record, or the engine's -errno.
int store_restore(struct store *store, struct bytes key, struct bytes record,
                  uint64_t index_max);

// ---- the state hash -------------------------------------------------------------

uint64_t store_hash(const struct store *store);
uint64_t store_hash_slow(struct store *store); // from every record, to check the other

#endif
