#include "kvserver/node_gather.h"

#include "kvserver/node_answers.h"

enum {
    HELD_BYTES_MAX = 64 << 20, // of writes that wait for a transfer's end
    // In one step, unless it is a single write: a step is taken or refused as a whole.
    STEP_BYTES_MAX = 1 << 20,
};

void node_gather_clock(struct node *node)
{
    uint64_t now = uv_now(node->loop);

    if (!leadership_ours(&node->leadership) || node->restoring || node->holding ||
        node_wall_ms(node) < service_next_deadline_ms(node->service))
        return;
    // An entry that was lost with an earlier leadership is asked for again.
    if (node->clock_asked_ms != 0 &&
        now < node->clock_asked_ms + node->options->request_timeout_ms)
        return;
    node_write(node, NULL, 0, 0, NULL, 0);
    node->clock_asked_ms = now;
    node->clock_index = UINT64_MAX; // until it has its place
    node->counters.clock_entries++;
}

// ---- writes ---------------------------------------------------------------------

static void placed(struct node *node, struct request *request, raft_index index,
                   raft_term term)
{
    struct request *loser;

    if (request == NULL) {
        if (node->clock_index == UINT64_MAX)
            node->clock_index = index;
        return;
    }
    request->index = index;
    request->term = term;
    loser = pending_add(&node->pending, request);
    if (loser != NULL)
        node_answers_give_up(node, loser); // pending.h: it may still be committed
}

// Hands over [from, to), which are few enough for one step. False where they are to be
// held: leadership is being handed over, and nothing was taken.
static bool propose(struct node *node, uint32_t from, uint32_t to)
{
    struct request **requests = node->proposals.requests;
    raft_index index = 0;
    raft_term term = 0;
    enum raft_status status =
        host_propose(node->host, &node->io, uv_now(node->loop),
                     &node->proposals.commands[from], to - from, &index, &term);

    if (status == RAFT_NOT_LEADER || status == RAFT_TRANSFERRING)
        node_look(node);
    // A transfer may have been given up in this very step: then the next one will do.
    if ((status == RAFT_TRANSFERRING ||
         (status == RAFT_NOT_LEADER && leadership_moves(&node->leadership))) &&
        node->proposals.bytes.size < HELD_BYTES_MAX)
        return false;
    for (uint32_t i = from; i < to; i++) {
        if (status == RAFT_OK)
            placed(node, requests[i], index + (i - from), term);
        else if (requests[i] != NULL) // else the clock: it is asked for again
            node_answers_status(node, requests[i], status);
    }
    node->counters.proposals++;
    node->counters.writes += to - from;
    return true;
}

// The most that may go in one step without being refused as a whole.
static uint32_t chunk_end(const struct node *node, uint32_t from)
{
    const struct raft_command *commands = node->proposals.commands;
    uint64_t bytes = commands[from].size;
    uint32_t to = from + 1;

    while (to < node->proposals.count && to - from < node->entries_max &&
           bytes + commands[to].size <= STEP_BYTES_MAX &&
           bytes + commands[to].size <= node->options->uncommitted_bytes_max)
        bytes += commands[to++].size;
    return to;
}

static void writes_flush(struct node *node)
{
    uint32_t from = 0;

    if (node->proposals.count == 0)
        return;
    node->touched = true;
    node->holding = false;
    proposals_seal(&node->proposals);
    while (from < node->proposals.count) {
        uint32_t to = chunk_end(node, from);

        if (!propose(node, from, to)) {
            node->holding = leadership_moves(&node->leadership);
            proposals_drop(&node->proposals, from);
            return;
        }
        from = to;
    }
    proposals_clear(&node->proposals);
}

// ---- reads ----------------------------------------------------------------------

// Held reads of the leader that was: the others' business now.
static void reads_lead_away(struct node *node)
{
    struct request *request;

    while ((request = reads_next_for_leader(&node->reads)) != NULL)
        node_answers_redirect(node, request);
}

static void reads_flush(struct node *node)
{
    uint32_t count;
    uint64_t id;
    enum raft_status status;

    if (!leadership_ours(&node->leadership)) {
        if (leadership_moves(&node->leadership))
            return;
        reads_lead_away(node);
    }
    count = node->reads.gathering.count;
    id = reads_start(&node->reads);
    if (id == 0)
        return;
    node->touched = true;
    if (node->options->lease_drift_percent > 0)
        uv_update_time(node->loop); // the lease may have ended since this turn began
    status = host_read(node->host, &node->io, uv_now(node->loop), id);
    if (status == RAFT_OK) {
        node->counters.confirmations++;
        node->counters.reads += count;
    } else if (status == RAFT_READS_FULL) {
        reads_put_back(&node->reads, id);
    } else {
        node->io.machine.read_ready(node, id, RAFT_NOT_LEADER);
    }
}

// ---- both -----------------------------------------------------------------------

bool node_gather_ready(const struct node *node)
{
    bool moves =
        leadership_moves(&node->leadership) && !leadership_ours(&node->leadership);

    return (node->proposals.count > 0 && !node->holding) ||
           (!moves && reads_can_start(&node->reads));
}

void node_gather_flush(struct node *node)
{
    writes_flush(node);
    reads_flush(node);
}
