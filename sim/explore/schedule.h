// schedule.h: a path as commands of a manual world (docs/simulator.md), and back.
//
// A schedule plays what the commands do in such a world: everything that was sent and
// neither delivered nor dropped is in flight, in the order of sending, be it stale or
// not. So what the exploration found can be told in words that the world understands,
// and a scenario's beginning can be explored from.
#ifndef SIM_EXPLORE_SCHEDULE_H
#define SIM_EXPLORE_SCHEDULE_H

#include "kvserver/service/buffer.h"
#include "sim/explore/moves.h"

struct schedule {
    struct model *model;
    uint32_t nodes[PERMUTATION_NODES_MAX];
    uint32_t book;
    uint32_t *flight; // numbers of messages
    uint32_t count, capacity;
    uint32_t length; // commands
    struct buffer text;
};

// Every node as it starts; the text begins with the cluster.
void schedule_init(struct schedule *schedule, struct model *model);
void schedule_release(struct schedule *schedule);
void schedule_copy(struct schedule *schedule, const struct schedule *from);

// One command more, as text: false, with a reason, where it means nothing here.
bool schedule_read(struct schedule *schedule, const char *line, char *error,
                   size_t size);

// What happens next, of a path that is as much as `actions` more. Fails only where the
// path is none of this state's.
void schedule_follow(struct schedule *schedule, const struct moves_bounds *bounds,
                     struct global *global, const uint16_t *actions, uint32_t count);

// The state that it has led to, with the bounds unused.
void schedule_state(const struct schedule *schedule, struct global *global);

#endif
