#include "kvserver/status.h"

#include <stdio.h>

static const char *const progress_names[] = {[RAFT_PROBE] = "probe",
                                             [RAFT_REPLICATE] = "replicate",
                                             [RAFT_SNAPSHOT] = "snapshot"};

void status_hash(const struct server *server, char *text)
{
    const struct service *service = node_service(server->node);

    snprintf(text, STATUS_HASH_SIZE, "%016llx",
             (unsigned long long)service_hash(service));
}

void status_leader_address(const struct server *server, char *text, size_t size)
{
    const struct options_member *leader =
        options_member_find(server->options, node_view(server->node)->leader_id);

    text[0] = '\0';
    if (leader != NULL)
        snprintf(text, size, "%s:%u", leader->host, leader->client_port);
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
    char leader[OPTIONS_HOST_MAX + 8];

    status_leader_address(server, leader, sizeof leader);
    number(visitor, "node", view->id);
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
    number(visitor, "elections", view->elections);
    number(visitor, "reads_pending", view->reads_pending);
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

static void peer_visit(const struct server *server, const struct options_member *member,
                       const struct status_visitor *visitor)
{
    const struct raft_view *view = node_view(server->node);
    struct transport_peer_counters link = {0};
    char address[OPTIONS_HOST_MAX + 8];

    snprintf(address, sizeof address, "%s:%u", member->host, member->peer_port);
    visitor->peer_begin(visitor->context, member->id);
    visitor->text(visitor->context, "address", address);
    for (uint32_t i = 0; i < view->peer_count; i++) {
        const struct raft_peer_view *peer = &view->peers[i];

        if (peer->id != member->id)
            continue;
        visitor->text(visitor->context, "progress", progress_names[peer->state]);
        number(visitor, "match_index", peer->match_index);
        number(visitor, "next_index", peer->next_index);
        number(visitor, "inflight", peer->inflight);
    }
    transport_count_peer(node_transport(server->node), member->id, &link);
    number(visitor, "connected", link.connected);
    number(visitor, "frames_sent", link.frames_sent);
    number(visitor, "frames_received", link.frames_received);
    number(visitor, "frames_dropped", link.frames_dropped);
    number(visitor, "bytes_sent", link.bytes_sent);
    number(visitor, "bytes_received", link.bytes_received);
    number(visitor, "decode_errors", link.decode_errors);
    number(visitor, "link_failures", link.failures);
    visitor->peer_end(visitor->context);
}

void status_visit(const struct server *server, const struct status_visitor *visitor)
{
    const struct options *options = server->options;

    raft_visit(server, visitor);
    counters_visit(server, visitor);
    network_visit(server, visitor);
    for (uint32_t i = 0; i < options->member_count; i++)
        if (options->members[i].id != options->id)
            peer_visit(server, &options->members[i], visitor);
}

uint32_t status_connected_peers(const struct server *server)
{
    const struct transport *transport = node_transport(server->node);
    uint32_t connected = 0;

    for (uint32_t i = 0; transport != NULL && i < server->options->member_count; i++) {
        struct transport_peer_counters link = {0};

        transport_count_peer(transport, server->options->members[i].id, &link);
        connected += link.connected;
    }
    return connected;
}
