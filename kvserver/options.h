// options.h: what a node is told at its start, by flags and by a file of settings.
//
// A setting has one name and one meaning in both places: `--fsync no` on the command
// line is the line `fsync no` or `fsync = no` in the file given by --config, where `#`
// begins a comment. Flags win over the file, and the file over the defaults.
#ifndef KVSERVER_OPTIONS_H
#define KVSERVER_OPTIONS_H

#include "kvserver/place.h"

enum {
    OPTIONS_HOST_MAX = 256,
    OPTIONS_PATH_MAX = 1024,
    OPTIONS_CLUSTER_MAX = 8192,
    OPTIONS_ERROR_MAX = 512,
};

struct options_member {
    raft_id id;
    struct place place;
};

struct options {
    uint32_t id;
    uint32_t member_count; // of the first start; alone, where the node joins
    struct options_member members[RAFT_MEMBERS_MAX];

    char cluster[OPTIONS_CLUSTER_MAX]; // as written; members[] is what it means
    char dir[OPTIONS_PATH_MAX];
    char config[OPTIONS_PATH_MAX];
    char bind[OPTIONS_HOST_MAX]; // empty: the member's own address
    char join[OPTIONS_HOST_MAX]; // a member's client port; empty: no cluster is joined
    char peer_listen[OPTIONS_HOST_MAX];
    uint32_t port;
    bool port_given;
    bool fsync;
    bool learner; // --join: do not become a voter
    uint64_t cluster_id;
    bool cluster_id_given;
    uint32_t priority;

    // Of the cluster that is joined, until the log tells more (join.h).
    struct raft_configuration known;

    uint32_t election_timeout_ms;
    uint32_t heartbeat_ms;
    uint32_t request_timeout_ms;
    bool pre_vote;
    bool check_quorum;
    uint32_t lease_drift_percent;

    uint32_t log_entries_max;
    uint64_t log_bytes_max;
    uint64_t segment_bytes_max;
    uint64_t uncommitted_bytes_max;
    uint64_t inflight_bytes_max;

    uint32_t snapshot_entries;
    uint64_t snapshot_bytes;
    uint32_t snapshot_tail;
    uint32_t snapshot_chunk_bytes;

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

// Member `id` of the first start, or NULL.
const struct options_member *options_member_find(const struct options *options,
                                                 raft_id id);

// Setting number `position`, by its flag's name, and its value in `text`
// (OPTIONS_CLUSTER_MAX). NULL where there are no more.
const char *options_setting(const struct options *options, uint32_t position,
                            char *text);

#endif
