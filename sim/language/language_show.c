#include "sim/language/language_show.h"

#include "kvserver/service/entry.h"
#include "sim/json.h"
#include "sim/language/language_members.h"
#include "sim/language/options.h"
#include "sim/run.h"
#include "sim/shrink/story.h"

#include <errno.h>
#include <string.h>

enum { LOG_COUNT = 20 }; // entries shown where nothing else is said

// ---- status ---------------------------------------------------------------------

static const char *node_state(const struct node *node)
{
    if (node->stopped[0] != '\0')
        return "stopped";
    if (!node->up)
        return "down";
    return node->paused ? "paused" : "up";
}

static const char *progress_text(enum raft_progress_state state)
{
    switch (state) {
    case RAFT_PROBE:
        return "probe";
    case RAFT_REPLICATE:
        return "replicate";
    case RAFT_SNAPSHOT:
        return "snapshot";
    }
    return "unknown";
}

static void show_peers(const struct raft_view *view, struct buffer *out)
{
    json_open_array(out, "peers");
    for (uint32_t i = 0; i < view->peer_count; i++) {
        const struct raft_peer_view *peer = &view->peers[i];

        if (peer->id == view->id)
            continue;
        json_open(out);
        json_number(out, "node", peer->id);
        json_number(out, "match_index", peer->match_index);
        json_number(out, "next_index", peer->next_index);
        json_string(out, "state", progress_text(peer->state));
        json_number(out, "inflight", peer->inflight);
        if (peer->state == RAFT_SNAPSHOT) {
            json_number(out, "snapshot_index", peer->snapshot_index);
            json_number(out, "snapshot_offset", peer->snapshot_offset);
        }
        json_close(out);
    }
    json_close_array(out);
}

static void show_members(const struct raft_view *view, struct buffer *out)
{
    struct buffer text = {0};

    language_members_text(view->configuration, &text);
    json_bytes(out, "configuration", text.data, text.size);
    json_number(out, "configuration_index", view->configuration_index);
    json_number(out, "first_index", view->first_index);
    json_number(out, "snapshot_index", view->snapshot_index);
    buffer_free(&text);
}

static void show_node(const struct node *node, struct buffer *out)
{
    const struct raft_view *view = &node->view;

    json_number(out, "node", node->id);
    json_string(out, "state", node_state(node));
    if (node->stopped[0] != '\0')
        json_string(out, "reason", node->stopped);
    if (node->up) {
        json_string(out, "role", raft_role_text(view->role));
        json_number(out, "term", view->current_term);
        json_number(out, "voted_for", view->voted_for);
        json_number(out, "leader", view->leader_id);
        json_number(out, "commit_index", view->commit_index);
        json_number(out, "applied_index", service_applied_index(node->service));
        json_number(out, "last_index", view->last_index);
        json_number(out, "last_term", view->last_term);
        json_number(out, "durable_index", view->durable_index);
        json_hex(out, "hash", service_hash(node->service));
        show_members(view, out);
        if (view->role == RAFT_LEADER)
            show_peers(view, out);
    }
}

bool language_show_status(struct language *language)
{
    const struct world *world = language->world;
    struct node *one = NULL;

    if (language->count > 1 && !language_node(language, 1, &one))
        return false;
    json_number(language->out, "time_us", world->now_us);
    if (one != NULL) {
        show_node(one, language->out);
        return true;
    }
    json_open_array(language->out, "nodes");
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        json_open(language->out);
        show_node(&world->nodes[id], language->out);
        json_close(language->out);
    }
    json_close_array(language->out);
    return true;
}

// ---- log ------------------------------------------------------------------------

static void show_configuration(const struct raft_entry *entry, struct buffer *out)
{
    struct raft_configuration configuration;

    buffer_append_text(out, "(configuration");
    if (raft_configuration_decode(entry->data, entry->size, &configuration)) {
        buffer_append_text(out, " ");
        language_members_text(&configuration, out);
    }
    buffer_append_text(out, ")");
}

void language_show_entry(const struct raft_entry *entry, struct buffer *out)
{
    struct buffer words = {0};
    struct entry head;

    if (entry->type == RAFT_ENTRY_NOOP) {
        buffer_append_text(out, "(no-op)");
    } else if (entry->type != RAFT_ENTRY_COMMAND) {
        show_configuration(entry, out);
    } else if (!entry_decode(entry->data, entry->size, &head, &words)) {
        buffer_append_text(out, "(not a command)");
    } else {
        const struct bytes *word = (const struct bytes *)words.data;

        if (head.count == 0)
            buffer_append_text(out, "(clock)");
        for (uint32_t i = 0; i < head.count; i++) {
            if (i > 0)
                buffer_append_text(out, " ");
            buffer_append(out, word[i].data, word[i].size);
        }
    }
    buffer_free(&words);
}

static void show_entry(const struct raft_entry *entry, struct buffer *out)
{
    static const char *const types[RAFT_ENTRY_TYPE_COUNT] = {"noop", "command",
                                                             "configuration"};
    struct buffer text = {0};

    language_show_entry(entry, &text);
    json_open(out);
    json_number(out, "index", entry->index);
    json_number(out, "term", entry->term);
    json_string(out, "type", types[entry->type]);
    json_bytes(out, "text", text.data, text.size);
    json_close(out);
    buffer_free(&text);
}

bool language_show_log(struct language *language)
{
    struct node *node;
    uint64_t from = 1, count = LOG_COUNT;
    raft_index index;

    if (!language_node(language, 1, &node))
        return false;
    if (!node->up || node->stopped[0] != '\0')
        return language_fail(language, "node %u is not running", (unsigned)node->id);
    if (language->count > 2 && !language_number(language, 2, &from))
        return false;
    if (language->count > 3 && !language_number(language, 3, &count))
        return false;
    index = from < node->view.first_index ? node->view.first_index : from;
    json_open_array(language->out, "entries");
    for (; count > 0 && index <= node->view.last_index; count--, index++) {
        struct raft_entry entry;

        if (raft_entry_at(host_raft(node->host), index, &entry))
            show_entry(&entry, language->out);
    }
    json_close_array(language->out);
    return true;
}

// ---- verdicts -------------------------------------------------------------------

bool language_show_hash(struct language *language)
{
    const struct world *world = language->world;

    json_hex(language->out, "trace_hash", world->trace.hash);
    json_open_array(language->out, "states");
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        const struct node *node = &world->nodes[id];

        if (!node->up)
            continue;
        json_open(language->out);
        json_number(language->out, "node", id);
        json_number(language->out, "applied_index",
                    service_applied_index(node->service));
        json_hex(language->out, "hash", service_hash(node->service));
        json_close(language->out);
    }
    json_close_array(language->out);
    return true;
}

bool language_show_rules(struct language *language)
{
    json_open_array(language->out, "rules");
    for (enum property property = 0; property < PROPERTY_COUNT; property++) {
        json_open(language->out);
        json_string(language->out, "rule", checker_property_text(property));
        json_string(language->out, "meaning", story_rule(property));
        json_close(language->out);
    }
    json_close_array(language->out);
    return true;
}

bool language_show_history(struct language *language)
{
    const struct history *history = &language->world->history;

    if (language_is(language, 1, "-")) {
        history_write(history, stdout);
    } else if (language->count > 1) {
        FILE *file = fopen(language_word(language, 1), "w");

        if (file == NULL)
            return language_fail(language, "cannot write %s: %s",
                                 language_word(language, 1), strerror(errno));
        history_write(history, file);
        if (fclose(file) != 0)
            return language_fail(language, "cannot write %s: %s",
                                 language_word(language, 1), strerror(errno));
    }
    json_number(language->out, "operations", history->count);
    return true;
}

bool language_show_check(struct language *language)
{
    struct world *world = language->world;
    enum linearize_verdict verdict;
    const char *value =
        language->count > 1 ? language_value(language, 1, "steps") : NULL;
    uint64_t steps = 0;

    if (language->count > 1 &&
        (value == NULL || !options_number(value, 1, UINT64_MAX, &steps)))
        return language_fail(language, "expected: steps=N with N above zero");
    world->config.judge_steps_max = steps;
    verdict = run_linearize(world);
    run_report_violations(world, language->out);
    json_number(language->out, "operations", world->history.count);
    json_string(language->out, "linearizable", linearize_verdict_text(verdict));
    if (verdict == LINEARIZE_NO)
        run_explain(world, language->out, NULL);
    if (world_violated(world))
        return language_fail(language, "a property is violated");
    if (verdict != LINEARIZE_YES)
        return language_fail(language,
                             "whether the history is linearizable is unknown");
    return true;
}

bool language_show_counters(struct language *language)
{
    struct world *world = language->world;
    struct counters_item item;

    if (language->count > 1) {
        if (!language_is(language, 1, "reset"))
            return language_fail(language, "usage: counters [reset]");
        counters_reset(&world->counters, world->now_us);
        return true;
    }
    for (uint32_t at = 0; counters_at(&world->counters, world->now_us, at, &item); at++)
        json_number(language->out, item.name, item.value);
    return true;
}
