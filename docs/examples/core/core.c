// core.c: the core alone: one node, no disk, no network, no libuv. It elects itself,
// takes a command and applies it, and prints each step in the words of trace.h.
#include <raftlab/raft.h>
#include <raftlab/trace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void apply(const struct raft_entry *entry)
{
    if (entry->type == RAFT_ENTRY_COMMAND)
        printf("applied %.*s\n", (int)entry->size, (const char *)entry->data);
}

// One event in, its effects out, and the events that follow from those. Returns when to
// call with RAFT_EVENT_TICK.
static uint64_t step(struct raft *raft, struct raft_event event)
{
    raft_index applied = 0; // not yet reported
    for (;;) {
        struct raft_output output;
        char line[400];
        enum raft_status status = raft_step(raft, &event, &output);
        raft_trace_step(line, sizeof line, raft, &event, &output);
        printf("%s (%s)\n", line, raft_status_text(status));

        // What the output points at is borrowed until the next raft_step().
        for (uint32_t i = 0; i < output.apply_count; i++)
            apply(&output.apply[i]);
        if (output.apply_count > 0)
            applied = output.apply[output.apply_count - 1].index;
        if (output.write != 0) { // here a host appends and syncs output.entries
            event.type = RAFT_EVENT_PERSISTED;
            event.persisted.write = output.write;
        } else if (applied != 0) {
            event.type = RAFT_EVENT_APPLIED;
            event.applied.index = applied;
            applied = 0;
        } else {
            return output.deadline_ms;
        }
    }
}

int main(void)
{
    static struct raft_config config;
    raft_config_default(&config);
    config.id = 1;
    config.seed = 1;
    config.configuration.count = 1;
    config.configuration.members[0].id = 1;
    config.configuration.members[0].role = RAFT_VOTER;
    const char *problem = raft_config_problem(&config);
    if (problem != NULL) {
        fprintf(stderr, "core: %s\n", problem);
        return 1;
    }
    const struct raft_hard_state first_start = {0};
    const struct raft_snapshot_meta no_snapshot = {0};
    size_t size = (raft_size(&config) + 15) / 16 * 16;
    void *memory = aligned_alloc(16, size);
    struct raft *raft = raft_init(memory, &config, &first_start, &no_snapshot);

    uint64_t now_ms = step(raft, (struct raft_event){.type = RAFT_EVENT_TICK});
    step(raft, (struct raft_event){.type = RAFT_EVENT_TICK, .now_ms = now_ms});

    const struct raft_command command = {"hello", 5};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .now_ms = now_ms};
    event.propose.commands = &command;
    event.propose.count = 1;
    step(raft, event);
    free(memory);
    return 0;
}
