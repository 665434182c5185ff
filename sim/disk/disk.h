// disk.h: the simulated disk of one node, behind raft/host/disk.h.
//
// A file has bytes that can be read and, of those, bytes that are durable. A crash
// leaves the durable ones and any part of the rest that the mode allows. Renames,
// creations and removals are kept in order until a sync makes them durable, by the
// letter of raft/host/disk.h and no more. Faults are kept apart from the true bytes, so
// that sim_disk_heal() brings every byte back.
//
// The world decides how long a sync takes: sync_started() tells of it, and the world
// calls sim_disk_complete() later; what was appended in between is not made durable.
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "raft/host/disk.h"
#include "sim/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_DISK_SECTOR_BYTES = 512 };

struct sim_disk; // opaque; out of memory ends the process

struct sim_disk_hooks {
    void *context;
    // A sync has started that must be completed. Its number is unique for the disk,
    // also across crashes; `bytes` is what it has to write. Never called for token 0.
    void (*sync_started)(void *context, uint64_t sync, uint64_t bytes);
    // NULL, or told behind each call that changes anything: append, sync, rename,
    // remove, truncate.
    void (*changed)(void *context);
};

struct sim_disk *sim_disk_new(const struct sim_disk_hooks *hooks);
void sim_disk_free(struct sim_disk *disk);

// A disk in the same state, with its syncs under way, that reports to other hooks.
struct sim_disk *sim_disk_clone(const struct sim_disk *disk,
                                const struct sim_disk_hooks *hooks);

// Fills in the door through which a host uses this disk.
void sim_disk_door(struct sim_disk *disk, struct disk *door);

// Ends a sync: what was there when it started is durable (status 0), or it has failed.
// The caller passes token and status on to host_synced(). False, and nothing done,
// where a crash has ended it before.
bool sim_disk_complete(struct sim_disk *disk, uint64_t sync, uint64_t *token,
                       int *status);

// ---- crashes --------------------------------------------------------------------

enum sim_disk_crash_mode {
    SIM_DISK_LOSE_ALL,     // nothing that was not synced is left
    SIM_DISK_LOSE_TAIL,    // of each file a random prefix of the rest is left
    SIM_DISK_LOSE_SECTORS, // any subset of sectors is left; a lost one reads as what
                           // was there before: old bytes or zeros; the size may have
                           // grown
    SIM_DISK_LOSE_NOTHING, // the process died, not the machine: all is left
    SIM_DISK_CRASH_MODE_COUNT,
};

// Ends all syncs under way and leaves what survives, which is durable from then on.
void sim_disk_crash(struct sim_disk *disk, struct random *random,
                    enum sim_disk_crash_mode mode);

// ---- faults ---------------------------------------------------------------------

enum sim_disk_damage {
    SIM_DISK_FLIP = 1,   // bytes read with a bit flipped
    SIM_DISK_ZERO,       // bytes read as zeros
    SIM_DISK_UNREADABLE, // reading fails with -EIO
    SIM_DISK_ELSEWHERE,  // bytes read are those of another file
};

// Damages bytes that are there now; false where the file or any byte of it is not. The
// damage goes with the file when it is renamed and ends where it is cut off.
bool sim_disk_damage(struct sim_disk *disk, const char *name, uint64_t offset,
                     uint64_t size, enum sim_disk_damage damage);

// All bytes that `name` has now read as those of `other`, and as zeros where that is
// shorter: the disk goes to the wrong place. False where one of them is not there. It
// ends once `other` is gone.
bool sim_disk_misdirect(struct sim_disk *disk, const char *name, const char *other);

// Undoes damage, failing syncs, lies, a full disk.
void sim_disk_heal(struct sim_disk *disk);

// The next `count` syncs that start will fail with -EIO (UINT64_MAX: all).
void sim_disk_fail_syncs(struct sim_disk *disk, uint64_t count);

// Syncs end well from now on and make nothing durable: a write cache that is not told
// of.
void sim_disk_lie(struct sim_disk *disk);

// Appends fail with -ENOSPC once all files together have so many bytes.
void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes);

// ---- observing ------------------------------------------------------------------

// A hash of names and true readable bytes; not of damage or of what is pending. O(all).
uint64_t sim_disk_hash(const struct sim_disk *disk);

struct sim_disk_counters {
    uint64_t appends;
    uint64_t bytes_appended;
    uint64_t syncs;          // completed well, with token 0 or another
    uint64_t syncs_failed;   // with -EIO
    uint64_t bytes_lost;     // by crashes
    uint64_t bytes_used;     // by all files now
    uint64_t bytes_unsynced; // of those, not durable now
    uint32_t syncs_pending;  // under way now
};
void sim_disk_count(const struct sim_disk *disk, struct sim_disk_counters *counters);

#endif
