// edn.h: reads EDN, the notation in which Clojure writes data, one form at a time.
//
// A form becomes nodes in the order in which they stand; a collection's node is
// followed by those of its items, and `end` leads behind them. Commas are blanks; a
// comment goes from ; to the end of its line; a tag (#name) before a form is passed
// over.
#ifndef SIM_EDN_H
#define SIM_EDN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edn_kind {
    EDN_NIL = 0,
    EDN_INTEGER, // fits in 64 bits
    EDN_STRING,  // its bytes, escapes resolved
    EDN_KEYWORD, // with its colon
    EDN_OTHER,   // true, symbols, characters, other numbers: as they are written
    EDN_VECTOR,  // [...] or (...)
    EDN_MAP,     // keys and values in turn
    EDN_SET,
};

struct edn_node {
    enum edn_kind kind;
    uint32_t end; // the node behind this one and all that is in it
    int64_t number;
    const char *text; // of scalars; borrowed from the text or from the reader
    size_t size;
};

struct edn {
    const char *at;
    const char *stop;
    uint64_t line; // of `at`, from 1
    const char *problem;
    struct edn_node *nodes; // of the last form
    uint32_t count;
    uint32_t capacity;
    char *strings; // resolved ones, as long as the whole text at most
    size_t strings_size;
};

// Begins to read a text, which has to stay.
void edn_init(struct edn *edn, const char *text, size_t size);
void edn_release(struct edn *edn);

// Passes over blanks and comments; whether something is left.
bool edn_more(struct edn *edn);

// Takes one form. False where there is none: `problem` says why, at `line`.
bool edn_take(struct edn *edn);

bool edn_is(const struct edn_node *node, const char *text);

// The value of a keyword in the map at nodes[map], or NULL.
const struct edn_node *edn_field(const struct edn *edn, uint32_t map, const char *key);

// How many items a collection has, and its n-th.
uint32_t edn_items(const struct edn *edn, const struct edn_node *node);
const struct edn_node *edn_item(const struct edn *edn, const struct edn_node *node,
                                uint32_t nth);

#endif
