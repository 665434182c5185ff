// driver_test.c: whole nodes, with real files and sockets, on one loop. The state
// machine is a list of numbers, each a command.
#include "rpc/driver.h"

#include "tests/test.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { NODES = 4, NUMBERS_MAX = 512, WAIT_MS_MAX = 30000 };

struct node {
    struct driver *driver;
    raft_id id;
    char directory[64];
    char address[32];
    uint64_t numbers[NUMBERS_MAX];
    uint64_t count;
    size_t done;       // bytes of a snapshot
    uint64_t frozen;   // numbers in it
    uint64_t restored; // snapshots
    struct driver_request request;
    enum driver_outcome outcome; // 0: not yet
    bool closed;
    char log[8192];
};

static uv_loop_t loop;
static struct node nodes[NODES + 1]; // by their ids
static char root[] = "/tmp/driver-test-XXXXXX";

// ---- the state machine ----------------------------------------------------------

static void apply(void *context, const struct raft_entry *entries, uint32_t count)
{
    struct node *node = context;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].type == RAFT_ENTRY_COMMAND) {
            CHECK_EQ(entries[i].size, sizeof(uint64_t));
            CHECK(node->count < NUMBERS_MAX);
            memcpy(&node->numbers[node->count++], entries[i].data, sizeof(uint64_t));
        }
    }
}

static int snapshot_begin(void *context)
{
    struct node *node = context;
    node->frozen = node->count; // numbers are only added
    node->done = 0;
    return 0;
}

static int64_t snapshot_read(void *context, void *data, size_t size)
{
    struct node *node = context;
    size_t left = node->frozen * sizeof *node->numbers - node->done;
    size = size < left ? size : left;
    memcpy(data, (char *)node->numbers + node->done, size);
    node->done += size;
    return (int64_t)size;
}

static void snapshot_end(void *context)
{
    (void)context;
}

static int restore_begin(void *context)
{
    ((struct node *)context)->done = 0;
    return 0;
}

static int restore_write(void *context, const void *data, size_t size)
{
    struct node *node = context;
    if (size > sizeof node->numbers - node->done) {
        return -EBADMSG;
    }
    memcpy((char *)node->numbers + node->done, data, size);
    node->done += size;
    return 0;
}

static int restore_end(void *context, raft_index index)
{
    struct node *node = context;
    (void)index;
    node->count = node->done / sizeof *node->numbers;
    node->restored++;
    return node->done % sizeof *node->numbers == 0 ? 0 : -EBADMSG;
}

// ---- nodes ----------------------------------------------------------------------

static void on_log(void *context, const char *line)
{
    struct node *node = context;
    size_t used = strlen(node->log);
    snprintf(node->log + used, sizeof node->log - used, "%s\n", line);
}

static void on_closed(void *context)
{
    ((struct node *)context)->closed = true;
}

static void on_done(struct driver_request *request, enum driver_outcome outcome)
{
    struct node *node = request->context;
    CHECK_EQ(node->outcome, 0);
    node->outcome = outcome;
}

// Free at this moment, which has to do.
static uint16_t free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void set_up(void)
{
    CHECK_EQ(uv_loop_init(&loop), 0);
    CHECK(mkdtemp(root) != NULL);
    for (raft_id id = 1; id <= NODES; id++) {
        struct node *node = &nodes[id];
        node->id = id;
        node->request.context = node;
        node->request.done = on_done;
        snprintf(node->directory, sizeof node->directory, "%s/%u", root, (unsigned)id);
        snprintf(node->address, sizeof node->address, "127.0.0.1:%u",
                 (unsigned)free_port());
    }
}

static int remove_path(const char *path, const struct stat *status, int kind,
                       struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void configure(struct node *node, uint32_t members, struct driver_config *config)
{
    driver_config_default(config);
    config->host.cluster_id = 77;
    config->host.raft.id = node->id;
    config->host.snapshot_entries = 64;
    config->host.snapshot_tail_entries = 4;
    config->host.segment_bytes_max = 4096;
    config->directory = node->directory;
    config->listen = node->address;
    config->context = node;
    config->log = on_log;
    config->machine = (struct state_machine){.context = node,
                                             .apply = apply,
                                             .snapshot_begin = snapshot_begin,
                                             .snapshot_read = snapshot_read,
                                             .snapshot_end = snapshot_end,
                                             .restore_begin = restore_begin,
                                             .restore_write = restore_write,
                                             .restore_end = restore_end};
    struct raft_configuration *configuration = &config->host.raft.configuration;
    for (raft_id id = 1; id <= members; id++) {
        struct raft_member *member = &configuration->members[configuration->count++];
        *member = (struct raft_member){.id = id, .role = RAFT_VOTER};
        strcpy(member->address, nodes[id].address);
    }
}

static void start(struct node *node, uint32_t members)
{
    static struct driver_config config;
    char error[200] = "";
    configure(node, members, &config);
    node->count = 0;
    node->closed = false;
    node->driver = driver_open(&loop, &config, error, sizeof error);
    if (node->driver == NULL) {
        test_fail(__FILE__, __LINE__, "%s", error);
    }
}

#define TURN_UNTIL(condition)                                  \
    for (uint64_t start_ = uv_hrtime(); !(condition);) {       \
        CHECK((uv_hrtime() - start_) / 1000000 < WAIT_MS_MAX); \
        uv_run(&loop, UV_RUN_NOWAIT);                          \
        nanosleep(&(const struct timespec){0, 100000}, NULL);  \
    }

static void stop(struct node *node)
{
    driver_close(node->driver, on_closed, node);
    node->driver = NULL;
    TURN_UNTIL(node->closed);
}

static void tear_down(void)
{
    for (raft_id id = 1; id <= NODES; id++) {
        if (nodes[id].driver != NULL) {
            stop(&nodes[id]);
        }
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_EQ(uv_loop_close(&loop), 0);
    nftw(root, remove_path, 8, FTW_DEPTH | FTW_PHYS);
}

static struct node *leader(void)
{
    for (raft_id id = 1; id <= NODES; id++) {
        struct raft_view view;
        if (nodes[id].driver != NULL) {
            raft_observe(driver_raft(nodes[id].driver), &view);
            if (view.role == RAFT_LEADER) {
                return &nodes[id];
            }
        }
    }
    return NULL;
}

// Until it is done; an election on the way only costs an attempt.
static void add(uint64_t number)
{
    const struct raft_command command = {&number, sizeof number};
    struct node *asked = NULL;
    do {
        TURN_UNTIL((asked = leader()) != NULL);
        asked->outcome = 0;
        driver_propose(asked->driver, &command, 1, &asked->request);
        TURN_UNTIL(asked->outcome != 0);
    } while (asked->outcome == DRIVER_NOT_DONE);
    CHECK_EQ(asked->outcome, DRIVER_DONE);
    CHECK_EQ(asked->numbers[asked->count - 1], number);
}

static void change(raft_id id, enum raft_member_role role)
{
    struct raft_member member = {.id = id, .role = role};
    struct node *asked = NULL;
    strcpy(member.address, nodes[id].address);
    do {
        TURN_UNTIL((asked = leader()) != NULL);
        asked->outcome = 0;
        driver_change(asked->driver, &member, 1, &asked->request);
        TURN_UNTIL(asked->outcome != 0);
    } while (asked->outcome == DRIVER_NOT_DONE);
    CHECK_EQ(asked->outcome, DRIVER_DONE);
}

static enum raft_member_role role_of(raft_id id)
{
    struct raft_view view;
    if (leader() == NULL) {
        return RAFT_REMOVED;
    }
    raft_observe(driver_raft(leader()->driver), &view);
    const struct raft_member *member = raft_member_find(view.configuration, id);
    return member != NULL ? member->role : RAFT_REMOVED;
}

// ---- claims ---------------------------------------------------------------------

TEST(what_one_node_is_asked_all_apply_and_a_follower_answers_reads)
{
    set_up();
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    for (uint64_t number = 1; number <= 10; number++) {
        add(number);
    }
    for (raft_id id = 1; id <= 3; id++) {
        struct node *node = &nodes[id];
        do {
            node->outcome = 0;
            driver_read(node->driver, &node->request);
            TURN_UNTIL(node->outcome != 0);
        } while (node->outcome == DRIVER_NOT_DONE);
        CHECK_EQ(node->count, 10); // at once: the read has waited for it
        for (uint64_t i = 0; i < 10; i++) {
            CHECK_EQ(node->numbers[i], i + 1);
        }
        CHECK_EQ(driver_leader(node->driver), leader()->id);
    }
    tear_down();
}

enum { TOGETHER = 32 };

static struct together {
    struct driver_request request;
    struct node *asked;
    uint64_t count; // what the state machine had when it was told
} together[TOGETHER];

static void on_together(struct driver_request *request, enum driver_outcome outcome)
{
    struct together *one = request->context;
    CHECK_EQ(outcome, DRIVER_DONE);
    CHECK_EQ(one->count, 0);
    one->count = one->asked->count;
}

TEST(who_waits_for_an_entry_is_told_right_behind_it_also_in_a_batch)
{
    set_up();
    start(&nodes[1], 1);
    add(1);
    for (uint64_t i = 0; i < TOGETHER; i += 2) { // two at once, one of them waited for
        uint64_t numbers[2] = {i, i + 1};
        const struct raft_command commands[2] = {{&numbers[0], sizeof(uint64_t)},
                                                 {&numbers[1], sizeof(uint64_t)}};
        together[i].request = (struct driver_request){&together[i], on_together};
        together[i].asked = &nodes[1];
        driver_propose(nodes[1].driver, commands, 2,
                       i % 4 == 0 ? &together[i].request : NULL);
    }
    TURN_UNTIL(nodes[1].count == 1 + TOGETHER);
    for (uint64_t i = 0; i < TOGETHER; i += 4) {
        CHECK_EQ(together[i].count, 1 + i + 2);
    }
    tear_down();
}

TEST(a_follower_refuses_a_write_and_names_the_leader)
{
    set_up();
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    add(1);
    uint64_t number = 2;
    const struct raft_command command = {&number, sizeof number};
    struct node *follower = leader() == &nodes[1] ? &nodes[2] : &nodes[1];
    follower->outcome = 0;
    driver_propose(follower->driver, &command, 1, &follower->request);
    CHECK_EQ(follower->outcome, DRIVER_NOT_DONE);
    CHECK_EQ(follower->request.status, RAFT_NOT_LEADER);
    CHECK_EQ(driver_leader(follower->driver), leader()->id);
    tear_down();
}

TEST(all_that_was_done_is_there_after_a_restart)
{
    set_up();
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    for (uint64_t number = 1; number <= 20; number++) {
        add(number);
    }
    for (raft_id id = 1; id <= 3; id++) {
        stop(&nodes[id]);
    }
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    add(21);
    CHECK_EQ(leader()->count, 21);
    for (uint64_t i = 0; i < 21; i++) {
        CHECK_EQ(leader()->numbers[i], i + 1);
    }
    tear_down();
}

// A fourth node comes, and one of the three goes.
static void grow_and_shrink(uint64_t numbers)
{
    struct node *joiner = &nodes[4];
    start(joiner, 0);
    for (raft_id id = 1; id <= 3; id++) {
        CHECK(driver_set_peer(joiner->driver, id, nodes[id].address));
    }
    change(4, RAFT_JOINING);
    TURN_UNTIL(role_of(4) == RAFT_VOTER);
    add(numbers + 1);
    TURN_UNTIL(joiner->count == numbers + 1);
    for (uint64_t i = 0; i < joiner->count; i++) {
        CHECK_EQ(joiner->numbers[i], i + 1);
    }
    struct node *removed = leader() == &nodes[1] ? &nodes[2] : &nodes[1];
    change(removed->id, RAFT_REMOVED);
    struct transport_peer_counters peer;
    TURN_UNTIL(
        !transport_count_peer(driver_transport(joiner->driver), removed->id, &peer));
    stop(removed);
    add(numbers + 2);
    TURN_UNTIL(joiner->count == numbers + 2);
}

TEST(a_node_started_without_members_is_added_and_another_is_removed)
{
    set_up();
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    for (uint64_t number = 1; number <= 10; number++) {
        add(number);
    }
    grow_and_shrink(10);
    tear_down();
}

TEST(a_new_node_is_sent_a_snapshot_where_the_log_is_gone)
{
    set_up();
    for (raft_id id = 1; id <= 3; id++) {
        start(&nodes[id], 3);
    }
    for (uint64_t number = 1; number <= 200; number++) {
        add(number);
    }
    struct raft_view view;
    TURN_UNTIL(
        (raft_observe(driver_raft(leader()->driver), &view), view.first_index > 100));
    grow_and_shrink(200);
    CHECK(nodes[4].restored > 0);
    for (raft_id id = 1; id <= NODES; id++) { // and all come back from theirs
        if (nodes[id].driver != NULL) {
            stop(&nodes[id]);
            start(&nodes[id], 3);
        }
    }
    add(203);
    CHECK_EQ(leader()->count, 203);
    CHECK(leader()->restored > 0);
    tear_down();
}

TEST(a_close_with_work_under_way_tells_who_waits)
{
    set_up();
    start(&nodes[1], 2); // its majority never comes
    uint64_t number = 1;
    const struct raft_command command = {&number, sizeof number};
    start(&nodes[2], 2);
    TURN_UNTIL(leader() != NULL);
    struct node *asked = leader();
    struct node *other = asked == &nodes[1] ? &nodes[2] : &nodes[1];
    stop(other);
    asked->outcome = 0;
    driver_propose(asked->driver, &command, 1, &asked->request);
    CHECK_EQ(asked->outcome, 0);
    CHECK(driver_busy(asked->driver));
    stop(asked); // a sync is under way as well
    CHECK_EQ(asked->outcome, DRIVER_UNKNOWN);
    tear_down();
}

static void check_refused(struct driver_config *config, const char *reason)
{
    char error[200] = "";
    CHECK(driver_open(&loop, config, error, sizeof error) == NULL);
    if (strstr(error, reason) == NULL) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error, reason);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
}

TEST(what_cannot_start_says_why_and_leaves_nothing_behind)
{
    static struct driver_config config;
    struct stat status;
    set_up();
    start(&nodes[1], 1);
    configure(&nodes[2], 2, &config);
    config.listen = nodes[1].address;
    check_refused(&config, "address already in use");
    config.listen = "127.0.0.1";
    check_refused(&config, "\"127.0.0.1\" is no host:port to listen at");
    config.listen = "127.0.0.1:70000";
    check_refused(&config, "is no host:port");
    config.listen = "[::1:7000";
    check_refused(&config, "cannot listen at [::1:7000");
    config.listen = NULL;
    config.host.raft.heartbeat_ms = 0;
    check_refused(&config, "a timeout is 0");
    CHECK(stat(nodes[2].directory, &status) != 0);
    configure(&nodes[2], 2, &config);
    config.directory = nodes[1].directory; // which another one has locked
    check_refused(&config, "another process uses this directory");
    CHECK(!driver_set_peer(nodes[1].driver, 9, "nowhere"));
    CHECK(strstr(nodes[1].log, "node 9 cannot be reached at \"nowhere\"") != NULL);
    tear_down();
}

TEST_MAIN
