// service.h: the replicated store as a pure function of the committed log.
//
// (committed command, time carried in it) -> reply. No clock, no randomness, no I/O:
// every replica that has applied the same entries holds the same bytes, and
// service_hash() proves it. Replies are RESP2 bytes; the fronts turn them into what a
// client speaks.
//
// What stands in a log entry is a *command*: a header with the leader's wall-clock time
// in ms and, optionally, a client session and sequence (dissertation 6.3), then the
// words:
//
//     "@<time_ms> [<session>.<sequence> ]*<words> <bytes>:<word> <bytes>:<word>..."
//
// Time never goes back: applying uses max(its clock, the entry's time). A key past its
// deadline by that clock is gone. Reads see the clock of the last applied entry; a
// leader whose own clock has passed service_next_deadline_ms() proposes a bare clock
// entry (a header and no words), so that keys vanish everywhere at the same index.
#ifndef KVSERVER_SERVICE_SERVICE_H
#define KVSERVER_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

struct service_limits {
    // What an entry does depends on these: they must be the same on every replica, and
    // stay so for as long as the log lives. A server takes the defaults.
    uint32_t sessions_max;        // the least recently used is dropped beyond
    uint64_t session_idle_ms_max; // dropped after so long without a write, in log time
    uint32_t value_bytes_max;     // as proto-max-bulk-len

    // Of one read's reply; each replica may have its own.
    uint64_t reply_bytes_max;
};

struct service; // opaque

void service_limits_default(struct service_limits *limits);

// Takes the engine over (it is freed with the service). NULL where memory is out.
struct service *service_new(struct engine *engine, const struct service_limits *limits);

// Ends a snapshot that is being taken, too.
void service_free(struct service *service);

// ---- commands -------------------------------------------------------------------

enum service_kind {
    SERVICE_UNKNOWN = 0, // no such command: the reply in `error` says so
    SERVICE_REFUSED,     // wrong number of words, or options that no state could accept
    SERVICE_WRITE,       // must go through the log
    SERVICE_READ,        // may be answered from the applied state once it is confirmed
};

// Says how a command is to be run, without running it. `words[0]` is the name, in any
// case. For UNKNOWN and REFUSED one RESP error is added to `error`.
enum service_kind service_classify(const struct bytes *words, uint32_t count,
                                   struct buffer *error);

// Adds a log entry's bytes to `out`. session 0: none. count 0: a bare clock entry.
void service_encode(struct buffer *out, uint64_t time_ms, uint64_t session,
                    uint64_t sequence, const struct bytes *words, uint32_t count);

// Applies the committed command at `index`; adds its RESP reply to `reply` where that
// is not NULL. An index at or below the last applied one changes nothing. Bytes that
// no service_encode() made change nothing but the index, and the reply says so.
//
// Sessions: RAFT.REGISTER (a write, in no session) answers with a new one's number. A
// write with session S and sequence N: N one beyond the last is executed and its reply
// kept; the last one again gives the kept reply without executing; anything else, or a
// session that is not known, is refused with -SESSION and changes nothing.
void service_apply(struct service *service, uint64_t index, const void *command,
                   size_t size, struct buffer *reply);

// Marks an index that carries nothing for the service (a no-op, a configuration).
void service_skip(struct service *service, uint64_t index);

// Answers a SERVICE_READ from the applied state. now_ms is the wall clock, used for
// nothing but telling how long a key has left.
void service_read(struct service *service, const struct bytes *words, uint32_t count,
                  uint64_t now_ms, struct buffer *reply);

// ---- snapshots (section 7) ------------------------------------------------------
//
// The bytes of a state: its clock, applied index and records in order. Equal states
// have equal bytes. Their format stands in snapshot.h.

struct service_snapshot; // opaque

// The state as it is now; it stays so while entries are applied. Constant time. NULL
// where memory is out. One at a time.
struct service_snapshot *service_snapshot_begin(struct service *service);

// The next bytes, up to `size` (at least 1); 0 once all were read. In bounded memory.
size_t service_snapshot_read(struct service_snapshot *snapshot, void *data,
                             size_t size);
void service_snapshot_end(struct service_snapshot *snapshot);

// Replaces the whole state, in pieces of any size, with no snapshot begun. Between
// begin and end nothing else may be called. Each returns 0 or -errno; -EBADMSG where
// the bytes are no state. After a failure the service is empty, with applied index 0,
// and what is called before the next begin fails in the same way.
int service_restore_begin(struct service *service);
int service_restore_write(struct service *service, const void *data, size_t size);
int service_restore_end(struct service *service);

// ---- observing ------------------------------------------------------------------

// A hash of the whole state: data, deadlines, sessions, clock. Equal wherever the same
// entries were applied. Constant time.
uint64_t service_hash(const struct service *service);
uint64_t service_hash_slow(struct service *service); // the same, from every record
uint64_t service_applied_index(const struct service *service);
uint64_t service_clock_ms(const struct service *service);
uint64_t service_next_deadline_ms(const struct service *service); // UINT64_MAX: none
uint64_t service_key_count(const struct service *service);
uint64_t service_session_count(const struct service *service);

#endif
