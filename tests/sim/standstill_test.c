// A world in which time passes no more, or messages only become more, ends and says so.
#include "sim/world.h"

#include "tests/test.h"

#include <sys/wait.h>
#include <unistd.h>

TEST(steps_count_as_long_as_the_millisecond_is_the_same)
{
    struct standstill standstill = {0};

    for (uint64_t time_ms = 1; time_ms <= 2; time_ms++)
        for (int i = 0; i < STANDSTILL_STEPS_MAX; i++)
            CHECK(standstill_step(&standstill, 1000 * time_ms + (unsigned)i / 101));
    CHECK(!standstill_step(&standstill, 2999));
    standstill_reset(&standstill);
    CHECK(standstill_step(&standstill, 2999));
}

// A node that always has something to do, as a candidate without a timeout of its own.
static void spin(void)
{
    struct world_config config;
    char error[200];

    world_config_default(&config);
    struct world *world = world_new(&config, error, sizeof(error));
    CHECK(world != NULL && world_run_until(world, 3000));
    struct node *node = &world->nodes[2];
    for (;;)
        host_tick(node->host, &node->io, node_now_ms(node));
}

// What a process that does this says before it ends as one without an end.
static void said_by(void (*endless)(void), char *said, size_t bytes)
{
    int ends[2], status;

    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        endless();
    }
    close(ends[1]);
    memset(said, 0, bytes);
    for (size_t size = 0; size < bytes - 1;) {
        ssize_t got = read(ends[0], said + size, bytes - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), STANDSTILL_EXIT);
}

TEST(a_node_that_never_comes_to_rest_ends_the_process_with_its_last_step)
{
    char said[200];

    said_by(spin, said, sizeof(said));
    CHECK_TEXT(said,
               "time stands still: 100000 steps at 3 ms, the last of node 2: tick\n");
}

// Messages that are sent again with each step, as from an outbox that is never emptied.
static void flood(void)
{
    struct world_config config;
    char error[200];

    world_config_default(&config);
    struct world *world = world_new(&config, error, sizeof(error));
    CHECK(world != NULL && world_run_until(world, 3000));
    struct raft_message vote = {
        .type = RAFT_REQUEST_VOTE, .from = 1, .to = 2, .term = 1};
    for (int i = 0; i <= STANDSTILL_UNDER_WAY_MAX; i++)
        links_send(world, &vote, 1);
    while (world_step(world))
        ;
}

TEST(messages_that_multiply_end_the_process)
{
    char said[200];

    said_by(flood, said, sizeof(said));
    CHECK(strncmp(said, "messages without an end: 50000 under way at ", 44) == 0);
    CHECK(strstr(said, "ms, the last of node ") != NULL);
}

TEST_MAIN
