// parcel.h: a message with all that it carries, and its normal form.
//
// What a core gives out is borrowed until its next step; a parcel is a copy.
#ifndef SIM_EXPLORE_PARCEL_H
#define SIM_EXPLORE_PARCEL_H

#include "sim/explore/canon.h"

enum {
    PARCEL_ENTRIES_MAX = 16,
    PARCEL_DATA_BYTES_MAX = 128, // a configuration of the few nodes there are
};

struct parcel {
    struct raft_message message;
    struct raft_entry entries[PARCEL_ENTRIES_MAX];
    char data[PARCEL_ENTRIES_MAX][PARCEL_DATA_BYTES_MAX];
};

void parcel_copy(struct parcel *parcel, const struct raft_message *message);

// Writes it, or fills it in.
void parcel_walk(struct canon *form, struct parcel *parcel);

// A message without entries, of a core's outbox.
void parcel_walk_message(struct canon *form, struct raft_message *message);

// An entry's type, and its data at `data`; a configuration's members stand in the order
// of their names.
void parcel_walk_entry(struct canon *form, enum raft_entry_type *type, char *data,
                       uint32_t *size);

// The places of a configuration's members in the order of their names.
void parcel_order(const struct canon *form,
                  const struct raft_configuration *configuration,
                  uint32_t order[RAFT_MEMBERS_MAX]);

#endif
