// jepsen_read.h: events of Jepsen's forms as operations; private to
// sim/history/jepsen.c.
//
// An event is handed over as EDN nodes; what it means is the same in both forms.
#ifndef SIM_JEPSEN_READ_H
#define SIM_JEPSEN_READ_H

#include "sim/history/edn.h"
#include "sim/history/jepsen.h"

struct jepsen_event {
    const struct edn_node *process;
    const struct edn_node *type;
    const struct edn_node *f;
    const struct edn_node *value; // NULL: none
    const struct edn_node *error; // NULL: none
    uint64_t now_us;
};

struct jepsen_process; // what it has open

struct jepsen_reader {
    struct history *history;
    const struct edn *edn; // whose nodes the event's are
    bool failed_saw;       // a failed cas without an error saw another value
    const char *problem;
    uint64_t last_us;
    struct jepsen_process *processes; // by hash
    uint32_t process_count;
    uint32_t process_capacity;
    uint8_t *written; // by text: how a value is written, 0 where not yet known
    uint32_t written_capacity;
};

void jepsen_read_release(struct jepsen_reader *reader);

// False with a problem where the event is none, or cannot come here.
bool jepsen_read_event(struct jepsen_reader *reader, const struct jepsen_event *event);

#endif
