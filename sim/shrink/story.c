#include "sim/shrink/story.h"

#include <string.h>

static const char *const rules[PROPERTY_COUNT] = {
    [PROPERTY_ELECTION_SAFETY] =
        "At most one leader can be elected in a term (Figure 3).",
    [PROPERTY_LEADER_APPEND_ONLY] =
        "A leader never overwrites or deletes entries of its log (Figure 3).",
    [PROPERTY_LOG_MATCHING] =
        "Logs that hold an entry of the same index and term are equal up to there "
        "(Figure 3).",
    [PROPERTY_LEADER_COMPLETENESS] =
        "A leader holds every entry that was committed in an earlier term (Figure "
        "3).",
    [PROPERTY_STATE_MACHINE_SAFETY] =
        "No two nodes apply different entries at the same index (Figure 3).",
    [PROPERTY_STATE_EQUALITY] =
        "Nodes that have applied the same entries hold the same state.",
    [PROPERTY_APPLY_ORDER] =
        "Entries are applied one by one, and only once they are committed and "
        "durable.",
    [PROPERTY_TERM_MONOTONIC] = "A node's term never goes back (Figure 2).",
    [PROPERTY_COMMIT_MONOTONIC] =
        "A node's commit index never goes back while it lives (Figure 2).",
    [PROPERTY_MATCH_MONOTONIC] =
        "What a leader knows of a follower's log never shrinks in a term (Figure "
        "2).",
    [PROPERTY_MATCH_TRUE] =
        "What a leader believes of a follower is on that follower's disk (Figure "
        "2, matchIndex).",
    [PROPERTY_COMMIT_OWN_TERM] =
        "A leader counts replicas only for entries of its own term (5.4.2, Figure "
        "8).",
    [PROPERTY_COMMIT_DURABLE] =
        "What is committed lies on the disks of a majority (5.3).",
    [PROPERTY_COMMIT_KEPT] = "A committed entry is never overwritten (5.4).",
    [PROPERTY_VOTE_ONCE] =
        "A node votes for one candidate in a term at most, also across restarts "
        "(5.2).",
    [PROPERTY_HARD_STATE] =
        "A new term and a new vote are given out to be written in the step that "
        "changes them (Figure 2, persistent state).",
    [PROPERTY_VOTE_DURABLE] = "A vote leaves only once it is on the disk (Figure 2).",
    [PROPERTY_ACK_DURABLE] =
        "An acknowledgement leaves only once what it acknowledges is on the disk "
        "(Figure 2).",
    [PROPERTY_DURABILITY] = "What was reported to be durable is there after a crash.",
    [PROPERTY_LOG_TERMS] = "Terms in a log never fall, and none is of the future.",
    [PROPERTY_OUTPUT_SHAPE] = "What a step puts out agrees with the node's log.",
    [PROPERTY_CORE_INVARIANT] = "The core's own invariants hold (raft_check()).",
    [PROPERTY_OWN] = "An invariant of your own, from sim/own/own.c (lab 8).",
    [PROPERTY_VOTE_QUORUM] =
        "A leader has the votes of a majority of its configuration (5.2, 6).",
    [PROPERTY_LEADER_MEMBER] =
        "Who is known to be no voter does not lead (dissertation 4.2.2).",
    [PROPERTY_CONFIGURATION] =
        "The newest configuration in a log is the one in use (6).",
    [PROPERTY_CHANGE_ALONE] =
        "One change of members at a time, with majorities that overlap "
        "(dissertation 4.1).",
    [PROPERTY_CHANGE_OWN_TERM] =
        "A leader changes no members before it has committed an entry of its own "
        "term (the bug of 2015).",
    [PROPERTY_SNAPSHOT] =
        "A snapshot holds what was committed, and no log begins behind what its "
        "snapshot holds (7).",
    [PROPERTY_SNAPSHOT_TAKEN] =
        "A snapshot that arrives is taken once its term is on the disk, and one that "
        "is of no use is asked for again (7).",
    [PROPERTY_NODE_STOPPED] = "A node whose disk is well does not give up.",
    [PROPERTY_LIVENESS] = "A cluster that is healed comes to rest.",
    [PROPERTY_REST] = "A cluster at rest counts nothing as under way.",
    [PROPERTY_COMMIT_AT_ONCE] =
        "What a majority has on disk is committed at once (Figure 2, leaders).",
    [PROPERTY_PROMISE] =
        "Who has just heard a leader votes for nobody else (dissertation 6.2).",
    [PROPERTY_QUORUM_HEARD] =
        "A leader that hears no majority steps down (dissertation 6.2).",
    [PROPERTY_READ_INDEX] =
        "A read is not behind what was committed when it was asked for (dissertation "
        "6.4).",
    [PROPERTY_TIMEOUT] =
        "A pre-vote is no news of a leader, nor a reason to wait (dissertation 9.6).",
    [PROPERTY_VOTE_KEPT] =
        "A vote that was given is given again to who asks again (5.2).",
    [PROPERTY_LEASE] =
        "While a leader holds a lease, nobody else is elected (dissertation 6.4.1).",
    [PROPERTY_LINEARIZABILITY] =
        "Some order of the clients' operations explains all their answers.",
};

const char *story_rule(enum property property)
{
    return (unsigned)property < PROPERTY_COUNT && rules[property] != NULL
               ? rules[property]
               : "A rule of the checker.";
}

void story_comment(struct buffer *out, const char *text)
{
    enum { COLUMNS = 88 };

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        if (size > COLUMNS) {
            size = COLUMNS;
            while (size > 0 && text[size] != ' ')
                size--;
            if (size == 0)
                size = COLUMNS;
        }
        buffer_format(out, "# %.*s\n", (int)size, text);
        text += size;
        text += strspn(text, " \n");
    }
}
