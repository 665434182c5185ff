// What an operator asks of the members, and what that means for a configuration; and
// how a member's place is written.
#include "kvserver/members.h"

#include "kvserver/place.h"
#include "tests/test.h"

static struct raft_configuration three(void)
{
    struct raft_configuration configuration = {.count = 3};

    for (uint32_t i = 0; i < 3; i++) {
        struct raft_member *member = &configuration.members[i];

        member->id = i + 1;
        member->role = RAFT_VOTER;
        member->priority = 10 * (i + 1);
        snprintf(member->address, sizeof member->address, "host%u:710%u/700%u", i + 1,
                 i + 1, i + 1);
    }
    return configuration;
}

// Reads and resolves one line of words at member 1. What it changes, or the error.
struct outcome {
    bool read;
    enum members_verdict verdict;
    struct members_delta delta;
    char error[256];
};

static struct outcome ask_at(const struct raft_configuration *configuration,
                             const char *own_address, const char *line)
{
    struct raft_member self = {.id = 1};
    struct outcome outcome = {0};
    struct bytes words[64];
    struct buffer error = {0};
    struct members_ask asked;
    char text[512];
    uint32_t count = 0;
    char *rest = text;

    snprintf(text, sizeof text, "%s", line);
    snprintf(self.address, sizeof self.address, "%s", own_address);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        words[count++] = (struct bytes){word, strlen(word)};
    outcome.read = members_read(words, count, &asked, &error);
    if (outcome.read)
        outcome.verdict =
            members_resolve(&asked, configuration, &self, &outcome.delta, &error);
    snprintf(outcome.error, sizeof outcome.error, "%.*s", (int)error.size,
             error.size > 0 ? error.data : "");
    buffer_free(&error);
    return outcome;
}

static struct outcome ask(const char *line)
{
    struct raft_configuration configuration = three();

    return ask_at(&configuration, "host1:7101/7001", line);
}

TEST(a_new_member_joins_unless_it_is_to_be_a_learner)
{
    struct outcome outcome = ask("ADD 4 host4:7104/7004");

    CHECK_EQ(outcome.verdict, MEMBERS_TO_CHANGE);
    CHECK_EQ(outcome.delta.count, 1);
    CHECK_EQ(outcome.delta.members[0].id, 4);
    CHECK_EQ(outcome.delta.members[0].role, RAFT_JOINING);
    CHECK_TEXT(outcome.delta.members[0].address, "host4:7104/7004");

    outcome = ask("add 4 host4:7104/7004 priority 7 learner");
    CHECK_EQ(outcome.delta.members[0].role, RAFT_LEARNER);
    CHECK_EQ(outcome.delta.members[0].priority, 7);
}

TEST(asking_again_for_what_is_so_already_changes_nothing)
{
    CHECK_EQ(ask("ADD 2 host2:7102/7002").verdict, MEMBERS_FULFILLED);
    CHECK_EQ(ask("PROMOTE 2").verdict, MEMBERS_FULFILLED);
    CHECK_EQ(ask("CHANGE 2 voter - -").verdict, MEMBERS_FULFILLED);
    CHECK_EQ(ask("CHANGE 2 voter - 20").verdict, MEMBERS_FULFILLED);
    CHECK_EQ(ask("CHANGE 2 voter - 21").verdict, MEMBERS_TO_CHANGE);
}

TEST(a_member_is_not_added_at_another_place_or_as_less)
{
    struct outcome outcome = ask("ADD 2 host9:7102/7002");

    CHECK_EQ(outcome.verdict, MEMBERS_REFUSED);
    CHECK(strstr(outcome.error, "-ERR member 2 is at host2:7102/7002") != NULL);
    CHECK_EQ(ask("ADD 2 host2:7102/7002 LEARNER").verdict, MEMBERS_REFUSED);
}

TEST(a_learner_that_is_added_again_may_join)
{
    struct raft_configuration configuration = three();
    struct outcome outcome;

    configuration.members[2].role = RAFT_LEARNER;
    outcome = ask_at(&configuration, "host1:7101/7001", "ADD 3 host3:7103/7003");
    CHECK_EQ(outcome.verdict, MEMBERS_TO_CHANGE);
    CHECK_EQ(outcome.delta.members[0].role, RAFT_JOINING);
}

TEST(promotion_and_removal_keep_address_and_priority)
{
    struct raft_configuration configuration = three();
    struct outcome outcome;

    configuration.members[1].role = RAFT_JOINING;
    outcome = ask_at(&configuration, "", "PROMOTE 2");
    CHECK_EQ(outcome.verdict, MEMBERS_TO_CHANGE);
    CHECK_EQ(outcome.delta.members[0].role, RAFT_VOTER);
    CHECK_EQ(outcome.delta.members[0].priority, 20);
    CHECK_TEXT(outcome.delta.members[0].address, "host2:7102/7002");
    CHECK_EQ(ask("REMOVE 3").delta.members[0].role, RAFT_REMOVED);
}

TEST(who_is_no_member_can_be_neither_removed_nor_promoted)
{
    CHECK_EQ(ask("REMOVE 4").verdict, MEMBERS_REFUSED);
    CHECK_TEXT(ask("PROMOTE 4").error, "-ERR member 4 is not in the configuration\r\n");
    CHECK_EQ(ask("CHANGE 4 removed - -").verdict, MEMBERS_REFUSED);
    CHECK_EQ(ask("CHANGE 4 voter - -").verdict, MEMBERS_REFUSED); // where is it?
}

TEST(several_changes_are_one_delta)
{
    struct outcome outcome =
        ask("CHANGE 1 voter - - 3 removed - - 4 voter host4:7104/7004 5");

    CHECK_EQ(outcome.verdict, MEMBERS_TO_CHANGE);
    CHECK_EQ(outcome.delta.count, 2); // member 1 stays what it is
    CHECK_EQ(outcome.delta.members[0].id, 3);
    CHECK_EQ(outcome.delta.members[1].id, 4);
    CHECK_EQ(outcome.delta.members[1].priority, 5);
}

TEST(a_leader_that_was_alone_tells_its_address_with_the_first_change)
{
    struct raft_configuration configuration = {
        .count = 1, .members = {{.id = 1, .role = RAFT_VOTER}}};
    struct outcome outcome =
        ask_at(&configuration, "host1:7101/7001", "ADD 2 host2:7102/7002");

    CHECK_EQ(outcome.verdict, MEMBERS_TO_CHANGE);
    CHECK_EQ(outcome.delta.count, 2);
    CHECK_EQ(outcome.delta.members[1].id, 1);
    CHECK_EQ(outcome.delta.members[1].role, RAFT_VOTER);
    CHECK_TEXT(outcome.delta.members[1].address, "host1:7101/7001");

    outcome = ask_at(&configuration, "", "ADD 2 host2:7102/7002");
    CHECK_EQ(outcome.verdict, MEMBERS_REFUSED);
    CHECK(strstr(outcome.error, "--peer-listen") != NULL);
}

TEST(more_members_than_fit_are_refused)
{
    struct raft_configuration configuration = three();

    configuration.count = RAFT_MEMBERS_MAX;
    for (uint32_t i = 3; i < RAFT_MEMBERS_MAX; i++) {
        configuration.members[i] = configuration.members[0];
        configuration.members[i].id = i + 1;
    }
    CHECK_EQ(ask_at(&configuration, "", "ADD 99 host:1/2").verdict, MEMBERS_REFUSED);
}

TEST(words_that_make_no_sense_are_refused)
{
    static const char *const lines[] = {"ADD",
                                        "ADD 4",
                                        "ADD 0 host:1/2",
                                        "ADD 4294967296 host:1/2",
                                        "ADD x host:1/2",
                                        "ADD 4 host:1",
                                        "ADD 4 host",
                                        "ADD 4 host:1/2 PRIORITY",
                                        "ADD 4 host:1/2 PRIORITY 1001",
                                        "ADD 4 host:1/2 SOON",
                                        "REMOVE",
                                        "REMOVE 1 2",
                                        "PROMOTE -1",
                                        "CHANGE 1",
                                        "CHANGE 1 voter -",
                                        "CHANGE 1 staying - -",
                                        "CHANGE 1 voter - - 1 removed - -",
                                        "EXPEL 3"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct outcome outcome = ask(lines[i]);

        CHECK(!outcome.read);
        CHECK(strncmp(outcome.error, "-ERR ", 5) == 0);
    }
}

TEST(a_place_is_read_as_it_is_written)
{
    static const char *const places[] = {"127.0.0.1:7101/7001", "[::1]:7101/7001",
                                         "some.host.example:1/65535"};
    char text[RAFT_ADDRESS_BYTES];
    struct place place;

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        CHECK(place_read(places[i], &place));
        place_write(&place, text);
        CHECK_TEXT(text, places[i]);
    }
    CHECK(place_read("[::1]:7101/7001", &place));
    CHECK_TEXT(place.host, "::1");
}

TEST(what_is_no_place_is_refused)
{
    static const char *const texts[] = {
        "",          "host",      "host:1",       ":1/2",        "host:0/1",
        "host:1/0",  "host:1/2/", "host:65536/1", "host:1/2 ",   "ho st:1/2",
        "host: 1/2", "[]:1/2",    "host:1 /2",    "ho\x7fst:1/2"};
    char longest[PLACE_HOST_MAX + 16];
    struct place place;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK(!place_read(texts[i], &place));
    memset(longest, 'h', sizeof longest);
    strcpy(longest + PLACE_HOST_MAX, ":1/2");
    CHECK(!place_read(longest, &place));
    strcpy(longest + PLACE_HOST_MAX - 1, ":1/2");
    CHECK(place_read(longest, &place));
}

TEST_MAIN
