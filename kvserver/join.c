#include "kvserver/join.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "kvserver/json_reply.h"
#include "kvserver/notice.h"
#include "kvserver/service/buffer.h"
#include "raft/host/log_format.h"
#include "rpc/json.h"

enum {
    ANSWER_MS_MAX = 6000,       // a little more than --request-timeout-ms
    ANSWER_BYTES_MAX = 1 << 20, // of one line
    JOIN_MS_MAX = 60000,        // for a leader to be found
    PAUSE_MS_MIN = 100,         // between two attempts, doubled each time
    PAUSE_MS_MAX = 2000,
    HOPS_MAX = 4, // from one member to the leader
};

enum verdict { DONE, LATER, NEVER };

struct joining {
    struct options *options;
    bool is_new;
    char *error;
    char host[PLACE_HOST_MAX]; // who is asked
    uint16_t port;
};

static enum verdict say(struct joining *joining, enum verdict verdict,
                        const char *format, ...) __attribute__((format(printf, 3, 4)));
static enum verdict say(struct joining *joining, enum verdict verdict,
                        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(joining->error, OPTIONS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return verdict;
}

// ---- one question and its answer ------------------------------------------------

static int connected(const struct addrinfo *to)
{
    struct timeval limit = {.tv_sec = ANSWER_MS_MAX / 1000};
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

static int call_out(const struct joining *joining)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char port[8];
    int fd = -1;

    snprintf(port, sizeof port, "%u", joining->port);
    if (getaddrinfo(joining->host, port, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connected(at);
    freeaddrinfo(found);
    return fd;
}

static bool line_read(int fd, struct buffer *line)
{
    char part[4096];

    while (line->size < ANSWER_BYTES_MAX) {
        ssize_t size = recv(fd, part, sizeof part, 0);

        if (size <= 0)
            return false;
        buffer_append(line, part, (size_t)size);
        if (part[size - 1] == '\n') {
            line->size--;
            return true;
        }
    }
    return false;
}

// Sends the line and parses the answer, which must be a result or an error.
static bool ask(const struct joining *joining, const struct frame *question,
                struct jsonrpc_message *answer)
{
    struct json_limits limits = {
        .bytes_max = ANSWER_BYTES_MAX, .values_max = 16384, .depth_max = 8};
    struct jsonrpc_problem problem;
    struct buffer line = {0};
    int fd = call_out(joining);
    bool good = fd >= 0 && send(fd, question->data, question->size, MSG_NOSIGNAL) ==
                               (ssize_t)question->size;

    memset(answer, 0, sizeof *answer);
    good = good && line_read(fd, &line) &&
           jsonrpc_parse(line.data, line.size, &limits, answer, &problem) &&
           (answer->kind == JSONRPC_RESULT || answer->kind == JSONRPC_ERROR);
    buffer_free(&line);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool ask_status(const struct joining *joining, struct jsonrpc_message *answer)
{
    const struct jsonrpc_id id = {.kind = JSONRPC_ID_NUMBER, .number = 1};
    struct frame *question = frame_new(128);
    bool good;

    jsonrpc_begin_request(question, &id, "raft.status");
    frame_append_text(question, "{}");
    jsonrpc_end(question);
    good = ask(joining, question, answer) && answer->kind == JSONRPC_RESULT;
    frame_release(question);
    return good;
}

static bool ask_to_be_added(const struct joining *joining, const char *address,
                            struct jsonrpc_message *answer)
{
    const struct jsonrpc_id id = {.kind = JSONRPC_ID_NUMBER, .number = 2};
    const struct options *options = joining->options;
    struct frame *question = frame_new(256);
    bool good;

    jsonrpc_begin_request(question, &id, "raft.add_member");
    frame_append_text(question, "{\"id\":");
    json_add_u64(question, options->id);
    frame_append_text(question, ",\"address\":");
    json_add_text(question, address, strlen(address));
    frame_append_text(question, ",\"priority\":");
    json_add_u64(question, options->priority);
    frame_append_text(question, ",\"learner\":");
    json_add_bool(question, options->learner);
    frame_append_text(question, "}");
    jsonrpc_end(question);
    good = ask(joining, question, answer);
    frame_release(question);
    return good;
}

// ---- what the cluster says ------------------------------------------------------

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text;

    return json_read_string(json_get(object, name), &text) ? text : "";
}

// The members with their addresses, to be kept until the log tells them.
static void members_keep(struct joining *joining, const cJSON *members)
{
    struct raft_configuration *known = &joining->options->known;
    const cJSON *item;

    known->count = 0;
    cJSON_ArrayForEach(item, members)
    {
        struct raft_member *member = &known->members[known->count];
        const char *address = text_of(item, "address");
        uint64_t id;

        if (known->count == RAFT_MEMBERS_MAX ||
            !json_read_u64(json_get(item, "node"), &id) ||
            strlen(address) >= RAFT_ADDRESS_BYTES)
            continue;
        *member = (struct raft_member){.id = (raft_id)id, .role = RAFT_VOTER};
        strcpy(member->address, address);
        known->count++;
    }
}

static const cJSON *member_find(const cJSON *members, raft_id id)
{
    const cJSON *item;
    uint64_t number;

    cJSON_ArrayForEach(item,
                       members) if (json_read_u64(json_get(item, "node"), &number) &&
                                    number == id) return item;
    return NULL;
}

// This id is a member already: by an earlier attempt of this node, or by another one.
static enum verdict judge_known(struct joining *joining, const cJSON *member,
                                const char *address)
{
    const char *role = text_of(member, "role");
    uint64_t match_index = 0;

    if (strcmp(text_of(member, "address"), address) != 0)
        return say(
            joining, NEVER,
            "cannot join: member %u is at %.120s already; choose another --id, or "
            "remove that one first",
            joining->options->id, text_of(member, "address"));
    json_read_u64(json_get(member, "match_index"), &match_index);
    // Who has acknowledged entries or votes must not come back without them.
    if (joining->is_new && (match_index > 0 || (strcmp(role, "learner") != 0 &&
                                                strcmp(role, "joining") != 0)))
        return say(joining, NEVER,
                   "cannot join: member %u was at work before, and %.200s is empty; "
                   "remove it and join with an --id that was never used",
                   joining->options->id, joining->options->dir);
    return DONE;
}

static enum verdict be_added(struct joining *joining, const char *address)
{
    struct jsonrpc_message answer;
    enum verdict verdict = DONE;

    if (!ask_to_be_added(joining, address, &answer))
        verdict =
            say(joining, LATER, "no answer from %s:%u", joining->host, joining->port);
    else if (answer.kind == JSONRPC_ERROR)
        verdict = say(joining, answer.error_code == JSON_REPLY_REFUSED ? NEVER : LATER,
                      "cannot join: %.200s", answer.error_message);
    jsonrpc_release(&answer);
    return verdict;
}

// At the leader.
static enum verdict join_leader(struct joining *joining, const cJSON *status)
{
    struct options *options = joining->options;
    const cJSON *members = json_get(status, "members");
    const cJSON *self = member_find(members, options->id);
    char address[RAFT_ADDRESS_BYTES];
    enum verdict verdict;

    place_write(&options_self(options)->place, address);
    members_keep(joining, members);
    verdict =
        self != NULL ? judge_known(joining, self, address) : be_added(joining, address);
    if (verdict == DONE)
        options->cluster_id = strtoull(text_of(status, "cluster_id"), NULL, 10);
    return verdict;
}

static bool of_this_cluster(const struct options *options, const cJSON *status)
{
    const char *cluster = text_of(status, "cluster_id");

    return !options->cluster_id_given ||
           strtoull(cluster, NULL, 10) == options->cluster_id;
}

// From member to member until one leads.
static enum verdict attempt(struct joining *joining)
{
    enum verdict verdict = LATER;
    bool again = true;

    for (int hop = 0; hop < HOPS_MAX && again; hop++) {
        struct jsonrpc_message answer;
        struct place leader;

        again = false;
        if (!ask_status(joining, &answer)) {
            say(joining, LATER, "no answer from %s:%u", joining->host, joining->port);
        } else if (!of_this_cluster(joining->options, answer.result)) {
            verdict =
                say(joining, NEVER,
                    "cannot join: %s:%u is of cluster %.20s, not of --cluster-id "
                    "%llu",
                    joining->host, joining->port, text_of(answer.result, "cluster_id"),
                    (unsigned long long)joining->options->cluster_id);
        } else if (strcmp(text_of(answer.result, "role"), "leader") == 0) {
            verdict = join_leader(joining, answer.result);
        } else if (!place_read_port(text_of(answer.result, "leader_address"), &leader,
                                    &joining->port)) {
            say(joining, LATER, "the cluster of %s has no leader", joining->host);
        } else {
            say(joining, LATER, "the leader %s:%u changes", leader.host, joining->port);
            strcpy(joining->host, leader.host);
            again = true;
        }
        jsonrpc_release(&answer);
    }
    return verdict;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool join_cluster(struct options *options, bool is_new, char *error)
{
    struct joining joining = {.options = options, .is_new = is_new, .error = error};
    uint64_t deadline = now_ms() + JOIN_MS_MAX;
    unsigned pause_ms = PAUSE_MS_MIN;
    char told[OPTIONS_ERROR_MAX] = "";

    for (;;) {
        struct place asked;
        enum verdict verdict;

        place_read_port(options->join, &asked, &joining.port);
        strcpy(joining.host, asked.host);
        verdict = attempt(&joining);
        if (verdict != LATER || now_ms() >= deadline)
            return verdict == DONE;
        if (strcmp(told, error) != 0)
            notice_line("joins later: %s", strcpy(told, error));
        usleep(pause_ms * 1000);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
    }
}

// ---- what is there already ------------------------------------------------------

static bool segment_read(int directory, const char *name, struct log_segment *segment)
{
    uint8_t bytes[LOG_SEGMENT_HEADER_BYTES];
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes &&
                log_format_get_segment(bytes, segment) == LOG_HEADER_VALID;

    if (fd >= 0)
        close(fd);
    return good;
}

bool join_is_new(const char *dir, uint64_t *cluster_id)
{
    DIR *directory = opendir(dir);
    struct log_segment segment;
    struct dirent *entry;
    bool found = false;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (log_format_number(entry->d_name) == 0)
            continue;
        found = true;
        if (segment_read(dirfd(directory), entry->d_name, &segment))
            *cluster_id = segment.cluster_id;
    }
    if (directory != NULL)
        closedir(directory);
    return !found;
}
