// linearize_sight.h: whether anybody can see what an operation leaves behind.
//
// Private to the search. An operation that may as well never happen (pending), or may
// happen unseen (a blind write), is worth placing only where its value is seen before
// it is replaced. In an order with as few pending operations as can be, what comes
// right after such an operation on its key is another pending one that builds on its
// value, and so on, and at last an answered one that sees it: whose answer would be
// another one without it, or which builds on it. All of them can stand right before
// that one. So, where no answered operation that is open can be that one, it need not
// be tried. To be told "perhaps" costs time, never the verdict.
#ifndef SIM_LINEARIZE_SIGHT_H
#define SIM_LINEARIZE_SIGHT_H

#include "sim/history/linearize_search.h"

// Whether somebody may see that an operation on one key has made `after` of the value
// `before`; `placed` has it and all before it. What is pure and has seen it right away
// has been looked for already.
bool linearize_sight_may(const struct linearize_search *search,
                         const struct linearize_act *act, bool pending,
                         const uint32_t cells[2], const uint64_t *placed);

#endif
