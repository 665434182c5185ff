// json_test.c: exact numbers, text and base64, bounds before parsing, JSON-RPC 2.0.
#include "rpc/json.h"

#include "rpc/base64.h"
#include "rpc/jsonrpc.h"
#include "rpc/utf8.h"
#include "tests/test.h"

static const struct json_limits limits = {
    .bytes_max = 1000, .values_max = 20, .depth_max = 4};

static enum json_verdict verdict_of(const char *text)
{
    struct json_scan scan;
    cJSON *tree = json_parse(text, strlen(text), &limits, &scan);
    CHECK((tree != NULL) ==
          (scan.verdict == JSON_GOOD || scan.verdict == JSON_INEXACT));
    cJSON_Delete(tree);
    return scan.verdict;
}

TEST(numbers_are_exact_or_refused)
{
    CHECK_EQ(verdict_of("9007199254740991"), JSON_GOOD);
    CHECK_EQ(verdict_of("-9007199254740991"), JSON_GOOD);
    CHECK_EQ(verdict_of("9007199254740992"), JSON_INEXACT);
    CHECK_EQ(verdict_of("9007199254740993"), JSON_INEXACT);
    CHECK_EQ(verdict_of("-9007199254740992"), JSON_INEXACT);
    CHECK_EQ(verdict_of("1.0"), JSON_INEXACT);
    CHECK_EQ(verdict_of("1e2"), JSON_INEXACT);
    CHECK_EQ(verdict_of("-0"), JSON_INEXACT);
    CHECK_EQ(verdict_of("00"), JSON_BROKEN);
    CHECK_EQ(verdict_of("1e"), JSON_BROKEN);
    CHECK_EQ(verdict_of("-"), JSON_BROKEN);
    CHECK_EQ(verdict_of(".5"), JSON_BROKEN);
}

TEST(a_number_is_read_to_the_last_digit)
{
    struct json_scan scan;
    const char text[] = "{\"a\":9007199254740991,\"A\":-3,\"b\":true,\"c\":\"x\"}";
    cJSON *tree = json_parse(text, strlen(text), &limits, &scan);
    uint64_t number = 0;
    int64_t whole = 0;
    bool truth = false;
    const char *string = NULL;
    CHECK(json_read_u64(json_get(tree, "a"), &number));
    CHECK(number == 9007199254740991u);
    CHECK(!json_read_u64(json_get(tree, "A"), &number));
    CHECK(json_read_i64(json_get(tree, "A"), &whole));
    CHECK(whole == -3);
    CHECK(json_read_bool(json_get(tree, "b"), &truth) && truth);
    CHECK(json_read_string(json_get(tree, "c"), &string));
    CHECK_TEXT(string, "x");
    CHECK(json_get(tree, "B") == NULL);
    CHECK(!json_read_u64(json_get(tree, "B"), &number));
    CHECK(!json_read_bool(json_get(tree, "a"), &truth));
    CHECK(!json_read_string(json_get(tree, "a"), &string));
    cJSON_Delete(tree);
}

TEST(length_nesting_and_values_are_bounded_before_parsing)
{
    char text[1100];
    memset(text, ' ', sizeof text);
    text[0] = '1';
    text[1000] = '\0';
    CHECK_EQ(verdict_of(text), JSON_GOOD);
    text[1000] = ' ';
    text[1001] = '\0';
    CHECK_EQ(verdict_of(text), JSON_LONG);
    CHECK_EQ(verdict_of("[[[[1]]]]"), JSON_GOOD);
    CHECK_EQ(verdict_of("[[[[[1]]]]]"), JSON_DEEP);
    CHECK_EQ(verdict_of("[{\"a\":[{\"b\":1}]}]"), JSON_GOOD);
    CHECK_EQ(verdict_of("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), JSON_GOOD);
    CHECK_EQ(verdict_of("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"), JSON_CROWDED);
    memset(text, '[', 900);
    text[900] = '\0';
    CHECK_EQ(verdict_of(text), JSON_DEEP);
}

TEST(what_cjson_would_let_pass_is_refused)
{
    CHECK_EQ(verdict_of("\"\\u12g4\""), JSON_BROKEN);
    CHECK_EQ(verdict_of("\"\\u0000\""), JSON_BROKEN);
    CHECK_EQ(verdict_of("\"a\tb\""), JSON_BROKEN);
    CHECK_EQ(verdict_of("\x01 1"), JSON_BROKEN);
    CHECK_EQ(verdict_of("\xef\xbb\xbf"
                        "1"),
             JSON_BROKEN);
    CHECK_EQ(verdict_of("\"\xff\""), JSON_BROKEN);
    CHECK_EQ(verdict_of("{}xyz"), JSON_BROKEN);
    CHECK_EQ(verdict_of("{} {}"), JSON_BROKEN);
    CHECK_EQ(verdict_of("]"), JSON_BROKEN);
    CHECK_EQ(verdict_of("[1,]"), JSON_BROKEN);
    CHECK_EQ(verdict_of("[1 2]"), JSON_BROKEN);
    CHECK_EQ(verdict_of("\"a"), JSON_BROKEN);
    CHECK_EQ(verdict_of("\"a\\"), JSON_BROKEN);
    CHECK_EQ(verdict_of("True"), JSON_BROKEN);
    CHECK_EQ(verdict_of("\"\\ud83d\\ude00\""), JSON_GOOD);
    struct json_scan scan;
    CHECK(json_parse("1\0", 2, &limits, &scan) == NULL);
    CHECK_EQ(scan.verdict, JSON_BROKEN);
    CHECK_EQ(scan.offset, 1);
}

// ---- text -----------------------------------------------------------------------

// The definition in its simplest form, to hold the fast one against.
static bool is_scalar_encoding(const unsigned char *b, uint32_t length)
{
    uint32_t code = length == 1 ? b[0] : b[0] & (0xffu >> (length + 1));
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    for (uint32_t i = 1; i < length; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return false;
        }
        code = code << 6 | (b[i] & 0x3f);
    }
    return code >= smallest[length] && code <= 0x10ffff &&
           !(code >= 0xd800 && code <= 0xdfff);
}

TEST(utf8_is_told_from_everything_else)
{
    for (uint32_t word = 0; word < 1u << 16; word++) {
        for (uint32_t tail = 0; tail < 4; tail++) {
            static const unsigned char tails[] = {0x00, 0x80, 0xbf, 0xc0};
            unsigned char b[4] = {(unsigned char)(word >> 8), (unsigned char)word,
                                  tails[tail], 0x80};
            uint32_t length = b[0] < 0x80   ? 1
                              : b[0] < 0xc0 ? 0
                              : b[0] < 0xe0 ? 2
                              : b[0] < 0xf0 ? 3
                              : b[0] < 0xf8 ? 4
                                            : 0;
            bool good = length > 0 && is_scalar_encoding(b, length);
            const char *at = (const char *)b;
            CHECK_EQ(utf8_length(at, at + 4), good ? length : 0);
            if (good && length > 1) {
                CHECK_EQ(utf8_length(at, at + length - 1), 0);
            }
        }
    }
}

TEST(text_is_escaped_so_that_it_comes_back)
{
    char text[256];
    for (int i = 1; i < 128; i++) {
        text[i - 1] = (char)i;
    }
    struct frame *frame = frame_new(1);
    json_add_text(frame, text, 127);
    struct json_scan scan;
    cJSON *tree = json_parse(frame->data, frame->size, &limits, &scan);
    CHECK_EQ(strlen(tree->valuestring), 127);
    CHECK(memcmp(tree->valuestring, text, 127) == 0);
    cJSON_Delete(tree);
    frame_release(frame);
}

TEST(bytes_travel_as_text_only_where_that_is_safe_and_short)
{
    CHECK(json_is_text("", 0));
    CHECK(json_is_text("SET\r\n", 5));
    CHECK(json_is_text("\xe2\x82\xac", 3));
    CHECK(!json_is_text("a\0b", 3));
    CHECK(!json_is_text("\xe2\x82", 2));
    CHECK(!json_is_text("\x01\x02\x03", 3)); // six times as long as text
    struct frame *frame = frame_new(1);
    json_add_bytes(frame, "v", "hi", 2);
    json_add_bytes(frame, "v", "\xff", 1);
    frame_append(frame, "", 1);
    CHECK_TEXT(frame->data, "\"v\":\"hi\"\"v_base64\":\"/w==\"");
    frame_release(frame);
}

TEST(base64_comes_back_and_has_one_spelling)
{
    unsigned char bytes[64], back[64];
    char text[96];
    for (size_t size = 0; size <= sizeof bytes; size++) {
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (unsigned char)(i * 37 + size * 101);
        }
        size_t back_size;
        base64_encode(bytes, size, text);
        CHECK(base64_decode(text, base64_encoded_size(size), back, &back_size));
        CHECK_EQ(back_size, size);
        CHECK(memcmp(bytes, back, size) == 0);
    }
    static const char *const wrong[] = {
        "A",    "AA",   "AAA",  "A===",  "====",    "AA=A",
        "AB==", "AAB=", "AA-A", "AA\nA", "AAAAA=A="};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t size;
        CHECK(!base64_decode(wrong[i], strlen(wrong[i]), back, &size));
    }
}

// ---- JSON-RPC -------------------------------------------------------------------

static int code_of(const char *line, struct jsonrpc_message *message)
{
    struct jsonrpc_problem problem = {0, NULL};
    return jsonrpc_parse(line, strlen(line), &limits, message, &problem)
               ? 0
               : (int)problem.code;
}

TEST(requests_notifications_and_answers_are_told_apart)
{
    struct jsonrpc_message m;
    CHECK_EQ(code_of("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}", &m), 0);
    CHECK_EQ(m.kind, JSONRPC_REQUEST);
    CHECK_EQ(m.id.kind, JSONRPC_ID_NUMBER);
    CHECK_EQ(m.id.number, 7);
    CHECK(m.params == NULL);
    jsonrpc_release(&m);
    CHECK_EQ(code_of("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1]}", &m), 0);
    CHECK_EQ(m.kind, JSONRPC_NOTIFICATION);
    CHECK_TEXT(m.method, "m");
    jsonrpc_release(&m);
    CHECK_EQ(code_of("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":null}", &m), 0);
    CHECK_EQ(m.kind, JSONRPC_RESULT);
    CHECK_TEXT(m.id.text, "x");
    jsonrpc_release(&m);
    CHECK_EQ(code_of("{\"jsonrpc\":\"2.0\",\"id\":null,"
                     "\"error\":{\"code\":-32000,\"message\":\"no\"}}",
                     &m),
             0);
    CHECK_EQ(m.kind, JSONRPC_ERROR);
    CHECK(m.error_code == -32000);
    CHECK_TEXT(m.error_message, "no");
    jsonrpc_release(&m);
}

TEST(a_refused_request_keeps_its_id_for_the_answer)
{
    struct jsonrpc_message m;
    CHECK(code_of("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":5}", &m) == -32600);
    CHECK_EQ(m.id.number, 7);
    jsonrpc_release(&m);
    CHECK(code_of("{\"id\":\"a\",\"method\":\"m\",\"params\":{\"x\":1.5},"
                  "\"jsonrpc\":\"2.0\"}",
                  &m) == -32602);
    CHECK_TEXT(m.id.text, "a");
    jsonrpc_release(&m);
    CHECK(code_of("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"m\"}", &m) == -32600);
    CHECK_EQ(m.id.kind, JSONRPC_ID_NULL);
    jsonrpc_release(&m);
    CHECK(code_of("{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"m\"}",
                  &m) == -32600);
    CHECK_EQ(m.id.kind, JSONRPC_ID_NULL);
    jsonrpc_release(&m);
    CHECK(code_of("{\"jsonrpc\"", &m) == -32700);
    CHECK_EQ(m.id.kind, JSONRPC_ID_NULL);
    jsonrpc_release(&m);
    CHECK(code_of("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}]", &m) == -32600);
    jsonrpc_release(&m);
}

TEST(results_and_errors_are_lines_that_can_be_read_back)
{
    struct frame *frame = frame_new(1);
    const struct jsonrpc_id id = {JSONRPC_ID_STRING, 0, "a\"b"};
    const struct jsonrpc_id absent = {JSONRPC_ID_ABSENT, 0, NULL};
    jsonrpc_begin_result(frame, &id);
    json_add_i64(frame, INT64_MIN);
    jsonrpc_end(frame);
    jsonrpc_add_error(frame, &absent, JSONRPC_INTERNAL_ERROR, "it\nbroke");
    frame_append(frame, "", 1);
    CHECK_TEXT(frame->data,
               "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"result\":"
               "-9223372036854775808}\n"
               "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,"
               "\"message\":\"it\\nbroke\"}}\n");
    frame_release(frame);
}

TEST(a_shared_frame_lives_until_its_last_holder_lets_go)
{
    struct frame *frame = frame_new(1);
    for (int i = 0; i < 1000; i++) {
        frame_append(frame, "0123456789", 10);
    }
    CHECK(frame_hold(frame) == frame);
    frame_release(frame);
    CHECK_EQ(frame->size, 10000);
    CHECK(memcmp(frame->data + 9990, "0123456789", 10) == 0);
    frame_release(frame);
}

TEST_MAIN
