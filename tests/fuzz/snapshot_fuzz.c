// snapshot_fuzz.c: the file of a snapshot, and the state in it.
//
// The input is a directory (fuzz_disk.h), behind one byte: how long the pieces are that
// a file is read in. Claims: a file is good or bad whatever its pieces; a body that the
// store takes is what the store would write, byte for byte; one that it does not take
// leaves it empty, and a good one can be restored after that.
#include "kvserver/service/service.h"
#include "tests/fuzz/fuzz_disk.h"

enum { PIECE_MAX = 512, PIECE_ALL = 1 << 17 };

// How the file reads in pieces of this size; its body is added to *body.
static enum snapshot_problem read_file(const struct disk *disk, const char *name,
                                       uint64_t size, size_t piece_size,
                                       struct buffer *body)
{
    static uint8_t space[PIECE_ALL];
    struct snapshot_reader reader;
    struct snapshot_piece piece;
    if (!snapshot_file_open(&reader, disk, name, size, 1))
        return reader.problem;
    while (true) {
        switch (snapshot_file_next(&reader, disk, space, piece_size, &piece)) {
        case SNAPSHOT_READ_MORE:
            buffer_append(body, piece.body, piece.size);
            break;
        case SNAPSHOT_READ_END:
            buffer_append(body, piece.body, piece.size);
            FUZZ_CHECK(body->size == reader.trailer.body_size);
            return SNAPSHOT_GOOD;
        case SNAPSHOT_READ_BAD:
            FUZZ_CHECK(reader.problem != SNAPSHOT_GOOD);
            return reader.problem;
        }
    }
}

static int restore(struct service *service, const struct buffer *body, size_t piece)
{
    FUZZ_CHECK(service_restore_begin(service) == 0);
    for (size_t at = 0; at < body->size; at += piece) {
        size_t left = body->size - at;
        if (service_restore_write(service, body->data + at,
                                  left < piece ? left : piece) != 0)
            break;
    }
    return service_restore_end(service);
}

static void write_state(struct service *service, struct buffer *state)
{
    char space[PIECE_MAX];
    size_t size;
    struct service_snapshot *snapshot = service_snapshot_begin(service);
    buffer_clear(state);
    while ((size = service_snapshot_read(snapshot, space, sizeof space)) > 0)
        buffer_append(state, space, size);
    service_snapshot_end(snapshot);
}

static void check_body(const struct buffer *body, size_t piece)
{
    struct service_limits limits;
    struct buffer state = {0};
    service_limits_default(&limits);
    struct service *service = service_new(engine_memory_new(), &limits);
    bool taken = restore(service, body, piece) == 0;
    FUZZ_CHECK(taken == (restore(service, body, PIECE_ALL) == 0));
    if (taken) {
        write_state(service, &state);
        FUZZ_CHECK(state.size == body->size);
        FUZZ_CHECK(memcmp(state.data, body->data, state.size) == 0);
        FUZZ_CHECK(service_hash(service) == service_hash_slow(service));
    } else {
        FUZZ_CHECK(service_applied_index(service) == 0);
        FUZZ_CHECK(service_key_count(service) == 0);
        FUZZ_CHECK(restore(service, body, 1 + piece / 2) != 0);
    }
    buffer_free(&state);
    service_free(service);
}

static void check_file(const struct disk *disk, const struct fuzz_file *file,
                       size_t piece)
{
    struct buffer body = {0}, again = {0};
    enum snapshot_problem problem =
        read_file(disk, file->name, file->size, piece, &body);
    FUZZ_CHECK(problem == read_file(disk, file->name, file->size, PIECE_ALL, &again));
    if (problem == SNAPSHOT_GOOD) {
        FUZZ_CHECK(body.size == again.size);
        FUZZ_CHECK(body.size == 0 || memcmp(body.data, again.data, body.size) == 0);
    }
    check_body(&body, piece);
    buffer_free(&body);
    buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_disk files = {0};
    size_t piece = 1 + fuzz_u8(&input);
    fuzz_disk_fill(&files, &input);
    const struct disk disk = fuzz_disk_door(&files);
    for (uint32_t i = 0; i < files.count; i++)
        check_file(&disk, &files.files[i], piece);
    fuzz_disk_release(&files);
    return 0;
}
