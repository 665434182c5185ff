#include "kvserver/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "kvserver/notice.h"
#include "kvserver/place.h"
#include "raft/host/disk_posix.h"
#include "raft/host/rebuild.h"

enum {
    EXIT_WHOLE = 0,
    EXIT_DAMAGED = 1,
    EXIT_USAGE = 2,
    PATH_BYTES = 1024,
    ERROR_BYTES = 512,
    SEGMENT_BYTES = 64 << 20,
};

struct recover_options {
    const char *dir;
    const char *to; // NULL: only report
    bool force_new_cluster;
    uint64_t cluster_id; // 0: a new one is drawn
    const char *address; // NULL: as the old configuration tells
};

// All that was found in the directory.
struct found {
    struct disk disk;
    uint64_t cluster_id;
    raft_id node_id;
    bool snapshot_good;
    struct snapshot_reader snapshot; // the newest good one
    struct log_salvage log;
    struct raft_configuration configuration; // the newest; count 0: none is recorded
};

// ---- words ----------------------------------------------------------------------

static const char usage[] =
    "raftkv recover: what is left in a node's directory, which is only read\n\n"
    "  raftkv recover --dir DIR                report what is there and what is lost\n"
    "  raftkv recover --dir DIR --to NEW       write what can be used to NEW\n"
    "  raftkv recover --dir DIR --to NEW --force-new-cluster\n"
    "                                          and make this node the only member of\n"
    "                                          a new cluster\n\n"
    "  --cluster-id N         the new cluster's number (drawn at random)\n"
    "  --address H:P/C        where new members find this node: host:peer-port/\n"
    "                         client-port; needed where the log does not tell it\n\n"
    "Stop the node first. Exit code 0: the log is whole, or NEW was written; 1: it is\n"
    "damaged, or NEW could not be written.\n";

static const char what_may_be_lost[] =
    "What may be lost: every write behind the last good entry, also writes that this\n"
    "node has acknowledged. The other members count on it to have them, so that a "
    "node\n"
    "which goes on without them can make the cluster lose writes that clients were "
    "told\n"
    "are safe. Its vote may be lost, too.\n\n"
    "If the cluster has a healthy majority without this node, do not use this log:\n"
    "nothing is lost. Remove this member (RAFT.MEMBER REMOVE), delete its directory,\n"
    "and let a new node join under a new id: the leader sends it everything.\n"
    "If no majority is left: raftkv recover --force-new-cluster on the member with "
    "the\n"
    "highest term and, among those, the highest last entry.\n";

static const char force_warning[] =
    "\nWARNING. This is a new cluster with one member, made of what this node held.\n"
    "- Every entry that it holds will be committed, also writes that were never\n"
    "  acknowledged, or that were refused.\n"
    "- Writes that were acknowledged may be missing, where only the others had them.\n"
    "- The old members must never run again as they are: delete their directories. "
    "The\n"
    "  new cluster's number makes the two refuse each other, but a client that still\n"
    "  reaches an old member sees another history.\n"
    "- Add new members with empty directories (--join), so that the data is safe "
    "again.\n";

// ---- the command line -----------------------------------------------------------

static int bad_usage(const char *what, const char *word)
{
    fprintf(stderr, "raftkv recover: %s%s (see raftkv recover --help)\n", what, word);
    return EXIT_USAGE;
}

static bool number_read(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *value > 0;
}

// A flag and its value, which may be NULL. Returns how many words it took, 0: unknown.
static int flag_read(struct recover_options *options, const char *flag, char *value)
{
    if (strcmp(flag, "--force-new-cluster") == 0) {
        options->force_new_cluster = true;
        return 1;
    }
    if (value == NULL)
        return 0;
    if (strcmp(flag, "--dir") == 0)
        options->dir = value;
    else if (strcmp(flag, "--to") == 0)
        options->to = value;
    else if (strcmp(flag, "--address") == 0)
        options->address = value;
    else if (strcmp(flag, "--cluster-id") != 0 ||
             !number_read(value, &options->cluster_id))
        return 0;
    return 2;
}

static int options_problem(const struct recover_options *options)
{
    if (options->dir == NULL)
        return bad_usage("--dir is missing", "");
    if (options->force_new_cluster && options->to == NULL)
        return bad_usage("--force-new-cluster needs --to", "");
    if (!options->force_new_cluster && options->cluster_id != 0)
        return bad_usage("--cluster-id is for --force-new-cluster", "");
    if (!options->force_new_cluster && options->address != NULL)
        return bad_usage("--address is for --force-new-cluster", "");
    struct place place;
    if (options->address != NULL && !place_read(options->address, &place))
        return bad_usage("--address is not host:peer-port/client-port: ",
                         options->address);
    return 0;
}

// ---- looking --------------------------------------------------------------------

static void describe_snapshot(const struct snapshot_reader *reader, bool good)
{
    char text[ERROR_BYTES];
    const struct raft_snapshot_meta *meta = &reader->header.meta;
    if (good) {
        printf("  snapshot  %s: good, up to entry %" PRIu64 " (term %" PRIu64 ")\n",
               reader->name, meta->last_included_index, meta->last_included_term);
        return;
    }
    snapshot_file_describe(reader, text, sizeof text);
    printf("  snapshot  %s: DAMAGED\n", text);
}

static int look_at_snapshots(struct found *found)
{
    struct snapshot_listing listing;
    int status = snapshot_file_list(&listing, &found->disk);
    for (uint32_t i = 0; i < listing.count && status == 0; i++) {
        struct snapshot_reader reader;
        bool good = snapshot_file_check(&reader, &found->disk, &listing.files[i],
                                        found->cluster_id);
        describe_snapshot(&reader, good);
        if (good && !found->snapshot_good) {
            found->snapshot_good = true;
            found->snapshot = reader;
            found->configuration = reader.header.meta.configuration;
        }
    }
    snapshot_file_list_release(&listing);
    return status;
}

static enum raft_status keep_configuration(void *context,
                                           const struct raft_entry *entry)
{
    struct found *found = context;
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        raft_configuration_decode(entry->data, entry->size, &found->configuration);
    return RAFT_OK;
}

static bool look(struct found *found, char *error, size_t error_size)
{
    static const struct raft_snapshot_meta no_snapshot;
    if (!log_salvage_identify(&found->disk, &found->cluster_id, &found->node_id)) {
        snprintf(error, error_size, "no part of a log can be read there");
        return false;
    }
    printf("  node      %" PRIu32 " of cluster %" PRIu64 "\n", found->node_id,
           found->cluster_id);
    int status = look_at_snapshots(found);
    const struct raft_snapshot_meta *meta =
        found->snapshot_good ? &found->snapshot.header.meta : &no_snapshot;
    if (status == 0)
        status = log_salvage_read(&found->log, &found->disk, found->cluster_id,
                                  found->node_id, meta);
    if (status != 0) {
        snprintf(error, error_size, "cannot be read: %s", strerror(-status));
        return false;
    }
    struct log_loader loader = {.context = found, .load = keep_configuration};
    return log_salvage_load(&found->log, &loader, error, error_size);
}

// ---- telling --------------------------------------------------------------------

static void tell_damage(const struct log_salvage *log)
{
    printf("\nDAMAGED: %s\n", log->problem);
    if (log->last_index > 0)
        printf("  last good entry: %" PRIu64 " (term %" PRIu64 ")\n", log->last_index,
               log->last_term);
    else
        printf("  no entry before that can be used\n");
    if (log->bytes_lost == 0 && log->until.number == 0) {
        printf("  nothing is lost: the newest good snapshot holds what the damage has "
               "taken\n");
        return;
    }
    printf("  behind it: %" PRIu64 " bytes, %" PRIu32 " whole segments\n",
           log->bytes_lost, log->segments_lost);
    if (log->index_lost > 0)
        printf("  entries up to %" PRIu64 " were seen there, and cannot be used\n",
               log->index_lost);
    printf("\n%s", what_may_be_lost);
}

static void tell(const struct found *found)
{
    const struct log_salvage *log = &found->log;
    printf("  log       %" PRIu32 " segments, %" PRIu64 " bytes\n", log->segment_count,
           log->bytes);
    printf("  state     term %" PRIu64 ", vote for ", log->hard_state.current_term);
    if (log->hard_state.voted_for == 0)
        printf("nobody\n");
    else
        printf("%" PRIu32 "\n", log->hard_state.voted_for);
    printf("  entries   up to %" PRIu64 " (term %" PRIu64 ")\n", log->last_index,
           log->last_term);
    if (log->problem[0] == '\0')
        printf("\nThe log is whole: raftkv can start on it as it is.\n");
    else
        tell_damage(log);
}

// ---- writing --------------------------------------------------------------------

static void visit_any(void *context, const char *name, uint64_t size)
{
    (void)name, (void)size;
    ++*(uint32_t *)context;
}

// A directory without files, which this process alone uses.
static struct disk_posix *open_new(const char *path, char *error, size_t error_size)
{
    struct disk_posix_options options;
    disk_posix_options_default(&options);
    options.path = path;
    options.zeros_ahead_bytes = 0;
    struct disk_posix *posix = disk_posix_open(&options, error, error_size);
    if (posix == NULL)
        return NULL;
    struct disk disk = disk_posix_disk(posix);
    uint32_t files = 0;
    int status = disk.list(disk.context, visit_any, &files);
    if (status == 0 && files == 0)
        return posix;
    snprintf(error, error_size, "%.400s: is not empty", path);
    disk_posix_close(posix);
    return NULL;
}

// The old configuration may tell where this node is found; false: nobody does.
static bool only_member(const struct recover_options *options,
                        const struct found *found, struct raft_configuration *only)
{
    memset(only, 0, sizeof *only);
    only->count = 1;
    for (uint32_t i = 0; i < found->configuration.count; i++) {
        if (found->configuration.members[i].id == found->node_id)
            only->members[0] = found->configuration.members[i];
    }
    only->members[0].id = found->node_id;
    only->members[0].role = RAFT_VOTER;
    if (options->address != NULL)
        snprintf(only->members[0].address, RAFT_ADDRESS_BYTES, "%s", options->address);
    return only->members[0].address[0] != '\0';
}

// Not 0, not the old number, and exact in JSON.
static uint64_t draw_cluster_id(uint64_t old)
{
    uint64_t number = 0;
    while (number == 0 || number == old) {
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            continue;
        number >>= 16;
    }
    return number;
}

static bool write_all(struct rebuild *rebuild, const struct found *found)
{
    if (found->snapshot_good && !rebuild_snapshot(rebuild, &found->snapshot))
        return false;
    return rebuild_log(rebuild, &found->log);
}

static void tell_written(const struct recover_options *options,
                         const struct found *found, const struct rebuild *rebuild)
{
    printf("\nWritten to %s: node %" PRIu32 " of cluster %" PRIu64
           ", entries up to %" PRIu64 ".\n",
           options->to, found->node_id, rebuild->cluster_id, rebuild->last_index);
    if (!options->force_new_cluster) {
        if (found->log.problem[0] != '\0')
            printf("It is still a member of the old cluster: what may be lost is lost "
                   "for it.\n");
        return;
    }
    printf("%s\nStart it with: raftkv --id %" PRIu32 " --dir %s --cluster-id %" PRIu64
           " --cluster %" PRIu32 "=%s\n",
           force_warning, found->node_id, options->to, rebuild->cluster_id,
           found->node_id, rebuild->configuration->members[0].address);
}

// Durably; false: see errno.
static bool give_name(const char *unfinished, const char *name)
{
    if (rename(unfinished, name) != 0)
        return false;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int above = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = above >= 0 && fsync(above) == 0;
    if (above >= 0)
        close(above);
    if (fd >= 0)
        close(fd);
    return synced;
}

// What makes the new cluster's only member; false: it cannot be done as it was asked.
static bool force_new_cluster(const struct recover_options *options,
                              const struct found *found, struct rebuild *rebuild)
{
    static struct raft_configuration only;
    const char *problem = NULL;
    if (!only_member(options, found, &only))
        problem = "--address is needed: the log does not tell where this node is found";
    if (options->cluster_id == found->cluster_id)
        problem = "--cluster-id is the old cluster's number: its members could meddle";
    rebuild->configuration = &only;
    rebuild->cluster_id = options->cluster_id != 0 ? options->cluster_id
                                                   : draw_cluster_id(found->cluster_id);
    if (problem != NULL)
        snprintf(rebuild->error, rebuild->error_size, "%s", problem);
    return problem == NULL;
}

static bool write_new(const struct recover_options *options, const struct found *found,
                      char *error, size_t error_size)
{
    struct rebuild rebuild = {.from = &found->disk,
                              .cluster_id = found->cluster_id,
                              .segment_bytes_max = SEGMENT_BYTES,
                              .error = error,
                              .error_size = error_size};
    if (options->force_new_cluster && !force_new_cluster(options, found, &rebuild))
        return false;
    // It gets its name once it is whole.
    char unfinished[PATH_BYTES];
    int size = snprintf(unfinished, sizeof unfinished, "%s.unfinished", options->to);
    if (size >= (int)sizeof unfinished || access(options->to, F_OK) == 0) {
        snprintf(error, error_size, "%s: is there already", options->to);
        return false;
    }
    struct disk_posix *posix = open_new(unfinished, error, error_size);
    if (posix == NULL)
        return false;
    struct disk disk = disk_posix_disk(posix);
    rebuild.to = &disk;
    bool written = write_all(&rebuild, found);
    disk_posix_close(posix);
    if (written && !give_name(unfinished, options->to)) {
        snprintf(error, error_size, "%s: %s", options->to, strerror(errno));
        written = false;
    }
    if (written)
        tell_written(options, found, &rebuild);
    return written;
}

// ---- the command ----------------------------------------------------------------

static int recover(const struct recover_options *options)
{
    static struct found found;
    char error[ERROR_BYTES] = "";
    struct disk_posix_options posix_options;
    disk_posix_options_default(&posix_options);
    posix_options.path = options->dir;
    posix_options.read_only = true;
    struct disk_posix *posix = disk_posix_open(&posix_options, error, sizeof error);
    if (posix == NULL) {
        fprintf(stderr, "raftkv recover: %s\n", error);
        return EXIT_DAMAGED;
    }
    found.disk = disk_posix_disk(posix);
    printf("%s\n", options->dir);
    bool done = look(&found, error, sizeof error);
    if (done)
        tell(&found);
    if (done && options->to != NULL)
        done = write_new(options, &found, error, sizeof error);
    disk_posix_close(posix);
    fflush(stdout);
    if (!done) {
        fprintf(stderr, "raftkv recover: %s\n", error);
        return EXIT_DAMAGED;
    }
    bool whole = found.log.problem[0] == '\0';
    return whole || options->to != NULL ? EXIT_WHOLE : EXIT_DAMAGED;
}

int recover_run(int argc, char **argv)
{
    struct recover_options options = {0};
    for (int i = 0; i < argc;) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return EXIT_WHOLE;
        }
        int words = flag_read(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (words == 0)
            return bad_usage("cannot use ", argv[i]);
        i += words;
    }
    int problem = options_problem(&options);
    return problem != 0 ? problem : recover(&options);
}

void recover_advise(const char *reason, const char *dir)
{
    // A file and an offset are named for damage, but also where nothing is damaged.
    if (strstr(reason, ".log: offset ") == NULL ||
        strstr(reason, "is of another ") != NULL ||
        strstr(reason, "later version") != NULL)
        return;
    notice_line(
        "the log is damaged: writes that this node has acknowledged may be "
        "lost. Where the cluster has a healthy majority without it, nothing is: "
        "remove this member, delete its directory and let a new node join "
        "under a new id");
    notice_line("to see what is left: raftkv recover --dir %s", dir);
}
