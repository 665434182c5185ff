// Lab 2, steps 6 and 8: logs that differ become one, whatever the network does.
#include "tests/raft/fixture.h"

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

// ---- step 6: refusals -------------------------------------------------------------

static void start_leader(struct node *node, uint32_t entries)
{
    node_start(node, 1, 3);
    node_become_leader(node);
    for (uint32_t i = 1; i < entries; i++)
        node_propose(node, "a");
    CHECK_EQ(node->view.last_index, entries);
}

// A refusal of what is known to match moves nothing, and nothing is sent for it.
static void check_no_news(struct node *node, raft_index prev_index)
{
    struct raft_peer_view before = *node_peer(node, 2);
    node_forget_sent(node);
    node_receive(node, a_refusal(2, 1, 1, prev_index, 0, 0));
    CHECK_EQ(node_peer(node, 2)->next_index, before.next_index);
    CHECK_EQ(node_peer(node, 2)->state, before.state);
    CHECK(node_sent(node, RAFT_APPEND_ENTRIES, 2) == NULL);
}

// LAB 2 step 6, 1 point: LEAD-3b
TEST(a_late_refusal_takes_nothing_back_that_is_known_to_match)
{
    struct node node;
    start_leader(&node, 6);
    node_receive(&node, an_ack(2, 1, 1, 4));
    check_no_news(&node, 3); // sent before
    node_receive(&node, an_ack(2, 1, 1, 6));
    check_no_news(&node, 3);
    check_no_news(&node, 1);
    CHECK_EQ(node_peer(&node, 2)->match_index, 6);
    CHECK_EQ(node_peer(&node, 2)->next_index, 7);
    CHECK_EQ(node.view.commit_index, 6);
    node_receive(&node, an_append(3, 1, 2, 6, 1, 0, NULL)); // it is deposed,
    node_become_leader(&node);                              // and leads again
    raft_index next_index = node_peer(&node, 2)->next_index;
    CHECK(next_index >= 7);
    for (raft_term term = 1; term <= 2; term++)
        node_receive(&node, a_refusal(2, 1, term, next_index - 1, 1, 1));
    CHECK_EQ(node_peer(&node, 2)->next_index, next_index);
    node_stop(&node);
}

// LAB 2 step 6, 1 point: LEAD-3b STATE-6
TEST(next_index_stays_above_what_matches_whatever_a_refusal_says)
{
    for (raft_index conflict = 0; conflict <= 9; conflict++) {
        for (raft_term term = 0; term <= 2; term++) {
            struct node node;
            start_leader(&node, 6);
            node_receive(&node, an_ack(2, 1, 1, 2));
            for (int again = 0; again < 8; again++) {
                raft_index prev = node_peer(&node, 2)->next_index - 1;
                node_receive(&node, a_refusal(2, 1, 1, prev, conflict, term));
                node_tick(&node, node.config.heartbeat_ms);
                CHECK(node_peer(&node, 2)->next_index >= 3);
                CHECK_AT_MOST(node_peer(&node, 2)->next_index, 7);
                prev = node_peer(&node, 3)->next_index - 1;
                if (prev > 0)
                    node_receive(&node, a_refusal(3, 1, 1, prev, conflict, term));
                CHECK(node_peer(&node, 3)->next_index >= 1);
                node_forget_sent(&node);
            }
            CHECK_EQ(node_peer(&node, 2)->match_index, 2);
            node_stop(&node);
        }
    }
}

static void check_equal(struct group *group, raft_index last_index)
{
    const struct node *leader = group_leader(group);
    CHECK(leader != NULL);
    for (raft_id id = 1; id <= group->count; id++) {
        const struct node *node = group_node(group, id);
        CHECK_EQ(node->view.last_index, last_index);
        CHECK_EQ(node->view.commit_index, last_index);
        CHECK_EQ(node->applied, last_index);
        for (raft_index index = 1; index <= last_index; index++) {
            raft_term term = 0;
            raft_term leaders = 0;
            CHECK(raft_term_at(node->raft, index, &term));
            CHECK(raft_term_at(leader->raft, index, &leaders));
            CHECK_EQ(term, leaders);
        }
    }
}

// Logs as they can be: each begins as the leader's and goes on in terms that the leader
// has no entries of behind that place.
// LAB 2 step 6, 1 point: LEAD-3b AE-3
TEST(a_new_leader_repairs_every_log_that_can_be)
{
    random_state = 7;
    for (int round = 0; round < 25; round++) {
        struct group group;
        group_start(&group, 3);
        raft_term terms[GROUP_MAX][20];
        uint32_t count[2] = {5 + draw(15), draw(20)};
        raft_term term = 1;
        for (uint32_t i = 0; i < count[0]; i++)
            terms[0][i] = term += 2 * (draw(3) == 0); // odd terms are the leader's
        uint32_t common = draw((count[0] < count[1] ? count[0] : count[1]) + 1);
        memcpy(terms[1], terms[0], sizeof terms[0]);
        term = common == 0 ? 2 : terms[0][common - 1] + 1;
        for (uint32_t i = common; i < count[1]; i++)
            terms[1][i] = term += 2 * (draw(3) == 0); // and even ones are others'
        node_boot(&group.nodes[0], (struct raft_hard_state){50, 0}, terms[0], count[0]);
        node_boot(&group.nodes[1], (struct raft_hard_state){50, 0}, terms[1], count[1]);
        group_elect(&group, 1); // by the vote of node 3, whose log is empty
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        group_tick(&group, group.nodes[0].config.heartbeat_ms);
        check_equal(&group, count[0] + 1);
        group_stop(&group);
    }
}

// ---- step 6: a network that loses, doubles and reorders ---------------------------

enum { POOL_MAX = 256 };

struct pool {
    uint32_t count;
    struct sent *sent[POOL_MAX]; // on their way
};

static void gather(struct pool *pool, struct node *node)
{
    for (uint32_t i = 0; i < node->sent_count; i++) {
        if (pool->count == POOL_MAX) { // as a network may lose it
            free(pool->sent[0]);
            pool->sent[0] = pool->sent[--pool->count];
        }
        struct sent *copy = malloc(sizeof *copy);
        *copy = node->sent[i];
        if (copy->message.type == RAFT_APPEND_ENTRIES)
            copy->message.append_entries.entries = copy->entries;
        for (uint32_t e = 0; e < SENT_ENTRIES_MAX; e++)
            copy->entries[e].data = copy->data[e];
        pool->sent[pool->count++] = copy;
    }
    node_forget_sent(node);
}

// What the leader believes of a peer must be true of that peer's log.
static void check_matches(struct group *group)
{
    const struct node *leader = group_leader(group);
    for (uint32_t i = 0; leader != NULL && i < leader->view.peer_count; i++) {
        const struct raft_peer_view *peer = &leader->view.peers[i];
        raft_term mine = 0;
        raft_term its = 0;
        CHECK_AT_MOST(peer->match_index, leader->view.last_index);
        CHECK(raft_term_at(leader->raft, peer->match_index, &mine));
        CHECK(raft_term_at(group_node(group, peer->id)->raft, peer->match_index, &its));
        CHECK_EQ(its, mine);
    }
}

static void deliver_one(struct group *group, struct pool *pool)
{
    uint32_t at = draw(pool->count);
    struct sent *sent = pool->sent[at];
    node_receive(group_node(group, sent->message.to), sent->message);
    if (draw(4) == 0)
        return; // it will come again
    free(sent);
    pool->sent[at] = pool->sent[--pool->count];
}

static void lose_all(struct pool *pool)
{
    while (pool->count > 0)
        free(pool->sent[--pool->count]);
}

// LAB 2 step 6, 1 point: AE-3 AE-4 AE-5 LEAD-3a LEAD-3b
TEST(messages_in_any_order_twice_or_never_make_one_log)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        random_state = seed;
        struct group group;
        struct pool pool = {0};
        group_start(&group, 3);
        for (uint32_t i = 0; i < 3; i++)
            group.nodes[i].config.message_entries_max = 3;
        group_elect(&group, 1);
        group_elect(&group, 2);
        for (int turn = 0; turn < 300; turn++) {
            struct node *leader = group_node(&group, 2);
            if (draw(6) == 0)
                node_propose(leader, "a");
            if (draw(12) == 0)
                node_tick(leader, leader->config.heartbeat_ms);
            for (uint32_t i = 0; i < 3; i++)
                gather(&pool, &group.nodes[i]);
            if (pool.count > 0)
                deliver_one(&group, &pool);
            check_matches(&group);
        }
        lose_all(&pool);
        for (int i = 0; i < 6; i++)
            group_tick(&group, group.nodes[0].config.heartbeat_ms);
        CHECK_EQ(group_leader(&group)->view.id, 2);
        check_equal(&group, group_node(&group, 2)->view.last_index);
        group_stop(&group);
    }
}

// ---- step 8: a whole term at a time -----------------------------------------------

// How often node 2 refuses before it has the log of node 1.
static uint32_t count_refusals(struct group *group)
{
    struct node *leader = group_node(group, 1);
    struct node *follower = group_node(group, 2);
    raft_index last_index = leader->view.last_index;
    uint32_t refusals = 0;
    node_forget_sent(leader);
    node_tick(leader, leader->config.heartbeat_ms);
    for (int turn = 0; turn < 500 && follower->view.last_index != last_index; turn++) {
        if (node_sent(leader, RAFT_APPEND_ENTRIES, 2) == NULL)
            node_tick(leader, leader->config.heartbeat_ms);
        uint32_t count;
        struct sent *sent = node_take_sent(leader, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (sent[i].message.to == 2)
                node_receive(follower, sent[i].message);
        }
        free(sent);
        for (uint32_t i = 0; i < follower->sent_count; i++) {
            const struct raft_message *reply = &follower->sent[i].message;
            CHECK_EQ(reply->type, RAFT_APPEND_ENTRIES_REPLY);
            refusals += !reply->append_entries_reply.success;
            node_receive(leader, *reply);
        }
        node_forget_sent(follower);
    }
    CHECK_EQ(follower->view.last_index, last_index);
    return refusals;
}

static void start_apart(struct group *group, const raft_term *leader_terms,
                        uint32_t leader_count, const raft_term *follower_terms,
                        uint32_t follower_count)
{
    group_start(group, 3);
    for (uint32_t i = 0; i < 3; i++)
        group->nodes[i].config.message_entries_max = 64;
    node_boot(&group->nodes[0], (struct raft_hard_state){9, 0}, leader_terms,
              leader_count);
    node_boot(&group->nodes[1], (struct raft_hard_state){9, 0}, follower_terms,
              follower_count);
    group->cut[1][2] = group->cut[2][1] = true;
    group_elect(group, 1);
    group->cut[1][2] = group->cut[2][1] = false;
}

// LAB 2 step 8, 1 point: LEAD-3b
TEST(a_log_that_ends_early_is_found_by_one_refusal)
{
    static const uint32_t counts[] = {0, 1, 20, 39};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct group group;
        raft_term terms[40];
        for (int e = 0; e < 40; e++)
            terms[e] = 1;
        start_apart(&group, terms, 40, terms, counts[i]);
        CHECK_AT_MOST(count_refusals(&group), 1);
        group_stop(&group);
    }
}

// LAB 2 step 8, 1 point: LEAD-3b
TEST(a_term_that_the_leader_never_heard_of_is_skipped_by_one_refusal)
{
    struct group group;
    raft_term leader_terms[40];
    raft_term follower_terms[40];
    for (int e = 0; e < 40; e++) {
        leader_terms[e] = e < 5 ? 1 : 7;
        follower_terms[e] = e < 5 ? 1 : e < 15 ? 2 : e < 30 ? 4 : 5;
    }
    start_apart(&group, leader_terms, 40, follower_terms, 40);
    CHECK_AT_MOST(count_refusals(&group), 3); // terms 5, 4 and 2
    group_stop(&group);
}

TEST_MAIN
