// The POSIX disk in a directory of its own, alone and under a whole node.
#include "raft/host/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raft/host/host.h"
#include "tests/test.h"

enum { AHEAD = 100000, ACKED_BEFORE_KILL = 150 };

static char root[64];
static char error[200];
static struct disk_posix_options options;
static struct disk_posix *posix;
static struct disk disk;

// What start_sync was given.
static int handed_fd = -1;
static int handed_directory_fd = -1;
static uint64_t handed_token;
static int start_sync_status;

static int hand_out(void *context, int fd, int directory_fd, uint64_t token)
{
    CHECK(context == &handed_token);
    if (start_sync_status != 0)
        return start_sync_status;
    handed_fd = fd;
    handed_directory_fd = directory_fd;
    handed_token = token;
    return 0;
}

static void remove_files(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[400];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}

static pid_t owner; // the children of a test leave its files alone

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void clean(void)
{
    limit_file_size(RLIM_INFINITY); // who measures coverage writes a file at exit
    if (getpid() == owner)
        remove_files(root);
}

static void open_disk(void)
{
    posix = disk_posix_open(&options, error, sizeof error);
    CHECK_TEXT(error, "");
    CHECK(posix != NULL);
    disk = disk_posix_disk(posix);
}

static void start(void)
{
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(root, sizeof root, "%s/disk_posix_XXXXXX", shm ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(root) != NULL);
    owner = getpid();
    atexit(clean);
    disk_posix_options_default(&options);
    options.path = root;
    options.zeros_ahead_bytes = AHEAD;
    options.start_sync = hand_out;
    options.context = &handed_token;
    open_disk();
}

static int append(const char *name, const char *text)
{
    return disk.append(disk.context, name, text, strlen(text));
}

// The file's bytes through the interface, as text.
static const char *content(const char *name)
{
    static char text[400];
    int64_t got = disk.read(disk.context, name, 0, text, sizeof text - 1);
    CHECK(got >= 0);
    text[got] = '\0';
    return text;
}

static off_t size_on_disk(const char *name)
{
    char path[200];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_EQ(stat(path, &about), 0);
    return about.st_size;
}

static void visit(void *argument, const char *name, uint64_t size)
{
    char *text = argument;
    snprintf(text + strlen(text), 400 - strlen(text), "%s=%d ", name, (int)size);
}

static const char *listing(void)
{
    static char text[400];
    text[0] = '\0';
    CHECK_EQ(disk.list(disk.context, visit, text), 0);
    return text;
}

// ---- files ----------------------------------------------------------------------

TEST(bytes_appended_are_read_back_also_after_a_reopening)
{
    start();
    CHECK_EQ(append("a.log", "one "), 0);
    CHECK_EQ(append("a.log", "two"), 0);
    CHECK_TEXT(content("a.log"), "one two");
    CHECK_EQ(disk.sync(disk.context, "a.log", 0), 0);
    disk_posix_close(posix);
    open_disk();
    CHECK_TEXT(content("a.log"), "one two");
    CHECK_EQ(append("a.log", " three"), 0);
    CHECK_TEXT(content("a.log"), "one two three");
    disk_posix_close(posix);
}

TEST(files_are_listed_by_name_and_without_the_lock)
{
    start();
    append("b.log", "22");
    append("c", "333");
    append("a", "1");
    CHECK_TEXT(listing(), "a=1 b.log=2 c=3 ");
    disk_posix_close(posix);
    open_disk();
    CHECK_TEXT(listing(), "a=1 b.log=2 c=3 ");
    disk_posix_close(posix);
}

TEST(a_read_ends_where_the_file_does)
{
    start();
    append("a.log", "0123456789");
    char bytes[20];
    CHECK_EQ(disk.read(disk.context, "a.log", 8, bytes, sizeof bytes), 2);
    CHECK_EQ(disk.read(disk.context, "a.log", 10, bytes, sizeof bytes), 0);
    CHECK_EQ(disk.read(disk.context, "a.log", 999, bytes, sizeof bytes), 0);
    disk_posix_close(posix);
}

TEST(what_is_not_there_or_not_a_name_is_an_error)
{
    start();
    char byte;
    CHECK_EQ(disk.read(disk.context, "none", 0, &byte, 1), -ENOENT);
    CHECK_EQ(disk.sync(disk.context, "none", 0), -ENOENT);
    CHECK_EQ(disk.remove(disk.context, "none"), -ENOENT);
    CHECK_EQ(disk.truncate(disk.context, "none", 0), -ENOENT);
    CHECK_EQ(disk.rename(disk.context, "none", "some"), -ENOENT);
    CHECK_EQ(append("../escape", "x"), -EINVAL);
    CHECK_EQ(append("", "x"), -EINVAL);
    disk_posix_close(posix);
}

TEST(a_rename_replaces_the_file_of_that_name)
{
    start();
    append("new.log", "newer");
    append("old.log", "older bytes");
    CHECK_EQ(disk.rename(disk.context, "new.log", "old.log"), 0);
    CHECK_EQ(disk.sync(disk.context, "old.log", 0), 0);
    CHECK_TEXT(listing(), "old.log=5 ");
    CHECK_TEXT(content("old.log"), "newer");
    CHECK_EQ(size_on_disk("old.log"), 5);
    CHECK_EQ(append("old.log", "!"), 0);
    CHECK_TEXT(content("old.log"), "newer!");
    disk_posix_close(posix);
}

TEST(a_removed_file_is_gone_and_can_be_made_again)
{
    start();
    append("a.log", "first");
    CHECK_EQ(disk.remove(disk.context, "a.log"), 0);
    CHECK_TEXT(listing(), "");
    append("a.log", "2nd");
    CHECK_TEXT(content("a.log"), "2nd");
    disk_posix_close(posix);
}

TEST(a_truncated_file_goes_on_where_it_was_cut)
{
    start();
    append("a.log", "0123456789");
    CHECK_EQ(disk.truncate(disk.context, "a.log", 4), 0);
    CHECK_EQ(size_on_disk("a.log"), 4);
    append("a.log", "abc");
    CHECK_TEXT(content("a.log"), "0123abc");
    CHECK_EQ(disk.truncate(disk.context, "a.log", 100), -EINVAL);
    disk_posix_close(posix);
}

TEST(more_files_than_the_table_holds_keep_their_bytes)
{
    start();
    char name[20], expected[64];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 30; i++) {
            snprintf(name, sizeof name, "%02d.log", i);
            snprintf(expected, sizeof expected, "%d:%d ", i, round);
            CHECK_EQ(append(name, expected), 0);
        }
    }
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "%02d.log", i);
        snprintf(expected, sizeof expected, "%d:0 %d:1 %d:2 ", i, i, i);
        CHECK_TEXT(content(name), expected);
    }
    disk_posix_close(posix);
}

// ---- zeros ahead ----------------------------------------------------------------

TEST(zeros_ahead_are_in_the_file_but_not_seen)
{
    start();
    append("a.log", "abc");
    append("other", "abc");
    CHECK_EQ(size_on_disk("a.log"), 3 + AHEAD);
    CHECK_EQ(size_on_disk("other"), 3);
    CHECK_TEXT(listing(), "a.log=3 other=3 ");
    CHECK_TEXT(content("a.log"), "abc");
    append("a.log", "def"); // into the zeros: the file does not grow
    CHECK_EQ(size_on_disk("a.log"), 3 + AHEAD);
    CHECK_TEXT(content("a.log"), "abcdef");
    disk_posix_close(posix);
    CHECK_EQ(size_on_disk("a.log"), 6);
}

TEST(zeros_are_written_ahead_again_when_they_are_used_up)
{
    start();
    static char block[AHEAD / 2];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(disk.append(disk.context, "a.log", block, sizeof block), 0);
        CHECK(size_on_disk("a.log") >= (off_t)((i + 1) * sizeof block));
    }
    CHECK(size_on_disk("a.log") > (off_t)(5 * sizeof block));
    disk_posix_close(posix);
    CHECK_EQ(size_on_disk("a.log"), 5 * sizeof block);
}

TEST(where_zeros_do_not_fit_data_still_does)
{
    start();
    limit_file_size(1000);
    CHECK_EQ(append("a.log", "abc"), 0);
    CHECK_EQ(append("a.log", "def"), 0);
    CHECK_TEXT(content("a.log"), "abcdef");
    CHECK(size_on_disk("a.log") <= 1000);
    disk_posix_close(posix);
    CHECK_EQ(size_on_disk("a.log"), 6);
}

// A write that the system cuts short is continued, and fails where it cannot be.
TEST(a_write_that_does_not_fit_fails_and_what_was_there_stays)
{
    start();
    append("a.log", "abc");
    CHECK_EQ(disk.truncate(disk.context, "a.log", 3), 0);
    limit_file_size(1000);
    static char block[2000];
    CHECK_EQ(disk.append(disk.context, "a.log", block, sizeof block), -EFBIG);
    CHECK_TEXT(content("a.log"), "abc");
    disk_posix_close(posix);
}

// A part of it may have been written: behind what is appended next it would be seen
// again after a crash.
TEST(what_a_failed_append_has_left_is_cut_off)
{
    start();
    append("a.log", "abc");
    CHECK_EQ(disk.truncate(disk.context, "a.log", 3), 0); // no zeros
    limit_file_size(1000);
    static char block[2000];
    memset(block, 'x', sizeof block);
    CHECK_EQ(disk.append(disk.context, "a.log", block, sizeof block), -EFBIG);
    CHECK_EQ(size_on_disk("a.log"), 1000);
    CHECK_EQ(disk.truncate(disk.context, "a.log", 3), 0);
    CHECK_EQ(size_on_disk("a.log"), 3);
    CHECK_EQ(append("a.log", "def"), 0);
    CHECK_TEXT(content("a.log"), "abcdef");
    disk_posix_close(posix);
}

TEST(zeros_that_did_not_fit_are_tried_again_with_the_next_file)
{
    start();
    limit_file_size(1000);
    append("a.log", "abc");
    CHECK_EQ(size_on_disk("a.log"), 3);
    limit_file_size(RLIM_INFINITY);
    append("a.log", "def");
    CHECK_EQ(size_on_disk("a.log"), 6);
    append("b.log", "abc");
    CHECK_EQ(size_on_disk("b.log"), 3 + AHEAD);
    disk_posix_close(posix);
}

// ---- reading only ---------------------------------------------------------------

TEST(a_disk_that_is_only_read_changes_nothing)
{
    start();
    append("a.log", "abc");
    disk_posix_close(posix);
    char path[200];
    snprintf(path, sizeof path, "%s/lock", root);
    CHECK_EQ(unlink(path), 0);
    options.read_only = true;
    open_disk();
    CHECK_TEXT(content("a.log"), "abc");
    CHECK_EQ(append("a.log", "d"), -EROFS);
    CHECK_EQ(append("b.log", "d"), -EROFS);
    CHECK_EQ(disk.truncate(disk.context, "a.log", 1), -EROFS);
    CHECK_EQ(disk.remove(disk.context, "a.log"), -EROFS);
    CHECK_EQ(disk.rename(disk.context, "a.log", "b.log"), -EROFS);
    disk_posix_close(posix);
    CHECK_EQ(size_on_disk("a.log"), 3);
    CHECK(access(path, F_OK) != 0); // no lock was made
}

TEST(a_directory_in_use_cannot_be_read_either_and_an_absent_one_is_not_made)
{
    start();
    options.read_only = true;
    CHECK(disk_posix_open(&options, error, sizeof error) == NULL);
    CHECK(strstr(error, "another process uses this directory") != NULL);
    char path[200];
    snprintf(path, sizeof path, "%s/absent", root);
    options.path = path;
    CHECK(disk_posix_open(&options, error, sizeof error) == NULL);
    CHECK(access(path, F_OK) != 0);
    disk_posix_close(posix);
}

// ---- sync -----------------------------------------------------------------------

TEST(a_sync_with_a_token_is_handed_out_with_a_descriptor_of_its_own)
{
    start();
    append("a.log", "abc");
    CHECK_EQ(disk.sync(disk.context, "a.log", 7), 0);
    CHECK_EQ(handed_token, 7);
    CHECK(handed_directory_fd >= 0); // the file's entry is new
    int first = handed_fd;
    CHECK_EQ(disk.remove(disk.context, "a.log"), 0); // closes ours, not theirs
    struct stat about;
    CHECK_EQ(fstat(first, &about), 0);
    CHECK_EQ(disk_posix_sync_fd(first, handed_directory_fd), 0);
    CHECK(fstat(first, &about) != 0 && errno == EBADF); // it was theirs to close
    disk_posix_close(posix);
}

TEST(the_directory_is_synced_only_after_it_has_changed)
{
    start();
    append("a.log", "abc");
    CHECK_EQ(disk.sync(disk.context, "a.log", 0), 0);
    CHECK_EQ(disk.sync(disk.context, "a.log", 1), 0);
    CHECK_EQ(handed_directory_fd, -1);
    CHECK_EQ(disk_posix_sync_fd(handed_fd, -1), 0);
    append("b.log", "abc");
    CHECK_EQ(disk.sync(disk.context, "a.log", 2), 0);
    CHECK(handed_directory_fd >= 0);
    CHECK_EQ(disk_posix_sync_fd(handed_fd, handed_directory_fd), 0);
    disk_posix_close(posix);
}

TEST(a_sync_that_cannot_be_handed_out_is_an_error)
{
    start();
    append("a.log", "abc");
    start_sync_status = -EAGAIN;
    CHECK_EQ(disk.sync(disk.context, "a.log", 7), -EAGAIN);
    disk_posix_close(posix);
}

TEST(a_sync_of_a_bad_descriptor_reports_why)
{
    CHECK_EQ(disk_posix_sync_fd(-1, -1), -EBADF);
    int pipe_fds[2];
    CHECK_EQ(pipe(pipe_fds), 0);
    CHECK_EQ(disk_posix_sync_fd(pipe_fds[1], -1), -EINVAL); // nothing to sync there
    close(pipe_fds[0]);
}

// ---- the directory --------------------------------------------------------------

TEST(a_directory_in_use_is_refused_until_it_is_closed)
{
    start();
    CHECK(disk_posix_open(&options, error, sizeof error) == NULL);
    char expected[200];
    snprintf(expected, sizeof expected, "%s: another process uses this directory",
             root);
    CHECK_TEXT(error, expected);
    disk_posix_close(posix);
    error[0] = '\0';
    open_disk();
    disk_posix_close(posix);
}

TEST(a_directory_is_made_where_it_is_absent)
{
    start();
    disk_posix_close(posix);
    char path[100], below[120];
    snprintf(path, sizeof path, "%s/data", root);
    snprintf(below, sizeof below, "%s/1/", path);
    options.path = below;
    open_disk();
    CHECK_EQ(append("a.log", "x"), 0);
    disk_posix_close(posix);
    CHECK_EQ(access(below, F_OK), 0);
    remove_files(below);
    remove_files(path);
}

TEST(a_path_that_is_no_directory_is_refused)
{
    start();
    append("file", "x");
    disk_posix_close(posix);
    char path[100], expected[200];
    snprintf(path, sizeof path, "%s/file", root);
    options.path = path;
    CHECK(disk_posix_open(&options, error, sizeof error) == NULL);
    snprintf(expected, sizeof expected, "%s: Not a directory", path);
    CHECK_TEXT(error, expected);
}

// ---- a node on top --------------------------------------------------------------

static raft_index applied;

static void send_nothing(void *context, const struct raft_message *messages,
                         uint32_t count)
{
    (void)context, (void)messages, (void)count;
}

static void apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    (void)context;
    applied = entries[count - 1].index;
}

static void no_read(void *context, uint64_t id, enum raft_status status)
{
    (void)context, (void)id, (void)status;
}

static struct host_io io_of(void)
{
    return (struct host_io){.disk = disk,
                            .network = {NULL, send_nothing},
                            .machine = {NULL, apply, no_read}};
}

static void *memory;

static struct host *open_node(uint64_t now_ms)
{
    struct host_config config;
    host_config_default(&config);
    config.raft.id = 1;
    config.raft.log_entries_max = 1 << 16;
    config.raft.configuration.count = 1;
    config.raft.configuration.members[0] =
        (struct raft_member){.id = 1, .role = RAFT_VOTER};
    config.segment_bytes_max = 4096;
    memory = aligned_alloc(16, host_size(&config));
    struct host_io io = io_of();
    struct host *host = host_open(memory, &config, &io, now_ms, error, sizeof error);
    CHECK_TEXT(error, "");
    return host;
}

// Ends the sync under way, as a worker thread and its event loop would.
static void end_sync(struct host *host, uint64_t now_ms)
{
    struct host_io io = io_of();
    while (handed_fd >= 0) {
        int fd = handed_fd;
        handed_fd = -1;
        host_synced(host, &io, now_ms, handed_token,
                    disk_posix_sync_fd(fd, handed_directory_fd));
        CHECK(host_stopped(host) == NULL);
    }
}

static void lead(struct host *host, uint64_t *now_ms)
{
    struct host_io io = io_of();
    struct raft_view view;
    for (int i = 0; i < 100; i++) {
        *now_ms = host_deadline_ms(host);
        host_tick(host, &io, *now_ms);
        end_sync(host, *now_ms);
        raft_observe(host_raft(host), &view);
        // A long log is applied in turns.
        if (view.role == RAFT_LEADER && !host_busy(host) &&
            view.last_applied == view.last_index)
            return;
    }
    test_fail(__FILE__, __LINE__, "a cluster of one elects no leader");
}

// Proposes for ever, and tells each index that was applied.
static void run_node(int report_fd)
{
    uint64_t now_ms = 0;
    open_disk();
    struct host *host = open_node(0);
    struct host_io io = io_of();
    lead(host, &now_ms);
    for (;;) {
        struct raft_command command = {"a value of some bytes", 21};
        raft_index index;
        raft_term term;
        CHECK_EQ(host_propose(host, &io, now_ms, &command, 1, &index, &term), RAFT_OK);
        end_sync(host, now_ms);
        if (write(report_fd, &applied, sizeof applied) != sizeof applied)
            exit(1);
    }
}

TEST(a_node_killed_under_load_has_all_that_it_acknowledged)
{
    start();
    disk_posix_close(posix);
    raft_index acked = 0;
    for (int round = 0; round < 3; round++) {
        int report[2];
        CHECK_EQ(pipe(report), 0);
        pid_t child = fork();
        if (child == 0)
            run_node(report[1]);
        close(report[1]);
        raft_index goal = acked + ACKED_BEFORE_KILL;
        while (acked < goal)
            CHECK_EQ(read(report[0], &acked, sizeof acked), sizeof acked);
        kill(child, SIGKILL);
        while (read(report[0], &acked, sizeof acked) == sizeof acked) {
        }
        close(report[0]);
        CHECK_EQ(waitpid(child, NULL, 0), child);

        open_disk();
        uint64_t now_ms = 0;
        struct host *host = open_node(0);
        struct raft_view view;
        raft_observe(host_raft(host), &view);
        CHECK(view.last_index >= acked);
        lead(host, &now_ms);
        CHECK(applied >= acked);
        disk_posix_close(posix);
        free(memory);
    }
}

TEST_MAIN
