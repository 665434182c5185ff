// command.c: finding commands and refusing what is not one; see command.h.
#include "kvserver/service/command.h"

#include <assert.h>
#include <stdio.h>
#include <inttypes.h>
#include <string.h>

#include "kvserver/service/expiry.h"
#include "kvserver/service/keys.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/session.h"
#include "kvserver/service/values.h"

#include "kvserver/service/command_table.h"

enum {
    NAME_SIZE_MAX = 32,
    QUOTED_MAX = 128, // bytes of a client's words that an error repeats
};

// The locale must not decide what a command is called.
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

uint32_t command_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

const struct command *command_at(uint32_t position)
{
    assert(position < command_count());
    return &table[position];
}

const struct command *command_find(struct bytes name)
{
    char text[NAME_SIZE_MAX];
    if (name.size >= sizeof(text) ||
        (name.size > 0 && memchr(name.data, 0, name.size) != NULL))
        return NULL;
    for (size_t i = 0; i < name.size; i++)
        text[i] = lower(((const char *)name.data)[i]);
    text[name.size] = 0;
    uint32_t low = 0;
    uint32_t high = command_count();
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(table[middle].name, text);
        if (order == 0)
            return &table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool command_word_is(struct bytes word, const char *text)
{
    size_t size = strlen(text);
    const char *letters = word.data;
    if (word.size != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower(letters[i]) != lower(text[i]))
            return false;
    return true;
}

bool command_reply_fits(struct command_call *call, size_t start, size_t more)
{
    if (call->reply->size - start + more <= call->limits->reply_bytes_max)
        return true;
    call->reply->size = start;
    resp_error_format(call->reply,
                      "ERR the reply would be longer than %" PRIu64 " bytes",
                      call->limits->reply_bytes_max);
    return false;
}

bool command_arity_ok(const struct command *command, uint32_t count)
{
    if (command->arity >= 0)
        return count == (uint32_t)command->arity;
    return count >= (uint32_t)-command->arity;
}

void command_error_arity(struct buffer *error, const struct command *command)
{
    resp_error_format(error, "ERR wrong number of arguments for '%s' command",
                      command->name);
}

// A word as C would print it: up to a zero byte, and no more than `most` bytes.
static int quoted_size(struct bytes word, size_t most)
{
    size_t size = word.size < most ? word.size : most;
    const char *zero = size == 0 ? NULL : memchr(word.data, 0, size);
    return zero == NULL ? (int)size : (int)(zero - (const char *)word.data);
}

void command_error_unknown(struct buffer *error, const struct bytes *words,
                           uint32_t count)
{
    char arguments[2 * QUOTED_MAX];
    int size = 0;
    arguments[0] = 0;
    for (uint32_t i = 1; i < count && size < QUOTED_MAX; i++) {
        int quoted = quoted_size(words[i], (size_t)(QUOTED_MAX - size));
        size += snprintf(arguments + size, sizeof(arguments) - (size_t)size, "'%.*s' ",
                         quoted, (const char *)words[i].data);
    }
    resp_error_format(error, "ERR unknown command '%.*s', with args beginning with: %s",
                      quoted_size(words[0], QUOTED_MAX), (const char *)words[0].data,
                      arguments);
}

void command_run(struct command_call *call, bool may_write)
{
    const struct command *command = command_find(call->words[0]);
    call->command = command;
    if (command == NULL || command->run == NULL)
        command_error_unknown(call->reply, call->words, call->count);
    else if (!command_arity_ok(command, call->count))
        command_error_arity(call->reply, command);
    else if (command->kind == SERVICE_WRITE && !may_write)
        resp_error(call->reply, "ERR a write cannot be answered as a read");
    else
        command->run(call);
}
