// The parser of requests: however the bytes are cut up, the words are the same.
#include "kvserver/resp_parser.h"

#include "tests/test.h"

enum { BULK_MAX = 1000, REQUEST_MAX = 5000 };

// Feeds `data` with at most `step` new bytes at a time, and writes down what comes out:
// words between brackets, one request a line, and the error that ends it.
static void parse(const char *data, size_t size, size_t step, struct buffer *out)
{
    struct resp_parser parser;
    size_t begin = 0, end = 0;

    resp_parser_init(&parser, BULK_MAX, REQUEST_MAX);
    while (end < size || begin < end) {
        // A fresh copy each time: nothing may point at where the bytes were before.
        size_t used = 0;
        char *copy;
        enum resp_result result;

        if (end < size)
            end = end + step < size ? end + step : size;
        copy = malloc(end - begin + 1);
        memcpy(copy, data + begin, end - begin);
        result = resp_parser_next(&parser, copy, end - begin, &used);
        for (uint32_t i = 0; result == RESP_REQUEST && i < parser.count; i++)
            buffer_format(out, "[%.*s]", (int)parser.words[i].size,
                          (const char *)parser.words[i].data);
        if (result == RESP_REQUEST)
            buffer_append(out, "\n", 1);
        free(copy);
        begin += used;
        if (result == RESP_BAD)
            buffer_format(out, "%s\n", parser.error);
        if (result == RESP_BAD || (result == RESP_MORE && end == size))
            break;
    }
    resp_parser_release(&parser);
    buffer_append(out, "", 1);
}

static void check(const char *data, const char *expected)
{
    size_t size = strlen(data);

    for (size_t step = 1; step <= size; step++) {
        struct buffer out = {0};

        parse(data, size, step, &out);
        CHECK_TEXT(out.data, expected);
        buffer_free(&out);
    }
}

TEST(requests_are_the_same_wherever_the_bytes_are_cut)
{
    check(
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nb \r\n*1\r\n$4\r\nPING\r\nGET  k\r\n"
        "*0\r\n\r\n*-1\r\n*2\r\n$0\r\n\r\n$1\r\nx\r\nQUIT\n",
        "[SET][k][a\r\nb ]\n[PING]\n[GET][k]\n\n\n\n[][x]\n[QUIT]\n");
}

TEST(quoted_words_lose_their_quotes_wherever_the_bytes_are_cut)
{
    check("SET \"a b\" 'c d'\r\nECHO \"\\x41\\\"\\n\\q\" '\\'\\n'\n\"\" ''\n",
          "[SET][a b][c d]\n[ECHO][A\"\nq]['\\n]\n[][]\n");
}

TEST(an_error_is_the_same_wherever_the_bytes_are_cut)
{
    check("*1\r\n$4\r\nPING\r\n*1\r\n:3\r\n",
          "[PING]\nProtocol error: expected '$', got ':'\n");
    check("*2\r\n$3\r\nGET\r\n$1001\r\n", "Protocol error: invalid bulk length\n");
    check("*x\r\nPING\r\n", "Protocol error: invalid multibulk length\n");
    check("PING \"x\r\n", "Protocol error: unbalanced quotes in request\n");
}

TEST(a_request_larger_than_the_limit_is_refused_before_its_bytes_come)
{
    char text[REQUEST_MAX * 2];
    char word[BULK_MAX + 1];
    struct buffer out = {0};
    size_t size;

    memset(word, 'x', BULK_MAX);
    word[BULK_MAX] = '\0';
    size = (size_t)snprintf(text, sizeof text, "*9\r\n");
    for (int i = 0; i < 4; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "$%d\r\n%s\r\n",
                                 BULK_MAX, word);
    size += (size_t)snprintf(text + size, sizeof text - size, "$%d\r\n", BULK_MAX);
    parse(text, size, size, &out);
    CHECK_TEXT(out.data, "Protocol error: too big request\n");
    buffer_free(&out);
}

TEST(an_announced_array_takes_no_memory_before_its_words_come)
{
    static const char text[] = "*2000000000\r\n$1\r\nx\r\n";
    struct resp_parser parser;
    size_t used;

    resp_parser_init(&parser, BULK_MAX, REQUEST_MAX);
    CHECK_EQ(resp_parser_next(&parser, text, sizeof text - 1, &used), RESP_MORE);
    CHECK(parser.capacity < 100);
    resp_parser_release(&parser);
}

// A generator of its own: the same bytes on every machine.
static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

TEST(random_bytes_give_the_same_wherever_they_are_cut)
{
    static const char alphabet[] = "*$12\r\n\r\n \"'\\xaPING";
    uint64_t state = 1;

    for (int round = 0; round < 3000; round++) {
        char text[64];
        size_t size = 1 + draw(&state) % (sizeof text - 1);
        struct buffer whole = {0}, parts = {0};

        for (size_t i = 0; i < size; i++)
            text[i] = alphabet[draw(&state) % (sizeof alphabet - 1)];
        parse(text, size, size, &whole);
        parse(text, size, 1, &parts);
        CHECK_TEXT(parts.data, whole.data);
        buffer_free(&whole);
        buffer_free(&parts);
    }
}

TEST_MAIN
