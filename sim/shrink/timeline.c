#include "sim/shrink/timeline.h"

#include "sim/shrink/tape.h"

#include <inttypes.h>
#include <string.h>

// ---- building -------------------------------------------------------------------

void timeline_begin(struct timeline *timeline, const struct timeline *like)
{
    timeline->count = 0;
    timeline->text_size = 0;
    timeline->full = false;
    timeline->end_us = 0;
    if (like == NULL)
        return;
    timeline->config = like->config;
    timeline->clients = like->clients;
    timeline->keys = like->keys;
    timeline->end_us = like->end_us;
    timeline->text_size = like->text_size;
    memcpy(timeline->texts, like->texts, like->text_size);
}

void timeline_copy(struct timeline *to, const struct timeline *from)
{
    timeline_begin(to, from);
    to->count = from->count;
    to->full = from->full;
    memcpy(to->lines, from->lines, from->count * sizeof(from->lines[0]));
}

uint32_t timeline_text(struct timeline *timeline, const char *text)
{
    size_t size = strlen(text) + 1;
    uint32_t at = timeline->text_size;

    if (size > TIMELINE_TEXT_BYTES - at) {
        timeline->full = true;
        return 0;
    }
    memcpy(timeline->texts + at, text, size);
    timeline->text_size += (uint32_t)size;
    return at;
}

uint32_t timeline_add(struct timeline *timeline, uint64_t at_us, const char *text)
{
    uint32_t at = timeline->count;

    if (at == TIMELINE_LINES_MAX) {
        timeline->full = true;
        return UINT32_MAX;
    }
    timeline->lines[at] =
        (struct timeline_line){at_us, timeline_text(timeline, text), false};
    timeline->count++;
    return at;
}

// ---- what it is -----------------------------------------------------------------

bool timeline_is_phase(const char *text)
{
    static const char *const phases[] = {"core", "settle", "probe", "check"};

    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        size_t size = strlen(phases[i]);

        if (strncmp(text, phases[i], size) == 0 &&
            (text[size] == '\0' || text[size] == ' '))
            return true;
    }
    return false;
}

bool timeline_ends_itself(const struct timeline *timeline)
{
    return timeline->count > 0 &&
           (timeline->end_us == 0 ||
            timeline_is_phase(timeline->texts +
                              timeline->lines[timeline->count - 1].text));
}

uint32_t timeline_commands(const struct timeline *timeline)
{
    return timeline->count + !timeline_ends_itself(timeline);
}

// How many digits somebody has to read, in us.
static uint32_t digits(uint64_t us)
{
    uint32_t count = 0;

    while (us != 0 && us % 10 == 0)
        us /= 10;
    for (; us != 0; us /= 10)
        count++;
    return count;
}

// The usual one is not written; one without chance is the best to reason about.
static uint64_t count_range(uint64_t low_us, uint64_t high_us, uint64_t usual_low_us,
                            uint64_t usual_high_us)
{
    if (low_us == high_us && low_us % 1000 == 0)
        return 0;
    return 1 + (low_us != usual_low_us || high_us != usual_high_us);
}

static uint64_t count_settings(const struct timeline *timeline)
{
    const struct world_config *config = &timeline->config;
    struct world_config usual;
    uint64_t count = tape_count_settings(config);

    world_config_default(&usual);
    count += count_range(config->delay_us_min, config->delay_us_max, usual.delay_us_min,
                         usual.delay_us_max);
    count += count_range(config->sync_us_min, config->sync_us_max, usual.sync_us_min,
                         usual.sync_us_max);
    for (raft_id id = 1; id < LINKS_NODES; id++)
        count += config->clock_ahead_ms[id] != 0;
    count += config->ordered_links + config->equal_seeds + (config->value_digits > 0);
    if (timeline->clients > 0)
        count += 2 + timeline->clients + (timeline->keys > 1);
    return count;
}

uint64_t timeline_cost(const struct timeline *timeline)
{
    uint64_t odd = 100 * count_settings(timeline) + digits(timeline->end_us);

    for (uint32_t i = 0; i < timeline->count; i++) {
        const struct timeline_line *line = &timeline->lines[i];

        odd += strlen(timeline->texts + line->text);
        odd += line->at_us == TIMELINE_NEXT
                   ? 0
                   : 3 * digits(line->at_us) + line->at_us / 100000 + line->after;
    }
    odd += timeline_ends_itself(timeline) ? 0 : timeline->end_us / 100000;
    return (uint64_t)timeline_commands(timeline) << 32 | (odd & UINT32_MAX);
}

// ---- writing --------------------------------------------------------------------

void timeline_duration(uint64_t us, struct buffer *out)
{
    if (us % 1000 != 0)
        buffer_format(out, "%" PRIu64 "us", us);
    else if (us % 1000000 != 0)
        buffer_format(out, "%" PRIu64 "ms", us / 1000);
    else
        buffer_format(out, "%" PRIu64 "s", us / 1000000);
}

static void write_range(struct buffer *line, const char *name, uint64_t low_us,
                        uint64_t high_us)
{
    buffer_format(line, " %s=", name);
    timeline_duration(low_us, line);
    if (low_us == high_us)
        return;
    buffer_append_text(line, "..");
    timeline_duration(high_us, line);
}

static void write_ahead(const struct world_config *config, struct buffer *line)
{
    raft_id last = config->node_count;

    while (last > 0 && config->clock_ahead_ms[last] == 0)
        last--;
    for (raft_id id = 1; id <= last; id++)
        buffer_format(line, "%s%" PRIu64 "ms", id == 1 ? " ahead=" : ",",
                      config->clock_ahead_ms[id]);
}

void timeline_cluster(const struct timeline *timeline, struct buffer *line)
{
    const struct world_config *config = &timeline->config;
    struct world_config usual;

    world_config_default(&usual);
    buffer_format(line, "cluster %" PRIu32, config->member_count);
    tape_settings(config, line);
    if (config->delay_us_min != usual.delay_us_min ||
        config->delay_us_max != usual.delay_us_max)
        write_range(line, "delay", config->delay_us_min, config->delay_us_max);
    if (config->sync_us_min != usual.sync_us_min ||
        config->sync_us_max != usual.sync_us_max)
        write_range(line, "sync", config->sync_us_min, config->sync_us_max);
    write_ahead(config, line);
    if (config->ordered_links)
        buffer_append_text(line, " ordered=on");
    if (config->equal_seeds)
        buffer_append_text(line, " equal_seeds=on");
    if (config->value_digits > 0)
        buffer_format(line, " value_digits=%" PRIu32, config->value_digits);
    if (config->no_retries)
        buffer_append_text(line, " retries=off");
    if (config->wire != NULL)
        buffer_append_text(line, " wire=json");
    if (timeline->clients > 0)
        buffer_format(line, " clients=%" PRIu32 " keys=%" PRIu32, timeline->clients,
                      timeline->keys);
}

void timeline_write(const struct timeline *timeline, const struct timeline_line *line,
                    struct buffer *out)
{
    if (line->at_us != TIMELINE_NEXT) {
        buffer_append_text(out, line->after ? "after " : "at ");
        timeline_duration(line->at_us, out);
        buffer_append_text(out, " ");
    }
    buffer_append_text(out, timeline->texts + line->text);
}
