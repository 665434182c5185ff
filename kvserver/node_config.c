#include "kvserver/node_config.h"

#include "rpc/raft_codec.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    // What a command may be larger than the largest value: its other words.
    COMMAND_BYTES_EXTRA = 1 << 20,
    // A turn's writes go to the log in steps of so many.
    MESSAGE_ENTRIES_MAX = 512,
};

static void first_members(const struct options *options,
                          struct raft_configuration *configuration)
{
    configuration->count = options->member_count;
    for (uint32_t i = 0; i < options->member_count; i++) {
        const struct options_member *from = &options->members[i];
        struct raft_member *member = &configuration->members[i];

        *member = (struct raft_member){.id = from->id, .role = RAFT_VOTER};
        if (from->id == options->id)
            member->priority = options->priority;
        place_write(&from->place, member->address);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// In a small log a snapshot must come before the log is full, and its tail must leave
// room for more.
static void snapshots(const struct options *options, struct host_config *config)
{
    config->snapshot_entries =
        (uint32_t)least(options->snapshot_entries, options->log_entries_max / 4);
    config->snapshot_bytes = least(options->snapshot_bytes, options->log_bytes_max / 4);
    config->snapshot_tail_entries =
        (uint32_t)least(options->snapshot_tail, options->log_entries_max / 8);
    config->snapshot_chunk_bytes = options->snapshot_chunk_bytes;
}

void node_config_host(const struct options *options, struct host_config *config)
{
    struct raft_config *raft = &config->raft;

    host_config_default(config);
    config->cluster_id = options->cluster_id;
    config->segment_bytes_max = options->segment_bytes_max;
    raft->id = options->id;
    // Only spreads the election timeouts; any seed will do where there is none.
    if (getrandom(&raft->seed, sizeof raft->seed, GRND_NONBLOCK) < 0)
        raft->seed = options->id;
    raft->election_timeout_ms = options->election_timeout_ms;
    raft->heartbeat_ms = options->heartbeat_ms;
    raft->log_entries_max = options->log_entries_max;
    raft->log_bytes_max = options->log_bytes_max;
    raft->command_bytes_max = options->value_bytes_max + COMMAND_BYTES_EXTRA;
    raft->message_entries_max = MESSAGE_ENTRIES_MAX;
    raft->inflight_bytes_max = options->inflight_bytes_max;
    raft->uncommitted_bytes_max = options->uncommitted_bytes_max;
    raft->pre_vote = options->pre_vote;
    raft->check_quorum = options->check_quorum;
    raft->lease_drift_percent = options->lease_drift_percent;
    snapshots(options, config);
    // A node that joins learns from the others who they are.
    if (options->join[0] == '\0')
        first_members(options, &raft->configuration);
}

struct service *node_config_service(const struct options *options)
{
    struct service_limits limits;
    struct engine *engine = engine_memory_new();
    struct service *service;

    service_limits_default(&limits);
    limits.reply_bytes_max = options->output_bytes_max;
    service = engine != NULL ? service_new(engine, &limits) : NULL;
    if (service == NULL)
        abort();
    return service;
}

// The transport listens at an address, but a member may be given by its name.
static bool address_of(const char *host, char *address, size_t size, char *error,
                       size_t error_size)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int status = getaddrinfo(host, NULL, &hints, &found);

    if (status == 0) {
        status = getnameinfo(found->ai_addr, found->ai_addrlen, address,
                             (socklen_t)size, NULL, 0, NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (status != 0)
        snprintf(error, error_size, "cannot listen for peers on %s: %s", host,
                 gai_strerror(status));
    return status == 0;
}

static void transport_configure(const struct options *options, const char *cluster,
                                struct transport_config *config)
{
    const struct options_member *self = options_self(options);
    struct host_config host;
    size_t bytes;

    node_config_host(options, &host);
    // A message holds many entries up to a limit, or a single one that is larger.
    bytes = (size_t)host.raft.message_bytes_max + host.raft.command_bytes_max;
    if (bytes < host.snapshot_chunk_bytes)
        bytes = host.snapshot_chunk_bytes;
    transport_config_default(config);
    config->cluster = cluster;
    config->node = self->id;
    config->port = self->place.peer_port;
    config->seed = host.raft.seed;
    config->entries_max = host.raft.message_entries_max;
    config->line_bytes_max = raft_codec_line_bytes_max(config->entries_max, bytes);
    if (config->queue_bytes_max < 2 * config->line_bytes_max)
        config->queue_bytes_max = 2 * config->line_bytes_max;
}

struct transport *node_config_transport(uv_loop_t *loop, const struct options *options,
                                        const struct transport_callbacks *callbacks,
                                        char *error, size_t error_size)
{
    struct transport_config config;
    char cluster[32], address[OPTIONS_HOST_MAX];

    if (!address_of(options_address(options), address, sizeof address, error,
                    error_size))
        return NULL;
    snprintf(cluster, sizeof cluster, "raftkv-%llu",
             (unsigned long long)options->cluster_id);
    transport_configure(options, cluster, &config);
    config.host = address;
    return transport_new(loop, &config, callbacks, error, error_size);
}
