// jepsen.h: histories as Jepsen writes them, both ways: one event a line, an invocation
// or its completion, in the order in which they happened. docs/linearizability.md has
// the forms in full.
//
//     INFO  jepsen.util - 4<TAB>:invoke<TAB>:cas<TAB>[1 2]       the log, as etcd's
//     {:process 4, :type :invoke, :f :cas, :value [1 2]}         EDN maps
//
// A process that ends in :info has crashed: its operation stays pending, and the
// process is not used again. Values are integers, strings or nil. A value that is a
// pair [key v] speaks of that key; any other of the one register there is, "register".
#ifndef SIM_JEPSEN_H
#define SIM_JEPSEN_H

#include "sim/history/history.h"

#include <stdbool.h>
#include <stddef.h>

enum jepsen_form {
    JEPSEN_LOG,
    JEPSEN_EDN,
};

// What a cas that :fail ends, without an :error, is taken for.
enum jepsen_failed {
    JEPSEN_FAILED_BY_FORM, // log: as porcupine does; EDN: as Knossos does
    JEPSEN_FAILED_SAW,     // it saw another value than the expected one
    JEPSEN_FAILED_NEVER,   // it never happened, which says nothing
};

// Adds to an empty history. False, with line number and reason in `error`, where
// something is no event.
bool jepsen_read(struct history *history, enum jepsen_form form,
                 enum jepsen_failed failed, const char *text, size_t size, char *error,
                 size_t error_size);

#endif
