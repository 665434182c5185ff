// Lab 6, step 1: majorities, against a count by hand.
#include "raft/quorum.h"

#include <string.h>

#include "raft/configuration.h"
#include "tests/test.h"

enum { VALUES = 4, MEMBERS_MAX = 7 };

// Whether more than half of the voters of that half (the new one, of which RAFT_VOTER
// is the sign, or the old one: RAFT_LEAVING) have reached the value.
static bool most_have(const struct raft_configuration *configuration,
                      const uint64_t *values, uint64_t value,
                      enum raft_member_role half)
{
    uint32_t voters = 0;
    uint32_t reached = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        enum raft_member_role role = configuration->members[i].role;
        if (role != half && role != RAFT_STAYING)
            continue;
        voters++;
        reached += values[i] >= value;
    }
    if (half == RAFT_LEAVING && voters == 0)
        return true; // it is not joint
    return 2 * reached > voters;
}

static uint64_t by_hand(const struct raft_configuration *configuration,
                        const uint64_t *values)
{
    uint64_t found = 0;
    for (uint64_t value = 1; value < VALUES; value++) {
        if (most_have(configuration, values, value, RAFT_VOTER) &&
            most_have(configuration, values, value, RAFT_LEAVING))
            found = value;
    }
    return found;
}

// The digits of `code` to this base, one a member.
static uint32_t digit(uint32_t code, uint32_t base, uint32_t at)
{
    while (at-- > 0)
        code /= base;
    return code % base;
}

// The answer is that by hand; a failure says of what.
static void check_value(const struct raft_configuration *configuration,
                        const uint64_t *values)
{
    uint64_t expected = by_hand(configuration, values);
    uint64_t found = quorum_value(configuration, values);
    if (found == expected)
        return;
    char members[MEMBERS_MAX * 16] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        enum raft_member_role role = configuration->members[i].role;
        used += (size_t)snprintf(members + used, sizeof members - used, "%s%s=%" PRIu64,
                                 i == 0 ? "" : " ", raft_configuration_role_text(role),
                                 values[i]);
    }
    test_fail(__FILE__, __LINE__, "quorum_value(%s) is %" PRIu64 ", expected %" PRIu64,
              members, found, expected);
}

// With every value for every member.
static void check_all_values(const struct raft_configuration *configuration)
{
    uint32_t codes = 1;
    for (uint32_t i = 0; i < configuration->count; i++)
        codes *= VALUES;
    for (uint32_t code = 0; code < codes; code++) {
        uint64_t values[RAFT_MEMBERS_MAX] = {0};
        for (uint32_t i = 0; i < configuration->count; i++)
            values[i] = digit(code, VALUES, i);
        check_value(configuration, values);
    }
}

static struct raft_configuration of_roles(uint32_t count, uint32_t code,
                                          const enum raft_member_role *roles,
                                          uint32_t role_count)
{
    struct raft_configuration configuration = {.count = count};
    for (uint32_t i = 0; i < count; i++)
        configuration.members[i] = (struct raft_member){
            .id = i + 1, .role = roles[digit(code, role_count, i)]};
    return configuration;
}

// LAB 6 step 1, 1 point: CAND-2 LEAD-4
TEST(a_majority_is_more_than_half_of_one_to_seven_voters)
{
    const enum raft_member_role voter = RAFT_VOTER;
    for (uint32_t count = 1; count <= MEMBERS_MAX; count++) {
        struct raft_configuration configuration = of_roles(count, 0, &voter, 1);
        check_all_values(&configuration);
    }
}

// LAB 6 step 1, 1 point: learners LEAD-4
TEST(learners_and_joiners_have_no_part_in_a_majority)
{
    const enum raft_member_role roles[] = {RAFT_VOTER, RAFT_LEARNER, RAFT_JOINING};
    for (uint32_t code = 0; code < 3 * 3 * 3 * 3 * 3; code++) {
        struct raft_configuration configuration = of_roles(5, code, roles, 3);
        check_all_values(&configuration); // where nobody votes, nothing is agreed
    }
    uint64_t values[RAFT_MEMBERS_MAX] = {9, 9, 9};
    const struct raft_configuration empty = {0};
    CHECK_EQ(quorum_value(&empty, values), 0);
}

// LAB 6 step 1, 1 point: changes-of-members
TEST(both_halves_of_a_joint_configuration_have_to_agree)
{
    const enum raft_member_role roles[] = {RAFT_VOTER, RAFT_STAYING, RAFT_LEAVING,
                                           RAFT_LEARNER};
    for (uint32_t code = 0; code < 4 * 4 * 4 * 4 * 4; code++) {
        struct raft_configuration configuration = of_roles(5, code, roles, 4);
        if (configuration_problem(&configuration) == NULL) // it has a new half
            check_all_values(&configuration);
    }
}

TEST_MAIN
