// disk_posix.c: files are opened once and kept in a small table.
//
// Invariant: size <= written for each open file; what stands between them is zeros, or
// what an append that failed has left.
#include "raft/host/disk_posix.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILES_MAX = 8,
    NAME_BYTES = 64,
    ZEROS_BYTES = 64 * 1024,             // in one call
    ZEROS_AHEAD_BYTES_DEFAULT = 1 << 20, // more would hold the loop up when it is due
};

static const char lock_name[] = "lock";

struct file {
    char name[NAME_BYTES]; // "": this place is free
    int fd;
    uint64_t size;    // as callers see it
    uint64_t written; // as the file system sees it, at most
    uint64_t used_at;
};

struct disk_posix {
    struct disk_posix_options options; // .path is ours
    int directory_fd;
    int lock_fd; // holds the lock as long as it is open
    // An entry of the directory is new or gone. A sync with a token clears its own mark
    // only: it has not ended when another, which waits, would rely on it.
    bool directory_changed;
    bool directory_changed_token;
    bool zeros_failed; // the disk was too full for them
    uint64_t uses;
    struct file files[FILES_MAX];
};

// ---- system calls that may be interrupted or fall short -------------------------

// Always below 0: what went wrong in the system call just made.
static int failure(void)
{
    int status = -errno;
    assert(status < 0);
    return status;
}

static int write_all(int fd, const void *data, size_t size, uint64_t offset)
{
    const char *bytes = data;
    while (size > 0) {
        ssize_t done = pwrite(fd, bytes, size, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? failure() : -ENOSPC;
        bytes += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return 0;
}

static int cut(int fd, uint64_t size)
{
    while (ftruncate(fd, (off_t)size) != 0) {
        if (errno != EINTR)
            return failure();
    }
    return 0;
}

// A failed sync is reported, never tried again: the second would succeed, since the
// kernel may have dropped what it could not write.
static int sync_all(int fd)
{
    while (fsync(fd) != 0) {
        if (errno != EINTR)
            return failure();
    }
    return 0;
}

static int sync_data(int fd)
{
    while (fdatasync(fd) != 0) {
        if (errno != EINTR)
            return failure();
    }
    return 0;
}

// ---- open files -----------------------------------------------------------------

static void mark_directory(struct disk_posix *posix)
{
    posix->directory_changed = true;
    posix->directory_changed_token = true;
}

static int trim(struct file *file)
{
    if (file->written == file->size)
        return 0;
    int status = cut(file->fd, file->size);
    if (status == 0)
        file->written = file->size;
    return status;
}

static void forget(struct file *file)
{
    close(file->fd);
    file->name[0] = '\0';
}

static struct file *find_open(struct disk_posix *posix, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (strcmp(posix->files[i].name, name) == 0)
            return &posix->files[i];
    }
    return NULL;
}

// A free place; the file used longest ago makes room.
static int find_place(struct disk_posix *posix, struct file **place)
{
    struct file *oldest = &posix->files[0];
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = &posix->files[i];
        if (file->name[0] == '\0') {
            *place = file;
            return 0;
        }
        if (file->used_at < oldest->used_at)
            oldest = file;
    }
    int status = trim(oldest);
    if (status != 0)
        return status;
    forget(oldest);
    *place = oldest;
    return 0;
}

static int open_fd(struct disk_posix *posix, const char *name, bool create)
{
    int mode = posix->options.read_only ? O_RDONLY : O_RDWR;
    int fd = openat(posix->directory_fd, name, mode | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && create) {
        fd = openat(posix->directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                    0644);
        if (fd >= 0) {
            mark_directory(posix);
            posix->zeros_failed = false;
        }
    }
    return fd < 0 ? failure() : fd;
}

static int open_file(struct disk_posix *posix, const char *name, bool create,
                     struct file **opened)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL || strlen(name) >= NAME_BYTES)
        return -EINVAL;
    struct file *file = find_open(posix, name);
    if (file == NULL) {
        int status = find_place(posix, &file);
        if (status != 0)
            return status;
        int fd = open_fd(posix, name, create);
        if (fd < 0)
            return fd;
        struct stat about;
        if (fstat(fd, &about) != 0) {
            status = failure();
            close(fd);
            return status;
        }
        strcpy(file->name, name);
        file->fd = fd;
        file->size = (uint64_t)about.st_size;
        file->written = file->size;
    }
    file->used_at = ++posix->uses;
    *opened = file;
    return 0;
}

// ---- append and sync ------------------------------------------------------------

static bool writes_ahead(const struct disk_posix *posix, const char *name)
{
    const char *suffix = posix->options.zeros_ahead_suffix;
    if (posix->options.zeros_ahead_bytes == 0 || posix->zeros_failed)
        return false;
    if (suffix == NULL)
        return true;
    size_t length = strlen(name);
    return length >= strlen(suffix) &&
           strcmp(name + length - strlen(suffix), suffix) == 0;
}

// Best effort: where the disk is too full for zeros it may still take data. Then the
// room is given back, and no more zeros are tried before the next new file.
static void write_ahead(struct disk_posix *posix, struct file *file)
{
    static const char zeros[ZEROS_BYTES];
    uint64_t end = file->size + posix->options.zeros_ahead_bytes;
    while (file->written < end) {
        uint64_t left = end - file->written;
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        if (write_all(file->fd, zeros, part, file->written) != 0) {
            posix->zeros_failed = true;
            if (cut(file->fd, file->size) == 0)
                file->written = file->size;
            return;
        }
        file->written += part;
    }
}

static int disk_append(void *context, const char *name, const void *data, size_t size)
{
    struct disk_posix *posix = context;
    struct file *file;
    if (posix->options.read_only)
        return -EROFS;
    int status = open_file(posix, name, true, &file);
    if (status != 0)
        return status;
    status = write_all(file->fd, data, size, file->size);
    if (status != 0) {
        // Any part may be there: a cut to the size that callers see has to cut it off.
        if (file->written < file->size + size)
            file->written = file->size + size;
        return status;
    }
    file->size += size;
    if (file->size > file->written) {
        file->written = file->size;
        if (writes_ahead(posix, name))
            write_ahead(posix, file);
    }
    return 0;
}

static int sync_and_wait(struct disk_posix *posix, const struct file *file)
{
    int status = sync_all(file->fd);
    if (status == 0 && posix->directory_changed)
        status = sync_all(posix->directory_fd);
    if (status != 0)
        return status;
    posix->directory_changed = false;
    posix->directory_changed_token = false;
    return 0;
}

static int disk_sync(void *context, const char *name, uint64_t token)
{
    struct disk_posix *posix = context;
    struct file *file;
    int status = open_file(posix, name, false, &file);
    if (status != 0)
        return status;
    if (token == 0)
        return sync_and_wait(posix, file);
    assert(posix->options.start_sync != NULL);
    // A descriptor of its own: ours may be closed before the sync has begun.
    int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return failure();
    int directory_fd = posix->directory_changed_token ? posix->directory_fd : -1;
    status = posix->options.start_sync(posix->options.context, fd, directory_fd, token);
    if (status == 0)
        posix->directory_changed_token = false;
    else
        close(fd);
    return status;
}

int disk_posix_sync_fd(int fd, int directory_fd)
{
    int status = sync_data(fd);
    close(fd);
    if (status == 0 && directory_fd >= 0)
        status = sync_all(directory_fd);
    return status;
}

// ---- read, rename, list, remove, truncate ---------------------------------------

static int64_t disk_read(void *context, const char *name, uint64_t offset, void *data,
                         size_t size)
{
    struct file *file;
    int status = open_file(context, name, false, &file);
    if (status != 0)
        return status;
    if (offset >= file->size)
        return 0;
    if (size > file->size - offset)
        size = (size_t)(file->size - offset);
    ssize_t done;
    do {
        done = pread(file->fd, data, size, (off_t)offset);
    } while (done < 0 && errno == EINTR);
    return done < 0 ? failure() : done;
}

static int disk_rename(void *context, const char *from, const char *to)
{
    struct disk_posix *posix = context;
    struct file *file;
    if (posix->options.read_only)
        return -EROFS;
    if (strlen(to) >= NAME_BYTES)
        return -EINVAL;
    int status = open_file(posix, from, false, &file);
    if (status == 0)
        status = trim(file);
    if (status != 0)
        return status;
    if (renameat(posix->directory_fd, from, posix->directory_fd, to) != 0)
        return failure();
    mark_directory(posix);
    struct file *replaced = find_open(posix, to);
    if (replaced != NULL && replaced != file)
        forget(replaced);
    strcpy(file->name, to);
    return 0;
}

struct listing {
    char (*names)[NAME_BYTES];
    size_t count;
    size_t capacity;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int add_name(struct listing *listing, const char *name)
{
    if (strlen(name) >= NAME_BYTES || strcmp(name, lock_name) == 0)
        return 0; // not a file of the node's
    if (listing->count == listing->capacity) {
        size_t more = listing->capacity == 0 ? 16 : 2 * listing->capacity;
        void *names = realloc(listing->names, more * NAME_BYTES);
        if (names == NULL)
            return -ENOMEM;
        listing->names = names;
        listing->capacity = more;
    }
    strcpy(listing->names[listing->count++], name);
    return 0;
}

static int read_names(struct disk_posix *posix, struct listing *listing)
{
    int fd = openat(posix->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        int status = failure();
        if (fd >= 0)
            close(fd);
        return status;
    }
    int status = 0;
    while (status == 0) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            status = -errno; // 0 at the end of the directory
            break;
        }
        status = add_name(listing, entry->d_name);
    }
    closedir(directory);
    return status;
}

static int disk_list(void *context,
                     void (*visit)(void *argument, const char *name, uint64_t size),
                     void *argument)
{
    struct disk_posix *posix = context;
    struct listing listing = {NULL, 0, 0};
    int status = read_names(posix, &listing);
    if (listing.count > 0)
        qsort(listing.names, listing.count, NAME_BYTES, compare_names);
    for (size_t i = 0; i < listing.count && status == 0; i++) {
        const char *name = listing.names[i];
        const struct file *file = find_open(posix, name);
        struct stat about;
        if (file != NULL)
            visit(argument, name, file->size);
        else if (fstatat(posix->directory_fd, name, &about, 0) != 0)
            status = failure();
        else if (S_ISREG(about.st_mode))
            visit(argument, name, (uint64_t)about.st_size);
    }
    free(listing.names);
    return status;
}

static int disk_remove(void *context, const char *name)
{
    struct disk_posix *posix = context;
    struct file *file = find_open(posix, name);
    if (posix->options.read_only)
        return -EROFS;
    if (unlinkat(posix->directory_fd, name, 0) != 0)
        return failure();
    if (file != NULL)
        forget(file);
    mark_directory(posix);
    return 0;
}

static int disk_truncate(void *context, const char *name, uint64_t size)
{
    struct disk_posix *posix = context;
    struct file *file;
    if (posix->options.read_only)
        return -EROFS;
    int status = open_file(posix, name, false, &file);
    if (status != 0)
        return status;
    if (size > file->size)
        return -EINVAL; // cuts, never grows
    file->size = size;
    return trim(file);
}

// ---- life cycle -----------------------------------------------------------------

void disk_posix_options_default(struct disk_posix_options *options)
{
    memset(options, 0, sizeof *options);
    options->zeros_ahead_bytes = ZEROS_AHEAD_BYTES_DEFAULT;
    options->zeros_ahead_suffix = ".log";
}

// The entry of a directory stands in the one above it.
static int sync_above(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failure();
    int above = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = above < 0 ? failure() : sync_all(above);
    if (above >= 0)
        close(above);
    close(fd);
    return status;
}

static int make_directory(const char *path)
{
    if (mkdir(path, 0755) != 0)
        return errno == EEXIST ? 0 : failure();
    return sync_above(path);
}

// Makes each directory of the path that is absent.
static int make_directories(const char *path)
{
    char *part = strdup(path);
    if (part == NULL)
        return -ENOMEM;
    int status = 0;
    for (size_t i = 1; i <= strlen(path) && status == 0; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        part[i] = '\0';
        status = make_directory(part);
        part[i] = path[i];
    }
    free(part);
    return status;
}

static int open_directory(struct disk_posix *posix)
{
    posix->directory_fd = open(posix->options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return posix->directory_fd < 0 ? failure() : 0;
}

static int lock_directory(struct disk_posix *posix)
{
    int mode = posix->options.read_only ? O_RDONLY : O_RDWR | O_CREAT;
    posix->lock_fd = openat(posix->directory_fd, lock_name, mode | O_CLOEXEC, 0644);
    if (posix->lock_fd < 0 && errno == ENOENT && posix->options.read_only)
        return 0; // nobody has ever used it
    if (posix->lock_fd < 0)
        return failure();
    while (flock(posix->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR)
            return failure();
    }
    return 0;
}

struct disk_posix *disk_posix_open(const struct disk_posix_options *options,
                                   char *error, size_t error_size)
{
    struct disk_posix *posix = calloc(1, sizeof *posix);
    char *path = strdup(options->path);
    if (posix == NULL || path == NULL) {
        free(posix);
        free(path);
        snprintf(error, error_size, "%s: out of memory", options->path);
        return NULL;
    }
    posix->options = *options;
    posix->options.path = path;
    posix->directory_fd = -1;
    posix->lock_fd = -1;
    int status = options->read_only ? 0 : make_directories(path);
    bool made = status == 0;
    if (made)
        status = open_directory(posix);
    if (status == 0)
        status = lock_directory(posix);
    if (status == 0)
        return posix;
    const char *why = status == -EWOULDBLOCK ? "another process uses this directory"
                                             : strerror(-status);
    snprintf(error, error_size, "%s: %s%s", options->path,
             made ? "" : "cannot create the directory: ", why);
    disk_posix_close(posix);
    return NULL;
}

void disk_posix_close(struct disk_posix *posix)
{
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = &posix->files[i];
        if (file->name[0] == '\0')
            continue;
        trim(file); // where it fails, the zeros stay: the format tolerates them
        forget(file);
    }
    if (posix->lock_fd >= 0)
        close(posix->lock_fd);
    if (posix->directory_fd >= 0)
        close(posix->directory_fd);
    free((char *)posix->options.path);
    free(posix);
}

struct disk disk_posix_disk(struct disk_posix *posix)
{
    return (struct disk){.context = posix,
                         .append = disk_append,
                         .sync = disk_sync,
                         .read = disk_read,
                         .rename = disk_rename,
                         .list = disk_list,
                         .remove = disk_remove,
                         .truncate = disk_truncate};
}
