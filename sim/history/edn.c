#include "sim/history/edn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "edn: out of memory\n");
        abort();
    }
    return result;
}

void edn_init(struct edn *edn, const char *text, size_t size)
{
    *edn = (struct edn){.at = text, .stop = text + size, .line = 1};
    edn->strings = grown(NULL, size + 1);
}

void edn_release(struct edn *edn)
{
    free(edn->nodes);
    free(edn->strings);
    *edn = (struct edn){0};
}

static bool fail(struct edn *edn, const char *problem)
{
    edn->problem = problem;
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
}

static bool ends_word(char c)
{
    return is_blank(c) || c == '\0' || strchr("\"()[]{};", c) != NULL;
}

bool edn_more(struct edn *edn)
{
    for (bool comment = false; edn->at < edn->stop; edn->at++) {
        char c = *edn->at;
        comment = c != '\n' && (comment || c == ';');
        if (!comment && !is_blank(c)) {
            return true;
        }
        edn->line += c == '\n';
    }
    return false;
}

static struct edn_node *add(struct edn *edn, enum edn_kind kind)
{
    if (edn->count == edn->capacity) {
        edn->capacity = edn->capacity * 2 + 64;
        edn->nodes = grown(edn->nodes, edn->capacity * sizeof(*edn->nodes));
    }
    struct edn_node *node = &edn->nodes[edn->count++];
    *node = (struct edn_node){.kind = kind, .end = edn->count};
    return node;
}

// ---- scalars ----------------------------------------------------------------------

// The byte of an escape; `at` stands behind the backslash and moves behind it.
static bool take_escape(struct edn *edn, char *byte)
{
    static const char names[] = "\"\\nrtbf";
    static const char bytes[] = "\"\\\n\r\t\b\f";
    char name = *edn->at++;
    const char *known = name == '\0' ? NULL : strchr(names, name);
    if (known != NULL) {
        *byte = bytes[known - names];
        return true;
    }
    unsigned value = 0;
    for (int i = 0; name == 'u' && i < 4; i++) {
        char c = edn->at < edn->stop ? *edn->at++ : '\0';
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 256;
        value = value * 16 + (unsigned)digit;
    }
    if (name != 'u' || value > 255) {
        return fail(edn, "an escape in a string that is not one byte");
    }
    *byte = (char)value;
    return true;
}

static bool take_string(struct edn *edn)
{
    char *text = edn->strings + edn->strings_size;
    size_t size = 0;
    edn->at++;
    while (edn->at < edn->stop && *edn->at != '"') {
        char byte = *edn->at++;
        edn->line += byte == '\n';
        if (byte == '\\' && (edn->at == edn->stop || !take_escape(edn, &byte))) {
            return fail(edn, "an escape in a string that is not one byte");
        }
        text[size++] = byte;
    }
    if (edn->at == edn->stop) {
        return fail(edn, "a string without its end");
    }
    edn->at++;
    edn->strings_size += size;
    struct edn_node *node = add(edn, EDN_STRING);
    node->text = text;
    node->size = size;
    return true;
}

// False where it is no integer that fits.
static bool read_integer(const char *text, size_t size, int64_t *number)
{
    bool negative = size > 0 && text[0] == '-';
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t value = 0;
    if (at == size) {
        return false;
    }
    for (; at < size; at++) {
        uint64_t digit = (uint64_t)((unsigned char)text[at] - '0');
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static void take_word(struct edn *edn)
{
    const char *text = edn->at;
    // A character such as \( is a word, too.
    edn->at += *edn->at == '\\' && edn->at + 1 < edn->stop ? 2 : 1;
    while (edn->at < edn->stop && !ends_word(*edn->at)) {
        edn->at++;
    }
    size_t size = (size_t)(edn->at - text);
    struct edn_node *node = add(edn, EDN_OTHER);
    node->text = text;
    node->size = size;
    if (edn_is(node, "nil")) {
        node->kind = EDN_NIL;
    } else if (*text == ':') {
        node->kind = EDN_KEYWORD;
    } else if (read_integer(text, size, &node->number)) {
        node->kind = EDN_INTEGER;
    }
}

// ---- forms ------------------------------------------------------------------------

struct open_form {
    uint32_t node;
    char close;
};

static bool open_form(struct edn *edn, struct open_form *forms, uint32_t *depth)
{
    bool set = *edn->at == '#';
    edn->at += set;
    char first = *edn->at++;
    if (*depth == DEPTH_MAX) {
        return fail(edn, "collections nested too deeply");
    }
    forms[*depth].node = edn->count;
    forms[(*depth)++].close = first == '(' ? ')' : first == '[' ? ']' : '}';
    add(edn, set ? EDN_SET : first == '{' ? EDN_MAP : EDN_VECTOR);
    return true;
}

static bool close_form(struct edn *edn, struct open_form *forms, uint32_t *depth)
{
    if (*depth == 0 || forms[*depth - 1].close != *edn->at) {
        return fail(edn, "a bracket that closes nothing");
    }
    edn->at++;
    struct edn_node *node = &edn->nodes[forms[--*depth].node];
    node->end = edn->count;
    if (node->kind == EDN_MAP && edn_items(edn, node) % 2 != 0) {
        return fail(edn, "a map with a key that has no value");
    }
    return true;
}

// Takes a scalar, or opens or closes a collection, or passes over a tag.
static bool take_piece(struct edn *edn, struct open_form *forms, uint32_t *depth)
{
    char c = *edn->at;
    char next = edn->at + 1 < edn->stop ? edn->at[1] : '\0';
    if (c == '"') {
        return take_string(edn);
    }
    if (c == '(' || c == '[' || c == '{' || (c == '#' && next == '{')) {
        return open_form(edn, forms, depth);
    }
    if (c == ')' || c == ']' || c == '}') {
        return close_form(edn, forms, depth);
    }
    if (c == '#' && (next == '_' || next == '"')) {
        return fail(edn, "a form of a kind that is not read");
    }
    uint32_t count = edn->count;
    take_word(edn);
    edn->count = c == '#' ? count : edn->count;
    return true;
}

bool edn_take(struct edn *edn)
{
    struct open_form forms[DEPTH_MAX];
    uint32_t depth = 0;
    edn->count = 0;
    edn->strings_size = 0;
    do {
        if (!edn_more(edn)) {
            return fail(edn, "a form without its end");
        }
        if (!take_piece(edn, forms, &depth)) {
            return false;
        }
    } while (depth > 0 || edn->count == 0);
    return true;
}

// ---- looking ----------------------------------------------------------------------

bool edn_is(const struct edn_node *node, const char *text)
{
    return node->text != NULL && node->size == strlen(text) &&
           memcmp(node->text, text, node->size) == 0;
}

const struct edn_node *edn_field(const struct edn *edn, uint32_t map, const char *key)
{
    assert(edn->nodes[map].kind == EDN_MAP);
    for (uint32_t at = map + 1; at < edn->nodes[map].end;) {
        uint32_t value = edn->nodes[at].end;
        if (edn->nodes[at].kind == EDN_KEYWORD && edn_is(&edn->nodes[at], key)) {
            return &edn->nodes[value];
        }
        at = edn->nodes[value].end;
    }
    return NULL;
}

uint32_t edn_items(const struct edn *edn, const struct edn_node *node)
{
    uint32_t first = (uint32_t)(node - edn->nodes) + 1;
    uint32_t count = 0;
    for (uint32_t at = first; at < node->end; at = edn->nodes[at].end) {
        count++;
    }
    return count;
}

const struct edn_node *edn_item(const struct edn *edn, const struct edn_node *node,
                                uint32_t nth)
{
    uint32_t at = (uint32_t)(node - edn->nodes) + 1;
    for (; nth > 0; nth--) {
        at = edn->nodes[at].end;
    }
    assert(at < node->end);
    return &edn->nodes[at];
}
