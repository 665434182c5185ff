// Configurations as sets: who decides, what may follow what.
#include "sim/checker/electorate.h"

#include "tests/test.h"

static struct electorate simple(uint32_t voters)
{
    return (struct electorate){.voters = voters};
}

static struct electorate joint(uint32_t old_voters, uint32_t voters)
{
    return (struct electorate){.voters = voters, .old_voters = old_voters};
}

// Nodes as bits: node 1 is 2, node 2 is 4, node 3 is 8...
enum { ONE = 2, TWO = 4, THREE = 8, FOUR = 16 };

TEST(more_than_half_of_the_voters_decide)
{
    struct electorate three = simple(ONE | TWO | THREE);
    struct electorate four = simple(ONE | TWO | THREE | FOUR);

    CHECK(electorate_is_quorum(&three, ONE | TWO));
    CHECK(!electorate_is_quorum(&three, ONE | FOUR));
    CHECK(!electorate_is_quorum(&four, ONE | TWO));
    CHECK(electorate_is_quorum(&four, ONE | TWO | FOUR));
}

TEST(of_a_joint_configuration_both_halves_decide)
{
    struct electorate both = joint(ONE | TWO | THREE, THREE | FOUR);

    CHECK(!electorate_is_quorum(&both, ONE | TWO | THREE));
    CHECK(!electorate_is_quorum(&both, THREE | FOUR));
    CHECK(electorate_is_quorum(&both, ONE | THREE | FOUR));
    CHECK(electorate_votes(&both, 1) && electorate_votes(&both, 4));
    CHECK(!electorate_votes(&both, 5));
}

// Any quorum of one has a node in common with any quorum of the other.
static bool overlap(const struct electorate *a, const struct electorate *b)
{
    for (uint32_t nodes = 0; nodes < 64; nodes += 2)
        if (electorate_is_quorum(a, nodes) && electorate_is_quorum(b, ~nodes & 63))
            return false;
    return true;
}

TEST(whatever_may_follow_overlaps_with_what_it_follows)
{
    uint32_t allowed = 0, overlapping = 0;

    for (uint32_t voters = 2; voters < 32; voters += 2)
        for (uint32_t next = 2; next < 32; next += 2)
            for (uint32_t old_half = 0; old_half < 32; old_half += 2) {
                struct electorate from = simple(voters);
                struct electorate to = joint(old_half, next);
                bool may = electorate_step_problem(&from, &to) == NULL;

                allowed += may;
                overlapping += may && overlap(&from, &to);
            }
    CHECK_EQ(allowed, overlapping);
    CHECK_EQ(allowed, 15 * 15 + 15 + 15 * 4 - 4); // joint, the same, one more or less
}

TEST(a_joint_configuration_is_left_for_its_new_half_alone)
{
    struct electorate both = joint(ONE | TWO | THREE, THREE | FOUR);
    struct electorate after = simple(THREE | FOUR);
    struct electorate back = simple(ONE | TWO | THREE);
    struct electorate again = joint(THREE | FOUR, ONE);

    CHECK(electorate_step_problem(&both, &after) == NULL);
    CHECK(electorate_step_problem(&both, &back) != NULL);
    CHECK(electorate_step_problem(&both, &again) != NULL);
    CHECK(overlap(&both, &after));
}

TEST(a_list_that_is_cut_gives_the_one_before)
{
    struct electorate_list list = {0};
    struct electorate first = simple(ONE), second = simple(ONE | TWO);

    CHECK_EQ(electorate_newest(&list).electorate.voters, 0);
    electorate_push(&list, 0, &first);
    electorate_push(&list, 7, &second);
    CHECK_EQ(electorate_newest(&list).index, 7);
    CHECK_EQ(electorate_at(&list, 6).electorate.voters, ONE);
    electorate_cut(&list, 7);
    CHECK_EQ(list.count, 2);
    electorate_cut(&list, 6);
    CHECK_EQ(electorate_newest(&list).electorate.voters, ONE);
    electorate_release(&list);
}

TEST_MAIN
