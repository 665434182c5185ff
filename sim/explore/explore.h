// explore.h: bounded model checking of the real core, from the start or from a
// scenario.
//
// A run goes in stages: to the states in which a goal is reached (the nearest ones),
// and on from there, until within the bounds there is nothing more to visit or a
// property is violated. What is found comes out as a scenario for a manual world.
// docs/exploring.md says what is covered, and why the reductions are sound.
#ifndef SIM_EXPLORE_EXPLORE_H
#define SIM_EXPLORE_EXPLORE_H

#include "sim/explore/bfs.h"

enum {
    EXPLORE_GOALS_MAX = 8,
    EXPLORE_ROOTS_MAX = 1024, // states that a stage goes on from
};

enum explore_claim {
    EXPLORE_LEADER = 1, // somebody leads, or node `number` does
    EXPLORE_TERM,       // somebody leads in this term or a later one
    EXPLORE_COMMITTED,  // this index is committed
};

struct explore_goal {
    enum explore_claim claim;
    uint64_t number;
};

struct explore_options {
    struct subject_config cluster;
    struct moves_bounds bounds;
    bool symmetry;
    bool outcomes_only; // model.h
    uint32_t depth_max;
    uint64_t states_max;
    struct explore_goal goals[EXPLORE_GOALS_MAX];
    uint32_t goal_count;
    const char *from;     // commands, one a line; NULL: empty nodes
    struct bfs_crew crew; // .both is NULL: nobody helps
    bool (*go_on)(void *context, const struct bfs *search); // NULL: always
    void *go_on_context;
};

// Three nodes, one term, no entries; syncs at once, nothing bounded that need not be.
void explore_options_init(struct explore_options *options);

// "leader", "leader 2", "term 3", "committed 2"
bool explore_read_goal(struct explore_options *options, const char *text);

// NULL where it can be done, else one phrase that says why not.
const char *explore_problem(const struct explore_options *options);

struct explore_result {
    enum bfs_end end;
    bool failed; // `error` says why; nothing was explored
    char error[200];
    uint32_t stage; // of the goals, and then the last
    uint64_t states, orbits, transitions, layer_max, bytes_max;
    uint32_t depth;
    uint32_t node_states, messages, moves;
    uint64_t model_bytes;
    bool stale_kept; // because this core takes stale replies
    struct judge_finding finding;
    struct buffer scenario; // of a violation; the caller frees it
    uint32_t length;        // its commands
};

void explore_run(const struct explore_options *options, struct explore_result *result);

// "exhausted"; never NULL.
const char *explore_end_text(enum bfs_end end);

#endif
