// Random events with random field values: no peer may break a core, only slow it down.
//
// One to seven cores talk to each other through messages that are lost, repeated, held
// back, or made up; disks crash in the middle of what was under way; members come and
// go, leadership is handed over, logs are compacted and snapshots travel.
#include "tests/raft/fuzz_disk.h"
#include "tests/raft/fuzz_make.h"

enum {
    STEPS = 20000,
    WORLDS = 80,
};

// ---- the network ------------------------------------------------------------------

static struct core *find_core(struct world *world, raft_id id)
{
    return id >= 1 && id <= world->count ? &world->cores[id - 1] : NULL;
}

static void deliver(struct world *world, bool faulty)
{
    static struct kept_message message;
    if (world->pool_count == 0)
        return;
    uint32_t at = below(world, world->pool_count);
    copy_message(&message, &world->pool[at]);
    if (!faulty || !one_in(world, 8)) // or it comes again
        copy_message(&world->pool[at], &world->pool[--world->pool_count]);
    struct core *core = find_core(world, message.message.to);
    bool cut = world->cut_off != 0 && (message.message.to == world->cut_off ||
                                       message.message.from == world->cut_off);
    if (core != NULL && !cut && !(faulty && one_in(world, 16)))
        step(world, core,
             (struct raft_event){.type = RAFT_EVENT_MESSAGE,
                                 .message = &message.message});
}

// ---- events -----------------------------------------------------------------------

static void propose(struct world *world, struct core *core)
{
    struct raft_command commands[BATCH_MAX];
    static const uint8_t bytes[COMMAND_MAX + 8] = "what is proposed, in pieces";
    uint32_t count = one_in(world, 16) ? below(world, BATCH_MAX + 1) : 1;
    for (uint32_t i = 0; i < count; i++) {
        commands[i].data = bytes + below(world, 8);
        commands[i].size = below(world, COMMAND_MAX + 1);
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.propose.commands = commands;
    event.propose.count = count;
    step(world, core, event);
}

// As a host would: until nothing is due any more.
static void tick(struct world *world, struct core *core, uint64_t ms)
{
    core->now_ms += ms;
    if (world->one_clock) // it goes slower, since everyone waits for everyone's turn
        world->now_ms += ms / 4;
    uint32_t ticks = 0;
    do {
        step(world, core, (struct raft_event){.type = RAFT_EVENT_TICK});
        CHECK(++ticks <= 64);
    } while (core->deadline_ms <= core->now_ms);
}

static void apply(struct world *world, struct core *core, raft_index up_to)
{
    core->applied = up_to;
    step(world, core,
         (struct raft_event){.type = RAFT_EVENT_APPLIED, .applied.index = up_to});
}

static void read_index(struct world *world, struct core *core)
{
    uint64_t id = world->reads + 1;
    world->floors[id % READS_MAX] = world->committed;
    struct raft_event event = {.type = RAFT_EVENT_READ, .read.id = id};
    world->reads += step(world, core, event) == RAFT_OK;
}

static void begin_snapshot(struct world *world, struct core *core)
{
    struct file file = {.digest = core->digest};
    if (core->applied != core->given || core->applied <= core->view.snapshot_index ||
        !raft_snapshot_meta_at(core->memory, core->applied, &file.meta))
        return;
    file.size = 1 + (uint32_t)(core->digest % FILE_MAX);
    core->taking = file;
    if (world->hostile)
        return;
    struct file **known = &world->files[core->applied];
    if (*known == NULL) {
        *known = malloc(sizeof **known);
        CHECK(*known != NULL);
        **known = file;
    }
    // The same on every node, with what it tells of itself.
    CHECK_EQ((*known)->digest, file.digest);
    CHECK_EQ((*known)->meta.last_included_term, file.meta.last_included_term);
    CHECK_EQ((*known)->meta.configuration_index, file.meta.configuration_index);
}

static void end_snapshot(struct world *world, struct core *core)
{
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN};
    raft_index index = core->taking.meta.last_included_index;
    event.snapshot_taken.index = index;
    event.snapshot_taken.keep_from = index + 1 - below(world, 20);
    if (event.snapshot_taken.keep_from > index + 1)
        event.snapshot_taken.keep_from = 0;
    bool newest = index > core->view.snapshot_index; // none has come in meanwhile
    keep_file(core, &core->taking);
    core->taking.meta.last_included_index = 0;
    CHECK_EQ(step(world, core, event), newest ? RAFT_OK : RAFT_INVALID);
}

// Of what has come in, the host finds out whether it is good.
static void report_arrival(struct world *world, struct core *core)
{
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_RECEIVED};
    struct file file = core->arrived;
    core->arrived.meta.last_included_index = 0;
    core->aside_size = 0;
    event.snapshot_received.meta = &file.meta;
    event.snapshot_received.failed = core->failed;
    if (world->hostile && !core->failed) {
        file.meta.configuration = make_configuration(world);
        file.meta.configuration_index =
            one_in(world, 8) ? draw(world) : file.meta.last_included_index;
    }
    if (!core->failed && !world->hostile)
        keep_file(core, &file);
    step(world, core, event);
    // What was made up is a file only where the core takes it for one, and one that
    // contradicts the log would only show that its sender lied.
    raft_term term;
    if (world->hostile && core->view.snapshot_index == file.meta.last_included_index &&
        raft_term_at(core->memory, file.meta.last_included_index, &term) &&
        term == file.meta.last_included_term)
        keep_file(core, &file);
}

static void snapshot(struct world *world, struct core *core)
{
    if (core->arrived.meta.last_included_index != 0)
        report_arrival(world, core);
    else if (core->taking.meta.last_included_index != 0)
        end_snapshot(world, core);
    else if (one_in(world, 4))
        begin_snapshot(world, core);
}

static void change(struct world *world, struct core *core)
{
    struct raft_member members[3];
    struct raft_event event = {.type = RAFT_EVENT_CHANGE_MEMBERSHIP};
    event.change.members = members;
    event.change.count = 1 + below(world, 3);
    const struct raft_configuration *now = core->view.configuration;
    for (uint32_t i = 0; i < event.change.count; i++) {
        make_member(world, &members[i]);
        if (!world->hostile)
            members[i] = (struct raft_member){1 + below(world, world->count),
                                              members[i].role, members[i].priority};
        if (now->count > 0 && one_in(world, 2)) { // learners in, voters out
            const struct raft_member *member = &now->members[below(world, now->count)];
            members[i] = *member;
            members[i].role = member->role == RAFT_VOTER ? RAFT_REMOVED : RAFT_VOTER;
        }
    }
    step(world, core, event);
}

// Of the host's own: numbers of what was never given out.
static void host_nonsense(struct world *world, struct core *core)
{
    struct raft_event event = {.type = (enum raft_event_type)below(world, 300)};
    if (event.type == 0 || event.type >= RAFT_EVENT_TYPE_END)
        CHECK_EQ(step(world, core, event), RAFT_INVALID);
    event = (struct raft_event){.type = RAFT_EVENT_PERSISTED};
    event.persisted.write = core->issued + 1 + below(world, 3);
    CHECK_EQ(step(world, core, event), RAFT_INVALID);
    event = (struct raft_event){.type = RAFT_EVENT_APPLIED};
    event.applied.index = core->given + 1 + below(world, 3);
    CHECK_EQ(step(world, core, event), RAFT_INVALID);
    event = (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_TAKEN};
    event.snapshot_taken.index = core->applied + 1 + below(world, 3);
    event.snapshot_taken.keep_from = draw(world);
    CHECK_EQ(step(world, core, event), RAFT_INVALID);
}

static void nonsense(struct world *world, struct core *core)
{
    static struct kept_message message;
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &message.message};
    if (one_in(world, 16)) {
        host_nonsense(world, core);
        return;
    }
    make_message(world, core, &message);
    step(world, core, event);
}

static void any_event(struct world *world, struct core *core)
{
    switch (below(world, 18)) {
    case 0:
    case 1:
        tick(world, core, below(world, one_in(world, 10) ? 400 : 20));
        break;
    case 2:
        if (one_in(world, 3))
            propose(world, core);
        break;
    case 3:
        read_index(world, core);
        break;
    case 4:
    case 5:
    case 6:
        if (core->reported < core->issued) {
            uint32_t under_way = (uint32_t)(core->issued - core->reported);
            persist(world, core, core->reported + 1 + below(world, under_way));
        }
        break;
    case 7:
        if (core->applied < core->given)
            apply(world, core, core->given);
        break;
    case 8:
    case 9:
    case 10:
        if (world->hostile) {
            nonsense(world, core);
            break;
        }
        deliver(world, true);
        break;
    case 11:
        snapshot(world, core);
        break;
    case 12:
        if (world->changes && one_in(world, 8))
            change(world, core);
        else if (one_in(world, 30))
            step(world, core,
                 (struct raft_event){.type = RAFT_EVENT_TRANSFER_LEADERSHIP,
                                     .transfer.to = below(world, 9)});
        break;
    default:
        deliver(world, true);
        break;
    }
    if (core->issued - core->reported > WRITES_MAX / 2)
        persist(world, core, core->issued);
    if (one_in(world, 1000))
        crash(world, core);
    if (one_in(world, 500)) // the network is as often whole as not
        world->cut_off = below(world, 2) * (1 + below(world, world->count));
}

// ---- worlds -----------------------------------------------------------------------

static void configure(struct world *world, struct raft_config *config)
{
    raft_config_default(config);
    config->log_entries_max = world->hostile ? 64u << below(world, 2) : ENTRIES_MAX;
    config->log_bytes_max = world->hostile ? 64u << below(world, 7) : 1 << 16;
    config->command_bytes_max = COMMAND_MAX;
    config->message_entries_max = 1 + below(world, one_in(world, 2) ? 2 : 16);
    config->message_bytes_max = below(world, 100);
    config->inflight_max = 1 + below(world, one_in(world, 2) ? 3 : RAFT_INFLIGHT_MAX);
    if (one_in(world, 2))
        config->inflight_bytes_max = below(world, 100);
    if (one_in(world, 2))
        config->uncommitted_bytes_max = below(world, 200);
    config->check_quorum = !one_in(world, 3);
    config->pre_vote = !one_in(world, 3);
    if (config->check_quorum && one_in(world, 2))
        config->lease_drift_percent = 1 + below(world, 50);
    world->one_clock = config->lease_drift_percent > 0 && !world->hostile;
    // Who is removed and has not heard of it may depose leaders for ever, with neither.
    world->changes = config->check_quorum || config->pre_vote;
}

// Some wait to be added.
static void choose_members(struct world *world, struct raft_configuration *members)
{
    members->count = 1 + below(world, world->count);
    for (uint32_t i = 0; i < members->count; i++)
        members->members[i] = (struct raft_member){
            i + 1, i > 0 && one_in(world, 6) ? RAFT_LEARNER : RAFT_VOTER,
            one_in(world, 4) ? below(world, 3) : 0};
}

static struct world *world_begin(uint64_t seed, bool hostile)
{
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    world->random = seed;
    world->hostile = hostile;
    world->count = 1 + below(world, CORES_MAX);
    struct raft_config config;
    configure(world, &config);
    struct raft_configuration members;
    choose_members(world, &members);
    for (uint32_t i = 0; i < world->count; i++) {
        struct core *core = &world->cores[i];
        core->config = config;
        core->config.id = i + 1;
        core->config.seed = seed * 1000 + i;
        if (i < members.count)
            core->config.configuration = members;
        if (hostile && one_in(world, 4)) // they need not be of one mind
            core->config.message_entries_max = 1 + below(world, 16);
        core->size = (raft_size(&core->config) + 15) / 16 * 16;
        core->memory = aligned_alloc(16, core->size);
        core->twin = aligned_alloc(16, core->size);
        core->writes = calloc(WRITES_MAX, sizeof *core->writes);
        CHECK(core->memory != NULL && core->twin != NULL && core->writes != NULL);
        boot(world, core);
    }
    return world;
}

static void world_end(struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++) {
        free(world->cores[i].memory);
        free(world->cores[i].twin);
        free(world->cores[i].writes);
    }
    for (uint32_t i = 0; i < INDEX_MAX; i++)
        free(world->files[i]);
    free(world);
}

// RAFT_FUZZ_WORLDS asks for a longer run, RAFT_FUZZ_FIRST for another first seed, and
// RAFT_FUZZ_TRACE for all that is said.
static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void run_worlds(bool hostile, void (*run)(struct world *world))
{
    uint64_t first = from_environment("RAFT_FUZZ_FIRST", 1);
    uint64_t count = from_environment("RAFT_FUZZ_WORLDS", WORLDS);
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (getenv("RAFT_FUZZ_TRACE") != NULL)
            fprintf(stderr, "seed %" PRIu64 "\n", seed);
        struct world *world = world_begin(seed, hostile);
        run(world);
        world_end(world);
    }
}

static void run(struct world *world)
{
    for (uint32_t i = 0; i < STEPS; i++)
        any_event(world, &world->cores[below(world, world->count)]);
}

// No faults any more: disks that are quick, messages that arrive, clocks that go.
static void heal(struct world *world)
{
    world->cut_off = 0;
    for (uint32_t ms = 0; ms < 4000; ms += 5) {
        world->now_ms += world->one_clock ? 5 : 0;
        for (uint32_t i = 0; i < world->count; i++) {
            struct core *core = &world->cores[i];
            tick(world, core, world->one_clock ? 0 : 5);
            if (core->reported < core->issued)
                persist(world, core, core->issued);
            if (core->applied < core->given)
                apply(world, core, core->given);
            if (core->arrived.meta.last_included_index != 0 ||
                core->taking.meta.last_included_index != 0 ||
                core->view.last_index - core->view.first_index > ENTRIES_MAX / 2)
                snapshot(world, core);
        }
        for (uint32_t i = 0; i < 2 * POOL_MAX && world->pool_count > 0; i++)
            deliver(world, false);
    }
}

// Bug 35: at rest nothing is under way, and nothing is counted as if it were.
static void check_at_rest(const struct world *world, const struct core *leader)
{
    const struct raft_view *view = &leader->view;
    CHECK_EQ(view->uncommitted_bytes, 0);
    CHECK_EQ(view->transfer_to, 0);
    for (uint32_t i = 0; i < view->peer_count; i++) {
        const struct raft_peer_view *peer = &view->peers[i];
        CHECK(peer->id <= world->count);
        CHECK_EQ(peer->state, RAFT_REPLICATE);
        CHECK_EQ(peer->inflight, 0);
        CHECK_EQ(peer->inflight_bytes, 0);
        CHECK_EQ(peer->match_index, view->last_index);
    }
}

static void check_healed(const struct world *world)
{
    const struct core *leader = NULL;
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->cores[i].view.role != RAFT_LEADER)
            continue;
        CHECK(leader == NULL);
        leader = &world->cores[i];
    }
    CHECK(leader != NULL);
    check_at_rest(world, leader);
    const struct raft_configuration *members = leader->view.configuration;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct core *core = &world->cores[members->members[i].id - 1];
        CHECK(members->members[i].role == RAFT_VOTER ||
              members->members[i].role == RAFT_LEARNER);
        CHECK_EQ(core->view.last_index, leader->view.last_index);
        CHECK_EQ(core->applied, core->view.last_index);
        CHECK_EQ(core->digest, leader->digest);
        CHECK_EQ(core->view.configuration_index, leader->view.configuration_index);
    }
    for (uint32_t i = 0; i < world->count; i++)
        CHECK_EQ(world->cores[i].view.reads_pending, 0);
}

static void run_and_heal(struct world *world)
{
    run(world);
    heal(world);
    check_healed(world);
}

TEST(what_peers_make_up_breaks_no_core)
{
    run_worlds(true, run);
}

TEST(honest_cores_agree_under_any_order_and_recover_when_it_ends)
{
    run_worlds(false, run_and_heal);
}

TEST_MAIN
