// request.h: what a client sends to a node and what it gets back, as plain data.
//
// Both are blocks of the world's pool: a head, then the words' sizes and the words, or
// the bytes of the reply.
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include <stdbool.h>

#include "kvserver/engine/engine.h"
#include "raft/raft.h"
#include "sim/pool.h"

enum {
    REQUEST_WORDS_MAX = 64,
    REQUEST_TICKET = 0xffffff, // as client: a proposal of the command language
};

struct request {
    uint32_t client;
    bool read;
    uint32_t word_count;
    uint64_t operation; // the client's number for it
    uint64_t session;   // 0: none
    uint64_t sequence;
};

enum reply_status {
    REPLY_DONE = 0, // the bytes are the store's RESP reply
    REPLY_NOT_LEADER,
    REPLY_LOST,    // its log entry was replaced by another leader's
    REPLY_REFUSED, // log or queue is full
};

struct reply {
    enum reply_status status;
    uint32_t client;
    uint64_t operation;
    raft_id from;
    raft_id leader_hint;
    uint32_t size;
};

// Copies a request with its words into the pool.
uint64_t request_make(struct pool *pool, const struct request *head,
                      const struct bytes *words);

// Fills in words[0..word_count), borrowed from the request.
void request_words(const struct request *request, struct bytes *words);

uint64_t request_reply_make(struct pool *pool, const struct reply *head,
                            const void *data);
const char *request_reply_data(const struct reply *reply);

#endif
