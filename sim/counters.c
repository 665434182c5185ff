#include "sim/counters.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[COUNTERS_KINDS] = {
    [COUNTERS_PRE_VOTE] = "pre_vote",
    [COUNTERS_PRE_VOTE_REPLY] = "pre_vote_reply",
    [COUNTERS_VOTE] = "vote",
    [COUNTERS_VOTE_REPLY] = "vote_reply",
    [COUNTERS_APPEND] = "append",
    [COUNTERS_HEARTBEAT] = "heartbeat",
    [COUNTERS_APPEND_REPLY] = "append_reply",
    [COUNTERS_SNAPSHOT] = "snapshot",
    [COUNTERS_SNAPSHOT_REPLY] = "snapshot_reply",
    [COUNTERS_TIMEOUT_NOW] = "timeout_now",
    [COUNTERS_READ_INDEX] = "read_index",
    [COUNTERS_READ_INDEX_REPLY] = "read_index_reply",
};

static const char *const names[COUNTER_COUNT] = {
    [COUNTER_STEPS] = "steps",
    [COUNTER_SYNCS] = "syncs",
    [COUNTER_ELECTIONS] = "elections",
    [COUNTER_ELECTIONS_WON] = "elections_won",
    [COUNTER_ENTRIES_APPENDED] = "entries_appended",
    [COUNTER_ENTRIES_SENT] = "entries_sent",
    [COUNTER_ENTRIES_WRITTEN] = "entries_written",
    [COUNTER_WAIT_US_MAX] = "wait_us_max",
};

void counters_reset(struct counters *counters, uint64_t now_us)
{
    *counters = (struct counters){
        .since_us = now_us,
        .committed = counters->committed,
        .committed_before = counters->committed,
        .term_max = counters->term_max,
    };
}

static enum counters_kind kind_of(const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        return message->request_vote.pre_vote ? COUNTERS_PRE_VOTE : COUNTERS_VOTE;
    case RAFT_REQUEST_VOTE_REPLY:
        return message->request_vote_reply.pre_vote ? COUNTERS_PRE_VOTE_REPLY
                                                    : COUNTERS_VOTE_REPLY;
    case RAFT_APPEND_ENTRIES:
        return message->append_entries.count > 0 ? COUNTERS_APPEND : COUNTERS_HEARTBEAT;
    case RAFT_APPEND_ENTRIES_REPLY:
        return COUNTERS_APPEND_REPLY;
    case RAFT_INSTALL_SNAPSHOT:
        return COUNTERS_SNAPSHOT;
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        return COUNTERS_SNAPSHOT_REPLY;
    case RAFT_TIMEOUT_NOW:
        return COUNTERS_TIMEOUT_NOW;
    case RAFT_READ_INDEX:
        return COUNTERS_READ_INDEX;
    default:
        return COUNTERS_READ_INDEX_REPLY;
    }
}

void counters_sent(struct counters *counters, const struct raft_message *message)
{
    enum counters_kind kind = kind_of(message);
    uint64_t bytes = COUNTERS_MESSAGE_BYTES;

    if (kind == COUNTERS_SNAPSHOT)
        bytes += message->install_snapshot.size;
    if (kind == COUNTERS_APPEND) {
        uint32_t count = message->append_entries.count;

        for (uint32_t i = 0; i < count; i++)
            bytes += COUNTERS_ENTRY_BYTES + message->append_entries.entries[i].size;
        counters->values[COUNTER_ENTRIES_SENT] += count;
    }
    counters->messages[kind]++;
    counters->bytes[kind] += bytes;
}

void counters_waited(struct counters *counters, uint64_t wait_us)
{
    uint64_t *longest = &counters->values[COUNTER_WAIT_US_MAX];

    if (wait_us > *longest)
        *longest = wait_us;
}

void counters_step(struct counters *counters, const struct counters_before *before,
                   const struct raft_view *view, const struct raft_output *output)
{
    bool leads = view->role == RAFT_LEADER;
    bool new_term = view->current_term > before->term;
    bool led = before->role == RAFT_LEADER && !new_term;

    counters->values[COUNTER_STEPS]++;
    counters->values[COUNTER_ENTRIES_WRITTEN] += output->entry_count;
    // Who is the only voter leads in the step in which it campaigns.
    if (new_term && (leads || view->role == RAFT_CANDIDATE))
        counters->values[COUNTER_ELECTIONS]++;
    if (leads && !led)
        counters->values[COUNTER_ELECTIONS_WON]++;
    if (leads && view->last_index > before->last_index)
        counters->values[COUNTER_ENTRIES_APPENDED] +=
            view->last_index - before->last_index;
    if (view->commit_index > counters->committed)
        counters->committed = view->commit_index;
    if (view->current_term > counters->term_max)
        counters->term_max = view->current_term;
}

static uint64_t sum(const uint64_t values[COUNTERS_KINDS])
{
    uint64_t all = 0;

    for (int kind = 0; kind < COUNTERS_KINDS; kind++)
        all += values[kind];
    return all;
}

bool counters_at(const struct counters *counters, uint64_t now_us, uint32_t at,
                 struct counters_item *item)
{
    const struct counters_item sums[] = {
        {"messages", sum(counters->messages)},
        {"message_bytes", sum(counters->bytes)},
        {"entries_committed", counters->committed - counters->committed_before},
        {"term_max", counters->term_max},
        {"time_us", now_us - counters->since_us},
    };
    uint32_t sum_count = sizeof(sums) / sizeof(sums[0]);
    bool of_bytes;

    if (at < sum_count) {
        *item = sums[at];
        return true;
    }
    at -= sum_count;
    if (at < COUNTER_COUNT) {
        snprintf(item->name, sizeof(item->name), "%s", names[at]);
        item->value = counters->values[at];
        return true;
    }
    at -= COUNTER_COUNT;
    of_bytes = at >= COUNTERS_KINDS;
    if (of_bytes)
        at -= COUNTERS_KINDS;
    if (at >= COUNTERS_KINDS)
        return false;
    snprintf(item->name, sizeof(item->name), "%s_%s",
             of_bytes ? "message_bytes" : "messages", kind_names[at]);
    item->value = of_bytes ? counters->bytes[at] : counters->messages[at];
    return true;
}

bool counters_find(const struct counters *counters, uint64_t now_us, const char *name,
                   uint64_t *value)
{
    struct counters_item item;

    for (uint32_t at = 0; counters_at(counters, now_us, at, &item); at++)
        if (strcmp(item.name, name) == 0) {
            *value = item.value;
            return true;
        }
    return false;
}
