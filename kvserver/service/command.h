// command.h: the table of all commands, and what is the same for each of them.
//
// One row says everything about a command: how many words it takes, what COMMAND tells
// of it, whether it reads or writes, and the function that runs it. Commands that need
// no replicated state (PING, CLIENT, CONFIG...) have a row too, so that COMMAND lists
// them, but no function: their kind is SERVICE_UNKNOWN and the front that owns the
// connection answers them before it asks the service.
#ifndef KVSERVER_SERVICE_COMMAND_H
#define KVSERVER_SERVICE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"
#include "kvserver/service/service.h"

struct store;
struct command;

// One execution of a command. Exactly one reply is added.
struct command_call {
    const struct command *command;
    const struct bytes *words; // words[0] is the name
    uint32_t count;
    struct store *store;
    const struct service_limits *limits;
    uint64_t index;  // of the log entry; 0 for a read outside the log
    uint64_t now_ms; // a write's: the log's clock; a read's: the wall clock
    struct buffer *reply;
};

struct command {
    const char *name; // in lower case; rows are sorted by it
    int arity;        // words with the name; -n: at least n
    enum service_kind kind;
    const char *flags; // as in COMMAND, separated by spaces
    int key_first, key_last, key_step;
    const char *group;
    const char *since; // the version of Redis that brought it
    const char *summary;

    void (*run)(struct command_call *call);

    // Refuses what no state could accept, with the error that run would give. NULL:
    // there is nothing to refuse beyond the number of words.
    bool (*check)(const struct bytes *words, uint32_t count, struct buffer *error);
};

// NULL where there is none of that name, in any case.
const struct command *command_find(struct bytes name);
uint32_t command_count(void);
const struct command *command_at(uint32_t position);

// Whether `more` bytes still fit into a read's reply, which began at `start`. Where
// not, what there is of it becomes an error.
bool command_reply_fits(struct command_call *call, size_t start, size_t more);

bool command_arity_ok(const struct command *command, uint32_t count);
void command_error_arity(struct buffer *error, const struct command *command);
void command_error_unknown(struct buffer *error, const struct bytes *words,
                           uint32_t count);

// Whether a word is the given one, in any case. `text` is ASCII.
bool command_word_is(struct bytes word, const char *text);

// Runs a command that the table knows: finds it, refuses a wrong number of words, and
// a write where `may_write` is false. call->command is filled in.
void command_run(struct command_call *call, bool may_write);

#endif
