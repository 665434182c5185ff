// faults_disks.h: what goes wrong with disks: slow and failing syncs, full disks,
// sectors and snapshots that are damaged.
//
// A failing sync stops the host, which is restarted later. A full disk only makes it
// wait, so that a host that stops for it is a violation, as is one that does not start
// because one snapshot of two is damaged. A log is damaged only where it can be told
// from a torn tail, and not for good: the host has to refuse it, and starts once the
// sectors can be read again, as from a mirrored disk. A log that could not be mended
// would be a lost machine, which sim/churn has.
#ifndef SIM_FAULTS_DISKS_H
#define SIM_FAULTS_DISKS_H

#include "sim/node.h"
#include "sim/random.h"

// Something that is drawn; faults_disks_heal() is to follow.
void faults_disks_strike(struct node *node, struct random *random);
void faults_disks_damage(struct node *node, struct random *random);

// It is full from now on, but for little, whatever else might be drawn.
void faults_disks_fill_now(struct node *node, struct random *random);

// Whether the node can start without this file: it is the newest snapshot, and the one
// before does as well.
bool faults_disks_can_bear(struct node *node, const char *name);

// Damages a chunk of a snapshot that has arrived, if there is one, and waits no longer.
void faults_disks_damage_received(struct node *node);

// The disk has room for so many bytes more: now, or so many disk calls and sends later,
// which are counted from the next chunk of a snapshot on where `received` is set.
void faults_disks_fill(struct node *node, uint64_t room);
void faults_disks_fill_later(struct node *node, uint64_t room, uint32_t calls,
                             bool received);

// Somebody else takes or gives back space on a full disk. False where that is over.
bool faults_disks_turn(struct node *node, struct random *random);

// Told of each call while the disk is to fill up later.
void faults_disks_fill_received(struct node *node);

// The disk is as new; a host that has stopped is restarted.
void faults_disks_heal(struct node *node);

#endif
