// linearize_search.h: whether the operations that were loaded can be put in an order.
//
// Private to sim/linearize.c. From return to return, it keeps all the ways in which the
// history may stand (see frontier.h), as many as the width allows. A narrow search that
// reaches the end has found an order; a narrow one that does not, and lost a way for
// want of width, has found nothing.
#ifndef SIM_LINEARIZE_SEARCH_H
#define SIM_LINEARIZE_SEARCH_H

#include "sim/history/frontier.h"
#include "sim/history/joint.h"
#include "sim/history/linearize_key.h"
#include "sim/linearize.h"

struct linearize_search {
    struct linearize_key key; // what is loaded there is searched
    uint64_t memory_bytes_max;
    uint64_t steps; // of all tries
    // After a try that ended in UNKNOWN: for want of width, or of steps.
    bool narrow;
    bool starved;
    uint32_t returned; // returns that have been passed
    // Of this try.
    uint64_t steps_end;
    uint32_t width;
    struct joint joint;
    struct frontier_slots slots;
    uint64_t *wide;         // slots of transactions
    uint64_t *near;         // slots that the next return may need
    uint64_t *slot_words;   // the memory of all these
    uint32_t *slot_holders; // the operation in each slot
    bool *near_keys;        // by place
    struct frontier now;
    struct frontier next;
    uint64_t *parent; // one configuration's bits
    uint64_t *child;
};

void linearize_search_init(struct linearize_search *search,
                           const struct history *history, uint64_t memory_bytes_max);
void linearize_search_release(struct linearize_search *search);

// Tries what is loaded with layers of so many configurations, and so many steps. NO
// leaves in `now` the layer before the return that could not be passed.
enum linearize_verdict linearize_search_try(struct linearize_search *search,
                                            uint32_t width, uint64_t steps_max);

// The widest layers that fit in the memory, for what was tried last.
uint32_t linearize_search_width_max(const struct linearize_search *search);

// The operation whose return could not be passed, after NO.
const struct linearize_operation *
linearize_search_stuck(const struct linearize_search *search);

#endif
