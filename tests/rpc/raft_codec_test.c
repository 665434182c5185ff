// raft_codec_test.c: the wire form of every message: known lines, round trips, what is
// refused and why.
#include "rpc/raft_codec.h"

#include "rpc/raft_codec_fields.h"
#include "tests/rpc/random_message.h"
#include "tests/test.h"

enum { LINE_BYTES_MAX = 64 * 1024, ENTRIES_MAX = 16 };

static const char *encoded(struct frame *frame, const struct raft_message *message)
{
    frame->size = 0;
    CHECK(raft_codec_encode(frame, message));
    frame_append(frame, "", 1);
    frame->size--;
    return frame->data;
}

// ---- known lines ----------------------------------------------------------------

#define CALL(method, params) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"

// The line that a node would write: with its checksum behind the given members.
static const char *summed(const char *call)
{
    static char line[LINE_BYTES_MAX];
    size_t size = strlen(call) - 2; // the two last braces come with the checksum
    memcpy(line, call, size);
    raft_codec_sum(line, size, line + size);
    line[size + RAFT_CODEC_SUM_BYTES] = '\0';
    return line;
}

static void check_line(const struct raft_message *message, const char *call)
{
    const char *line = summed(call);
    struct frame *frame = frame_new(16);
    struct raft_codec_arena arena;
    struct raft_message back;
    struct jsonrpc_problem problem;
    raft_codec_arena_init(&arena, LINE_BYTES_MAX, ENTRIES_MAX);
    const char *text = encoded(frame, message);
    CHECK_EQ(text[frame->size - 1], '\n');
    frame->data[frame->size - 1] = '\0';
    CHECK_TEXT(text, line);
    CHECK(raft_codec_decode(&arena, line, strlen(line), &back, &problem));
    CHECK(same_message(message, &back));
    raft_codec_arena_release(&arena);
    frame_release(frame);
}

TEST(a_vote_is_asked_for_and_given_in_known_lines)
{
    struct raft_message ask = {.type = RAFT_REQUEST_VOTE, .from = 1, .term = 5};
    ask.request_vote.last_log_index = 9;
    ask.request_vote.last_log_term = 4;
    check_line(&ask, CALL("request_vote", "\"from\":1,\"term\":5,\"last_log_index\":9,"
                                          "\"last_log_term\":4,\"transfer\":false"));
    ask.request_vote.pre_vote = true;
    check_line(&ask, CALL("pre_vote", "\"from\":1,\"term\":5,\"last_log_index\":9,"
                                      "\"last_log_term\":4,\"transfer\":false"));
    struct raft_message reply = {.type = RAFT_REQUEST_VOTE_REPLY, .from = 2, .term = 5};
    reply.request_vote_reply.vote_granted = true;
    check_line(&reply, CALL("request_vote_reply",
                            "\"from\":2,\"term\":5,\"vote_granted\":true"));
    reply.request_vote_reply.pre_vote = true;
    check_line(&reply,
               CALL("pre_vote_reply", "\"from\":2,\"term\":5,\"vote_granted\":true"));
}

TEST(entries_travel_as_text_where_they_are_text_and_as_base64_where_not)
{
    const struct raft_entry entries[] = {
        {5, 3, RAFT_ENTRY_NOOP, 0, NULL},
        {6, 3, RAFT_ENTRY_COMMAND, 8, "a \"b\"\r\n\xc3"}, // cut within a character
        {7, 3, RAFT_ENTRY_COMMAND, 10, "a \"b\"\r\n\xc3\xa9\\"},
        {8, 3, RAFT_ENTRY_CONFIGURATION, 2, "\x01\x00"},
    };
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .from = 1, .term = 3};
    message.append_entries = (struct raft_append_entries){4, 2, 4, 7, 4, entries};
    check_line(
        &message,
        CALL("append_entries",
             "\"from\":1,\"term\":3,\"prev_log_index\":4,\"prev_log_term\":2,"
             "\"leader_commit\":4,\"round\":7,\"entries\":["
             "{\"term\":3,\"type\":\"noop\"},"
             "{\"term\":3,\"type\":\"command\",\"data_base64\":\"YSAiYiINCsM=\"},"
             "{\"term\":3,\"type\":\"command\","
             "\"data\":\"a \\\"b\\\"\\r\\n\xc3\xa9\\\\\"},"
             "{\"term\":3,\"type\":\"configuration\",\"data_base64\":\"AQA=\"}]"));
}

TEST(an_acknowledgement_has_a_known_line)
{
    struct raft_message reply = {.type = RAFT_APPEND_ENTRIES_REPLY, .from = 2};
    reply.term = 9007199254740991;
    reply.append_entries_reply =
        (struct raft_append_entries_reply){false, 0, 12, 7, 2, 31};
    check_line(&reply, CALL("append_entries_reply",
                            "\"from\":2,\"term\":9007199254740991,\"success\":false,"
                            "\"match_index\":0,\"prev_log_index\":12,"
                            "\"conflict_index\":7,\"conflict_term\":2,\"round\":31"));
}

TEST(a_snapshot_chunk_and_its_answer_have_known_lines)
{
    struct raft_message chunk = {.type = RAFT_INSTALL_SNAPSHOT, .from = 1, .term = 4};
    struct raft_install_snapshot *install = &chunk.install_snapshot;
    install->last_included_index = 90;
    install->last_included_term = 3;
    install->offset = 4096;
    install->total = 4100;
    install->checksum = 0xfedcba9876543210u;
    install->size = 4;
    install->data = "tail";
    check_line(&chunk, CALL("install_snapshot",
                            "\"from\":1,\"term\":4,\"last_included_index\":90,"
                            "\"last_included_term\":3,\"offset\":4096,\"total\":4100,"
                            "\"checksum\":\"fedcba9876543210\",\"data\":\"tail\""));
    struct raft_message reply = {.type = RAFT_INSTALL_SNAPSHOT_REPLY, .from = 4};
    reply.term = 4;
    reply.install_snapshot_reply = (struct raft_install_snapshot_reply){90, 4100, true};
    check_line(&reply, CALL("install_snapshot_reply",
                            "\"from\":4,\"term\":4,\"last_included_index\":90,"
                            "\"next_offset\":4100,\"installed\":true"));
}

TEST(a_transfer_and_a_read_have_known_lines)
{
    struct raft_message now = {.type = RAFT_TIMEOUT_NOW, .from = 1, .term = 4};
    check_line(&now, CALL("timeout_now", "\"from\":1,\"term\":4"));
    struct raft_message read = {.type = RAFT_READ_INDEX, .from = 2, .term = 4};
    read.read_index.id = 77;
    check_line(&read, CALL("read_index", "\"from\":2,\"term\":4,\"id\":77"));
    read.type = RAFT_READ_INDEX_REPLY;
    read.read_index.index = 12;
    read.read_index.ok = true;
    check_line(&read, CALL("read_index_reply", "\"from\":2,\"term\":4,\"id\":77,"
                                               "\"index\":12,\"ok\":true"));
}

// ---- the document ---------------------------------------------------------------

// docs/protocol.md, read from the root of the project, where the tests are started.
TEST(every_example_in_the_document_is_a_line_that_a_node_would_write)
{
    const char start[] = "{\"jsonrpc\":\"2.0\",\"method\":\"";
    static char line[4096];
    uint32_t examples = 0;
    uint32_t seen[RAFT_MESSAGE_TYPE_END] = {0};
    FILE *document = fopen("docs/protocol.md", "r");
    CHECK(document != NULL);
    struct frame *frame = frame_new(16);
    struct raft_codec_arena arena;
    struct raft_message message;
    struct jsonrpc_problem problem;
    raft_codec_arena_init(&arena, sizeof line, ENTRIES_MAX);
    while (fgets(line, sizeof line, document) != NULL) {
        if (strncmp(line, start, sizeof start - 1) != 0 ||
            strstr(line, "\"method\":\"vote\"") != NULL) { // the one that is refused
            continue;
        }
        size_t size = strcspn(line, "\n");
        CHECK(raft_codec_decode(&arena, line, size, &message, &problem));
        CHECK_TEXT(encoded(frame, &message), line);
        seen[message.type]++;
        examples++;
    }
    for (int type = 1; type < RAFT_MESSAGE_TYPE_END; type++) {
        CHECK(seen[type] > 0);
    }
    CHECK(examples >= 12);
    raft_codec_arena_release(&arena);
    frame_release(frame);
    fclose(document);
}

// ---- round trips ----------------------------------------------------------------

TEST(every_message_comes_back_as_it_was_sent)
{
    struct random_message r = {.state = 1};
    struct frame *frame = frame_new(16);
    struct raft_codec_arena arena;
    struct raft_message back;
    struct jsonrpc_problem problem;
    raft_codec_arena_init(&arena, LINE_BYTES_MAX, ENTRIES_MAX);
    uint32_t seen[RAFT_MESSAGE_TYPE_END] = {0};
    for (int i = 0; i < 20000; i++) {
        random_message_next(&r);
        const char *line = encoded(frame, &r.message);
        size_t size = frame->size - 1;
        seen[r.message.type]++;
        CHECK(size <= raft_codec_line_bytes_max(ENTRIES_MAX, r.used));
        CHECK(memchr(line, '\n', size) == NULL);
        CHECK(raft_codec_decode(&arena, line, size, &back, &problem));
        CHECK(same_message(&r.message, &back));
        CHECK_EQ(back.to, 0);
        CHECK(raft_codec_decode_slowly(&arena, line, size, &back, &problem));
        CHECK(same_message(&r.message, &back));
    }
    for (int type = 1; type < RAFT_MESSAGE_TYPE_END; type++) {
        CHECK(seen[type] > 0);
    }
    raft_codec_arena_release(&arena);
    frame_release(frame);
}

TEST(a_number_beyond_2_to_the_53_is_not_encoded)
{
    struct frame *frame = frame_new(16);
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .from = 1};
    message.term = JSON_WHOLE_MAX + 1;
    CHECK(!raft_codec_encode(frame, &message));
    CHECK_EQ(frame->size, 0);
    struct raft_entry entry = {6, JSON_WHOLE_MAX + 1, RAFT_ENTRY_NOOP, 0, NULL};
    message = (struct raft_message){.type = RAFT_APPEND_ENTRIES, .from = 1};
    message.append_entries.prev_log_index = 5;
    message.append_entries.count = 1;
    message.append_entries.entries = &entry;
    CHECK(!raft_codec_encode(frame, &message));
    CHECK_EQ(frame->size, 0);
    frame_release(frame);
}

TEST(no_method_sends_a_number_beyond_2_to_the_53)
{
    struct frame *frame = frame_new(16);
    uint32_t numbers = 0;
    for (size_t i = 0; i < raft_codec_method_count; i++) {
        const struct raft_codec_method *method = &raft_codec_methods[i];
        for (uint32_t f = 0; f < method->count; f++) {
            struct raft_message message = {.from = 1};
            raft_codec_begin(&message, method);
            if (method->fields[f].kind != RAFT_CODEC_U64) {
                continue;
            }
            uint64_t *number =
                (uint64_t *)(void *)((char *)&message + method->fields[f].offset);
            *number = JSON_WHOLE_MAX;
            frame->size = 0;
            CHECK(raft_codec_encode(frame, &message));
            *number = JSON_WHOLE_MAX + 1;
            frame->size = 0;
            CHECK(!raft_codec_encode(frame, &message));
            CHECK_EQ(frame->size, 0);
            numbers++;
        }
    }
    CHECK(numbers > 25);
    frame_release(frame);
}

// ---- chunks of a snapshot ---------------------------------------------------------

enum { CHUNK_BYTES = 256 << 10 };

static void fill_chunk(char *data, const char *kind)
{
    struct random_message r = {.state = 5};
    for (size_t i = 0; i < CHUNK_BYTES; i++) {
        data[i] = *kind != '\0' ? kind[i % strlen(kind)] : (char)random_draw(&r);
    }
}

TEST(a_large_chunk_takes_the_short_cut_and_keeps_to_the_bound_of_a_line)
{
    static const char *const kinds[] = {"", "plain text ", "\"", "\"\\\n\xc3\xa9"};
    static char data[CHUNK_BYTES];
    struct raft_message back, message = {.type = RAFT_INSTALL_SNAPSHOT, .from = 1};
    struct raft_install_snapshot *install = &message.install_snapshot;
    size_t bound = raft_codec_line_bytes_max(0, CHUNK_BYTES);
    struct raft_codec_arena arena;
    struct frame *frame = frame_new(16);
    *install = (struct raft_install_snapshot){JSON_WHOLE_MAX,
                                              JSON_WHOLE_MAX,
                                              JSON_WHOLE_MAX,
                                              JSON_WHOLE_MAX,
                                              UINT64_MAX,
                                              CHUNK_BYTES,
                                              data};
    message.from = UINT32_MAX;
    message.term = JSON_WHOLE_MAX;
    raft_codec_arena_init(&arena, bound, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        fill_chunk(data, kinds[i]);
        encoded(frame, &message);
        CHECK(frame->size <= bound);
        CHECK_EQ(raft_codec_canonical(&arena, frame->data, frame->size - 1, &back),
                 RAFT_CODEC_DECODED);
        CHECK(same_message(&message, &back));
    }
    raft_codec_arena_release(&arena);
    frame_release(frame);
}

TEST(equal_messages_to_different_nodes_share_a_frame_and_others_do_not)
{
    const struct raft_entry entries[] = {{5, 1, RAFT_ENTRY_COMMAND, 1, "x"},
                                         {6, 1, RAFT_ENTRY_COMMAND, 1, "y"}};
    struct raft_message a = {
        .type = RAFT_APPEND_ENTRIES, .from = 1, .to = 2, .term = 1};
    a.append_entries = (struct raft_append_entries){4, 1, 4, 7, 2, entries};
    struct raft_message b = a;
    b.to = 3;
    CHECK(raft_codec_same_frame(&a, &b));
    struct raft_entry copies[2];
    memcpy(copies, entries, sizeof copies);
    b.append_entries.entries = copies; // other structs about the same bytes
    CHECK(raft_codec_same_frame(&a, &b));
    copies[1].data = "z";
    CHECK(!raft_codec_same_frame(&a, &b));
    b = a;
    b.append_entries.count = 1;
    CHECK(!raft_codec_same_frame(&a, &b));
    b = a;
    b.append_entries.round = 8;
    CHECK(!raft_codec_same_frame(&a, &b));
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE, .from = 1, .to = 2};
    struct raft_message pre_vote = vote;
    pre_vote.request_vote.pre_vote = true;
    CHECK(!raft_codec_same_frame(&vote, &pre_vote));
    CHECK(!raft_codec_same_frame(&vote, &a));
}

TEST(what_may_share_a_frame_is_encoded_to_the_same_bytes)
{
    struct random_message r = {.state = 2};
    struct frame *one = frame_new(16);
    struct frame *two = frame_new(16);
    for (int i = 0; i < 5000; i++) {
        random_message_next(&r);
        struct raft_message other = r.message;
        other.to = (raft_id)(i + 1);
        CHECK(raft_codec_same_frame(&r.message, &other));
        CHECK_TEXT(encoded(one, &r.message), encoded(two, &other));
        other.term ^= 1;
        CHECK(!raft_codec_same_frame(&r.message, &other));
    }
    frame_release(one);
    frame_release(two);
}

// ---- what is refused ------------------------------------------------------------

#define VOTE(rest) CALL("request_vote", "\"from\":1,\"term\":5" rest)
#define VOTE_TAIL  ",\"last_log_index\":9,\"last_log_term\":4,\"transfer\":false"
#define TERM(text)                                                            \
    CALL("request_vote", "\"from\":1,\"term\":" text ",\"last_log_index\":9," \
                         "\"last_log_term\":4,\"transfer\":false")
#define ENTRIES(text)                                                    \
    CALL("append_entries", "\"from\":1,\"term\":3,\"prev_log_index\":4," \
                           "\"prev_log_term\":2,\"leader_commit\":4,"    \
                           "\"round\":7,\"entries\":" text)
#define SNAPSHOT(checksum, rest)                                                  \
    CALL("install_snapshot", "\"from\":1,\"term\":4,\"last_included_index\":9,"   \
                             "\"last_included_term\":3,\"offset\":0,\"total\":1," \
                             "\"checksum\":" checksum rest)
#define SUM "\"fedcba9876543210\""

struct refusal {
    const char *line;
    int code; // 0: taken
};

static const struct refusal refusals[] = {
    {TERM("5"), 0},
    {" " TERM("5") " \t\r", 0},
    {VOTE(VOTE_TAIL ",\"crc32c\":\"a4b2ec37\""), 0},
    {VOTE(VOTE_TAIL ",\"crc32c\":\"a4b2ec37\"") " \r", 0},
    {" " VOTE(VOTE_TAIL ",\"crc32c\":\"a4b2ec37\""), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\":\"a4b2ec38\""), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\":\"A4B2EC37\""), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\": \"a4b2ec37\""), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\":2763189303"), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\":null"), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"crc32c\":\"\""), JSONRPC_INVALID_PARAMS},
    {VOTE(",\"crc32c\":\"a4b2ec37\"" VOTE_TAIL), JSONRPC_INVALID_PARAMS},
    {"", JSONRPC_PARSE_ERROR},
    {"   ", JSONRPC_PARSE_ERROR},
    {"nonsense", JSONRPC_PARSE_ERROR},
    {TERM("5") "x", JSONRPC_PARSE_ERROR},
    {TERM("5") TERM("5"), JSONRPC_PARSE_ERROR},
    {"\xef\xbb\xbf" TERM("5"), JSONRPC_PARSE_ERROR},
    {TERM("05"), JSONRPC_PARSE_ERROR},
    {TERM("5."), JSONRPC_PARSE_ERROR},
    {TERM("+5"), JSONRPC_PARSE_ERROR},
    {TERM("-"), JSONRPC_PARSE_ERROR},
    {TERM("0x5"), JSONRPC_PARSE_ERROR},
    {TERM("NaN"), JSONRPC_PARSE_ERROR},
    {TERM("5,"), JSONRPC_PARSE_ERROR},
    {TERM("\"\\q\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\\u00zz\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\\u0000\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\\ud800\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\\udc00\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\x01\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\xc3\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\xed\xa0\x80\""), JSONRPC_PARSE_ERROR},
    {TERM("\"\xc0\x80\""), JSONRPC_PARSE_ERROR},
    {TERM("9007199254740991"), 0},
    {TERM("9007199254740992"), JSONRPC_INVALID_PARAMS},
    {TERM("9007199254740993"), JSONRPC_INVALID_PARAMS},
    {TERM("18446744073709551615"), JSONRPC_INVALID_PARAMS},
    {TERM("18446744073709551616"), JSONRPC_INVALID_PARAMS},
    {TERM("99999999999999999999999999999999999999"), JSONRPC_INVALID_PARAMS},
    {TERM("-1"), JSONRPC_INVALID_PARAMS},
    {TERM("-0"), JSONRPC_INVALID_PARAMS},
    {TERM("5.0"), JSONRPC_INVALID_PARAMS},
    {TERM("9007199254740991.4"), JSONRPC_INVALID_PARAMS},
    {TERM("5e0"), JSONRPC_INVALID_PARAMS},
    {TERM("1E400"), JSONRPC_INVALID_PARAMS},
    {TERM("\"5\""), JSONRPC_INVALID_PARAMS},
    {TERM("null"), JSONRPC_INVALID_PARAMS},
    {TERM("true"), JSONRPC_INVALID_PARAMS},
    {TERM("[5]"), JSONRPC_INVALID_PARAMS},
    {TERM("[[[[[[5]]]]]]"), JSONRPC_INVALID_REQUEST},
    {VOTE(""), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"extra\":1"), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"term\":5"), JSONRPC_INVALID_PARAMS},
    {VOTE(VOTE_TAIL ",\"to\":2"), JSONRPC_INVALID_PARAMS},
    {VOTE(",\"Last_log_index\":9,\"last_log_term\":4,\"transfer\":false"),
     JSONRPC_INVALID_PARAMS},
    {VOTE(",\"last_log_index\":9,\"last_log_term\":4,\"transfer\":0"),
     JSONRPC_INVALID_PARAMS},
    {CALL("timeout_now", "\"from\":0,\"term\":1"), JSONRPC_INVALID_PARAMS},
    {CALL("timeout_now", "\"from\":4294967295,\"term\":1"), 0},
    {CALL("timeout_now", "\"from\":4294967296,\"term\":1"), JSONRPC_INVALID_PARAMS},
    {CALL("Timeout_now", "\"from\":1,\"term\":1"), JSONRPC_METHOD_NOT_FOUND},
    {CALL("kv.get", "\"key\":\"x\""), JSONRPC_METHOD_NOT_FOUND},
    {"[" TERM("5") "]", JSONRPC_INVALID_REQUEST},
    {"5", JSONRPC_INVALID_REQUEST},
    {"1.5", JSONRPC_INVALID_REQUEST},
    {"{}", JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\"}", JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"1.0\",\"method\":\"timeout_now\",\"params\":{}}",
     JSONRPC_INVALID_REQUEST},
    {"{\"method\":\"timeout_now\",\"params\":{\"from\":1,\"term\":1}}",
     JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"method\":5}", JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\",\"params\":5}",
     JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\"}", JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\",\"params\":[1,1]}",
     JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"timeout_now\","
     "\"params\":{\"from\":1,\"term\":1}}",
     JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"timeout_now\",\"extra\":1,"
     "\"params\":{\"from\":1,\"term\":1}}",
     JSONRPC_INVALID_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", JSONRPC_INVALID_REQUEST},
    {ENTRIES("[]"), 0},
    {ENTRIES("[ ]"), 0},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data\":\"\"}]"), 0},
    {ENTRIES("[{\"type\":\"command\",\"term\":1,\"data\":\"\\u00e9\\/\"}]"), 0},
    {ENTRIES("[{\"term\":1,\"type\":\"noop\"},]"), JSONRPC_PARSE_ERROR},
    {ENTRIES("[{\"term\":1,\"type\":\"noop\"}"), JSONRPC_PARSE_ERROR},
    {ENTRIES("{}"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[1]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"type\":\"noop\"}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":1}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"Noop\"}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"noop\",\"index\":5}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data\":5}]"), JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data\":\"a\","
             "\"data_base64\":\"YQ==\"}]"),
     JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data_base64\":\"YQ==\"}]"), 0},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data_base64\":\"YQ\"}]"),
     JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data_base64\":\"YR==\"}]"),
     JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data_base64\":\"Y Q=\"}]"),
     JSONRPC_INVALID_PARAMS},
    {ENTRIES("[{\"term\":1,\"type\":\"command\",\"data_base64\":\"=AAA\"}]"),
     JSONRPC_INVALID_PARAMS},
    {CALL("append_entries", "\"from\":1,\"term\":3,\"prev_log_index\":9007199254740991,"
                            "\"prev_log_term\":2,\"leader_commit\":4,\"round\":7,"
                            "\"entries\":[{\"term\":1,\"type\":\"noop\"}]"),
     JSONRPC_INVALID_PARAMS},
    {SNAPSHOT(SUM, ",\"data\":\"x\""), 0},
    {SNAPSHOT(SUM, ",\"data_base64\":\"YQ==\""), 0},
    {SNAPSHOT(SUM, ",\"data\":\"x\",\"data_base64\":\"YQ==\""), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT(SUM, ""), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT(SUM, ",\"data\":5"), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT(SUM, ",\"data_base64\":\"YQ=\""), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT(SUM, ",\"data\":\"x\",\"done\":true"), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT("5", ",\"data\":\"x\""), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT("\"FEDCBA9876543210\"", ",\"data\":\"x\""), JSONRPC_INVALID_PARAMS},
    {SNAPSHOT("\"fedc\"", ",\"data\":\"x\""), JSONRPC_INVALID_PARAMS},
};

// Exactly as many bytes as it has, so that a sanitizer sees a read beyond.
static bool decode_copy(struct raft_codec_arena *arena, bool summed, const char *line,
                        size_t size, struct raft_message *message,
                        struct jsonrpc_problem *problem)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, line, size);
    bool good = summed
                    ? raft_codec_decode(arena, copy, size, message, problem)
                    : raft_codec_decode_unsummed(arena, copy, size, message, problem);
    free(copy);
    return good;
}

TEST(each_line_that_is_not_a_message_has_its_error_code)
{
    struct raft_codec_arena arena;
    struct raft_message message;
    raft_codec_arena_init(&arena, LINE_BYTES_MAX, ENTRIES_MAX);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const char *line = refusals[i].line;
        struct jsonrpc_problem problem = {0, ""};
        bool good = decode_copy(&arena, false, line, strlen(line), &message, &problem);
        int code = good ? 0 : (int)problem.code;
        if (code != refusals[i].code) {
            test_fail(__FILE__, __LINE__, "%s\ngives %d (%s), expected %d", line, code,
                      problem.text, refusals[i].code);
        }
        CHECK(good || strlen(problem.text) > 0);
    }
    raft_codec_arena_release(&arena);
}

static struct frame *many_entries(uint32_t count)
{
    static struct raft_entry entries[1000];
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .from = 1};
    message.append_entries.count = count;
    message.append_entries.entries = entries;
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct raft_entry){i + 1, 1, RAFT_ENTRY_COMMAND, 4, "data"};
    }
    struct frame *frame = frame_new(16);
    CHECK(raft_codec_encode(frame, &message));
    return frame;
}

TEST(too_many_entries_and_too_many_bytes_are_refused_and_grow_nothing)
{
    struct raft_codec_arena arena;
    struct raft_message message;
    struct jsonrpc_problem problem;
    raft_codec_arena_init(&arena, 32 * 1024, ENTRIES_MAX);
    struct frame *good = many_entries(ENTRIES_MAX);
    struct frame *few = many_entries(ENTRIES_MAX + 1);
    struct frame *many = many_entries(1000);
    CHECK(raft_codec_decode(&arena, good->data, good->size - 1, &message, &problem));
    CHECK_EQ(message.append_entries.count, ENTRIES_MAX);
    CHECK(!raft_codec_decode(&arena, few->data, few->size - 1, &message, &problem));
    CHECK_EQ(problem.code, JSONRPC_INVALID_PARAMS);
    CHECK(!raft_codec_decode(&arena, many->data, many->size - 1, &message, &problem));
    CHECK_EQ(problem.code, JSONRPC_INVALID_REQUEST);
    CHECK(arena.entries_capacity <= ENTRIES_MAX);
    CHECK(arena.bytes_capacity <= 32 * 1024);
    arena.line_bytes_max = good->size - 2;
    CHECK(!raft_codec_decode(&arena, good->data, good->size - 1, &message, &problem));
    CHECK_EQ(problem.code, JSONRPC_INVALID_REQUEST);
    CHECK_TEXT(problem.text, "the line is too long");
    frame_release(good);
    frame_release(few);
    frame_release(many);
    raft_codec_arena_release(&arena);
}

TEST(a_line_without_a_checksum_is_taken_only_where_it_may_be_missing)
{
    const char *line = TERM("5");
    struct raft_codec_arena arena;
    struct raft_message message;
    struct jsonrpc_problem problem;
    raft_codec_arena_init(&arena, LINE_BYTES_MAX, ENTRIES_MAX);
    CHECK(decode_copy(&arena, false, line, strlen(line), &message, &problem));
    CHECK(!decode_copy(&arena, true, line, strlen(line), &message, &problem));
    CHECK_EQ(problem.code, JSONRPC_INVALID_PARAMS);
    CHECK_TEXT(problem.text, "crc32c is missing");
    line = summed(line);
    CHECK(decode_copy(&arena, true, line, strlen(line), &message, &problem));
    CHECK(decode_copy(&arena, false, line, strlen(line), &message, &problem));
    raft_codec_arena_release(&arena);
}

TEST_MAIN
