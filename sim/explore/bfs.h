// bfs.h: all states within the bounds, breadth first, so that the first violation
// found is one of the shortest.
//
// States are taken in chunks. The two halves of a chunk are expanded apart, and what
// was found is sorted into two shards by the last bit of its name; then each shard
// takes what is new, in the order of the halves. So two threads may do the work of one,
// and numbers, counts and the violation found are the same. A state that was seen keeps
// its name (visited.h), where it came from, and by what: 4 + 2 bytes; what it is stands
// in the layer until it is expanded, and can be made again from the root.
#ifndef SIM_EXPLORE_BFS_H
#define SIM_EXPLORE_BFS_H

#include "sim/explore/layer.h"
#include "sim/explore/moves.h"
#include "sim/explore/visited.h"

enum {
    BFS_PARTS = 2,
    BFS_HALF = 1024, // states of half a chunk
};

enum bfs_end {
    BFS_EXHAUSTED, // there are no more states within the bounds
    BFS_VIOLATION,
    BFS_GOAL,
    BFS_DEPTH,
    BFS_STATES,
    BFS_STALE,   // the core takes stale replies: they must be kept
    BFS_STOPPED, // the caller wanted so
};

// Does work(argument, 0) and work(argument, 1), in whatever order or at once, and
// returns when both are done.
struct bfs_crew {
    void *context;
    void (*both)(void *context, void (*work)(void *argument, uint32_t part),
                 void *argument);
    bool at_once;
};

struct bfs_links {
    uint32_t *parents;
    uint16_t *actions;
    uint64_t count;
    uint64_t capacity;
};

struct bfs_miss {
    uint32_t node;
    uint32_t event;
    uint32_t use;
    bool page;
};

// One half of a chunk, and what one thread finds there.
struct bfs_part {
    struct bfs *search;
    struct moves moves;
    const uint8_t *packed[BFS_HALF];
    uint32_t numbers[BFS_HALF];
    uint32_t count;
    uint32_t done;                  // of them
    uint32_t number;                // of the state under way
    struct buffer found[BFS_PARTS]; // by shard
    size_t kept[BFS_PARTS];         // sizes when the state under way began
    struct bfs_miss *misses;
    uint32_t miss_count, miss_capacity;
    uint64_t transitions;
    uint64_t kept_transitions;
    bool missed; // something on the way: look only for more of that
    struct judge_finding finding;
    uint32_t finding_number;
    uint16_t finding_action;
};

struct bfs_shard {
    struct visited visited;
    struct bfs_links links;
    struct layer layers[2]; // this one, and the next
    uint64_t orbits;        // states, were all of each orbit counted
    uint64_t goals;
};

struct bfs {
    struct model *model;
    const struct moves_bounds *bounds;
    struct bfs_crew crew;
    uint32_t depth_max;
    uint64_t states_max;
    bool (*is_goal)(void *context, const struct model *model,
                    const struct global *global);
    void *goal_context;
    bool (*go_on)(void *context, const struct bfs *search);
    void *go_on_context;

    struct bfs_shard shards[BFS_PARTS];
    struct bfs_part parts[BFS_PARTS];
    uint32_t layer;            // which of the two is expanded
    uint32_t first[BFS_PARTS]; // number within its shard of the next state to expand
    uint32_t depth;            // of the states that are expanded
    uint32_t root_count;
    uint64_t transitions;
    uint64_t layer_max; // states in the widest layer
    uint64_t bytes_max; // of everything, at the fullest

    // Where it ended so.
    struct judge_finding finding;
    uint32_t finding_number;
    uint16_t finding_action;
    uint32_t *goals; // numbers of states
    uint32_t goal_count, goal_capacity;
};

// The fields up to go_on_context are the caller's, and are set after this.
void bfs_init(struct bfs *search, struct model *model,
              const struct moves_bounds *bounds);
void bfs_release(struct bfs *search);

// A state to begin with.
void bfs_root(struct bfs *search, const struct global *global);

enum bfs_end bfs_run(struct bfs *search);

uint64_t bfs_states(const struct bfs *search);
uint64_t bfs_orbits(const struct bfs *search);
uint64_t bfs_bytes(const struct bfs *search);

// The actions that led from a root to a state, first to last, into `actions` (room for
// search->depth of them); returns how many. *root is which root, as they were given.
uint32_t bfs_path(const struct bfs *search, uint32_t number, uint16_t *actions,
                  uint32_t *root);

#endif
