// language_expect.h: `expect`: a claim about the world as it is now.
#ifndef SIM_LANGUAGE_EXPECT_H
#define SIM_LANGUAGE_EXPECT_H

#include "sim/language.h"

bool language_expect_claim(struct language *language);

// What both `expect` and `run until` can ask.
bool language_expect_same(const struct language *language);

#endif
