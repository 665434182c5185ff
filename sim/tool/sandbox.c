#include "sim/tool/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// What a child leaves behind.
struct box {
    bool done;
    bool violated;
    struct violation violation;
};

static struct box *box; // one child at a time

bool sandbox_same(const struct failure *one, const struct failure *other)
{
    if (one->kind != other->kind)
        return false;
    if (one->kind == FAILURE_RULE)
        return one->property == other->property;
    return one->kind != FAILURE_CRASH ||
           (one->signal == other->signal && strcmp(one->text, other->text) == 0);
}

void sandbox_name(const struct failure *failure, char *text, size_t size)
{
    switch (failure->kind) {
    case FAILURE_RULE:
        snprintf(text, size, "%s", checker_property_text(failure->property));
        break;
    case FAILURE_CRASH:
        snprintf(text, size, "a crash (SIG%s)", sigabbrev_np(failure->signal));
        break;
    case FAILURE_HANG:
        snprintf(text, size, "an endless loop");
        break;
    default:
        snprintf(text, size, "nothing");
    }
}

void *sandbox_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void sandbox_violated(const struct violation *violation)
{
    box->violated = true;
    box->violation = *violation;
}

void sandbox_limit(unsigned cpu_ms)
{
    struct itimerval limit = {.it_value = {cpu_ms / 1000, cpu_ms % 1000 * 1000}};

    setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

// The child: it says nothing but to `words`, and leaves no core behind.
__attribute__((noreturn)) static void be_child(void (*work)(void *), void *context,
                                               unsigned cpu_ms, int words)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    dup2(words, STDERR_FILENO);
    sandbox_limit(cpu_ms);
    work(context);
    box->done = true;
    _exit(EXIT_SUCCESS);
}

// The first line that a dead process has left: an assertion, a sanitizer's report.
static void read_words(int words, char *text, size_t size)
{
    ssize_t length = pread(words, text, size - 1, 0);

    text[length < 0 ? 0 : length] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static void judge(int status, int words, struct failure *failure)
{
    *failure = (struct failure){FAILURE_NONE};
    if (box->violated) {
        failure->kind = FAILURE_RULE;
        failure->property = box->violation.property;
        snprintf(failure->text, sizeof(failure->text), "%s", box->violation.text);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM) {
        failure->kind = FAILURE_HANG;
    } else if (!box->done) {
        failure->kind = FAILURE_CRASH;
        failure->signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGABRT;
        read_words(words, failure->text, sizeof(failure->text));
    }
}

void sandbox_run(void (*work)(void *context), void *context, unsigned cpu_ms,
                 struct failure *failure)
{
    static int words = -1;
    int status = 0;
    pid_t child;

    if (box == NULL)
        box = sandbox_memory(sizeof(*box));
    if (words < 0)
        words = memfd_create("words", MFD_CLOEXEC);
    if (box == NULL || words < 0 || ftruncate(words, 0) != 0 ||
        lseek(words, 0, SEEK_SET) != 0)
        abort();
    memset(box, 0, sizeof(*box));
    fflush(NULL);
    child = fork();
    if (child < 0)
        abort();
    if (child == 0)
        be_child(work, context, cpu_ms, words);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    judge(status, words, failure);
}
