// language_expect.h: `expect`: a claim about the world as it is now.
#ifndef SIM_LANGUAGE_EXPECT_H
#define SIM_LANGUAGE_EXPECT_H

#include "sim/language.h"

// All claims, for `help expect` and for who asks for another.
#define LANGUAGE_EXPECT_CLAIMS                                                         \
    "leader [N], no leader, one leader, role N ROLE, up|down|stopped N, same, "        \
    "committed K V [at N], absent K [at N], entry N INDEX TERM [WORDS...], "           \
    "entry N INDEX none, ticket NUMBER open|done|lost, reply TEXT, violations COUNT, " \
    "term|commit_index|applied_index|last_index|last_term|durable_index [N] "          \
    "==|!=|<|<=|>|>= NUMBER"

bool language_expect_claim(struct language *language);

// What both `expect` and `run until` can ask.
bool language_expect_same(const struct language *language);

#endif
