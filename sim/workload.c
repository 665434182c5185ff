#include "sim/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { EXPIRING_PPM = 40000, PAIR_PPM = 40000 };

// ---- drawing ------------------------------------------------------------------------

static void add_word(struct workload_command *command, const char *format,
                     uint64_t first, uint64_t second)
{
    snprintf(command->text[command->count++], WORKLOAD_WORD_BYTES, format, first,
             second);
}

static void add_value(struct workload_command *command, struct workload_client *client)
{
    snprintf(command->text[command->count++], WORKLOAD_WORD_BYTES,
             "%" PRIu32 ".%0*" PRIu64 ";", client->id, (int)client->digits,
             ++client->values);
}

static void draw_counter(struct workload_command *command, struct random *random,
                         uint64_t key, uint64_t dice)
{
    bool adds = dice >= 35 && dice < 88;
    const char *name = dice < 35 ? "GET" : adds ? "INCRBY" : "DEL";

    add_word(command, name, 0, 0);
    add_word(command, "c%" PRIu64, key, 0);
    if (adds)
        add_word(command, "%" PRIu64, random_between(random, 1, 9), 0);
    command->read = dice < 35;
}

static void draw_register(struct workload_command *command,
                          struct workload_client *client, uint64_t key, uint64_t dice)
{
    const char *name = dice < 35   ? "GET"
                       : dice < 60 ? "SET"
                       : dice < 80 ? "APPEND"
                       : dice < 90 ? "SET"
                                   : "DEL";

    add_word(command, name, 0, 0);
    add_word(command, "k%" PRIu64, key, 0);
    if (dice >= 35 && dice < 90)
        add_value(command, client);
    if (dice >= 80 && dice < 90)
        add_word(command, "NX", 0, 0);
    command->read = dice < 35;
}

// Two registers in one command.
static void draw_pair(struct workload_command *command, struct workload_client *client,
                      uint64_t first, uint64_t dice)
{
    const char *name = dice < 45 ? "MGET" : dice < 85 ? "MSET" : "DEL";
    bool writes = dice >= 45 && dice < 85;

    add_word(command, name, 0, 0);
    for (uint64_t key = first; key < first + 2; key++) {
        add_word(command, "k%" PRIu64, key, 0);
        if (writes)
            add_value(command, client);
    }
    command->read = dice < 45;
}

static void draw_expiring(struct workload_command *command, struct random *random,
                          uint64_t key)
{
    uint64_t ms = random_between(random, 5, 2000);

    add_word(command, "SET", 0, 0);
    add_word(command, "e%" PRIu64, key, 0);
    add_word(command, "%" PRIu64, ms, 0);
    add_word(command, "PX", 0, 0);
    add_word(command, "%" PRIu64, ms, 0);
    command->recorded = false;
}

static void draw_even(struct workload_command *command, struct workload_client *client,
                      uint64_t key, uint64_t dice)
{
    command->read = dice < 35;
    add_word(command, command->read ? "GET" : "SET", 0, 0);
    add_word(command, "k%" PRIu64, key, 0);
    if (!command->read)
        add_value(command, client);
}

void workload_draw(struct workload_command *command, struct random *random,
                   struct workload_client *client, uint32_t keys)
{
    uint64_t key = random_below(random, keys);
    uint64_t dice = random_below(random, 100);
    bool expiring = random_chance(random, EXPIRING_PPM);
    bool pair = random_chance(random, PAIR_PPM);
    uint64_t first = key - key % 3;

    *command = (struct workload_command){.recorded = true};
    if (client->digits > 0)
        draw_even(command, client, key, dice);
    else if (expiring)
        draw_expiring(command, random, key);
    else if (pair && first + 1 < keys)
        draw_pair(command, client, first, dice);
    else if (key % 3 == 2)
        draw_counter(command, random, key, dice);
    else
        draw_register(command, client, key, dice);
}

void workload_words(const struct workload_command *command, struct bytes *words)
{
    for (uint32_t i = 0; i < command->count; i++)
        words[i] = (struct bytes){command->text[i], strlen(command->text[i])};
}

// ---- the history's side -------------------------------------------------------------

static bool word_is(const struct bytes *word, const char *text)
{
    return word->size == strlen(text) && strncasecmp(word->data, text, word->size) == 0;
}

static uint32_t intern(struct history *history, const struct bytes *word)
{
    return history_intern(history, word->data, word->size);
}

static int64_t number_of(const struct bytes *word)
{
    char text[24] = {0};

    memcpy(text, word->data, word->size < sizeof(text) ? word->size : sizeof(text) - 1);
    return strtoll(text, NULL, 10);
}

// A command on one key.
static bool call_one(struct history *history, struct history_operation *asked,
                     const struct bytes *words, uint32_t count)
{
    static const struct {
        const char *name;
        uint32_t count;
        enum history_kind kind;
    } kinds[] = {{"GET", 2, HISTORY_READ},    {"SET", 3, HISTORY_WRITE},
                 {"SET", 4, HISTORY_CAS},     {"APPEND", 3, HISTORY_APPEND},
                 {"INCRBY", 3, HISTORY_INCR}, {"INCR", 2, HISTORY_INCR},
                 {"DEL", 2, HISTORY_DELETE}};
    enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };
    uint32_t i = 0;

    while (i < KINDS && (kinds[i].count != count || !word_is(&words[0], kinds[i].name)))
        i++;
    if (i == KINDS || (count == 4 && !word_is(&words[3], "NX")))
        return false;
    asked->kind = (uint8_t)kinds[i].kind;
    asked->key = intern(history, &words[1]);
    asked->expected = HISTORY_ABSENT;
    if (asked->kind == HISTORY_INCR)
        asked->argument = count == 2 ? 1 : number_of(&words[2]);
    else if (count > 2)
        asked->argument = intern(history, &words[2]);
    return true;
}

// A command on several keys: how many, 0 where it is none.
static uint32_t call_many(struct history *history, struct history_part *parts,
                          const struct bytes *words, uint32_t count)
{
    bool reads = word_is(&words[0], "MGET");
    bool writes = word_is(&words[0], "MSET");
    uint32_t each = writes ? 2 : 1;
    uint32_t number = (count - 1) / each;

    if ((!reads && !writes && !word_is(&words[0], "DEL")) ||
        number * each + 1 != count || number > HISTORY_PARTS_MAX)
        return 0;
    for (uint32_t i = 0; i < number; i++) {
        const struct bytes *word = &words[1 + i * each];

        parts[i] = (struct history_part){.key = intern(history, &word[0])};
        parts[i].kind = reads ? HISTORY_READ : writes ? HISTORY_WRITE : HISTORY_DELETE;
        if (writes)
            parts[i].argument = intern(history, &word[1]);
    }
    return number;
}

bool workload_call(struct history *history, uint32_t client, const struct bytes *words,
                   uint32_t count, uint64_t now_us, uint32_t *operation)
{
    struct history_operation asked = {.client = client};
    struct history_part parts[HISTORY_PARTS_MAX];
    uint32_t number;

    if (count == 0)
        return false;
    if (call_one(history, &asked, words, count)) {
        *operation = history_call(history, &asked, now_us);
        return true;
    }
    number = call_many(history, parts, words, count);
    if (number == 0)
        return false;
    *operation = history_call_txn(history, client, parts, number, now_us);
    return true;
}

// The number behind the first byte of a RESP integer or length.
static int64_t reply_number(const char *data, const char *end)
{
    struct bytes digits = {data + 1, (size_t)(end - data - 1)};

    return data < end ? number_of(&digits) : 0;
}

// A bulk string; moves behind it.
static int64_t read_value(struct history *history, const char **data, const char *end)
{
    int64_t length = reply_number(*data, end);
    const char *body = memchr(*data, '\n', (size_t)(end - *data));
    bool absent = *data == end || **data != '$' || length < 0 || body == NULL ||
                  end - body - 1 < length;

    *data = body == NULL ? end : body + 1;
    if (absent)
        return HISTORY_ABSENT;
    *data = *data + length + 2 < end ? *data + length + 2 : end;
    return history_intern(history, body + 1, (size_t)length);
}

// What a transaction answered: values, or how many were deleted.
static int64_t tell_parts(struct history *history, uint32_t operation, const char *data,
                          const char *end)
{
    uint32_t count = history->operations[operation].part_count;
    const char *values = memchr(data, '\n', (size_t)(end - data));

    if (*data == ':')
        return reply_number(data, end);
    if (*data != '*' || values == NULL)
        return HISTORY_UNTOLD;
    values++;
    for (uint32_t i = 0; i < count; i++)
        history_tell(history, operation, i, read_value(history, &values, end));
    return HISTORY_UNTOLD;
}

void workload_return(struct history *history, uint32_t operation, const char *data,
                     uint32_t size, uint64_t now_us)
{
    int64_t result = HISTORY_UNTOLD; // a write has none
    enum history_outcome outcome = HISTORY_OK;
    const char *end = data + size;

    if (size == 0 || data[0] == '-') {
        history_return(history, operation, HISTORY_FAILED, result, now_us);
        return;
    }
    switch ((enum history_kind)history->operations[operation].kind) {
    case HISTORY_READ:
        result = read_value(history, &data, end);
        break;
    case HISTORY_CAS:
        result = data[0] == '+';
        break;
    case HISTORY_TXN:
        result = tell_parts(history, operation, data, end);
        break;
    case HISTORY_WRITE:
        break;
    default:
        result = reply_number(data, end);
        break;
    }
    history_return(history, operation, outcome, result, now_us);
}
