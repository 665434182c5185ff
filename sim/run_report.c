#include "sim/run_report.h"

#include "sim/json.h"

const char *run_report_counter_text(enum run_counter counter)
{
    static const char *const texts[RUN_COUNTER_COUNT] = {
        [RUN_EVENTS] = "events",
        [RUN_VIRTUAL_MS] = "virtual_ms",
        [RUN_ELECTIONS] = "elections",
        [RUN_COMMITTED] = "committed",
        [RUN_OPERATIONS] = "operations",
        [RUN_UNKNOWN_OUTCOMES] = "unknown_outcomes",
        [RUN_RETRIES] = "retries",
        [RUN_MESSAGES] = "messages",
        [RUN_MESSAGES_LOST] = "messages_lost",
        [RUN_MESSAGES_DAMAGED] = "messages_damaged",
        [RUN_MESSAGES_REFUSED] = "messages_refused",
        [RUN_CONFIGURATIONS] = "configurations",
        [RUN_SNAPSHOTS_TAKEN] = "snapshots_taken",
        [RUN_SNAPSHOTS_RECEIVED] = "snapshots_received",
    };

    assert(counter < RUN_COUNTER_COUNT);
    return texts[counter];
}

void run_report_measure(const struct world *world, struct run_result *result)
{
    uint64_t *counters = result->counters;

    result->seed = world->config.seed;
    result->trace_hash = world->trace.hash;
    result->nodes = world->config.member_count;
    result->spares = world->config.node_count - world->config.member_count;
    result->lease = world->config.lease_drift_percent;
    result->faults = world->faults.enabled;
    counters[RUN_EVENTS] = world->event_count;
    counters[RUN_VIRTUAL_MS] = world_now_ms(world);
    counters[RUN_ELECTIONS] = checker_leaders(world->checker);
    counters[RUN_COMMITTED] = checker_committed(world->checker);
    counters[RUN_OPERATIONS] = world->clients.operations;
    counters[RUN_UNKNOWN_OUTCOMES] = world->clients.unknown;
    counters[RUN_RETRIES] = world->clients.retries;
    counters[RUN_MESSAGES] = world->links.sent;
    counters[RUN_MESSAGES_LOST] = world->links.lost;
    counters[RUN_MESSAGES_DAMAGED] = world->wire.damaged;
    counters[RUN_MESSAGES_REFUSED] = world->wire.refused;
    counters[RUN_CONFIGURATIONS] = checker_configurations(world->checker);
    for (raft_id id = 1; id <= world->config.node_count; id++) {
        counters[RUN_SNAPSHOTS_TAKEN] += world->nodes[id].snapshots_taken;
        counters[RUN_SNAPSHOTS_RECEIVED] += world->nodes[id].snapshots_received;
    }
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        result->strikes[kind] = world->faults.strikes[kind];
    for (int i = 0; i < RAFT_REACHED_WORDS; i++)
        result->reached[i] = world->reached[i];
    result->violated = checker_violation_count(world->checker) > 0;
    if (result->violated)
        result->violation = *checker_violation(world->checker, 0);
}

bool run_report_ok(const struct run_result *result)
{
    return result->error[0] == '\0' && !result->violated &&
           result->verdict == LINEARIZE_YES;
}

void run_report_strikes(uint32_t enabled, const uint64_t strikes[FAULT_COUNT],
                        struct buffer *out)
{
    json_key(out, "strikes");
    json_open(out);
    for (uint32_t kind = 0; kind < FAULT_COUNT; kind++)
        if ((enabled >> kind & 1) != 0)
            json_number(out, faults_text((enum fault)kind), strikes[kind]);
    json_close(out);
}

void run_report_write(const struct run_result *result, struct buffer *out)
{
    json_number(out, "seed", result->seed);
    json_number(out, "nodes", result->nodes);
    json_number(out, "spares", result->spares);
    json_number(out, "lease", result->lease);
    for (int counter = 0; counter < RUN_COUNTER_COUNT; counter++) {
        json_number(out, run_report_counter_text((enum run_counter)counter),
                    result->counters[counter]);
        if (counter == RUN_VIRTUAL_MS)
            json_hex(out, "trace_hash", result->trace_hash);
    }
    run_report_strikes(result->faults, result->strikes, out);
    json_number(out, "core_ms", result->core_ms);
    json_number(out, "settle_ms", result->settle_ms);
}

void run_report_violations(const struct world *world, struct buffer *out)
{
    json_open_array(out, "violations");
    for (uint32_t i = 0; i < checker_violation_count(world->checker); i++) {
        const struct violation *violation = checker_violation(world->checker, i);

        json_open(out);
        json_string(out, "property", checker_property_text(violation->property));
        json_number(out, "event", violation->event);
        json_number(out, "time_us", violation->time_us);
        json_number(out, "node", violation->node);
        if (violation->other != 0)
            json_number(out, "other", violation->other);
        json_string(out, "text", violation->text);
        json_close(out);
    }
    json_close_array(out);
}
