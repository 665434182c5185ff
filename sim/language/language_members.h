// language_members.h: commands about members, leadership and snapshots.
#ifndef SIM_LANGUAGE_MEMBERS_H
#define SIM_LANGUAGE_MEMBERS_H

#include "sim/language/language.h"

bool language_members_add(struct language *language);
bool language_members_remove(struct language *language);
bool language_members_promote(struct language *language);
bool language_members_change(struct language *language);
bool language_members_transfer(struct language *language);
bool language_members_snapshot(struct language *language);

// A configuration in words: "1 2 3:learner".
void language_members_text(const struct raft_configuration *configuration,
                           struct buffer *out);

// `expect member ...` and `expect configuration ...`.
bool language_members_expect(struct language *language);
bool language_members_expect_all(struct language *language);

#endif
