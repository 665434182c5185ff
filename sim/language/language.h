// language.h: the one command language of scenario files, prompt, pipe and browser.
//
// One line is one command; words are separated by blanks, may stand in double quotes
// (with \" \\ \n \r \t \xNN), and `#` begins a comment. Each line, also an empty one,
// has one JSON object as its answer: {"ok":true,...} or {"ok":false,"error":"..."}.
// docs/simulator.md describes every command; language.c has the table of them.
//
// A handler gets its words in language->words, adds fields to language->out, and
// returns true, or calls language_fail(), which returns false.
#ifndef SIM_LANGUAGE_H
#define SIM_LANGUAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/world.h"

enum { LANGUAGE_WORDS_MAX = REQUEST_WORDS_MAX };

// What a client by hand was told since it last asked.
struct language_answer {
    bool there; // a refusal is no answer
    struct buffer text;
};

struct language {
    struct world *world; // NULL before the first `cluster`
    bool quit;
    FILE *trace;
    bool ndjson;        // it is written in that schema...
    bool diagram;       // ...or in that of sim/diagram.h
    struct buffer text; // the words of this line, each ended by a zero
    struct bytes words[LANGUAGE_WORDS_MAX];
    uint32_t count;
    struct buffer reply;             // the newest reply of the store
    bool replied;                    // whether this world has given one
    struct language_answer *answers; // of the clients by hand, by their numbers
    uint32_t answer_count;
    struct buffer *out; // the answer under way
    char error[640];
};

void language_init(struct language *language);
void language_release(struct language *language);
void language_close_trace(struct language *language);

// Executes one line (without its end); adds its answer, without a line end, to `out`.
bool language_execute(struct language *language, const char *line, size_t size,
                      struct buffer *out);

// ---- for the handlers -----------------------------------------------------------

bool language_fail(struct language *language, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The word at this place as text, "" where there is none.
const char *language_word(const struct language *language, uint32_t at);
bool language_is(const struct language *language, uint32_t at, const char *word);
// Whether it is this text, which may hold any bytes.
bool language_is_text(const struct language *language, uint32_t at,
                      const struct buffer *text);

// The value of "name=value" at this place, or NULL.
const char *language_value(const struct language *language, uint32_t at,
                           const char *name);

// Notes this line in the trace, whose hash it becomes a part of.
void language_note(struct language *language);

// Reads the node at this place; fails with a reason.
bool language_node(struct language *language, uint32_t at, struct node **node);
bool language_number(struct language *language, uint32_t at, uint64_t *number);
bool language_duration(struct language *language, uint32_t at, uint64_t *us);
bool language_range(struct language *language, const char *text, uint64_t *low_us,
                    uint64_t *high_us);

// Runs the world up to this time, or until `done` says so. Fails where a property is
// violated.
bool language_run(struct language *language, uint64_t until_us,
                  bool (*done)(struct language *language, void *argument),
                  void *argument);

// Turns RESP into one line of text: a value, OK, 7, (nil), ERR..., [a, b].
void language_plain(const char *resp, size_t size, struct buffer *out);

#endif
