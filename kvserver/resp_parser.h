// resp_parser.h: from a client's bytes to the words of one request, a piece at a time.
//
// Two forms share the stream:
//
//     *2\r\n$3\r\nGET\r\n$1\r\nx\r\n      an array of bulk strings
//     GET "x"\r\n                         an inline line, as a person types it
//
// The words of an array are not copied: they are found where the caller keeps the
// bytes. What a length announces is believed only as its bytes arrive. The replies to
// malformed input are those of Redis 7.0, to the byte.
#ifndef KVSERVER_RESP_PARSER_H
#define KVSERVER_RESP_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "kvserver/engine/engine.h"
#include "kvserver/service/buffer.h"

enum {
    RESP_LINE_MAX = 64 * 1024,
    RESP_WORDS_MAX = 1024 * 1024,
};

struct resp_parser {
    uint32_t bulk_bytes_max;
    uint64_t request_bytes_max;

    size_t at;          // the next byte to look at, from the request's first
    int64_t words_left; // of an array; -1: its head was not read yet
    int64_t word_size;  // of the word that is next; -1: its head was not read yet

    uint32_t count;
    uint32_t capacity;
    struct bytes *words; // while a request is read, .data is an offset
    struct buffer text;  // what the words of an inline line mean, unquoted

    char error[96]; // without "-ERR " and the line end
};

enum resp_result {
    RESP_MORE,    // call again with the same bytes and more behind them
    RESP_REQUEST, // words[0..count) hold until the bytes move; count 0: nothing asked
    RESP_BAD,     // `error` goes to the client, and the connection ends
};

void resp_parser_init(struct resp_parser *parser, uint32_t bulk_bytes_max,
                      uint64_t request_bytes_max);
void resp_parser_release(struct resp_parser *parser);

// `data` begins with the request's first byte; on RESP_REQUEST *used is its length.
enum resp_result resp_parser_next(struct resp_parser *parser, const char *data,
                                  size_t size, size_t *used);

#endif
