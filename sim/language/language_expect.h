// language_expect.h: `expect`: a claim about the world as it is now.
#ifndef SIM_LANGUAGE_EXPECT_H
#define SIM_LANGUAGE_EXPECT_H

#include "sim/language/language.h"

// All claims, for `help expect` and for who asks for another.
#define LANGUAGE_EXPECT_CLAIMS                                                     \
    "leader [N...], no leader, one leader, role N ROLE..., up|down|stopped N, "    \
    "same, "                                                                       \
    "committed K V [at N], absent K [at N], entry N INDEX TERM [WORDS...], "       \
    "entry N INDEX none, member N ROLE [at M], configuration N[:ROLE]... [at M], " \
    "ticket NUMBER open|done|lost, reply TEXT, answer C TEXT, no answer C, "       \
    "violations COUNT, "                                                           \
    "violation RULE, "                                                             \
    "FIELD [N] ==|!=|<|<=|>|>= NUMBER with term, commit_index, applied_index, "    \
    "first_index, last_index, last_term, durable_index, snapshot_index, "          \
    "configuration_index, snapshots_taken, snapshots_received, reads_pending, "    \
    "uncommitted_bytes, voted_for, transfer_to, lease, disk_full; "                \
    "COUNTER ==|!=|<|<=|>|>= NUMBER with a name that `counters` shows"

bool language_expect_claim(struct language *language);

// What both `expect` and `run until` can ask.
bool language_expect_same(struct language *language);

#endif
