// requests_test.c: who waits for an entry or a read of a driver is told once, and
// truly.
#include "rpc/requests.h"

#include "tests/test.h"

struct asker {
    struct driver_request request;
    uint32_t answers;
    enum driver_outcome outcome;
};

static void on_done(struct driver_request *request, enum driver_outcome outcome)
{
    struct asker *asker = request->context;
    asker->answers++;
    asker->outcome = outcome;
}

static void ask_write(struct requests *requests, struct asker *asker, raft_index index,
                      raft_term term)
{
    memset(asker, 0, sizeof *asker);
    asker->request.context = asker;
    asker->request.done = on_done;
    asker->request.index = index;
    asker->request.term = term;
    requests_add_write(requests, &asker->request);
}

static uint64_t ask_read(struct requests *requests, struct asker *asker)
{
    memset(asker, 0, sizeof *asker);
    asker->request.context = asker;
    asker->request.done = on_done;
    requests_add_read(requests, &asker->request);
    return asker->request.index;
}

static void check_told(const struct asker *asker, enum driver_outcome outcome,
                       enum raft_status status)
{
    CHECK_EQ(asker->answers, 1);
    CHECK_EQ(asker->outcome, outcome);
    CHECK_EQ(asker->request.status, status);
}

TEST(a_write_is_done_where_its_entry_is_applied_and_lost_where_another_is)
{
    struct requests requests = {0};
    struct asker a, b, c;
    ask_write(&requests, &a, 5, 2);
    ask_write(&requests, &b, 6, 2);
    ask_write(&requests, &c, 8, 2);
    requests_applied(&requests, 4, 2);
    CHECK_EQ(a.answers, 0);
    requests_applied(&requests, 5, 2);
    check_told(&a, DRIVER_DONE, RAFT_OK);
    CHECK_EQ(b.answers, 0);
    requests_applied(&requests, 6, 3); // another leader's
    check_told(&b, DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    requests_applied(&requests, 7, 3);
    CHECK_EQ(c.answers, 0);
    requests_applied(&requests, 8, 3);
    check_told(&c, DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    CHECK(requests.first == NULL && requests.last == NULL);
}

TEST(writes_of_a_later_leadership_at_lower_indices_are_told_in_their_turn)
{
    struct requests requests = {0};
    struct asker old[3], new[3];
    for (raft_index i = 0; i < 3; i++) {
        ask_write(&requests, &old[i], 10 + i, 2);
    }
    for (raft_index i = 0; i < 3; i++) { // led again, after another leader truncated
        ask_write(&requests, &new[i], 9 + i, 4);
    }
    requests_applied(&requests, 9, 4);
    check_told(&new[0], DRIVER_DONE, RAFT_OK);
    CHECK_EQ(old[0].answers, 0);
    requests_applied(&requests, 10, 4);
    check_told(&old[0], DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    check_told(&new[1], DRIVER_DONE, RAFT_OK);
    requests_applied(&requests, 11, 4);
    check_told(&new[2], DRIVER_DONE, RAFT_OK);
    check_told(&old[1], DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    CHECK_EQ(old[2].answers, 0);
    struct asker last;
    ask_write(&requests, &last, 12, 4); // the list's end is still known
    requests_applied(&requests, 12, 4);
    check_told(&last, DRIVER_DONE, RAFT_OK);
    check_told(&old[2], DRIVER_NOT_DONE, RAFT_NOT_LEADER);
}

TEST(a_restored_snapshot_leaves_writes_that_it_covers_unknown)
{
    struct requests requests = {0};
    struct asker covered, beyond;
    ask_write(&requests, &covered, 5, 2);
    ask_write(&requests, &beyond, 6, 2);
    requests_restored(&requests, 5);
    check_told(&covered, DRIVER_UNKNOWN, RAFT_NOT_LEADER);
    CHECK_EQ(beyond.answers, 0);
    requests_applied(&requests, 6, 2);
    check_told(&beyond, DRIVER_DONE, RAFT_OK);
}

TEST(reads_are_told_by_their_own_number_in_any_order)
{
    struct requests requests = {0};
    struct asker a, b, c;
    uint64_t first = ask_read(&requests, &a);
    uint64_t second = ask_read(&requests, &b);
    uint64_t third = ask_read(&requests, &c);
    requests_read_ready(&requests, second, RAFT_NOT_LEADER);
    check_told(&b, DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    CHECK_EQ(a.answers + c.answers, 0);
    requests_read_ready(&requests, first, RAFT_OK);
    requests_read_ready(&requests, first, RAFT_OK); // nobody's any more
    check_told(&a, DRIVER_DONE, RAFT_OK);
    requests_read_ready(&requests, third, RAFT_READS_FULL);
    check_told(&c, DRIVER_NOT_DONE, RAFT_READS_FULL);
}

TEST(who_is_forgotten_is_not_told_and_the_others_are)
{
    struct requests requests = {0};
    struct asker writes[3], reads[3], stranger = {.answers = 0};
    for (raft_index i = 0; i < 3; i++) {
        ask_write(&requests, &writes[i], 1 + i, 1);
        ask_read(&requests, &reads[i]);
    }
    requests_forget(&requests, &stranger.request);
    requests_forget(&requests, &writes[2].request); // the last, then the first
    requests_forget(&requests, &writes[0].request);
    requests_forget(&requests, &reads[1].request);
    struct asker next;
    ask_write(&requests, &next, 4, 1);
    requests_end(&requests);
    check_told(&writes[1], DRIVER_UNKNOWN, RAFT_NOT_LEADER);
    check_told(&next, DRIVER_UNKNOWN, RAFT_NOT_LEADER);
    check_told(&reads[0], DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    check_told(&reads[2], DRIVER_NOT_DONE, RAFT_NOT_LEADER);
    CHECK_EQ(writes[0].answers + writes[2].answers + reads[1].answers, 0);
    CHECK(requests.first == NULL && requests.last == NULL && requests.reads == NULL);
}

TEST_MAIN
