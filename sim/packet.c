#include "sim/packet.h"

#include <string.h>

static size_t entry_bytes(const struct raft_message *message)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < message->append_entries.count; i++)
        bytes += message->append_entries.entries[i].size;
    return bytes;
}

static const void *as_pointer(uintptr_t offset)
{
    return (const void *)offset; // NOLINT(performance-no-int-to-ptr)
}

static uint64_t make_append(struct pool *pool, const struct raft_message *message)
{
    uint32_t count = message->append_entries.count;
    size_t head = sizeof(*message) + count * sizeof(struct raft_entry);
    uint64_t packet = pool_take(pool, head + entry_bytes(message));
    char *block = pool_at(pool, packet);
    struct raft_message *copy = (struct raft_message *)block;
    struct raft_entry *entries = (struct raft_entry *)(block + sizeof(*message));
    size_t at = head;

    *copy = *message;
    copy->append_entries.entries = as_pointer(sizeof(*message));
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = message->append_entries.entries[i];
        if (entries[i].size > 0)
            memcpy(block + at, entries[i].data, entries[i].size);
        entries[i].data = as_pointer(at);
        at += entries[i].size;
    }
    return packet;
}

uint64_t packet_make(struct pool *pool, const struct raft_message *message)
{
    uint64_t packet;
    uint32_t size = 0;
    struct raft_message *copy;

    static_assert(sizeof(*message) % _Alignof(struct raft_entry) == 0,
                  "entries stand behind the message");
    if (message->type == RAFT_APPEND_ENTRIES)
        return make_append(pool, message);
    if (message->type == RAFT_INSTALL_SNAPSHOT)
        size = message->install_snapshot.size;
    packet = pool_take(pool, sizeof(*message) + size);
    copy = pool_at(pool, packet);
    *copy = *message;
    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        if (size > 0)
            memcpy(copy + 1, message->install_snapshot.data, size);
        copy->install_snapshot.data = as_pointer(sizeof(*message));
    }
    return packet;
}

uint64_t packet_copy(struct pool *pool, uint64_t packet)
{
    const struct raft_message *message = pool_at(pool, packet);
    size_t size = sizeof(*message);
    uint64_t copy;

    if (message->type == RAFT_INSTALL_SNAPSHOT)
        size += message->install_snapshot.size;
    if (message->type == RAFT_APPEND_ENTRIES) {
        const struct raft_entry *entries = (const struct raft_entry *)(message + 1);

        for (uint32_t i = 0; i < message->append_entries.count; i++)
            size += sizeof(*entries) + entries[i].size;
    }
    copy = pool_take(pool, size);
    memcpy(pool_at(pool, copy), pool_at(pool, packet), size);
    return copy;
}

const struct raft_message *packet_open(struct pool *pool, uint64_t packet)
{
    char *block = pool_at(pool, packet);
    struct raft_message *message = (struct raft_message *)block;

    if (message->type == RAFT_INSTALL_SNAPSHOT) {
        message->install_snapshot.data = block + sizeof(*message);
    } else if (message->type == RAFT_APPEND_ENTRIES) {
        struct raft_entry *entries = (struct raft_entry *)(block + sizeof(*message));

        for (uint32_t i = 0; i < message->append_entries.count; i++)
            entries[i].data = block + (uintptr_t)entries[i].data;
        message->append_entries.entries = entries;
    }
    return message;
}

uint64_t packet_bytes(const struct pool *pool, uint64_t packet)
{
    const struct raft_message *message = pool_at(pool, packet);
    const struct raft_entry *entries = (const struct raft_entry *)(message + 1);
    uint64_t bytes = 0;

    if (message->type == RAFT_INSTALL_SNAPSHOT)
        return message->install_snapshot.size;
    if (message->type != RAFT_APPEND_ENTRIES)
        return 0;
    for (uint32_t i = 0; i < message->append_entries.count; i++)
        bytes += entries[i].size;
    return bytes;
}
