#include "raft/state.h"

#include <string.h>

void state_note(struct raft_output *output, const char *words)
{
    if (output->note_count < RAFT_NOTES_MAX)
        output->notes[output->note_count++] = words;
}

static struct raft_entry *entry_space(struct raft *raft)
{
    return (struct raft_entry *)((uintptr_t)raft + raft->entries_offset);
}

const struct raft_entry *state_view(struct raft *raft, raft_index first,
                                    uint32_t *count)
{
    struct raft_entry *space = entry_space(raft);
    if (first >= raft->view_first &&
        first + *count <= raft->view_first + raft->view_count)
        return &space[raft->view_at + (first - raft->view_first)];
    if (*count > raft->entries_max - raft->entries_used) {
        *count = raft->entries_max - raft->entries_used;
        state_reach(raft, RAFT_MARK_OUTPUT_FULL);
        raft->output_full = true;
    }
    raft->view_first = first;
    raft->view_count = *count;
    raft->view_at = raft->entries_used;
    for (uint32_t i = 0; i < *count; i++)
        log_entry(&raft->log, first + i, &space[raft->entries_used++]);
    return &space[raft->view_at];
}

struct raft_message *state_message(struct raft *raft, struct raft_output *output,
                                   enum raft_message_type type, raft_id to)
{
    if (output->message_count == RAFT_OUTPUT_MESSAGES_MAX) {
        state_reach(raft, RAFT_MARK_OUTPUT_FULL);
        raft->output_full = true;
        return NULL;
    }
    struct raft_message *messages =
        (struct raft_message *)((uintptr_t)raft + raft->messages_offset);
    struct raft_message *message = &messages[output->message_count++];
    *message = state_reply(raft, type, to);
    return message;
}

struct raft_message state_reply(const struct raft *raft, enum raft_message_type type,
                                raft_id to)
{
    struct raft_message message;
    memset(&message, 0, sizeof message); // all of the union, whatever member is used
    message.type = type;
    message.from = raft->config.id;
    message.to = to;
    message.term = raft->hard_state.current_term;
    return message;
}

struct progress *state_peer(struct raft *raft, raft_id id)
{
    for (uint32_t i = 0; i < raft->configuration.count; i++) {
        if (raft->peers[i].id == id)
            return &raft->peers[i];
    }
    return NULL;
}

void state_persist_entries(struct raft *raft, raft_index first)
{
    raft_index *from = &raft->durability.persist_from;
    if (*from == 0 || first < *from)
        *from = first;
}

void state_persist_hard_state(struct raft *raft, struct raft_output *output)
{
    output->hard_state_changed = true;
    raft->durability.hard_state_write = raft->durability.issued + 1;
}
