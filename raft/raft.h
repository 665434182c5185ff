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
//         send, store or restore the snapshot that the output names, if any;
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
    RAFT_REACHED_WORDS = 2,        // for the marks of one step
    RAFT_ADDRESS_BYTES = 128,      // of a member's address, with its NUL
    RAFT_CONFIGURATION_BYTES_MAX = RAFT_MEMBERS_MAX * (RAFT_ADDRESS_BYTES + 32),
};
static_assert(RAFT_OUTPUT_MESSAGES_MAX >= RAFT_OUTBOX_MAX + RAFT_MEMBERS_MAX,
              "one step can empty the outbox and speak to every peer");

// ---- status ---------------------------------------------------------------------

enum raft_status {
    RAFT_OK = 0,
    RAFT_NOT_LEADER, // ask output.leader_hint
    RAFT_LOG_FULL,   // capacity for entries or bytes is used up; nothing was taken
    RAFT_READS_FULL, // too many reads under way; nothing was taken
    RAFT_TOO_LARGE,  // a command, or their number, is beyond the configuration's limit
    RAFT_INVALID,    // an event that no correct host or peer produces; ignored
    RAFT_TRANSFERRING,   // leadership is being handed over; nothing was taken
    RAFT_BACKLOG_FULL,   // too many bytes wait to be committed; nothing was taken
    RAFT_CHANGE_PENDING, // another membership change is under way
    RAFT_NOT_READY,      // the leader has committed nothing in its own term yet
    RAFT_NOT_CAUGHT_UP,  // a voter-to-be lacks too many entries: add it as RAFT_JOINING
    RAFT_DISK_FULL,      // the host's: nothing was taken, reads go on
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
    RAFT_REMOVED = 0, // in a change only: no member any more
    RAFT_VOTER,       // counts in the new majority
    RAFT_LEAVING,     // counts in the old majority only (joint consensus)
    RAFT_STAYING,     // counts in both majorities (joint consensus)
    RAFT_LEARNER,     // receives entries, counts in none
    RAFT_JOINING,     // a learner that becomes a voter once it has caught up (4.2.1)
};

// "voter"; never NULL.
const char *raft_configuration_role_text(enum raft_member_role role);

struct raft_member {
    raft_id id;
    enum raft_member_role role;
    uint32_t priority;                // a hint: the higher ones are to lead
    char address[RAFT_ADDRESS_BYTES]; // for the host; printable, without spaces
};

// Joint while any member is RAFT_LEAVING or RAFT_STAYING.
struct raft_configuration {
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX];
};

// The data of a RAFT_ENTRY_CONFIGURATION: a line "<id> <role> <priority> <address>\n"
// for each member, "-" for no address. Returns the bytes written (at most
// RAFT_CONFIGURATION_BYTES_MAX).
uint32_t raft_configuration_encode(const struct raft_configuration *configuration,
                                   char *text);

// False where these bytes are none that raft_configuration_encode() writes of a
// configuration without problems.
bool raft_configuration_decode(const void *data, uint32_t size,
                               struct raft_configuration *configuration);

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
                               // (0: the request was of an older term)
    raft_index conflict_index; // refusal: no entry above this can match
    raft_term conflict_term;   // refusal: the term at conflict_index (0: none known)
    uint64_t round;            // the request's, echoed, if it was of this term
};

// One chunk (Figure 13). What is sent is the leader's snapshot file as it stands on its
// disk, which tells the configuration, too.
struct raft_install_snapshot {
    raft_index last_included_index;
    raft_term last_included_term;
    uint64_t offset;   // of this chunk, in bytes
    uint64_t total;    // of the whole snapshot, in bytes
    uint64_t checksum; // of the whole snapshot; chosen by the host
    uint32_t size;
    const void *data;
};

struct raft_install_snapshot_reply {
    raft_index last_included_index; // the chunk's (0: it was of an older term)
    uint64_t next_offset;           // where the follower wants to go on
    bool installed;                 // its durable state covers last_included_index
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
    RAFT_EVENT_TICK = 1,          // time passed
    RAFT_EVENT_MESSAGE,           // one arrived from a peer
    RAFT_EVENT_PROPOSE,           // commands for the log: all are taken, or none
    RAFT_EVENT_READ,              // a linearizable read is asked for
    RAFT_EVENT_PERSISTED,         // every write up to this number is durable
    RAFT_EVENT_APPLIED,           // entries up to this index were applied
    RAFT_EVENT_SNAPSHOT_TAKEN,    // one of the own state is durable
    RAFT_EVENT_SNAPSHOT_RECEIVED, // output.snapshot_store's last chunk: it is durable
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
        struct {
            raft_index index;     // its last entry, which has been applied
            raft_index keep_from; // older entries are dropped; those up to `index` may
        } snapshot_taken;         // stay for followers that are a little behind
        struct {
            const struct raft_snapshot_meta *meta; // as the file tells it
            bool failed; // it was damaged, or could not be stored: ask for it again
        } snapshot_received;
        struct {
            // Each names a member and the role (VOTER, LEARNER, JOINING or REMOVED),
            // priority and address that it is to have. One voter more or less is one
            // entry; several go through joint consensus, in which a voter may leave but
            // not become a learner (RAFT_INVALID: make that a change of its own).
            const struct raft_member *members;
            uint32_t count;
        } change;
        struct {
            raft_id to; // 0: whoever is best
        } transfer;
    };
};

// ---- outputs --------------------------------------------------------------------

struct raft_read {
    uint64_t id;
    raft_index index;        // the state that may answer; already applied
    enum raft_status status; // RAFT_NOT_LEADER: ask again, elsewhere
};

// The chunk of the newest snapshot but one, or the newest, that a peer waits for. Where
// the file ends before `offset`, a peer was mistaken: send the first chunk.
struct raft_snapshot_send {
    raft_id to;
    raft_index last_included_index;
    uint64_t offset;
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

    // The place of a proposal (its first command; the others stand behind it) or of a
    // membership change.
    raft_index proposed_index;
    raft_term proposed_term;
    raft_id leader_hint; // who leads, as far as this node knows; 0: unknown

    // Read each of these chunks from the disk and send it as RAFT_INSTALL_SNAPSHOT.
    const struct raft_snapshot_send *snapshot_sends;
    uint32_t snapshot_send_count;

    // Store this chunk aside (offset 0: begin anew); behind the last one, check and
    // sync the whole and report RAFT_EVENT_SNAPSHOT_RECEIVED. Borrowed from the event.
    const struct raft_install_snapshot *snapshot_store;

    // Replace the state machine's state by this received snapshot, then report
    // RAFT_EVENT_APPLIED with its index. In `write`, and before its entries, the log
    // begins anew behind it.
    const struct raft_snapshot_meta *snapshot_restore;

    // When to call with RAFT_EVENT_TICK, at the latest.
    uint64_t deadline_ms;

    // The decisions of this step in words, for traces: static strings.
    uint32_t note_count;
    const char *notes[RAFT_NOTES_MAX];

    // Bits of enum raft_mark (raft/reached.h): what this step came by, for campaigns.
    uint64_t reached[RAFT_REACHED_WORDS];
};

// ---- life cycle -----------------------------------------------------------------

struct raft_config {
    raft_id id;
    uint64_t seed;     // may be the same on all nodes, but not at two starts of one
    uint64_t start_ms; // now
    uint32_t election_timeout_ms;   // T: timeouts are drawn from [T, T + spread)
    uint32_t election_spread_ms;    // 0: as long as T; 1: all are T
    uint32_t heartbeat_ms;          // well below the election timeout
    uint32_t log_entries_max;       // capacity; rounded up to a power of two
    uint64_t log_bytes_max;         // capacity for data; rounded up to a power of two
    uint32_t command_bytes_max;     // of one command
    uint32_t message_entries_max;   // entries in one AppendEntries or one proposal
    uint32_t message_bytes_max;     // in one AppendEntries, unless it is a single entry
    uint32_t inflight_max;          // AppendEntries under way to one peer
    uint64_t inflight_bytes_max;    // in them, unless it is a single message
    uint64_t uncommitted_bytes_max; // of proposals that wait for their majority
    bool pre_vote;                  // ask before a campaign whether it can be won (9.6)
    bool check_quorum;              // a leader that hears no majority steps down (6.2)

    // Lease reads (6.4.1): 0: off. Otherwise the most, in percent, by which two clocks
    // of the cluster may differ in rate. It and election_timeout_ms are the same on all
    // nodes, check_quorum is on, and each now_ms is read after its event has arrived.
    uint32_t lease_drift_percent;

    // Of the first start. Without members: a node that waits to be added.
    struct raft_configuration configuration;
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
    uint64_t inflight_bytes;
    raft_index snapshot_index; // SNAPSHOT: the one that is being sent,
    uint64_t snapshot_offset;  // and how far the peer has it
    uint64_t contact_ms;       // when it was last heard in this term
    bool caught_up;            // it could be a voter
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
    raft_index first_index;  // of the entries held
    raft_index last_index;
    raft_term last_term;
    raft_index durable_index; // entries up to here are on disk
    raft_term durable_term;   // the hard state on disk: its term
    uint64_t elections;       // campaigns started here
    uint64_t log_bytes;       // in use
    uint64_t uncommitted_bytes;
    uint32_t reads_pending;
    raft_index snapshot_index;      // of the newest durable snapshot; 0: none
    raft_id transfer_to;            // leadership is being handed to it; 0: it is not
    bool lease;                     // as leader: reads need no round now
    raft_index configuration_index; // 0: that of the first start
    const struct raft_configuration *configuration; // borrowed until the next step
    uint32_t peer_count; // of peers[], the others are left as they were; 0: no leader
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
};

void raft_observe(const struct raft *raft, struct raft_view *view);

// The entry at `index`, borrowed until the next step; false where it is not held.
bool raft_entry_at(const struct raft *raft, raft_index index, struct raft_entry *entry);

// The term at `index` (also of the entry before the first); false where it is not
// known.
bool raft_term_at(const struct raft *raft, raft_index index, raft_term *term);

// What a snapshot of the state at `index`, which is applied and held in the log, is to
// tell of itself. False where it is not, or where no configuration is known up to there
// (a node that waits to be added): no snapshot may be taken there.
bool raft_snapshot_meta_at(const struct raft *raft, raft_index index,
                           struct raft_snapshot_meta *meta);

// The first internal invariant that does not hold, in words, or NULL. Constant time.
const char *raft_check(const struct raft *raft);

// Member `id` of a configuration, or NULL.
const struct raft_member *
raft_member_find(const struct raft_configuration *configuration, raft_id id);

#endif
