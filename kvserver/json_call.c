#include "kvserver/json_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/base64.h"
#include "rpc/json.h"

static bool refuse(struct json_call *call, const char *problem)
{
    call->problem = problem;
    return false;
}

// ---- parameters -----------------------------------------------------------------

static const cJSON *param(struct json_call *call, const char *name)
{
    const cJSON *item = json_get(call->params, name);

    call->taken += item != NULL;
    return item;
}

static bool word_text(struct json_call *call, const char *text)
{
    call->words[call->count++] = (struct bytes){text, strlen(text)};
    return true;
}

static bool word_number(struct json_call *call, int64_t value)
{
    char *text = call->numbers[call->number_count++];

    snprintf(text, sizeof call->numbers[0], "%" PRId64, value);
    return word_text(call, text);
}

static bool word_base64(struct json_call *call, const char *text)
{
    size_t size = strlen(text), decoded;

    if (call->arena == NULL) {
        call->arena = malloc(call->arena_size);
        if (call->arena == NULL)
            abort();
    }
    if (!base64_decode(text, size, call->arena + call->arena_used, &decoded))
        return refuse(call, "not base64");
    call->words[call->count++] =
        (struct bytes){call->arena + call->arena_used, decoded};
    call->arena_used += decoded;
    return true;
}

// A parameter of bytes, in either form, becomes the next word.
static bool word_param(struct json_call *call, const char *name)
{
    char base64_name[32];
    const cJSON *item = param(call, name), *encoded;
    const char *text;

    snprintf(base64_name, sizeof base64_name, "%s_base64", name);
    encoded = param(call, base64_name);
    if ((item == NULL) == (encoded == NULL))
        return refuse(call, "a key or value is missing, or given twice");
    if (item == NULL)
        return json_read_string(encoded, &text)
                   ? word_base64(call, text)
                   : refuse(call, "base64 is not a string");
    return json_read_string(item, &text)
               ? word_text(call, text)
               : refuse(call, "a key or value is not a string");
}

// A flag that is true adds a word.
static bool word_flag(struct json_call *call, const char *name, const char *word)
{
    const cJSON *item = param(call, name);
    bool set;

    if (item == NULL)
        return true;
    if (!json_read_bool(item, &set))
        return refuse(call, "a flag is neither true nor false");
    return !set || word_text(call, word);
}

// A number, where it is given, adds a word and itself.
static bool word_option(struct json_call *call, const char *name, const char *word)
{
    const cJSON *item = param(call, name);
    int64_t value;

    if (item == NULL)
        return true;
    if (!json_read_i64(item, &value))
        return refuse(call, "not a whole number");
    return word_text(call, word) && word_number(call, value);
}

static bool session_params(struct json_call *call)
{
    const cJSON *session = param(call, "session");
    const cJSON *sequence = param(call, "sequence");

    if (session == NULL && sequence == NULL)
        return true;
    if (!json_read_u64(session, &call->session) ||
        !json_read_u64(sequence, &call->sequence) || call->session == 0 ||
        call->sequence == 0)
        return refuse(call, "session and sequence are positive whole numbers and go "
                            "together");
    return true;
}

static bool stale_param(struct json_call *call)
{
    const cJSON *stale = param(call, "stale"), *follower = param(call, "follower");

    return ((stale == NULL || json_read_bool(stale, &call->stale)) &&
            (follower == NULL || json_read_bool(follower, &call->follower))) ||
           refuse(call, "stale or follower is neither true nor false");
}

// ---- methods --------------------------------------------------------------------

static bool read_get(struct json_call *call)
{
    return word_text(call, "GET") && word_param(call, "key") && stale_param(call);
}

static bool read_set(struct json_call *call)
{
    return word_text(call, "SET") && word_param(call, "key") &&
           word_param(call, "value") && word_option(call, "ex", "EX") &&
           word_option(call, "px", "PX") && word_flag(call, "nx", "NX") &&
           word_flag(call, "xx", "XX") && session_params(call);
}

static bool read_delete(struct json_call *call)
{
    return word_text(call, "DEL") && word_param(call, "key") && session_params(call);
}

static bool read_incr(struct json_call *call)
{
    const cJSON *by = param(call, "by");
    int64_t amount = 1;

    if (by != NULL && !json_read_i64(by, &amount))
        return refuse(call, "by is not a whole number");
    return word_text(call, "INCRBY") && word_param(call, "key") &&
           word_number(call, amount) && session_params(call);
}

static bool read_append(struct json_call *call)
{
    return word_text(call, "APPEND") && word_param(call, "key") &&
           word_param(call, "value") && session_params(call);
}

static bool command_word(struct json_call *call, const cJSON *item)
{
    const char *text;

    if (json_read_string(item, &text))
        return word_text(call, text);
    if (cJSON_IsObject(item) && json_read_string(json_get(item, "base64"), &text) &&
        cJSON_GetArraySize(item) == 1)
        return word_base64(call, text);
    return refuse(call, "a word is neither a string nor {\"base64\":string}");
}

static bool read_command(struct json_call *call)
{
    const cJSON *words = param(call, "words"), *item;
    int count = cJSON_IsArray(words) ? cJSON_GetArraySize(words) : 0;

    if (count == 0)
        return refuse(call, "words is not an array of at least one");
    if (count > JSON_CALL_WORDS) {
        call->words = malloc((size_t)count * sizeof *call->words);
        if (call->words == NULL)
            abort();
    }
    cJSON_ArrayForEach(item, words) if (!command_word(call, item)) return false;
    return session_params(call) && stale_param(call);
}

// ---- the cluster ----------------------------------------------------------------

// A number becomes a word that is no longer than what the line said.
static bool word_count(struct json_call *call, const cJSON *item)
{
    uint64_t value;
    char *text;

    if (!json_read_u64(item, &value) || call->number_count == JSON_CALL_NUMBERS)
        return refuse(call, "an id or a priority is not a whole number");
    text = call->numbers[call->number_count++];
    snprintf(text, sizeof call->numbers[0], "%" PRIu64, value);
    return word_text(call, text);
}

static bool word_string(struct json_call *call, const cJSON *item)
{
    const char *text;

    return json_read_string(item, &text)
               ? word_text(call, text)
               : refuse(call, "a role or an address is no string");
}

static bool read_add_member(struct json_call *call)
{
    const cJSON *priority;

    if (!word_text(call, "RAFT.MEMBER") || !word_text(call, "ADD") ||
        !word_count(call, param(call, "id")) ||
        !word_string(call, param(call, "address")) ||
        !word_flag(call, "learner", "LEARNER"))
        return false;
    priority = param(call, "priority");
    return priority == NULL ||
           (word_text(call, "PRIORITY") && word_count(call, priority));
}

static bool read_remove_member(struct json_call *call)
{
    return word_text(call, "RAFT.MEMBER") && word_text(call, "REMOVE") &&
           word_count(call, param(call, "id"));
}

static bool read_promote(struct json_call *call)
{
    return word_text(call, "RAFT.MEMBER") && word_text(call, "PROMOTE") &&
           word_count(call, param(call, "id"));
}

// One member of raft.change: four words.
static bool change_words(struct json_call *call, const cJSON *change)
{
    const cJSON *address = json_get(change, "address");
    const cJSON *priority = json_get(change, "priority");
    int known = 2 + (address != NULL) + (priority != NULL);

    if (!cJSON_IsObject(change) || cJSON_GetArraySize(change) != known)
        return refuse(call, "a change is {id, role, address?, priority?}");
    return word_count(call, json_get(change, "id")) &&
           word_string(call, json_get(change, "role")) &&
           (address == NULL ? word_text(call, "-") : word_string(call, address)) &&
           (priority == NULL ? word_text(call, "-") : word_count(call, priority));
}

static bool read_change(struct json_call *call)
{
    const cJSON *changes = param(call, "changes"), *item;
    int count = cJSON_IsArray(changes) ? cJSON_GetArraySize(changes) : 0;

    if (count == 0 || count > JSON_CALL_CHANGES)
        return refuse(call, "changes is not an array of a few members");
    call->words = malloc((2 + 4 * (size_t)count) * sizeof *call->words);
    if (call->words == NULL)
        abort();
    word_text(call, "RAFT.MEMBER");
    word_text(call, "CHANGE");
    cJSON_ArrayForEach(item, changes) if (!change_words(call, item)) return false;
    return true;
}

static bool read_transfer(struct json_call *call)
{
    const cJSON *to = param(call, "to");

    return word_text(call, "RAFT.TRANSFER") && (to == NULL || word_count(call, to));
}

static bool read_snapshot(struct json_call *call)
{
    return word_text(call, "RAFT.SNAPSHOT");
}

static bool read_register(struct json_call *call)
{
    return word_text(call, "RAFT.REGISTER");
}

static bool read_status(struct json_call *call)
{
    return word_text(call, "RAFT.STATUS");
}

static bool read_hash(struct json_call *call)
{
    return word_text(call, "RAFT.HASH");
}

static const struct json_method methods[] = {
    {"kv.get", JSON_SHAPE_VALUE, read_get},
    {"kv.set", JSON_SHAPE_OK, read_set},
    {"kv.delete", JSON_SHAPE_DELETED, read_delete},
    {"kv.incr", JSON_SHAPE_VALUE, read_incr},
    {"kv.append", JSON_SHAPE_LENGTH, read_append},
    {"kv.command", JSON_SHAPE_REPLY, read_command},
    {"session.register", JSON_SHAPE_SESSION, read_register},
    {"raft.status", JSON_SHAPE_STATUS, read_status},
    {"raft.hash", JSON_SHAPE_HASH, read_hash},
    {"raft.add_member", JSON_SHAPE_ADMIN, read_add_member},
    {"raft.remove_member", JSON_SHAPE_ADMIN, read_remove_member},
    {"raft.promote", JSON_SHAPE_ADMIN, read_promote},
    {"raft.change", JSON_SHAPE_ADMIN, read_change},
    {"raft.transfer", JSON_SHAPE_ADMIN, read_transfer},
    {"raft.snapshot", JSON_SHAPE_ADMIN, read_snapshot},
};

const struct json_method *json_call_method(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return NULL;
}

bool json_call_read(struct json_call *call, const struct json_method *method,
                    const cJSON *params, size_t line_size)
{
    memset(call, 0, sizeof *call);
    call->words = call->fixed;
    call->params = params;
    call->arena_size = line_size;
    if (params != NULL && !cJSON_IsObject(params))
        return refuse(call, "the parameters are not an object");
    if (!method->read(call))
        return false;
    if (params != NULL && (uint32_t)cJSON_GetArraySize(params) != call->taken)
        return refuse(call, "a parameter is not known, or given twice");
    return true;
}

void json_call_release(struct json_call *call)
{
    if (call->words != call->fixed)
        free(call->words);
    free(call->arena);
}
