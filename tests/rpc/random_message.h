// random_message.h: any message that raft.h allows, drawn from a seeded generator.
#ifndef TESTS_RPC_RANDOM_MESSAGE_H
#define TESTS_RPC_RANDOM_MESSAGE_H

#include "raft/raft.h"
#include "rpc/json.h"

#include <string.h>

enum { RANDOM_ENTRIES_MAX = 8, RANDOM_BYTES_MAX = 4096 };

struct random_message {
    uint64_t state; // of the generator
    struct raft_message message;
    struct raft_entry entries[RANDOM_ENTRIES_MAX];
    char bytes[RANDOM_BYTES_MAX];
    size_t used;
};

static inline uint64_t random_draw(struct random_message *r)
{
    uint64_t x = r->state += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static inline uint64_t random_below(struct random_message *r, uint64_t limit)
{
    return random_draw(r) % limit;
}

// Of any magnitude that the wire can carry.
static inline uint64_t random_number(struct random_message *r)
{
    uint64_t bits = random_below(r, 54);
    uint64_t value = random_draw(r) & ((1ull << bits) - 1);
    return random_below(r, 20) == 0 ? JSON_WHOLE_MAX : value;
}

static inline bool random_bool(struct random_message *r)
{
    return random_below(r, 2) == 1;
}

// Plain text, text with everything that is escaped, UTF-8, or any bytes at all.
static inline const void *random_bytes(struct random_message *r, uint32_t *size)
{
    static const char *const pieces[] = {
        "x",
        "key:1",
        "\r\n",
        "\"",
        "\\",
        "\t",
        "\x01",
        "\x1f",
        "\x7f",
        "/",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        " ",
        "*3\r\n$3\r\nSET\r\n",
    };
    char *start = r->bytes + r->used;
    uint64_t kind = random_below(r, 5);
    uint64_t length = kind == 4 ? 0 : random_below(r, 40);
    size_t used = 0;
    for (uint64_t i = 0; i < length && r->used + used + 40 < RANDOM_BYTES_MAX; i++) {
        if (kind == 3) {
            start[used++] = (char)random_draw(r);
            continue;
        }
        size_t count = sizeof pieces / sizeof *pieces;
        const char *piece = pieces[random_below(r, kind == 0 ? 2 : count)];
        memcpy(start + used, piece, strlen(piece));
        used += strlen(piece);
    }
    r->used += used;
    *size = (uint32_t)used;
    return used > 0 ? start : NULL;
}

static inline void random_append(struct random_message *r)
{
    struct raft_append_entries *append = &r->message.append_entries;
    append->prev_log_index = random_number(r);
    if (append->prev_log_index > JSON_WHOLE_MAX - RANDOM_ENTRIES_MAX) {
        append->prev_log_index -= RANDOM_ENTRIES_MAX;
    }
    append->prev_log_term = random_number(r);
    append->leader_commit = random_number(r);
    append->round = random_number(r);
    append->count = (uint32_t)random_below(r, RANDOM_ENTRIES_MAX + 1);
    append->entries = append->count > 0 ? r->entries : NULL;
    for (uint32_t i = 0; i < append->count; i++) {
        struct raft_entry *entry = &r->entries[i];
        entry->index = append->prev_log_index + 1 + i;
        entry->term = random_number(r);
        entry->type = (enum raft_entry_type)random_below(r, RAFT_ENTRY_TYPE_COUNT);
        entry->data = random_bytes(r, &entry->size);
    }
}

static inline void random_snapshot(struct random_message *r)
{
    struct raft_install_snapshot *install = &r->message.install_snapshot;
    install->last_included_index = random_number(r);
    install->last_included_term = random_number(r);
    install->offset = random_number(r);
    install->total = random_number(r);
    install->checksum = random_draw(r);
    install->data = random_bytes(r, &install->size);
}

static inline void random_reply(struct random_message *r)
{
    struct raft_append_entries_reply *reply = &r->message.append_entries_reply;
    reply->success = random_bool(r);
    reply->match_index = random_number(r);
    reply->prev_log_index = random_number(r);
    reply->conflict_index = random_number(r);
    reply->conflict_term = random_number(r);
    reply->round = random_number(r);
}

static inline void random_vote(struct random_message *r)
{
    struct raft_request_vote *vote = &r->message.request_vote;
    vote->last_log_index = random_number(r);
    vote->last_log_term = random_number(r);
    vote->pre_vote = random_bool(r);
    vote->transfer = random_bool(r);
}

// Draws the next one; what it points at lies in `r`.
static inline void random_message_next(struct random_message *r)
{
    struct raft_message *m = &r->message;
    memset(m, 0, sizeof *m);
    r->used = 0;
    m->type = (enum raft_message_type)(1 + random_below(r, RAFT_MESSAGE_TYPE_END - 1));
    m->from = 1 + (uint32_t)random_below(r, UINT32_MAX);
    m->term = random_number(r);
    switch (m->type) {
    case RAFT_REQUEST_VOTE:
        random_vote(r);
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        m->request_vote_reply.vote_granted = random_bool(r);
        m->request_vote_reply.pre_vote = random_bool(r);
        break;
    case RAFT_APPEND_ENTRIES:
        random_append(r);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        random_reply(r);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        random_snapshot(r);
        break;
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        m->install_snapshot_reply.last_included_index = random_number(r);
        m->install_snapshot_reply.next_offset = random_number(r);
        m->install_snapshot_reply.installed = random_bool(r);
        break;
    case RAFT_READ_INDEX_REPLY:
        m->read_index.index = random_number(r);
        m->read_index.ok = random_bool(r);
        m->read_index.id = random_number(r);
        break;
    case RAFT_READ_INDEX:
        m->read_index.id = random_number(r);
        break;
    default:
        break;
    }
}

// ---- comparing ------------------------------------------------------------------

static inline bool same_bytes(const void *a, uint32_t a_size, const void *b,
                              uint32_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static inline bool same_append(const struct raft_append_entries *a,
                               const struct raft_append_entries *b)
{
    if (a->prev_log_index != b->prev_log_index ||
        a->prev_log_term != b->prev_log_term || a->leader_commit != b->leader_commit ||
        a->round != b->round || a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        const struct raft_entry *x = &a->entries[i];
        const struct raft_entry *y = &b->entries[i];
        if (x->index != y->index || x->term != y->term || x->type != y->type ||
            !same_bytes(x->data, x->size, y->data, y->size)) {
            return false;
        }
    }
    return true;
}

static inline bool same_snapshot(const struct raft_install_snapshot *a,
                                 const struct raft_install_snapshot *b)
{
    return a->last_included_index == b->last_included_index &&
           a->last_included_term == b->last_included_term && a->offset == b->offset &&
           a->total == b->total && a->checksum == b->checksum &&
           same_bytes(a->data, a->size, b->data, b->size);
}

static inline bool same_reply(const struct raft_append_entries_reply *a,
                              const struct raft_append_entries_reply *b)
{
    return a->success == b->success && a->match_index == b->match_index &&
           a->prev_log_index == b->prev_log_index &&
           a->conflict_index == b->conflict_index &&
           a->conflict_term == b->conflict_term && a->round == b->round;
}

static inline bool same_vote(const struct raft_request_vote *a,
                             const struct raft_request_vote *b)
{
    return a->last_log_index == b->last_log_index &&
           a->last_log_term == b->last_log_term && a->pre_vote == b->pre_vote &&
           a->transfer == b->transfer;
}

// Equal in all but the receiver.
static inline bool same_message(const struct raft_message *a,
                                const struct raft_message *b)
{
    if (a->type != b->type || a->from != b->from || a->term != b->term) {
        return false;
    }
    switch (a->type) {
    case RAFT_REQUEST_VOTE:
        return same_vote(&a->request_vote, &b->request_vote);
    case RAFT_REQUEST_VOTE_REPLY:
        return a->request_vote_reply.vote_granted ==
                   b->request_vote_reply.vote_granted &&
               a->request_vote_reply.pre_vote == b->request_vote_reply.pre_vote;
    case RAFT_APPEND_ENTRIES:
        return same_append(&a->append_entries, &b->append_entries);
    case RAFT_APPEND_ENTRIES_REPLY:
        return same_reply(&a->append_entries_reply, &b->append_entries_reply);
    case RAFT_INSTALL_SNAPSHOT:
        return same_snapshot(&a->install_snapshot, &b->install_snapshot);
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        return a->install_snapshot_reply.last_included_index ==
                   b->install_snapshot_reply.last_included_index &&
               a->install_snapshot_reply.next_offset ==
                   b->install_snapshot_reply.next_offset &&
               a->install_snapshot_reply.installed ==
                   b->install_snapshot_reply.installed;
    case RAFT_READ_INDEX:
    case RAFT_READ_INDEX_REPLY:
        return a->read_index.id == b->read_index.id &&
               a->read_index.index == b->read_index.index &&
               a->read_index.ok == b->read_index.ok;
    default:
        return true;
    }
}

#endif
