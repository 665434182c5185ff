// Worlds by hand: what is said happens, and nothing else does.
#include "tests/sim/language_fixture.h"

#define ANSWERS(text)                                                        \
    do {                                                                     \
        if (strstr(answer.data, text) == NULL)                               \
            test_fail(__FILE__, __LINE__, "no %s in %s", text, answer.data); \
    } while (0)

// Node 1 leads, its no-op is committed with node 2.
static void elect(const char *cluster)
{
    SAY(cluster);
    SAY("timeout 1");
    SAY("deliver 1 2 pre-vote");
    SAY("deliver 2 1 pre-vote-reply");
    SAY("deliver 1 2 vote");
    SAY("deliver 2 1 vote-reply");
    SAY("deliver 1 2 append");
    SAY("deliver 2 1 append-reply");
    SAY("expect leader 1");
    SAY("expect commit_index 1 == 1");
}

static void round_trip(void)
{
    SAY("deliver 1 2 append");
    SAY("deliver 2 1 append-reply");
}

TEST(nothing_happens_by_itself)
{
    SAY("cluster 3 manual");
    SAY("pass 1h");
    SAY("flight");
    ANSWERS("\"messages\":[]");
    SAY("expect no leader");
    SAY("expect term 1 == 0");
    SAY("timeout 1");
    SAY("flight 1 2");
    ANSWERS("[\"PreVote n1>n2 t1 log=0/0\"]");
    SAY("pass 1h");
    SAY("flight 2 1");
    ANSWERS("\"messages\":[]");
}

TEST(a_message_is_chosen_by_its_place_or_by_its_kind)
{
    SAY("cluster 3 manual");
    SAY("timeout 1");
    SAY("deliver 1 3");
    SAY("deliver 3 1 pre-vote-reply");
    SAY("flight 1 2");
    ANSWERS("[\"PreVote n1>n2 t1 log=0/0\",\"RequestVote n1>n2 t1 log=0/0\"]");
    REFUSE("deliver 1 2 3", "no such message");
    REFUSE("deliver 1 2 append", "no such message");
    REFUSE("deliver 1 2 letter", "neither a place from 1 nor a kind");
    REFUSE("deliver 1 2 vote 2", "no such message");
    REFUSE("deliver 1 2 vote 1 1", "usage: deliver A B [KIND] [K]");
    SAY("deliver 1 2 2");
    ANSWERS("RequestVote n1>n2");
    SAY("deliver 1 2");
    ANSWERS("PreVote n1>n2");
    REFUSE("deliver 1 2", "no such message");
}

TEST(a_message_can_come_twice_or_never)
{
    elect("cluster 3 manual");
    SAY("again 1 3 vote");
    SAY("again 1 3 vote");
    SAY("flight 3 1");
    ANSWERS("[\"RequestVoteReply n3>n1 t1 granted\",\"RequestVoteReply n3>n1 t1 "
            "granted\"]");
    SAY("drop 1 3 vote");
    REFUSE("again 1 3 vote", "no such message");
    REFUSE("drop 1 3 vote", "no such message");
}

TEST(a_stray_copy_names_no_sender_and_is_not_believed)
{
    SAY("cluster 3 manual");
    SAY("timeout 1");
    SAY("stray 1 2 pre-vote");
    SAY("flight 2 1");
    ANSWERS("\"messages\":[]");
    SAY("deliver 1 2 pre-vote");
    SAY("flight 2 1");
    ANSWERS("PreVoteReply n2>n1");
}

// The entries of a message are copied with it.
TEST(a_message_with_entries_comes_twice)
{
    elect("cluster 3 manual");
    SAY("propose at 1 set x 1");
    SAY("again 1 2 append");
    SAY("deliver 1 2 append");
    SAY("expect entry 2 2 1 \"set x 1\"");
    SAY("deliver 2 1 append-reply");
    SAY("expect committed x 1");
}

TEST(a_cut_link_takes_what_is_sent)
{
    SAY("cluster 3 manual");
    SAY("cut 1 > 2");
    SAY("timeout 1");
    SAY("flight");
    ANSWERS("[\"PreVote n1>n3 t1 log=0/0\"]");
    SAY("heal");
    SAY("flight 1 2");
    ANSWERS("\"messages\":[]");
}

TEST(who_is_down_receives_nothing)
{
    SAY("cluster 3 manual");
    SAY("timeout 1");
    SAY("crash 2");
    REFUSE("deliver 1 2", "node 2 is not running");
    SAY("restart 2");
    SAY("deliver 1 2");
    SAY("pause 3");
    REFUSE("deliver 1 3", "node 3 is not running");
}

TEST(a_disk_by_hand_is_waited_for)
{
    SAY("cluster 3 manual");
    SAY("disk 2 sync=manual");
    SAY("timeout 1");
    SAY("deliver 1 2");
    SAY("deliver 2 1");
    SAY("deliver 1 2");
    SAY("flight 2 1");
    ANSWERS("\"messages\":[]"); // its vote is not durable yet
    SAY("sync 2");
    ANSWERS("\"syncs\":1");
    SAY("flight 2 1");
    ANSWERS("RequestVoteReply n2>n1 t1 granted");
    REFUSE("sync 2", "no sync under way");
    REFUSE("sync 1", "no sync under way");
}

TEST(a_crash_before_the_sync_loses_the_write)
{
    SAY("cluster 3 manual");
    SAY("disk 2 sync=manual");
    SAY("timeout 1");
    SAY("deliver 1 2");
    SAY("deliver 2 1");
    SAY("deliver 1 2");
    SAY("crash 2 lose all");
    SAY("restart 2");
    ANSWERS("\"term\":0");
    SAY("disk 3 sync=manual");
    SAY("deliver 1 3");
    SAY("deliver 1 3 vote");
    SAY("sync 3");
    SAY("crash 3 lose all");
    SAY("restart 3");
    ANSWERS("\"term\":1");
}

TEST(so_many_bytes_of_a_file_read_wrongly)
{
    elect("cluster 3 manual");
    SAY("disk 1 files");
    ANSWERS("\"00000000000000000001.log\":");
    SAY("crash 1 lose nothing");
    REFUSE("disk 1 damage 00000000000000000001.log 30 zero bytes=none", "no number");
    REFUSE("disk 1 damage 00000000000000000001.log 30 zero bytes=99999", "no byte");
    SAY("disk 1 damage 00000000000000000001.log 0 zero bytes=16");
    REFUSE("restart 1", "node 1 does not start");
    SAY("disk 1 ok");
    SAY("restart 1");
}

TEST(syncs_end_one_by_one_where_a_number_says_so)
{
    elect("cluster 3 manual");
    SAY("disk 2 sync=manual");
    SAY("propose at 1 set x 1");
    SAY("deliver 1 2 append");
    SAY("propose at 1 set x 2");
    SAY("deliver 1 2 append");
    SAY("sync 2 1");
    SAY("expect durable_index 2 == 2");
    SAY("sync 2");
    SAY("expect durable_index 2 == 3");
}

TEST(a_timeout_moves_one_clock_and_a_passing_all)
{
    elect("cluster 3 manual");
    SAY("deliver 1 3 append");
    SAY("timeout 1");
    SAY("deliver 1 2 append"); // a heartbeat
    SAY("timeout 3");
    SAY("deliver 3 2 pre-vote");
    SAY("deliver 2 3 pre-vote-reply");
    ANSWERS("refused"); // node 2 has just heard the leader
    SAY("pass 300ms");
    SAY("timeout 3");
    SAY("deliver 3 2 pre-vote");
    SAY("deliver 2 3 pre-vote-reply");
    ANSWERS("granted");
}

TEST(a_client_is_answered_as_soon_as_its_node_knows)
{
    elect("cluster 3 manual");
    SAY("client 1 at 2 set x 1");
    ANSWERS("\"refused\":\"not the leader\"");
    SAY("client 1 at 1 set x 1");
    SAY("deliver 1 2 append");
    SAY("client 2 at 1 get x");
    SAY("deliver 2 1 append-reply");
    ANSWERS("{\"client\":1,\"reply\":\"OK\"}");
    round_trip();
    ANSWERS("{\"client\":2,\"reply\":\"1\"}");
    SAY("history");
    ANSWERS("\"operations\":3");
    SAY("check");
    ANSWERS("\"linearizable\":\"yes\"");
}

TEST(what_a_client_was_told_since_it_asked_can_be_claimed)
{
    elect("cluster 3 manual");
    SAY("expect no answer 1");
    REFUSE("expect answer 1 OK", "client 1 has no answer");
    SAY("client 1 at 2 set x 1"); // refused
    SAY("expect no answer 1");
    SAY("client 1 at 1 set x \"a b\"");
    SAY("expect no answer 1");
    round_trip();
    SAY("expect answer 1 OK");
    REFUSE("expect no answer 1", "client 1 was told OK");
    SAY("client 1 at 1 get x");
    SAY("expect no answer 1"); // what it was told before answers something else
    round_trip();
    SAY("expect answer 1 \"a b\"");
    SAY("expect no answer 2");
    REFUSE("expect answer 1 a", "client 1 was told a b");
    REFUSE("expect answer 0 a", "\"0\" is no client from 1 to 1000");
    REFUSE("expect no answer", "usage: expect no answer C");
    REFUSE("expect answer 1", "usage: expect answer C TEXT");
    SAY("cluster 3 manual");
    SAY("expect no answer 1");
}

TEST(who_is_deposed_does_not_name_itself_to_its_client)
{
    elect("cluster 3 manual check_quorum=off");
    SAY("deliver 1 3 append");
    SAY("pass 1s");
    SAY("timeout 3");
    SAY("deliver 3 2 pre-vote");
    SAY("deliver 2 3 pre-vote-reply");
    SAY("deliver 3 2 vote");
    SAY("deliver 2 3 vote-reply");
    SAY("client 1 at 1 get x");
    SAY("timeout 1");
    SAY("deliver 1 2 append");
    SAY("deliver 2 1 append-reply");
    ANSWERS("{\"client\":1,\"refused\":\"not the leader\",\"leader\":0}");
}

TEST(a_client_asks_twice_only_where_the_store_knows_it_for_the_same)
{
    elect("cluster 3 manual");
    SAY("client 1 at 1 incr x");
    REFUSE("client 1 again at 1", "needs a session");
    SAY("client 1 register at 1");
    round_trip();
    round_trip();
    ANSWERS("\"client\":1");
    SAY("client 1 at 1 incr x");
    SAY("client 1 again at 1");
    round_trip();
    round_trip();
    SAY("expect committed x 2"); // the first, of an unknown outcome, and this one
    SAY("client 1 again at 1");  // a copy that comes after the answer
    round_trip();
    SAY("expect committed x 2");
}

TEST(a_read_by_hand_is_a_ticket_until_it_is_confirmed)
{
    elect("cluster 3 manual");
    SAY("get x at 1");
    ANSWERS("\"ticket\":0");
    SAY("expect ticket 0 open");
    round_trip();
    SAY("expect ticket 0 done");
    REFUSE("get x", "say where");
}

TEST(each_world_has_its_own_commands)
{
    static const char *const timed[] = {
        "run 1s",     "run until leader", "step",    "settle",     "clients start 1",
        "do set x 1", "set x 1",          "loss 10", "faults all", "hold 1 2",
        "at 1s heal", "core 1 2",         "probe",   "reorder 1",  "late 1s"};
    static const char *const manual[] = {
        "deliver 1 2", "again 1 2",          "flight", "sync 1", "pass 1s",
        "auto",        "client 1 at 1 get x"};

    SAY("cluster 3 manual");
    for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
        REFUSE(timed[i], "in a manual world nothing happens by itself");
    REFUSE("crash 1 at write", "in a manual world");
    REFUSE("disk 1 sync=1ms", "in a manual world");
    SAY("cluster 3");
    for (size_t i = 0; i < sizeof(manual) / sizeof(manual[0]); i++)
        REFUSE(manual[i], "this is for a manual world");
}

TEST(a_world_is_handed_over_to_the_clock)
{
    elect("cluster 3 manual");
    SAY("disk 2 sync=manual");
    SAY("client 1 at 1 set x 1");
    SAY("deliver 1 2 append");
    SAY("auto");
    SAY("run 1s");
    SAY("expect committed x 1");
    SAY("expect same");
    SAY("set x 2");
    REFUSE("deliver 1 2", "this is for a manual world");
}

// ---- crashes inside a step ------------------------------------------------------

// Node 1 asks nodes 2 and 3 for pre-votes, and is cut off behind the first of them, the
// second, or neither.
TEST(a_crash_by_hand_comes_inside_a_step_where_it_was_said)
{
    static const struct {
        const char *crash;
        bool asks_3;
        bool up;
    } cases[] = {
        {"crash 1 inside 1 lose all", false, false},
        {"crash 1 inside 2 lose nothing", true, false},
        {"crash 1 inside 99", true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        elect("cluster 3 manual");
        SAY("crash 1");
        SAY("restart 1");
        SAY(cases[i].crash);
        SAY("timeout 1");
        SAY(cases[i].up ? "expect up 1" : "expect down 1");
        SAY("flight 1 2");
        ANSWERS("t2");
        SAY("flight 1 3");
        CHECK_EQ(strstr(answer.data, "t2") != NULL, cases[i].asks_3);
    }
}

TEST(a_crash_by_hand_comes_inside_a_start)
{
    elect("cluster 3 manual");
    SAY("crash 1");
    SAY("crash 1 inside 1 lose all");
    SAY("restart 1");
    ANSWERS("\"up\":false");
    SAY("expect down 1");
    SAY("restart 1");
    SAY("expect up 1");
    REFUSE("crash 1 inside 0", "a number of effects from 1 on");
    REFUSE("crash 1 inside 1 lose some", "expected: crash N");
    REFUSE("crash 1 inside 1 lose tail draw=x", "is no draw=NUMBER");
}

// Every command is an event of the world, and the same commands give the same run.
TEST(the_same_commands_give_the_same_trace)
{
    uint64_t hashes[2];

    for (int i = 0; i < 2; i++) {
        elect("cluster 3 manual seed=9");
        SAY("crash 2 lose tail");
        SAY("restart 2");
        hashes[i] = language.world->trace.hash;
        CHECK(language.world->event_count >= 10);
    }
    CHECK_EQ(hashes[0], hashes[1]);
}

// A disk that nobody is known to have broken: the host that stops breaks a rule.
TEST(a_broken_rule_is_told_where_it_breaks_and_can_be_claimed)
{
    elect("cluster 3 manual");
    REFUSE("expect violation \"node stopped\"", "no rule is broken");
    sim_disk_fail_syncs(language.world->nodes[1].disk, 1);
    REFUSE("propose at 1 set x 1", "violation of node stopped");
    REFUSE("expect violation \"log terms\"", "the rule that is broken is node stopped");
    SAY("expect violation \"node stopped\"");
    REFUSE("deliver 1 2", "the world stands still");
    REFUSE("pass 1s", "the world stands still");
}

TEST_MAIN
