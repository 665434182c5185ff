#include "sim/tool/sweep_summary.h"

#include "raft/reached.h"
#include "sim/fold.h"
#include "sim/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

// A result begins with the run's numbers; its report follows.
static struct run_result read_result(const struct workers_result *result)
{
    struct run_result run;

    assert(result->end == WORKERS_DONE && result->size >= sizeof(run));
    memcpy(&run, result->data, sizeof(run));
    return run;
}

static void tell_death(const struct workers_result *result, char *fact, size_t size)
{
    const char *said = result->said;

    if (WIFSIGNALED(result->status))
        snprintf(fact, size, "killed by signal %d (%s)%s%s", WTERMSIG(result->status),
                 strsignal(WTERMSIG(result->status)), *said != '\0' ? ": " : "", said);
    else
        snprintf(fact, size, "exit code %d%s%s", WEXITSTATUS(result->status),
                 *said != '\0' ? ": " : "", said);
}

const char *sweep_summary_judge(const struct workers_result *result, char *fact,
                                size_t size)
{
    struct run_result run;

    *fact = '\0';
    if (result->end == WORKERS_CRASHED) {
        tell_death(result, fact, size);
        return "crash";
    }
    if (result->end == WORKERS_ENDLESS) {
        snprintf(fact, size, "the run did not end in its time");
        return "endless";
    }
    run = read_result(result);
    if (run_report_ok(&run))
        return NULL;
    if (run.error[0] != '\0') {
        snprintf(fact, size, "%s", run.error);
        return "no run";
    }
    if (!run.violated) {
        snprintf(fact, size, "no verdict on the history within the bound of work");
        return "unknown verdict";
    }
    snprintf(fact, size, "%s", run.violation.text);
    return checker_property_text(run.violation.property);
}

static const struct sweep_rule *add_failure(struct sweep_summary *summary,
                                            const char *name, uint64_t seed,
                                            const char *fact)
{
    struct sweep_rule *rule = summary->rules;
    struct sweep_rule *end = rule + summary->rule_count;

    summary->failures++;
    for (; rule < end; rule++)
        if (strcmp(rule->name, name) == 0) {
            rule->count++;
            return NULL;
        }
    assert(summary->rule_count < SWEEP_RULES_MAX);
    summary->rule_count++;
    *rule = (struct sweep_rule){.name = name, .count = 1, .seed = seed};
    snprintf(rule->fact, sizeof(rule->fact), "%s", fact);
    return rule;
}

const struct sweep_rule *sweep_summary_add(struct sweep_summary *summary,
                                           const struct workers_result *result)
{
    char fact[SWEEP_FACT_SIZE];
    const char *name = sweep_summary_judge(result, fact, sizeof(fact));
    struct run_result run = {.seed = result->number};
    const struct sweep_rule *rule = NULL;

    if (result->end == WORKERS_DONE)
        run = read_result(result);
    summary->seeds++;
    summary->faults |= run.faults;
    for (int i = 0; i < RUN_COUNTER_COUNT; i++)
        summary->counters[i] += run.counters[i];
    for (int i = 0; i < FAULT_COUNT; i++)
        summary->strikes[i] += run.strikes[i];
    for (int i = 0; i < RAFT_MARK_COUNT; i++)
        summary->reached[i] += run.reached[i / 64] >> (i % 64) & 1;
    summary->hash = fold_u64(fold_u64(summary->hash, run.seed), run.trace_hash);
    if (name != NULL)
        rule = add_failure(summary, name, result->number, fact);
    if (rule != NULL && run.violated)
        summary->rules[summary->rule_count - 1].event = run.violation.event;
    summary->unknown += name != NULL && strcmp(name, "unknown verdict") == 0;
    return rule;
}

static void write_rules(const struct sweep_summary *summary, const char *command,
                        struct buffer *out)
{
    json_open_array(out, "rules");
    for (uint32_t i = 0; i < summary->rule_count; i++) {
        const struct sweep_rule *rule = &summary->rules[i];
        char replay[1024];

        snprintf(replay, sizeof(replay), "%s --seed %" PRIu64, command, rule->seed);
        json_open(out);
        json_string(out, "rule", rule->name);
        json_number(out, "runs", rule->count);
        json_number(out, "seed", rule->seed);
        json_number(out, "event", rule->event);
        json_string(out, "text", rule->fact);
        json_string(out, "replay", replay);
        json_close(out);
    }
    json_close_array(out);
}

#define NAME(name, label, text) #name,
static const char *const mark_names[RAFT_MARK_COUNT] = {REACHED_MARKS(NAME)};
#undef NAME

#define TEXT(name, label, text) text,
static const char *const mark_texts[RAFT_MARK_COUNT] = {REACHED_MARKS(TEXT)};
#undef TEXT

// How many runs came by each mark, and in words those that none came by.
static void write_marks(const struct sweep_summary *summary, struct buffer *out)
{
    json_key(out, "reached");
    json_open(out);
    for (int i = 0; i < RAFT_MARK_COUNT; i++)
        if (summary->reached[i] > 0)
            json_number(out, mark_names[i], summary->reached[i]);
    json_close(out);
    json_key(out, "not_reached");
    json_open(out);
    for (int i = 0; i < RAFT_MARK_COUNT; i++)
        if (summary->reached[i] == 0)
            json_string(out, mark_names[i], mark_texts[i]);
    json_close(out);
}

void sweep_summary_write(const struct sweep_summary *summary, const char *command,
                         struct buffer *out)
{
    json_number(out, "seeds", summary->seeds);
    for (int i = 0; i < RUN_COUNTER_COUNT; i++)
        json_number(out, run_report_counter_text((enum run_counter)i),
                    summary->counters[i]);
    run_report_strikes(summary->faults, summary->strikes, out);
    write_marks(summary, out);
    json_hex(out, "trace_hash", summary->hash);
    json_number(out, "failures", summary->failures);
    json_number(out, "unknown", summary->unknown);
    write_rules(summary, command, out);
}
