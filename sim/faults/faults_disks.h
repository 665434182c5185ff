// faults_disks.h: what goes wrong with disks by itself: slow and failing syncs, full
// disks, damaged snapshots.
//
// A failing sync stops the host, which is restarted later. A full disk only makes it
// wait, so that a host that stops for it is a violation, as is one that does not start
// because one snapshot of two is damaged.
#ifndef SIM_FAULTS_DISKS_H
#define SIM_FAULTS_DISKS_H

#include "sim/node.h"

// Something that is drawn; faults_disks_heal() is to follow. Snapshots are damaged only
// where `snapshots` is set. Returns true where the node is to crash now.
bool faults_disks_strike(struct node *node, struct random *random, bool snapshots);

// The disk is as new; a host that has stopped is restarted.
void faults_disks_heal(struct node *node);

#endif
