// language_links.h: commands for links that differ from the others.
#ifndef SIM_LANGUAGE_LINKS_H
#define SIM_LANGUAGE_LINKS_H

#include "sim/language/language.h"

bool language_links_reorder(struct language *language);
bool language_links_link(struct language *language);
bool language_links_late(struct language *language);

#endif
