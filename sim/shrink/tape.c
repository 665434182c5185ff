#include "sim/shrink/tape.h"

#include "sim/fold.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// ---- building -------------------------------------------------------------------

void tape_begin(struct tape *tape, const struct world_config *config,
                const struct tape *like)
{
    tape->config = *config;
    tape->config.manual = true;
    memset(tape->config.clock_ahead_ms, 0, sizeof(config->clock_ahead_ms));
    tape->sync_manual = 0;
    tape->count = 0;
    tape->full = false;
    tape->text_size = 0;
    if (like == NULL)
        return;
    tape->sync_manual = like->sync_manual;
    tape->text_size = like->text_size;
    memcpy(tape->texts, like->texts, like->text_size);
}

void tape_add(struct tape *tape, const struct act *act)
{
    if (tape->count < TAPE_ACTS_MAX)
        tape->acts[tape->count++] = *act;
    else
        tape->full = true;
}

uint32_t tape_text(struct tape *tape, const char *text)
{
    size_t size = strlen(text) + 1;
    uint32_t at = tape->text_size;

    if (size > TAPE_TEXT_BYTES - at) {
        tape->full = true;
        return 0;
    }
    memcpy(tape->texts + at, text, size);
    tape->text_size += (uint32_t)size;
    return at;
}

uint32_t tape_commands(const struct tape *tape)
{
    uint32_t commands = 0;

    for (raft_id id = 1; id < LINKS_NODES; id++)
        commands += tape->sync_manual >> id & 1;
    for (uint32_t i = 0; i < tape->count; i++)
        commands += 1 + (tape->acts[i].elapsed_ms > 0);
    return commands;
}

uint64_t tape_count_settings(const struct world_config *config)
{
    struct world_config usual;

    world_config_default(&usual);
    return (uint64_t)4 * config->node_count + config->member_count +
           (config->seed != usual.seed) + config->perfect_disks + !config->pre_vote +
           !config->check_quorum +
           (config->election_timeout_ms != usual.election_timeout_ms) +
           (config->lease_drift_percent != 0) + (config->clock_start_ms != 0) +
           (config->log_entries_max != usual.log_entries_max) +
           (config->message_entries_max != 0) + (config->inflight_max != 0) +
           (config->message_bytes_max != 0) + (config->inflight_bytes_max != 0) +
           (config->uncommitted_bytes_max != 0) + (config->command_bytes_max != 0) +
           (config->snapshot_entries != 0) + (config->snapshot_tail_entries != 0) +
           (config->snapshot_chunk_bytes != 0) + (config->segment_bytes_max != 0);
}

uint64_t tape_cost(const struct tape *tape)
{
    uint64_t odd = 100 * tape_count_settings(&tape->config);
    raft_id highest = 0;

    for (uint32_t i = 0; i < tape->count; i++) {
        const struct act *act = &tape->acts[i];

        odd += 20 * (act->again + act->stray + (act->nth > 1));
        if (act->kind == ACT_CLIENT || act->kind == ACT_COMMAND)
            odd += strlen(tape->texts + act->text);
        // A node that acts before lower ones is out of order.
        if (act->node > highest) {
            odd += 10 * (act->node - highest - 1);
            highest = act->node;
        }
    }
    return (uint64_t)tape_commands(tape) << 32 | (odd & UINT32_MAX);
}

void tape_copy(struct tape *to, const struct tape *from)
{
    tape_begin(to, &from->config, from);
    to->count = from->count;
    to->full = from->full;
    memcpy(to->acts, from->acts, from->count * sizeof(from->acts[0]));
}

// ---- prints ---------------------------------------------------------------------

static uint64_t print_append(uint64_t hash, const struct raft_append_entries *append)
{
    hash = fold_u64(hash, append->prev_log_index);
    hash = fold_u64(hash, append->prev_log_term);
    hash = fold_u64(hash, append->leader_commit);
    hash = fold_u64(hash, append->round);
    return fold_u64(hash, append->count);
}

static uint64_t print_append_reply(uint64_t hash,
                                   const struct raft_append_entries_reply *reply)
{
    hash = fold_u64(hash, reply->success);
    hash = fold_u64(hash, reply->round);
    if (reply->success)
        return fold_u64(hash, reply->match_index);
    hash = fold_u64(hash, reply->prev_log_index);
    return fold_u64(hash, reply->conflict_index);
}

uint64_t tape_print(const struct raft_message *message)
{
    uint64_t hash = fold_u64(message->term, (uint64_t)message->type);

    hash = fold_u64(hash, message->to);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        hash = fold_u64(hash, message->request_vote.last_log_index);
        hash = fold_u64(hash, message->request_vote.last_log_term);
        return fold_u64(hash, message->request_vote.pre_vote * 2u +
                                  message->request_vote.transfer);
    case RAFT_REQUEST_VOTE_REPLY:
        return fold_u64(hash, message->request_vote_reply.vote_granted * 2u +
                                  message->request_vote_reply.pre_vote);
    case RAFT_APPEND_ENTRIES:
        return print_append(hash, &message->append_entries);
    case RAFT_APPEND_ENTRIES_REPLY:
        return print_append_reply(hash, &message->append_entries_reply);
    case RAFT_INSTALL_SNAPSHOT:
        hash = fold_u64(hash, message->install_snapshot.last_included_index);
        return fold_u64(hash, message->install_snapshot.offset);
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        hash = fold_u64(hash, message->install_snapshot_reply.last_included_index);
        return fold_u64(hash, message->install_snapshot_reply.next_offset);
    default:
        return fold_u64(hash, message->read_index.id);
    }
}

// ---- writing --------------------------------------------------------------------

static void client_line(const struct act *act, const char *words, struct buffer *line)
{
    static const char *const how[] = {
        [ACT_ASK] = "", [ACT_REGISTER] = "register ", [ACT_REPEAT] = "again "};

    buffer_format(line, "client %" PRIu32 " %sat %u", act->client, how[act->ask],
                  act->node);
    if (act->ask == ACT_ASK)
        buffer_format(line, " %s", words);
}

void tape_line(const struct tape *tape, const struct act *act, struct buffer *line)
{
    const char *text = tape->texts + act->text;

    switch ((enum act_kind)act->kind) {
    case ACT_TIMEOUT:
        buffer_format(line, "timeout %u", act->node);
        break;
    case ACT_DELIVER:
        buffer_format(line, "%s %u %u %s",
                      act->stray   ? "stray"
                      : act->again ? "again"
                                   : "deliver",
                      act->from, act->node, act->letter);
        if (act->nth > 1)
            buffer_format(line, " %" PRIu32, act->nth);
        break;
    case ACT_SYNC:
        buffer_format(line, "sync %u 1", act->node);
        break;
    case ACT_CLIENT:
        client_line(act, text, line);
        break;
    case ACT_COMMAND:
        buffer_append_text(line, text);
        break;
    }
}

static void setting(struct buffer *line, const char *name, uint64_t value,
                    uint64_t usual, const char *unit)
{
    if (value != usual)
        buffer_format(line, " %s=%" PRIu64 "%s", name, value, unit);
}

void tape_settings(const struct world_config *config, struct buffer *line)
{
    struct world_config usual;

    world_config_default(&usual);
    setting(line, "spare", config->node_count - config->member_count, 0, "");
    setting(line, "seed", config->seed, usual.seed, "");
    setting(line, "election_timeout", config->election_timeout_ms,
            usual.election_timeout_ms, "ms");
    setting(line, "election_spread", config->election_spread_ms,
            usual.election_spread_ms, "ms");
    setting(line, "heartbeat", config->heartbeat_ms, usual.heartbeat_ms, "ms");
    if (!config->pre_vote)
        buffer_append_text(line, " pre_vote=off");
    if (!config->check_quorum)
        buffer_append_text(line, " check_quorum=off");
    if (config->own)
        buffer_append_text(line, " checkers=own");
    if (config->perfect_disks)
        buffer_append_text(line, " disk=perfect");
    setting(line, "lease", config->lease_drift_percent, 0, "");
    if (config->lease_drift_percent != 0)
        setting(line, "drift", config->clock_drift_percent, usual.clock_drift_percent,
                "");
    setting(line, "clock", config->clock_start_ms, 0, "ms");
    setting(line, "log_entries", config->log_entries_max, usual.log_entries_max, "");
    setting(line, "message_entries", config->message_entries_max, 0, "");
    setting(line, "message_bytes", config->message_bytes_max, 0, "");
    setting(line, "inflight", config->inflight_max, 0, "");
    setting(line, "inflight_bytes", config->inflight_bytes_max, 0, "");
    setting(line, "uncommitted_bytes", config->uncommitted_bytes_max, 0, "");
    setting(line, "command_bytes", config->command_bytes_max, 0, "");
    setting(line, "snapshot_entries", config->snapshot_entries, 0, "");
    setting(line, "snapshot_tail", config->snapshot_tail_entries, 0, "");
    setting(line, "snapshot_chunk", config->snapshot_chunk_bytes, 0, "");
    setting(line, "segment", config->segment_bytes_max, 0, "");
}

void tape_cluster(const struct tape *tape, struct buffer *line)
{
    buffer_format(line, "cluster %" PRIu32 " manual", tape->config.member_count);
    tape_settings(&tape->config, line);
}

// ---- other names ----------------------------------------------------------------

// Whether the word at this place of a command (its name is word 0) names a node.
static bool names_node(const char *command, uint32_t place, const char *before)
{
    static const char *const firsts[] = {"crash", "restart",  "disk",  "snapshot",
                                         "clock", "transfer", "pause", "resume"};

    if (strcmp(before, "at") == 0)
        return true;
    if (strcmp(command, "change") == 0)
        return place > 0;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++)
        if (strcmp(command, firsts[i]) == 0)
            return place == 1;
    return false;
}

static void rename_text(const char *text, const raft_id to[LINKS_NODES],
                        struct buffer *out)
{
    char command[16] = "", before[16] = "", word[16];
    uint32_t place = 0;

    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        char *end;
        unsigned long id;

        snprintf(word, sizeof(word), "%.*s", (int)size, text);
        id = strtoul(word, &end, 10);
        if (place == 0)
            memcpy(command, word, sizeof(command));
        if (place > 0)
            buffer_append_text(out, " ");
        if (*word != '\0' && *end == '\0' && id < LINKS_NODES &&
            names_node(command, place, before))
            buffer_format(out, "%u", (unsigned)to[id]);
        else
            buffer_append(out, text, size);
        memcpy(before, word, sizeof(before));
        text += size;
        text += *text == ' ';
        place++;
    }
    buffer_append(out, "", 1);
}

void tape_rename(struct tape *tape, const raft_id to[LINKS_NODES])
{
    struct buffer line = {0};
    uint32_t manual = 0;

    for (raft_id id = 1; id < LINKS_NODES; id++)
        manual |= (tape->sync_manual >> id & 1) << to[id];
    tape->sync_manual = manual;
    for (uint32_t i = 0; i < tape->count; i++) {
        struct act *act = &tape->acts[i];

        act->node = (uint8_t)to[act->node];
        act->from = (uint8_t)to[act->from];
        act->print = 0; // it names nodes; its place among its kind tells it
        if (act->kind != ACT_COMMAND)
            continue;
        buffer_clear(&line);
        rename_text(tape->texts + act->text, to, &line);
        act->text = tape_text(tape, line.data);
    }
    buffer_free(&line);
}
