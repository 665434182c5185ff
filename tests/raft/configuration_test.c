// Configurations: their text, what can be used, and how one leads to another (section
// 6; dissertation 4).
#include "raft/configuration.h"
#include "tests/test.h"

static struct raft_configuration voters(uint32_t count)
{
    struct raft_configuration configuration = {.count = count};
    for (uint32_t i = 0; i < count; i++)
        configuration.members[i] = (struct raft_member){i + 1, RAFT_VOTER};
    return configuration;
}

static struct raft_configuration parsed(const char *text)
{
    struct raft_configuration configuration;
    CHECK(raft_configuration_decode(text, (uint32_t)strlen(text), &configuration));
    return configuration;
}

static void check_text(const struct raft_configuration *configuration, const char *text)
{
    char own[RAFT_CONFIGURATION_BYTES_MAX + 1];
    own[raft_configuration_encode(configuration, own)] = '\0';
    CHECK_TEXT(own, text);
}

// ---- text -------------------------------------------------------------------------

TEST(a_configuration_is_read_as_it_was_written)
{
    static const char text[] = "1 voter 0 -\n"
                               "4294967295 leaving 4294967295 [::1]:7001\n"
                               "3 staying 10 host:1\n"
                               "4 learner 7 ~!\n"
                               "5 joining 1 --\n";
    struct raft_configuration configuration = parsed(text);
    CHECK_EQ(configuration.count, 5);
    CHECK_EQ(configuration.members[1].id, UINT32_MAX);
    CHECK_EQ(configuration.members[1].role, RAFT_LEAVING);
    CHECK_EQ(configuration.members[1].priority, UINT32_MAX);
    CHECK_TEXT(configuration.members[0].address, "");
    CHECK_TEXT(configuration.members[1].address, "[::1]:7001");
    CHECK_EQ(configuration.members[4].role, RAFT_JOINING);
    check_text(&configuration, text);
}

TEST(the_largest_configuration_has_room)
{
    struct raft_configuration configuration = {.count = RAFT_MEMBERS_MAX};
    for (uint32_t i = 0; i < RAFT_MEMBERS_MAX; i++) {
        configuration.members[i] =
            (struct raft_member){UINT32_MAX - i, RAFT_STAYING, UINT32_MAX, ""};
        memset(configuration.members[i].address, 'a', RAFT_ADDRESS_BYTES - 1);
    }
    char text[RAFT_CONFIGURATION_BYTES_MAX];
    uint32_t size = raft_configuration_encode(&configuration, text);
    CHECK(size <= sizeof text);
    struct raft_configuration again;
    CHECK(raft_configuration_decode(text, size, &again));
    CHECK(memcmp(&again, &configuration, sizeof again) == 0);
}

// The bytes of a string literal, with what stands behind a NUL.
#define BYTES(text)            \
    {                          \
        text, sizeof(text) - 1 \
    }

TEST(text_that_is_not_written_so_is_refused)
{
    static const struct {
        const char *text;
        size_t size;
    } malformed[] = {
        BYTES(""),
        BYTES("\n"),
        BYTES("1 voter 0 -"),
        BYTES("1 voter 0 \n"),
        BYTES("1 voter 0\n"),
        BYTES("1 voter -\n"),
        BYTES("1  voter 0 -\n"),
        BYTES(" 1 voter 0 -\n"),
        BYTES("1 voter 0 - \n"),
        BYTES("1 voter 0 a b\n"),
        BYTES("1 voter 0 -\r\n"),
        BYTES("1 voter 0 \x7f\n"),
        BYTES("1 voter 0 \xc3\xa9\n"),
        BYTES("1 voter 0 -\n\n"),
        BYTES("1 voter 0 -\nx"),
        BYTES("0 voter 0 -\n"),
        BYTES("01 voter 0 -\n"),
        BYTES("+1 voter 0 -\n"),
        BYTES("-1 voter 0 -\n"),
        BYTES("0x1 voter 0 -\n"),
        BYTES("1 voter 00 -\n"),
        BYTES("4294967296 voter 0 -\n"),
        BYTES("9999999999 voter 0 -\n"),
        BYTES("11111111111 voter 0 -\n"),
        BYTES("1 voter 4294967296 -\n"),
        BYTES("1 Voter 0 -\n"),
        BYTES("1 removed 0 -\n"),
        BYTES("1 votervotervotervoter 0 -\n"),
        BYTES("1 vote 0 -\n"),
        BYTES("1 learner 0 -\n"),
        BYTES("1 joining 0 -\n"),
        BYTES("1 leaving 0 -\n"),
        BYTES("1 voter 0 -\n1 learner 0 -\n"),
        BYTES("1\0 voter 0 -\n"),
        BYTES("1 voter\0 0 -\n"),
        BYTES("1 voter 0\0 -\n"),
        BYTES("1 voter 0 -\0\n"),
        BYTES("1 voter 0 a\0b\n"),
        BYTES("1 voter 0 \0\n"),
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct raft_configuration configuration;
        if (raft_configuration_decode(malformed[i].text, (uint32_t)malformed[i].size,
                                      &configuration))
            test_fail(__FILE__, __LINE__, "case %zu was taken: \"%s\"", i,
                      malformed[i].text);
    }
}

TEST(every_cut_of_a_text_within_a_line_is_refused)
{
    static const char text[] = "1 voter 0 -\n2 learner 3 host:1\n";
    struct raft_configuration configuration;
    for (uint32_t size = 0; size < sizeof text - 1; size++)
        CHECK_EQ(raft_configuration_decode(text, size, &configuration), size == 12);
}

TEST(an_address_has_at_most_127_bytes_and_members_are_at_most_15)
{
    char text[4096] = "1 voter 0 ";
    memset(text + 10, 'a', RAFT_ADDRESS_BYTES);
    struct raft_configuration configuration;
    text[10 + RAFT_ADDRESS_BYTES - 1] = '\n';
    CHECK(raft_configuration_decode(text, 10 + RAFT_ADDRESS_BYTES, &configuration));
    text[10 + RAFT_ADDRESS_BYTES - 1] = 'a';
    text[10 + RAFT_ADDRESS_BYTES] = '\n';
    CHECK(
        !raft_configuration_decode(text, 10 + RAFT_ADDRESS_BYTES + 1, &configuration));
    size_t size = 0;
    for (uint32_t id = 1; id <= RAFT_MEMBERS_MAX + 1; id++) {
        size += (size_t)sprintf(text + size, "%" PRIu32 " voter 0 -\n", id);
        CHECK_EQ(raft_configuration_decode(text, (uint32_t)size, &configuration),
                 id <= RAFT_MEMBERS_MAX);
    }
}

TEST(every_role_has_a_word)
{
    CHECK_TEXT(raft_configuration_role_text(RAFT_REMOVED), "removed");
    CHECK_TEXT(raft_configuration_role_text(RAFT_LEAVING), "leaving");
    CHECK_TEXT(raft_configuration_role_text((enum raft_member_role)77),
               "an unknown role");
    CHECK_TEXT(raft_configuration_role_text((enum raft_member_role) - 1),
               "an unknown role");
}

TEST(a_cluster_cannot_begin_with_a_configuration_that_cannot_be_used)
{
    struct raft_config config;
    raft_config_default(&config);
    config.id = 1;
    CHECK(raft_config_problem(&config) == NULL); // it waits to be added
    static const struct raft_member wrong[][2] = {
        {{0, RAFT_VOTER}, {2, RAFT_VOTER}},
        {{1, RAFT_VOTER}, {1, RAFT_LEARNER}},
        {{1, RAFT_LEARNER}, {2, RAFT_JOINING}},
        {{1, RAFT_VOTER}, {2, RAFT_REMOVED}},
        {{1, RAFT_VOTER}, {2, (enum raft_member_role)6}},
        {{1, RAFT_VOTER}, {2, RAFT_STAYING}},
        {{1, RAFT_VOTER}, {2, RAFT_LEAVING}},
        {{1, RAFT_VOTER}, {2, RAFT_VOTER, 0, "a b"}},
        {{1, RAFT_VOTER}, {2, RAFT_VOTER, 0, "-"}},
    };
    config.configuration.count = 2;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(config.configuration.members, wrong[i], sizeof wrong[i]);
        CHECK(raft_config_problem(&config) != NULL);
    }
    config.configuration = voters(2);
    CHECK(raft_config_problem(&config) == NULL);
    memset(config.configuration.members[1].address, 'a', RAFT_ADDRESS_BYTES);
    CHECK(raft_config_problem(&config) != NULL); // it does not end
    config.configuration = voters(2);
    config.configuration.count = RAFT_MEMBERS_MAX + 1;
    CHECK(raft_config_problem(&config) != NULL);
}

// ---- changes ----------------------------------------------------------------------

struct change_case {
    const char *now;
    struct raft_member changes[3];
    const char *next; // NULL: refused
};

static void check_change(const struct change_case *at)
{
    uint32_t count = 0;
    while (count < 3 && at->changes[count].id != 0)
        count++;
    struct raft_configuration now = parsed(at->now);
    struct raft_configuration next;
    enum raft_status status = configuration_change(&now, at->changes, count, &next);
    CHECK_EQ(status, at->next == NULL ? RAFT_INVALID : RAFT_OK);
    if (at->next != NULL)
        check_text(&next, at->next);
}

#define THREE "1 voter 0 a\n2 voter 0 -\n3 voter 0 -\n"

TEST(one_voter_more_or_less_is_a_simple_change)
{
    static const struct change_case cases[] = {
        {THREE, {{4, RAFT_VOTER, 5, "d"}}, THREE "4 voter 5 d\n"},
        {THREE, {{4, RAFT_LEARNER}}, THREE "4 learner 0 -\n"},
        {THREE, {{4, RAFT_JOINING}}, THREE "4 joining 0 -\n"},
        {THREE, {{2, RAFT_REMOVED}}, "1 voter 0 a\n3 voter 0 -\n"},
        {THREE, {{1, RAFT_LEARNER}}, "1 learner 0 a\n2 voter 0 -\n3 voter 0 -\n"},
        {THREE, {{1, RAFT_VOTER, 9}}, "1 voter 9 a\n2 voter 0 -\n3 voter 0 -\n"},
        {THREE, {{1, RAFT_VOTER, 0, "b"}}, "1 voter 0 b\n2 voter 0 -\n3 voter 0 -\n"},
        {THREE,
         {{3, RAFT_REMOVED}, {4, RAFT_LEARNER}},
         "1 voter 0 a\n2 voter 0 -\n4 learner 0 -\n"},
        {THREE "4 learner 0 -\n", {{4, RAFT_JOINING}}, THREE "4 joining 0 -\n"},
        {THREE "4 joining 0 -\n", {{4, RAFT_VOTER}}, THREE "4 voter 0 -\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_change(&cases[i]);
}

TEST(two_voters_moved_go_through_a_joint_configuration)
{
    static const struct change_case cases[] = {
        {THREE,
         {{3, RAFT_REMOVED}, {4, RAFT_VOTER, 0, "d"}},
         "1 staying 0 a\n2 staying 0 -\n4 voter 0 d\n3 leaving 0 -\n"},
        {THREE,
         {{4, RAFT_VOTER}, {5, RAFT_VOTER}},
         "1 staying 0 a\n2 staying 0 -\n3 staying 0 -\n4 voter 0 -\n5 voter 0 -\n"},
        {THREE,
         {{1, RAFT_REMOVED}, {2, RAFT_REMOVED}},
         "3 staying 0 -\n1 leaving 0 a\n2 leaving 0 -\n"},
        {THREE "4 learner 0 -\n",
         {{4, RAFT_VOTER}, {1, RAFT_REMOVED}},
         "2 staying 0 -\n3 staying 0 -\n4 voter 0 -\n1 leaving 0 a\n"},
        {THREE "4 learner 0 -\n5 learner 0 -\n",
         {{1, RAFT_REMOVED}, {2, RAFT_REMOVED}, {5, RAFT_REMOVED}},
         "3 staying 0 -\n4 learner 0 -\n1 leaving 0 a\n2 leaving 0 -\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_change(&cases[i]);
}

TEST(changes_that_cannot_be_are_refused)
{
    static const struct change_case cases[] = {
        {THREE, {{0}}, NULL},               // none
        {THREE, {{2, RAFT_VOTER}}, NULL},   // it is one
        {THREE, {{4, RAFT_REMOVED}}, NULL}, // it is none
        {THREE, {{2, RAFT_JOINING}}, NULL}, // it votes already
        {THREE, {{4, RAFT_LEAVING}}, NULL},
        {THREE, {{4, RAFT_STAYING}}, NULL},
        {THREE, {{4, (enum raft_member_role)9}}, NULL},
        {THREE, {{4, RAFT_LEARNER, 0, "a b"}}, NULL},
        {THREE, {{4, RAFT_LEARNER, 0, "-"}}, NULL},
        {THREE, {{4, RAFT_LEARNER}, {4, RAFT_REMOVED}}, NULL}, // nothing remains
        {THREE, {{1, RAFT_LEARNER}, {4, RAFT_VOTER}}, NULL},   // demoted in a joint one
        {THREE, {{1, RAFT_LEARNER}, {2, RAFT_LEARNER}}, NULL},
        {THREE, {{1, RAFT_REMOVED}, {2, RAFT_REMOVED}, {3, RAFT_REMOVED}}, NULL},
        {"1 voter 0 -\n", {{1, RAFT_REMOVED}}, NULL},
        {"1 voter 0 -\n", {{1, RAFT_LEARNER}}, NULL},
        {"1 voter 0 -\n2 learner 0 -\n", {{1, RAFT_REMOVED}}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_change(&cases[i]);
}

TEST(a_change_beyond_the_room_is_refused)
{
    struct raft_configuration now = voters(RAFT_MEMBERS_MAX);
    struct raft_configuration next;
    struct raft_member changes[2] = {{16, RAFT_LEARNER}, {17, RAFT_VOTER}};
    CHECK_EQ(configuration_change(&now, changes, 1, &next), RAFT_INVALID);
    // Who leaves has to have a place in the joint configuration, too.
    changes[0] = (struct raft_member){15, RAFT_REMOVED};
    CHECK_EQ(configuration_change(&now, changes, 2, &next), RAFT_INVALID);
    now = voters(RAFT_MEMBERS_MAX - 1);
    changes[0].id = 14;
    CHECK_EQ(configuration_change(&now, changes, 2, &next), RAFT_OK);
    CHECK_EQ(next.count, RAFT_MEMBERS_MAX);
}

TEST(a_joint_configuration_is_left_for_its_new_half)
{
    struct raft_configuration joint = parsed("1 staying 3 a\n2 leaving 0 b\n"
                                             "3 voter 0 c\n4 learner 1 d\n"
                                             "5 joining 2 e\n");
    CHECK(configuration_is_joint(&joint));
    struct raft_configuration next;
    configuration_leave(&joint, &next);
    CHECK(!configuration_is_joint(&next));
    check_text(&next, "1 voter 3 a\n3 voter 0 c\n4 learner 1 d\n5 joining 2 e\n");
}

TEST(a_configuration_is_joint_while_anyone_counts_in_an_old_half)
{
    struct raft_configuration configuration = voters(3);
    CHECK(!configuration_is_joint(&configuration));
    configuration.members[2].role = RAFT_LEAVING;
    CHECK(configuration_is_joint(&configuration));
    configuration.members[2].role = RAFT_STAYING;
    CHECK(configuration_is_joint(&configuration));
    configuration.members[2].role = RAFT_JOINING;
    CHECK(!configuration_is_joint(&configuration));
}

TEST_MAIN
