// envelope.h: the lines that Maelstrom routes between nodes and clients.
//
//     {"src":"c1","dest":"n1","body":{"type":"read","msg_id":1,"key":0}}
//     {"src":"n1","dest":"c1","body":{"type":"read_ok","in_reply_to":1,"value":3}}
//
// Strict only as far as is needed: whoever writes them is a test's router.
#ifndef KVSERVER_MAELSTROM_ENVELOPE_H
#define KVSERVER_MAELSTROM_ENVELOPE_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENVELOPE_LINE_BYTES_MAX = 64 << 20, ENVELOPE_NAME_BYTES = 64 };

// The errors of Maelstrom's protocol that are used here. All of them but TIMEOUT are
// definite: what was asked for did not happen and will not.
enum envelope_error {
    ENVELOPE_TIMEOUT = 0,
    ENVELOPE_NOT_SUPPORTED = 10,
    ENVELOPE_UNAVAILABLE = 11,
    ENVELOPE_MALFORMED = 12,
    ENVELOPE_NO_KEY = 20,
    ENVELOPE_OTHER_VALUE = 22,
};

struct envelope {
    cJSON *tree; // owns the rest
    const char *src;
    const char *dest;
    const cJSON *body;
    const char *type;
    bool asks; // for an answer
    int64_t msg_id;
};

// False where the line is none; there is nothing to release then.
bool envelope_read(struct envelope *envelope, const char *line, size_t size);
void envelope_release(struct envelope *envelope);

// Prints one line on stdout. Takes the body over.
void envelope_send(const char *src, const char *dest, cJSON *body);

// A body of that type, as an answer where `msg_id` is not negative.
cJSON *envelope_body(const char *type, int64_t msg_id);

// The body of an answer that says what went wrong.
cJSON *envelope_failure(enum envelope_error code, int64_t msg_id);

#endif
