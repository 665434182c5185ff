// language_world.h: commands that make a world and let time pass in it.
#ifndef SIM_LANGUAGE_WORLD_H
#define SIM_LANGUAGE_WORLD_H

#include "sim/language/language.h"

bool language_world_cluster(struct language *language);
bool language_world_run(struct language *language);
bool language_world_step(struct language *language);
bool language_world_timeout(struct language *language);
bool language_world_clients(struct language *language);
bool language_world_settle(struct language *language);
bool language_world_core(struct language *language);
bool language_world_probe(struct language *language);
bool language_world_trace(struct language *language);

#endif
