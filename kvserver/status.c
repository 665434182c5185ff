#include "kvserver/status.h"

#include <stdio.h>

#include "kvserver/members.h"

static const char *const progress_names[] = {[RAFT_PROBE] = "probe",
                                             [RAFT_REPLICATE] = "replicate",
                                             [RAFT_SNAPSHOT] = "snapshot"};

void status_hash(const struct server *server, char *text)
{
    const struct service *service = node_service(server->node);

    snprintf(text, STATUS_HASH_SIZE, "%016llx",
             service == NULL ? 0 : (unsigned long long)service_hash(service));
}

uint64_t status_applied_index(const struct server *server)
{
    const struct service *service = node_service(server->node);

    return service == NULL ? 0 : service_applied_index(service);
}

void status_leader_address(const struct server *server, char *text, size_t size)
{
    struct place place;

    text[0] = '\0';
    if (node_place(server->node, node_view(server->node)->leader_id, &place))
        snprintf(text, size, "%s:%u", place.host, place.client_port);
}

static void number(const struct status_visitor *visitor, const char *name,
                   uint64_t value)
{
    visitor->number(visitor->context, name, value);
}

static void raft_visit(const struct server *server,
                       const struct status_visitor *visitor)
{
    const struct raft_view *view = node_view(server->node);
    char leader[RAFT_ADDRESS_BYTES], cluster[24];

    status_leader_address(server, leader, sizeof leader);
    snprintf(cluster, sizeof cluster, "%llu",
             (unsigned long long)server->options->cluster_id);
    number(visitor, "node", view->id);
    visitor->text(visitor->context, "cluster_id", cluster);
    visitor->text(visitor->context, "role", raft_role_text(view->role));
    number(visitor, "term", view->current_term);
    number(visitor, "leader", view->leader_id);
    visitor->text(visitor->context, "leader_address", leader);
    number(visitor, "voted_for", view->voted_for);
    number(visitor, "commit_index", view->commit_index);
    number(visitor, "applied_index", view->last_applied);
    number(visitor, "first_index", view->first_index);
    number(visitor, "last_index", view->last_index);
    number(visitor, "last_term", view->last_term);
    number(visitor, "durable_index", view->durable_index);
    number(visitor, "log_bytes", view->log_bytes);
    number(visitor, "uncommitted_bytes", view->uncommitted_bytes);
    number(visitor, "elections", view->elections);
    number(visitor, "reads_pending", view->reads_pending);
    number(visitor, "snapshot_index", view->snapshot_index);
    number(visitor, "transfer_to", view->transfer_to);
    number(visitor, "lease", view->lease);
    number(visitor, "configuration_index", view->configuration_index);
    number(visitor, "joint", members_joint(view->configuration));
}

static void counters_visit(const struct server *server,
                           const struct status_visitor *visitor)
{
    const struct node_counters *node = node_count(server->node);
    struct host_counters host = node_host_counters(server->node);

    number(visitor, "writes", node->writes);
    number(visitor, "proposals", node->proposals);
    number(visitor, "reads", node->reads);
    number(visitor, "confirmations", node->confirmations);
    number(visitor, "refused", node->refused);
    number(visitor, "timeouts", node->timeouts);
    number(visitor, "clock_entries", node->clock_entries);
    number(visitor, "messages_received", node->messages_received);
    number(visitor, "disk_syncs", host.syncs);
    number(visitor, "disk_writes", host.writes);
    number(visitor, "disk_bytes", host.bytes_appended);
    number(visitor, "disk_segments", host.segments);
    number(visitor, "disk_torn_bytes", host.torn_bytes);
    number(visitor, "disk_segments_removed", host.segments_removed);
    number(visitor, "disk_full", node_disk_full(server->node));
    number(visitor, "snapshots_taken", host.snapshots_taken);
    number(visitor, "snapshots_failed", host.snapshots_failed);
    number(visitor, "snapshots_received", host.snapshots_received);
    number(visitor, "snapshot_chunks_sent", host.snapshot_chunks_sent);
    number(visitor, "snapshot_bytes_last", host.snapshot_bytes_last);
    number(visitor, "snapshot_underway", host.snapshot_underway);
}

static void network_visit(const struct server *server,
                          const struct status_visitor *visitor)
{
    const struct transport *transport = node_transport(server->node);
    struct transport_counters counters;

    if (transport == NULL)
        return;
    transport_count(transport, &counters);
    number(visitor, "frames_encoded", counters.frames_encoded);
    number(visitor, "frames_shared", counters.frames_shared);
    number(visitor, "frames_unencodable", counters.unencodable);
    number(visitor, "hellos_refused", counters.hellos_refused);
}

// What the leader knows of a member's log; nothing elsewhere.
static const struct raft_peer_view *progress_of(const struct raft_view *view,
                                                raft_id id)
{
    for (uint32_t i = 0; i < view->peer_count; i++)
        if (view->peers[i].id == id)
            return &view->peers[i];
    return NULL;
}

static void peer_visit(const struct server *server, raft_id id,
                       const struct status_visitor *visitor)
{
    const struct raft_peer_view *peer = progress_of(node_view(server->node), id);
    struct transport_peer_counters link = {0};
    char address[PLACE_HOST_MAX + 8] = "";
    struct place place;

    if (node_place(server->node, id, &place))
        snprintf(address, sizeof address, "%s:%u", place.host, place.peer_port);
    visitor->item_begin(visitor->context, "peer", id);
    visitor->text(visitor->context, "address", address);
    if (peer != NULL) {
        visitor->text(visitor->context, "progress", progress_names[peer->state]);
        number(visitor, "match_index", peer->match_index);
        number(visitor, "next_index", peer->next_index);
        number(visitor, "inflight", peer->inflight);
        number(visitor, "inflight_bytes", peer->inflight_bytes);
    }
    if (node_transport(server->node) != NULL)
        transport_count_peer(node_transport(server->node), id, &link);
    number(visitor, "connected", link.connected);
    number(visitor, "frames_sent", link.frames_sent);
    number(visitor, "frames_received", link.frames_received);
    number(visitor, "frames_dropped", link.frames_dropped);
    number(visitor, "bytes_sent", link.bytes_sent);
    number(visitor, "bytes_received", link.bytes_received);
    number(visitor, "decode_errors", link.decode_errors);
    number(visitor, "link_failures", link.failures);
    visitor->item_end(visitor->context);
}

static void member_visit(const struct server *server, const struct raft_member *member,
                         const struct status_visitor *visitor)
{
    const struct raft_view *view = node_view(server->node);
    const struct raft_peer_view *peer = progress_of(view, member->id);
    uint64_t now = uv_now(server->loop);

    visitor->item_begin(visitor->context, "member", member->id);
    visitor->text(visitor->context, "role", raft_configuration_role_text(member->role));
    visitor->text(visitor->context, "address", member->address);
    number(visitor, "priority", member->priority);
    if (peer != NULL && member->id != view->id) {
        visitor->text(visitor->context, "state", progress_names[peer->state]);
        number(visitor, "match_index", peer->match_index);
        number(visitor, "caught_up", peer->caught_up);
        number(visitor, "contact_ms_ago",
               now > peer->contact_ms ? now - peer->contact_ms : 0);
        number(visitor, "snapshot_offset", peer->snapshot_offset);
    } else if (member->id == view->id) {
        number(visitor, "match_index", view->durable_index);
    }
    visitor->item_end(visitor->context);
}

void status_visit_members(const struct server *server,
                          const struct status_visitor *visitor)
{
    const struct raft_configuration *members = node_view(server->node)->configuration;

    for (uint32_t i = 0; i < members->count; i++)
        member_visit(server, &members->members[i], visitor);
}

void status_visit(const struct server *server, const struct status_visitor *visitor)
{
    const struct raft_configuration *members = node_view(server->node)->configuration;

    raft_visit(server, visitor);
    counters_visit(server, visitor);
    network_visit(server, visitor);
    for (uint32_t i = 0; i < members->count; i++)
        if (members->members[i].id != server->options->id)
            peer_visit(server, members->members[i].id, visitor);
    status_visit_members(server, visitor);
}

uint32_t status_connected_peers(const struct server *server)
{
    const struct raft_configuration *members = node_view(server->node)->configuration;
    const struct transport *transport = node_transport(server->node);
    uint32_t connected = 0;

    for (uint32_t i = 0; transport != NULL && i < members->count; i++) {
        struct transport_peer_counters link = {0};

        transport_count_peer(transport, members->members[i].id, &link);
        connected += link.connected;
    }
    return connected;
}
