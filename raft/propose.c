#include "raft/propose.h"

#include "raft/state.h"

enum { LOG_SLOTS_RESERVED_MIN = 16 };

static uint64_t bytes_of(const struct raft_command *commands, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += commands[i].size;
    return bytes;
}

// Kept free of proposals, so that the no-ops of new leaders and changes of members fit:
// a log that is full of what is not committed can be committed by a no-op alone.
static uint64_t slots_reserved(const struct raft *raft)
{
    uint64_t some = raft->log.slot_count / 64;
    return some < LOG_SLOTS_RESERVED_MIN ? LOG_SLOTS_RESERVED_MIN : some;
}

static bool log_is_full(const struct raft *raft, const struct raft_command *commands,
                        uint32_t count)
{
    uint64_t used = raft->log.last_index - raft->log.base_index;
    return used + count + slots_reserved(raft) > raft->log.slot_count ||
           !log_has_room(&raft->log, commands, count);
}

static bool backlog_is_full(const struct raft *raft,
                            const struct raft_command *commands, uint32_t count)
{
    uint64_t backlog = log_bytes_after(&raft->log, raft->commit_index);
    return backlog > 0 &&
           backlog + bytes_of(commands, count) > raft->config.uncommitted_bytes_max;
}

// RAFT_OK, or what keeps a leader from taking these commands now. Whether the node
// leads at all is not looked at here.
static enum raft_status room_for(struct raft *raft, const struct raft_command *commands,
                                 uint32_t count)
{
    if (count == 0)
        return RAFT_INVALID;
    if (count > raft->config.message_entries_max)
        return RAFT_TOO_LARGE;
    for (uint32_t i = 0; i < count; i++) {
        if (commands[i].size > raft->config.command_bytes_max)
            return RAFT_TOO_LARGE;
    }
    if (raft->transfer_to != 0) {
        state_reach(raft, RAFT_MARK_TRANSFER_PROPOSAL);
        return RAFT_TRANSFERRING;
    }
    if (backlog_is_full(raft, commands, count))
        return RAFT_BACKLOG_FULL;
    return log_is_full(raft, commands, count) ? RAFT_LOG_FULL : RAFT_OK;
}

enum raft_status propose_receive(struct raft *raft, const struct raft_command *commands,
                                 uint32_t count, struct raft_output *output)
{
    // BEGIN SOLUTION lab2: LEAD-2
    if (raft->role != RAFT_LEADER)
        return RAFT_NOT_LEADER;
    enum raft_status status = room_for(raft, commands, count);
    if (status != RAFT_OK)
        return status;
    output->proposed_index = raft->log.last_index + 1;
    output->proposed_term = raft->hard_state.current_term;
    for (uint32_t i = 0; i < count; i++) // LEAD-2
        log_append(&raft->log, raft->hard_state.current_term, RAFT_ENTRY_COMMAND,
                   commands[i].data, commands[i].size);
    state_persist_entries(raft, output->proposed_index);
    state_reach(raft, RAFT_MARK_LEAD_2);
    return RAFT_OK;
    // END SOLUTION
}

void propose_begin_term(struct raft *raft)
{
    // BEGIN SOLUTION lab2: LEAD-2
    // An entry of its own term lets it commit what it inherited (dissertation 6.4).
    if (raft->term_start_index > raft->log.last_index &&
        log_append(&raft->log, raft->hard_state.current_term, RAFT_ENTRY_NOOP, NULL, 0))
        state_persist_entries(raft, raft->term_start_index);
    // END SOLUTION
}
