// A world in which time passes no more ends, and says so.
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

TEST(a_node_that_never_comes_to_rest_ends_the_process_with_its_last_step)
{
    char said[200] = "";
    int ends[2], status;

    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        spin();
    }
    close(ends[1]);
    for (size_t size = 0; size < sizeof(said) - 1;) {
        ssize_t got = read(ends[0], said + size, sizeof(said) - 1 - size);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), STANDSTILL_EXIT);
    CHECK_TEXT(said,
               "time stands still: 100000 steps at 3 ms, the last of node 2: tick\n");
}

TEST_MAIN
