// The log in its rings, its progress and its quorums, each alone.
#include "raft/append_entries.h"
#include "raft/log.h"
#include "raft/configuration.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "tests/test.h"

struct a_log {
    struct log log;
    struct log_slot slots[64];
    char bytes[64];
};

static void start(struct a_log *a)
{
    struct raft_config config = {.log_entries_max = 64, .log_bytes_max = 64};
    log_init(&a->log, &config, offsetof(struct a_log, slots),
             offsetof(struct a_log, bytes));
}

static void check_entry(const struct log *log, raft_index index, raft_term term,
                        const char *text)
{
    struct raft_entry entry;
    log_entry(log, index, &entry);
    CHECK_EQ(entry.index, index);
    CHECK_EQ(entry.term, term);
    CHECK_EQ(entry.size, strlen(text));
    CHECK(memcmp(entry.data, text, entry.size) == 0);
}

TEST(entries_come_back_as_they_were_appended)
{
    struct a_log a;
    start(&a);
    CHECK(log_append(&a.log, 1, RAFT_ENTRY_COMMAND, "one", 3));
    CHECK(log_append(&a.log, 1, RAFT_ENTRY_NOOP, NULL, 0));
    CHECK(log_append(&a.log, 2, RAFT_ENTRY_COMMAND, "three", 5));
    check_entry(&a.log, 1, 1, "one");
    check_entry(&a.log, 2, 1, "");
    check_entry(&a.log, 3, 2, "three");
    CHECK_EQ(log_last_term(&a.log), 2);
}

TEST(the_log_refuses_what_does_not_fit_and_takes_it_after_a_truncation)
{
    struct a_log a;
    start(&a);
    char thirty[30] = {0};
    CHECK(log_append(&a.log, 1, RAFT_ENTRY_COMMAND, thirty, 30));
    CHECK(log_append(&a.log, 1, RAFT_ENTRY_COMMAND, thirty, 30));
    CHECK(!log_append(&a.log, 1, RAFT_ENTRY_COMMAND, thirty, 5));
    CHECK(log_append(&a.log, 1, RAFT_ENTRY_COMMAND, thirty, 4));
    CHECK(!log_append(&a.log, 1, RAFT_ENTRY_COMMAND, thirty, 1));
    CHECK_EQ(log_bytes_used(&a.log), 64);
    log_truncate(&a.log, 2);
    CHECK_EQ(a.log.last_index, 1);
    CHECK(log_append(&a.log, 2, RAFT_ENTRY_COMMAND, "again", 5));
    check_entry(&a.log, 2, 2, "again");
}

TEST(the_log_refuses_more_entries_than_it_has_slots)
{
    struct a_log a;
    start(&a);
    for (int i = 0; i < 64; i++)
        CHECK(log_append(&a.log, 1, RAFT_ENTRY_NOOP, NULL, 0));
    CHECK(!log_append(&a.log, 1, RAFT_ENTRY_NOOP, NULL, 0));
}

TEST(room_for_many_is_the_same_as_room_for_each_in_turn)
{
    for (uint32_t first = 0; first < 64; first++) {
        for (uint32_t size = 1; size < 20; size++) {
            struct a_log a;
            start(&a);
            char data[64] = {0};
            CHECK(log_append(&a.log, 1, RAFT_ENTRY_COMMAND, data, first));
            struct raft_command commands[] = {{data, size}, {data, 7}, {data, size}};
            bool room = log_has_room(&a.log, commands, 3);
            bool all = true;
            for (int i = 0; i < 3; i++)
                all = all &&
                      log_append(&a.log, 1, RAFT_ENTRY_COMMAND, data, commands[i].size);
            CHECK_EQ(room, all);
        }
    }
}

TEST(terms_are_known_within_the_log_and_at_the_snapshot_only)
{
    struct a_log a;
    start(&a);
    a.log.base_index = a.log.last_index = 10;
    a.log.base_term = 3;
    CHECK(log_append(&a.log, 4, RAFT_ENTRY_NOOP, NULL, 0));
    raft_term term = 0;
    CHECK(!log_term(&a.log, 9, &term)); // compacted: not 0, but unknown
    CHECK(log_term(&a.log, 10, &term) && term == 3);
    CHECK(log_term(&a.log, 11, &term) && term == 4);
    CHECK(!log_term(&a.log, 12, &term));
    CHECK(!log_matches(&a.log, 9, 0));
    CHECK_EQ(log_first_index(&a.log), 11);
}

TEST(the_last_entry_that_can_match_is_found_like_by_looking_at_each)
{
    static const raft_term terms[] = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
    struct a_log a;
    start(&a);
    for (size_t i = 0; i < 10; i++)
        CHECK(log_append(&a.log, terms[i], RAFT_ENTRY_NOOP, NULL, 0));
    for (raft_index index = 0; index < 14; index++) {
        for (raft_term term = 0; term < 8; term++) {
            raft_index expected = index < 10 ? index : 10;
            while (expected > 0 && terms[expected - 1] > term)
                expected--;
            CHECK_EQ(log_find_conflict(&a.log, index, term), expected);
        }
    }
}

// ---- quorum -----------------------------------------------------------------------

static bool counts(const struct raft_member *member, bool in_old)
{
    return member->role == RAFT_STAYING ||
           member->role == (in_old ? RAFT_LEAVING : RAFT_VOTER);
}

// By definition: the largest value that more than half of each half have reached.
static bool reached(const struct raft_configuration *configuration,
                    const uint64_t *values, uint64_t value, bool in_old)
{
    uint32_t members = 0;
    uint32_t there = 0;
    for (uint32_t i = 0; i < configuration->count; i++) {
        members += counts(&configuration->members[i], in_old);
        there += counts(&configuration->members[i], in_old) && values[i] >= value;
    }
    return in_old && members == 0 ? true : there * 2 > members;
}

TEST(a_quorum_of_every_configuration_agrees_with_its_definition)
{
    uint64_t random = 1;
    for (int round = 0; round < 200000; round++) {
        struct raft_configuration configuration = {0};
        uint64_t values[RAFT_MEMBERS_MAX];
        random = random * 6364136223846793005u + 1442695040888963407u;
        configuration.count = 1 + (random >> 33) % 7;
        for (uint32_t i = 0; i < configuration.count; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            configuration.members[i].id = i + 1;
            configuration.members[i].role =
                (enum raft_member_role)(RAFT_VOTER + (random >> 33) % 4);
            values[i] = (random >> 40) % 5;
        }
        uint64_t expected = 0;
        for (uint64_t value = 1; value < 5; value++)
            if (reached(&configuration, values, value, false) &&
                reached(&configuration, values, value, true))
                expected = value;
        CHECK_EQ(quorum_value(&configuration, values), expected);
    }
}

TEST(configurations_that_cannot_work_are_named)
{
    struct raft_configuration configuration = {0};
    CHECK(configuration_problem(&configuration) == NULL); // it waits to be added
    configuration.count = 2;
    configuration.members[0] = (struct raft_member){1, RAFT_VOTER};
    CHECK_TEXT(configuration_problem(&configuration), "a member's id is 0");
    configuration.members[1] = (struct raft_member){1, RAFT_VOTER};
    CHECK_TEXT(configuration_problem(&configuration), "two members have the same id");
    configuration.members[1] = (struct raft_member){2, (enum raft_member_role)9};
    CHECK_TEXT(configuration_problem(&configuration), "a member has no known role");
    configuration.members[0].role = RAFT_LEARNER;
    configuration.members[1].role = RAFT_LEARNER;
    CHECK_TEXT(configuration_problem(&configuration), "the configuration has no voter");
    configuration.members[1].role = RAFT_VOTER;
    CHECK(configuration_problem(&configuration) == NULL);
    configuration.count = RAFT_MEMBERS_MAX + 1;
    CHECK_TEXT(configuration_problem(&configuration),
               "the configuration has too many members");
}

// ---- progress ---------------------------------------------------------------------

TEST(acknowledgements_free_the_window_up_to_what_they_cover)
{
    struct progress peer = {.id = 2};
    struct raft_config four = {.inflight_max = 4, .inflight_bytes_max = 1000};
    struct raft_config five = {.inflight_max = 5, .inflight_bytes_max = 1000};
    struct raft_config few_bytes = {.inflight_max = 5, .inflight_bytes_max = 400};
    progress_reset(&peer, 10, 0);
    CHECK_EQ(peer.next_index, 11);
    progress_become_replicate(&peer);
    for (raft_index last = 11; last <= 14; last++)
        progress_sent(&peer, last, 100);
    CHECK_EQ(peer.next_index, 15);
    CHECK(!progress_may_send(&peer, &four));
    CHECK(progress_may_send(&peer, &five));
    CHECK(!progress_may_send(&peer, &few_bytes));
    CHECK(append_entries_matched(&peer, 12));
    CHECK_EQ(peer.inflight_count, 2);
    CHECK_EQ(peer.inflight_bytes, 200);
    CHECK(!append_entries_matched(&peer, 12));
    CHECK(!append_entries_matched(&peer, 5));
    CHECK_EQ(peer.match_index, 12);
    progress_become_probe(&peer, 13);
    CHECK_EQ(peer.inflight_count, 0);
    CHECK_EQ(peer.inflight_bytes, 0);
    CHECK(progress_may_send(&peer, &four));
    progress_sent(&peer, 13, 100);
    CHECK(!progress_may_send(&peer, &four));
}

TEST(a_refusal_is_news_only_of_what_is_not_known_to_match)
{
    struct progress peer = {.id = 2};
    progress_reset(&peer, 10, 0);
    CHECK(progress_refusal_is_news(&peer, 10));
    CHECK(!progress_refusal_is_news(&peer, 9)); // another probe's
    progress_become_replicate(&peer);
    append_entries_matched(&peer, 7);
    CHECK(!progress_refusal_is_news(&peer, 7));
    CHECK(progress_refusal_is_news(&peer, 8));
}

TEST_MAIN
