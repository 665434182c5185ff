// linearize_blur.h: pending operations whose value nobody recognises, made alike.
//
// Private to linearize_key.c. Where the text that an operation puts into a key is no
// part of any value that was read there or compared with, then no value that it is in
// is ever equal to one of those. Of such a value only its length can show, and that it
// is there. So any two texts of one length will do, and pending operations that differ
// in nothing else become equal: then they need be tried in one order only.
#ifndef SIM_LINEARIZE_BLUR_H
#define SIM_LINEARIZE_BLUR_H

#include "sim/history/linearize_key.h"

// Of the group that was loaded. Where it would be much work, nothing is done.
void linearize_blur(struct linearize_key *part);

#endif
