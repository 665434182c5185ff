// resp.h: RESP2 replies: writing them, and reading them back.
//
//     +OK\r\n        simple          $3\r\nabc\r\n    bulk: any bytes
//     -ERR why\r\n   error           $-1\r\n          null
//     :12\r\n        integer         *2\r\n ...       array: so many replies follow
//
// A request is an array of bulk strings; kvserver/resp_parser.h reads those.
#ifndef KVSERVER_SERVICE_RESP_H
#define KVSERVER_SERVICE_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

// ---- writing --------------------------------------------------------------------

void resp_simple(struct buffer *out, const char *text);
void resp_error(struct buffer *out,
                const char *text); // "ERR why": no dash, no line end
void resp_error_format(struct buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void resp_integer(struct buffer *out, int64_t value);
void resp_bulk(struct buffer *out, struct bytes text);
void resp_bulk_text(struct buffer *out, const char *text);
void resp_null(struct buffer *out);
void resp_array(struct buffer *out, uint64_t count);
void resp_null_array(struct buffer *out);

// ---- reading --------------------------------------------------------------------

enum resp_type {
    RESP_SIMPLE = '+',
    RESP_ERROR = '-',
    RESP_INTEGER = ':',
    RESP_BULK = '$',
    RESP_NULL = '_', // of either kind: a bulk string or an array
    RESP_ARRAY = '*',
};

struct resp_item {
    enum resp_type type;
    int64_t integer;   // the number, or how many replies an array holds
    struct bytes text; // simple, error, bulk: borrowed from the input
    size_t size;       // bytes that the item takes; an array's: its head alone
};

// Reads the item at the front. 1: there is one; 0: more bytes are needed; -1: this is
// not RESP2. The elements of an array are read by as many further calls.
int resp_item_read(const void *data, size_t size, struct resp_item *item);

// The size of the whole reply at the front, arrays with all their elements. 0: it is
// not complete yet; -1: this is not RESP2.
int64_t resp_reply_size(const void *data, size_t size);

#endif
