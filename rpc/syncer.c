#include "rpc/syncer.h"

#include "raft/host/disk_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct sync_job {
    uv_work_t work;
    struct syncer *syncer;
    uint64_t token;
    int file;
    int directory;
    int status;
};

void syncer_release(struct syncer *syncer)
{
    free(syncer->skipped);
}

static void run(uv_work_t *work)
{
    struct sync_job *job = work->data;

    job->status = disk_posix_sync_fd(job->file, job->directory);
}

static void done(uv_work_t *work, int status)
{
    struct sync_job *job = work->data;
    struct syncer *syncer = job->syncer;

    syncer->underway--;
    syncer->synced(syncer->context, job->token, status != 0 ? status : job->status);
    free(job);
}

static void skip(struct syncer *syncer, uint64_t token)
{
    if (syncer->skipped_count == syncer->skipped_capacity) {
        syncer->skipped_capacity = syncer->skipped_capacity * 2 + 4;
        syncer->skipped = realloc(syncer->skipped,
                                  syncer->skipped_capacity * sizeof *syncer->skipped);
        if (syncer->skipped == NULL)
            abort();
    }
    syncer->skipped[syncer->skipped_count++] = token;
}

int syncer_start(void *context, int file, int directory, uint64_t token)
{
    struct syncer *syncer = context;
    struct sync_job *job;

    if (syncer->skip) {
        close(file); // it was given to us
        skip(syncer, token);
        return 0;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return -ENOMEM;
    job->work.data = job;
    job->syncer = syncer;
    job->token = token;
    job->file = file;
    job->directory = directory;
    syncer->underway++;
    return uv_queue_work(syncer->loop, &job->work, run, done);
}

bool syncer_report(struct syncer *syncer)
{
    uint32_t count = syncer->skipped_count;

    // What these reports start is skipped again, and reported by the next call.
    for (uint32_t i = 0; i < count; i++)
        syncer->synced(syncer->context, syncer->skipped[i], 0);
    syncer->skipped_count -= count;
    for (uint32_t i = 0; i < syncer->skipped_count; i++)
        syncer->skipped[i] = syncer->skipped[i + count];
    return count > 0;
}
