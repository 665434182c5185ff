// Which request waits for which entry, when indices come, go and come again; and which
// requests share a confirmation.
#include "kvserver/pending.h"

#include "kvserver/proposals.h"
#include "kvserver/reads.h"
#include "kvserver/waits.h"
#include "tests/test.h"

enum { MANY = 5000 };

static struct request requests[MANY + 1];

static struct request *at(raft_index index)
{
    requests[index].index = index;
    return &requests[index];
}

TEST(each_index_gives_back_the_request_that_waits_for_it)
{
    struct pending pending;

    pending_init(&pending);
    CHECK(pending_take(&pending, 1) == NULL);
    for (raft_index i = 100; i < MANY; i++)
        CHECK(pending_add(&pending, at(i)) == NULL);
    for (raft_index i = 1; i < MANY + 10; i++)
        CHECK(pending_take(&pending, i) == (i >= 100 && i < MANY ? at(i) : NULL));
    CHECK(pending_take(&pending, 100) == NULL);
    pending_release(&pending);
}

TEST(a_forgotten_request_is_not_given_back)
{
    struct pending pending;

    pending_init(&pending);
    for (raft_index i = 1; i <= 3; i++)
        pending_add(&pending, at(i));
    pending_forget(&pending, at(2));
    CHECK(pending_take(&pending, 1) == at(1));
    CHECK(pending_take(&pending, 2) == NULL);
    CHECK(pending_take(&pending, 3) == at(3));
    pending_release(&pending);
}

TEST(an_index_given_out_again_tells_who_lost_it)
{
    struct pending pending;
    struct request again = {.index = 7, .term = 3};

    pending_init(&pending);
    pending_add(&pending, at(6));
    pending_add(&pending, at(7));
    CHECK(pending_add(&pending, &again) == at(7));
    pending_forget(&pending, at(7)); // it is not the one there any more
    CHECK(pending_take(&pending, 6) == at(6));
    CHECK(pending_take(&pending, 7) == &again);
    pending_release(&pending);
}

TEST(indices_may_begin_again_far_below)
{
    struct pending pending;

    pending_init(&pending);
    pending_add(&pending, at(4500));
    for (raft_index i = 2; i < 20; i++)
        CHECK(pending_add(&pending, at(i)) == NULL);
    for (raft_index i = 2; i <= 4500; i++)
        CHECK(pending_take(&pending, i) == (i < 20 || i == 4500 ? at(i) : NULL));
    pending_release(&pending);
}

TEST(reads_that_come_together_share_a_confirmation)
{
    struct reads reads;
    struct read_batch *batch;
    uint64_t first, second;

    reads_init(&reads);
    CHECK_EQ(reads_start(&reads), 0);
    for (int i = 0; i < 100; i++)
        reads_add(&reads, &requests[i]);
    first = reads_start(&reads);
    reads_add(&reads, &requests[100]);
    second = reads_start(&reads);
    CHECK(first != 0 && second != 0 && first != second);
    reads_forget(&requests[1]);
    batch = reads_find(&reads, first);
    CHECK(reads_take(batch) == &requests[0]);
    CHECK(reads_take(batch) == &requests[2]);
    reads_forget(&requests[3]); // while it is being answered
    CHECK(reads_take(batch) == &requests[4]);
    for (int i = 5; i < 100; i++)
        CHECK(reads_take(batch) == &requests[i]);
    CHECK(reads_take(batch) == NULL);
    CHECK(reads_find(&reads, first) == NULL);
    CHECK(reads_take(reads_find(&reads, second)) == &requests[100]);
    reads_release(&reads);
}

TEST(reads_beyond_what_may_be_under_way_wait_and_go_together)
{
    struct reads reads;

    reads_init(&reads);
    for (int i = 0; i < READS_UNDERWAY_MAX; i++) {
        reads_add(&reads, &requests[i]);
        CHECK(reads_start(&reads) != 0);
    }
    reads_add(&reads, &requests[10]);
    CHECK(!reads_can_start(&reads));
    CHECK_EQ(reads_start(&reads), 0);
    reads_add(&reads, &requests[11]);
    CHECK(reads_take(reads_find(&reads, 1)) == &requests[0]);
    CHECK(reads_can_start(&reads));
    CHECK_EQ(reads_start(&reads), READS_UNDERWAY_MAX + 1);
    CHECK_EQ(reads_find(&reads, READS_UNDERWAY_MAX + 1)->count, 2);
    reads_release(&reads);
}

TEST(a_batch_that_could_not_start_is_gathered_again)
{
    struct reads reads;
    uint64_t id;

    reads_init(&reads);
    reads_add(&reads, &requests[0]);
    id = reads_start(&reads);
    reads_put_back(&reads, id);
    CHECK(reads_find(&reads, id) == NULL);
    reads_add(&reads, &requests[1]);
    id = reads_start(&reads);
    CHECK_EQ(reads_find(&reads, id)->count, 2);
    reads_release(&reads);
}

TEST(the_oldest_request_is_always_known)
{
    struct waits waits = {0};

    for (int i = 0; i < 4; i++) {
        requests[i].waiting = false;
        waits_add(&waits, &requests[i], (uint64_t)i);
    }
    waits_remove(&waits, &requests[1]);
    waits_remove(&waits, &requests[0]);
    CHECK(waits.oldest == &requests[2]);
    waits_remove(&waits, &requests[3]);
    CHECK(waits.oldest == &requests[2] && waits.youngest == &requests[2]);
    waits_remove(&waits, &requests[2]);
    CHECK(waits.oldest == NULL && waits.youngest == NULL);
}

TEST(indices_that_are_never_seen_are_given_up_in_order)
{
    struct pending pending;

    pending_init(&pending);
    for (raft_index i = 10; i <= 20; i += 5)
        pending_add(&pending, at(i));
    CHECK(pending_skip(&pending, 9) == NULL);
    CHECK(pending_skip(&pending, 17) == at(10));
    CHECK(pending_skip(&pending, 17) == at(15));
    CHECK(pending_skip(&pending, 17) == NULL);
    CHECK(pending_take(&pending, 20) == at(20));
    pending_release(&pending);
}

TEST(reads_for_a_leader_leave_those_that_a_follower_may_answer)
{
    struct request mine = {.kind = REQUEST_READ}, theirs = {.kind = REQUEST_READ};
    struct reads reads;
    uint64_t id;

    theirs.follower = true;
    reads_init(&reads);
    reads_add(&reads, &mine);
    reads_add(&reads, &theirs);
    CHECK(reads_next_for_leader(&reads) == &mine);
    CHECK(reads_next_for_leader(&reads) == NULL);
    id = reads_start(&reads);
    CHECK(reads_take(reads_find(&reads, id)) == &theirs);
    reads_add(&reads, &mine);
    CHECK(reads_next_for_leader(&reads) == &mine);
    CHECK(reads_next_for_leader(&reads) == NULL);
    CHECK(!reads_can_start(&reads)); // nothing is left
    reads_release(&reads);
}

static void propose(struct proposals *proposals, struct request *request,
                    const char *text)
{
    proposals_begin(proposals, request);
    buffer_append_text(&proposals->bytes, text);
}

TEST(proposals_that_were_taken_are_dropped_and_the_others_stay)
{
    struct proposals proposals = {0};
    struct request first = {0}, third = {0};

    propose(&proposals, &first, "one");
    propose(&proposals, NULL, "two");
    propose(&proposals, &third, "three");
    proposals_drop(&proposals, 1);
    CHECK_EQ(proposals.count, 2);
    propose(&proposals, &first, "one again");
    proposals_seal(&proposals);
    CHECK_EQ(proposals.commands[0].size, 3);
    CHECK(memcmp(proposals.commands[0].data, "two", 3) == 0);
    CHECK(memcmp(proposals.commands[1].data, "three", 5) == 0);
    CHECK_EQ(proposals.commands[2].size, 9);
    proposals_forget(&proposals, &third);
    CHECK(proposals.requests[1] == NULL);
    CHECK(proposals.requests[2] == &first);
    proposals_release(&proposals);
}

TEST_MAIN
