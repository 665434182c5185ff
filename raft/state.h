// state.h: the whole state of a core, grouped as in Figure 2. Internal to raft/.
//
// Behind the struct, in the same memory, lie the log's rings and the space for one
// step's outputs; all are found by offsets. Handlers change the state and record what
// they decided; raft_step() then gives out, in one place, what follows from it.
#ifndef RAFT_STATE_H
#define RAFT_STATE_H

#include "raft/durability.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/raft.h"
#include "raft/reached.h"

// No cluster that counts gets there. A message beyond it is refused, and no campaign
// goes beyond it, so that a term never wraps around to 0.
#define STATE_TERM_MAX ((raft_term)INT64_MAX)

// Nor has any log an entry beyond this one: a snapshot that says so is refused.
#define STATE_INDEX_MAX ((raft_index)INT64_MAX)

struct read_request {
    raft_id from;     // the follower that asks for its reader; 0: the host asks
    uint64_t id;      // the asker's own
    raft_index index; // the state must be applied up to here
    uint64_t round;   // and this round confirmed
    bool refused;     // who led when it was asked for does so no more
};

// A snapshot on its way in (Figure 13), whose chunks the host stores.
struct snapshot_receipt {
    raft_index index; // 0: none
    raft_term term;   // of that entry
    raft_term sent_in;
    uint64_t total;
    uint64_t checksum;
    uint64_t next_offset;
    bool complete; // the host checks it and makes it durable
};

struct raft {
    struct raft_config config; // .configuration is that of the first start
    uint64_t random;           // state of the generator
    uint64_t now_ms;

    // Persistent state on all servers: STATE-1, STATE-2; the log (STATE-3) is below.
    struct raft_hard_state hard_state;
    struct durability durability;

    // Volatile state on all servers: STATE-4, STATE-5.
    raft_index commit_index;
    raft_index last_applied;
    raft_index apply_given; // handed out, not yet reported as applied

    enum raft_role role;
    raft_id leader_id;
    uint64_t leader_contact_ms; // when a leader of this term was last heard
    bool leader_heard;          // since the start
    uint64_t election_deadline_ms;
    uint64_t heartbeat_deadline_ms;
    uint64_t elections;
    uint64_t campaign_write; // the own vote counts once this write is durable
    bool campaign_durable;

    // Section 6: the newest in the log, whether it is committed or not, and the one
    // that was in use at the log's base.
    struct raft_configuration configuration;
    raft_index configuration_index;
    struct raft_configuration base_configuration;
    raft_index base_configuration_index;
    bool leaving;   // counted before the newest configuration, and not in it
    bool moves;     // the newest is joint, or somebody in it is joining
    bool preferred; // nobody in it has a higher priority

    // Snapshots (section 7).
    raft_index snapshot_index;        // the newest durable one
    raft_index snapshot_index_before; // the one before, which the host still holds
    struct snapshot_receipt receipt;
    struct raft_snapshot_meta restored; // what the output points at

    // Volatile state on leaders: STATE-6, STATE-7. One for each member, itself
    // included.
    struct progress peers[RAFT_MEMBERS_MAX];
    raft_index term_start_index; // of the no-op of the own term

    // Leadership is being handed over (dissertation 3.10).
    raft_id transfer_to; // 0: it is not
    uint64_t transfer_deadline_ms;
    bool transfer_sent;

    // Reads (dissertation 6.4), oldest first.
    struct read_request reads[RAFT_READS_MAX];
    uint32_t reads_first;
    uint32_t reads_count;
    uint64_t round_started;
    uint64_t round_confirmed;
    uint64_t round_started_ms;
    uint64_t lease_start_ms;  // when the newest confirmed round started
    bool lease_forfeited;     // somebody was told to campaign in spite of it
    uint64_t ask_id_base;     // follower: round r is asked for as this plus r
    uint64_t ask_deadline_ms; // when to ask again

    // Space for one step's outputs.
    uint64_t messages_offset;
    uint64_t entries_offset;
    uint64_t answers_offset;
    uint64_t sends_offset;
    uint32_t entries_max;
    uint32_t entries_used;
    raft_index view_first; // what the last view showed, so that it can be shared
    uint32_t view_count;
    uint32_t view_at;
    bool output_full;                     // something is left for the next step
    uint64_t reached[RAFT_REACHED_WORDS]; // in this step; none between two

    struct log log; // last: its offsets lead beyond the struct
};

// Tells a decision in words, for the trace. `words` is a static string.
void state_note(struct raft_output *output, const char *words);

static_assert(RAFT_MARK_COUNT <= 64 * RAFT_REACHED_WORDS, "a bit for each mark");

// Sets a mark: this step came by here.
static inline void state_reach(struct raft *raft, enum raft_mark mark)
{
    raft->reached[mark / 64] |= (uint64_t)1 << (mark % 64);
}

// The entries [first, first + *count) as an array that lives until the next step;
// *count is lowered to what still fits.
const struct raft_entry *state_view(struct raft *raft, raft_index first,
                                    uint32_t *count);

// A message to send in this step, filled with type, sender, receiver and the current
// term; NULL where the output is full (the caller tries again in a later step).
struct raft_message *state_message(struct raft *raft, struct raft_output *output,
                                   enum raft_message_type type, raft_id to);

// A message for the outbox, with no field set beyond these.
struct raft_message state_reply(const struct raft *raft, enum raft_message_type type,
                                raft_id to);

// What is known of member `id`; NULL where it is none.
struct progress *state_peer(struct raft *raft, raft_id id);

// Marks entries from `first` on, or the hard state, as to be made durable by this step.
void state_persist_entries(struct raft *raft, raft_index first);
void state_persist_hard_state(struct raft *raft, struct raft_output *output);

#endif
