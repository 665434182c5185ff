// language_faults.h: commands that break links, nodes and disks, and mend them.
#ifndef SIM_LANGUAGE_FAULTS_H
#define SIM_LANGUAGE_FAULTS_H

#include "sim/language/language.h"

bool language_faults_partition(struct language *language);
bool language_faults_star(struct language *language);
bool language_faults_isolate(struct language *language);
bool language_faults_cut(struct language *language);
bool language_faults_heal(struct language *language);
bool language_faults_hold(struct language *language);
bool language_faults_release(struct language *language);
bool language_faults_drop(struct language *language);
bool language_faults_loss(struct language *language);
bool language_faults_duplicate(struct language *language);
bool language_faults_corrupt(struct language *language);
bool language_faults_delay(struct language *language);
bool language_faults_crash(struct language *language);
bool language_faults_restart(struct language *language);
bool language_faults_pause(struct language *language);
bool language_faults_resume(struct language *language);
bool language_faults_clock(struct language *language);
bool language_faults_random(struct language *language);

#endif
