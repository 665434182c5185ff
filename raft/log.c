#include "raft/log.h"

#include <string.h>

static uint64_t power_of_two(uint64_t at_least)
{
    uint64_t value = 16;
    while (value < at_least)
        value *= 2;
    return value;
}

uint64_t log_slot_count(const struct raft_config *config)
{
    return power_of_two(config->log_entries_max);
}

uint64_t log_byte_count(const struct raft_config *config)
{
    return power_of_two(config->log_bytes_max);
}

void log_init(struct log *log, const struct raft_config *config, uint64_t slots_offset,
              uint64_t bytes_offset)
{
    memset(log, 0, sizeof *log);
    log->slot_count = log_slot_count(config);
    log->byte_count = log_byte_count(config);
    log->slots_offset = slots_offset;
    log->bytes_offset = bytes_offset;
}

static struct log_slot *slot_of(const struct log *log, raft_index index)
{
    struct log_slot *slots = (struct log_slot *)((uintptr_t)log + log->slots_offset);
    return &slots[index & (log->slot_count - 1)];
}

static char *bytes_at(const struct log *log, uint64_t at)
{
    return (char *)((uintptr_t)log + log->bytes_offset) + (at & (log->byte_count - 1));
}

raft_index log_first_index(const struct log *log)
{
    return log->base_index + 1;
}

static bool holds(const struct log *log, raft_index index)
{
    return index > log->base_index && index <= log->last_index;
}

bool log_term(const struct log *log, raft_index index, raft_term *term)
{
    if (index == log->base_index) {
        *term = log->base_term;
        return true;
    }
    if (!holds(log, index))
        return false;
    *term = slot_of(log, index)->term;
    return true;
}

raft_term log_last_term(const struct log *log)
{
    raft_term term = 0;
    bool known = log_term(log, log->last_index, &term);
    assert(known);
    (void)known;
    return term;
}

bool log_matches(const struct log *log, raft_index index, raft_term term)
{
    raft_term own;
    return log_term(log, index, &own) && own == term;
}

raft_index log_find_conflict(const struct log *log, raft_index index, raft_term term)
{
    raft_index low = log->base_index;
    raft_index high = index < log->last_index ? index : log->last_index;
    if (high <= low)
        return high;
    // Terms never decrease, so halving finds the last one that is not above `term`.
    while (low < high) {
        raft_index middle = low + (high - low + 1) / 2;
        if (slot_of(log, middle)->term <= term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static uint64_t bytes_head(const struct log *log)
{
    return log->last_index == log->base_index ? log->bytes_tail
                                              : slot_of(log, log_first_index(log))->at;
}

uint64_t log_bytes_used(const struct log *log)
{
    return log->bytes_tail - bytes_head(log);
}

uint64_t log_bytes_after(const struct log *log, raft_index index)
{
    if (index >= log->last_index)
        return 0;
    raft_index first = index > log->base_index ? index + 1 : log_first_index(log);
    return log->bytes_tail - slot_of(log, first)->at;
}

raft_index log_find_configuration(const struct log *log, raft_index index)
{
    if (index > log->last_index)
        index = log->last_index;
    for (; index > log->base_index; index--) {
        if (slot_of(log, index)->type == RAFT_ENTRY_CONFIGURATION)
            return index;
    }
    return 0;
}

// An empty log has all of its room in one piece.
static void begin_anew_where_empty(struct log *log)
{
    if (log->last_index == log->base_index)
        log->bytes_tail = 0;
}

// Where `size` bytes go when the next free position is `tail`: never across the end.
static uint64_t place(const struct log *log, uint64_t tail, uint32_t size)
{
    uint64_t offset = tail & (log->byte_count - 1);
    return offset + size > log->byte_count ? tail - offset + log->byte_count : tail;
}

bool log_has_room(const struct log *log, const struct raft_command *commands,
                  uint32_t count)
{
    uint64_t used = log->last_index - log->base_index;
    if (used + count > log->slot_count)
        return false;
    uint64_t tail = log->bytes_tail;
    for (uint32_t i = 0; i < count; i++) {
        if (commands[i].size > log->byte_count)
            return false;
        tail = place(log, tail, commands[i].size) + commands[i].size;
    }
    return tail - bytes_head(log) <= log->byte_count;
}

bool log_append(struct log *log, raft_term term, enum raft_entry_type type,
                const void *data, uint32_t size)
{
    struct raft_command command = {data, size};
    if (!log_has_room(log, &command, 1))
        return false;
    assert(term >= log_last_term(log));
    struct log_slot *slot = slot_of(log, log->last_index + 1);
    slot->term = term;
    slot->type = type;
    slot->size = size;
    slot->at = place(log, log->bytes_tail, size);
    if (size > 0)
        memcpy(bytes_at(log, slot->at), data, size);
    log->bytes_tail = slot->at + size;
    log->last_index++; // STATE-3
    return true;
}

void log_truncate(struct log *log, raft_index index)
{
    assert(holds(log, index));
    log->bytes_tail = slot_of(log, index)->at;
    log->last_index = index - 1;
    begin_anew_where_empty(log);
}

void log_compact(struct log *log, raft_index index)
{
    assert(holds(log, index));
    log->base_term = slot_of(log, index)->term;
    log->base_index = index;
    begin_anew_where_empty(log);
}

void log_restart(struct log *log, raft_index index, raft_term term)
{
    log->base_index = index;
    log->base_term = term;
    log->last_index = index;
    begin_anew_where_empty(log);
}

void log_entry(const struct log *log, raft_index index, struct raft_entry *entry)
{
    assert(holds(log, index));
    const struct log_slot *slot = slot_of(log, index);
    entry->index = index;
    entry->term = slot->term;
    entry->type = (enum raft_entry_type)slot->type;
    entry->size = slot->size;
    entry->data = bytes_at(log, slot->at);
}
