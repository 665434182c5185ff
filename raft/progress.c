#include "raft/progress.h"

void progress_reset(struct progress *progress, raft_index last_index, uint64_t now_ms)
{
    progress->match_index = 0; // STATE-7
    progress->acked_round = 0;
    progress->ping = true;
    progress->contact_ms = now_ms;
    progress->round_end_index = last_index;
    progress->round_start_ms = now_ms;
    progress->round_was_short = false;
    progress_become_probe(progress, last_index + 1);
}

void progress_become_probe(struct progress *progress, raft_index next_index)
{
    progress->state = RAFT_PROBE;
    progress->next_index = next_index; // STATE-6
    progress->probe_sent = false;
    progress->inflight_count = 0;
    progress->inflight_bytes = 0;
}

void progress_become_replicate(struct progress *progress)
{
    progress->state = RAFT_REPLICATE;
    progress->inflight_count = 0;
    progress->inflight_bytes = 0;
}

void progress_become_snapshot(struct progress *progress, raft_index snapshot_index)
{
    progress->state = RAFT_SNAPSHOT;
    progress->inflight_count = 0;
    progress->inflight_bytes = 0;
    progress->snapshot_index = snapshot_index;
    progress->snapshot_offset = 0;
    progress->snapshot_sent = false;
}

bool progress_may_send(const struct progress *progress,
                       const struct raft_config *config)
{
    switch (progress->state) {
    case RAFT_PROBE:
        return !progress->probe_sent;
    case RAFT_REPLICATE:
        return progress->inflight_count < config->inflight_max &&
               (progress->inflight_count == 0 ||
                progress->inflight_bytes < config->inflight_bytes_max);
    case RAFT_SNAPSHOT:
        return false;
    }
    return false;
}

void progress_sent(struct progress *progress, raft_index last_index, uint64_t bytes)
{
    progress->ping = false;
    if (progress->state == RAFT_PROBE)
        progress->probe_sent = true;
    if (progress->state != RAFT_REPLICATE)
        return;
    if (last_index < progress->next_index) // an empty message: nothing to wait for
        return;
    assert(progress->inflight_count < RAFT_INFLIGHT_MAX);
    uint32_t at = progress->inflight_first + progress->inflight_count++;
    progress->inflight[at % RAFT_INFLIGHT_MAX] =
        (struct progress_message){.last_index = last_index, .bytes = bytes};
    progress->inflight_bytes += bytes;
    progress->next_index = last_index + 1;
}

void progress_arrived(struct progress *progress)
{
    while (progress->inflight_count > 0 &&
           progress->inflight[progress->inflight_first].last_index <=
               progress->match_index) {
        progress->inflight_bytes -= progress->inflight[progress->inflight_first].bytes;
        progress->inflight_first = (progress->inflight_first + 1) % RAFT_INFLIGHT_MAX;
        progress->inflight_count--;
    }
}

bool progress_refusal_is_news(const struct progress *progress,
                              raft_index prev_log_index)
{
    switch (progress->state) {
    case RAFT_PROBE:
        return prev_log_index + 1 == progress->next_index;
    case RAFT_REPLICATE:
        return prev_log_index > progress->match_index;
    case RAFT_SNAPSHOT:
        return false;
    }
    return false;
}

void progress_advance_round(struct progress *progress, raft_index last_index,
                            uint64_t now_ms, uint32_t election_timeout_ms)
{
    if (progress->match_index < progress->round_end_index)
        return;
    progress->round_was_short =
        now_ms - progress->round_start_ms <= election_timeout_ms;
    progress->round_end_index = last_index;
    progress->round_start_ms = now_ms;
}

bool progress_is_caught_up(const struct progress *progress, uint64_t now_ms,
                           uint32_t election_timeout_ms)
{
    return progress->round_was_short &&
           now_ms - progress->round_start_ms <= election_timeout_ms;
}
