#include "raft/host/log_replay.h"

#include <stdlib.h>
#include <string.h>

// The log begins with the record at `at`, and holds no entry yet.
static void begin_log(struct log_replay *replay, const struct log_position *at,
                      raft_index first)
{
    replay->begins = true;
    replay->begin = *at;
    replay->first_index = first;
    replay->last_index = first - 1;
    replay->run_count = 0;
}

void log_replay_init(struct log_replay *replay, bool whole, raft_index asked_index)
{
    memset(replay, 0, sizeof *replay);
    replay->asked_index = asked_index;
    if (!whole)
        return;
    static const struct log_position start = {.number = 1};
    begin_log(replay, &start, 1);
    replay->begin_term_known = true;
}

void log_replay_release(struct log_replay *replay)
{
    free(replay->runs);
    replay->runs = NULL;
    replay->run_count = 0;
}

void log_replay_segment(struct log_replay *replay, uint64_t number)
{
    segment_table_add(&replay->table, number);
}

static const char *replay_hard_state(struct log_replay *replay,
                                     const struct log_record *record,
                                     const uint8_t *payload)
{
    struct raft_hard_state next;
    log_format_get_hard_state(payload, record, &next);
    const struct raft_hard_state *now = &replay->hard_state;
    if (next.current_term < now->current_term)
        return "the term goes back";
    if (next.current_term == now->current_term && now->voted_for != 0 &&
        next.voted_for != now->voted_for)
        return "the vote changes within a term";
    replay->hard_state = next;
    return NULL;
}

// All entries so far are gone; the next is the one behind the snapshot.
static const char *replay_snapshot(struct log_replay *replay,
                                   const struct log_position *at,
                                   const struct log_record *record)
{
    if (record->term > replay->hard_state.current_term)
        return "a snapshot of a term yet to come";
    if (replay->begin_term_known && record->index < replay->first_index - 1)
        return "a snapshot that another had replaced";
    begin_log(replay, at, record->index + 1);
    replay->begin_term_known = true;
    replay->begin_term = record->term;
    segment_table_note(&replay->table, record->index);
    return NULL;
}

// Forgets where entries from `index` on stand: a later record replaces them.
static void cut_runs(struct log_replay *replay, raft_index index)
{
    while (replay->run_count > 0 && replay->runs[replay->run_count - 1].first >= index)
        replay->run_count--;
    if (replay->run_count > 0 && replay->runs[replay->run_count - 1].last >= index)
        replay->runs[replay->run_count - 1].last = index - 1;
}

static bool reserve_run(struct log_replay *replay)
{
    if (replay->run_count < replay->run_capacity)
        return true;
    uint32_t more = replay->run_capacity == 0 ? 16 : replay->run_capacity * 2;
    struct log_run *runs = NULL;
    if (more > replay->run_capacity)
        runs = realloc(replay->runs, more * sizeof *runs);
    if (runs == NULL)
        return false;
    replay->runs = runs;
    replay->run_capacity = more;
    return true;
}

// The entry may stand there: NULL, or why not.
static const char *check_entry(struct log_replay *replay, const struct log_position *at,
                               const struct log_record *record)
{
    if (!replay->begins)
        begin_log(replay, at, record->index);
    if (record->index > replay->last_index && record->index - 1 != replay->last_index)
        return "entries are missing before this one";
    if (record->term > replay->hard_state.current_term)
        return "an entry of a term yet to come";
    if (record->index >= replay->first_index)
        return NULL;
    if (replay->begin_term_known)
        return "an entry that a snapshot had replaced";
    begin_log(replay, at, record->index);
    return NULL;
}

static const char *replay_entry(struct log_replay *replay,
                                const struct log_position *at,
                                const struct log_record *record)
{
    raft_index index = record->index;
    const char *why = check_entry(replay, at, record);
    if (why != NULL)
        return why;
    if (index == replay->asked_index)
        replay->asked_term = record->term;
    segment_table_note(&replay->table, index);
    bool follows = index - 1 == replay->last_index && replay->run_count > 0;
    replay->last_index = index;
    if (follows) {
        replay->runs[replay->run_count - 1].last = index;
        return NULL;
    }
    cut_runs(replay, index);
    if (!reserve_run(replay))
        return "out of memory";
    replay->runs[replay->run_count++] =
        (struct log_run){.first = index, .last = index, .at = *at};
    return NULL;
}

const char *log_replay_record(struct log_replay *replay, const struct log_position *at,
                              const struct log_record *record, const uint8_t *payload)
{
    bool first = at->offset == LOG_SEGMENT_HEADER_BYTES;
    if (first && record->type != LOG_RECORD_HARD_STATE)
        return "no hard state begins this segment";
    if (record->type == LOG_RECORD_HARD_STATE)
        return replay_hard_state(replay, record, payload);
    if (record->type == LOG_RECORD_SNAPSHOT)
        return replay_snapshot(replay, at, record);
    return replay_entry(replay, at, record);
}
