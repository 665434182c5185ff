// language_manual.h: commands of worlds by hand (sim/manual.h).
#ifndef SIM_LANGUAGE_MANUAL_H
#define SIM_LANGUAGE_MANUAL_H

#include "sim/language/language.h"

bool language_manual_deliver(struct language *language);
bool language_manual_again(struct language *language);
bool language_manual_stray(struct language *language);
bool language_manual_drop(struct language *language);
bool language_manual_flight(struct language *language);
bool language_manual_sync(struct language *language);
bool language_manual_pass(struct language *language);
bool language_manual_client(struct language *language);
bool language_manual_auto(struct language *language);

// `disk N sync=manual`.
void language_manual_disk(struct node *node);

// What is due after a command in a manual world; shows what clients were told.
void language_manual_finish(struct language *language);

#endif
