// language_answers.h: what clients by hand were told (sim/manual.h), and claims about
// it.
#ifndef SIM_LANGUAGE_ANSWERS_H
#define SIM_LANGUAGE_ANSWERS_H

#include "sim/language/language.h"

// Reads the number of a client at this place; fails with a reason.
bool language_answers_client(struct language *language, uint32_t at, uint32_t *client);

// That client has asked: what it was told before is no answer to that.
void language_answers_await(struct language *language, uint32_t client);

// Shows what clients were told since the last command, if anything, and keeps it.
void language_answers_take(struct language *language);

// Of a world that is no more.
void language_answers_forget(struct language *language);

// "expect answer C TEXT", and "expect no answer C".
bool language_answers_expect(struct language *language);
bool language_answers_expect_none(struct language *language);

#endif
