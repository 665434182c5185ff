#include "sim/language/language.h"

#include "kvserver/service/resp.h"
#include "sim/diagram.h"
#include "sim/json.h"
#include "sim/language/language_answers.h"
#include "sim/language/language_disks.h"
#include "sim/language/language_expect.h"
#include "sim/language/language_faults.h"
#include "sim/language/language_links.h"
#include "sim/language/language_manual.h"
#include "sim/language/language_members.h"
#include "sim/language/language_show.h"
#include "sim/language/language_store.h"
#include "sim/language/language_world.h"
#include "sim/language/options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// Where a command may be given.
enum {
    ANYWHERE = 1, // before `cluster`, too
    TIMED = 2,    // not in a manual world
    MANUAL = 4,   // only there
};

struct command {
    const char *name;
    bool (*run)(struct language *language);
    unsigned place; // where it may be given
    uint32_t words_min;
    uint32_t words_max; // the name included
    const char *usage;
};

static bool help(struct language *language);
static bool quit(struct language *language);
static bool may_be_refused(struct language *language);
static bool at(struct language *language);

enum { ANY = LANGUAGE_WORDS_MAX };

static const struct command commands[] = {
    {"cluster", language_world_cluster, ANYWHERE, 2, ANY,
     "cluster N [manual] [spare=K] [seed=S] [election_timeout=150ms] "
     "[election_spread=150ms] [heartbeat=50ms] [pre_vote=on|off] [check_quorum=on|off] "
     "[delay=MIN..MAX] [sync=MIN..MAX] [disk=perfect] [retries=off] [log_entries=N] "
     "[message_entries=N] [checkers=own] "
     "[message_bytes=B] [inflight=N] [inflight_bytes=B] [uncommitted_bytes=B] "
     "[command_bytes=B] "
     "[clients=C] [keys=K] [value_digits=N] [lease=PERCENT] [clock=DURATION] "
     "[snapshot_entries=N] "
     "[drift=PERCENT] [ahead=DURATION,...] [ordered=on|off] [equal_seeds=on|off] "
     "[snapshot_tail=N] [snapshot_chunk=BYTES] [segment=BYTES] [wire=json]"},
    {"run", language_world_run, TIMED, 2, 8,
     "run DURATION [until CONDITION] | run until CONDITION [within DURATION]"},
    {"step", language_world_step, TIMED, 1, 2, "step [EVENTS]"},
    {"timeout", language_world_timeout, 0, 2, 2, "timeout N"},
    {"clients", language_world_clients, TIMED, 2, 4,
     "clients start COUNT [keys=K] | clients stop"},
    {"settle", language_world_settle, TIMED, 1, 1, "settle"},
    {"core", language_world_core, TIMED, 1, ANY,
     "core [N... [down N] [off N] [mute N] [deaf N]...]"},
    {"probe", language_world_probe, TIMED, 1, 1, "probe"},
    {"at", at, TIMED, 2, ANY, "at TIME [COMMAND...]"},
    {"after", at, TIMED, 3, ANY, "after TIME COMMAND..."},
    {"trace", language_world_trace, ANYWHERE, 2, 3,
     "trace FILE [ndjson|json] | trace off"},
    {"partition", language_faults_partition, 0, 2, ANY, "partition 1 2 | 3 4 5"},
    {"star", language_faults_star, 0, 3, ANY, "star HUB LEAF..."},
    {"isolate", language_faults_isolate, 0, 2, 2, "isolate N"},
    {"cut", language_faults_cut, 0, 3, 4, "cut A B | cut A > B"},
    {"heal", language_faults_heal, 0, 1, 4, "heal | heal A B | heal A > B"},
    {"hold", language_faults_hold, TIMED, 3, 4, "hold A B | hold A > B"},
    {"release", language_faults_release, TIMED, 3, 4, "release A B | release A > B"},
    {"drop", language_faults_drop, 0, 3, 5,
     "drop A B | drop A > B; in a manual world: drop A B [KIND] [K]"},
    {"deliver", language_manual_deliver, MANUAL, 3, 5, "deliver A B [KIND] [K]"},
    {"again", language_manual_again, MANUAL, 3, 5, "again A B [KIND] [K]"},
    {"stray", language_manual_stray, MANUAL, 3, 5, "stray A B [KIND] [K]"},
    {"flight", language_manual_flight, MANUAL, 1, 3, "flight [A B]"},
    {"sync", language_manual_sync, MANUAL, 2, 3, "sync N [COUNT]"},
    {"pass", language_manual_pass, MANUAL, 2, 2, "pass DURATION"},
    {"client", language_manual_client, MANUAL, 4, ANY,
     "client C at N WORDS... | client C register at N | client C again at N"},
    {"auto", language_manual_auto, MANUAL, 1, 1, "auto"},
    {"loss", language_faults_loss, TIMED, 2, 2, "loss PERCENT"},
    {"duplicate", language_faults_duplicate, TIMED, 2, 2, "duplicate PERCENT"},
    {"corrupt", language_faults_corrupt, TIMED, 2, 2, "corrupt PERCENT"},
    {"reorder", language_links_reorder, TIMED, 2, 2, "reorder PERCENT"},
    {"link", language_links_link, TIMED, 2, 9,
     "link A B | link A > B [delay=MIN..MAX] [slow=PERCENT] [mean=DURATION] "
     "[loss=PERCENT] [duplicate=PERCENT] | link off"},
    {"late", language_links_late, TIMED, 2, 2, "late DURATION"},
    {"delay", language_faults_delay, TIMED, 2, 5, "delay MIN..MAX [slow PERCENT MEAN]"},
    {"crash", language_faults_crash, 0, 2, 7,
     "crash N [at write | inside K] [lose all|tail|torn|sectors|nothing "
     "[draw=NUMBER]]"},
    {"restart", language_faults_restart, 0, 2, 2, "restart N"},
    {"pause", language_faults_pause, 0, 2, 2, "pause N"},
    {"resume", language_faults_resume, 0, 2, 2, "resume N"},
    {"disk", language_disks_disk, 0, 3, 7,
     "disk N sync=MIN..MAX|manual | fail sync | lying | full [BYTES] | damage FILE "
     "OFFSET "
     "[flip|zero|unreadable|bearable] [bytes=N] | misdirect FILE OTHER | lost | ok | "
     "files"},
    {"clock", language_faults_clock, 0, 3, 5,
     "clock N [skew=[-]DURATION] [drift=[-]PERCENT] [jump=DURATION]"},
    {"faults", language_faults_random, TIMED, 2, 2, "faults all|LIST|off"},
    {"add", language_members_add, 0, 2, 5, "add N [learner|voter] [at LEADER]"},
    {"remove", language_members_remove, 0, 2, 4, "remove N [at LEADER]"},
    {"promote", language_members_promote, 0, 2, 4, "promote N [at LEADER]"},
    {"change", language_members_change, 0, 2, ANY,
     "change [voter|learner|joining|remove] N... [at LEADER]"},
    {"transfer", language_members_transfer, 0, 1, 4, "transfer [N] [at LEADER]"},
    {"snapshot", language_members_snapshot, 0, 2, 2, "snapshot N"},
    {"propose", language_store_propose, 0, 2, ANY,
     "propose WORDS... | propose at N WORDS..."},
    {"ticket", language_store_ticket, 0, 2, 2, "ticket NUMBER"},
    {"do", language_store_do, TIMED, 2, ANY, "do WORDS..."},
    {"get", language_store_get, 0, 2, 4, "get KEY [at N | stale N]"},
    {"set", language_store_word, TIMED, 3, ANY, "set KEY VALUE [OPTIONS]"},
    {"append", language_store_word, TIMED, 3, 3, "append KEY VALUE"},
    {"incr", language_store_word, TIMED, 2, 2, "incr KEY"},
    {"del", language_store_word, TIMED, 2, ANY, "del KEY..."},
    {"status", language_show_status, 0, 1, 2, "status [N]"},
    {"log", language_show_log, 0, 2, 4, "log N [FROM] [COUNT]"},
    {"hash", language_show_hash, 0, 1, 1, "hash"},
    {"rules", language_show_rules, ANYWHERE, 1, 1, "rules"},
    {"history", language_show_history, 0, 1, 2, "history [FILE]"},
    {"counters", language_show_counters, 0, 1, 2, "counters [reset]"},
    {"check", language_show_check, 0, 1, 2, "check [steps=N]"},
    {"expect", language_expect_claim, 0, 2, ANY,
     "expect CLAIM, which is one of: " LANGUAGE_EXPECT_CLAIMS},
    {"refused", may_be_refused, ANYWHERE, 2, ANY, "refused COMMAND..."},
    {"try", may_be_refused, 0, 2, ANY, "try COMMAND..."},
    {"help", help, ANYWHERE, 1, 2, "help [COMMAND]"},
    {"quit", quit, ANYWHERE, 1, 1, "quit"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

void language_init(struct language *language)
{
    memset(language, 0, sizeof(*language));
}

void language_close_trace(struct language *language)
{
    if (language->trace != NULL && language->trace != stdout)
        fclose(language->trace);
    language->trace = NULL;
}

void language_release(struct language *language)
{
    world_free(language->world);
    language_answers_forget(language);
    language_close_trace(language);
    buffer_free(&language->text);
    buffer_free(&language->reply);
}

// ---- words ----------------------------------------------------------------------

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The character behind a backslash at line[*at]; *at moves behind it. -1: not known.
static int unescape(const char *line, size_t size, size_t *at)
{
    char c = *at < size ? line[(*at)++] : '\0';

    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '"':
    case '\\':
        return c;
    case 'x':
        if (*at + 2 <= size && hex_digit(line[*at]) >= 0 &&
            hex_digit(line[*at + 1]) >= 0) {
            *at += 2;
            return hex_digit(line[*at - 2]) * 16 + hex_digit(line[*at - 1]);
        }
        return -1;
    default:
        return -1;
    }
}

// Adds the quoted word that begins behind line[*at - 1] to the text.
static bool read_quoted(struct language *language, const char *line, size_t size,
                        size_t *at)
{
    while (*at < size && line[*at] != '"') {
        int c = (unsigned char)line[(*at)++];
        char byte;

        if (c == '\\')
            c = unescape(line, size, at);
        if (c < 0)
            return language_fail(language, "unknown escape in a quoted word");
        byte = (char)c;
        buffer_append(&language->text, &byte, 1);
    }
    if (*at == size)
        return language_fail(language, "a quoted word does not end");
    (*at)++;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// Splits a line. The words' places are offsets until the text stands still.
static bool split(struct language *language, const char *line, size_t size)
{
    size_t starts[LANGUAGE_WORDS_MAX] = {0};
    size_t at = 0;

    buffer_clear(&language->text);
    language->count = 0;
    while (true) {
        while (at < size && is_blank(line[at]))
            at++;
        if (at == size || line[at] == '#')
            break;
        if (language->count == LANGUAGE_WORDS_MAX)
            return language_fail(language, "more than %d words", LANGUAGE_WORDS_MAX);
        starts[language->count] = language->text.size;
        if (line[at] == '"') {
            at++;
            if (!read_quoted(language, line, size, &at))
                return false;
        } else {
            size_t start = at;

            while (at < size && !is_blank(line[at]))
                at++;
            buffer_append(&language->text, line + start, at - start);
        }
        language->words[language->count].size =
            language->text.size - starts[language->count];
        buffer_append(&language->text, "", 1);
        language->count++;
    }
    for (uint32_t i = 0; i < language->count; i++)
        language->words[i].data = language->text.data + starts[i];
    return true;
}

// ---- help for the handlers ------------------------------------------------------

bool language_fail(struct language *language, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(language->error, sizeof(language->error), format, arguments);
    va_end(arguments);
    return false;
}

const char *language_word(const struct language *language, uint32_t at)
{
    return at < language->count ? language->words[at].data : "";
}

bool language_is(const struct language *language, uint32_t at, const char *word)
{
    return at < language->count && strcmp(language->words[at].data, word) == 0;
}

bool language_is_text(const struct language *language, uint32_t at,
                      const struct buffer *text)
{
    const struct bytes *word = &language->words[at];

    return at < language->count && word->size == text->size &&
           (text->size == 0 || memcmp(word->data, text->data, text->size) == 0);
}

const char *language_value(const struct language *language, uint32_t at,
                           const char *name)
{
    const char *word = language_word(language, at);
    size_t length = strlen(name);

    if (strncmp(word, name, length) != 0 || word[length] != '=')
        return NULL;
    return word + length + 1;
}

void language_note(struct language *language)
{
    struct buffer line = {0};

    for (uint32_t i = 0; i < language->count; i++) {
        if (i > 0)
            buffer_append_text(&line, " ");
        buffer_append_text(&line, language_word(language, i));
    }
    trace_note(&language->world->trace, language->world->now_us, "%.*s", (int)line.size,
               line.data);
    buffer_free(&line);
}

bool language_node(struct language *language, uint32_t at, struct node **node)
{
    const char *word = language_word(language, at);
    uint64_t id;

    if (*word == 'n')
        word++;
    if (!options_number(word, 1, language->world->config.node_count, &id))
        return language_fail(language, "\"%s\" is no node; there are nodes 1 to %u",
                             language_word(language, at),
                             (unsigned)language->world->config.node_count);
    *node = &language->world->nodes[id];
    return true;
}

bool language_number(struct language *language, uint32_t at, uint64_t *number)
{
    if (!options_number(language_word(language, at), 0, UINT64_MAX, number))
        return language_fail(language, "\"%s\" is no number",
                             language_word(language, at));
    return true;
}

bool language_duration(struct language *language, uint32_t at, uint64_t *us)
{
    if (!options_duration(language_word(language, at), us))
        return language_fail(language, "\"%s\" is no duration such as 150ms or 2s",
                             language_word(language, at));
    return true;
}

bool language_range(struct language *language, const char *text, uint64_t *low_us,
                    uint64_t *high_us)
{
    char low[32];
    const char *dots = strstr(text, "..");
    size_t length = dots == NULL ? strlen(text) : (size_t)(dots - text);

    if (length < sizeof(low)) {
        memcpy(low, text, length);
        low[length] = '\0';
        if (options_duration(low, low_us) &&
            options_duration(dots == NULL ? low : dots + 2, high_us) &&
            *low_us <= *high_us)
            return true;
    }
    return language_fail(language, "\"%s\" is no range such as 1ms..10ms", text);
}

bool language_run(struct language *language, uint64_t until_us,
                  bool (*done)(struct language *language, void *argument),
                  void *argument)
{
    struct world *world = language->world;
    const struct violation *violation;

    while (!world_violated(world)) {
        const struct heap_event *next = heap_peek(&world->heap);

        if (done != NULL && done(language, argument))
            return true;
        if (next == NULL || next->time_us > until_us) {
            world_run_until(world, until_us);
            return true;
        }
        world_step(world);
    }
    violation = checker_violation(world->checker, 0);
    return language_fail(language, "violation of %s at %llu us: %s",
                         checker_property_text(violation->property),
                         (unsigned long long)violation->time_us, violation->text);
}

// ---- RESP as text ---------------------------------------------------------------

void language_plain(const char *resp, size_t size, struct buffer *out)
{
    struct resp_item item;
    bool first = true;

    while (size > 0 && resp_item_read(resp, size, &item) == 1) {
        resp += item.size;
        size -= item.size;
        if (item.type == RESP_ARRAY)
            continue;
        if (!first)
            buffer_append_text(out, " ");
        first = false;
        if (item.type == RESP_NULL)
            buffer_append_text(out, "(nil)");
        else if (item.type == RESP_INTEGER)
            buffer_format(out, "%" PRId64, item.integer);
        else
            buffer_append(out, item.text.data, item.text.size);
    }
}

// ---- commands -------------------------------------------------------------------

static const struct command *find(const char *name)
{
    for (uint32_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static bool help(struct language *language)
{
    const struct command *one = NULL;

    if (language->count > 1) {
        one = find(language_word(language, 1));
        if (one == NULL)
            return language_fail(language, "unknown command \"%s\"",
                                 language_word(language, 1));
    }
    json_key(language->out, "help");
    buffer_append_text(language->out, "[");
    for (uint32_t i = 0; i < COMMAND_COUNT; i++)
        if (one == NULL || one == &commands[i])
            json_item(language->out, commands[i].usage, strlen(commands[i].usage));
    json_close_array(language->out);
    return true;
}

static bool quit(struct language *language)
{
    language->quit = true;
    return true;
}

// Whether the command may be given in the world that there is.
static bool is_in_place(struct language *language, const struct command *command)
{
    const struct world *world = language->world;

    if (world == NULL && command->place != ANYWHERE)
        return language_fail(language,
                             "there is no cluster yet; begin with: cluster 3");
    if (command->place == TIMED && world->manual)
        return language_fail(language,
                             "in a manual world nothing happens by itself: say what "
                             "does (deliver, timeout, client...), or end that with: "
                             "auto");
    if (command->place == MANUAL && !world->manual)
        return language_fail(language, "this is for a manual world; begin with: "
                                       "cluster 3 manual");
    if (command->place == MANUAL && world_violated(world))
        return language_fail(language, "the world stands still: a rule is broken");
    return true;
}

// A rule that this command was the first to break is its failure.
static bool finish_command(struct language *language, struct world *before,
                           bool violated, bool ok)
{
    const struct violation *violation;

    if (language->world == NULL || language->world != before)
        violated = false;
    if (language->world != NULL && language->world->manual)
        language_manual_finish(language);
    if (!ok || violated || language->world == NULL || !world_violated(language->world))
        return ok;
    violation = checker_violation(language->world->checker, 0);
    return language_fail(language, "violation of %s at %llu us: %s",
                         checker_property_text(violation->property),
                         (unsigned long long)violation->time_us, violation->text);
}

static bool run_command(struct language *language)
{
    struct world *world = language->world;
    bool violated = world != NULL && world_violated(world);
    const struct command *command;

    if (world != NULL)
        standstill_reset(&world->standstill);

    if (language->count == 0)
        return true;
    command = find(language_word(language, 0));
    if (command == NULL)
        return language_fail(language, "unknown command \"%s\" (try help)",
                             language_word(language, 0));
    if (language->count < command->words_min || language->count > command->words_max)
        return language_fail(language, "usage: %s", command->usage);
    if (!is_in_place(language, command))
        return false;
    if (world != NULL && world->manual) {
        world->event_count++; // each command is an event
        checker_at(world->checker, world->event_count, world->now_us);
    }
    return finish_command(language, world, violated, command->run(language));
}

// `refused`: a command that must be refused; answers why it was. `try`: one that may
// be; answers whether it was done. A rule that is broken is a failure all the same.
static bool may_be_refused(struct language *language)
{
    const struct world *world = language->world;
    bool violated = world != NULL && world_violated(world);
    bool must = language_is(language, 0, "refused");
    bool done;

    memmove(&language->words[0], &language->words[1],
            --language->count * sizeof(language->words[0]));
    if (language_is(language, 0, "refused") || language_is(language, 0, "try"))
        return language_fail(language, "usage: %s COMMAND...",
                             must ? "refused" : "try");
    done = run_command(language);
    if (done && must)
        return language_fail(language, "it was not refused");
    if (!done && !must && !violated && world != NULL && world_violated(world))
        return false;
    if (!done)
        buffer_clear(language->out);
    if (!must)
        json_bool(language->out, "done", done);
    if (!done)
        json_string(language->out, "reason", language->error);
    return true;
}

// A command at a time of the world, before all that happens by itself at that time, or
// after it; alone: time passes up to there.
static bool at(struct language *language)
{
    bool inclusive = language_is(language, 0, "after") || language->count == 2;
    uint64_t us;

    if (!language_duration(language, 1, &us))
        return false;
    if (language_is(language, 2, "at") || language_is(language, 2, "after") ||
        language_is(language, 2, "refused") || language_is(language, 2, "cluster"))
        return language_fail(language, "usage: at TIME [COMMAND...]");
    if (us >= language->world->now_us + !inclusive &&
        !language_run(language, us - !inclusive, NULL, NULL))
        return false;
    if (language->count == 2) {
        json_number(language->out, "time_us", language->world->now_us);
        return true;
    }
    world_run_before(language->world, us);
    language->count -= 2;
    memmove(&language->words[0], &language->words[2],
            language->count * sizeof(language->words[0]));
    return run_command(language);
}

bool language_execute(struct language *language, const char *line, size_t size,
                      struct buffer *out)
{
    struct buffer fields = {0};
    bool ok;

    language->out = &fields;
    language->error[0] = '\0';
    if (language->world != NULL)
        diagram_command(language->world->trace.diagram, language->world->now_us, line,
                        size);
    ok = split(language, line, size) && run_command(language);
    json_open(out);
    json_bool(out, "ok", ok);
    if (!ok)
        json_string(out, "error", language->error);
    if (fields.size > 0) {
        buffer_append_text(out, ",");
        buffer_append(out, fields.data, fields.size);
    }
    json_close(out);
    buffer_free(&fields);
    return ok;
}
