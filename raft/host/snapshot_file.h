// snapshot_file.h: the snapshots on a disk: which there are, and reading one in pieces.
//
// A file has its final name only once it was synced whole, so that a crash leaves at
// most one of the two aside names behind, which are removed at the next start. Damage
// that came later is found by reading: the header and the trailer at once, and the
// checksum of the whole with the last piece.
// Nothing that a file tells of lengths is believed before it was checked.
#ifndef RAFT_HOST_SNAPSHOT_FILE_H
#define RAFT_HOST_SNAPSHOT_FILE_H

#include "raft/host/disk.h"
#include "raft/host/snapshot_format.h"

// What is not complete: one's own that is taken, and one that arrives.
#define SNAPSHOT_FILE_WRITING   "snapshot.writing"
#define SNAPSHOT_FILE_RECEIVING "snapshot.receiving"

// ---- which there are ------------------------------------------------------------

struct snapshot_listed {
    raft_index index; // as the name tells
    uint64_t size;
};

struct snapshot_listing {
    struct snapshot_listed *files; // the newest first
    uint32_t count;
    uint32_t capacity;
    bool out_of_memory;
};

// Returns 0 or -errno. Whatever it returns, snapshot_file_list_release() is owed.
int snapshot_file_list(struct snapshot_listing *listing, const struct disk *disk);
void snapshot_file_list_release(struct snapshot_listing *listing);

// Removes what a crash has left under the aside names. Returns 0 or -errno.
int snapshot_file_remove_aside(const struct disk *disk);

// Removes a file, if it is there. Returns 0 or -errno.
int snapshot_file_remove(const struct disk *disk, const char *name);

// ---- reading one ----------------------------------------------------------------

// Plain data: the disk is passed each time.
struct snapshot_reader {
    char name[SNAPSHOT_NAME_BYTES];
    uint64_t size; // of the file

    // Known once it is open.
    struct snapshot_header header;
    struct snapshot_trailer trailer;
    uint32_t header_size;

    uint64_t offset;   // read so far
    uint32_t checksum; // of that

    enum snapshot_problem problem;
    int status; // SNAPSHOT_UNREADABLE: -errno
};

// Reads and checks header and trailer of the file with this name and size. False: see
// reader->problem, and reader->header where that was whole.
bool snapshot_file_open(struct snapshot_reader *reader, const struct disk *disk,
                        const char *name, uint64_t size, uint64_t cluster_id);

enum snapshot_read {
    SNAPSHOT_READ_MORE,
    SNAPSHOT_READ_END, // all was read, and the checksum is right
    SNAPSHOT_READ_BAD, // see reader->problem
};

struct snapshot_piece {
    const uint8_t *body; // what of the body came with this piece
    size_t size;         // maybe 0
};

// Reads the next piece, at most `size` bytes, into `buffer`.
enum snapshot_read snapshot_file_next(struct snapshot_reader *reader,
                                      const struct disk *disk, void *buffer,
                                      size_t size, struct snapshot_piece *piece);

// Opens a listed one and reads it to its end; allocates a buffer meanwhile. True where
// it is good; reader->header then tells what it is.
bool snapshot_file_check(struct snapshot_reader *reader, const struct disk *disk,
                         const struct snapshot_listed *file, uint64_t cluster_id);

// One line: the file's name and what is wrong with it.
void snapshot_file_describe(const struct snapshot_reader *reader, char *text,
                            size_t size);

#endif
