#include "sim/tool/workers.h"

#include "sim/tool/tool.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#endif

enum {
    JOBS_MAX = 256,
    WINDOW = 4096, // numbers that may be ahead of the first that is not there yet
    SAID_SIZE = 300,
    WATCH_MS = 100,
};

#define WORKER_BYTES_MAX ((rlim_t)4 << 30)

// A child, and its pipes as the parent sees them.
struct worker {
    pid_t pid; // 0: none
    int to, from, errors;
    bool busy;
    uint64_t number;
    uint64_t start_ms;      // of its number, in real time,
    uint64_t start_used_ms; // and what it had used of the processor
    struct buffer read;     // part of a result
    char said[SAID_SIZE];
    size_t said_size;
};

// A result that waits for those before it.
struct slot {
    bool here;
    enum workers_end end;
    int status;
    struct buffer data;
    char said[SAID_SIZE];
};

struct crew {
    const struct workers *plan;
    struct worker workers[JOBS_MAX];
    struct slot *slots; // by number, modulo WINDOW
    uint64_t next;      // to be handed out
    uint64_t wanted;    // the first that was not taken
    bool ended;         // nothing new begins
};

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

// ---- the child ------------------------------------------------------------------

static bool read_all(int file, void *data, size_t size)
{
    for (char *at = data; size > 0;) {
        ssize_t got = read(file, at, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_all(int file, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t put = write(file, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        at += put;
        size -= (size_t)put;
    }
    return true;
}

// A run that has lost its way must not take the machine with it.
static void limit_memory(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
#ifndef SANITIZED
    struct rlimit bytes = {WORKER_BYTES_MAX, WORKER_BYTES_MAX};

    setrlimit(RLIMIT_AS, &bytes);
#endif
}

static void work(const struct workers *plan, int from, int to)
{
    struct buffer out = {0};
    uint64_t number;

    while (read_all(from, &number, sizeof(number))) {
        uint64_t size;

        buffer_clear(&out);
        plan->work(plan->context, number, &out);
        size = out.size;
        if (!write_all(to, &size, sizeof(size)) || !write_all(to, out.data, out.size))
            break;
    }
    buffer_free(&out);
}

// ---- starting one ---------------------------------------------------------------

static void close_worker(struct worker *worker)
{
    close(worker->to);
    close(worker->from);
    close(worker->errors);
}

static void become_worker(const struct crew *crew, const int pipes[3][2])
{
    signal(SIGINT, SIG_IGN); // Ctrl-C at the terminal is the parent's
    signal(SIGTERM, SIG_DFL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    limit_memory();
    for (uint32_t i = 0; i < crew->plan->jobs; i++)
        if (crew->workers[i].pid != 0)
            close_worker((struct worker *)&crew->workers[i]);
    dup2(pipes[2][1], STDERR_FILENO);
    close(pipes[0][1]);
    close(pipes[1][0]);
    close(pipes[2][0]);
    close(pipes[2][1]);
    work(crew->plan, pipes[0][0], pipes[1][1]);
    _exit(0);
}

static void start(struct crew *crew, struct worker *worker)
{
    int pipes[3][2]; // numbers, results, stderr

    if (pipe(pipes[0]) != 0 || pipe(pipes[1]) != 0 || pipe(pipes[2]) != 0) {
        perror("raftsim: cannot make a pipe");
        exit(TOOL_USAGE);
    }
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid < 0) {
        perror("raftsim: cannot start a worker");
        exit(TOOL_USAGE);
    }
    if (worker->pid == 0)
        become_worker(crew, (const int(*)[2])pipes);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    worker->to = pipes[0][1];
    worker->from = pipes[1][0];
    worker->errors = pipes[2][0];
    worker->busy = false;
    buffer_clear(&worker->read);
}

// ---- results --------------------------------------------------------------------

static void file_result(struct crew *crew, struct worker *worker, enum workers_end end,
                        int status)
{
    struct slot *slot = &crew->slots[worker->number % WINDOW];

    assert(!slot->here && worker->busy);
    slot->here = true;
    slot->end = end;
    slot->status = status;
    memcpy(slot->said, worker->said, sizeof(slot->said));
    slot->said[strcspn(slot->said, "\n")] = '\0';
    worker->busy = false;
}

static void listen_to(struct worker *worker)
{
    char text[512];
    ssize_t got = read(worker->errors, text, sizeof(text));
    size_t room = sizeof(worker->said) - 1 - worker->said_size;

    if (got <= 0)
        return;
    if ((size_t)got < room)
        room = (size_t)got;
    memcpy(worker->said + worker->said_size, text, room);
    worker->said_size += room;
    worker->said[worker->said_size] = '\0';
}

// What a dead worker has left to say is in the pipe: nobody else holds its other end.
static void bury(struct crew *crew, struct worker *worker, enum workers_end end)
{
    struct pollfd left = {.fd = worker->errors, .events = POLLIN};
    int status = 0;

    if (end == WORKERS_ENDLESS)
        kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    while (poll(&left, 1, 0) > 0 && (left.revents & POLLIN) != 0)
        listen_to(worker);
    if (worker->busy)
        file_result(crew, worker, end, status);
    close_worker(worker);
    worker->pid = 0;
}

// Takes what has come of a result; whole, it is filed.
static void receive(struct crew *crew, struct worker *worker)
{
    char data[65536];
    ssize_t got = read(worker->from, data, sizeof(data));
    uint64_t size;

    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        bury(crew, worker, WORKERS_CRASHED);
        return;
    }
    buffer_append(&worker->read, data, (size_t)got);
    if (worker->read.size < sizeof(size))
        return;
    memcpy(&size, worker->read.data, sizeof(size));
    if (worker->read.size - sizeof(size) < size)
        return;
    buffer_consume(&worker->read, sizeof(size));
    crew->slots[worker->number % WINDOW].data = worker->read;
    worker->read = (struct buffer){0};
    file_result(crew, worker, WORKERS_DONE, 0);
}

// Gives on what is there without a gap.
static void take(struct crew *crew)
{
    while (crew->wanted < crew->next) {
        struct slot *slot = &crew->slots[crew->wanted % WINDOW];
        struct workers_result result = {
            .number = crew->wanted,
            .end = slot->end,
            .status = slot->status,
            .data = slot->data.data,
            .size = slot->data.size,
            .said = slot->said,
        };
        bool more;

        if (!slot->here)
            return;
        more = crew->plan->take(crew->plan->context, &result);
        buffer_free(&slot->data);
        slot->here = false;
        crew->wanted++;
        if (!more) {
            crew->ended = true;
            crew->next = crew->wanted; // what is under way is not wanted either
            return;
        }
    }
}

// ---- the parent -----------------------------------------------------------------

// Of the processor, since it began.
static uint64_t used_ms(const struct worker *worker)
{
    struct timespec used = {0};
    clockid_t clock;

    if (clock_getcpuclockid(worker->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0; // it is dead: the end of its results tells
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void hand_out(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->plan->jobs; i++) {
        struct worker *worker = &crew->workers[i];

        if (crew->ended || crew->next > crew->plan->last ||
            crew->next - crew->wanted >= WINDOW)
            return;
        if (worker->busy)
            continue;
        if (worker->pid == 0)
            start(crew, worker);
        worker->busy = true;
        worker->number = crew->next++;
        worker->start_ms = tool_now_ms();
        worker->start_used_ms = used_ms(worker);
        worker->said_size = 0;
        worker->said[0] = '\0';
        // Where it is dead already, the end of its results tells.
        (void)!write_all(worker->to, &worker->number, sizeof(worker->number));
    }
}

static void wait_for_news(struct crew *crew)
{
    struct pollfd files[2 * JOBS_MAX];
    uint32_t jobs = crew->plan->jobs;

    for (uint32_t i = 0; i < jobs; i++) {
        const struct worker *worker = &crew->workers[i];
        bool there = worker->pid != 0;

        files[2 * i] = (struct pollfd){there ? worker->from : -1, POLLIN, 0};
        files[2 * i + 1] = (struct pollfd){there ? worker->errors : -1, POLLIN, 0};
    }
    if (poll(files, 2 * jobs, WATCH_MS) <= 0)
        return;
    for (uint32_t i = 0; i < jobs; i++) {
        if ((files[2 * i + 1].revents & POLLIN) != 0)
            listen_to(&crew->workers[i]);
        if (files[2 * i].revents != 0)
            receive(crew, &crew->workers[i]);
    }
}

// A machine that is busy with other things makes no run endless.
static bool takes_too_long(const struct worker *worker, uint64_t limit_ms)
{
    return used_ms(worker) - worker->start_used_ms > limit_ms ||
           tool_now_ms() - worker->start_ms > WORKERS_WAIT_FACTOR * limit_ms;
}

static void end_what_takes_too_long(struct crew *crew)
{
    uint64_t limit_ms = crew->plan->limit_ms;

    for (uint32_t i = 0; i < crew->plan->jobs; i++) {
        struct worker *worker = &crew->workers[i];

        if (worker->busy && limit_ms > 0 && takes_too_long(worker, limit_ms))
            bury(crew, worker, WORKERS_ENDLESS);
    }
}

static bool is_busy(const struct crew *crew)
{
    for (uint32_t i = 0; i < crew->plan->jobs; i++)
        if (crew->workers[i].busy)
            return true;
    return false;
}

static void dismiss(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->plan->jobs; i++) {
        struct worker *worker = &crew->workers[i];

        if (worker->pid != 0) {
            if (worker->busy)
                kill(worker->pid, SIGKILL);
            close_worker(worker);
            while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
        buffer_free(&worker->read);
    }
    for (uint32_t i = 0; i < WINDOW; i++)
        buffer_free(&crew->slots[i].data);
    free(crew->slots);
    free(crew);
}

static struct crew *crew_new(const struct workers *plan)
{
    struct crew *crew = calloc(1, sizeof(*crew));

    assert(plan->jobs >= 1 && plan->jobs <= JOBS_MAX);
    if (crew != NULL)
        crew->slots = calloc(WINDOW, sizeof(*crew->slots));
    if (crew == NULL || crew->slots == NULL)
        abort();
    crew->plan = plan;
    crew->next = crew->wanted = plan->first;
    return crew;
}

uint64_t workers_run(const struct workers *workers, bool *interrupted)
{
    struct crew *crew = crew_new(workers);
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before[3];
    uint64_t taken;

    signals = 0;
    sigaction(SIGINT, &action, &before[0]);
    sigaction(SIGTERM, &action, &before[1]);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, &before[2]);
    while (signals < 2) {
        hand_out(crew);
        if (!is_busy(crew))
            break;
        wait_for_news(crew);
        end_what_takes_too_long(crew);
        take(crew);
        if (crew->wanted == crew->next && crew->ended)
            break;
        if (signals > 0 || !workers->watch(workers->context))
            crew->ended = true;
    }
    taken = crew->wanted - workers->first;
    *interrupted = signals > 0;
    dismiss(crew);
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGTERM, &before[1], NULL);
    sigaction(SIGPIPE, &before[2], NULL);
    return taken;
}
