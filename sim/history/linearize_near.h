// linearize_near.h: which open operations the next return may need, in a group of keys.
//
// Private to the search. Only what touches the returning operation's keys, or keys that
// open transactions join to these, can be needed for its return. What else is open can
// as well be placed after it: it has no key in common with anything that must be placed
// before.
#ifndef SIM_LINEARIZE_NEAR_H
#define SIM_LINEARIZE_NEAR_H

#include "sim/history/linearize_search.h"

// Leaves the set of their slots in search->near.
void linearize_near_find(struct linearize_search *search,
                         const struct linearize_operation *returning);

#endif
