// raft.h: Raft as one pure function. Events go in, effects come out.
//
// A *host* drives a core. The core does no I/O, reads no clock, draws its randomness
// from the seed in its configuration and never allocates: the same start and the
// same events give the same outputs, byte for byte, on every compiler.
//
// The host's loop:
//
// clang-format off
//     for (;;) {
//         event = next event: a message, a proposal, a read, a finished write,
//                 or RAFT_EVENT_TICK once output.deadline_ms has come;
//         status = raft_step(raft, &event, &output);
//         if (output.write != 0)          // one ordered write: started, not awaited
//             append output.hard_state (if changed) and output.entries to the disk;
//             once durable, report RAFT_EVENT_PERSISTED with that number;
//         send output.messages;           // now: the core held back what may not go
//         apply output.apply in order;    // then report RAFT_EVENT_APPLIED
//         answer output.reads;            // from the applied state
//     }
// clang-format on
//
// Durability. The core enforces it: a vote or an acknowledgement appears in
// output.messages only after RAFT_EVENT_PERSISTED has reported the write that it
// depends on ("updated on stable storage before responding", Figure 2). A leader's
// own entry counts towards a majority only once it is durable (dissertation 10.2.1),
// and entries are handed out for apply only once they are durable here.
// Entries in output.entries replace whatever the log held at their indices and beyond.
//
// Ownership. What an event points at is copied. What an output points at is borrowed
// until the next call that takes the same `struct raft`.
//
// Memory. The host hands in raft_size() bytes, aligned to 16; the whole state lies in
// there and holds no pointer that outlives a step, so that memcpy forks a node.
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t raft_term;
typedef uint64_t raft_index;
typedef uint32_t raft_id; // 0 means "none" and is refused as a member

enum {
    RAFT_MEMBERS_MAX = 15,         // in one configuration, all roles together
    RAFT_INFLIGHT_MAX = 32,        // AppendEntries under way to one peer
    RAFT_READS_MAX = 128,          // reads that wait for their confirmation
    RAFT_OUTBOX_MAX = 64,          // replies that wait for the disk
    RAFT_WRITES_MAX = 64,          // writes under way that are told apart
    RAFT_OUTPUT_MESSAGES_MAX = 96, // messages out of one step
    RAFT_NOTES_MAX = 16,           // decisions told of one step
};
static_assert(RAFT_OUTPUT_MESSAGES_MAX >= RAFT_OUTBOX_MAX + RAFT_MEMBERS_MAX,
              "one step can empty the outbox and speak to every peer");

// ---- status ---------------------------------------------------------------------

enum raft_status {
    RAFT_OK = 0,
    RAFT_NOT_LEADER,  // ask output.leader_hint
    RAFT_LOG_FULL,    // capacity for entries or bytes is used up; nothing was taken
    RAFT_READS_FULL,  // too many reads under way; nothing was taken
    RAFT_TOO_LARGE,   // a command, or their number, is beyond the configuration's limit
    RAFT_INVALID,     // an event that no correct host or peer produces; ignored
    RAFT_UNSUPPORTED, // an event whose mechanism this version does not have
    RAFT_STATUS_COUNT,
};

// One English phrase for each status; never NULL.
const char *raft_status_text(enum raft_status status);

// ---- the log's content ----------------------------------------------------------

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 0,      // a leader's first entry of its term (dissertation 6.4)
    RAFT_ENTRY_COMMAND,       // for the state machine
    RAFT_ENTRY_CONFIGURATION, // a struct raft_configuration, encoded (section 6)
    RAFT_ENTRY_TYPE_COUNT,
};

struct raft_entry {
    raft_index index; // the first entry has index 1
    raft_term term;
    enum raft_entry_type type;
    uint32_t size;    // bytes at data
    const void *data; // may be NULL where size is 0
};

struct raft_command {
    const void *data;
    uint32_t size;
};

// ---- membership (section 6; dissertation 4) -------------------------------------

enum raft_member_role {
    RAFT_VOTER = 1, // counts in the new majority
    RAFT_LEAVING,   // counts in the old majority only (joint consensus)
    RAFT_STAYING,   // counts in both majorities (joint consensus)
    RAFT_LEARNER,   // receives entries, counts in none
};

struct raft_member {
    raft_id id;
    enum raft_member_role role;
};

// Joint while any member is RAFT_LEAVING or RAFT_STAYING.
struct raft_configuration {
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX];
};

// ---- what is durable ------------------------------------------------------------

// Figure 2, "Persistent state on all servers", less the log.
struct raft_hard_state {
    raft_term current_term;
    raft_id voted_for; // 0: none in this term
};

struct raft_snapshot_meta {
    raft_index last_included_index; // 0: there is no snapshot
    raft_term last_included_term;
    raft_index configuration_index; // where the configuration below was logged
    struct raft_configuration configuration;
};

// ---- messages -------------------------------------------------------------------

enum raft_message_type {
    RAFT_REQUEST_VOTE = 1,
    RAFT_REQUEST_VOTE_REPLY,
    RAFT_APPEND_ENTRIES,
    RAFT_APPEND_ENTRIES_REPLY,
    RAFT_INSTALL_SNAPSHOT, // one chunk
    RAFT_INSTALL_SNAPSHOT_REPLY,
    RAFT_TIMEOUT_NOW, // dissertation 3.10
    RAFT_READ_INDEX,  // a follower asks on behalf of its reader (6.4)
    RAFT_READ_INDEX_REPLY,
    RAFT_MESSAGE_TYPE_END,
};

struct raft_request_vote {
    raft_index last_log_index;
    raft_term last_log_term;
    bool pre_vote; // message.term is then the term that a campaign would have
    bool transfer; // the leader asked for this campaign (dissertation 4.2.3)
};

struct raft_request_vote_reply {
    bool vote_granted;
    bool pre_vote; // a granted pre-vote's message.term repeats the request's
};

struct raft_append_entries {
    raft_index prev_log_index;
    raft_term prev_log_term;
    raft_index leader_commit;
    uint64_t round; // the newest read round of this leader (dissertation 6.4)
    uint32_t count;
    const struct raft_entry *entries; // contiguous from prev_log_index + 1
};

struct raft_append_entries_reply {
    bool success;
    raft_index match_index; // success: the follower's durable log equals the leader's
    raft_index prev_log_index; // refusal: the request's, so that a stale one is known
    raft_index conflict_index; // refusal: no entry above this can match
    raft_term conflict_term;   // refusal: the term at conflict_index (0: none known)
    uint64_t round;            // the request's, echoed
};

struct raft_install_snapshot {
    struct raft_snapshot_meta meta;
    uint64_t offset;   // of this chunk, in bytes
    uint64_t total;    // of the whole snapshot, in bytes
    uint64_t checksum; // of the whole snapshot
    uint32_t size;
    bool done;
    const void *data;
};

struct raft_install_snapshot_reply {
    raft_index last_included_index;
    uint64_t next_offset; // where the follower wants to go on
    bool installed;
};

struct raft_read_index {
    uint64_t id;
    raft_index index; // in the reply
    bool ok;          // in the reply
};

struct raft_message {
    enum raft_message_type type;
    raft_id from;
    raft_id to;
    raft_term term;
    union {
        struct raft_request_vote request_vote;
        struct raft_request_vote_reply request_vote_reply;
        struct raft_append_entries append_entries;
        struct raft_append_entries_reply append_entries_reply;
        struct raft_install_snapshot install_snapshot;
        struct raft_install_snapshot_reply install_snapshot_reply;
        struct raft_read_index read_index; // and its reply
    };
};

// ---- events ---------------------------------------------------------------------

enum raft_event_type {
    RAFT_EVENT_TICK = 1,  // time passed
    RAFT_EVENT_MESSAGE,   // one arrived from a peer
    RAFT_EVENT_PROPOSE,   // commands for the log: all are taken, or none
    RAFT_EVENT_READ,      // a linearizable read is asked for
    RAFT_EVENT_PERSISTED, // every write up to this number is durable
    RAFT_EVENT_APPLIED,   // entries up to this index were applied
    RAFT_EVENT_SNAPSHOT_TAKEN,
    RAFT_EVENT_SNAPSHOT_INSTALLED,
    RAFT_EVENT_CHANGE_MEMBERSHIP,
    RAFT_EVENT_TRANSFER_LEADERSHIP,
    RAFT_EVENT_TYPE_END,
};

struct raft_event {
    enum raft_event_type type;
    uint64_t
        now_ms; // monotonic; where it lies before an earlier event's, that one holds
    union {
        const struct raft_message *message;
        struct {
            const struct raft_command *commands;
            uint32_t count;
        } propose;
        struct {
            uint64_t id; // the host's own name for it, given back in output.reads
        } read;
        struct {
            uint64_t write; // an output.write
        } persisted;
        struct {
            raft_index index;
        } applied;
        struct raft_snapshot_meta snapshot;
        struct raft_configuration configuration;
        struct {
            raft_id to;
        } transfer;
    };
};

// ---- outputs --------------------------------------------------------------------

struct raft_read {
    uint64_t id;
    raft_index index;        // the state that may answer; already applied
    enum raft_status status; // RAFT_NOT_LEADER: ask again, elsewhere
};

struct raft_output {
    // Make durable, as one ordered write. 0: nothing. Numbers grow by one.
    uint64_t write;
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    const struct raft_entry *entries;
    uint32_t entry_count;

    // Send at once, in any order; any of them may be lost.
    const struct raft_message *messages;
    uint32_t message_count;

    // Apply in order, then report RAFT_EVENT_APPLIED.
    const struct raft_entry *apply;
    uint32_t apply_count;

    // Answer, or refuse, these reads.
    const struct raft_read *reads;
    uint32_t read_count;

    // A proposal's place: its first command stands here, the others behind it.
    raft_index proposed_index;
    raft_term proposed_term;
    raft_id leader_hint; // who leads, as far as this node knows; 0: unknown

    // A snapshot to send to a peer (0: none), or to install here.
    raft_id snapshot_send_to;
    const struct raft_install_snapshot *snapshot_install;

    // When to call with RAFT_EVENT_TICK, at the latest.
    uint64_t deadline_ms;

    // The decisions of this step in words, for traces: static strings.
    uint32_t note_count;
    const char *notes[RAFT_NOTES_MAX];
};

// ---- life cycle -----------------------------------------------------------------

struct raft_config {
    raft_id id;
    uint64_t seed;                // may be the same on all nodes: the id is mixed in
    uint64_t start_ms;            // now
    uint32_t election_timeout_ms; // drawn from [this, twice this)
    uint32_t heartbeat_ms;        // well below the election timeout
    uint32_t log_entries_max;     // capacity; rounded up to a power of two
    uint64_t log_bytes_max;       // capacity for data; rounded up to a power of two
    uint32_t command_bytes_max;   // of one command
    uint32_t message_entries_max; // entries in one AppendEntries or one proposal
    uint32_t message_bytes_max;   // in one AppendEntries, unless it is a single entry
    uint32_t inflight_max;        // AppendEntries under way to one peer
    struct raft_configuration configuration; // of the first start
};

// Fills in every tunable with its default, leaving id, seed and configuration empty.
void raft_config_default(struct raft_config *config);

// NULL where the configuration can be used, else one phrase that says why not.
const char *raft_config_problem(const struct raft_config *config);

// The bytes that raft_init() needs for this (valid) configuration.
size_t raft_size(const struct raft_config *config);

struct raft; // opaque

// A node as it was when it stopped: hard state and snapshot as found on disk (zeroes on
// the first start). Follow with raft_load() for the log found there. The memory stays
// the caller's. The configuration must be free of problems.
struct raft *raft_init(void *memory, const struct raft_config *config,
                       const struct raft_hard_state *hard_state,
                       const struct raft_snapshot_meta *snapshot);

// Appends an entry that is already durable, in order, before the first step.
// RAFT_LOG_FULL where the capacity is too small, RAFT_INVALID where it does not follow.
enum raft_status raft_load(struct raft *raft, const struct raft_entry *entry);

// One event in, its effects out. Whatever the status, *output is filled in and counts.
enum raft_status raft_step(struct raft *raft, const struct raft_event *event,
                           struct raft_output *output);

// ---- observing ------------------------------------------------------------------

enum raft_role {
    RAFT_FOLLOWER = 0,
    RAFT_PRE_CANDIDATE, // asks whether an election could be won (dissertation 9.6)
    RAFT_CANDIDATE,
    RAFT_LEADER,
};

const char *raft_role_text(enum raft_role role);

enum raft_progress_state {
    RAFT_PROBE = 0, // one message at a time, until one is accepted
    RAFT_REPLICATE, // several in flight
    RAFT_SNAPSHOT,  // waits for a snapshot to arrive
};

struct raft_peer_view {
    raft_id id;
    raft_index next_index;
    raft_index match_index;
    enum raft_progress_state state;
    uint32_t inflight;
};

// A copy of what tests, checkers and `raft.status` may want to know.
struct raft_view {
    raft_id id;
    enum raft_role role;
    raft_id leader_id;
    raft_term current_term;
    raft_id voted_for;
    raft_index commit_index;
    raft_index last_applied; // as reported by the host
    raft_index first_index;  // of the entries held; snapshot index + 1
    raft_index last_index;
    raft_term last_term;
    raft_index durable_index; // entries up to here are on disk
    raft_term durable_term;   // the hard state on disk: its term
    uint64_t elections;       // campaigns started here
    uint64_t log_bytes;       // in use
    uint32_t reads_pending;
    struct raft_configuration configuration;
    uint32_t peer_count; // filled in on a leader only
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
};

void raft_observe(const struct raft *raft, struct raft_view *view);

// The entry at `index`, borrowed until the next step; false where it is not held.
bool raft_entry_at(const struct raft *raft, raft_index index, struct raft_entry *entry);

// The term at `index` (also the snapshot's last); false where it is not known.
bool raft_term_at(const struct raft *raft, raft_index index, raft_term *term);

// The first internal invariant that does not hold, in words, or NULL. Constant time.
const char *raft_check(const struct raft *raft);

// Member `id` of a configuration, or NULL.
const struct raft_member *
raft_member_find(const struct raft_configuration *configuration, raft_id id);

#endif
