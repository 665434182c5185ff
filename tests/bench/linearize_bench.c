// linearize_bench: how long the checker takes on long and on hard histories.
//
// One thread, user CPU time; each history is made and judged in a process of its own,
// so that its memory is its own, too. A history comes from a correct store: each of its
// clients calls, takes effect and returns at moments drawn by chance, so that about two
// thirds of the clients have an operation open. `bad` ones had the answer of one read
// near the end replaced by what was there long before. A verdict that is not the
// expected one ends the run with exit code 1.
//
//     linearize_bench            all
//     linearize_bench NAME...    those whose names begin so
#include "sim/linearize.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/random.h"

enum { CLIENTS_MAX = 64, KEYS_MAX = 100, VALUE_MAX = 1 << 16 };

struct bench_case {
    const char *name;
    uint32_t clients;
    uint32_t keys;
    uint32_t operations;
    uint32_t values; // that writes draw from; 0: each is unique
    uint32_t weights[HISTORY_KIND_COUNT];
    uint32_t lost_ppm; // answers that never come
    bool silent;       // appends do not tell the length
    bool bad;
};

#define READS_AND_WRITES \
    {                    \
        1, 1             \
    }
#define ALL_KINDS        \
    {                    \
        6, 3, 2, 2, 0, 1 \
    }

static const struct bench_case cases[] = {
    {"one key, 10 clients, 100,000 operations", 10, 1, 100000, 0, READS_AND_WRITES},
    {"the same, bad", 10, 1, 100000, 0, READS_AND_WRITES, .bad = true},
    {"the same, 5 values", 10, 1, 100000, 5, READS_AND_WRITES},
    {"the same, 5 values, bad", 10, 1, 100000, 5, READS_AND_WRITES, .bad = true},
    {"the same, 1 in 1000 unanswered", 10, 1, 100000, 0, READS_AND_WRITES, 1000},
    {"100 keys, 10 clients, 1,000,000 operations", 10, 100, 1000000, 0,
     READS_AND_WRITES},
    {"100 keys, 100 clients' worth, bad", 64, 100, 1000000, 0, READS_AND_WRITES,
     .bad = true},
    {"one key, 20 clients, 20,000 operations", 20, 1, 20000, 0, READS_AND_WRITES},
    {"one key, 20 clients, 5 values", 20, 1, 20000, 5, READS_AND_WRITES},
    {"10 keys, 50 clients, get, put, silent append",
     50,
     10,
     2000,
     0,
     {2, 1, 0, 2},
     .silent = true},
    {"the same, bad", 50, 10, 2000, 0, {2, 1, 0, 2}, .silent = true, .bad = true},
    {"one key, 10 clients, all kinds, 5 values", 10, 1, 20000, 5, ALL_KINDS},
    {"10 keys in pairs, 10 clients, 1 in 10 of two keys",
     10,
     10,
     100000,
     0,
     {5, 4, 0, 0, 0, 0, 1}},
    {"the same, bad", 10, 10, 100000, 0, {5, 4, 0, 0, 0, 0, 1}, .bad = true},
    {"cas register, 5 clients, 1 in 50 unanswered", 5, 1, 2000, 5, {1, 1, 1}, 20000},
};

enum { CASE_COUNT = sizeof(cases) / sizeof(cases[0]) };

// ---- a correct store --------------------------------------------------------------

struct bench_store {
    struct history *history;
    char text[KEYS_MAX][VALUE_MAX];
    uint32_t size[KEYS_MAX];
    bool present[KEYS_MAX];
};

static void put(struct bench_store *store, uint32_t key, uint32_t value, bool append)
{
    size_t size;
    const char *text = history_text(store->history, value, &size);
    uint32_t at = append && store->present[key] ? store->size[key] : 0;
    if (at + size > VALUE_MAX) {
        abort();
    }
    memcpy(store->text[key] + at, text, size);
    store->size[key] = at + (uint32_t)size;
    store->present[key] = true;
}

static uint32_t present_value(const struct bench_store *store, uint32_t key)
{
    return store->present[key]
               ? history_intern(store->history, store->text[key], store->size[key])
               : HISTORY_ABSENT;
}

static int64_t perform(struct bench_store *store, uint32_t key,
                       const struct history_operation *operation)
{
    uint32_t argument = (uint32_t)operation->argument;
    switch ((enum history_kind)operation->kind) {
    case HISTORY_READ:
        return present_value(store, key);
    case HISTORY_WRITE:
        put(store, key, argument, false);
        return HISTORY_UNTOLD;
    case HISTORY_APPEND:
        put(store, key, argument, true);
        return store->size[key];
    case HISTORY_CAS:
        if (present_value(store, key) != operation->expected) {
            return 0;
        }
        put(store, key, argument, false);
        return 1;
    default: {
        bool found = store->present[key];
        store->present[key] = false;
        return found;
    }
    }
}

// ---- its clients -------------------------------------------------------------------

struct bench_client {
    uint32_t operation;
    uint32_t key; // and the next, by a transaction
    bool busy;
    bool done;
    int64_t result;
    int64_t read[2]; // by a transaction
};

struct bench {
    const struct bench_case *bench_case;
    struct history history;
    struct bench_store store;
    struct bench_client clients[CLIENTS_MAX];
    struct random random;
    uint32_t keys[KEYS_MAX];
    uint64_t written;
};

static uint32_t draw_value(struct bench *bench)
{
    uint32_t values = bench->bench_case->values;
    uint64_t number =
        values == 0 ? ++bench->written : random_below(&bench->random, values);
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRIu64 ";", number);
    return history_intern(&bench->history, text, (size_t)size);
}

// Reads or writes two keys at once.
static void call_txn(struct bench *bench, struct bench_client *client, uint32_t id)
{
    struct history_part parts[2] = {0};
    bool writes = random_chance(&bench->random, 500000);
    client->key &= ~1u;
    for (uint32_t i = 0; i < 2; i++) {
        parts[i].kind = writes ? HISTORY_WRITE : HISTORY_READ;
        parts[i].key = bench->keys[client->key + i];
        parts[i].argument = writes ? draw_value(bench) : 0;
    }
    client->operation =
        history_call_txn(&bench->history, id, parts, 2, bench->history.order);
}

static void perform_txn(struct bench *bench, struct bench_client *client)
{
    const struct history_operation *operation =
        &bench->history.operations[client->operation];
    uint32_t first = operation->first_part;
    for (uint32_t i = 0; i < 2; i++) {
        const struct history_part *part = &bench->history.parts[first + i];
        struct history_operation alone = {.kind = part->kind,
                                          .argument = part->argument};
        client->read[i] = perform(&bench->store, client->key + i, &alone);
    }
    client->result = HISTORY_UNTOLD;
}

static void call(struct bench *bench, struct bench_client *client, uint32_t id)
{
    const uint32_t *weights = bench->bench_case->weights;
    uint32_t sum = 0;
    for (int i = 0; i < HISTORY_KIND_COUNT; i++) {
        sum += weights[i];
    }
    uint64_t drawn = random_below(&bench->random, sum);
    struct history_operation asked = {.client = id};
    while (drawn >= weights[asked.kind]) {
        drawn -= weights[asked.kind++];
    }
    *client = (struct bench_client){.busy = true};
    client->key = (uint32_t)random_below(&bench->random, bench->bench_case->keys);
    if (asked.kind == HISTORY_TXN) {
        call_txn(bench, client, id);
        return;
    }
    asked.key = bench->keys[client->key];
    if (asked.kind != HISTORY_READ && asked.kind != HISTORY_DELETE) {
        asked.argument = draw_value(bench);
    }
    if (asked.kind == HISTORY_CAS) {
        asked.expected = draw_value(bench);
    }
    client->operation = history_call(&bench->history, &asked, bench->history.order);
}

static void advance(struct bench *bench, uint32_t id)
{
    struct bench_client *client = &bench->clients[id];
    struct history *history = &bench->history;
    if (!client->busy) {
        if (history->count < bench->bench_case->operations) {
            call(bench, client, id);
        }
    } else if (!client->done) {
        struct history_operation operation = history->operations[client->operation];
        if (operation.kind == HISTORY_TXN) {
            perform_txn(bench, client);
        } else {
            client->result = perform(&bench->store, client->key, &operation);
        }
        client->done = true;
        client->busy = !random_chance(&bench->random, bench->bench_case->lost_ppm);
    } else {
        for (uint32_t i = 0; i < history->operations[client->operation].part_count;
             i++) {
            history_tell(history, client->operation, i, client->read[i]);
        }
        bool silent = bench->bench_case->silent &&
                      history->operations[client->operation].kind == HISTORY_APPEND;
        history_return(history, client->operation, HISTORY_OK,
                       silent ? HISTORY_UNTOLD : client->result, history->order);
        client->busy = false;
    }
}

// The last read gets the answer of one at a third of the history.
static void spoil(struct history *history)
{
    uint32_t last = history->count - 1;
    while (history->operations[last].kind != HISTORY_READ ||
           history->operations[last].outcome != HISTORY_OK) {
        last--;
    }
    uint32_t old = last / 3;
    while (history->operations[old].kind != HISTORY_READ ||
           history->operations[old].key != history->operations[last].key ||
           history->operations[old].outcome != HISTORY_OK) {
        old--;
    }
    history->operations[last].result =
        history->operations[old].result != history->operations[last].result
            ? history->operations[old].result
            : history_intern(history, "never written", 13);
}

static void make(struct bench *bench, const struct bench_case *bench_case)
{
    bench->bench_case = bench_case;
    bench->store.history = &bench->history;
    random_seed(&bench->random, 1, 1);
    for (uint32_t i = 0; i < bench_case->keys; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "key%u", (unsigned)i);
        bench->keys[i] = history_intern(&bench->history, text, (size_t)size);
    }
    uint32_t busy;
    do {
        uint64_t id = random_below(&bench->random, bench_case->clients);
        advance(bench, (uint32_t)id);
        busy = 0;
        for (uint32_t i = 0; i < bench_case->clients; i++) {
            busy += bench->clients[i].busy;
        }
    } while (bench->history.count < bench_case->operations || busy > 0);
    if (bench_case->bad) {
        spoil(&bench->history);
    }
}

// ---- measuring
// -----------------------------------------------------------------------

static double user_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
}

static double peak_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static int measure(const struct bench_case *bench_case)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL) {
        abort();
    }
    make(bench, bench_case);
    struct linearize_limits limits;
    struct linearize_result result;
    linearize_limits_default(&limits);
    double before_mb = peak_mb();
    double start = user_seconds();
    linearize_history(&bench->history, &limits, &result);
    double seconds = user_seconds() - start;
    printf("%-50s %-8s %8.3f s  %6.1f MB  (+%.1f)  %11" PRIu64 " steps\n",
           bench_case->name, linearize_verdict_text(result.verdict), seconds, peak_mb(),
           peak_mb() - before_mb, result.steps);
    history_release(&bench->history);
    free(bench);
    return result.verdict == (bench_case->bad ? LINEARIZE_NO : LINEARIZE_YES) ? 0 : 1;
}

static bool wanted(const char *name, char **names)
{
    for (char **at = names; *at != NULL; at++) {
        if (strncmp(name, *at, strlen(*at)) == 0) {
            return true;
        }
    }
    return *names == NULL;
}

int main(int count, char **arguments)
{
    int failed = 0;
    (void)count;
    for (int i = 0; i < CASE_COUNT; i++) {
        if (!wanted(cases[i].name, arguments + 1)) {
            continue;
        }
        fflush(stdout);
        pid_t child = fork();
        if (child < 0) {
            perror("fork");
            return 1;
        }
        if (child == 0) {
            int code = measure(&cases[i]);
            fflush(stdout);
            _exit(code);
        }
        int status = 0;
        waitpid(child, &status, 0);
        failed |= status != 0;
    }
    return failed;
}
