// json.c: see json.h.
#include "rpc/json.h"

#include "rpc/base64.h"
#include "rpc/utf8.h"

#include <math.h>
#include <string.h>

// ---- the scanner ----------------------------------------------------------------

struct cursor {
    const char *at;
    const char *end;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Four hexadecimal digits, or -1.
static int32_t hex4(const char *at, const char *end)
{
    if (end - at < 4) {
        return -1;
    }
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

// Stands on the backslash. Surrogates come in pairs; \u0000 is refused.
static bool scan_escape(struct cursor *c)
{
    c->at++;
    if (c->at == c->end) {
        return false;
    }
    char kind = *c->at++;
    if (kind != 'u') {
        return kind != '\0' && strchr("\"\\/bfnrt", kind) != NULL;
    }
    int32_t code = hex4(c->at, c->end);
    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF)) {
        return false;
    }
    c->at += 4;
    if (code < 0xD800 || code > 0xDBFF) {
        return true;
    }
    if (c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u') {
        return false;
    }
    int32_t low = hex4(c->at + 2, c->end);
    c->at += 6;
    return low >= 0xDC00 && low <= 0xDFFF;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

size_t json_plain_run(const char *at, const char *end)
{
    const char *start = at;
    while (end - at >= 8) {
        uint32_t count = json_plain_of_8(at);
        at += count;
        if (count < 8) {
            return (size_t)(at - start);
        }
    }
    while (at < end && is_plain((unsigned char)*at)) {
        at++;
    }
    return (size_t)(at - start);
}

// Stands on the opening quote; leaves behind the closing one.
static bool scan_string(struct cursor *c)
{
    c->at++;
    while (c->at < c->end) {
        c->at += json_plain_run(c->at, c->end);
        if (c->at == c->end) {
            return false;
        }
        if (*c->at == '"') {
            c->at++;
            return true;
        }
        if (*c->at == '\\') {
            if (!scan_escape(c)) {
                return false;
            }
            continue;
        }
        // A control character is the one that is left and is not allowed.
        uint32_t length = utf8_length(c->at, c->end);
        if (length < 2) {
            return false;
        }
        c->at += length;
    }
    return false;
}

static bool skip_digits(struct cursor *c)
{
    const char *start = c->at;
    while (c->at < c->end && is_digit(*c->at)) {
        c->at++;
    }
    return c->at > start;
}

// JSON's grammar for numbers; *exact tells whether it is one of ours.
static bool scan_number(struct cursor *c, bool *exact)
{
    bool negative = *c->at == '-';
    c->at += negative;
    const char *digits = c->at;
    if (!skip_digits(c) || (*digits == '0' && c->at - digits > 1)) {
        return false;
    }
    uint64_t value = 0;
    for (const char *d = digits; d < c->at && value <= JSON_WHOLE_MAX; d++) {
        value = value * 10 + (uint64_t)(*d - '0');
    }
    *exact = value <= JSON_WHOLE_MAX && !(negative && value == 0);
    if (c->at < c->end && *c->at == '.') {
        *exact = false;
        c->at++;
        if (!skip_digits(c)) {
            return false;
        }
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        *exact = false;
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-')) {
            c->at++;
        }
        return skip_digits(c);
    }
    return true;
}

static bool scan_word(struct cursor *c, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, word, length) != 0) {
        return false;
    }
    c->at += length;
    return true;
}

// Anything that is neither a string, a number nor a bracket.
static bool scan_rest(struct cursor *c)
{
    switch (*c->at) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case ':':
    case ',':
        c->at++;
        return true;
    case 't':
        return scan_word(c, "true");
    case 'f':
        return scan_word(c, "false");
    case 'n':
        return scan_word(c, "null");
    default:
        return false;
    }
}

static enum json_verdict scan_bracket(struct cursor *c, uint32_t depth_max,
                                      uint32_t *depth)
{
    if (*c->at == '{' || *c->at == '[') {
        if (*depth == depth_max) {
            return JSON_DEEP;
        }
        (*depth)++;
    } else {
        if (*depth == 0) {
            return JSON_BROKEN;
        }
        (*depth)--;
    }
    c->at++;
    return JSON_GOOD;
}

static enum json_verdict scan_token(struct cursor *c, uint32_t depth_max,
                                    uint32_t *depth)
{
    bool exact = true;
    switch (*c->at) {
    case '{':
    case '[':
    case '}':
    case ']':
        return scan_bracket(c, depth_max, depth);
    case '"':
        return scan_string(c) ? JSON_GOOD : JSON_BROKEN;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        if (!scan_number(c, &exact)) {
            return JSON_BROKEN;
        }
        return exact ? JSON_GOOD : JSON_INEXACT;
    default:
        return scan_rest(c) ? JSON_GOOD : JSON_BROKEN;
    }
}

struct json_scan json_scan(const char *text, size_t size,
                           const struct json_limits *limits)
{
    struct json_scan scan = {JSON_GOOD, 0, 0};
    if (size > limits->bytes_max) {
        scan.verdict = JSON_LONG;
        scan.offset = limits->bytes_max;
        return scan;
    }
    struct cursor c = {text, text + size};
    uint32_t depth = 0;
    size_t values = 1; // each further one stands behind a comma or a bracket
    while (c.at < c.end) {
        const char *start = c.at;
        values += *start == ',' || *start == '{' || *start == '[';
        enum json_verdict verdict = scan_token(&c, limits->depth_max, &depth);
        if (verdict == JSON_GOOD && values > limits->values_max) {
            verdict = JSON_CROWDED;
        }
        bool first = scan.verdict == JSON_GOOD;
        if (verdict != JSON_GOOD && (first || verdict != JSON_INEXACT)) {
            scan = (struct json_scan){verdict, (size_t)(start - text), depth};
        }
        if (verdict != JSON_GOOD && verdict != JSON_INEXACT) {
            break;
        }
    }
    return scan;
}

static bool only_whitespace(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) {
        at++;
    }
    return at == end;
}

cJSON *json_parse(const char *text, size_t size, const struct json_limits *limits,
                  struct json_scan *scan)
{
    *scan = json_scan(text, size, limits);
    if (scan->verdict != JSON_GOOD && scan->verdict != JSON_INEXACT) {
        return NULL;
    }
    const char *end = NULL;
    cJSON *tree = size > 0 ? cJSON_ParseWithLengthOpts(text, size, &end, 0) : NULL;
    if (tree != NULL && !only_whitespace(end, text + size)) {
        cJSON_Delete(tree);
        tree = NULL;
    }
    if (tree == NULL) {
        size_t offset = end != NULL ? (size_t)(end - text) : 0;
        *scan = (struct json_scan){JSON_BROKEN, offset, 0};
    }
    return tree;
}

// ---- the readers ----------------------------------------------------------------

bool json_read_i64(const cJSON *item, int64_t *value)
{
    if (!cJSON_IsNumber(item)) {
        return false;
    }
    double number = item->valuedouble;
    if (!(fabs(number) <= (double)JSON_WHOLE_MAX) || floor(number) != number) {
        return false;
    }
    *value = (int64_t)number;
    return true;
}

bool json_read_u64(const cJSON *item, uint64_t *value)
{
    int64_t whole;
    if (!json_read_i64(item, &whole) || signbit(item->valuedouble)) {
        return false;
    }
    *value = (uint64_t)whole;
    return true;
}

bool json_read_bool(const cJSON *item, bool *value)
{
    if (!cJSON_IsBool(item)) {
        return false;
    }
    *value = cJSON_IsTrue(item) != 0;
    return true;
}

bool json_read_string(const cJSON *item, const char **value)
{
    if (!cJSON_IsString(item)) {
        return false;
    }
    *value = item->valuestring;
    return true;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

// ---- the writer -----------------------------------------------------------------

// What follows the backslash; 0: the byte stands for itself, 'u': six bytes in all.
static char escape_of(unsigned char byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return byte < 0x20 ? 'u' : 0;
    }
}

bool json_is_text(const void *data, size_t size)
{
    const char *at = data;
    const char *end = size > 0 ? at + size : at; // data may be NULL where size is 0
    size_t extra = 0;
    while (at < end) {
        at += json_plain_run(at, end);
        if (at == end) {
            break;
        }
        unsigned char byte = (unsigned char)*at;
        uint32_t length = utf8_length(at, end);
        if (length == 0 || byte == 0) {
            return false;
        }
        char escape = escape_of(byte);
        extra += escape == 0 ? 0 : escape == 'u' ? 5 : 1;
        at += length;
    }
    return extra <= size;
}

void json_add_u64(struct frame *frame, uint64_t value)
{
    char digits[20];
    char *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    frame_append(frame, at, (size_t)(digits + sizeof digits - at));
}

void json_add_i64(struct frame *frame, int64_t value)
{
    if (value < 0) {
        frame_append(frame, "-", 1);
    }
    json_add_u64(frame, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_add_bool(struct frame *frame, bool value)
{
    frame_append_text(frame, value ? "true" : "false");
}

static char *put_escape(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = escape_of(byte);
    if (to[-1] == 'u') {
        *to++ = '0';
        *to++ = '0';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    return to;
}

// Adds some bytes, escaped, without quotes. The room for the worst case lets eight be
// copied where only the first few of them count.
static void add_escaped(struct frame *frame, const char *from, size_t size)
{
    char *start = frame_room(frame, size * 6);
    char *to = start;
    const char *end = from + size;
    while (from < end) {
        if (end - from >= 8) {
            uint32_t count = json_plain_of_8(from);
            memcpy(to, from, 8);
            to += count;
            from += count;
            if (count == 8) {
                continue;
            }
        }
        unsigned char byte = (unsigned char)*from++;
        if (byte >= 0x80 || is_plain(byte)) {
            *to++ = (char)byte;
        } else {
            to = put_escape(to, byte);
        }
    }
    frame->size += (size_t)(to - start);
}

void json_add_text(struct frame *frame, const void *data, size_t size)
{
    enum { RUN = 4096 }; // keeps the room for the worst case small
    const char *from = data;
    frame_append(frame, "\"", 1);
    for (size_t done = 0; done < size; done += RUN) {
        add_escaped(frame, from + done, size - done < RUN ? size - done : RUN);
    }
    frame_append(frame, "\"", 1);
}

void json_add_base64(struct frame *frame, const void *data, size_t size)
{
    size_t encoded = base64_encoded_size(size);
    char *to = frame_room(frame, encoded + 2);
    to[0] = '"';
    base64_encode(data, size, to + 1);
    to[encoded + 1] = '"';
    frame->size += encoded + 2;
}

void json_add_bytes(struct frame *frame, const char *name, const void *data,
                    size_t size)
{
    frame_append(frame, "\"", 1);
    frame_append_text(frame, name);
    if (json_is_text(data, size)) {
        frame_append(frame, "\":", 2);
        json_add_text(frame, data, size);
    } else {
        frame_append_text(frame, "_base64\":");
        json_add_base64(frame, data, size);
    }
}
