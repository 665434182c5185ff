// Random events with random field values: no peer may break a core, only slow it down.
//
// One to five cores talk to each other through messages that are lost, repeated, held
// back, or made up; disks crash in the middle of what was under way.
#include "tests/raft/fuzz_world.h"

enum {
    STEPS = 20000,
    WORLDS = 12,
};

// ---- what peers say ---------------------------------------------------------------

static uint64_t some_number(struct world *world, const struct core *core)
{
    switch (below(world, 8)) {
    case 0:
        return UINT64_MAX - below(world, 3);
    case 1:
        return draw(world) >> below(world, 64);
    case 2:
        return core->view.last_index + 1 - below(world, 3);
    case 3:
        return core->view.commit_index + 1 - below(world, 3);
    default:
        return below(world, (uint32_t)core->view.last_index + 2);
    }
}

static raft_term some_term(struct world *world, const struct core *core)
{
    if (one_in(world, 2000))
        return UINT64_MAX - below(world, 3);
    raft_term term = core->view.current_term;
    return one_in(world, 4) ? term + 1 - below(world, 3) : term;
}

static void make_entries(struct world *world, const struct core *core,
                         struct kept_message *kept)
{
    struct raft_append_entries *append = &kept->message.append_entries;
    append->count = below(world, one_in(world, 8) ? BATCH_MAX + 1 : 4);
    append->entries = kept->entries;
    raft_term term = append->prev_log_term;
    for (uint32_t i = 0; i < append->count; i++) {
        struct raft_entry *entry = &kept->entries[i];
        if (term < kept->message.term && one_in(world, 3))
            term++;
        *entry = (struct raft_entry){.index = append->prev_log_index + 1 + i,
                                     .term = term,
                                     .type = RAFT_ENTRY_COMMAND,
                                     .size = below(world, DATA_MAX + 1),
                                     .data = kept->data[i]};
        memset(kept->data[i], (int)below(world, 256), DATA_MAX);
        if (one_in(world, 50))
            entry->type = (enum raft_entry_type)below(world, 300);
        if (one_in(world, 50))
            entry->term = some_number(world, core);
        if (one_in(world, 50))
            entry->index = some_number(world, core);
    }
}

static void make_append(struct world *world, const struct core *core,
                        struct kept_message *kept)
{
    struct raft_append_entries *append = &kept->message.append_entries;
    append->prev_log_index = some_number(world, core);
    if (one_in(world, 4) ||
        !raft_term_at(core->memory, append->prev_log_index, &append->prev_log_term))
        append->prev_log_term = some_term(world, core);
    append->leader_commit = some_number(world, core);
    append->round = some_number(world, core);
    make_entries(world, core, kept);
}

// A message to this core of which nothing need be true.
static void make_message(struct world *world, const struct core *core,
                         struct kept_message *kept)
{
    memset(&kept->message, 0, sizeof kept->message);
    struct raft_message *message = &kept->message;
    message->type = (enum raft_message_type)(
        one_in(world, 20) ? below(world, 300) : RAFT_REQUEST_VOTE + below(world, 4));
    message->to = one_in(world, 50) ? below(world, 9) : core->config.id;
    message->from = one_in(world, 50) ? UINT32_MAX : below(world, CORES_MAX + 2);
    message->term = some_term(world, core);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        message->request_vote.last_log_index = some_number(world, core);
        message->request_vote.last_log_term = some_term(world, core);
        message->request_vote.pre_vote = one_in(world, 2);
        break;
    case RAFT_REQUEST_VOTE_REPLY:
        message->request_vote_reply.vote_granted = one_in(world, 2);
        message->request_vote_reply.pre_vote = one_in(world, 2);
        break;
    case RAFT_APPEND_ENTRIES:
        make_append(world, core, kept);
        break;
    case RAFT_APPEND_ENTRIES_REPLY:
        message->append_entries_reply.success = one_in(world, 2);
        message->append_entries_reply.match_index = some_number(world, core);
        message->append_entries_reply.prev_log_index = some_number(world, core);
        message->append_entries_reply.conflict_index = some_number(world, core);
        message->append_entries_reply.conflict_term = some_term(world, core);
        message->append_entries_reply.round = some_number(world, core);
        break;
    default:
        break;
    }
}

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
    static const uint8_t bytes[DATA_MAX + 8] = "what is proposed, in pieces";
    uint32_t count = one_in(world, 16) ? below(world, BATCH_MAX + 1) : 1;
    for (uint32_t i = 0; i < count; i++) {
        commands[i].data = bytes + below(world, 8);
        commands[i].size = below(world, DATA_MAX + 1);
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

static void nonsense(struct world *world, struct core *core)
{
    static struct kept_message message;
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &message.message};
    if (one_in(world, 16)) { // of the host's own
        event.type = (enum raft_event_type)below(world, 300);
        if (event.type != RAFT_EVENT_MESSAGE && event.type != RAFT_EVENT_PROPOSE &&
            event.type != RAFT_EVENT_PERSISTED && event.type != RAFT_EVENT_APPLIED)
            step(world, core, event);
        event = (struct raft_event){.type = RAFT_EVENT_PERSISTED};
        event.persisted.write = core->issued + 1 + below(world, 3);
        step(world, core, event);
        event = (struct raft_event){.type = RAFT_EVENT_APPLIED};
        event.applied.index = core->given + 1 + below(world, 3);
        step(world, core, event);
        return;
    }
    make_message(world, core, &message);
    step(world, core, event);
}

static void any_event(struct world *world, struct core *core)
{
    switch (below(world, 16)) {
    case 0:
    case 1:
        tick(world, core, below(world, one_in(world, 10) ? 400 : 20));
        break;
    case 2:
        if (one_in(world, 3))
            propose(world, core);
        break;
    case 3:
        step(world, core, (struct raft_event){.type = RAFT_EVENT_READ, .read.id = 1});
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
        // fall through
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
    config->log_bytes_max = world->hostile ? 64u << below(world, 7) : 1 << 14;
    config->command_bytes_max = DATA_MAX < config->log_bytes_max ? DATA_MAX : 16;
    config->message_entries_max = 1 + below(world, one_in(world, 2) ? 2 : 16);
    config->message_bytes_max = below(world, 100);
    config->inflight_max = 1 + below(world, one_in(world, 2) ? 3 : RAFT_INFLIGHT_MAX);
    config->configuration.count = world->count;
    for (uint32_t i = 0; i < world->count; i++)
        config->configuration.members[i] = (struct raft_member){
            i + 1, i > 0 && one_in(world, 6) ? RAFT_LEARNER : RAFT_VOTER};
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
    for (uint32_t i = 0; i < world->count; i++) {
        struct core *core = &world->cores[i];
        core->config = config;
        core->config.id = i + 1;
        core->config.seed = seed;
        if (hostile && one_in(world, 4)) // they need not be of one mind
            core->config.message_entries_max = 1 + below(world, 16);
        core->size = (raft_size(&core->config) + 15) / 16 * 16;
        core->memory = aligned_alloc(16, core->size);
        core->twin = aligned_alloc(16, core->size);
        core->writes = calloc(WRITES_MAX, sizeof *core->writes);
        CHECK(core->memory != NULL && core->twin != NULL && core->writes != NULL);
        boot(core);
    }
    return world;
}

// RAFT_FUZZ_WORLDS asks for a longer run.
static uint64_t worlds(void)
{
    const char *text = getenv("RAFT_FUZZ_WORLDS");
    return text == NULL ? WORLDS : strtoull(text, NULL, 10);
}

static void world_end(struct world *world)
{
    for (uint32_t i = 0; i < world->count; i++) {
        free(world->cores[i].memory);
        free(world->cores[i].twin);
        free(world->cores[i].writes);
    }
    free(world);
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
    for (uint32_t ms = 0; ms < 3000; ms += 5) {
        for (uint32_t i = 0; i < world->count; i++) {
            struct core *core = &world->cores[i];
            tick(world, core, 5);
            if (core->reported < core->issued)
                persist(world, core, core->issued);
            if (core->applied < core->given)
                apply(world, core, core->given);
        }
        for (uint32_t i = 0; i < 2 * POOL_MAX && world->pool_count > 0; i++)
            deliver(world, false);
    }
}

static void check_healed(const struct world *world)
{
    uint32_t leaders = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        const struct core *core = &world->cores[i];
        if (core->view.last_index >= core->config.log_entries_max)
            return; // full: a new leader has no room for its no-op
        leaders += core->view.role == RAFT_LEADER;
        CHECK_EQ(core->view.last_index, world->cores[0].view.last_index);
        CHECK_EQ(core->applied, core->view.last_index);
        CHECK_EQ(core->view.reads_pending, 0);
    }
    CHECK_EQ(leaders, 1);
}

TEST(what_peers_make_up_breaks_no_core)
{
    for (uint64_t seed = 1; seed <= worlds(); seed++) {
        struct world *world = world_begin(seed, true);
        run(world);
        world_end(world);
    }
}

TEST(honest_cores_agree_under_any_order_and_recover_when_it_ends)
{
    for (uint64_t seed = 1; seed <= worlds(); seed++) {
        struct world *world = world_begin(seed, false);
        run(world);
        heal(world);
        check_healed(world);
        world_end(world);
    }
}

TEST_MAIN
