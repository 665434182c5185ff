// reached.h: places in the core that are worth having been at.
//
// The core sets a bit in raft_output.reached as it passes one of these places; a
// campaign of simulated runs ors them all and says which were never reached. One that
// nobody reaches tests nothing there, however many seeds it has. X(NAME, LABEL, TEXT):
// RAFT_MARK_NAME, the rule of docs/figure2.md that is decided there or "", and what
// happens. Setting a bit changes nothing else.
#ifndef RAFT_REACHED_H
#define RAFT_REACHED_H

// clang-format off
#define REACHED_MARKS(X) \
    X(AE_1, "AE-1", "AppendEntries of an older term is refused") \
    X(AE_2, "AE-2", "AppendEntries does not match at prev_log_index") \
    X(AE_3, "AE-3", "an entry conflicts with the leader's, and the log is truncated") \
    X(AE_4, "AE-4", "a follower appends entries") \
    X(AE_5, "AE-5", "a follower's commit index follows the leader's") \
    X(RV_1, "RV-1", "a vote is refused for an older term") \
    X(RV_2A, "RV-2a", "a vote is refused since another has it") \
    X(RV_2B, "RV-2b", "a vote is refused since the candidate's log is behind") \
    X(IS_1, "IS-1", "a chunk of an older term is refused") \
    X(IS_2, "IS-2", "a snapshot begins to arrive") \
    X(IS_3, "IS-3", "a chunk is stored") \
    X(IS_4, "IS-4", "a chunk is answered, and the next one waited for") \
    X(IS_6, "IS-6", "the log holds the snapshot's last entry, and stays") \
    X(IS_7, "IS-7", "the log goes, and begins anew behind a snapshot") \
    X(IS_8, "IS-8", "a snapshot brings another configuration") \
    X(ALL_1, "ALL-1", "committed entries are handed out to be applied") \
    X(ALL_2, "ALL-2", "a higher term makes a follower") \
    X(FOL_1, "FOL-1", "a vote is granted") \
    X(FOL_2, "FOL-2", "an election timeout of a follower") \
    X(CAND_1, "CAND-1", "a campaign begins") \
    X(CAND_2, "CAND-2", "the votes of a majority make a leader") \
    X(CAND_3, "CAND-3", "a candidate hears a leader of its own term") \
    X(CAND_4, "CAND-4", "a campaign that ended in nothing is followed by another") \
    X(LEAD_1, "LEAD-1", "a heartbeat is due") \
    X(LEAD_2, "LEAD-2", "a command is appended to the leader's log") \
    X(LEAD_3, "LEAD-3", "entries are sent") \
    X(LEAD_3A, "LEAD-3a", "a peer's match index goes up") \
    X(LEAD_3B, "LEAD-3b", "a refusal moves next_index down") \
    X(LEAD_4, "LEAD-4", "a majority has an entry of the own term") \
    \
    X(COMMIT_CUT, "", "the leader's commit index is beyond what the message showed to match") \
    X(COMMIT_OLD_TERM, "", "a majority has an entry of an older term, which does not count (Figure 8)") \
    X(COMMIT_BY_NON_VOTER, "", "a leader that has no vote commits an entry") \
    X(COMMIT_JOINT, "", "an entry is committed by both majorities of a joint configuration") \
    X(TRUNCATE_DURABLE, "", "entries that were durable are truncated") \
    X(TRUNCATE_WRITING, "", "entries whose write is under way are truncated") \
    X(TRUNCATE_CONFIGURATION, "", "a configuration is truncated, and the one before it is in use again") \
    X(OLD_APPEND, "", "a message that ends before the log does takes nothing away") \
    X(PREV_COMPACTED, "", "a message begins before the log's base") \
    X(HEARTBEAT_WHILE_WRITING, "", "a heartbeat is answered while entries are being written") \
    X(FOLLOWER_LOG_FULL, "", "a follower's log has no room for an entry") \
    X(PEER_HAS_NO_ROOM, "", "a peer takes nothing of what it was sent") \
    X(WINDOW_FULL, "", "a peer is sent no more, since its window is full") \
    X(REFUSAL_IS_OLD, "", "a refusal says nothing new") \
    X(REFUSAL_BELOW_MATCH, "", "a refusal would lead below what is known to match") \
    X(OUTPUT_FULL, "", "one step's output has no room for all") \
    X(OUTBOX_FULL, "", "the oldest of the messages that wait for a write gives way") \
    X(HELD_BACK_IN_VAIN, "", "a message that waited for a write is dropped, since its term or its election has passed") \
    \
    X(VOTE_REPEATED, "", "a candidate asks again, and gets the vote that it has") \
    X(VOTE_OLD, "", "a candidate gets a vote of an older term") \
    X(VOTE_FOR_STRANGER, "", "a vote goes to a node that is no voter here") \
    X(VOTE_BY_NON_VOTER, "", "a node that knows of no vote of its own gives one") \
    X(VOTE_UNWANTED, "", "RequestVote is ignored, since there is a leader") \
    X(VOTE_FOR_TRANSFER, "", "RequestVote is heard in spite of a leader, since it handed over") \
    X(ELECTION_LOST, "", "a majority refuses a candidate") \
    X(ELECTION_JOINT, "", "a leader is elected by both majorities of a joint configuration") \
    X(CAMPAIGN_LEAVING, "", "a node campaigns that the newest configuration leaves out") \
    X(CAMPAIGN_WAITS_FOR_DISK, "", "a candidate's vote is not durable when its election times out") \
    X(CANDIDATE_DEPOSED, "", "a candidate hears a higher term") \
    X(TIMEOUT_WITHOUT_VOTE, "", "a node without a vote loses its leader") \
    X(LEADER_ALONE, "", "a leader that hears no majority steps down") \
    X(LEADER_DEPOSED, "", "a leader steps down on a higher term") \
    X(LEADER_DEPOSED_BY_UNHEARD, "", "a leader steps down on a higher term from a peer that it has not heard lately") \
    X(LEADER_DEPOSED_BY_STRANGER, "", "a leader steps down on a higher term from a node that is no member") \
    X(PREVOTE_TERM, "", "a pre-vote is refused, since its term is not higher") \
    X(PREVOTE_LEADER, "", "a pre-vote is refused, since there is a leader") \
    X(PREVOTE_BEHIND, "", "a pre-vote is refused, since the log is behind") \
    X(PREVOTE_LOST, "", "a majority refuses a pre-vote") \
    X(PREVOTE_OLD, "", "the grant of an older pre-vote arrives") \
    \
    X(CHANGE_SINGLE, "", "a change of at most one voter") \
    X(CHANGE_JOINT, "", "a change of several voters at once") \
    X(CHANGE_TOO_EARLY, "", "a change is refused before a commit in the own term") \
    X(CHANGE_PENDING, "", "a change is refused while another is under way") \
    X(CHANGE_NOT_CAUGHT_UP, "", "a change is refused, since a new voter lacks too much") \
    X(CHANGE_TRANSFERRING, "", "a change is refused while leadership is handed over") \
    X(JOINT_LEFT, "", "a joint configuration is left") \
    X(JOINT_INHERITED, "", "a joint configuration is left by a leader that did not begin it") \
    X(PROMOTED, "", "a joining node has caught up and becomes a voter") \
    X(LEADER_REMOVED, "", "a leader that has no vote any more steps down") \
    X(LEADER_REMOVED_HANDS_OVER, "", "and tells another to take over") \
    \
    X(SNAPSHOT_NEEDED, "", "a peer needs what only a snapshot holds") \
    X(SNAPSHOT_OVERTAKEN, "", "a peer gets on without the snapshot that it was being sent") \
    X(SNAPSHOT_TAKEN_WHILE_SENT, "", "a snapshot is taken while an older one is on its way to a peer") \
    X(SNAPSHOT_GONE_WHILE_SENT, "", "a peer begins anew, since the snapshot that it was being sent is gone") \
    X(SNAPSHOT_CHUNK_AGAIN, "", "a chunk is sent again") \
    X(SNAPSHOT_CHUNK_ODD, "", "a chunk arrives that is not the next one") \
    X(SNAPSHOT_FROM_START, "", "a peer wants a snapshot from its start again") \
    X(SNAPSHOT_STALE, "", "a chunk arrives of a snapshot that a newer one has replaced") \
    X(SNAPSHOT_BUSY, "", "a chunk arrives while another snapshot is being checked") \
    X(SNAPSHOT_REPLACED, "", "another snapshot begins to arrive before the first is whole") \
    X(SNAPSHOT_NEXT_LEADER, "", "a new leader goes on with the snapshot of the one before") \
    X(SNAPSHOT_USELESS, "", "a snapshot that arrived cannot be used") \
    X(SNAPSHOT_UNNEEDED, "", "a snapshot is whole when it is not needed any more") \
    X(SNAPSHOT_DURING_JOINT, "", "a snapshot replaces a log whose configuration is joint") \
    X(SNAPSHOT_OF_JOINT, "", "a snapshot brings a joint configuration") \
    X(SNAPSHOT_ENDS_CAMPAIGN, "", "a snapshot shows that its node may not campaign") \
    X(SNAPSHOT_DROPS_UNCOMMITTED, "", "a snapshot replaces entries that were not committed") \
    X(COMPACTED_CONFIGURATION, "", "the newest configuration is compacted away with its entry") \
    \
    X(READ_ROUND, "", "a round of heartbeats confirms reads") \
    X(READ_LEASE, "", "a read needs no round, since there is a lease") \
    X(READ_LEASE_FORFEITED, "", "a read finds a lease given up for a transfer") \
    X(READ_BEFORE_COMMIT, "", "a read waits for the first commit of the leader's term") \
    X(READ_ABANDONED, "", "a read is refused, since the leader changed") \
    X(READ_FOLLOWER, "", "a leader tells a follower up to where to read") \
    X(READ_ASKED_AGAIN, "", "a follower asks its leader again") \
    X(READ_DOUBLED, "", "a question that a leader knows already") \
    X(READ_ANSWER_LATE, "", "an answer to a question that is over") \
    X(READ_WAITS_FOR_APPLY, "", "a confirmed read waits until its entry is applied") \
    \
    X(TRANSFER_BEGINS, "", "leadership begins to be handed over") \
    X(TRANSFER_GIVEN_UP, "", "a transfer is given up") \
    X(TRANSFER_PROPOSAL, "", "a proposal is refused while leadership is handed over") \
    X(TRANSFER_TOLD, "", "a node that is told so campaigns at once") \
    X(TRANSFER_LATE, "", "a node is told to campaign in a term that has passed") \
    X(TRANSFER_UNFIT, "", "a node is told to campaign, and may not")
// clang-format on

#define REACHED_ENUM(name, label, text) RAFT_MARK_##name,

enum raft_mark { REACHED_MARKS(REACHED_ENUM) RAFT_MARK_COUNT };

#undef REACHED_ENUM

#endif
