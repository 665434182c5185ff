// sandbox.h: work in a process of its own, which may crash or never end.
//
// A core with a bug may run into an assertion, touch what is not its own, or loop for
// ever; each is a failure like a broken rule. The child works on memory that it shares
// with its parent, so that what it did up to there is known.
#ifndef SIM_TOOL_SANDBOX_H
#define SIM_TOOL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/checker/checker.h"

enum failure_kind {
    FAILURE_NONE = 0,
    FAILURE_RULE,  // a property is violated
    FAILURE_CRASH, // the process died
    FAILURE_HANG,  // it did not end in time
};

struct failure {
    enum failure_kind kind;
    enum property property; // RULE
    int signal;             // CRASH
    char text[300];         // the violation, or the last words of the process
};

// Whether they are the same failure for whoever looks for its cause.
bool sandbox_same(const struct failure *one, const struct failure *other);

// "log matching", "a crash (SIGABRT)", "an endless loop".
void sandbox_name(const struct failure *failure, char *text, size_t size);

// Memory that a child shares, filled with zeroes. NULL where there is none.
void *sandbox_memory(size_t size);

// Calls work(context) in a child. It may take so much time of the processor, however
// busy the machine is; it can give itself more with sandbox_limit().
void sandbox_run(void (*work)(void *context), void *context, unsigned cpu_ms,
                 struct failure *failure);

// For the work: so much more time from now on.
void sandbox_limit(unsigned cpu_ms);

// For the work: a rule is broken.
void sandbox_violated(const struct violation *violation);

#endif
