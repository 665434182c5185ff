// confine: runs a program that holds somebody else's code, so that all it can do is
// compute, read what it is given and write to the pipes that it was given.
//
//     confine MODE CPU_SECONDS MEBIBYTES PROGRAM [ARGUMENT...]
//
// MODE is `alone` (no further process), `crew` (it may fork) or `crew:DIR` (and write
// in that folder). MEBIBYTES 0: memory is not limited here (a sanitizer reserves
// terabytes of addresses). The environment is empty but for the sanitizers' options. As
// root it becomes nobody. Files can be opened for reading only, nothing can be renamed
// or removed, there is no network and no other program can be started. Code 125: the
// fence itself could not be put up.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    FENCE_FAILED = 125,
    NOBODY = 65534,
    PROGRAM_FILE = 900, // beyond FILES_MAX: closed by exec, and never to be had again
    FILES_MAX = 64,
    PROCESSES_MAX = 128,
    FILTER_MAX = 256,
};

#define FILE_BYTES_MAX (1 << 20) // of memfds: no real file is open for writing

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static void fail(const char *what)
{
    fprintf(stderr, "confine: %s: %s\n", what, strerror(errno));
    exit(FENCE_FAILED);
}

static void limit(int resource, rlim_t most, rlim_t never_more)
{
    struct rlimit bounds;

    // Whoever started us may have set a lower one.
    if (getrlimit(resource, &bounds) != 0)
        fail("getrlimit");
    if (bounds.rlim_max == RLIM_INFINITY || bounds.rlim_max > never_more)
        bounds.rlim_max = never_more;
    if (bounds.rlim_cur == RLIM_INFINITY || bounds.rlim_cur > most)
        bounds.rlim_cur = most;
    if (bounds.rlim_cur > bounds.rlim_max)
        bounds.rlim_cur = bounds.rlim_max;
    if (setrlimit(resource, &bounds) != 0)
        fail("setrlimit");
}

// ---- which system calls there are ------------------------------------------------

#ifdef ARCHITECTURE

static struct sock_filter filter[FILTER_MAX];
static unsigned short length;

static void add(struct sock_filter line)
{
    if (length == FILTER_MAX)
        abort();
    filter[length++] = line;
}

static void load(size_t offset)
{
    add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset));
}

static void answer(unsigned what)
{
    add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static size_t argument(int number)
{
    return offsetof(struct seccomp_data, args) + sizeof(__u64) * (size_t)number;
}

static void refuse(int call, int error)
{
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1));
    answer(SECCOMP_RET_ERRNO | (unsigned)error);
}

// Refuses a call of which an argument has one of these bits, or has none of them.
static void refuse_bits(int call, int number, unsigned bits, bool having)
{
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4));
    load(argument(number));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, having ? 0 : 1,
                                     having ? 1 : 0));
    answer(SECCOMP_RET_ERRNO | EPERM);
    load(offsetof(struct seccomp_data, nr));
}

static void refuse_unless(int call, int number, unsigned value)
{
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 4));
    load(argument(number));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    answer(SECCOMP_RET_ERRNO | EPERM);
    load(offsetof(struct seccomp_data, nr));
}

static const int changing[] = {
#ifdef SYS_open // the calls that newer machines have no more
    SYS_creat,     SYS_rename,    SYS_unlink,    SYS_mkdir,     SYS_rmdir,
    SYS_link,      SYS_symlink,   SYS_chmod,     SYS_chown,     SYS_lchown,
    SYS_mknod,     SYS_utime,     SYS_utimes,    SYS_futimesat,
#endif
    SYS_renameat,  SYS_renameat2, SYS_unlinkat,  SYS_mkdirat,   SYS_linkat,
    SYS_symlinkat, SYS_truncate,  SYS_fchmod,    SYS_fchmodat,  SYS_fchown,
    SYS_fchownat,  SYS_mknodat,   SYS_utimensat, SYS_setxattr,  SYS_lsetxattr,
};
static const int refused[] = {
    SYS_socket,
    SYS_socketpair,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_execve,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_mount,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_userfaultfd,
};
static const int unknown[] = {SYS_openat2, SYS_io_uring_setup, SYS_io_uring_enter};

static void fence(bool alone, bool writes)
{
    const unsigned writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    struct sock_fprog program = {.filter = filter};

    load(offsetof(struct seccomp_data, arch));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    answer(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(struct seccomp_data, nr));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    answer(SECCOMP_RET_KILL_PROCESS);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        refuse(refused[i], EPERM);
    for (size_t i = 0; !writes && i < sizeof(changing) / sizeof(changing[0]); i++)
        refuse(changing[i], EPERM);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        refuse(unknown[i], ENOSYS);
#ifdef SYS_open
    if (!writes)
        refuse_bits(SYS_open, 1, writing, true);
#endif
    if (!writes)
        refuse_bits(SYS_openat, 2, writing, true);
    refuse_unless(SYS_execveat, 0, PROGRAM_FILE);
    if (alone) {
        // Threads may be (a sanitizer's own watches the memory), processes not. The
        // flags of clone3 cannot be seen: without it the library asks clone.
#ifdef SYS_fork
        refuse(SYS_fork, EPERM);
        refuse(SYS_vfork, EPERM);
#endif
        refuse(SYS_clone3, ENOSYS);
        refuse_bits(SYS_clone, 0, CLONE_THREAD, false);
        refuse_unless(SYS_kill, 0, (unsigned)getpid());
        refuse_unless(SYS_tgkill, 0, (unsigned)getpid());
        refuse(SYS_tkill, EPERM);
    }
    answer(SECCOMP_RET_ALLOW);
    program.len = length;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("no filter of system calls");
}

#else
static void fence(bool alone, bool writes)
{
    (void)(alone || writes); // limits and the other user have to do
}
#endif

// ---- the rest --------------------------------------------------------------------

static void become_nobody(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
        fail("cannot become nobody");
    limit(RLIMIT_NPROC, PROCESSES_MAX,
          PROCESSES_MAX); // of this user: no one else's count
}

// Whether all that can be written from now on lies in that folder (and in /dev/null).
static bool only_in(const char *folder)
{
    const __u64 changes = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 -
                          LANDLOCK_ACCESS_FS_EXECUTE - LANDLOCK_ACCESS_FS_READ_FILE -
                          LANDLOCK_ACCESS_FS_READ_DIR;
    const struct landlock_ruleset_attr rules = {.handled_access_fs = changes};
    const char *const places[] = {folder, "/dev/null"};
    const __u64 rights[] = {changes, LANDLOCK_ACCESS_FS_WRITE_FILE};
    int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

    if (set < 0)
        return geteuid() == NOBODY; // who may write next to nothing anyway
    for (int i = 0; i < 2; i++) {
        struct landlock_path_beneath_attr place = {
            .allowed_access = rights[i],
            .parent_fd = open(places[i], O_PATH | O_CLOEXEC),
        };

        if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &place,
                    0) != 0)
            fail(places[i]);
        close(place.parent_fd);
    }
    if (syscall(SYS_landlock_restrict_self, set, 0) != 0)
        fail("landlock");
    close(set);
    return true;
}

static void keep_only(int program)
{
    if (dup3(program, PROGRAM_FILE, O_CLOEXEC) < 0)
        fail("dup3");
    for (int file = STDERR_FILENO + 1; file < PROGRAM_FILE; file++)
        close(file);
    syscall(SYS_close_range, PROGRAM_FILE + 1, ~0U, 0);
}

static char **environment(void)
{
    static const char *const kept[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS"};
    static char lines[2][1024];
    static char *list[3];
    int count = 0;

    for (int i = 0; i < 2; i++) {
        const char *value = getenv(kept[i]);

        if (value == NULL)
            continue;
        snprintf(lines[count], sizeof(lines[count]), "%s=%s", kept[i], value);
        list[count] = lines[count];
        count++;
    }
    return list;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: confine alone|crew CPU_SECONDS MEBIBYTES PROGRAM...\n");
        return FENCE_FAILED;
    }
    const bool alone = strncmp(argv[1], "crew", 4) != 0;
    const char *scratch = strncmp(argv[1], "crew:", 5) == 0 ? argv[1] + 5 : NULL;
    const rlim_t seconds = strtoul(argv[2], NULL, 10);
    const rlim_t bytes = (rlim_t)strtoul(argv[3], NULL, 10) << 20;
    char **kept = environment();
    int program = open(argv[4], O_RDONLY | O_CLOEXEC);

    if (program < 0)
        fail(argv[4]);
    keep_only(program);
    personality(ADDR_NO_RANDOMIZE); // the same run each time; where it is refused, not
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_CPU, seconds, seconds + 1); // first a signal that says so
    limit(RLIMIT_FSIZE, FILE_BYTES_MAX, FILE_BYTES_MAX);
    limit(RLIMIT_NOFILE, FILES_MAX, FILES_MAX);
    if (bytes > 0)
        limit(RLIMIT_AS, bytes, bytes);
    become_nobody();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fail("no_new_privs");
    fence(alone, scratch != NULL && only_in(scratch));
    syscall(SYS_execveat, PROGRAM_FILE, "", argv + 4, kept, AT_EMPTY_PATH);
    fail(argv[4]);
}
