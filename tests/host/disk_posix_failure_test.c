// System calls that fail under the POSIX disk: each is told as what it was, and nothing
// is told as done that is not.
#include "raft/host/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

enum { AHEAD = 100000 };

static char root[64];
static char error[200];
static char told[400];
static struct disk_posix_options options;
static struct disk_posix *posix;
static struct disk disk;
static struct rlimit descriptors;

static const char *path_of(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void clean(void)
{
    setrlimit(RLIMIT_NOFILE, &descriptors);
    DIR *directory = opendir(root);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (unlink(path_of(entry->d_name)) != 0)
            rmdir(path_of(entry->d_name));
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(root);
}

static void open_disk(void)
{
    posix = disk_posix_open(&options, error, sizeof error);
    CHECK_TEXT(error, "");
    CHECK(posix != NULL);
    disk = disk_posix_disk(posix);
}

static int hand_out(void *context, int fd, int directory_fd, uint64_t token)
{
    (void)context, (void)fd, (void)directory_fd, (void)token;
    test_fail(__FILE__, __LINE__, "nothing can be handed out");
}

static void start(void)
{
    bool shm = access("/dev/shm", W_OK) == 0;
    snprintf(root, sizeof root, "%s/disk_failure_XXXXXX", shm ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(root) != NULL);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    atexit(clean);
    disk_posix_options_default(&options);
    options.path = root;
    options.zeros_ahead_bytes = AHEAD;
    options.start_sync = hand_out;
    open_disk();
}

static int append(const char *name, const char *text)
{
    return disk.append(disk.context, name, text, strlen(text));
}

static int64_t read_some(const char *name)
{
    char bytes[10];
    return disk.read(disk.context, name, 0, bytes, sizeof bytes);
}

static void visit(void *argument, const char *name, uint64_t size)
{
    (void)argument;
    size_t length = strlen(told);
    snprintf(told + length, sizeof told - length, "%s=%d ", name, (int)size);
}

static int list(void)
{
    told[0] = '\0';
    return disk.list(disk.context, visit, NULL);
}

// Takes the descriptors away under which this file, or directory, is open here.
static void close_descriptors_of(const char *path)
{
    struct stat wanted, about;
    CHECK_EQ(stat(path, &wanted), 0);
    int closed = 0;
    for (int fd = 3; fd < 256; fd++) {
        if (fstat(fd, &about) == 0 && about.st_ino == wanted.st_ino &&
            about.st_dev == wanted.st_dev)
            closed += close(fd) == 0;
    }
    CHECK_EQ(closed, 1);
}

// Until allow_descriptors(), nothing more can be opened.
static void forbid_descriptors(void)
{
    int lowest = dup(0);
    CHECK(lowest > 0);
    close(lowest);
    struct rlimit none = {.rlim_cur = (rlim_t)lowest, .rlim_max = descriptors.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void allow_descriptors(void)
{
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

// ---- a file that answers no call --------------------------------------------------

TEST(a_file_that_fails_is_told_by_each_call)
{
    start();
    CHECK_EQ(append("a.log", "abc"), 0);
    close_descriptors_of(path_of("a.log"));
    CHECK_EQ(append("a.log", "def"), -EBADF);
    CHECK_EQ(read_some("a.log"), -EBADF);
    CHECK_EQ(disk.sync(disk.context, "a.log", 0), -EBADF);
    CHECK_EQ(disk.sync(disk.context, "a.log", 7), -EBADF);
    CHECK_EQ(disk.truncate(disk.context, "a.log", 1), -EBADF);
    CHECK_EQ(disk.rename(disk.context, "a.log", "b.log"), -EBADF);
    disk_posix_close(posix);
    open_disk();
    CHECK_EQ(list(), 0);
    CHECK_EQ(strncmp(told, "a.log=", 6), 0); // it was not renamed, either
    CHECK(strchr(told, ' ')[1] == '\0');
    disk_posix_close(posix);
}

// What was to be written ahead of it cannot be cut away: so it is not forgotten.
TEST(a_file_that_cannot_be_put_aside_makes_no_room_for_another)
{
    start();
    char name[] = "0.log";
    for (name[0] = '0'; name[0] < '8'; name[0]++)
        CHECK_EQ(append(name, "abc"), 0);
    close_descriptors_of(path_of("0.log"));
    CHECK_EQ(append("8.log", "abc"), -EBADF);
    CHECK_EQ(access(path_of("8.log"), F_OK), -1);
    CHECK_EQ(read_some("7.log"), 3);
    disk_posix_close(posix);
}

TEST(the_file_used_longest_ago_makes_room)
{
    start();
    char name[] = "0.log";
    for (name[0] = '0'; name[0] < '8'; name[0]++)
        CHECK_EQ(append(name, "abc"), 0);
    CHECK_EQ(read_some("0.log"), 3); // used again
    CHECK_EQ(append("8.log", "abc"), 0);
    struct stat about;
    CHECK_EQ(stat(path_of("0.log"), &about), 0);
    CHECK_EQ(about.st_size, 3 + AHEAD); // still open
    CHECK_EQ(stat(path_of("1.log"), &about), 0);
    CHECK_EQ(about.st_size, 3); // closed, and its zeros cut
    disk_posix_close(posix);
}

// ---- the directory ----------------------------------------------------------------

// The file's bytes are safe, its name is not: that is no sync.
TEST(a_directory_that_cannot_be_synced_fails_the_sync_of_a_new_file)
{
    start();
    CHECK_EQ(append("a.log", "abc"), 0);
    CHECK_EQ(append("b.log", "abc"), 0);
    close_descriptors_of(root);
    CHECK_EQ(disk.sync(disk.context, "a.log", 0), -EBADF);
    CHECK_EQ(disk.sync(disk.context, "b.log", 0), -EBADF); // nor later
    CHECK_EQ(disk.rename(disk.context, "a.log", "c.log"), -EBADF);
    CHECK_EQ(disk.remove(disk.context, "a.log"), -EBADF);
    CHECK_EQ(list(), -EBADF);
    CHECK_EQ(read_some("a.log"), 3); // under the name that it has kept
    disk_posix_close(posix);
}

TEST(a_process_out_of_descriptors_is_told_so_and_goes_on_later)
{
    start();
    CHECK_EQ(append("a.log", "abc"), 0);
    forbid_descriptors();
    CHECK_EQ(append("b.log", "abc"), -EMFILE);
    CHECK_EQ(disk.sync(disk.context, "a.log", 7), -EMFILE);
    CHECK_EQ(list(), -EMFILE);
    CHECK_EQ(disk.sync(disk.context, "a.log", 0), 0); // is open
    allow_descriptors();
    CHECK_EQ(append("b.log", "abc"), 0);
    CHECK_EQ(list(), 0);
    CHECK_TEXT(told, "a.log=3 b.log=3 ");
    disk_posix_close(posix);
}

TEST(a_file_that_leads_nowhere_fails_the_listing)
{
    start();
    CHECK_EQ(append("a.log", "abc"), 0);
    CHECK_EQ(symlink("nowhere", path_of("b.log")), 0);
    CHECK_EQ(append("c.log", "abc"), 0);
    CHECK_EQ(list(), -ENOENT);
    CHECK_TEXT(told, "a.log=3 "); // and nothing behind it
    disk_posix_close(posix);
}

TEST(an_empty_directory_has_no_files)
{
    start();
    CHECK_EQ(list(), 0);
    CHECK_TEXT(told, "");
    disk_posix_close(posix);
}

TEST(files_of_others_are_not_listed)
{
    start();
    char longer[65];
    memset(longer, 'n', 64);
    longer[64] = '\0';
    int fd = open(path_of(longer), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQ(append("a", "abc"), 0);
    CHECK_EQ(list(), 0);
    CHECK_TEXT(told, "a=3 "); // not the lock, nor a name longer than ours
    CHECK_EQ(append(longer, "x"), -EINVAL);
    CHECK_EQ(disk.rename(disk.context, "a", longer), -EINVAL);
    longer[63] = '\0';
    CHECK_EQ(disk.rename(disk.context, "a", longer), 0);
    CHECK_EQ(read_some(longer), 3);
    disk_posix_close(posix);
}

TEST(a_rename_to_its_own_name_changes_nothing)
{
    start();
    CHECK_EQ(append("a", "abc"), 0);
    CHECK_EQ(disk.rename(disk.context, "a", "a"), 0);
    CHECK_EQ(read_some("a"), 3);
    disk_posix_close(posix);
}

TEST(without_a_suffix_zeros_go_ahead_of_every_file)
{
    start();
    disk_posix_close(posix);
    options.zeros_ahead_suffix = NULL;
    open_disk();
    struct stat about;
    CHECK_EQ(append("a", "abc"), 0);
    CHECK_EQ(stat(path_of("a"), &about), 0);
    CHECK_EQ(about.st_size, 3 + AHEAD);
    disk_posix_close(posix);
    options.zeros_ahead_bytes = 0;
    open_disk();
    CHECK_EQ(append("b", "abc"), 0);
    CHECK_EQ(stat(path_of("b"), &about), 0);
    CHECK_EQ(about.st_size, 3);
    disk_posix_close(posix);
}

// ---- opening ----------------------------------------------------------------------

static void check_refused(const char *path, const char *why)
{
    char expected[300];
    options.path = path;
    CHECK(disk_posix_open(&options, error, sizeof error) == NULL);
    snprintf(expected, sizeof expected, "%s: %s", path, why);
    CHECK_TEXT(error, expected);
    error[0] = '\0';
}

TEST(a_directory_that_cannot_be_made_is_refused)
{
    start();
    CHECK_EQ(append("file", "x"), 0);
    disk_posix_close(posix);
    char path[200];
    snprintf(path, sizeof path, "%s/file/below/it", root);
    check_refused(path, "cannot create the directory: Not a directory");
    snprintf(path, sizeof path, "%s/new/below", root);
    forbid_descriptors(); // its name in the directory above it cannot be synced
    check_refused(path, "cannot create the directory: Too many open files");
    check_refused(root, "Too many open files");
    allow_descriptors();
}

TEST(a_lock_that_cannot_be_had_is_no_lock)
{
    start();
    disk_posix_close(posix);
    CHECK_EQ(unlink(path_of("lock")), 0);
    CHECK_EQ(mkdir(path_of("lock"), 0755), 0);
    check_refused(root, "Is a directory");
    CHECK_EQ(rmdir(path_of("lock")), 0);
    CHECK_EQ(symlink("lock", path_of("lock")), 0); // to itself
    options.read_only = true;
    check_refused(root, "Too many levels of symbolic links");
}

TEST_MAIN
