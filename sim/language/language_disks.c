#include "sim/language/language_disks.h"

#include "sim/faults/faults_disks.h"
#include "sim/json.h"
#include "sim/language/language_manual.h"
#include "sim/language/options.h"
#include "sim/node_crash.h"

#include <inttypes.h>
#include <string.h>

static void list_file(void *argument, const char *name, uint64_t size)
{
    struct buffer *out = argument;

    json_number(out, name, size);
}

// The newest snapshot, where the node has to do without it in its next life: that is no
// excuse for what it cannot do then.
static bool damage_bearably(struct language *language, struct node *node,
                            uint64_t offset)
{
    const char *name = language_word(language, 3);

    if (!faults_disks_can_bear(node, name))
        return language_fail(language, "node %u cannot do without %s",
                             (unsigned)node->id, name);
    if (!sim_disk_damage(node->disk, name, offset, 1, SIM_DISK_FLIP))
        return language_fail(language, "there is no byte %" PRIu64 " in a file %s",
                             offset, name);
    language_note(language);
    node_crash(node, SIM_DISK_LOSE_NOTHING);
    return true;
}

static bool damage_disk(struct language *language, struct node *node)
{
    const char *bytes = language_value(language, language->count - 1, "bytes");
    enum sim_disk_damage damage = SIM_DISK_FLIP;
    uint64_t offset, size = 1;

    if (bytes != NULL && !options_number(bytes, 1, UINT32_MAX, &size))
        return language_fail(language, "\"%s\" is no number of bytes", bytes);
    language->count -= bytes != NULL;
    if (language->count < 5)
        return language_fail(language, "expected: disk N damage FILE OFFSET "
                                       "[flip|zero|unreadable|bearable] [bytes=N]");
    if (!language_number(language, 4, &offset))
        return false;
    if (language_is(language, 5, "bearable"))
        return damage_bearably(language, node, offset);
    if (language_is(language, 5, "zero"))
        damage = SIM_DISK_ZERO;
    else if (language_is(language, 5, "unreadable"))
        damage = SIM_DISK_UNREADABLE;
    else if (language->count > 5 && !language_is(language, 5, "flip"))
        return language_fail(language, "damage is flip, zero or unreadable");
    if (!sim_disk_damage(node->disk, language_word(language, 3), offset, size, damage))
        return language_fail(language, "there is no byte %" PRIu64 " in a file %s",
                             offset, language_word(language, 3));
    node->disk_faulty = true;
    language_note(language);
    return true;
}

static bool misdirect(struct language *language, struct node *node)
{
    if (language->count != 5 ||
        !sim_disk_misdirect(node->disk, language_word(language, 3),
                            language_word(language, 4)))
        return language_fail(language, "expected: disk N misdirect FILE OTHER, which "
                                       "are there, and bytes in the first");
    node->disk_faulty = true;
    language_note(language);
    return true;
}

static bool fill_later(struct language *language, struct node *node, uint64_t room)
{
    bool received = language->count == 7 && language_is(language, 6, "received");
    uint64_t calls;

    if (!language_is(language, 4, "after") || (language->count != 6 && !received) ||
        !options_number(language_word(language, 5), 1, UINT32_MAX, &calls))
        return language_fail(language, "expected: full BYTES after CALLS [received]");
    faults_disks_fill_later(node, room, (uint32_t)calls, received);
    return true;
}

bool language_disks_disk(struct language *language)
{
    const char *range = language_value(language, 2, "sync");
    uint64_t room = 0;
    struct node *node;

    if (!language_node(language, 1, &node))
        return false;
    if (language_is(language, 2, "damage") && !language->world->config.perfect_disks)
        return damage_disk(language, node);
    if (language_is(language, 2, "misdirect") && !language->world->config.perfect_disks)
        return misdirect(language, node);
    if (language_is(language, 2, "files")) {
        json_key(language->out, "files");
        json_open(language->out);
        node->io.disk.list(node->io.disk.context, list_file, language->out);
        json_close(language->out);
        return true;
    }
    if (language->world->config.perfect_disks && !language_is(language, 2, "lost"))
        return language_fail(language, "the disks of this world are perfect");
    if (range != NULL && language->world->manual) {
        if (strcmp(range, "manual") != 0)
            return language_fail(language, "in a manual world a sync ends at once, or "
                                           "by hand: disk N sync=manual");
        language_manual_disk(node);
    } else if (range != NULL) {
        if (!language_range(language, range, &node->sync_us_min, &node->sync_us_max))
            return false;
    } else if (language_is(language, 2, "fail") && language_is(language, 3, "sync")) {
        node->disk_faulty = true;
        sim_disk_fail_syncs(node->disk, 1);
    } else if (language_is(language, 2, "lying")) {
        // No rule of Raft holds on such a disk: what comes of it, the user is to see.
        sim_disk_lie(node->disk);
        checker_switch_off(language->world->checker);
    } else if (language_is(language, 2, "full")) {
        if (language->count > 3 && !language_number(language, 3, &room))
            return false;
        if (language->count <= 4)
            faults_disks_fill(node, room);
        else if (!fill_later(language, node, room))
            return false;
    } else if (language_is(language, 2, "lost")) {
        node_lose_disk(node);
    } else if (language_is(language, 2, "ok")) {
        sim_disk_heal(node->disk);
        node->disk_full = node->fill_counts = false;
        node->fill_waits = 0;
        node->sync_us_min = language->world->config.sync_us_min;
        node->sync_us_max = language->world->config.sync_us_max;
    } else {
        return language_fail(language,
                             "usage: disk N sync=MIN..MAX | fail sync | lying "
                             "| full [BYTES] | damage FILE OFFSET | misdirect FILE "
                             "OTHER | lost | ok | files");
    }
    language_note(language);
    return true;
}
