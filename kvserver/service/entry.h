// entry.h: a log entry's bytes, as service.h gives them. There is one encoding of each
// command and nothing else is decoded: a damaged entry is never half understood.
#ifndef KVSERVER_SERVICE_ENTRY_H
#define KVSERVER_SERVICE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

struct entry {
    uint64_t time_ms;
    uint64_t session; // 0: none
    uint64_t sequence;
    uint32_t count; // of words; 0: a bare clock entry
};

void entry_encode(struct buffer *out, const struct entry *entry,
                  const struct bytes *words);

// The words go to `words` as an array of `struct bytes` that point into `data`.
bool entry_decode(const void *data, size_t size, struct entry *entry,
                  struct buffer *words);

#endif
