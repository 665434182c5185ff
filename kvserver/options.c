#include "kvserver/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kvserver/options_cluster.h"
#include "raft/version.h"

enum setting_kind { SETTING_TEXT, SETTING_U32, SETTING_U64, SETTING_YES_NO };

struct setting {
    const char *name;
    const char *value; // what stands for it in the help
    const char *help;
    enum setting_kind kind;
    size_t offset; // in struct options
    uint64_t low;
    uint64_t high; // for texts: the bytes at hand
};

#define AT(field)   offsetof(struct options, field)
#define SIZE(field) sizeof(((struct options *)0)->field)

static const struct setting settings[] = {
    {"id", "N", "which member of the cluster this node is", SETTING_U32, AT(id), 1,
     UINT32_MAX},
    {"cluster", "LIST", "all members: id=host:peer-port/client-port,...", SETTING_TEXT,
     AT(cluster), 0, SIZE(cluster)},
    {"dir", "DIR", "where the node keeps its log; created where absent", SETTING_TEXT,
     AT(dir), 0, SIZE(dir)},
    {"config", "FILE", "a file of settings, one `name value` a line", SETTING_TEXT,
     AT(config), 0, SIZE(config)},
    {"port", "PORT", "client port, where there is no --cluster", SETTING_U32, AT(port),
     0, 65535},
    {"peer-listen", "HOST:PORT", "where peers find a node without --cluster",
     SETTING_TEXT, AT(peer_listen), 0, SIZE(peer_listen)},
    {"join", "HOST:PORT", "become a member: ask the one with this client port",
     SETTING_TEXT, AT(join), 0, SIZE(join)},
    {"learner", "yes|no", "join, and never become a voter", SETTING_YES_NO, AT(learner),
     0, 0},
    {"priority", "N", "of members that could lead, the higher ones are to", SETTING_U32,
     AT(priority), 0, 1000},
    {"bind", "ADDRESS", "listen here instead of on the member's own address",
     SETTING_TEXT, AT(bind), 0, SIZE(bind)},
    {"cluster-id", "N", "refuse a log that carries another number", SETTING_U64,
     AT(cluster_id), 1, UINT64_MAX},
    {"fsync", "yes|no", "no: acknowledged writes are LOST when the machine stops",
     SETTING_YES_NO, AT(fsync), 0, 0},
    {"election-timeout-ms", "MS", "without a leader for so long: campaign", SETTING_U32,
     AT(election_timeout_ms), 10, 600000},
    {"heartbeat-ms", "MS", "how often a leader speaks", SETTING_U32, AT(heartbeat_ms),
     1, 60000},
    {"request-timeout-ms", "MS", "answer -TIMEOUT after so long", SETTING_U32,
     AT(request_timeout_ms), 1, 3600000},
    {"pre-vote", "yes|no", "ask before a campaign whether it can be won",
     SETTING_YES_NO, AT(pre_vote), 0, 0},
    {"check-quorum", "yes|no", "a leader that hears no majority steps down",
     SETTING_YES_NO, AT(check_quorum), 0, 0},
    {"lease-drift-percent", "N", "lease reads: clocks differ in rate by this at most",
     SETTING_U32, AT(lease_drift_percent), 0, 99},
    {"log-entries-max", "N", "capacity of the log, in entries", SETTING_U32,
     AT(log_entries_max), 16, UINT32_C(1) << 30},
    {"log-bytes-max", "BYTES", "capacity of the log, in bytes", SETTING_U64,
     AT(log_bytes_max), 1 << 16, UINT64_C(1) << 40},
    {"segment-bytes-max", "BYTES", "begin another log file after so many", SETTING_U64,
     AT(segment_bytes_max), 4096, UINT64_C(1) << 40},
    {"uncommitted-bytes-max", "BYTES",
     "refuse writes while so many wait for a majority", SETTING_U64,
     AT(uncommitted_bytes_max), 1 << 10, UINT64_C(1) << 40},
    {"inflight-bytes-max", "BYTES", "of the log, under way to one peer", SETTING_U64,
     AT(inflight_bytes_max), 1 << 10, UINT64_C(1) << 40},
    {"snapshot-entries", "N", "snapshot after so many; 0: not for that", SETTING_U32,
     AT(snapshot_entries), 0, UINT32_C(1) << 30},
    {"snapshot-bytes", "BYTES", "snapshot after so much log; 0: not for that",
     SETTING_U64, AT(snapshot_bytes), 0, UINT64_C(1) << 40},
    {"snapshot-tail", "N", "entries kept behind it for slow followers", SETTING_U32,
     AT(snapshot_tail), 0, UINT32_C(1) << 30},
    {"snapshot-chunk-bytes", "BYTES", "of it, in one message and one turn", SETTING_U32,
     AT(snapshot_chunk_bytes), 1 << 10, UINT32_C(16) << 20},
    {"max-clients", "N", "refuse clients beyond", SETTING_U32, AT(clients_max), 1,
     1000000},
    {"pipeline-max", "N", "commands of one client under way; it waits beyond",
     SETTING_U32, AT(pipeline_max), 1, 1000000},
    {"output-bytes-max", "BYTES", "close a client that leaves so much unread",
     SETTING_U64, AT(output_bytes_max), 1024, UINT64_C(1) << 40},
    {"value-bytes-max", "BYTES", "the longest value or word", SETTING_U32,
     AT(value_bytes_max), 16, UINT32_C(64) << 20},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static enum options_result bad(char *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum options_result bad(char *error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, OPTIONS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return OPTIONS_BAD;
}

static void options_default(struct options *options)
{
    memset(options, 0, sizeof *options);
    strcpy(options->dir, "data");
    options->port = 7001;
    options->fsync = true;
    options->cluster_id = 1;
    // Twice what section 9.3 recommends: three servers, their clients and their disk
    // may share a small machine, and a needless election costs more than a late one.
    options->election_timeout_ms = 300;
    options->heartbeat_ms = 50;
    options->request_timeout_ms = 5000;
    options->pre_vote = true;
    options->check_quorum = true;
    // A snapshot begins at a fifth of the log's room: what is written while it is made,
    // and while a slow one is sent, has the rest.
    options->log_entries_max = 1 << 20;
    options->log_bytes_max = UINT64_C(512) << 20;
    options->uncommitted_bytes_max = UINT64_C(64) << 20;
    options->inflight_bytes_max = UINT64_C(4) << 20;
    options->snapshot_entries = 200000;
    options->snapshot_bytes = UINT64_C(100) << 20;
    options->snapshot_tail = 20000;
    options->snapshot_chunk_bytes = 256 << 10;
    options->segment_bytes_max = UINT64_C(64) << 20;
    options->clients_max = 10000;
    options->pipeline_max = 1024;
    options->output_bytes_max = UINT64_C(64) << 20;
    options->value_bytes_max = 1 << 20;
}

static const struct setting *setting_find(const char *name, size_t size)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strlen(settings[i].name) == size &&
            memcmp(settings[i].name, name, size) == 0)
            return &settings[i];
    return NULL;
}

// Digits, and for counts of bytes a final k, m or g.
static bool number_read(const char *text, uint64_t *value)
{
    uint64_t unit = 1;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (end[0] == 'k' || end[0] == 'K')
        unit = 1 << 10;
    else if (end[0] == 'm' || end[0] == 'M')
        unit = 1 << 20;
    else if (end[0] == 'g' || end[0] == 'G')
        unit = 1 << 30;
    end += unit > 1;
    if (*end != '\0' || *value > UINT64_MAX / unit)
        return false;
    *value *= unit;
    return true;
}

// Why `text` cannot be the value, or NULL once it is stored.
static const char *setting_store(const struct setting *setting, struct options *options,
                                 const char *text)
{
    static char problem[128];
    char *field = (char *)options + setting->offset;
    uint64_t value;
    bool yes = strcasecmp(text, "yes") == 0;

    switch (setting->kind) {
    case SETTING_TEXT:
        if (text[0] == '\0')
            return "is empty";
        if (strlen(text) >= setting->high)
            return "is too long";
        strcpy(field, text);
        return NULL;
    case SETTING_YES_NO:
        if (!yes && strcasecmp(text, "no") != 0)
            return "is neither yes nor no";
        *(bool *)field = yes;
        return NULL;
    case SETTING_U32:
    case SETTING_U64:
        break;
    }
    if (!number_read(text, &value))
        return "is not a number";
    if (value < setting->low || value > setting->high) {
        snprintf(problem, sizeof problem, "is not between %llu and %llu",
                 (unsigned long long)setting->low, (unsigned long long)setting->high);
        return problem;
    }
    if (setting->kind == SETTING_U32)
        *(uint32_t *)field = (uint32_t)value;
    else
        *(uint64_t *)field = value;
    options->port_given = options->port_given || setting->offset == AT(port);
    options->cluster_id_given =
        options->cluster_id_given || setting->offset == AT(cluster_id);
    return NULL;
}

// ---- the file -------------------------------------------------------------------

static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t\r\n");
    size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

// One line: nothing, or a name and a value.
static enum options_result line_read(struct options *options, char *line,
                                     const char *where, char *error)
{
    const struct setting *setting;
    const char *problem;
    char *value;
    size_t size;

    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (*line == '\0')
        return OPTIONS_RUN;
    size = strcspn(line, " \t=");
    setting = setting_find(line, size);
    if (setting == NULL || setting->offset == AT(config))
        return bad(error, "%s: unknown setting '%.*s'", where, (int)size, line);
    value = trim(line + size);
    if (*value == '=')
        value = trim(value + 1);
    problem = setting_store(setting, options, value);
    if (problem != NULL)
        return bad(error, "%s: %s '%.100s' %s", where, setting->name, value, problem);
    return OPTIONS_RUN;
}

static enum options_result file_read(struct options *options, const char *path,
                                     char *error)
{
    enum options_result result = OPTIONS_RUN;
    char line[OPTIONS_CLUSTER_MAX + 64];
    char where[OPTIONS_PATH_MAX + 32];
    unsigned number = 0;
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return bad(error, "cannot read %.300s: %s", path, strerror(errno));
    while (result == OPTIONS_RUN && fgets(line, sizeof line, file) != NULL) {
        snprintf(where, sizeof where, "%.300s:%u", path, ++number);
        if (strlen(line) == sizeof line - 1)
            result = bad(error, "%s: the line is too long", where);
        else
            result = line_read(options, line, where, error);
    }
    if (result == OPTIONS_RUN && ferror(file))
        result = bad(error, "cannot read %.300s: %s", path, strerror(errno));
    fclose(file);
    return result;
}

// ---- the command line -----------------------------------------------------------

// " (64m)": what counts where nothing is said, if there is such a thing.
static void default_print(const struct setting *setting, const struct options *defaults)
{
    const char *field = (const char *)defaults + setting->offset;
    static const char *const units[] = {"", "k", "m", "g"};
    uint64_t value = 0;
    int unit = 0;

    switch (setting->kind) {
    case SETTING_TEXT:
        if (field[0] != '\0')
            printf(" (%s)", field);
        return;
    case SETTING_YES_NO:
        printf(" (%s)", *(const bool *)field ? "yes" : "no");
        return;
    case SETTING_U32:
        value = *(const uint32_t *)field;
        break;
    case SETTING_U64:
        value = *(const uint64_t *)field;
        break;
    }
    while (strcmp(setting->value, "BYTES") == 0 && value > 0 && value % 1024 == 0 &&
           unit < 3) {
        value /= 1024;
        unit++;
    }
    if (value > 0)
        printf(" (%llu%s)", (unsigned long long)value, units[unit]);
}

static void help_print(void)
{
    static struct options defaults;

    options_default(&defaults);
    printf(
        "raftkv: one node of a replicated key-value store (RESP and JSON-RPC)\n\n"
        "  raftkv --dir data                      a single node on port 7001\n"
        "  raftkv --id 4 --dir data/4 --port 7004 --peer-listen 127.0.0.1:7104 "
        "--join 127.0.0.1:7001\n"
        "  raftkv --id 1 --dir data/1 --cluster "
        "1=127.0.0.1:7101/7001,2=127.0.0.1:7102/7002,3=127.0.0.1:7103/7003\n"
        "  raftkv recover --help                  a damaged log, a lost majority\n\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        char flag[64];

        snprintf(flag, sizeof flag, "--%s %s", settings[i].name, settings[i].value);
        printf("  %-28s %s", flag, settings[i].help);
        default_print(&settings[i], &defaults);
        putchar('\n');
    }
    printf("  %-28s %s\n  %-28s %s\n", "--help", "print this", "--version",
           "print the version");
}

// Walks the flags; with `only` not NULL, those of one name alone are stored.
static enum options_result flags_read(struct options *options, char **argv,
                                      const char *only, char *error)
{
    for (char **at = argv + 1; *at != NULL; at++) {
        const char *name = *at + 2, *value, *problem;
        const struct setting *setting;
        size_t size;

        if (strncmp(*at, "--", 2) != 0)
            return bad(error, "'%.100s' is not a flag (--help lists them)", *at);
        size = strcspn(name, "=");
        setting = setting_find(name, size);
        if (setting == NULL)
            return bad(error, "unknown flag '%.100s' (--help lists them)", *at);
        value = name[size] == '=' ? name + size + 1 : *++at;
        if (value == NULL)
            return bad(error, "--%s needs a value: %s", setting->name, setting->value);
        if (only != NULL && strcmp(only, setting->name) != 0)
            continue;
        problem = setting_store(setting, options, value);
        if (problem != NULL)
            return bad(error, "--%s '%.100s' %s", setting->name, value, problem);
    }
    return OPTIONS_RUN;
}

static enum options_result consistent(struct options *options, char *error)
{
    if (options->heartbeat_ms * UINT64_C(2) > options->election_timeout_ms)
        return bad(error,
                   "--heartbeat-ms %u is more than half of "
                   "--election-timeout-ms %u",
                   options->heartbeat_ms, options->election_timeout_ms);
    if (options->log_bytes_max / 4 < options->value_bytes_max)
        return bad(error, "--log-bytes-max is less than four of --value-bytes-max");
    if (options->lease_drift_percent > 0 && !options->check_quorum)
        return bad(error, "--lease-drift-percent needs --check-quorum yes");
    return options_cluster_read(options, error) ? OPTIONS_RUN : OPTIONS_BAD;
}

enum options_result options_parse(struct options *options, int argc, char **argv,
                                  char *error)
{
    options_default(options);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help_print();
            return OPTIONS_DONE;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("raftkv " RAFT_VERSION);
            return OPTIONS_DONE;
        }
    }
    if (flags_read(options, argv, "config", error) != OPTIONS_RUN)
        return OPTIONS_BAD;
    if (options->config[0] != '\0' &&
        file_read(options, options->config, error) != OPTIONS_RUN)
        return OPTIONS_BAD;
    if (flags_read(options, argv, NULL, error) != OPTIONS_RUN)
        return OPTIONS_BAD;
    return consistent(options, error);
}

const struct options_member *options_self(const struct options *options)
{
    return options_member_find(options, options->id);
}

const char *options_address(const struct options *options)
{
    return options->bind[0] != '\0' ? options->bind : options_self(options)->place.host;
}

const struct options_member *options_member_find(const struct options *options,
                                                 raft_id id)
{
    for (uint32_t i = 0; i < options->member_count; i++)
        if (options->members[i].id == id)
            return &options->members[i];
    return NULL;
}

const char *options_setting(const struct options *options, uint32_t position,
                            char *text)
{
    const struct setting *setting = &settings[position];
    const char *field;

    if (position >= SETTINGS)
        return NULL;
    field = (const char *)options + setting->offset;
    if (setting->kind == SETTING_TEXT)
        snprintf(text, OPTIONS_CLUSTER_MAX, "%s", field);
    else if (setting->kind == SETTING_YES_NO)
        strcpy(text, *(const bool *)field ? "yes" : "no");
    else if (setting->kind == SETTING_U32)
        snprintf(text, OPTIONS_CLUSTER_MAX, "%u", *(const uint32_t *)field);
    else
        snprintf(text, OPTIONS_CLUSTER_MAX, "%llu",
                 (unsigned long long)*(const uint64_t *)field);
    return setting->name;
}
