// Commands that are given at a time of the world, and what they can do to links, disks
// and majorities.
#include "tests/sim/language_fixture.h"

// Node 1 asks at 1 ms; the question arrives at 11 ms, the answer at 21 ms.
TEST(at_a_time_comes_before_what_happens_then_and_after_it_behind)
{
    static const struct {
        const char *pause;
        const char *role;
    } cases[] = {
        {"at 11ms pause 2", "expect role 1 pre-candidate"},
        {"after 11ms pause 2", "expect role 1 candidate"},
    };

    for (size_t i = 0; i < 2; i++) {
        SAY("cluster 2 delay=10ms sync=1ms");
        SAY("run 1ms");
        SAY("timeout 1");
        SAY(cases[i].pause);
        CHECK_EQ(language.world->now_us, 11000);
        SAY("at 22ms");
        CHECK_EQ(language.world->now_us, 22000);
        SAY(cases[i].role);
        SAY("at 5ms resume 2"); // that is past: it is done now
        CHECK_EQ(language.world->now_us, 22000);
    }
}

TEST(a_time_is_said_once)
{
    SAY("cluster 3");
    REFUSE("at 1s at 2s heal", "usage: at TIME");
    REFUSE("at 1s refused crash 9", "usage: at TIME");
    REFUSE("at 1s cluster 3", "usage: at TIME");
    REFUSE("at noon heal", "is no duration");
    REFUSE("after 1s", "usage: after TIME");
    SAY("refused at 1s crash 9");
}

TEST(a_core_has_to_be_able_to_decide)
{
    SAY("cluster 3");
    SAY("run until leader");
    REFUSE("core 1", "cannot decide");
    REFUSE("core 1 4", "is no node");
    SAY("core 1 2 down 3");
    SAY("expect down 3");
    SAY("expect committed core 1");
    SAY("settle");
    SAY("probe");
    SAY("expect committed probe 1");
    SAY("core");
    SAY("check");
}

TEST(a_link_differs_until_all_are_alike_again)
{
    const struct links *links;

    SAY("cluster 3");
    links = &language.world->links;
    SAY("link 1 > 2 delay=5ms..6ms slow=1.2345 mean=7ms loss=50 duplicate=0.5");
    CHECK(links->odd[1][2] && !links->odd[2][1]);
    CHECK_EQ(links->own[1][2].delay_us_max, 6000);
    CHECK_EQ(links->own[1][2].slow_ppm, 12345);
    CHECK_EQ(links->own[1][2].slow_us_mean, 7000);
    CHECK_EQ(links->own[1][2].loss_ppm, 500000);
    CHECK_EQ(links->own[1][2].duplicate_ppm, 5000);
    SAY("link 2 3 loss=1");
    CHECK(links->odd[2][3] && links->odd[3][2]);
    REFUSE("link 1 2 speed=1", "unknown setting");
    SAY("link off");
    CHECK(!links->odd[1][2] && !links->odd[2][3]);
    SAY("reorder 0.0001");
    CHECK_EQ(links->reorder_ppm, 1);
    SAY("late 300ms");
    CHECK_EQ(links->order_late_us, 300000);
}

TEST(clocks_are_set_where_the_world_is_made)
{
    SAY("cluster 3 clock=4294966835ms ahead=0ms,20ms drift=10 lease=5 ordered=on "
        "equal_seeds=on");
    CHECK_EQ(node_now_ms(&language.world->nodes[1]), 4294966835u);
    CHECK_EQ(node_now_ms(&language.world->nodes[2]), 4294966855u);
    CHECK_EQ(language.world->config.clock_drift_percent, 10);
    CHECK(language.world->config.ordered_links && language.world->config.equal_seeds);
    REFUSE("cluster 3 ahead=soon", "a list of durations");
    REFUSE("cluster 3 drift=1.5", "a whole percentage");
}

// The name of the newest snapshot among the files that were listed.
static void newest(char *name, size_t size)
{
    const char *at = answer.data, *end;

    name[0] = '\0';
    while ((end = strstr(at, ".snapshot\"")) != NULL) {
        const char *start = end;

        while (start[-1] != '"')
            start--;
        snprintf(name, size, "%.*s.snapshot", (int)(end - start), start);
        at = end + 1;
    }
}

TEST(a_disk_that_goes_to_the_wrong_place_reads_another_file)
{
    char first[80], second[80], line[200];

    SAY("cluster 1 snapshot_tail=100 value_digits=6");
    CHECK_EQ(language.world->config.value_digits, 6);
    SAY("set x 1");
    SAY("snapshot 1");
    SAY("run 1s");
    SAY("disk 1 files");
    newest(first, sizeof(first));
    SAY("set x 2");
    SAY("snapshot 1");
    SAY("run 1s");
    SAY("disk 1 files");
    newest(second, sizeof(second));
    snprintf(line, sizeof(line), "disk 1 misdirect %s none", second);
    REFUSE(line, "which are there");
    snprintf(line, sizeof(line), "disk 1 misdirect %s %s", second, first);
    SAY(line);
    SAY("crash 1 lose nothing");
    SAY("restart 1"); // with the snapshot before, and the log behind it
    CHECK_EQ(language.world->nodes[1].view.snapshot_index, strtoull(first, NULL, 10));
    SAY("disk 1 ok");
    SAY("run until applied");
    SAY("expect committed x 2");
}

TEST(the_newest_snapshot_can_be_borne_where_there_is_another_one)
{
    char name[80], line[120];

    SAY("cluster 1 snapshot_tail=100");
    SAY("set x 1");
    SAY("snapshot 1");
    SAY("run 1s");
    SAY("disk 1 files");
    newest(name, sizeof(name));
    snprintf(line, sizeof(line), "disk 1 damage %s 10 bearable", name);
    REFUSE(line, "cannot do without");
    SAY("set x 2");
    SAY("snapshot 1");
    SAY("run 1s");
    SAY("disk 1 files");
    newest(name, sizeof(name));
    snprintf(line, sizeof(line), "disk 1 damage %s 10 bearable", name);
    SAY(line);
    SAY("expect down 1");
    SAY("restart 1");
    SAY("run until applied");
    SAY("expect committed x 2");
}

TEST(a_time_ends_early_where_what_is_waited_for_comes)
{
    SAY("cluster 3");
    SAY("run 10s until leader");
    CHECK(language.world->now_us < 10000000);
    SAY("expect leader 1 2 3");
    SAY("expect role 1 follower leader");
    SAY("isolate 1");
    SAY("isolate 2");
    SAY("run 2s");
    REFUSE("expect leader 1 2 3", "no leader");
    uint64_t before_us = language.world->now_us;
    SAY("run 3s until leader");
    CHECK_EQ(language.world->now_us, before_us + 3000000);
}

TEST(what_is_tried_may_be_refused_and_breaks_no_rule)
{
    SAY("cluster 3 manual");
    SAY("try propose set x 1");
    CHECK_TEXT_HAS(answer.data, "\"done\":false,\"reason\":\"there is no leader\"");
    SAY("try timeout 1");
    CHECK_TEXT_HAS(answer.data, "\"done\":true");
    SAY("try expect term 1 == 9");
    REFUSE("try try timeout 1", "usage: try");
    REFUSE("refused try timeout 1", "usage: refused");
}

TEST_MAIN
