#include "sim/faults/faults_disks.h"

#include "sim/faults/faults_nodes.h"
#include "sim/node_crash.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOM_BYTES_MAX = 6000,
    ROOM_BYTES_LITTLE = 200,
    ROOM_DOUBLINGS = 5, // of that, where the room changes
    TURNS_MAX = 6,
    FILL_CALLS_MAX = 12, // a snapshot that comes in one chunk makes few
    SECTORS_MAX = 3,     // damaged at once
    // More than is ever written while one sync is under way: what lies so far in front
    // of a log's end was on stable storage when something behind it was written.
    LOG_TAIL_BYTES = 32768,
    LOGS_MAX = 64,
};

// ---- snapshots on a disk --------------------------------------------------------

struct shelf {
    uint32_t count; // snapshot files
    uint64_t newest;
    uint64_t second;
    char newest_name[80];
    char second_name[80];
    uint64_t newest_size;
    uint64_t receiving_size; // of the one that is being received
};

static void see_file(void *argument, const char *name, uint64_t size)
{
    struct shelf *shelf = argument;
    const char *dot = strchr(name, '.');

    if (strcmp(name, "snapshot.receiving") == 0)
        shelf->receiving_size = size;
    if (dot == NULL || strcmp(dot, ".snapshot") != 0)
        return;
    // Names come in order, and are numbers of equal length.
    shelf->count++;
    shelf->second = shelf->newest;
    memcpy(shelf->second_name, shelf->newest_name, sizeof(shelf->second_name));
    shelf->newest = strtoull(name, NULL, 10);
    shelf->newest_size = size;
    snprintf(shelf->newest_name, sizeof(shelf->newest_name), "%s", name);
}

void faults_disks_damage_received(struct node *node)
{
    struct random *random = &node->world->faults.random;
    struct shelf shelf = {0};
    uint64_t where;

    node->io.disk.list(node->io.disk.context, see_file, &shelf);
    if (shelf.receiving_size == 0)
        return;
    trace_note(&node->world->trace, node->world->now_us,
               "a received chunk is damaged at n%" PRIu32, node->id);
    node->damage_waits = false;
    node->disk_faulty = true; // it may be damaged after it was found to be whole
    where = random_below(random, shelf.receiving_size);
    world_tell_command(node->world, node->id,
                       "disk %" PRIu32 " damage snapshot.receiving %" PRIu64, node->id,
                       where);
    sim_disk_damage(node->disk, "snapshot.receiving", where, 1, SIM_DISK_FLIP);
}

// The log has to reach back to the one before, and on the disk as far as the newest,
// and to fit into memory at the restart.
static bool can_bear(const struct node *node, const struct shelf *shelf)
{
    return node->up && shelf->count >= 2 && shelf->second >= node->restored_index &&
           node->view.first_index <= shelf->second + 1 && shelf->newest_size > 0 &&
           node->view.durable_index >= shelf->newest &&
           node->view.last_index - shelf->second < node->world->config.log_entries_max;
}

bool faults_disks_can_bear(struct node *node, const char *name)
{
    struct shelf shelf = {0};

    node->io.disk.list(node->io.disk.context, see_file, &shelf);
    return can_bear(node, &shelf) && strcmp(name, shelf.newest_name) == 0;
}

// Damages what can be replaced: a chunk that was received, or the newest snapshot where
// the one before and the log behind it do as well.
static void damage_snapshot(struct node *node, struct random *random)
{
    struct shelf shelf = {0};
    uint64_t where = random_u64(random);
    bool received = random_chance(random, 500000);

    node->io.disk.list(node->io.disk.context, see_file, &shelf);
    if (received) {
        node->damage_waits = true;
        faults_disks_damage_received(node);
        return;
    }
    if (!can_bear(node, &shelf))
        return;
    trace_note(&node->world->trace, node->world->now_us, "%s is damaged at n%" PRIu32,
               shelf.newest_name, node->id);
    sim_disk_damage(node->disk, shelf.newest_name, where % shelf.newest_size, 1,
                    SIM_DISK_FLIP);
    world_tell_command(node->world, node->id,
                       "disk %" PRIu32 " damage %s %" PRIu64 " bearable", node->id,
                       shelf.newest_name, where % shelf.newest_size);
    faults_nodes_crash(node->world, node->id);
}

// Its newest snapshot reads as the one before: whole, if they are equally long, and
// another one than it was.
static void misdirect(struct node *node, const struct shelf *shelf)
{
    trace_note(&node->world->trace, node->world->now_us, "%s reads as %s at n%" PRIu32,
               shelf->newest_name, shelf->second_name, node->id);
    world_tell_command(node->world, node->id, "disk %" PRIu32 " misdirect %s %s",
                       node->id, shelf->newest_name, shelf->second_name);
    sim_disk_misdirect(node->disk, shelf->newest_name, shelf->second_name);
}

// A running node does not know that it cannot read its newest snapshot, or reads what
// it has not written, until a follower gets it or it starts anew.
static void hide_damage(struct node *node, struct random *random)
{
    static const struct {
        const char *word, *text;
        enum sim_disk_damage damage;
    } kinds[] = {{"flip", "a flipped bit", SIM_DISK_FLIP},
                 {"unreadable", "a latent read error", SIM_DISK_UNREADABLE}};
    struct shelf shelf = {0};
    uint64_t where = random_u64(random);
    uint64_t how = random_below(random, 4);

    node->io.disk.list(node->io.disk.context, see_file, &shelf);
    if (shelf.count == 0 || shelf.newest_size == 0)
        return;
    node->disk_faulty = true;
    if (how >= 2 && shelf.count > 1) {
        misdirect(node, &shelf);
        return;
    }
    how %= 2;
    trace_note(&node->world->trace, node->world->now_us, "%s has %s at n%" PRIu32,
               shelf.newest_name, kinds[how].text, node->id);
    sim_disk_damage(node->disk, shelf.newest_name, where % shelf.newest_size, 1,
                    kinds[how].damage);
    world_tell_command(node->world, node->id,
                       "disk %" PRIu32 " damage %s %" PRIu64 " %s", node->id,
                       shelf.newest_name, where % shelf.newest_size, kinds[how].word);
}

// ---- sectors of a log -----------------------------------------------------------

struct logs {
    struct {
        char name[80];
        uint64_t size;
    } at[LOGS_MAX];
    uint32_t count;
};

static void see_log(void *argument, const char *name, uint64_t size)
{
    struct logs *logs = argument;
    const char *dot = strchr(name, '.');

    if (logs->count == LOGS_MAX || dot == NULL || strcmp(dot, ".log") != 0)
        return;
    snprintf(logs->at[logs->count].name, sizeof(logs->at[0].name), "%s", name);
    logs->at[logs->count++].size = size;
}

// A segment that has another behind it may be damaged anywhere, the last one only well
// in front of its end.
static void damage_log(struct node *node, struct random *random)
{
    struct logs logs = {0};
    uint32_t chosen;
    uint64_t size, from, to;
    uint32_t sectors = (uint32_t)random_between(random, 1, SECTORS_MAX);
    enum sim_disk_damage damage = (enum sim_disk_damage)random_between(
        random, SIM_DISK_FLIP, SIM_DISK_UNREADABLE);

    if (node->up)
        faults_nodes_crash(node->world, node->id);
    node->io.disk.list(node->io.disk.context, see_log, &logs);
    if (logs.count == 0 || logs.count == LOGS_MAX)
        return;
    chosen = (uint32_t)random_below(random, logs.count);
    size = logs.at[chosen].size;
    if (chosen + 1 == logs.count)
        size = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
    if (size == 0)
        return;
    from = random_below(random, size) / SIM_DISK_SECTOR_BYTES * SIM_DISK_SECTOR_BYTES;
    to = from + sectors * SIM_DISK_SECTOR_BYTES;
    to = to < size ? to : size;
    trace_note(&node->world->trace, node->world->now_us,
               "%s is damaged at n%" PRIu32 " from byte %" PRIu64, logs.at[chosen].name,
               node->id, from);
    node->disk_faulty = true;
    world_tell_command(node->world, node->id,
                       "disk %" PRIu32 " damage %s %" PRIu64 " %s bytes=%" PRIu64,
                       node->id, logs.at[chosen].name, from,
                       damage == SIM_DISK_FLIP   ? "flip"
                       : damage == SIM_DISK_ZERO ? "zero"
                                                 : "unreadable",
                       to - from);
    sim_disk_damage(node->disk, logs.at[chosen].name, from, to - from, damage);
}

// ---- strikes --------------------------------------------------------------------

void faults_disks_damage(struct node *node, struct random *random)
{
    // Who gets a snapshot is who can see what another node does not know of its own.
    bool hides = node->world->config.theme == WORLD_CATCHING_UP;
    uint64_t how = random_below(random, hides ? 5 : 3);

    if (node->disk_lost || node->incarnation == 0)
        return;
    if (how == 0)
        damage_snapshot(node, random);
    else if (how == 1)
        damage_log(node, random);
    else
        hide_damage(node, random);
}

void faults_disks_fill(struct node *node, uint64_t room)
{
    struct sim_disk_counters counters;

    node->disk_full = true;
    sim_disk_count(node->disk, &counters);
    sim_disk_set_capacity(node->disk, counters.bytes_used + room);
}

void faults_disks_fill_received(struct node *node)
{
    struct shelf shelf = {0};

    if (!node->fill_counts)
        node->io.disk.list(node->io.disk.context, see_file, &shelf);
    node->fill_counts = node->fill_counts || shelf.receiving_size > 0;
    if (!node->fill_counts || --node->fill_waits > 0)
        return;
    node->fill_counts = false;
    trace_note(&node->world->trace, node->world->now_us,
               "the disk of n%" PRIu32 " fills up", node->id);
    faults_disks_fill(node, node->fill_room);
}

// At once, or so many disk calls and sends later, also counted only from a snapshot's
// next chunk on.
static void strike_full(struct node *node, struct random *random)
{
    uint64_t most = random_below(random, 2) == 0 ? ROOM_BYTES_LITTLE : ROOM_BYTES_MAX;
    uint64_t when = random_below(random, 3);
    uint64_t room = random_below(random, when == 0 ? most : ROOM_BYTES_LITTLE);
    uint32_t calls = (uint32_t)random_between(random, 1, FILL_CALLS_MAX);
    char after[32] = "";

    node->fill_turns = (uint32_t)random_below(random, TURNS_MAX + 1);
    if (when == 1)
        calls *= 4;
    if (when > 0)
        snprintf(after, sizeof(after), " after %" PRIu32 "%s", calls,
                 when == 2 ? " received" : "");
    world_tell_command(node->world, node->id, "disk %" PRIu32 " full %" PRIu64 "%s",
                       node->id, room, after);
    if (when == 0)
        faults_disks_fill(node, room);
    else
        faults_disks_fill_later(node, room, calls, when == 2);
}

bool faults_disks_turn(struct node *node, struct random *random)
{
    uint64_t most = ROOM_BYTES_LITTLE << random_below(random, ROOM_DOUBLINGS);
    uint64_t room = random_below(random, most);

    if (!node->disk_full || node->fill_turns == 0)
        return false;
    node->fill_turns--;
    world_tell_command(node->world, node->id, "disk %" PRIu32 " full %" PRIu64,
                       node->id, room);
    faults_disks_fill(node, room);
    return true;
}

void faults_disks_fill_later(struct node *node, uint64_t room, uint32_t calls,
                             bool received)
{
    node->fill_room = room;
    node->fill_waits = calls;
    node->fill_counts = !received;
}

void faults_disks_fill_now(struct node *node, struct random *random)
{
    uint64_t room = random_below(random, ROOM_BYTES_LITTLE);

    node->fill_turns = (uint32_t)random_below(random, TURNS_MAX + 1);
    trace_note(&node->world->trace, node->world->now_us,
               "the disk of n%" PRIu32 " is full", node->id);
    world_tell_command(node->world, node->id, "disk %" PRIu32 " full %" PRIu64,
                       node->id, room);
    faults_disks_fill(node, room);
}

void faults_disks_strike(struct node *node, struct random *random)
{
    uint64_t how = random_below(random, 4);

    if (node->world->config.theme == WORLD_FULL_DISKS)
        how = 3;
    trace_note(&node->world->trace, node->world->now_us,
               "disk n%" PRIu32 " fault %" PRIu64, node->id, how);
    if (how <= 1) {
        node->sync_us_max = random_between(random, 1000, how == 0 ? 20000 : 200000);
    } else if (how == 2) {
        node->disk_faulty = true;
        world_tell_command(node->world, node->id, "disk %" PRIu32 " fail sync",
                           node->id);
        sim_disk_fail_syncs(node->disk, 1);
    } else {
        strike_full(node, random);
    }
}

void faults_disks_heal(struct node *node)
{
    node->sync_us_min = node->world->config.sync_us_min;
    node->sync_us_max = node->world->config.sync_us_max;
    node->disk_full = node->damage_waits = node->fill_counts = false;
    node->fill_waits = node->fill_turns = 0;
    world_tell_command(node->world, node->id, "disk %" PRIu32 " ok", node->id);
    sim_disk_heal(node->disk);
    // A host that the fault has stopped needs a new life. One that a write failed but
    // that does not know yet may still stop: the fault excuses it until it restarts.
    if (node->up && node->stopped[0] != '\0')
        node_crash(node, SIM_DISK_LOSE_ALL);
    if (!node->up && node->incarnation > 0 && !node->disk_lost) {
        node->disk_faulty = false;
        trace_note(&node->world->trace, node->world->now_us, "restart n%" PRIu32,
                   node->id);
        node_start(node);
    }
}
