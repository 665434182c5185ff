// linearize_window.h: the fewest operations that show that no order exists.
//
// Private to sim/linearize.c. A history in which an operation is *freed* allows more:
// it may have happened at any time or never, whatever it answered. So where no order
// exists although all but a few operations are freed, these few show it alone. Which
// they are is found by freeing more and more of them (delta debugging), with bounded
// work: what could not be decided within it stays.
#ifndef SIM_LINEARIZE_WINDOW_H
#define SIM_LINEARIZE_WINDOW_H

#include "sim/history/linearize_search.h"

// The search has just answered NO for all of the group. Fills in the result's window,
// and what it rests on.
void linearize_window_find(struct linearize_search *search, uint32_t group,
                           uint64_t steps_max, struct linearize_result *result);

#endif
