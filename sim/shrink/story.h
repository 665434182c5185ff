// story.h: a tape written as a scenario that a human reads.
#ifndef SIM_SHRINK_STORY_H
#define SIM_SHRINK_STORY_H

#include "sim/checker/checker.h"
#include "sim/shrink/tape.h"

// What a rule says, in one sentence.
const char *story_rule(enum property property);

// Adds comment lines: "# " and the text, broken at 90 columns.
void story_comment(struct buffer *out, const char *text);

#endif
