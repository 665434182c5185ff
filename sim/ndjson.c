#include "sim/ndjson.h"

#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

// ---- a line ---------------------------------------------------------------------

static const char *role_text(enum raft_role role)
{
    if (role == RAFT_LEADER)
        return "StateLeader";
    return role == RAFT_CANDIDATE ? "StateCandidate" : "StateFollower";
}

static void begin_line(struct world *world, const char *name, raft_id id)
{
    const struct ndjson_node *node = &world->ndjson.nodes[id];

    fprintf(world->ndjson.file,
            "{\"tag\":\"trace\",\"ts\":%" PRIu64 ".%06" PRIu64
            ",\"event\":{\"name\":\"%s\",\"nid\":\"%" PRIu32
            "\",\"state\":{\"term\":%" PRIu64 ",\"vote\":\"%" PRIu32
            "\",\"commit\":%" PRIu64 "},\"role\":\"%s\",\"log\":%" PRIu64
            ",\"conf\":[[%s],[%s]]",
            world->now_us / 1000000, world->now_us % 1000000, name, id, node->term,
            node->vote, node->commit, role_text(node->role), node->last_index,
            node->conf[0], node->conf[1]);
}

static void end_line(struct world *world)
{
    fputs("}}\n", world->ndjson.file);
}

static void add_node_line(struct world *world, const char *name, raft_id id)
{
    begin_line(world, name, id);
    end_line(world);
}

// ---- messages -------------------------------------------------------------------

// As etcd calls it, and what it says there.
struct shown {
    const char *type;
    const char *send; // the events' names
    const char *receive;
    uint64_t entries, log_term, index, commit, hint;
    bool reject;
};

// The commit index is cut at the last entry, as an etcd leader cuts it.
static void show_append(const struct raft_append_entries *append, struct shown *shown)
{
    raft_index last = append->prev_log_index + append->count;

    *shown = (struct shown){
        .type = "MsgApp",
        .send = "SendAppendEntriesRequest",
        .receive = "ReceiveAppendEntriesRequest",
        .entries = append->count,
        .log_term = append->prev_log_term,
        .index = append->prev_log_index,
        .commit = append->leader_commit < last ? append->leader_commit : last,
    };
}

static void show_append_reply(const struct raft_append_entries_reply *reply,
                              struct shown *shown)
{
    *shown = (struct shown){
        .type = "MsgAppResp",
        .send = "SendAppendEntriesResponse",
        .receive = "ReceiveAppendEntriesResponse",
        .index = reply->success ? reply->match_index : reply->prev_log_index,
        .reject = !reply->success,
        .hint = reply->conflict_index,
        .log_term = reply->conflict_term,
    };
}

// etcd sends a snapshot whole: each chunk is shown where it leaves, and the one that
// completes it where it arrives.
static bool show_snapshot(const struct raft_install_snapshot *chunk,
                          struct shown *shown)
{
    *shown = (struct shown){
        .type = "MsgSnap",
        .send = "SendAppendEntriesRequest",
        .receive = "ReceiveAppendEntriesRequest",
        .entries = chunk->last_included_index,
    };
    return chunk->offset + chunk->size == chunk->total;
}

// False where etcd's specification knows no such message.
static bool show(const struct raft_message *message, struct shown *shown)
{
    const struct raft_request_vote *vote = &message->request_vote;
    const struct raft_request_vote_reply *answer = &message->request_vote_reply;

    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        *shown = (struct shown){
            .type = "MsgVote",
            .send = "SendRequestVoteRequest",
            .receive = "ReceiveRequestVoteRequest",
            .log_term = vote->last_log_term,
            .index = vote->last_log_index,
        };
        return !vote->pre_vote;
    case RAFT_REQUEST_VOTE_REPLY:
        *shown = (struct shown){
            .type = "MsgVoteResp",
            .send = "SendRequestVoteResponse",
            .receive = "ReceiveRequestVoteResponse",
            .reject = !answer->vote_granted,
        };
        return !answer->pre_vote;
    case RAFT_APPEND_ENTRIES:
        show_append(&message->append_entries, shown);
        return true;
    case RAFT_APPEND_ENTRIES_REPLY:
        show_append_reply(&message->append_entries_reply, shown);
        return true;
    case RAFT_INSTALL_SNAPSHOT:
        return show_snapshot(&message->install_snapshot, shown);
    default:
        return false;
    }
}

static void add_message_line(struct world *world, const char *name, raft_id id,
                             const struct raft_message *message,
                             const struct shown *shown)
{
    begin_line(world, name, id);
    fprintf(world->ndjson.file,
            ",\"msg\":{\"type\":\"%s\",\"term\":%" PRIu64 ",\"from\":\"%" PRIu32
            "\",\"to\":\"%" PRIu32 "\",\"entries\":%" PRIu64 ",\"logTerm\":%" PRIu64
            ",\"index\":%" PRIu64 ",\"commit\":%" PRIu64
            ",\"vote\":\"0\",\"reject\":%s,\"rejectHint\":%" PRIu64 "}",
            shown->type, message->term, message->from, message->to, shown->entries,
            shown->log_term, shown->index, shown->commit,
            shown->reject ? "true" : "false", shown->hint);
    end_line(world);
}

// An etcd candidate and leader answer themselves, by messages.
static void add_own_answer(struct world *world, raft_id id, bool append, bool receive,
                           raft_index index)
{
    const struct ndjson_node *node = &world->ndjson.nodes[id];
    struct raft_message message = {.from = id, .to = id, .term = node->term};
    struct shown shown;

    message.type = append ? RAFT_APPEND_ENTRIES_REPLY : RAFT_REQUEST_VOTE_REPLY;
    if (append) {
        message.append_entries_reply.success = true;
        message.append_entries_reply.match_index = index;
    } else {
        message.request_vote_reply.vote_granted = true;
    }
    (void)show(&message, &shown);
    add_message_line(world, receive ? shown.receive : shown.send, id, &message, &shown);
}

// ---- configurations -------------------------------------------------------------

static void write_conf(char text[2][NDJSON_CONF_BYTES],
                       const struct raft_configuration *configuration)
{
    size_t at[2] = {0, 0};

    text[0][0] = text[1][0] = '\0';
    for (uint32_t i = 0; configuration != NULL && i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        bool counts[2] = {
            member->role == RAFT_VOTER || member->role == RAFT_STAYING,
            member->role == RAFT_LEAVING || member->role == RAFT_STAYING,
        };

        for (int side = 0; side < 2; side++)
            if (counts[side])
                at[side] += (size_t)snprintf(
                    text[side] + at[side], NDJSON_CONF_BYTES - at[side],
                    "%s\"%" PRIu32 "\"", at[side] > 0 ? "," : "", member->id);
    }
}

// Here a configuration holds as soon as it is in the log; in etcd once it is applied.
static void follow_configuration(struct world *world, const struct raft_view *after)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];
    char conf[2][NDJSON_CONF_BYTES];

    write_conf(conf, after->configuration);
    if (strcmp(conf[0], node->conf[0]) == 0 && strcmp(conf[1], node->conf[1]) == 0)
        return;
    begin_line(world, "ApplyConfChange", after->id);
    fprintf(world->ndjson.file, ",\"prop\":{\"cc\":{\"newconf\":[%s]}}", conf[0]);
    end_line(world);
    memcpy(node->conf, conf, sizeof(conf));
}

// ---- steps ----------------------------------------------------------------------

static void take_view(struct ndjson_node *node, const struct raft_view *view)
{
    node->term = view->current_term;
    node->vote = view->voted_for;
    node->commit = view->commit_index;
    node->role = view->role;
    node->last_index = view->last_index;
}

void ndjson_start(struct world *world, const struct raft_view *view)
{
    struct ndjson_node *node = &world->ndjson.nodes[view->id];

    if (world->ndjson.file == NULL)
        return;
    take_view(node, view);
    node->vote_due = false;
    write_conf(node->conf, view->configuration);
    add_node_line(world, "InitState", view->id);
}

void ndjson_begin(struct world *world, FILE *file)
{
    world->ndjson.file = file;
    for (raft_id id = 1; id <= world->config.node_count && file != NULL; id++)
        if (world->nodes[id].up)
            ndjson_start(world, &world->nodes[id].view);
}

// An acknowledgement that tells a leader nothing is as good as lost; one of the kind
// that says less than was asked (a heartbeat while entries are being written) has no
// counterpart.
static bool is_news(const struct raft_message *message, const struct raft_view *before,
                    const struct raft_view *after)
{
    if (message->from == 0 || message->term > after->current_term)
        return false; // it was ignored
    if (message->type != RAFT_APPEND_ENTRIES_REPLY ||
        !message->append_entries_reply.success)
        return true;
    if (after->role != RAFT_LEADER)
        return false;
    for (uint32_t i = 0; i < after->peer_count; i++)
        if (after->peers[i].id == message->from)
            return i >= before->peer_count || before->peers[i].id != message->from ||
                   after->peers[i].match_index > before->peers[i].match_index;
    return false;
}

static void add_receive(struct world *world, const struct raft_view *before,
                        const struct raft_view *after,
                        const struct raft_message *message)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];
    struct shown shown;
    bool newer = message->term > before->current_term;

    if (!show(message, &shown) || !is_news(message, before, after))
        return;
    add_message_line(world, shown.receive, after->id, message, &shown);
    if (newer) {
        node->term = message->term;
        node->vote = 0;
    }
    if (newer || (before->role == RAFT_CANDIDATE && after->role == RAFT_FOLLOWER)) {
        node->role = RAFT_FOLLOWER;
        add_node_line(world, "BecomeFollower", after->id);
    }
}

// What became durable here counts from now on.
static void count_own(struct world *world, const struct raft_view *before,
                      const struct raft_view *after)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];

    if (node->vote_due && after->durable_term == node->term &&
        node->role == RAFT_CANDIDATE) {
        node->vote_due = false;
        add_own_answer(world, after->id, false, true, 0);
    }
    if (node->role == RAFT_LEADER && after->role == RAFT_LEADER &&
        after->durable_index > before->durable_index &&
        after->durable_index > node->led_from)
        add_own_answer(world, after->id, true, true, after->durable_index);
}

// They leave once the vote is durable, when the node may be a candidate no more; etcd's
// are made, and shown, when it becomes one.
static void ask_for_votes(struct world *world, const struct raft_view *after)
{
    struct raft_message message = {
        .type = RAFT_REQUEST_VOTE, .from = after->id, .term = after->current_term};
    struct shown shown;

    message.request_vote.last_log_index = after->last_index;
    message.request_vote.last_log_term = after->last_term;
    for (uint32_t i = 0; i < after->configuration->count; i++) {
        const struct raft_member *member = &after->configuration->members[i];

        message.to = member->id;
        if (member->id == after->id || member->role == RAFT_LEARNER ||
            member->role == RAFT_JOINING || !show(&message, &shown))
            continue;
        add_message_line(world, shown.send, after->id, &message, &shown);
    }
}

static void change_role(struct world *world, const struct raft_view *after)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];
    bool campaigns = after->current_term > node->term && after->voted_for == after->id;

    if (campaigns) {
        node->term = after->current_term;
        node->vote = after->id;
        node->role = RAFT_CANDIDATE;
        node->vote_due = true;
        add_node_line(world, "BecomeCandidate", after->id);
        add_own_answer(world, after->id, false, false, 0);
        ask_for_votes(world, after);
    }
    if (after->role == RAFT_LEADER && node->role != RAFT_LEADER) {
        node->role = RAFT_LEADER;
        node->led_from = node->last_index;
        add_node_line(world, "BecomeLeader", after->id);
    }
    if (after->role != RAFT_LEADER && after->role != RAFT_CANDIDATE &&
        node->role != RAFT_FOLLOWER && node->role != RAFT_PRE_CANDIDATE) {
        node->role = RAFT_FOLLOWER;
        add_node_line(world, "BecomeFollower", after->id);
    }
}

static void replicate(struct world *world, const struct raft_view *after)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];
    bool any = false;

    if (after->role != RAFT_LEADER)
        return;
    while (node->last_index < after->last_index) {
        add_node_line(world, "Replicate", after->id);
        node->last_index++;
        any = true;
    }
    if (any)
        add_own_answer(world, after->id, true, false, node->last_index);
}

static void add_sends(struct world *world, const struct raft_view *after,
                      const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->message_count; i++) {
        struct shown shown;

        if (output->messages[i].type != RAFT_REQUEST_VOTE &&
            show(&output->messages[i], &shown))
            add_message_line(world, shown.send, after->id, &output->messages[i],
                             &shown);
    }
    for (uint32_t i = 0; i < output->snapshot_send_count; i++) {
        const struct raft_snapshot_send *chunk = &output->snapshot_sends[i];
        struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT,
                                       .from = after->id,
                                       .to = chunk->to,
                                       .term = after->current_term};
        struct shown shown;

        message.install_snapshot.last_included_index = chunk->last_included_index;
        (void)show(&message, &shown);
        add_message_line(world, shown.send, after->id, &message, &shown);
    }
}

void ndjson_step(struct world *world, const struct raft_view *before,
                 const struct raft_view *after, const struct raft_event *event,
                 const struct raft_output *output)
{
    struct ndjson_node *node = &world->ndjson.nodes[after->id];
    raft_index committed = node->commit;

    if (event->type == RAFT_EVENT_MESSAGE)
        add_receive(world, before, after, event->message);
    if (event->type == RAFT_EVENT_PERSISTED)
        count_own(world, before, after);
    change_role(world, after);
    replicate(world, after);
    follow_configuration(world, after);
    take_view(node, after);
    if (after->role == RAFT_LEADER && after->commit_index > committed)
        add_node_line(world, "Commit", after->id);
    add_sends(world, after, output);
    if (output->write != 0 || output->message_count > 0)
        add_node_line(world, "Ready", after->id);
}
