// language_show.h: commands that look and change nothing.
#ifndef SIM_LANGUAGE_SHOW_H
#define SIM_LANGUAGE_SHOW_H

#include "sim/language/language.h"

bool language_show_status(struct language *language);
bool language_show_log(struct language *language);
bool language_show_hash(struct language *language);
bool language_show_rules(struct language *language);
bool language_show_history(struct language *language);
bool language_show_check(struct language *language);
bool language_show_counters(struct language *language); // or resets them

// The words of a command in the log, for people: "set x 1".
void language_show_entry(const struct raft_entry *entry, struct buffer *out);

#endif
