// fuzz_make.h: events of which nothing need be true. See fuzz_world.h.
#ifndef TESTS_RAFT_FUZZ_MAKE_H
#define TESTS_RAFT_FUZZ_MAKE_H

#include "tests/raft/fuzz_world.h"

static uint64_t some_number(struct world *world, const struct core *core)
{
    switch (below(world, 8)) {
    case 0:
        return UINT64_MAX - below(world, 3);
    case 1:
        return draw(world) >> below(world, 64);
    case 2:
        return core->view.last_index + 1 - below(world, 3);
    case 3:
        return core->view.commit_index + 1 - below(world, 3);
    default:
        return below(world, (uint32_t)core->view.last_index + 2);
    }
}

static raft_term some_term(struct world *world, const struct core *core)
{
    if (one_in(world, 2000))
        return UINT64_MAX - below(world, 3);
    raft_term term = core->view.current_term;
    return one_in(world, 4) ? term + 1 - below(world, 3) : term;
}

static void make_member(struct world *world, struct raft_member *member)
{
    *member = (struct raft_member){.id = 1 + below(world, CORES_MAX + 2),
                                   .role = (enum raft_member_role)below(world, 6),
                                   .priority = below(world, 3)};
    if (one_in(world, 50))
        member->id = one_in(world, 2) ? 0 : UINT32_MAX;
    if (one_in(world, 50))
        member->role = (enum raft_member_role)below(world, 300);
    if (one_in(world, 50))
        memset(member->address, (int)below(world, 256), sizeof member->address);
}

// Three of four can be used.
static struct raft_configuration make_configuration(struct world *world)
{
    struct raft_configuration configuration = {.count = below(world, 5)};
    for (uint32_t i = 0; i < configuration.count; i++) {
        uint32_t role = i == 0 ? RAFT_VOTER : RAFT_VOTER + below(world, 5);
        configuration.members[i].id = i + 1;
        configuration.members[i].role = (enum raft_member_role)role;
    }
    if (configuration.count > 0 && one_in(world, 4))
        make_member(world, &configuration.members[0]);
    return configuration;
}

static void make_configuration_entry(struct world *world, struct kept_message *kept,
                                     uint32_t at)
{
    struct raft_configuration configuration = make_configuration(world);
    for (uint32_t i = 0; i < configuration.count; i++) {
        struct raft_member *member = &configuration.members[i];
        memset(member->address, 0, sizeof member->address);
        if ((unsigned)member->role > RAFT_JOINING)
            member->role = RAFT_VOTER;
    }
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    kept->entries[at].size = raft_configuration_encode(&configuration, text);
    CHECK(kept->entries[at].size <= DATA_MAX);
    memcpy(kept->data[at], text, kept->entries[at].size);
    if (one_in(world, 8))
        kept->data[at][below(world, DATA_MAX)] = (uint8_t)below(world, 256);
    kept->entries[at].type = RAFT_ENTRY_CONFIGURATION;
}

static void make_entries(struct world *world, const struct core *core,
                         struct kept_message *kept)
{
    struct raft_append_entries *append = &kept->message.append_entries;
    append->count = below(world, one_in(world, 8) ? BATCH_MAX + 1 : 4);
    append->entries = kept->entries;
    raft_term term = append->prev_log_term;
    for (uint32_t i = 0; i < append->count; i++) {
        struct raft_entry *entry = &kept->entries[i];
        if (term < kept->message.term && one_in(world, 3))
            term++;
        *entry = (struct raft_entry){.index = append->prev_log_index + 1 + i,
                                     .term = term,
                                     .type = RAFT_ENTRY_COMMAND,
                                     .size = below(world, COMMAND_MAX + 1),
                                     .data = kept->data[i]};
        memset(kept->data[i], (int)below(world, 256), DATA_MAX);
        if (one_in(world, 20))
            make_configuration_entry(world, kept, i);
        if (one_in(world, 50))
            entry->type = (enum raft_entry_type)below(world, 300);
        if (one_in(world, 50))
            entry->term = some_number(world, core);
        if (one_in(world, 50))
            entry->index = some_number(world, core);
    }
}

static void make_append(struct world *world, const struct core *core,
                        struct kept_message *kept)
{
    struct raft_append_entries *append = &kept->message.append_entries;
    append->prev_log_index = some_number(world, core);
    if (one_in(world, 4) ||
        !raft_term_at(core->memory, append->prev_log_index, &append->prev_log_term))
        append->prev_log_term = some_term(world, core);
    append->leader_commit = some_number(world, core);
    append->round = some_number(world, core);
    make_entries(world, core, kept);
}

static void make_chunk(struct world *world, const struct core *core,
                       struct kept_message *kept)
{
    struct raft_install_snapshot *chunk = &kept->message.install_snapshot;
    chunk->last_included_index = some_number(world, core);
    if (!one_in(world, 4)) // so that some are complete
        chunk->last_included_index = core->view.last_index / 8 * 8 + 8;
    chunk->last_included_term = one_in(world, 4) ? some_term(world, core) : 1;
    chunk->total = one_in(world, 8) ? some_number(world, core) : 10;
    chunk->offset = one_in(world, 8) ? some_number(world, core) : below(world, 3) * 5;
    chunk->size = one_in(world, 8) ? below(world, CHUNK_MAX) : 5;
    chunk->checksum = one_in(world, 8);
    chunk->data = kept->data;
}

static void make_reply(struct world *world, const struct core *core,
                       struct raft_message *message)
{
    struct raft_install_snapshot_reply *reply = &message->install_snapshot_reply;
    reply->last_included_index =
        one_in(world, 2) ? core->view.snapshot_index : some_number(world, core);
    reply->next_offset =
        one_in(world, 2) ? below(world, 100) : some_number(world, core);
    reply->installed = one_in(world, 3);
}

// A message to this core of which nothing need be true.
static void make_message(struct world *world, const struct core *core,
                         struct kept_message *kept)
{
    memset(&kept->message, 0, sizeof kept->message);
    struct raft_message *message = &kept->message;
    message->type = (enum raft_message_type)(
        one_in(world, 20) ? below(world, 300) : RAFT_REQUEST_VOTE + below(world, 9));
    message->to = one_in(world, 50) ? below(world, 9) : core->config.id;
    message->from = one_in(world, 50) ? UINT32_MAX : below(world, CORES_MAX + 2);
    message->term = some_term(world, core);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        message->request_vote.last_log_index = some_number(world, core);
        message->request_vote.last_log_term = some_term(world, core);
        message->request_vote.pre_vote = one_in(world, 2);
        message->request_vote.transfer = one_in(world, 4);
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        message->request_vote_reply.vote_granted = one_in(world, 2);
        message->request_vote_reply.pre_vote = one_in(world, 2);
        break;
    case RAFT_APPEND_ENTRIES:
        make_append(world, core, kept);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        message->append_entries_reply.success = one_in(world, 2);
        message->append_entries_reply.match_index = some_number(world, core);
        message->append_entries_reply.prev_log_index = some_number(world, core);
        message->append_entries_reply.conflict_index = some_number(world, core);
        message->append_entries_reply.conflict_term = some_term(world, core);
        message->append_entries_reply.round = some_number(world, core);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        make_chunk(world, core, kept);
        break;
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        make_reply(world, core, message);
        break;
    case RAFT_READ_INDEX:
    case RAFT_READ_INDEX_REPLY:
        message->read_index.id = some_number(world, core);
        message->read_index.index = some_number(world, core);
        message->read_index.ok = one_in(world, 2);
        break;
    default:
        break;
    }
}

#endif
