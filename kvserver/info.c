#include "kvserver/info.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kvserver/service/command.h"
#include "kvserver/service/resp.h"
#include "kvserver/status.h"
#include "raft/version.h"

// ---- sections -------------------------------------------------------------------

static void info_server(struct server *server, struct buffer *text)
{
    uint64_t up = (uv_now(server->loop) - server->started_ms) / 1000;

    buffer_format(text,
                  "redis_version:7.0.15\r\nredis_mode:standalone\r\n"
                  "raftkv_version:%s\r\nos:Linux\r\narch_bits:%d\r\n"
                  "multiplexing_api:libuv %s\r\nprocess_id:%d\r\ntcp_port:%u\r\n"
                  "uptime_in_seconds:%llu\r\nuptime_in_days:%llu\r\n",
                  RAFT_VERSION, (int)sizeof(void *) * 8, uv_version_string(),
                  (int)getpid(), server->client_port, (unsigned long long)up,
                  (unsigned long long)up / 86400);
}

static void info_clients(struct server *server, struct buffer *text)
{
    const struct service *service = node_service(server->node);
    uint64_t sessions = service == NULL ? 0 : service_session_count(service);

    buffer_format(text,
                  "connected_clients:%u\r\nmaxclients:%u\r\nblocked_clients:0\r\n"
                  "sessions:%llu\r\n",
                  server->connection_count, server->options->clients_max,
                  (unsigned long long)sessions);
}

static void info_memory(struct server *server, struct buffer *text)
{
    struct rusage usage = {0};
    size_t resident = 0;

    getrusage(RUSAGE_SELF, &usage);
    uv_resident_set_memory(&resident);
    buffer_format(text,
                  "used_memory:%zu\r\nused_memory_rss:%zu\r\nused_memory_peak:%llu\r\n"
                  "maxmemory:0\r\nmaxmemory_policy:noeviction\r\nlog_bytes:%llu\r\n"
                  "log_bytes_max:%llu\r\n",
                  resident, resident, (unsigned long long)usage.ru_maxrss * 1024,
                  (unsigned long long)node_view(server->node)->log_bytes,
                  (unsigned long long)server->options->log_bytes_max);
}

static void info_stats(struct server *server, struct buffer *text)
{
    const struct server_counters *counters = &server->counters;

    buffer_format(text,
                  "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
                  "total_net_input_bytes:%llu\r\ntotal_net_output_bytes:%llu\r\n"
                  "rejected_connections:%llu\r\nclient_output_buffer_limit_"
                  "disconnections:%llu\r\n"
                  "commands_refused:%llu\r\nprotocol_errors:%llu\r\n",
                  (unsigned long long)counters->connections_accepted,
                  (unsigned long long)counters->commands,
                  (unsigned long long)counters->bytes_in,
                  (unsigned long long)counters->bytes_out,
                  (unsigned long long)counters->connections_rejected,
                  (unsigned long long)counters->connections_overrun,
                  (unsigned long long)counters->commands_failed,
                  (unsigned long long)counters->protocol_errors);
}

static void info_replication(struct server *server, struct buffer *text)
{
    const struct raft_view *view = node_view(server->node);
    struct place leader;
    bool known = node_place(server->node, view->leader_id, &leader);

    if (view->role == RAFT_LEADER) {
        buffer_format(text, "role:master\r\nconnected_slaves:%u\r\n",
                      status_connected_peers(server));
    } else {
        buffer_append_text(text, "role:slave\r\n");
        if (known)
            buffer_format(text, "master_host:%s\r\nmaster_port:%u\r\n", leader.host,
                          leader.client_port);
        buffer_format(text, "master_link_status:%s\r\nslave_read_only:1\r\n",
                      known ? "up" : "down");
    }
    buffer_format(text, "master_repl_offset:%llu\r\n",
                  (unsigned long long)view->last_applied);
}

static void raft_text(void *context, const char *name, const char *value)
{
    buffer_format(context, "raft_%s:%s\r\n", name, value);
}

static void raft_number(void *context, const char *name, uint64_t value)
{
    buffer_format(context, "raft_%s:%llu\r\n", name, (unsigned long long)value);
}

struct item_line {
    struct buffer *text;
    bool within; // a peer's or member's line: name=value,name=value
    bool first;
};

static void line_text(void *context, const char *name, const char *value)
{
    struct item_line *line = context;

    if (line->within)
        buffer_format(line->text, "%s%s=%s", line->first ? "" : ",", name, value);
    else
        raft_text(line->text, name, value);
    line->first = false;
}

static void line_number(void *context, const char *name, uint64_t value)
{
    struct item_line *line = context;

    if (line->within)
        buffer_format(line->text, "%s%s=%llu", line->first ? "" : ",", name,
                      (unsigned long long)value);
    else
        raft_number(line->text, name, value);
    line->first = false;
}

static void line_begin(void *context, const char *list, raft_id id)
{
    struct item_line *line = context;

    buffer_format(line->text, "raft_%s_%u:", list, id);
    line->within = true;
    line->first = true;
}

static void line_end(void *context)
{
    struct item_line *line = context;

    buffer_append_text(line->text, "\r\n");
    line->within = false;
}

static void info_raft(struct server *server, struct buffer *text)
{
    struct item_line line = {.text = text};
    struct status_visitor visitor = {&line, line_text, line_number, line_begin,
                                     line_end};
    char hash[STATUS_HASH_SIZE];

    status_visit(server, &visitor);
    status_hash(server, hash);
    raft_text(text, "state_hash", hash);
}

static void info_cluster(struct server *server, struct buffer *text)
{
    (void)server;
    buffer_append_text(text, "cluster_enabled:0\r\n");
}

static void info_keyspace(struct server *server, struct buffer *text)
{
    const struct service *service = node_service(server->node);
    uint64_t keys = service == NULL ? 0 : service_key_count(service);

    if (keys > 0)
        buffer_format(text, "db0:keys=%llu\r\n", (unsigned long long)keys);
}

struct section {
    const char *name; // in upper case
    const char *title;
    void (*add)(struct server *server, struct buffer *text);
};

static const struct section sections[] = {
    {"SERVER", "Server", info_server},
    {"CLIENTS", "Clients", info_clients},
    {"MEMORY", "Memory", info_memory},
    {"STATS", "Stats", info_stats},
    {"REPLICATION", "Replication", info_replication},
    {"RAFT", "Raft", info_raft},
    {"CLUSTER", "Cluster", info_cluster},
    {"KEYSPACE", "Keyspace", info_keyspace},
};

static bool asked_for(const struct section *section, const struct bytes *words,
                      uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (command_word_is(words[i], section->name) ||
            command_word_is(words[i], "ALL") || command_word_is(words[i], "DEFAULT") ||
            command_word_is(words[i], "EVERYTHING"))
            return true;
    return count == 1;
}

void info_reply(struct server *server, const struct bytes *words, uint32_t count,
                struct buffer *reply)
{
    struct buffer text = {0};

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        if (!asked_for(&sections[i], words, count))
            continue;
        buffer_format(&text, "%s# %s\r\n", text.size > 0 ? "\r\n" : "",
                      sections[i].title);
        sections[i].add(server, &text);
    }
    resp_bulk(reply, (struct bytes){text.data, text.size});
    buffer_free(&text);
}

// ---- RAFT.STATUS ----------------------------------------------------------------

// An array says its length first, so each is gathered before it is added.
enum { TREE_LISTS = 2 };
static const char *const tree_lists[TREE_LISTS] = {"peer", "member"};
static const char *const tree_names[TREE_LISTS] = {"peers", "members"};

struct tree {
    struct buffer self;
    uint64_t self_count;
    struct buffer lists[TREE_LISTS];
    uint64_t items[TREE_LISTS];
    struct buffer item;
    uint64_t item_words;
    int within; // the list; -1: none
};

static struct buffer *tree_place(struct tree *tree)
{
    *(tree->within >= 0 ? &tree->item_words : &tree->self_count) += 2;
    return tree->within >= 0 ? &tree->item : &tree->self;
}

static void tree_text(void *context, const char *name, const char *value)
{
    struct buffer *to = tree_place(context);

    resp_bulk_text(to, name);
    resp_bulk_text(to, value);
}

static void tree_number(void *context, const char *name, uint64_t value)
{
    struct buffer *to = tree_place(context);

    resp_bulk_text(to, name);
    resp_integer(to, (int64_t)value);
}

static void tree_begin(void *context, const char *list, raft_id id)
{
    struct tree *tree = context;

    tree->within = 0;
    while (tree->within < TREE_LISTS - 1 && strcmp(tree_lists[tree->within], list) != 0)
        tree->within++;
    tree->item_words = 0;
    buffer_clear(&tree->item);
    tree_number(tree, "node", id);
}

static void tree_end(void *context)
{
    struct tree *tree = context;

    resp_array(&tree->lists[tree->within], tree->item_words);
    buffer_append(&tree->lists[tree->within], tree->item.data, tree->item.size);
    tree->items[tree->within]++;
    tree->within = -1;
}

static void tree_list(const struct tree *tree, int list, struct buffer *reply)
{
    resp_array(reply, tree->items[list]);
    buffer_append(reply, tree->lists[list].data, tree->lists[list].size);
}

static void tree_free(struct tree *tree)
{
    buffer_free(&tree->self);
    buffer_free(&tree->item);
    for (int i = 0; i < TREE_LISTS; i++)
        buffer_free(&tree->lists[i]);
}

void info_status(struct server *server, struct buffer *reply)
{
    struct tree tree = {.within = -1};
    struct status_visitor visitor = {&tree, tree_text, tree_number, tree_begin,
                                     tree_end};
    char hash[STATUS_HASH_SIZE];

    status_visit(server, &visitor);
    status_hash(server, hash);
    tree_text(&tree, "state_hash", hash);
    resp_array(reply, tree.self_count + 2 * TREE_LISTS);
    buffer_append(reply, tree.self.data, tree.self.size);
    for (int i = 0; i < TREE_LISTS; i++) {
        resp_bulk_text(reply, tree_names[i]);
        tree_list(&tree, i, reply);
    }
    tree_free(&tree);
}

void info_members(struct server *server, struct buffer *reply)
{
    struct tree tree = {.within = -1};
    struct status_visitor visitor = {&tree, tree_text, tree_number, tree_begin,
                                     tree_end};

    status_visit_members(server, &visitor);
    tree_list(&tree, 1, reply);
    tree_free(&tree);
}
