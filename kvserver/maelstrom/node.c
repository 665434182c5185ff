// node.c: see node.h. What the host is given: a POSIX disk whose syncs are waited for
// at the end of a turn, messages as lines of the codec in Maelstrom's envelopes, and
// the store.
#include "kvserver/maelstrom/node.h"

#include "kvserver/maelstrom/envelope.h"
#include "kvserver/maelstrom/store.h"
#include "raft/host/disk_posix.h"
#include "raft/host/host.h"
#include "rpc/json.h"
#include "rpc/raft_codec.h"
#include "rpc/requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum {
    ELECTION_TIMEOUT_MS = 500,
    HEARTBEAT_MS = 100,
    LOG_ENTRIES_MAX = 1 << 18,
    LOG_BYTES_MAX = 128 << 20,
    SYNCS_MAX = 16,
    FORWARD_MS_MAX = 5000, // then the client has given up
};

// A client's request while it is under way.
struct call {
    struct driver_request request;
    struct node *node;
    struct call *next;              // of those that were passed on
    char from[ENVELOPE_NAME_BYTES]; // a client, or the node that has passed it on
    int64_t msg_id;
    bool passed_on;
    const char *done_type; // of the answer to a write
    cJSON *key;            // of a read
    int64_t forward_id;    // where it is passed on: what its answer names
    uint64_t until_ms;     // and how long it is waited for
};

struct sync {
    int fd, directory_fd;
    uint64_t token;
};

struct node {
    const char *directory;
    char names[RAFT_MEMBERS_MAX + 1][ENVELOPE_NAME_BYTES]; // by id
    uint32_t count;
    raft_id id; // 0 before init
    struct disk_posix *disk;
    struct sync syncs[SYNCS_MAX];
    uint32_t sync_count;
    struct host_config config;
    struct host_io io;
    void *memory;
    struct host *host;
    struct engine *engine;
    enum store_result result; // of the entry that is being applied
    struct requests requests;
    struct frame *frame;
    struct raft_codec_arena arena;
    struct call *forwarded;
    int64_t forward_id;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// ---- answers --------------------------------------------------------------------

static void free_call(struct call *call)
{
    cJSON_Delete(call->key);
    free(call);
}

static void answer(struct call *call, cJSON *body)
{
    struct node *node = call->node;

    envelope_send(node->names[node->id], call->from, body);
    free_call(call);
}

static void fail(struct call *call, enum envelope_error code)
{
    answer(call, envelope_failure(code, call->msg_id));
}

static void write_done(struct driver_request *request, enum driver_outcome outcome)
{
    struct call *call = request->context;
    static const enum envelope_error errors[] = {
        [STORE_NO_KEY] = ENVELOPE_NO_KEY,
        [STORE_OTHER_VALUE] = ENVELOPE_OTHER_VALUE,
        [STORE_MALFORMED] = ENVELOPE_MALFORMED,
    };

    if (outcome == DRIVER_NOT_DONE)
        fail(call, ENVELOPE_UNAVAILABLE);
    else if (outcome == DRIVER_UNKNOWN)
        fail(call, ENVELOPE_TIMEOUT);
    else if (call->node->result != STORE_DONE)
        fail(call, errors[call->node->result]);
    else
        answer(call, envelope_body(call->done_type, call->msg_id));
}

static void read_done(struct driver_request *request, enum driver_outcome outcome)
{
    struct call *call = request->context;
    cJSON *value;

    if (outcome != DRIVER_DONE) {
        fail(call, ENVELOPE_UNAVAILABLE);
        return;
    }
    value = store_value(call->node->engine, call->key);
    if (value == NULL) {
        fail(call, ENVELOPE_NO_KEY);
        return;
    }
    cJSON *body = envelope_body("read_ok", call->msg_id);
    cJSON_AddItemToObject(body, "value", value);
    answer(call, body);
}

// ---- the host's doors -----------------------------------------------------------

static int start_sync(void *context, int fd, int directory_fd, uint64_t token)
{
    struct node *node = context;

    if (node->sync_count == SYNCS_MAX)
        return -EAGAIN;
    node->syncs[node->sync_count++] = (struct sync){fd, directory_fd, token};
    return 0;
}

static void send_messages(void *context, const struct raft_message *messages,
                          uint32_t count)
{
    struct node *node = context;

    for (uint32_t i = 0; i < count; i++) {
        cJSON *body = envelope_body("raft", -1);

        node->frame->size = 0;
        if (!raft_codec_encode(node->frame, &messages[i])) {
            cJSON_Delete(body);
            continue;
        }
        node->frame->data[node->frame->size - 1] = '\0'; // in place of the newline
        // As a string: whoever routes it may write JSON anew, and the checksum of the
        // line would not hold.
        cJSON_AddStringToObject(body, "line", node->frame->data);
        envelope_send(node->names[node->id], node->names[messages[i].to], body);
    }
}

static void apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    struct node *node = context;

    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].type == RAFT_ENTRY_COMMAND)
            node->result = store_apply(node->engine, entries[i].data, entries[i].size);
        requests_applied(&node->requests, entries[i].index, entries[i].term);
    }
}

static void read_ready(void *context, uint64_t id, enum raft_status status)
{
    struct node *node = context;

    requests_read_ready(&node->requests, id, status);
}

// ---- init -----------------------------------------------------------------------

static void configure(struct node *node)
{
    struct raft_config *raft = &node->config.raft;

    host_config_default(&node->config);
    node->config.cluster_id = 1;
    node->config.snapshot_entries = 0;
    node->config.snapshot_bytes = 0;
    raft->id = node->id;
    if (getrandom(&raft->seed, sizeof raft->seed, 0) != sizeof raft->seed)
        abort();
    raft->start_ms = now_ms();
    raft->election_timeout_ms = ELECTION_TIMEOUT_MS;
    raft->heartbeat_ms = HEARTBEAT_MS;
    raft->log_entries_max = LOG_ENTRIES_MAX;
    raft->log_bytes_max = LOG_BYTES_MAX;
    raft->configuration.count = node->count;
    for (uint32_t i = 0; i < node->count; i++)
        raft->configuration.members[i] =
            (struct raft_member){.id = i + 1, .role = RAFT_VOTER};
}

static struct disk_posix *open_disk(struct node *node, char *error, size_t size)
{
    struct disk_posix_options options;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", node->directory, node->names[node->id]);
    (void)mkdir(node->directory, 0777); // it may be there
    disk_posix_options_default(&options);
    options.path = path;
    options.start_sync = start_sync;
    options.context = node;
    return disk_posix_open(&options, error, size);
}

static void open_host(struct node *node)
{
    size_t entries = node->config.raft.message_entries_max;
    size_t bytes = (size_t)node->config.raft.message_bytes_max +
                   node->config.raft.command_bytes_max;
    char error[512] = "";

    node->disk = open_disk(node, error, sizeof error);
    if (node->disk != NULL) {
        node->io = (struct host_io){
            .disk = disk_posix_disk(node->disk),
            .network = {node, send_messages},
            .machine = {.context = node, .apply = apply, .read_ready = read_ready},
        };
        node->memory = aligned_alloc(16, (host_size(&node->config) + 15) / 16 * 16);
        node->host = host_open(node->memory, &node->config, &node->io, now_ms(), error,
                               sizeof error);
    }
    if (node->host == NULL) {
        fprintf(stderr, "raft-maelstrom: %s\n", error);
        exit(1);
    }
    raft_codec_arena_init(&node->arena,
                          raft_codec_line_bytes_max((uint32_t)entries, bytes),
                          (uint32_t)entries);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

// All nodes are told the same names, but maybe in another order.
static bool take_names(struct node *node, const cJSON *body)
{
    const cJSON *names = json_get(body, "node_ids"), *item;
    const char *own, *name;

    if (!json_read_string(json_get(body, "node_id"), &own) || !cJSON_IsArray(names))
        return false;
    cJSON_ArrayForEach(item, names)
    {
        if (!json_read_string(item, &name) || node->count == RAFT_MEMBERS_MAX)
            return false;
        snprintf(node->names[++node->count], ENVELOPE_NAME_BYTES, "%s", name);
    }
    qsort(node->names + 1, node->count, sizeof node->names[0], compare_names);
    for (raft_id id = 1; id <= node->count; id++)
        if (strcmp(node->names[id], own) == 0)
            node->id = id;
    return node->id != 0;
}

static void take_init(struct node *node, const struct envelope *envelope)
{
    if (node->host == NULL) {
        node->count = 0;
        if (!take_names(node, envelope->body)) {
            envelope_send(envelope->dest, envelope->src,
                          envelope_failure(ENVELOPE_MALFORMED, envelope->msg_id));
            return;
        }
        configure(node);
        open_host(node);
    }
    envelope_send(envelope->dest, envelope->src,
                  envelope_body("init_ok", envelope->msg_id));
}

// ---- requests -------------------------------------------------------------------

static struct call *new_call(struct node *node, const struct envelope *envelope)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        abort();
    call->node = node;
    call->request.context = call;
    call->msg_id = envelope->msg_id;
    snprintf(call->from, sizeof call->from, "%s", envelope->src);
    return call;
}

static raft_id leader_of(const struct node *node)
{
    struct raft_view view;

    raft_observe(host_raft(node->host), &view);
    return view.leader_id;
}

static void pass_on(struct call *call, raft_id leader, char *command)
{
    struct node *node = call->node;
    cJSON *body = envelope_body("pass_on", -1);

    cJSON_AddNumberToObject(body, "msg_id", (double)++node->forward_id);
    cJSON_AddStringToObject(body, "command", command);
    call->forward_id = node->forward_id;
    call->until_ms = now_ms() + FORWARD_MS_MAX;
    call->next = node->forwarded;
    node->forwarded = call;
    envelope_send(node->names[node->id], node->names[leader], body);
}

static void propose(struct call *call, char *command)
{
    struct node *node = call->node;
    const struct raft_command entry = {command, (uint32_t)strlen(command)};
    raft_id leader = leader_of(node);

    call->request.done = write_done;
    if (leader != node->id && leader != 0 && !call->passed_on) {
        pass_on(call, leader, command);
    } else if (host_propose(node->host, &node->io, now_ms(), &entry, 1,
                            &call->request.index, &call->request.term) == RAFT_OK) {
        requests_add_write(&node->requests, &call->request);
    } else {
        fail(call, ENVELOPE_UNAVAILABLE);
    }
}

static void take_write(struct node *node, const struct envelope *envelope)
{
    struct call *call = new_call(node, envelope);
    char *command = store_command(envelope->body);

    call->done_type = strcmp(envelope->type, "cas") == 0 ? "cas_ok" : "write_ok";
    if (command == NULL)
        fail(call, ENVELOPE_MALFORMED);
    else
        propose(call, command);
    free(command);
}

static void take_read(struct node *node, const struct envelope *envelope)
{
    struct call *call = new_call(node, envelope);
    const cJSON *key = json_get(envelope->body, "key");
    enum raft_status status;

    if (key == NULL) {
        fail(call, ENVELOPE_MALFORMED);
        return;
    }
    call->key = cJSON_Duplicate(key, true);
    call->request.done = read_done;
    requests_add_read(&node->requests, &call->request);
    status = host_read(node->host, &node->io, now_ms(), call->request.index);
    if (status != RAFT_OK)
        requests_read_ready(&node->requests, node->requests.read_id, status);
}

// ---- between nodes --------------------------------------------------------------

static void take_passed_on(struct node *node, const struct envelope *envelope)
{
    struct call *call = new_call(node, envelope);
    const char *text;

    call->passed_on = true;
    call->done_type = "done";
    if (!json_read_string(json_get(envelope->body, "command"), &text)) {
        fail(call, ENVELOPE_MALFORMED);
        return;
    }
    char *command = strdup(text);
    propose(call, command);
    free(command);
}

// What the leader has answered becomes the answer to the client.
static void take_answer(struct node *node, const struct envelope *envelope)
{
    struct call **link = &node->forwarded;
    uint64_t id, code;

    if (!json_read_u64(json_get(envelope->body, "in_reply_to"), &id))
        return;
    while (*link != NULL && (*link)->forward_id != (int64_t)id)
        link = &(*link)->next;
    struct call *call = *link;
    if (call == NULL)
        return; // too late
    *link = call->next;
    if (json_read_u64(json_get(envelope->body, "code"), &code))
        fail(call, (enum envelope_error)code);
    else
        answer(call, envelope_body(call->done_type, call->msg_id));
}

static void take_message(struct node *node, const struct envelope *envelope)
{
    struct raft_message message;
    struct jsonrpc_problem problem;
    const char *line;

    if (!json_read_string(json_get(envelope->body, "line"), &line))
        return;
    if (!raft_codec_decode(&node->arena, line, strlen(line), &message, &problem)) {
        fprintf(stderr, "raft-maelstrom: %s: %s\n", envelope->src, problem.text);
        return;
    }
    message.to = node->id;
    if (message.from <= node->count &&
        strcmp(node->names[message.from], envelope->src) == 0)
        host_receive(node->host, &node->io, now_ms(), &message);
}

static void dispatch(struct node *node, const struct envelope *envelope)
{
    static const struct {
        const char *type;
        void (*take)(struct node *node, const struct envelope *envelope);
    } kinds[] = {
        {"raft", take_message},      {"read", take_read},   {"write", take_write},
        {"cas", take_write},         {"done", take_answer}, {"error", take_answer},
        {"pass_on", take_passed_on},
    };

    if (strcmp(envelope->type, "init") == 0) {
        take_init(node, envelope);
        return;
    }
    enum envelope_error refusal = ENVELOPE_NOT_SUPPORTED;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(envelope->type, kinds[i].type) != 0)
            continue;
        if (node->host != NULL) {
            kinds[i].take(node, envelope);
            return;
        }
        refusal = ENVELOPE_UNAVAILABLE; // it has not been told yet who it is
    }
    if (envelope->asks)
        envelope_send(envelope->dest, envelope->src,
                      envelope_failure(refusal, envelope->msg_id));
}

// ---- the loop -------------------------------------------------------------------

struct node *node_new(const char *directory)
{
    struct node *node = calloc(1, sizeof *node);

    if (node == NULL)
        abort();
    node->directory = directory;
    node->engine = engine_memory_new();
    node->frame = frame_new(4096);
    return node;
}

void node_free(struct node *node)
{
    requests_end(&node->requests);
    while (node->forwarded != NULL) {
        struct call *call = node->forwarded;

        node->forwarded = call->next;
        free_call(call);
    }
    for (uint32_t i = 0; i < node->sync_count; i++)
        (void)disk_posix_sync_fd(node->syncs[i].fd, node->syncs[i].directory_fd);
    if (node->disk != NULL)
        disk_posix_close(node->disk);
    node->engine->ops->free(node->engine);
    raft_codec_arena_release(&node->arena);
    frame_release(node->frame);
    free(node->memory);
    free(node);
}

void node_take(struct node *node, const char *line, size_t size)
{
    struct envelope envelope;

    if (!envelope_read(&envelope, line, size)) {
        fputs("raft-maelstrom: a line that is no message\n", stderr);
        return;
    }
    dispatch(node, &envelope);
    envelope_release(&envelope);
}

// Whoever waits for the answer to one of these has given up.
static void forget_forwarded(struct node *node)
{
    struct call **link = &node->forwarded;

    while (*link != NULL) {
        struct call *call = *link;

        if (call->until_ms > now_ms()) {
            link = &call->next;
        } else {
            *link = call->next;
            free_call(call);
        }
    }
}

// One for each turn, and all that was written meanwhile: ending one may start another.
static void end_syncs(struct node *node)
{
    if (node->sync_count == 0)
        return;
    struct sync sync = node->syncs[0];
    int status = disk_posix_sync_fd(sync.fd, sync.directory_fd);

    node->sync_count--;
    memmove(node->syncs, node->syncs + 1, node->sync_count * sizeof sync);
    host_synced(node->host, &node->io, now_ms(), sync.token, status);
}

int node_turn(struct node *node)
{
    uint64_t deadline_ms, now;

    if (node->host == NULL)
        return -1;
    end_syncs(node);
    if (host_deadline_ms(node->host) <= now_ms())
        host_tick(node->host, &node->io, now_ms());
    if (host_stopped(node->host) != NULL) {
        fprintf(stderr, "raft-maelstrom: %s\n", host_stopped(node->host));
        exit(1);
    }
    forget_forwarded(node);
    if (node->sync_count > 0)
        return 0;
    deadline_ms = host_deadline_ms(node->host);
    now = now_ms();
    if (deadline_ms == UINT64_MAX)
        return -1;
    return deadline_ms <= now ? 0 : (int)(deadline_ms - now);
}
