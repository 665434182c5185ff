#include "raft/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct line {
    char *text;
    size_t size;
    size_t length; // of the whole line, also where it does not fit
};

static void add(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    size_t at = line->length < line->size ? line->length : line->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + at, line->size - at, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->length += (size_t)length;
}

static struct line line_begin(char *text, size_t size)
{
    if (size > 0)
        text[0] = '\0';
    return (struct line){text, size, 0};
}

const char *raft_trace_message_name(enum raft_message_type type)
{
    static const char *const names[RAFT_MESSAGE_TYPE_END] = {
        [RAFT_REQUEST_VOTE] = "RequestVote",
        [RAFT_REQUEST_VOTE_REPLY] = "RequestVoteReply",
        [RAFT_APPEND_ENTRIES] = "AppendEntries",
        [RAFT_APPEND_ENTRIES_REPLY] = "AppendEntriesReply",
        [RAFT_INSTALL_SNAPSHOT] = "InstallSnapshot",
        [RAFT_INSTALL_SNAPSHOT_REPLY] = "InstallSnapshotReply",
        [RAFT_TIMEOUT_NOW] = "TimeoutNow",
        [RAFT_READ_INDEX] = "ReadIndex",
        [RAFT_READ_INDEX_REPLY] = "ReadIndexReply",
    };
    bool known = type >= RAFT_REQUEST_VOTE && type < RAFT_MESSAGE_TYPE_END;
    return known ? names[type] : "UnknownMessage";
}

static void add_name(struct line *line, const struct raft_message *message)
{
    bool pre_vote =
        (message->type == RAFT_REQUEST_VOTE && message->request_vote.pre_vote) ||
        (message->type == RAFT_REQUEST_VOTE_REPLY &&
         message->request_vote_reply.pre_vote);
    const char *name = raft_trace_message_name(message->type);
    if (pre_vote) // "PreVote", "PreVoteReply"
        add(line, "Pre%s", name + sizeof "Request" - 1);
    else
        add(line, "%s", name);
}

static void add_snapshot_fields(struct line *line, const struct raft_message *message)
{
    const struct raft_install_snapshot *chunk = &message->install_snapshot;
    const struct raft_install_snapshot_reply *reply = &message->install_snapshot_reply;
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        add(line,
            " last=%" PRIu64 "/%" PRIu64 " at %" PRIu64 "+%" PRIu32 " of %" PRIu64,
            chunk->last_included_index, chunk->last_included_term, chunk->offset,
            chunk->size, chunk->total);
    else if (reply->installed)
        add(line, " last=%" PRIu64 " installed", reply->last_included_index);
    else
        add(line, " last=%" PRIu64 " next=%" PRIu64, reply->last_included_index,
            reply->next_offset);
}

// What a message says beyond its type, sender and term.
static void add_fields(struct line *line, const struct raft_message *message)
{
    const struct raft_append_entries *append = &message->append_entries;
    const struct raft_append_entries_reply *reply = &message->append_entries_reply;
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        add(line, " log=%" PRIu64 "/%" PRIu64 "%s",
            message->request_vote.last_log_index, message->request_vote.last_log_term,
            message->request_vote.transfer ? " transfer" : "");
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        add(line, " %s",
            message->request_vote_reply.vote_granted ? "granted" : "refused");
        break;
    case RAFT_APPEND_ENTRIES:
        add(line, " prev=%" PRIu64 "/%" PRIu64 " +%" PRIu32 " commit=%" PRIu64,
            append->prev_log_index, append->prev_log_term, append->count,
            append->leader_commit);
        if (append->round > 0)
            add(line, " round=%" PRIu64, append->round);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        if (reply->success)
            add(line, " match=%" PRIu64, reply->match_index);
        else
            add(line, " refused prev=%" PRIu64 " conflict=%" PRIu64 "/%" PRIu64,
                reply->prev_log_index, reply->conflict_index, reply->conflict_term);
        if (reply->round > 0)
            add(line, " round=%" PRIu64, reply->round);
        break;
    case RAFT_INSTALL_SNAPSHOT:
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        add_snapshot_fields(line, message);
        break;
    case RAFT_READ_INDEX:
        add(line, " id=%" PRIu64, message->read_index.id);
        break;
    case RAFT_READ_INDEX_REPLY:
        add(line, " id=%" PRIu64, message->read_index.id);
        if (message->read_index.ok)
            add(line, " index=%" PRIu64, message->read_index.index);
        else
            add(line, " refused");
        break;
    case RAFT_TIMEOUT_NOW:
    case RAFT_MESSAGE_TYPE_END:
        break;
    }
}

size_t raft_trace_message(char *text, size_t size, const struct raft_message *message)
{
    struct line line = line_begin(text, size);
    add_name(&line, message);
    add(&line, " n%" PRIu32 ">n%" PRIu32 " t%" PRIu64, message->from, message->to,
        message->term);
    add_fields(&line, message);
    return line.length;
}

static void add_event(struct line *line, const struct raft_event *event)
{
    switch (event->type) {
    case RAFT_EVENT_TICK:
        add(line, "tick");
        break;
    case RAFT_EVENT_MESSAGE:
        add(line, "< ");
        add_name(line, event->message);
        add(line, " n%" PRIu32 " t%" PRIu64, event->message->from,
            event->message->term);
        add_fields(line, event->message);
        break;
    case RAFT_EVENT_PROPOSE:
        add(line, "propose %" PRIu32, event->propose.count);
        break;
    case RAFT_EVENT_READ:
        add(line, "read %" PRIu64, event->read.id);
        break;
    case RAFT_EVENT_PERSISTED:
        add(line, "durable write %" PRIu64, event->persisted.write);
        break;
    case RAFT_EVENT_APPLIED:
        add(line, "applied %" PRIu64, event->applied.index);
        break;
    case RAFT_EVENT_SNAPSHOT_TAKEN:
        add(line, "snapshot taken of 1..%" PRIu64, event->snapshot_taken.index);
        break;
    case RAFT_EVENT_SNAPSHOT_RECEIVED:
        if (event->snapshot_received.meta != NULL)
            add(line, "snapshot of 1..%" PRIu64 " %s",
                event->snapshot_received.meta->last_included_index,
                event->snapshot_received.failed ? "is damaged" : "received");
        break;
    case RAFT_EVENT_CHANGE_MEMBERSHIP:
        add(line, "change");
        for (uint32_t i = 0; i < event->change.count; i++)
            add(line, " n%" PRIu32 "=%s", event->change.members[i].id,
                raft_configuration_role_text(event->change.members[i].role));
        break;
    case RAFT_EVENT_TRANSFER_LEADERSHIP:
        add(line, "transfer to n%" PRIu32, event->transfer.to);
        break;
    case RAFT_EVENT_TYPE_END:
    default:
        add(line, "event %d", (int)event->type);
        break;
    }
}

static void add_effects(struct line *line, const struct raft_output *output)
{
    if (output->hard_state_changed)
        add(line, " | save t%" PRIu64 " vote n%" PRIu32,
            output->hard_state.current_term, output->hard_state.voted_for);
    if (output->entry_count > 0)
        add(line, " | log %" PRIu64 "..%" PRIu64, output->entries[0].index,
            output->entries[output->entry_count - 1].index);
    if (output->apply_count > 0)
        add(line, " | apply %" PRIu64 "..%" PRIu64, output->apply[0].index,
            output->apply[output->apply_count - 1].index);
    if (output->snapshot_store != NULL)
        add(line, " | store snapshot at %" PRIu64, output->snapshot_store->offset);
    if (output->snapshot_restore != NULL)
        add(line, " | restore snapshot of 1..%" PRIu64,
            output->snapshot_restore->last_included_index);
    for (uint32_t i = 0; i < output->snapshot_send_count; i++)
        add(line, " | send snapshot n%" PRIu32 " last=%" PRIu64 " at %" PRIu64,
            output->snapshot_sends[i].to, output->snapshot_sends[i].last_included_index,
            output->snapshot_sends[i].offset);
    for (uint32_t i = 0; i < output->message_count; i++) {
        add(line, " | > ");
        add_name(line, &output->messages[i]);
        add(line, " n%" PRIu32, output->messages[i].to);
        add_fields(line, &output->messages[i]);
    }
    for (uint32_t i = 0; i < output->read_count; i++)
        add(line, " | read %" PRIu64 " %s", output->reads[i].id,
            output->reads[i].status == RAFT_OK ? "answered" : "refused");
}

size_t raft_trace_step(char *text, size_t size, const struct raft *raft,
                       const struct raft_event *event, const struct raft_output *output)
{
    struct raft_view view;
    raft_observe(raft, &view);
    struct line line = line_begin(text, size);
    add(&line, "[%6" PRIu64 "] n%" PRIu32 " ", event->now_ms, view.id);
    add_event(&line, event);
    for (uint32_t i = 0; i < output->note_count; i++)
        add(&line, "%s %s", i == 0 ? ":" : ";", output->notes[i]);
    add_effects(&line, output);
    return line.length;
}
