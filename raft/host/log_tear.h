// log_tear.h: torn by a crash, or damaged since?
//
// A crash leaves the end of the last segment as it likes: nothing, a part, garbage. What
// was never synced has been promised to nobody, and is cut. But bytes that were on
// stable storage and are none now are damage, and to cut them would forget a promise.
// A record's `durable` (log_format.h) tells the one from the other: how far its segment
// was synced when it was written.
#ifndef RAFT_HOST_LOG_TEAR_H
#define RAFT_HOST_LOG_TEAR_H

#include "raft/host/log_reader.h"

enum log_tear {
    LOG_TEAR_TORN,       // nothing tells that it was ever on stable storage
    LOG_TEAR_DAMAGED,    // a record behind it tells that it was
    LOG_TEAR_UNREADABLE, // the disk fails: reader->status
};

// What begins at `offset` of the last segment, which the reader has open, where no
// record stands. TORN: *torn_bytes is how much of it was written, less zeros at the end.
enum log_tear log_tear_judge(struct log_reader *reader, uint64_t offset,
                             uint64_t *torn_bytes);

#endif
