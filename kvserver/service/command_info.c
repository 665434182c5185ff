// command_info.c: the command COMMAND; see command_info.h.
#include "kvserver/service/command_info.h"

#include <stdio.h>
#include <string.h>

#include "kvserver/service/command.h"
#include "kvserver/service/glob.h"
#include "kvserver/service/resp.h"

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static bool has_flag(const struct command *command, const char *flag)
{
    size_t size = strlen(flag);
    for (const char *at = command->flags; (at = strstr(at, flag)) != NULL; at += size)
        if ((at == command->flags || at[-1] == ' ') &&
            (at[size] == 0 || at[size] == ' '))
            return true;
    return false;
}

// ---- COMMAND INFO ---------------------------------------------------------------

static void put_flags(struct buffer *reply, const char *flags)
{
    uint64_t count = *flags != 0;
    for (const char *at = flags; *at != 0; at++)
        count += *at == ' ';
    resp_array(reply, count);
    for (const char *at = flags; count > 0; count--) {
        size_t size = strcspn(at, " ");
        buffer_format(reply, "+%.*s\r\n", (int)size, at);
        at += size + 1;
    }
}

static void put_categories(struct buffer *reply, const struct command *command)
{
    bool reads = has_flag(command, "readonly");
    bool writes = has_flag(command, "write");
    const char *group = command->group;
    if (strcmp(group, "generic") == 0)
        group = "keyspace";
    else if (strcmp(group, "string") != 0 && strcmp(group, "connection") != 0)
        group = NULL;
    resp_array(reply, 1u + reads + writes + (group != NULL));
    if (reads)
        resp_simple(reply, "@read");
    if (writes)
        resp_simple(reply, "@write");
    if (group != NULL)
        buffer_format(reply, "+@%s\r\n", group);
    resp_simple(reply, has_flag(command, "fast") ? "@fast" : "@slow");
}

// Name, arity, flags, first key, last key, step, categories; then tips, key
// specifications and subcommands, of which there are none here.
static void put_info(struct buffer *reply, const struct command *command)
{
    resp_array(reply, 10);
    resp_bulk_text(reply, command->name);
    resp_integer(reply, command->arity);
    put_flags(reply, command->flags);
    resp_integer(reply, command->key_first);
    resp_integer(reply, command->key_last);
    resp_integer(reply, command->key_step);
    put_categories(reply, command);
    resp_array(reply, 0);
    resp_array(reply, 0);
    resp_array(reply, 0);
}

static void put_all_infos(struct buffer *reply)
{
    resp_array(reply, command_count());
    for (uint32_t i = 0; i < command_count(); i++)
        put_info(reply, command_at(i));
}

static void info(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    if (count == 2) {
        put_all_infos(reply);
        return;
    }
    resp_array(reply, count - 2);
    for (uint32_t i = 2; i < count; i++) {
        const struct command *command = command_find(words[i]);
        if (command == NULL)
            resp_null_array(reply);
        else
            put_info(reply, command);
    }
}

// ---- COMMAND DOCS ---------------------------------------------------------------

static void put_docs(struct buffer *reply, const struct command *command)
{
    resp_bulk_text(reply, command->name);
    resp_array(reply, 6);
    resp_bulk_text(reply, "summary");
    resp_bulk_text(reply, command->summary);
    resp_bulk_text(reply, "since");
    resp_bulk_text(reply, command->since);
    resp_bulk_text(reply, "group");
    resp_bulk_text(reply, command->group);
}

static void docs(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    if (count == 2) {
        resp_array(reply, 2 * (uint64_t)command_count());
        for (uint32_t i = 0; i < command_count(); i++)
            put_docs(reply, command_at(i));
        return;
    }
    uint64_t known = 0;
    for (uint32_t i = 2; i < count; i++)
        known += command_find(words[i]) != NULL;
    resp_array(reply, 2 * known);
    for (uint32_t i = 2; i < count; i++) {
        const struct command *command = command_find(words[i]);
        if (command != NULL)
            put_docs(reply, command);
    }
}

// ---- the other subcommands ------------------------------------------------------

static void count_all(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    (void)words;
    (void)count;
    resp_integer(reply, command_count());
}

static void getkeys(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    const struct command *command = command_find(words[2]);
    const struct bytes *inner = words + 2;
    int inner_count = (int)count - 2;
    if (command == NULL) {
        resp_error(reply, "ERR Invalid command specified");
        return;
    }
    if (command->key_first == 0) {
        resp_error(reply, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(command, count - 2)) {
        resp_error(reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    int last = command->key_last;
    if (last < 0)
        last += inner_count;
    int keys = (last - command->key_first) / command->key_step + 1;
    resp_array(reply, (uint64_t)keys);
    for (int i = command->key_first; i <= last; i += command->key_step)
        resp_bulk(reply, inner[i]);
}

static void list(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    bool filtered = count == 5 && command_word_is(words[2], "FILTERBY") &&
                    command_word_is(words[3], "PATTERN");
    if (count != 2 && !filtered) {
        resp_error(reply, "ERR syntax error");
        return;
    }
    struct buffer names = {0};
    uint64_t found = 0;
    for (uint32_t i = 0; i < command_count(); i++) {
        struct bytes name = text_bytes(command_at(i)->name);
        if (filtered && !glob_match(words[4], name))
            continue;
        resp_bulk(&names, name);
        found++;
    }
    resp_array(reply, found);
    buffer_append(reply, names.data, names.size);
    buffer_free(&names);
}

static void help(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    static const char *const lines[] = {
        "COMMAND, alone: the description of every command.",
        "COMMAND COUNT: how many there are.",
        "COMMAND INFO [name ...]: the description of some.",
        "COMMAND DOCS [name ...]: what they do, for people.",
        "COMMAND LIST [FILTERBY PATTERN pattern]: their names.",
        "COMMAND GETKEYS command [word ...]: the keys among its words.",
    };
    (void)words;
    (void)count;
    resp_array(reply, sizeof(lines) / sizeof(lines[0]));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        resp_simple(reply, lines[i]);
}

static const struct subcommand {
    const char *name;
    uint32_t count_min; // words, with both names
    uint32_t count_max;
    void (*run)(const struct bytes *words, uint32_t count, struct buffer *reply);
} subcommands[] = {
    {"count", 2, 2, count_all},          {"docs", 2, UINT32_MAX, docs},
    {"getkeys", 4, UINT32_MAX, getkeys}, {"help", 2, 2, help},
    {"info", 2, UINT32_MAX, info},       {"list", 2, UINT32_MAX, list},
};

void command_info_reply(const struct bytes *words, uint32_t count, struct buffer *reply)
{
    if (count == 1) {
        put_all_infos(reply);
        return;
    }
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        const struct subcommand *subcommand = &subcommands[i];
        if (!command_word_is(words[1], subcommand->name))
            continue;
        if (count < subcommand->count_min || count > subcommand->count_max)
            resp_error_format(reply,
                              "ERR wrong number of arguments for 'command|%s' command",
                              subcommand->name);
        else
            subcommand->run(words, count, reply);
        return;
    }
    int size = words[1].size < 128 ? (int)words[1].size : 128;
    resp_error_format(reply, "ERR unknown subcommand '%.*s'. Try COMMAND HELP.", size,
                      (const char *)words[1].data);
}
