// language_disks.h: commands that break disks, and mend them.
#ifndef SIM_LANGUAGE_DISKS_H
#define SIM_LANGUAGE_DISKS_H

#include "sim/language/language.h"

bool language_disks_disk(struct language *language);

#endif
