#include "sim/explore/parcel.h"

#include <string.h>

void parcel_copy(struct parcel *parcel, const struct raft_message *message)
{
    struct raft_append_entries *append = &parcel->message.append_entries;

    parcel->message = *message;
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    assert(append->count <= PARCEL_ENTRIES_MAX);
    for (uint32_t i = 0; i < append->count; i++) {
        struct raft_entry *entry = &parcel->entries[i];

        *entry = message->append_entries.entries[i];
        assert(entry->size <= PARCEL_DATA_BYTES_MAX);
        if (entry->size > 0)
            memcpy(parcel->data[i], entry->data, entry->size);
        entry->data = parcel->data[i];
    }
    append->entries = parcel->entries;
}

// ---- entries --------------------------------------------------------------------

void parcel_order(const struct canon *form,
                  const struct raft_configuration *configuration,
                  uint32_t order[RAFT_MEMBERS_MAX])
{
    for (uint32_t i = 0; i < configuration->count; i++) {
        uint32_t name = form->names[configuration->members[i].id];
        uint32_t at = i;

        for (; at > 0 && form->names[configuration->members[order[at - 1]].id] > name;
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void write_configuration(struct canon *form, const char *data, uint32_t size)
{
    struct raft_configuration configuration;
    uint32_t order[RAFT_MEMBERS_MAX];
    bool good = raft_configuration_decode(data, size, &configuration);

    assert(good);
    (void)good;
    parcel_order(form, &configuration, order);
    canon_u32(form, &configuration.count);
    for (uint32_t i = 0; i < configuration.count; i++) {
        struct raft_member *member = &configuration.members[order[i]];
        uint32_t role = member->role;

        canon_id(form, &member->id);
        canon_u32(form, &role);
    }
}

static void read_configuration(struct canon *form, char *data, uint32_t *size)
{
    struct raft_configuration configuration;

    memset(&configuration, 0, sizeof(configuration));
    canon_u32(form, &configuration.count);
    for (uint32_t i = 0; i < configuration.count; i++) {
        uint32_t role;

        canon_id(form, &configuration.members[i].id);
        canon_u32(form, &role);
        configuration.members[i].role = (enum raft_member_role)role;
    }
    *size = raft_configuration_encode(&configuration, data);
    assert(*size <= PARCEL_DATA_BYTES_MAX);
}

void parcel_walk_entry(struct canon *form, enum raft_entry_type *type, char *data,
                       uint32_t *size)
{
    uint32_t number = *type;

    canon_u32(form, &number);
    *type = (enum raft_entry_type)number;
    if (*type == RAFT_ENTRY_CONFIGURATION) {
        if (form->reading)
            read_configuration(form, data, size);
        else
            write_configuration(form, data, *size);
        return;
    }
    canon_u32(form, size);
    canon_bytes(form, data, *size);
}

// ---- messages -------------------------------------------------------------------

static void walk_append(struct canon *form, struct raft_append_entries *append)
{
    canon_u64(form, &append->prev_log_index);
    canon_u64(form, &append->prev_log_term);
    canon_u64(form, &append->leader_commit);
    canon_u64(form, &append->round);
    canon_u32(form, &append->count);
}

static void walk_reply(struct canon *form, struct raft_append_entries_reply *reply)
{
    canon_flag(form, &reply->success);
    canon_u64(form, &reply->match_index);
    canon_u64(form, &reply->prev_log_index);
    canon_u64(form, &reply->conflict_index);
    canon_u64(form, &reply->conflict_term);
    canon_u64(form, &reply->round);
}

void parcel_walk_message(struct canon *form, struct raft_message *message)
{
    uint32_t type = message->type;

    canon_u32(form, &type);
    message->type = (enum raft_message_type)type;
    canon_id(form, &message->from);
    canon_id(form, &message->to);
    canon_u64(form, &message->term);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        canon_u64(form, &message->request_vote.last_log_index);
        canon_u64(form, &message->request_vote.last_log_term);
        canon_flag(form, &message->request_vote.pre_vote);
        canon_flag(form, &message->request_vote.transfer);
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        canon_flag(form, &message->request_vote_reply.vote_granted);
        canon_flag(form, &message->request_vote_reply.pre_vote);
        break;
    case RAFT_APPEND_ENTRIES:
        walk_append(form, &message->append_entries);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        walk_reply(form, &message->append_entries_reply);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    default:
        assert(!"nobody reads or takes snapshots here");
    }
}

void parcel_walk(struct canon *form, struct parcel *parcel)
{
    struct raft_message *message = &parcel->message;

    if (form->reading)
        memset(message, 0, sizeof(*message));
    parcel_walk_message(form, message);
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    assert(message->append_entries.count <= PARCEL_ENTRIES_MAX);
    message->append_entries.entries = parcel->entries;
    for (uint32_t i = 0; i < message->append_entries.count; i++) {
        struct raft_entry *entry = &parcel->entries[i];

        entry->index = message->append_entries.prev_log_index + 1 + i;
        entry->data = parcel->data[i];
        canon_u64(form, &entry->term);
        parcel_walk_entry(form, &entry->type, parcel->data[i], &entry->size);
    }
}
