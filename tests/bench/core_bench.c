// core_bench: proposals a second that three cores commit and apply, on one thread.
//
// No disk, no network, no host. A write is reported durable at once. A message is
// handed over as a transport would: the struct, its array of entries and every entry's
// bytes are copied out of the sender, and the receiving core copies the bytes into its
// log once more. So each value of 100 bytes is copied five times (once into the
// leader's log, twice for each follower) and read three times, by the one who applies
// it. An entry counts once all three nodes have applied it; a round that ends with
// fewer, or with different ones, is an error. This version of the core has no
// compaction, so a round fills the log and the cores then start anew, outside of the
// measured time.
#include "raft/raft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NODES = 3,
    LEADER = 1,
    VALUE_SIZE = 100,
    BATCH_MAX = 256,
    LOG_ENTRIES = 1 << 16,
    ROUND_PROPOSALS = LOG_ENTRIES - 1024, // a multiple of every batch
    QUEUE_MAX = 256,
    ROUNDS_MAX = 4096,
};

struct node {
    void *memory;
    struct raft_config config;
    struct raft *raft;
    raft_index applied;
    uint64_t commands; // applied
    uint64_t digest;   // over what was applied, in order
};

// What is on its way: everything that the messages point at lies in `bytes`.
struct mail {
    struct raft_message messages[QUEUE_MAX];
    uint32_t first;
    uint32_t count;
    char *bytes;
    size_t used;
    size_t size;
};

struct cluster {
    struct node nodes[NODES];
    struct mail mail;
    uint64_t now_ms;
};

struct result {
    uint32_t batch;
    uint32_t rounds;
    double cpu_median; // proposals for each second of CPU time
    double cpu_best;
    double wall_median; // and of the clock on the wall
};

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "core_bench: %s\n", what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// ---- mail -----------------------------------------------------------------------

static void *mail_space(struct mail *mail, size_t size)
{
    demand(mail->used + size <= mail->size, "too many bytes are on their way");
    void *space = mail->bytes + mail->used;
    mail->used += (size + 15) & ~(size_t)15;
    return space;
}

static void mail_post(struct mail *mail, const struct raft_message *message)
{
    demand(mail->first + mail->count < QUEUE_MAX, "too many messages are on their way");
    struct raft_message *copy = &mail->messages[mail->first + mail->count++];
    *copy = *message;
    if (message->type != RAFT_APPEND_ENTRIES)
        return;
    uint32_t count = message->append_entries.count;
    struct raft_entry *entries = mail_space(mail, count * sizeof *entries);
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_entry *entry = &message->append_entries.entries[i];
        entries[i] = *entry;
        char *data = mail_space(mail, entry->size);
        if (entry->size > 0)
            memcpy(data, entry->data, entry->size);
        entries[i].data = data;
    }
    copy->append_entries.entries = entries;
}

static const struct raft_message *mail_take(struct mail *mail)
{
    if (mail->count == 0) {
        mail->first = 0;
        mail->used = 0;
        return NULL;
    }
    mail->count--;
    return &mail->messages[mail->first++];
}

// ---- a host in small ------------------------------------------------------------

static void apply(struct node *node, const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->apply_count; i++) {
        const struct raft_entry *entry = &output->apply[i];
        demand(entry->index == ++node->applied, "entries are applied out of order");
        if (entry->type != RAFT_ENTRY_COMMAND)
            continue;
        demand(entry->size == VALUE_SIZE, "an entry changed its size");
        uint64_t sum = 0;
        for (uint32_t at = 0; at + 8 <= VALUE_SIZE; at += 8) {
            uint64_t word;
            memcpy(&word, (const char *)entry->data + at, sizeof word);
            sum += word;
        }
        node->digest = (node->digest ^ sum) * 0x9e3779b97f4a7c15u;
        node->commands++;
    }
}

// One event, and what the host's loop owes for it: what was written is durable at once,
// what was handed out is applied at once.
static void step(struct cluster *cluster, struct node *node, struct raft_event event)
{
    struct raft_output output;
    uint64_t durable = 0;
    for (bool more = true; more;) {
        event.now_ms = cluster->now_ms;
        demand(raft_step(node->raft, &event, &output) == RAFT_OK, "a step was refused");
        for (uint32_t i = 0; i < output.message_count; i++)
            mail_post(&cluster->mail, &output.messages[i]);
        apply(node, &output);
        if (output.write != 0)
            durable = output.write;
        more = true;
        if (output.apply_count > 0) {
            event = (struct raft_event){.type = RAFT_EVENT_APPLIED};
            event.applied.index = node->applied;
        } else if (durable != 0) {
            event = (struct raft_event){.type = RAFT_EVENT_PERSISTED};
            event.persisted.write = durable;
            durable = 0;
        } else {
            more = false;
        }
    }
}

static void deliver(struct cluster *cluster)
{
    const struct raft_message *message;
    while ((message = mail_take(&cluster->mail)) != NULL) {
        struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = message};
        step(cluster, &cluster->nodes[message->to - 1], event);
    }
}

static void pass_time(struct cluster *cluster, uint32_t ms)
{
    cluster->now_ms += ms;
    step(cluster, &cluster->nodes[LEADER - 1],
         (struct raft_event){.type = RAFT_EVENT_TICK});
    deliver(cluster);
}

// ---- a round --------------------------------------------------------------------

static void allocate(struct cluster *cluster)
{
    for (uint32_t n = 0; n < NODES; n++) {
        struct node *node = &cluster->nodes[n];
        raft_config_default(&node->config);
        node->config.id = n + 1;
        node->config.seed = 1;
        node->config.log_entries_max = LOG_ENTRIES;
        node->config.log_bytes_max = (uint64_t)LOG_ENTRIES * 128;
        node->config.message_entries_max = BATCH_MAX;
        node->config.configuration.count = NODES;
        for (uint32_t m = 0; m < NODES; m++)
            node->config.configuration.members[m] =
                (struct raft_member){m + 1, RAFT_VOTER};
        size_t size = (raft_size(&node->config) + 63) / 64 * 64;
        node->memory = aligned_alloc(64, size);
        demand(node->memory != NULL, "no memory");
        memset(node->memory, 0xa5, size); // so that no page is new in measured time
    }
    cluster->mail.size = (size_t)64 << 20;
    cluster->mail.bytes = malloc(cluster->mail.size);
    demand(cluster->mail.bytes != NULL, "no memory");
}

static void release(struct cluster *cluster)
{
    for (uint32_t n = 0; n < NODES; n++)
        free(cluster->nodes[n].memory);
    free(cluster->mail.bytes);
}

static void start(struct cluster *cluster)
{
    const struct raft_hard_state new_state = {0};
    const struct raft_snapshot_meta no_snapshot = {0};
    for (uint32_t n = 0; n < NODES; n++) {
        struct node *node = &cluster->nodes[n];
        node->config.start_ms = cluster->now_ms;
        node->raft = raft_init(node->memory, &node->config, &new_state, &no_snapshot);
        node->applied = 0;
        node->commands = 0;
        node->digest = 0;
    }
    pass_time(cluster, 2 * cluster->nodes[0].config.election_timeout_ms);
    struct raft_view view;
    raft_observe(cluster->nodes[LEADER - 1].raft, &view);
    demand(view.role == RAFT_LEADER, "no leader was elected");
}

static void run(struct cluster *cluster, uint32_t batch)
{
    static char values[BATCH_MAX][VALUE_SIZE];
    struct raft_command commands[BATCH_MAX];
    for (uint32_t i = 0; i < batch; i++)
        commands[i] = (struct raft_command){values[i], VALUE_SIZE};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = commands;
    event.propose.count = batch;
    for (uint32_t done = 0; done < ROUND_PROPOSALS; done += batch) {
        for (uint32_t i = 0; i < batch; i++) // every value is another one
            memcpy(values[i], &(uint32_t){done + i}, sizeof(uint32_t));
        step(cluster, &cluster->nodes[LEADER - 1], event);
        deliver(cluster);
    }
    pass_time(cluster, cluster->nodes[0].config.heartbeat_ms); // tells the last commit
}

static void verify(const struct cluster *cluster)
{
    for (uint32_t n = 0; n < NODES; n++) {
        const struct node *node = &cluster->nodes[n];
        demand(node->commands == ROUND_PROPOSALS, "a node did not apply everything");
        demand(node->digest == cluster->nodes[0].digest, "the nodes applied different");
        const char *broken = raft_check(node->raft);
        demand(broken == NULL, broken);
    }
}

// ---- measuring ------------------------------------------------------------------

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static struct result measure(struct cluster *cluster, uint32_t batch, double limit)
{
    static double cpu[ROUNDS_MAX];
    static double wall[ROUNDS_MAX];
    struct result result = {.batch = batch};
    start(cluster); // a round to warm up
    run(cluster, batch);
    for (double spent = 0; spent < limit && result.rounds < ROUNDS_MAX;) {
        start(cluster);
        double cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double wall_start = seconds(CLOCK_MONOTONIC);
        run(cluster, batch);
        double wall_seconds = seconds(CLOCK_MONOTONIC) - wall_start;
        double cpu_seconds = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
        verify(cluster);
        cpu[result.rounds] = ROUND_PROPOSALS / cpu_seconds;
        wall[result.rounds++] = ROUND_PROPOSALS / wall_seconds;
        spent += wall_seconds;
    }
    qsort(cpu, result.rounds, sizeof cpu[0], by_value);
    qsort(wall, result.rounds, sizeof wall[0], by_value);
    result.cpu_median = cpu[result.rounds / 2];
    result.cpu_best = cpu[result.rounds - 1];
    result.wall_median = wall[result.rounds / 2];
    return result;
}

static void print_json(const struct result *results, uint32_t count)
{
    printf("{\"bench\":\"core\",\"nodes\":%d,\"value_bytes\":%d,\"results\":[", NODES,
           VALUE_SIZE);
    for (uint32_t i = 0; i < count; i++)
        printf("%s{\"batch\":%" PRIu32 ",\"rounds\":%" PRIu32
               ",\"proposals_per_cpu_second\":%.0f"
               ",\"proposals_per_cpu_second_best\":%.0f"
               ",\"proposals_per_second\":%.0f}",
               i > 0 ? "," : "", results[i].batch, results[i].rounds,
               results[i].cpu_median, results[i].cpu_best, results[i].wall_median);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static const uint32_t batches[] = {1, 16, 64, 256};
    enum { BATCHES = sizeof batches / sizeof batches[0] };
    static struct cluster cluster;
    struct result results[BATCHES];
    double limit = argc > 1 ? atof(argv[1]) : 1;
    if (argc > 2 || limit <= 0) {
        fprintf(stderr, "usage: core_bench [SECONDS for each batch]\n");
        return 2;
    }
    allocate(&cluster);
    printf("proposals/s committed and applied on %d nodes, %d bytes, one thread\n",
           NODES, VALUE_SIZE);
    printf("%6s %14s %14s %14s %7s\n", "batch", "cpu, median", "cpu, best",
           "wall, median", "rounds");
    for (uint32_t i = 0; i < BATCHES; i++) {
        results[i] = measure(&cluster, batches[i], limit);
        printf("%6" PRIu32 " %14.0f %14.0f %14.0f %7" PRIu32 "\n", results[i].batch,
               results[i].cpu_median, results[i].cpu_best, results[i].wall_median,
               results[i].rounds);
    }
    print_json(results, BATCHES);
    release(&cluster);
    return 0;
}
