// options.h: what a node is told at its start, by flags and by a file of settings.
//
// A setting has one name and one meaning in both places: `--fsync no` on the command
// line is the line `fsync no` or `fsync = no` in the file given by --config, where `#`
// begins a comment. Flags win over the file, and the file over the defaults.
#ifndef KVSERVER_OPTIONS_H
#define KVSERVER_OPTIONS_H

#include "raft/raft.h"

enum {
    OPTIONS_HOST_MAX = 256,
    OPTIONS_PATH_MAX = 1024,
    OPTIONS_CLUSTER_MAX = 8192,
    OPTIONS_ERROR_MAX = 512,
};

struct options_member {
    raft_id id;
    char host[OPTIONS_HOST_MAX];
    uint16_t peer_port; // 0: a single node, which has no peers
    uint16_t client_port;
};

struct options {
    uint32_t id;
    uint32_t member_count;
    struct options_member members[RAFT_MEMBERS_MAX];

    char cluster[OPTIONS_CLUSTER_MAX]; // as written; members[] is what it means
    char dir[OPTIONS_PATH_MAX];
    char config[OPTIONS_PATH_MAX];
    char bind[OPTIONS_HOST_MAX]; // empty: the member's own address
    uint32_t port;
    bool port_given;
    bool fsync;
    uint64_t cluster_id;

    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    uint32_t request_timeout_ms;

    uint32_t log_entries_max;
    uint64_t log_bytes_max;
    uint64_t segment_bytes_max;

    uint32_t clients_max;
    uint32_t pipeline_max;
    uint64_t output_bytes_max;
    uint32_t value_bytes_max;
};

enum options_result {
    OPTIONS_RUN,  // start with these
    OPTIONS_DONE, // --help or --version was answered on stdout
    OPTIONS_BAD,  // `error` says why, in one line
};

enum options_result options_parse(struct options *options, int argc, char **argv,
                                  char *error);

// The member that this node is.
const struct options_member *options_self(const struct options *options);

// Where it listens: a name or an address.
const char *options_address(const struct options *options);

// Member `id`, or NULL.
const struct options_member *options_member_find(const struct options *options,
                                                 raft_id id);

#endif
