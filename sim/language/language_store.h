// language_store.h: commands that use the replicated store.
#ifndef SIM_LANGUAGE_STORE_H
#define SIM_LANGUAGE_STORE_H

#include "sim/language/language.h"

bool language_store_propose(struct language *language);
bool language_store_ticket(struct language *language);
bool language_store_do(struct language *language);
bool language_store_get(struct language *language);
bool language_store_word(struct language *language); // set, append, incr, del

#endif
