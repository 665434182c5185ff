// messages.h: what others say to a core, made up by a test.
#ifndef TESTS_RAFT_MESSAGES_H
#define TESTS_RAFT_MESSAGES_H

#include "raft/raft.h"
#include "tests/test.h"

#define UNUSED __attribute__((unused))

static UNUSED struct raft_message a_vote_request(raft_id from, raft_id to,
                                                 raft_term term, raft_index last_index,
                                                 raft_term last_term)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE, .from = from, .to = to, .term = term};
    message.request_vote.last_log_index = last_index;
    message.request_vote.last_log_term = last_term;
    return message;
}

static UNUSED struct raft_message a_prevote_request(raft_id from, raft_id to,
                                                    raft_term term,
                                                    raft_index last_index,
                                                    raft_term last_term)
{
    struct raft_message message = a_vote_request(from, to, term, last_index, last_term);
    message.request_vote.pre_vote = true;
    return message;
}

static UNUSED struct raft_message a_vote(raft_id from, raft_id to, raft_term term,
                                         bool granted)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE_REPLY, .from = from, .to = to, .term = term};
    message.request_vote_reply.vote_granted = granted;
    return message;
}

static UNUSED struct raft_message a_prevote(raft_id from, raft_id to, raft_term term,
                                            bool granted)
{
    struct raft_message message = a_vote(from, to, term, granted);
    message.request_vote_reply.pre_vote = true;
    return message;
}

// Up to four entries with these terms (0 ends the list), each holding "x".
static UNUSED struct raft_message an_append(raft_id from, raft_id to, raft_term term,
                                            raft_index prev_index, raft_term prev_term,
                                            raft_index commit, const raft_term terms[4])
{
    static struct raft_entry entries[4];
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES, .from = from, .to = to, .term = term};
    message.append_entries.prev_log_index = prev_index;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.leader_commit = commit;
    message.append_entries.entries = entries;
    for (uint32_t i = 0; i < 4 && terms != NULL && terms[i] != 0; i++)
        entries[message.append_entries.count++] =
            (struct raft_entry){.index = prev_index + 1 + i,
                                .term = terms[i],
                                .type = RAFT_ENTRY_COMMAND,
                                .size = 1,
                                .data = "x"};
    return message;
}

#define TERMS(...) ((const raft_term[4]){__VA_ARGS__})

static UNUSED struct raft_message an_ack(raft_id from, raft_id to, raft_term term,
                                         raft_index match)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .from = from, .to = to, .term = term};
    message.append_entries_reply.success = true;
    message.append_entries_reply.match_index = match;
    message.append_entries_reply.prev_log_index = match;
    return message;
}

static UNUSED struct raft_message a_refusal(raft_id from, raft_id to, raft_term term,
                                            raft_index prev, raft_index conflict_index,
                                            raft_term conflict_term)
{
    struct raft_message message = {
        .type = RAFT_APPEND_ENTRIES_REPLY, .from = from, .to = to, .term = term};
    message.append_entries_reply.prev_log_index = prev;
    message.append_entries_reply.conflict_index = conflict_index;
    message.append_entries_reply.conflict_term = conflict_term;
    return message;
}

// The same, with this configuration in a single entry.
static UNUSED struct raft_message
an_append_of(raft_id from, raft_id to, raft_term term, raft_index prev_index,
             raft_term prev_term, const struct raft_configuration *configuration)
{
    static struct raft_entry entry;
    static char text[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_message message =
        an_append(from, to, term, prev_index, prev_term, 0, NULL);
    entry = (struct raft_entry){.index = prev_index + 1,
                                .term = term,
                                .type = RAFT_ENTRY_CONFIGURATION,
                                .size = raft_configuration_encode(configuration, text),
                                .data = text};
    message.append_entries.entries = &entry;
    message.append_entries.count = 1;
    return message;
}

enum { CHUNK_BYTES = 4, SNAPSHOT_BYTES = 12 }; // three chunks

// What a snapshot tells of itself whose members are the voters 1 to `voters`.
static UNUSED struct raft_snapshot_meta meta_of(raft_index index, raft_term term,
                                                uint32_t voters)
{
    struct raft_snapshot_meta meta = {.last_included_index = index,
                                      .last_included_term = term,
                                      .configuration_index = 1};
    for (raft_id id = 1; id <= voters; id++)
        meta.configuration.members[meta.configuration.count++] =
            (struct raft_member){.id = id, .role = RAFT_VOTER};
    return meta;
}

// The chunk at `offset` of a snapshot of this index and term.
static UNUSED struct raft_message a_chunk(raft_id from, raft_id to, raft_term term,
                                          raft_index index, raft_term index_term,
                                          uint64_t offset)
{
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT, .from = from, .to = to, .term = term};
    message.install_snapshot.last_included_index = index;
    message.install_snapshot.last_included_term = index_term;
    message.install_snapshot.offset = offset;
    message.install_snapshot.total = SNAPSHOT_BYTES;
    message.install_snapshot.checksum = 1000 + index;
    message.install_snapshot.size = CHUNK_BYTES;
    message.install_snapshot.data = "abcd";
    return message;
}

static UNUSED struct raft_message a_chunk_reply(raft_id from, raft_id to,
                                                raft_term term, raft_index index,
                                                uint64_t next_offset, bool installed)
{
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT_REPLY, .from = from, .to = to, .term = term};
    message.install_snapshot_reply.last_included_index = index;
    message.install_snapshot_reply.next_offset = next_offset;
    message.install_snapshot_reply.installed = installed;
    return message;
}

static UNUSED struct raft_message a_timeout_now(raft_id from, raft_id to,
                                                raft_term term)
{
    return (struct raft_message){
        .type = RAFT_TIMEOUT_NOW, .from = from, .to = to, .term = term};
}

// A heartbeat's answer for a round of reads.
static UNUSED struct raft_message an_echo(raft_id from, raft_id to, raft_term term,
                                          raft_index match, uint64_t round)
{
    struct raft_message message = an_ack(from, to, term, match);
    message.append_entries_reply.round = round;
    return message;
}

static UNUSED struct raft_message a_question(raft_id from, raft_id to, raft_term term,
                                             uint64_t id)
{
    struct raft_message message = {
        .type = RAFT_READ_INDEX, .from = from, .to = to, .term = term};
    message.read_index.id = id;
    return message;
}

static UNUSED struct raft_message an_answer(raft_id from, raft_id to, raft_term term,
                                            uint64_t id, raft_index index, bool ok)
{
    struct raft_message message = a_question(from, to, term, id);
    message.type = RAFT_READ_INDEX_REPLY;
    message.read_index.index = index;
    message.read_index.ok = ok;
    return message;
}

#endif
