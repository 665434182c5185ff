// keys.c: commands on keys of any type; see keys.h.
//
// SCAN's cursor is a position in the order of the keys' 64-bit hashes, and all keys of
// one hash are returned together. It needs no memory on the server, is good on every
// replica and after a restart, and a key that is there from the first call to the last
// is returned exactly once, whatever else is written meanwhile.
#include "kvserver/service/keys.h"

#include "kvserver/service/glob.h"
#include "kvserver/service/number.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/store.h"

static const char syntax_error[] = "ERR syntax error";

static const char *type_name(enum store_type type)
{
    return type == STORE_STRING ? "string" : "unknown";
}

void keys_del(struct command_call *call)
{
    int64_t removed = 0;
    for (uint32_t i = 1; i < call->count; i++)
        removed += store_remove(call->store, call->words[i]);
    resp_integer(call->reply, removed);
}

void keys_exists(struct command_call *call)
{
    int64_t found = 0;
    struct store_value value;
    for (uint32_t i = 1; i < call->count; i++)
        found += store_get(call->store, call->words[i], &value);
    resp_integer(call->reply, found);
}

void keys_type(struct command_call *call)
{
    struct store_value value;
    bool found = store_get(call->store, call->words[1], &value);
    resp_simple(call->reply, found ? type_name(value.type) : "none");
}

void keys_persist(struct command_call *call)
{
    struct store_value value;
    bool timed =
        store_get(call->store, call->words[1], &value) && value.deadline_ms != 0;
    if (timed) {
        struct buffer *payload = &call->store->payload;
        buffer_clear(payload);
        buffer_append(payload, value.payload.data, value.payload.size);
        value.payload = (struct bytes){payload->data, payload->size};
        value.deadline_ms = 0;
        store_put(call->store, call->words[1], &value);
    }
    resp_integer(call->reply, timed);
}

void keys_dbsize(struct command_call *call)
{
    resp_integer(call->reply, (int64_t)store_visible_count(call->store));
}

bool keys_check_flush(const struct bytes *words, uint32_t count, struct buffer *error)
{
    if (count == 1 || (count == 2 && (command_word_is(words[1], "SYNC") ||
                                      command_word_is(words[1], "ASYNC"))))
        return true;
    resp_error(error, syntax_error);
    return false;
}

void keys_flush(struct command_call *call)
{
    if (!keys_check_flush(call->words, call->count, call->reply))
        return;
    store_remove_all(call->store);
    resp_simple(call->reply, "OK");
}

// ---- KEYS and SCAN --------------------------------------------------------------

struct filter {
    struct bytes pattern; // size 1 and '*' where all match
    struct bytes type;    // data NULL: any
};

// Collects keys before the array's head can be written.
struct found {
    struct buffer text;
    uint64_t count;
};

static bool passes(const struct filter *filter, const struct store_walk *walk)
{
    const char *type = type_name(walk->type);
    if (!walk->visible || !glob_match(filter->pattern, walk->key))
        return false;
    return filter->type.data == NULL || command_word_is(filter->type, type);
}

static void collect(struct found *found, const struct filter *filter,
                    const struct store_walk *walk)
{
    if (!passes(filter, walk))
        return;
    resp_bulk(&found->text, walk->key);
    found->count++;
}

// The rest of a reply that began at `start`.
static void reply_found(struct command_call *call, size_t start, struct found *found)
{
    if (command_reply_fits(call, start, found->text.size)) {
        resp_array(call->reply, found->count);
        buffer_append(call->reply, found->text.data, found->text.size);
    }
    buffer_free(&found->text);
}

void keys_keys(struct command_call *call)
{
    struct filter filter = {.pattern = call->words[1]};
    struct found found = {0};
    struct store_walk walk = {0};
    while (store_walk_next(call->store, &walk) &&
           found.text.size <= call->limits->reply_bytes_max)
        collect(&found, &filter, &walk);
    reply_found(call, call->reply->size, &found);
}

struct scan_options {
    uint64_t cursor;
    int64_t count;
    struct filter filter;
};

// As generous as C's strtoul, which Redis uses: a sign is let through.
static bool read_cursor(struct bytes text, uint64_t *cursor)
{
    const char *digits = text.data;
    bool negative = text.size > 0 && digits[0] == '-';
    if (negative || (text.size > 0 && digits[0] == '+')) {
        text = (struct bytes){digits + 1, text.size - 1};
        if (text.size == 0)
            return false;
    }
    if (!number_parse_digits(text, cursor))
        return false;
    *cursor = negative ? 0 - *cursor : *cursor;
    return true;
}

static const char *read_scan_option(const struct bytes *option,
                                    struct scan_options *options)
{
    if (command_word_is(option[0], "COUNT")) {
        if (!number_parse(option[1], &options->count))
            return "ERR value is not an integer or out of range";
        return options->count < 1 ? syntax_error : NULL;
    }
    if (command_word_is(option[0], "MATCH"))
        options->filter.pattern = option[1];
    else if (command_word_is(option[0], "TYPE"))
        options->filter.type = option[1];
    else
        return syntax_error;
    return NULL;
}

static bool read_scan(const struct bytes *words, uint32_t count,
                      struct scan_options *options, struct buffer *error)
{
    *options = (struct scan_options){.count = 10, .filter = {.pattern = {"*", 1}}};
    const char *problem = NULL;
    if (!read_cursor(words[1], &options->cursor))
        problem = "ERR invalid cursor";
    for (uint32_t i = 2; i < count && problem == NULL; i += 2)
        problem = i + 1 == count ? syntax_error : read_scan_option(&words[i], options);
    if (problem != NULL)
        resp_error(error, problem);
    return problem == NULL;
}

bool keys_check_scan(const struct bytes *words, uint32_t count, struct buffer *error)
{
    struct scan_options options;
    return read_scan(words, count, &options, error);
}

void keys_scan(struct command_call *call)
{
    struct scan_options options;
    if (!read_scan(call->words, call->count, &options, call->reply))
        return;
    struct found found = {0};
    struct store_walk walk = {.from_hash = options.cursor};
    uint64_t cursor = 0;
    uint64_t last_hash = 0;
    for (int64_t seen = 0; store_walk_next(call->store, &walk); seen++) {
        if (seen >= options.count && walk.hash != last_hash) {
            cursor = walk.hash; // never 0: it is above another one
            break;
        }
        collect(&found, &options.filter, &walk);
        last_hash = walk.hash;
    }
    char text[NUMBER_TEXT_MAX];
    size_t start = call->reply->size;
    resp_array(call->reply, 2);
    resp_bulk(call->reply, (struct bytes){text, number_write_unsigned(text, cursor)});
    reply_found(call, start, &found);
}
