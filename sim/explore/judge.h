// judge.h: the properties of Figure 3 that take more than one node to see.
//
// Asked only where a move has changed what they speak of: a log, a commit index.
#ifndef SIM_EXPLORE_JUDGE_H
#define SIM_EXPLORE_JUDGE_H

#include "sim/explore/global.h"

struct judge_finding {
    enum property broken; // PROPERTY_COUNT: nothing
    raft_id node;
    raft_id other; // 0: none
};

// Node `id`, which was `before` in a cluster with this book, is as the state says now.
struct judge_finding judge_look(const struct model *model, const struct global *global,
                                raft_id id, const struct model_move *move,
                                uint32_t before, uint32_t book_before);

#endif
