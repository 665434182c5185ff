// line.h: bytes in, complete lines out.
//
// The reader owns one buffer. line_room() says where the next bytes may be read to,
// line_filled() how many came, line_next() gives one line after another, borrowed until
// the next line_room(): nothing is copied but the unfinished rest, once a round.
// A line that is longer than allowed is reported once, as soon as that is known, and
// skipped to its newline, so that the buffer never outgrows the limit by more than one
// read.
#ifndef RPC_LINE_H
#define RPC_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct line {
    size_t bytes_max; // of a line, without its newline
    char *data;
    size_t capacity;
    size_t begin;   // of the next line
    size_t end;     // of what was read
    size_t scanned; // no newline in [begin, scanned)
    bool skipping;  // within a line that was reported as too long
};

enum line_status {
    LINE_NONE = 0, // more bytes are needed
    LINE_READY,    // *text and *size are set, without the newline
    LINE_TOO_LONG, // said once for each
};

void line_init(struct line *line, size_t bytes_max);
void line_release(struct line *line);

// Room for at least one more byte; *room says how much there is.
char *line_room(struct line *line, size_t *room);
void line_filled(struct line *line, size_t size);

enum line_status line_next(struct line *line, const char **text, size_t *size);

#endif
