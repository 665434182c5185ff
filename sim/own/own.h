// own.h: invariants over a whole cluster, written by whoever takes lab 8.
//
// Where a world is asked for (`checkers=own`, `--checkers own`), own_check() is called
// behind every step of every node, and once when a node has started, and sees what all
// nodes hold at that moment. The simulator's own checkers say nothing then.
#ifndef SIM_OWN_OWN_H
#define SIM_OWN_OWN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "raft/raft.h"

enum { OWN_WORDS = 160 };

struct own_node {
    const struct raft *raft; // for raft_term_at() and raft_entry_at(); NULL: it is down
    uint32_t starts;         // how often it was started: a crash ends what is volatile
    const struct raft_view *view; // after its last step, also of one that is down
};

struct own_look {
    raft_id id;             // whose step it was
    uint32_t node_count;    // ids are 1..node_count
    struct own_node *nodes; // by id; nodes[0] is nobody
};

// So many bytes, all zero when a cluster begins, are kept between the calls.
size_t own_memory_size(void);

// Whether all is well; else `words` says which rule is broken, and how. May depend on
// nothing but what is handed in.
bool own_check(const struct own_look *look, void *memory, char words[OWN_WORDS]);

// Says what is broken: `return own_broken(words, "n%u ...", id)`.
__attribute__((format(printf, 2, 3))) static inline bool
own_broken(char words[OWN_WORDS], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, OWN_WORDS, format, arguments);
    va_end(arguments);
    return false;
}

#endif
