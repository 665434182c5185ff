#include "sim/trace.h"

#include "raft/trace.h"
#include "sim/diagram.h"
#include "sim/fold.h"

#include <inttypes.h>
#include <stdarg.h>

enum { LINE_MAX_BYTES = 4096 };

void trace_event(struct trace *trace, const struct heap_event *event)
{
    uint64_t hash = fold_u64(trace->hash, event->time_us);

    trace->hash = fold_u64(hash, (uint64_t)event->kind << 32 | event->node);
}

static uint64_t fold_entry(uint64_t hash, const struct raft_entry *entry)
{
    hash = fold_u64(hash, entry->index);
    hash = fold_u64(hash, entry->term);
    hash = fold_u64(hash, (uint64_t)entry->type);
    return fold_bytes(hash, entry->data, entry->size);
}

static uint64_t fold_append(uint64_t hash, const struct raft_append_entries *append)
{
    hash = fold_u64(hash, append->prev_log_index);
    hash = fold_u64(hash, append->prev_log_term);
    hash = fold_u64(hash, append->leader_commit);
    hash = fold_u64(hash, append->round);
    for (uint32_t i = 0; i < append->count; i++)
        hash = fold_entry(hash, &append->entries[i]);
    return hash;
}

static uint64_t fold_append_reply(uint64_t hash,
                                  const struct raft_append_entries_reply *reply)
{
    hash = fold_u64(hash, reply->success);
    hash = fold_u64(hash, reply->round);
    if (reply->success)
        return fold_u64(hash, reply->match_index);
    hash = fold_u64(hash, reply->prev_log_index);
    hash = fold_u64(hash, reply->conflict_index);
    return fold_u64(hash, reply->conflict_term);
}

static uint64_t fold_snapshot(uint64_t hash, const struct raft_install_snapshot *chunk)
{
    hash = fold_u64(hash, chunk->last_included_index);
    hash = fold_u64(hash, chunk->last_included_term);
    hash = fold_u64(hash, chunk->offset);
    hash = fold_u64(hash, chunk->total);
    return fold_bytes(hash, chunk->data, chunk->size);
}

static uint64_t fold_message(uint64_t hash, const struct raft_message *message)
{
    hash = fold_u64(hash, (uint64_t)message->type);
    hash = fold_u64(hash, (uint64_t)message->from << 32 | message->to);
    hash = fold_u64(hash, message->term);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        hash = fold_u64(hash, message->request_vote.last_log_index);
        hash = fold_u64(hash, message->request_vote.last_log_term);
        hash = fold_u64(hash, message->request_vote.pre_vote);
        return fold_u64(hash, message->request_vote.transfer);
    case RAFT_REQUEST_VOTE_REPLY:
        hash = fold_u64(hash, message->request_vote_reply.vote_granted);
        return fold_u64(hash, message->request_vote_reply.pre_vote);
    case RAFT_APPEND_ENTRIES:
        return fold_append(hash, &message->append_entries);
    case RAFT_APPEND_ENTRIES_REPLY:
        return fold_append_reply(hash, &message->append_entries_reply);
    case RAFT_INSTALL_SNAPSHOT:
        return fold_snapshot(hash, &message->install_snapshot);
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        hash = fold_u64(hash, message->install_snapshot_reply.last_included_index);
        hash = fold_u64(hash, message->install_snapshot_reply.next_offset);
        return fold_u64(hash, message->install_snapshot_reply.installed);
    case RAFT_READ_INDEX:
    case RAFT_READ_INDEX_REPLY:
        hash = fold_u64(hash, message->read_index.id);
        hash = fold_u64(hash, message->read_index.index);
        return fold_u64(hash, message->read_index.ok);
    default:
        return hash;
    }
}

static uint64_t fold_output(uint64_t hash, const struct raft_output *output)
{
    hash = fold_u64(hash, output->write);
    if (output->hard_state_changed) {
        hash = fold_u64(hash, output->hard_state.current_term);
        hash = fold_u64(hash, output->hard_state.voted_for);
    }
    for (uint32_t i = 0; i < output->entry_count; i++)
        hash = fold_entry(hash, &output->entries[i]);
    for (uint32_t i = 0; i < output->message_count; i++)
        hash = fold_message(hash, &output->messages[i]);
    for (uint32_t i = 0; i < output->apply_count; i++)
        hash = fold_u64(hash, output->apply[i].index);
    for (uint32_t i = 0; i < output->read_count; i++) {
        hash = fold_u64(hash, output->reads[i].id);
        hash = fold_u64(hash, output->reads[i].index);
        hash = fold_u64(hash, (uint64_t)output->reads[i].status);
    }
    for (uint32_t i = 0; i < output->note_count; i++)
        hash = fold_text(hash, output->notes[i]);
    hash = fold_u64(hash, output->leader_hint);
    return fold_u64(hash, output->deadline_ms);
}

void trace_step(struct trace *trace, const struct raft *raft,
                const struct raft_view *view, const struct raft_event *event,
                const struct raft_output *output)
{
    uint64_t hash = fold_u64(trace->hash, (uint64_t)event->type << 32 | view->id);

    hash = fold_u64(hash, event->now_ms);
    hash = fold_u64(hash, (uint64_t)view->role);
    hash = fold_u64(hash, view->current_term);
    hash = fold_u64(hash, view->commit_index);
    hash = fold_u64(hash, view->last_index);
    trace->hash = fold_output(hash, output);
    if (trace->file != NULL) {
        char line[LINE_MAX_BYTES];

        raft_trace_step(line, sizeof(line), raft, event, output);
        fprintf(trace->file, "%s\n", line);
    }
}

void trace_apply(struct trace *trace, raft_id id, raft_index index, uint64_t state)
{
    uint64_t hash = fold_u64(trace->hash, index);

    hash = fold_u64(hash, id);
    trace->hash = fold_u64(hash, state);
}

void trace_note(struct trace *trace, uint64_t now_us, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    trace->hash = fold_text(trace->hash, line);
    if (trace->file != NULL)
        fprintf(trace->file, "[%6" PRIu64 "] -- %s\n", now_us / 1000, line);
    diagram_note(trace->diagram, now_us, line);
}

void trace_reason(const struct trace *trace, const char *words)
{
    if (trace->file != NULL)
        fprintf(trace->file, "--   because: %s\n", words);
}
