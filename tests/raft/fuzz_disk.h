// fuzz_disk.h: what a core's stable storage holds, what it may say with that, and what
// is left of it after a crash. See fuzz_world.h.
#ifndef TESTS_RAFT_FUZZ_DISK_H
#define TESTS_RAFT_FUZZ_DISK_H

#include "tests/raft/fuzz_world.h"

// ---- what a crash in this moment would leave --------------------------------------

static bool disk_log_has(const struct disk *disk, raft_index index, raft_term term)
{
    if (index == disk->base_index)
        return term == disk->base_term;
    return index > disk->base_index && index <= disk->last_index &&
           disk->entries[index % INDEX_MAX].entry.term == term;
}

// Whether the log goes on behind the newest snapshot; else only that counts.
static bool disk_log_counts(const struct disk *disk)
{
    const struct raft_snapshot_meta *newest = &disk->files[0].meta;
    return newest->last_included_index == 0 ||
           disk_log_has(disk, newest->last_included_index, newest->last_included_term);
}

static void check_durable(const struct core *core, const struct raft_entry *entry)
{
    if (entry->index <= core->disk.files[0].meta.last_included_index)
        return;
    CHECK(disk_log_counts(&core->disk));
    CHECK(entry->index > core->disk.base_index &&
          entry->index <= core->disk.last_index);
    CHECK(same_entry(&core->disk.entries[entry->index % INDEX_MAX].entry, entry));
}

// STATE-0: the log up to here, as it is in memory, is on disk. What lies far behind was
// looked at before.
static void check_log_durable(const struct core *core, raft_index last)
{
    raft_index first = core->view.first_index;
    if (last > first + 32)
        first = last - 32;
    for (raft_index index = first; index <= last; index++) {
        struct raft_entry entry;
        CHECK(raft_entry_at(core->memory, index, &entry));
        check_durable(core, &entry);
    }
}

// ---- what a core says -------------------------------------------------------------

static void check_append(const struct core *core, const struct raft_message *message)
{
    const struct raft_append_entries *append = &message->append_entries;
    CHECK_EQ(core->disk.hard_state.current_term, message->term);
    CHECK(append->leader_commit <= core->view.last_index);
    CHECK(append->count <= core->config.message_entries_max);
    check_run(append->entries, append->count, append->prev_log_index + 1);
    if (append->prev_log_index == 0 && append->count == 0)
        return; // of a peer that waits for a snapshot nothing is known
    raft_term term;
    CHECK(raft_term_at(core->memory, append->prev_log_index, &term));
    CHECK_EQ(append->prev_log_term, term);
}

static void check_vote(const struct core *core, const struct raft_message *message)
{
    const struct raft_hard_state *disk = &core->disk.hard_state;
    const struct raft_request_vote_reply *reply = &message->request_vote_reply;
    if (reply->pre_vote)
        return;
    CHECK(disk->current_term >= message->term);
    if (reply->vote_granted)
        CHECK_EQ(disk->voted_for, message->to);
}

// STATE-0: nothing is said that a crash in this moment would make a lie.
static void check_message(const struct world *world, const struct core *core,
                          const struct raft_message *message)
{
    const struct raft_hard_state *disk = &core->disk.hard_state;
    CHECK_EQ(message->from, core->config.id);
    CHECK(message->to != core->config.id);
    switch (message->type) {
    case RAFT_REQUEST_VOTE:
        if (message->request_vote.pre_vote)
            return;
        CHECK_EQ(disk->current_term, message->term);
        CHECK_EQ(disk->voted_for, core->config.id);
        // Else it goes out too late to count; and a snapshot that came in meanwhile
        // has taken the end of a log that could not win.
        if (core->view.role == RAFT_CANDIDATE &&
            message->request_vote.last_log_index <= core->view.last_index)
            check_log_durable(core, message->request_vote.last_log_index);
        return;
    case RAFT_REQUEST_VOTE_REPLY:
        check_vote(core, message);
        return;
    case RAFT_APPEND_ENTRIES:
        check_append(core, message);
        return;
    case RAFT_APPEND_ENTRIES_REPLY:
        CHECK(disk->current_term >= message->term);
        // Two leaders in one term may take back what was acknowledged.
        if (message->append_entries_reply.success && !world->hostile)
            check_log_durable(core, message->append_entries_reply.match_index);
        return;
    case RAFT_INSTALL_SNAPSHOT_REPLY:
        CHECK(disk->current_term >= message->term);
        if (message->install_snapshot_reply.installed && !world->hostile)
            check_log_durable(core,
                              message->install_snapshot_reply.last_included_index);
        return;
    case RAFT_TIMEOUT_NOW:
    case RAFT_READ_INDEX:
        return;
    case RAFT_READ_INDEX_REPLY:
        CHECK(message->read_index.index <= core->view.commit_index);
        return;
    default:
        CHECK(false);
    }
}

static void check_reads(const struct world *world, const struct core *core,
                        const struct raft_output *output)
{
    for (uint32_t i = 0; i < output->read_count; i++) {
        const struct raft_read *read = &output->reads[i];
        if (read->status != RAFT_OK)
            continue;
        CHECK(read->index <= core->applied);
        if (!world->hostile)
            CHECK(read->index >= world->floors[read->id % READS_MAX]);
    }
}

// Figure 2: the term, the commit index and the vote within a term go one way.
static void check_view(struct world *world, struct core *core)
{
    struct raft_view view;
    raft_observe(core->memory, &view);
    CHECK(view.current_term >= core->view.current_term);
    if (view.current_term == core->view.current_term && core->view.voted_for != 0)
        CHECK_EQ(view.voted_for, core->view.voted_for);
    CHECK(view.commit_index >= core->view.commit_index);
    CHECK(view.snapshot_index >= core->view.snapshot_index);
    if (!world->hostile)
        CHECK_EQ(view.snapshot_index, core->disk.files[0].meta.last_included_index);
    bool other_log = view.last_index != core->view.last_index ||
                     view.configuration_index != core->view.configuration_index;
    core->view = view;
    if (other_log)
        check_configuration(core);
    check_log_durable(core, view.durable_index);
    const char *broken = raft_check(core->memory);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "core invariant: %s", broken);
    if (view.commit_index > world->committed)
        world->committed = view.commit_index;
}

// ---- snapshots --------------------------------------------------------------------

static uint8_t file_byte(const struct file *file, uint64_t offset)
{
    return (uint8_t)(mix(file->digest + offset));
}

// The host keeps the newest ones.
static void keep_file(struct core *core, const struct file *file)
{
    struct file *files = core->disk.files;
    uint32_t at = 0;
    while (at < FILES_KEPT &&
           files[at].meta.last_included_index > file->meta.last_included_index)
        at++;
    if (at == FILES_KEPT ||
        files[at].meta.last_included_index == file->meta.last_included_index)
        return;
    for (uint32_t i = FILES_KEPT - 1; i > at; i--)
        files[i] = files[i - 1];
    files[at] = *file;
}

static void send_chunk(struct world *world, const struct core *core,
                       const struct raft_snapshot_send *send)
{
    const struct file *file = NULL;
    for (uint32_t i = 0; i < FILES_KEPT; i++) {
        if (core->disk.files[i].meta.last_included_index == send->last_included_index)
            file = &core->disk.files[i];
    }
    if (world->hostile && (file == NULL || send->offset >= file->size))
        return;
    CHECK(file != NULL); // else nobody could send it
    CHECK(send->offset < file->size);
    uint8_t data[CHUNK_MAX];
    struct raft_message message = {
        .type = RAFT_INSTALL_SNAPSHOT, .from = core->config.id, .to = send->to};
    message.term = core->view.current_term;
    struct raft_install_snapshot *chunk = &message.install_snapshot;
    chunk->last_included_index = send->last_included_index;
    chunk->last_included_term = file->meta.last_included_term;
    chunk->offset = send->offset;
    chunk->total = file->size;
    chunk->checksum = file->digest;
    chunk->size = 1 + below(world, CHUNK_MAX);
    if (chunk->size > chunk->total - chunk->offset)
        chunk->size = (uint32_t)(chunk->total - chunk->offset);
    for (uint32_t i = 0; i < chunk->size; i++)
        data[i] = file_byte(file, send->offset + i);
    chunk->data = data;
    keep_message(world, &message);
}

// The whole of it, byte by byte, is what somebody has taken; or it is made up.
static struct file file_of(struct world *world, const struct core *core,
                           const struct raft_install_snapshot *last)
{
    struct file made_up = {.digest = draw(world) | 1, .size = (uint32_t)last->total};
    made_up.meta.last_included_index = last->last_included_index;
    made_up.meta.last_included_term = last->last_included_term;
    if (world->hostile)
        return made_up;
    const struct file *file = world->files[last->last_included_index];
    CHECK(file != NULL);
    CHECK_EQ(last->checksum, file->digest);
    CHECK_EQ(core->aside_size, file->size);
    for (uint64_t i = 0; i < core->aside_size; i++)
        CHECK_EQ(core->aside[i], file_byte(file, i));
    return *file;
}

static void store_chunk(struct world *world, struct core *core,
                        const struct raft_install_snapshot *chunk)
{
    if (core->arrived.meta.last_included_index != 0) {
        CHECK(core->failed); // it has not been told yet; else the host is busy
        return;
    }
    if (chunk->offset == 0)
        core->aside_size = 0;
    CHECK_EQ(chunk->offset, core->aside_size);
    CHECK(chunk->size > 0 && chunk->offset + chunk->size <= chunk->total);
    if (chunk->total <= FILE_MAX)
        memcpy(core->aside + chunk->offset, chunk->data, chunk->size);
    core->aside_size += chunk->size;
    core->failed = chunk->total > FILE_MAX || one_in(world, 20);
    if (core->aside_size == chunk->total || core->failed)
        core->arrived = core->failed
                            ? (struct file){.meta = {.last_included_index =
                                                         chunk->last_included_index,
                                                     .last_included_term =
                                                         chunk->last_included_term}}
                            : file_of(world, core, chunk);
}

static void restore(struct world *world, struct core *core,
                    const struct raft_snapshot_meta *meta)
{
    const struct file *newest = &core->disk.files[0];
    CHECK(meta->last_included_index > core->given);
    core->given = meta->last_included_index;
    if (world->hostile)
        return;
    CHECK_EQ(meta->last_included_index, newest->meta.last_included_index);
    CHECK_EQ(meta->last_included_term, newest->meta.last_included_term);
    core->digest = newest->digest;
    check_state(world, core, core->given);
}

// ---- a step -----------------------------------------------------------------------

static void keep_write(struct core *core, const struct raft_output *output)
{
    if (output->write == 0) {
        CHECK(!output->hard_state_changed);
        CHECK_EQ(output->entry_count, 0);
        CHECK(output->snapshot_restore == NULL);
        return;
    }
    CHECK_EQ(output->write, core->issued + 1);
    core->issued = output->write;
    struct kept_write *write = &core->writes[output->write % WRITES_MAX];
    write->hard_state_changed = output->hard_state_changed;
    write->hard_state = output->hard_state;
    write->restart_index = 0;
    if (output->snapshot_restore != NULL) {
        write->restart_index = output->snapshot_restore->last_included_index;
        write->restart_term = output->snapshot_restore->last_included_term;
    }
    write->count = output->entry_count;
    CHECK(write->count <= WRITE_MAX);
    if (write->count > 0)
        check_run(output->entries, write->count, output->entries[0].index);
    for (uint32_t i = 0; i < write->count; i++)
        keep_entry(&write->entries[i].entry, write->entries[i].data,
                   &output->entries[i]);
    keep_log(core, output);
}

static void apply_given(struct world *world, struct core *core,
                        const struct raft_output *output)
{
    if (output->snapshot_restore != NULL) {
        CHECK_EQ(output->apply_count, 0);
        restore(world, core, output->snapshot_restore);
    }
    check_run(output->apply, output->apply_count, core->given + 1);
    for (uint32_t i = 0; i < output->apply_count; i++) {
        check_durable(core, &output->apply[i]);
        note_applied(world, core, &output->apply[i]);
    }
    core->given += output->apply_count;
}

static enum raft_status step(struct world *world, struct core *core,
                             struct raft_event event)
{
    if (world->one_clock)
        core->now_ms = world->now_ms;
    event.now_ms = core->now_ms;
    struct raft_output output;
    struct raft_output same;
    enum raft_status status = raft_step(core->memory, &event, &output);
    CHECK_EQ(raft_step(core->twin, &event, &same), status);
    check_same(core, &event, &output, &same);
    core->deadline_ms = output.deadline_ms;
    keep_write(core, &output);
    check_view(world, core);
    check_leader(world, core);
    apply_given(world, core, &output);
    for (uint32_t i = 0; i < output.message_count; i++) {
        check_message(world, core, &output.messages[i]);
        keep_message(world, &output.messages[i]);
    }
    for (uint32_t i = 0; i < output.snapshot_send_count; i++)
        send_chunk(world, core, &output.snapshot_sends[i]);
    if (output.snapshot_store != NULL)
        store_chunk(world, core, output.snapshot_store);
    check_reads(world, core, &output);
    if (one_in(world, 64)) // "memcpy forks a node"
        memcpy(core->twin, core->memory, core->size);
    return status;
}

// ---- the disk ---------------------------------------------------------------------

static void land(struct core *core, uint64_t number)
{
    const struct kept_write *write = &core->writes[number % WRITES_MAX];
    struct disk *disk = &core->disk;
    if (write->hard_state_changed)
        disk->hard_state = write->hard_state;
    if (write->restart_index != 0) {
        disk->base_index = disk->last_index = write->restart_index;
        disk->base_term = write->restart_term;
    }
    for (uint32_t i = 0; i < write->count; i++) {
        const struct raft_entry *entry = &write->entries[i].entry;
        CHECK(entry->index > disk->base_index);
        CHECK(entry->index <= disk->last_index + 1); // no gap
        struct kept_entry *kept = slot(disk->entries, entry->index);
        keep_entry(&kept->entry, kept->data, entry);
        disk->last_index = entry->index;
    }
    core->reported = number;
}

static void persist(struct world *world, struct core *core, uint64_t up_to)
{
    while (core->reported < up_to)
        land(core, core->reported + 1);
    step(world, core,
         (struct raft_event){.type = RAFT_EVENT_PERSISTED, .persisted.write = up_to});
}

static void load(struct core *core)
{
    struct disk *disk = &core->disk;
    for (raft_index index = core->base.last_included_index + 1;
         index <= disk->last_index; index++) {
        const struct kept_entry *kept = slot(disk->entries, index);
        CHECK_EQ(raft_load(core->memory, &kept->entry), RAFT_OK);
        CHECK_EQ(raft_load(core->twin, &kept->entry), RAFT_OK);
        struct kept_entry *in_memory = slot(core->log, index);
        keep_entry(&in_memory->entry, in_memory->data, &kept->entry);
    }
}

static void boot(struct world *world, struct core *core)
{
    struct disk *disk = &core->disk;
    memset(core->memory, 0xa5, core->size);
    memset(core->twin, 0x5a, core->size);
    core->config.start_ms = core->now_ms;
    core->config.seed += world->count; // never the same at two starts
    const struct file *newest = &disk->files[0];
    core->base = newest->meta;
    if (newest->meta.last_included_index == 0)
        core->base.configuration = core->config.configuration;
    if (!disk_log_counts(disk)) { // it begins anew, and that is on disk at once
        disk->base_index = disk->last_index = newest->meta.last_included_index;
        disk->base_term = newest->meta.last_included_term;
    }
    raft_init(core->memory, &core->config, &disk->hard_state, &newest->meta);
    raft_init(core->twin, &core->config, &disk->hard_state, &newest->meta);
    load(core);
    core->issued = core->reported = 0;
    core->given = core->applied = newest->meta.last_included_index;
    core->digest = core->given == 0 ? 1 : newest->digest;
    core->taking = core->arrived = (struct file){0};
    core->aside_size = 0;
    raft_observe(core->memory, &core->view);
    check_configuration(core);
}

// Some of what was under way may have reached the disk.
static void crash(struct world *world, struct core *core)
{
    uint64_t survive = below(world, (uint32_t)(core->issued - core->reported) + 1);
    for (uint64_t i = 0; i < survive; i++)
        land(core, core->reported + 1);
    boot(world, core);
}

#endif
