// log_fuzz.c: what stands in a node's directory, as it is found at a start.
//
// Claims: host_open() either refuses with a reason, and does so again, or gives a node
// that works; which opens once more to the same log, and again after it has worked. And
// whatever there is, what can be salvaged has no gap.
#include "raft/host/host.h"
#include "raft/host/log_salvage.h"
#include "tests/fuzz/fuzz_disk.h"

enum { STEPS = 12 };

struct node {
    struct fuzz_disk disk;
    struct host_config config;
    struct host_io io;
    struct host *host;
    char error[300];
    uint64_t now_ms;
    raft_index applied;
};

static struct node node;
static void *memory;

static void drop_messages(void *context, const struct raft_message *messages,
                          uint32_t count)
{
    (void)context;
    (void)messages;
    (void)count;
}

static void take_entries(void *context, const struct raft_entry *entries,
                         uint32_t count)
{
    struct node *to = context;
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_CHECK(entries[i].index == to->applied + 1);
        FUZZ_CHECK(entries[i].size == 0 || entries[i].data != NULL);
        to->applied = entries[i].index;
    }
}

static void take_read(void *context, uint64_t id, enum raft_status status)
{
    (void)context;
    (void)id;
    (void)status;
}

static int begin(void *context)
{
    (void)context;
    return 0;
}

static int64_t read_nothing(void *context, void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return 0;
}

static void end(void *context)
{
    (void)context;
}

static int restore_write(void *context, const void *data, size_t size)
{
    (void)context;
    FUZZ_CHECK(data != NULL || size == 0);
    return 0;
}

static int restore_end(void *context, raft_index index)
{
    ((struct node *)context)->applied = index;
    return 0;
}

static void see_step(void *context, const struct raft *raft,
                     const struct raft_event *event, const struct raft_output *output)
{
    (void)context;
    (void)event;
    (void)output;
    FUZZ_CHECK(raft_check(raft) == NULL);
}

static void configure(void)
{
    struct raft_config *raft = &node.config.raft;
    host_config_default(&node.config);
    node.config.cluster_id = 1;
    node.config.segment_bytes_max = 4096;
    node.config.snapshot_entries = 50;
    node.config.snapshot_tail_entries = 10;
    node.config.snapshot_chunk_bytes = 256;
    raft->id = 1;
    raft->log_entries_max = 128;
    raft->log_bytes_max = 1 << 15;
    raft->command_bytes_max = 1 << 12;
    raft->message_bytes_max = 1 << 12;
    raft->configuration.count = 1;
    raft->configuration.members[0] = (struct raft_member){.id = 1, .role = RAFT_VOTER};
    node.io = (struct host_io){
        .disk = fuzz_disk_door(&node.disk),
        .network = {&node, drop_messages},
        .machine = {&node, take_entries, take_read, begin, read_nothing, end, begin,
                    restore_write, restore_end},
        .observer = {&node, see_step},
    };
}

static bool open_node(struct raft_view *view)
{
    node.applied = 0;
    node.disk.token_count = 0;
    node.error[0] = '\0';
    memset(memory, 0xa5, host_size(&node.config));
    node.host = host_open(memory, &node.config, &node.io, node.now_ms, node.error,
                          sizeof node.error);
    if (node.host == NULL) {
        FUZZ_CHECK(node.error[0] != '\0');
        return false;
    }
    FUZZ_CHECK(raft_check(host_raft(node.host)) == NULL);
    raft_observe(host_raft(node.host), view);
    FUZZ_CHECK(view->first_index <= view->last_index + 1);
    for (raft_index i = view->first_index; i <= view->last_index; i++) {
        struct raft_entry entry;
        FUZZ_CHECK(raft_entry_at(host_raft(node.host), i, &entry));
        FUZZ_CHECK(entry.index == i && entry.term <= view->current_term);
    }
    return true;
}

// Time passes, syncs end, something is proposed.
static void work(void)
{
    for (int i = 0; i < STEPS && host_stopped(node.host) == NULL; i++) {
        const struct raft_command command = {.data = "x", .size = 1};
        raft_index index;
        raft_term term;
        uint64_t token;
        uint64_t deadline_ms = host_deadline_ms(node.host);
        if (deadline_ms != UINT64_MAX && deadline_ms > node.now_ms)
            node.now_ms = deadline_ms;
        host_tick(node.host, &node.io, node.now_ms);
        (void)host_propose(node.host, &node.io, node.now_ms, &command, 1, &index,
                           &term);
        while ((token = fuzz_disk_synced(&node.disk)) != 0)
            host_synced(node.host, &node.io, node.now_ms, token, 0);
    }
}

static void check_opening(void)
{
    struct raft_view first, second;
    if (!open_node(&first)) {
        FUZZ_CHECK(!open_node(&second));
        return;
    }
    FUZZ_CHECK(open_node(&second));
    FUZZ_CHECK(first.current_term == second.current_term);
    FUZZ_CHECK(first.voted_for == second.voted_for);
    FUZZ_CHECK(first.last_index == second.last_index);
    FUZZ_CHECK(first.last_term == second.last_term);
    FUZZ_CHECK(first.snapshot_index == second.snapshot_index);
    work();
    raft_observe(host_raft(node.host), &first);
    FUZZ_CHECK(open_node(&second));
    FUZZ_CHECK(second.current_term >= first.current_term);
    FUZZ_CHECK(second.last_index >= first.commit_index);
}

// ---- salvage --------------------------------------------------------------------

static enum raft_status take_salvaged(void *context, const struct raft_entry *entry)
{
    raft_index *last = context;
    FUZZ_CHECK(*last == 0 || entry->index == *last + 1);
    *last = entry->index;
    return RAFT_OK;
}

static void check_salvage(void)
{
    static struct log_salvage salvage;
    const struct raft_snapshot_meta none = {0};
    uint64_t cluster_id;
    raft_id node_id;
    raft_index last = 0;
    const struct log_loader loader = {&last, take_salvaged};
    if (!log_salvage_identify(&node.io.disk, &cluster_id, &node_id))
        return;
    if (log_salvage_read(&salvage, &node.io.disk, cluster_id, node_id, &none) != 0)
        return;
    if (log_salvage_load(&salvage, &loader, node.error, sizeof node.error))
        FUZZ_CHECK(last == salvage.last_index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    memset(&node, 0, sizeof node);
    configure();
    if (memory == NULL)
        memory = aligned_alloc(16, (host_size(&node.config) + 15) / 16 * 16);
    fuzz_disk_fill(&node.disk, &input);
    check_salvage();
    check_opening();
    fuzz_disk_release(&node.disk);
    return 0;
}
