// RESP2: replies written and read back, and requests read however they arrive.
#include "tests/test.h"

#include <stdbool.h>

#include "kvserver/resp_parser.h"
#include "kvserver/service/resp.h"

static const char *text_of(struct buffer *buffer)
{
    buffer_append(buffer, "", 1);
    buffer->size--;
    return buffer->data;
}

static void write_sample(struct buffer *out)
{
    resp_array(out, 6);
    resp_simple(out, "OK");
    resp_error(out, "ERR a\r\nb");
    resp_integer(out, INT64_MIN);
    resp_bulk(out, (struct bytes){"a\r\n\0b", 5});
    resp_null(out);
    resp_array(out, 1);
    resp_null_array(out);
}

TEST(replies_are_spelled_as_the_protocol_says)
{
    static const char expected[] = "*6\r\n+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n"
                                   "$5\r\na\r\n\0b\r\n$-1\r\n*1\r\n*-1\r\n";
    struct buffer out = {0};
    write_sample(&out);
    CHECK_EQ(out.size, sizeof(expected) - 1);
    CHECK(memcmp(out.data, expected, out.size) == 0);
    buffer_free(&out);
}

TEST(what_was_written_is_read_back)
{
    static const enum resp_type types[] = {RESP_ARRAY,   RESP_SIMPLE, RESP_ERROR,
                                           RESP_INTEGER, RESP_BULK,   RESP_NULL,
                                           RESP_ARRAY,   RESP_NULL};
    struct buffer out = {0};
    write_sample(&out);
    size_t at = 0;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct resp_item item;
        CHECK_EQ(resp_item_read(out.data + at, out.size - at, &item), 1);
        CHECK_EQ(item.type, types[i]);
        if (item.type == RESP_INTEGER)
            CHECK_EQ(item.integer, INT64_MIN);
        if (item.type == RESP_BULK)
            CHECK(item.text.size == 5 && memcmp(item.text.data, "a\r\n\0b", 5) == 0);
        at += item.size;
    }
    CHECK_EQ(at, out.size);
    buffer_free(&out);
}

TEST(a_reply_is_complete_only_with_its_last_byte)
{
    struct buffer out = {0};
    write_sample(&out);
    for (size_t size = 0; size < out.size; size++)
        CHECK_EQ(resp_reply_size(out.data, size), 0);
    CHECK_EQ(resp_reply_size(out.data, out.size), out.size);
    size_t whole = out.size;
    resp_integer(&out, 1);
    CHECK_EQ(resp_reply_size(out.data, out.size), whole);
    buffer_free(&out);
}

TEST(what_is_not_resp2_is_not_a_reply)
{
    static const char *const bad[] = {
        "x",           "+a\rb",
        ":\r\n",       ":1x\r\n",
        ":01\r\n",     "$-2\r\n",
        "$1\r\nabc",   "*-2\r\n",
        "$x\r\n",      ":9223372036854775808\r\n",
        "*1\r\n?\r\n", "*9223372036854775807\r\n*9223372036854775807\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_EQ(resp_reply_size(bad[i], strlen(bad[i])), (uint64_t)-1);
}

// ---- requests -------------------------------------------------------------------

// Feeds `size` bytes with breaks after each byte where `breaks` says so, and writes
// down all that is understood.
static void transcribe(const char *data, size_t size, uint64_t breaks,
                       struct buffer *out)
{
    struct resp_parser parser;
    resp_parser_init(&parser, 1000, 100000);
    struct buffer input = {0};
    enum resp_result result = RESP_MORE;
    for (size_t i = 0; i < size && result != RESP_BAD; i++) {
        buffer_append(&input, data + i, 1);
        if (i + 1 < size && !(breaks >> (i % 64) & 1))
            continue;
        size_t used = 0;
        while ((result = resp_parser_next(&parser, input.data, input.size, &used)) ==
               RESP_REQUEST) {
            for (uint32_t w = 0; w < parser.count; w++)
                resp_bulk(out, parser.words[w]);
            buffer_append_text(out, parser.count > 0 ? ";" : "");
            buffer_consume(&input, used);
        }
    }
    if (result == RESP_BAD)
        buffer_append_text(out, parser.error);
    resp_parser_release(&parser);
    buffer_free(&input);
}

static const char *const streams[] = {
    "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
    "*-1\r\n*0\r\n\r\n\nPING \"a b\" 'c'\r\n*1\r\n$0\r\n\r\n",
    "SET a \"x\\x41\\n\" \r\nGET a\n*1\r\n$3\r\n\r\n\r\r\n",
    "PING\r\nSET a \"foo\r\nPING\r\n",
    "*1\r\n$4\r\nPING\r\n*1\r\n:3\r\n",
    "*2\r\n$3\r\nGET\r\n$1001\r\n",
    "*2147483648\r\n",
    "*3x\r\n",
    "*1\r\n$-1\r\n",
};

TEST(requests_are_the_same_however_their_bytes_arrive)
{
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        size_t size = strlen(streams[i]);
        struct buffer whole = {0};
        transcribe(streams[i], size, 0, &whole);
        CHECK(whole.size > 0);
        text_of(&whole);
        for (size_t at = 0; at < size; at++) { // in two parts, and ever more of them
            static const uint64_t step = 0x9e3779b97f4a7c15u;
            uint64_t breaks[] = {(uint64_t)1 << at % 64, step * (at + 1), UINT64_MAX};
            for (size_t b = 0; b < 3; b++) {
                struct buffer parts = {0};
                transcribe(streams[i], size, breaks[b], &parts);
                CHECK_TEXT(text_of(&parts), whole.data);
                buffer_free(&parts);
            }
        }
        buffer_free(&whole);
    }
}

TEST(a_line_without_end_is_refused_and_a_long_one_is_not)
{
    char *line = malloc(70001);
    memset(line, 'a', 70000);
    struct resp_parser parser;
    size_t used;
    resp_parser_init(&parser, 1000, 1000000);
    CHECK_EQ(resp_parser_next(&parser, line, 60000, &used), RESP_MORE);
    CHECK_EQ(resp_parser_next(&parser, line, 70000, &used), RESP_BAD);
    CHECK_TEXT(parser.error, "Protocol error: too big inline request");
    resp_parser_release(&parser);
    resp_parser_init(&parser, 1000, 1000000);
    line[60000] = '\n';
    CHECK_EQ(resp_parser_next(&parser, line, 70000, &used), RESP_REQUEST);
    CHECK_EQ(parser.words[0].size, 60000);
    CHECK_EQ(used, 60001);
    resp_parser_release(&parser);
    free(line);
}

TEST(lengths_are_not_believed_before_their_bytes_are_there)
{
    struct resp_parser parser;
    size_t used;
    const char *text = "*2147483647\r\n$536870912\r\nabc";
    resp_parser_init(&parser, 512u << 20, 1u << 30);
    CHECK_EQ(resp_parser_next(&parser, text, strlen(text), &used), RESP_MORE);
    CHECK(parser.capacity < 100);
    resp_parser_release(&parser);
}

TEST_MAIN
