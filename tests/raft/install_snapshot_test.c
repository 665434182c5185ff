// A snapshot that arrives at a follower: section 7 and Figure 13.
#include "tests/raft/fixture.h"

// Node 2 follows node 1 in `term`, with entries of these terms.
static void start_follower(struct node *node, raft_term term, const raft_term *terms,
                           uint32_t count)
{
    node_init(node, 2, 3);
    node_boot(node, (struct raft_hard_state){term, 0}, terms, count);
}

// The three chunks of snapshot 10 of term 2, from node 1 in `term`.
static void receive_all(struct node *node, raft_term term)
{
    for (uint64_t offset = 0; offset < SNAPSHOT_BYTES; offset += CHUNK_BYTES)
        node_receive(node, a_chunk(1, 2, term, 10, 2, offset));
}

static const struct raft_install_snapshot_reply *last_reply(const struct node *node)
{
    const struct raft_message *reply =
        node_last_sent(node, RAFT_INSTALL_SNAPSHOT_REPLY, 0);
    CHECK(reply != NULL);
    return &reply->install_snapshot_reply;
}

// LAB 4 step 2, 1 point: IS-1
TEST(a_chunk_of_an_older_term_is_refused) // IS-1
{
    struct node node;
    start_follower(&node, 3, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    CHECK_EQ(node.store_count, 0);
    const struct raft_message *reply = node_sent(&node, RAFT_INSTALL_SNAPSHOT_REPLY, 1);
    CHECK_EQ(reply->term, 3);
    CHECK(!reply->install_snapshot_reply.installed);
    CHECK_EQ(node.view.leader_id, 0);
    node_stop(&node);
}

// LAB 4 step 2, 1 point: IS-4 FOL-2
TEST(a_chunk_shows_who_leads)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    node_tick(&node, node.config.election_timeout_ms - 1);
    node_receive(&node, a_chunk(1, 2, 3, 10, 2, 0));
    CHECK_EQ(node.view.current_term, 3);
    CHECK_EQ(node.view.leader_id, 1);
    node_tick(&node, node.config.election_timeout_ms - 1);
    CHECK_EQ(node.view.role, RAFT_FOLLOWER);
    node_stop(&node);
}

// LAB 4 step 2, 1 point: IS-2 IS-3 IS-4
TEST(chunks_are_stored_in_order_and_each_answer_says_where_to_go_on) // IS-2, IS-3, IS-4
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 4)); // the first one was lost
    CHECK_EQ(node.store_count, 0);
    CHECK_EQ(last_reply(&node)->next_offset, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    CHECK_EQ(node.stored, 4);
    CHECK_EQ(last_reply(&node)->next_offset, 4);
    CHECK_EQ(last_reply(&node)->last_included_index, 10);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0)); // doubled
    CHECK_EQ(node.store_count, 1);
    CHECK_EQ(last_reply(&node)->next_offset, 4);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 8)); // too far
    CHECK_EQ(node.store_count, 1);
    CHECK_EQ(last_reply(&node)->next_offset, 4);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 4));
    CHECK_EQ(node.store_count, 2);
    node_stop(&node);
}

// IS-5: the file is the host's; nothing is said of it before it is on stable storage.
// LAB 4 step 4, 1 point: IS-5
TEST(the_last_chunk_is_answered_once_the_snapshot_is_durable)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    receive_all(&node, 2);
    CHECK_EQ(node.stored, SNAPSHOT_BYTES);
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT_REPLY), 2);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 8));
    CHECK_EQ(node_count_sent(&node, RAFT_INSTALL_SNAPSHOT_REPLY), 2);
    CHECK_EQ(node.store_count, 3);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK(last_reply(&node)->installed);
    CHECK_EQ(last_reply(&node)->last_included_index, 10);
    node_stop(&node);
}

// LAB 4 step 4, 1 point: IS-7 IS-8
TEST(a_snapshot_replaces_a_log_that_does_not_reach_it) // IS-7, IS-8
{
    struct node node;
    start_follower(&node, 2, TERMS(1, 1), 2);
    node.auto_apply = false;
    receive_all(&node, 2);
    struct raft_snapshot_meta meta = meta_of(10, 2, 5);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 10);
    CHECK(node.output.write != 0);
    CHECK_EQ(node.view.first_index, 11);
    CHECK_EQ(node.view.last_index, 10);
    CHECK_EQ(node.view.last_term, 2);
    CHECK_EQ(node.view.commit_index, 10);
    CHECK_EQ(node.view.snapshot_index, 10);
    CHECK_EQ(node.view.last_applied, 0); // the host is at it
    CHECK_EQ(node.view.configuration->count, 5);
    node_receive(&node, an_append(1, 2, 2, 10, 2, 11, TERMS(2)));
    CHECK_EQ(node.applied, 10);
    node_step(&node,
              (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = 10});
    CHECK_EQ(node.applied, 11);
    node_stop(&node);
}

// Bug 38: who kept it would refuse what comes next, and be sent the snapshot again.
// LAB 4 step 4, 1 point: IS-6 IS-7
TEST(an_entry_that_conflicts_with_the_snapshots_last_goes_with_all_behind_it)
{
    struct node node;
    raft_term terms[12];
    for (int i = 0; i < 12; i++)
        terms[i] = 1;
    start_follower(&node, 2, terms, 12);
    receive_all(&node, 2);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 10);
    CHECK_EQ(node.view.last_index, 10);
    CHECK_EQ(node.view.last_term, 2);
    node_receive(&node, an_append(1, 2, 2, 10, 2, 0, TERMS(2)));
    CHECK(node_last_sent(&node, RAFT_APPEND_ENTRIES_REPLY, 1)
              ->append_entries_reply.success);
    node_stop(&node);
}

// IS-6, and bug 39: what stands behind it has been acknowledged, perhaps.
// LAB 4 step 3, 1 point: IS-6
TEST(a_log_that_has_the_snapshots_last_entry_stays_as_it_is)
{
    struct node node;
    raft_term terms[12];
    for (int i = 0; i < 12; i++)
        terms[i] = 2;
    start_follower(&node, 2, terms, 12);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    CHECK_EQ(node.store_count, 0);
    CHECK(last_reply(&node)->installed);
    CHECK_EQ(node.view.last_index, 12);
    CHECK_EQ(node.view.commit_index, 10);
    CHECK_EQ(node.restored, 0);
    CHECK_EQ(node.applied, 10); // entry by entry
    node_stop(&node);

    for (int i = 0; i < 12; i++)
        terms[i] = 1;
    start_follower(&node, 2, terms, 12);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0)); // its entry 10 is another one
    CHECK_EQ(node.store_count, 1);
    CHECK(!last_reply(&node)->installed);
    CHECK_EQ(node.view.commit_index, 0);
    node_stop(&node);
}

// IS-6: it has arrived by another way, while the host checked the file.
// LAB 4 step 4, 1 point: IS-6
TEST(a_log_that_has_caught_up_meanwhile_stays_as_it_is)
{
    struct node node;
    raft_term terms[9] = {2, 2, 2, 2, 2, 2, 2, 2, 2};
    start_follower(&node, 2, terms, 9);
    receive_all(&node, 2);
    CHECK_EQ(node.store_count, 3);
    node_receive(&node, an_append(1, 2, 2, 9, 2, 0, TERMS(2, 2)));
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 0);
    CHECK_EQ(node.view.last_index, 11);
    CHECK_EQ(node.view.commit_index, 10);
    CHECK(last_reply(&node)->installed);
    // It is the newest on this disk all the same.
    CHECK_EQ(node.view.snapshot_index, 10);
    node_stop(&node);
}

// Bug 39: it was sent before all that, and is late.
// LAB 4 step 3, 1 point: IS-6
TEST(an_old_snapshot_changes_nothing)
{
    struct node node;
    node_init(&node, 2, 3);
    struct raft_snapshot_meta meta = meta_of(20, 3, 3);
    node_boot_behind(&node, (struct raft_hard_state){3, 0}, &meta, TERMS(3, 3), 2);
    node_receive(&node, a_chunk(1, 2, 3, 10, 2, 0));
    CHECK_EQ(node.store_count, 0);
    CHECK(last_reply(&node)->installed);
    CHECK_EQ(node.view.last_index, 22);
    CHECK_EQ(node.view.commit_index, 20);
    node_stop(&node);
}

// Bug 8: what is older than the term says nothing of the vote.
// LAB 4 step 4, 1 point: IS-7 RV-2a
TEST(a_snapshot_of_an_older_term_leaves_term_and_vote_alone)
{
    struct node node;
    start_follower(&node, 5, NULL, 0);
    node_receive(&node, a_vote_request(3, 2, 7, 99, 5));
    CHECK_EQ(node.view.voted_for, 3);
    receive_all(&node, 7);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 10);
    CHECK_EQ(node.view.last_term, 2); // and the other way round
    CHECK_EQ(node.view.current_term, 7);
    CHECK_EQ(node.view.voted_for, 3);
    node_forget_sent(&node);
    node_receive(&node, a_vote_request(1, 2, 7, 99, 5));
    CHECK(
        !node_sent(&node, RAFT_REQUEST_VOTE_REPLY, 1)->request_vote_reply.vote_granted);
    node_stop(&node);
}

// Bug 8, at the start: a snapshot of an older term, and one of a newer.
TEST(a_node_starts_with_the_newer_of_its_terms)
{
    struct node node;
    node_init(&node, 2, 3);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_boot_behind(&node, (struct raft_hard_state){5, 3}, &meta, NULL, 0);
    CHECK_EQ(node.view.current_term, 5);
    CHECK_EQ(node.view.voted_for, 3);
    meta.last_included_term = 6;
    node_boot_behind(&node, (struct raft_hard_state){5, 3}, &meta, NULL, 0);
    CHECK_EQ(node.view.current_term, 6);
    CHECK_EQ(node.view.voted_for, 0);
    node_stop(&node);
}

// Bug 40: neither side may wait for the other for ever.
// LAB 4 step 4, 1 point: IS-4 IS-5
TEST(a_snapshot_that_is_of_no_use_is_asked_for_again)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    struct raft_snapshot_meta good = meta_of(10, 2, 3);
    struct raft_snapshot_meta other_term = good;
    other_term.last_included_term = 1;
    struct raft_snapshot_meta no_voter = good;
    no_voter.configuration.members[0].role = RAFT_REMOVED;
    struct raft_snapshot_meta ahead = good;
    ahead.configuration_index = 11;
    struct raft_snapshot_meta other_index = good;
    other_index.last_included_index = 11;
    const struct raft_snapshot_meta *metas[] = {&good, &other_term, &no_voter, &ahead,
                                                &other_index};
    for (int i = 0; i < 5; i++) {
        receive_all(&node, 2);
        node_received(&node, metas[i], i == 0);
        CHECK_EQ(node.restored, 0);
        CHECK_EQ(last_reply(&node)->next_offset, 0);
        CHECK(!last_reply(&node)->installed);
        CHECK_EQ(last_reply(&node)->last_included_index, 10);
    }
    receive_all(&node, 2);
    node_received(&node, &good, false);
    CHECK_EQ(node.restored, 10);
    node_stop(&node);
}

// Bug 40: a chunk in the middle could not be stored.
TEST(a_snapshot_that_fails_in_the_middle_begins_anew)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 4));
    node_received(&node, &meta, true);
    CHECK_EQ(node.status, RAFT_OK);
    CHECK_EQ(last_reply(&node)->next_offset, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 8));
    CHECK_EQ(node.store_count, 2);
    CHECK_EQ(last_reply(&node)->next_offset, 0);
    receive_all(&node, 2);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 10);
    node_stop(&node);
}

TEST(a_report_of_a_snapshot_that_was_not_awaited_is_refused)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.status, RAFT_INVALID);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    node_received(&node, &meta, false); // two chunks are missing
    CHECK_EQ(node.status, RAFT_INVALID);
    CHECK_EQ(node.restored, 0);
    node_stop(&node);
}

// LAB 4 step 2, 1 point: IS-4
TEST(a_new_leader_with_the_same_snapshot_goes_on_where_the_old_one_ended)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    node_receive(&node, a_chunk(3, 2, 3, 10, 2, 0));
    CHECK_EQ(node.store_count, 1);
    CHECK_EQ(last_reply(&node)->next_offset, 4);
    CHECK(node_last_sent(&node, RAFT_INSTALL_SNAPSHOT_REPLY, 3) != NULL);
    node_receive(&node, a_chunk(3, 2, 3, 10, 2, 4));
    node_receive(&node, a_chunk(3, 2, 3, 10, 2, 8));
    CHECK_EQ(node.stored, SNAPSHOT_BYTES);
    node_stop(&node);
}

// LAB 4 step 2, 1 point: IS-2
TEST(a_file_of_other_bytes_is_received_from_its_beginning)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    struct raft_message other = a_chunk(3, 2, 3, 10, 2, 4);
    other.install_snapshot.checksum++;
    node_receive(&node, other);
    CHECK_EQ(node.store_count, 1);
    CHECK_EQ(last_reply(&node)->next_offset, 0);
    other.install_snapshot.offset = 0;
    node_receive(&node, other);
    CHECK_EQ(node.store_count, 2);
    CHECK_EQ(node.output.snapshot_store != NULL, true);
    node_stop(&node);
}

TEST(a_late_chunk_of_an_older_snapshot_does_not_disturb_the_newer_one)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 0));
    node_receive(&node, a_chunk(1, 2, 2, 9, 2, 0));
    CHECK_EQ(node.store_count, 1);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 4));
    CHECK_EQ(node.store_count, 2);
    node_stop(&node);
}

TEST(chunks_that_cannot_be_are_refused)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    struct raft_message good = a_chunk(1, 2, 2, 10, 2, 0);
    struct raft_message bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].install_snapshot.last_included_index = 0;
    bad[1].install_snapshot.last_included_term = 0;
    bad[2].install_snapshot.last_included_term = 3; // newer than who sends it
    bad[3].install_snapshot.size = 0;
    bad[4].install_snapshot.offset = SNAPSHOT_BYTES;
    bad[5].install_snapshot.size = SNAPSHOT_BYTES + 1;
    bad[6].install_snapshot.offset = UINT64_MAX;
    bad[7].install_snapshot.last_included_index = UINT64_MAX; // nothing comes behind
    for (int i = 0; i < 8; i++) {
        node_receive(&node, bad[i]);
        CHECK_EQ(node.status, RAFT_INVALID);
        CHECK_EQ(node.store_count, 0);
    }
    node_stop(&node);
}

TEST(a_leader_takes_no_snapshot_and_needs_none_that_it_has_received)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    receive_all(&node, 2);
    node_become_leader(&node);
    node_receive(&node, a_chunk(1, 2, node.view.current_term, 10, 2, 0));
    CHECK_EQ(node.status, RAFT_INVALID);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    node_received(&node, &meta, false);
    CHECK_EQ(node.restored, 0);
    CHECK_EQ(node.view.role, RAFT_LEADER);
    node_stop(&node);
}

// Bug 43: the entry that told the members is in the snapshot now.
// LAB 4 step 4, 1 point: IS-8
TEST(the_configuration_of_a_snapshot_is_the_one_in_use)
{
    struct node node;
    start_follower(&node, 2, NULL, 0);
    receive_all(&node, 2);
    struct raft_snapshot_meta meta = meta_of(10, 2, 5);
    meta.configuration_index = 7;
    node_received(&node, &meta, false);
    CHECK_EQ(node.view.configuration_index, 7);
    node_forget_sent(&node);
    node_time_out(&node);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 5) != NULL);
    node_receive(&node, a_prevote(1, 2, 3, true));
    CHECK_EQ(node.view.role, RAFT_PRE_CANDIDATE);
    node_receive(&node, a_prevote(5, 2, 3, true));
    CHECK_EQ(node.view.role, RAFT_CANDIDATE);
    node_stop(&node);
}

TEST(who_is_not_in_a_snapshots_configuration_is_no_member_any_more)
{
    struct node node;
    start_follower(&node, 2, NULL, 0); // of 1, 2 and 3
    receive_all(&node, 2);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    meta.configuration.members[0].id = 4;
    node_received(&node, &meta, false);
    CHECK_EQ(node.view.configuration->count, 3);
    CHECK_EQ(node_role_of(&node, 1), RAFT_REMOVED);
    for (raft_id id = 2; id <= 4; id++)
        CHECK_EQ(node_role_of(&node, id), RAFT_VOTER);
    node_forget_sent(&node);
    node_become_candidate(&node);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 1) == NULL);
    CHECK(node_sent(&node, RAFT_REQUEST_VOTE, 4) != NULL);
    node_stop(&node);
}

// Its sender may lead again, and be sending the same snapshot: it need not begin anew.
TEST(the_refusal_of_a_chunk_of_an_older_term_is_about_no_snapshot)
{
    struct node node;
    start_follower(&node, 3, NULL, 0);
    node_receive(&node, a_chunk(1, 2, 2, 10, 2, 4));
    struct raft_message refusal =
        *node_must_send(&node, RAFT_INSTALL_SNAPSHOT_REPLY, 1);
    node_stop(&node);

    node_init(&node, 1, 3);
    struct raft_snapshot_meta meta = meta_of(10, 2, 3);
    snapshots[10] = meta;
    node_boot_behind(&node, (struct raft_hard_state){2, 1}, &meta, NULL, 0);
    node_become_leader(&node);
    CHECK_EQ(node.view.current_term, refusal.term);
    node_receive(&node, a_refusal(refusal.from, 1, 3, 10, 1, 1));
    CHECK_EQ(node_peer(&node, refusal.from)->state, RAFT_SNAPSHOT);
    node_receive(&node, a_chunk_reply(refusal.from, 1, 3, 10, 4, false));
    CHECK_EQ(node_peer(&node, refusal.from)->snapshot_offset, 4);
    node_receive(&node, refusal);
    CHECK_EQ(node_peer(&node, refusal.from)->snapshot_offset, 4);
    node_stop(&node);
}

TEST_MAIN
