// checker_member.h: the configurations in the logs, and who may lead by them.
//
// A configuration counts as soon as it stands in a log (section 6). A leader changes it
// only once the one before is committed, and an entry of its own term, too; then any
// two that are in use at a time have majorities that overlap, by the step between them.
#ifndef SIM_CHECKER_MEMBER_H
#define SIM_CHECKER_MEMBER_H

#include "sim/checker/checker_state.h"

// Adds a configuration entry to the picture of a log; false where it can be none.
bool checker_member_add(struct checker *checker, raft_id id,
                        struct electorate_list *members,
                        const struct raft_entry *entry);

// The leader has appended the newest configuration of its log in this step.
void checker_member_change(struct checker *checker, raft_id id,
                           const struct raft_view *view);

// The view uses and tells the newest one in the log.
void checker_member_view(struct checker *checker, raft_id id,
                         const struct raft_view *view);

// A vote of `id` for `to` counts from now on.
void checker_member_vote(struct checker *checker, raft_id id, raft_term term,
                         raft_id to);

// A leader's right to lead: its votes, once; that it is a voter, after each step.
void checker_member_elected(struct checker *checker, raft_id id,
                            const struct raft_view *view);
void checker_member_leads(struct checker *checker, raft_id id,
                          const struct raft_view *view);

#endif
