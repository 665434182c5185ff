// What clients ask for, and what a history keeps of the question and of the answer.
#include "sim/workload.h"

#include "tests/test.h"

static char line[1024];

// Records a command with its reply and gives it as the history prints it.
static const char *recorded(const char *command, const char *reply)
{
    struct history history = {0};
    struct bytes words[WORKLOAD_WORDS_MAX];
    char copy[200];
    uint32_t count = 0, operation;

    snprintf(copy, sizeof(copy), "%s", command);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = (struct bytes){word, strlen(word)};
    if (!workload_call(&history, 3, words, count, 1, &operation)) {
        history_release(&history);
        return "none";
    }
    workload_return(&history, operation, reply, (uint32_t)strlen(reply), 2);
    FILE *file = fmemopen(line, sizeof(line), "w");
    CHECK(file != NULL);
    history_print(&history, operation, file);
    fclose(file);
    history_release(&history);
    return line;
}

#define AROUND(kind, rest, from)                                                \
    "{\"client\":3,\"kind\":\"" kind "\"," rest ",\"call\":1,\"return\":2" from \
    ",\"from\":0,\"to\":1}"

TEST(a_command_on_one_key_is_recorded_with_its_answer)
{
    CHECK_TEXT(recorded("GET k", "$2\r\nab\r\n"),
               AROUND("read", "\"key\":\"k\"", ",\"result\":\"ab\""));
    CHECK_TEXT(recorded("GET k", "$-1\r\n"),
               AROUND("read", "\"key\":\"k\"", ",\"result\":null"));
    CHECK_TEXT(recorded("set k 7", "+OK\r\n"),
               AROUND("write", "\"key\":\"k\",\"value\":\"7\"", ""));
    CHECK_TEXT(recorded("SET k 7 NX", "$-1\r\n"),
               AROUND("cas", "\"key\":\"k\",\"expected\":null,\"value\":\"7\"",
                      ",\"result\":0"));
    CHECK_TEXT(recorded("APPEND k 7", ":9\r\n"),
               AROUND("append", "\"key\":\"k\",\"value\":\"7\"", ",\"result\":9"));
    CHECK_TEXT(recorded("INCR k", ":-4\r\n"),
               AROUND("incr", "\"key\":\"k\",\"by\":1", ",\"result\":-4"));
    CHECK_TEXT(recorded("DEL k", ":0\r\n"),
               AROUND("delete", "\"key\":\"k\"", ",\"result\":0"));
    CHECK_TEXT(recorded("INCRBY k 2", "-ERR no\r\n"),
               AROUND("incr", "\"key\":\"k\",\"by\":2", ",\"outcome\":\"failed\""));
}

TEST(a_command_on_several_keys_is_recorded_as_a_transaction)
{
    CHECK_TEXT(recorded("MGET a b", "*2\r\n$-1\r\n$3\r\nx\ny\r\n"),
               AROUND("txn",
                      "\"ops\":[{\"kind\":\"read\",\"key\":\"a\",\"result\":null},"
                      "{\"kind\":\"read\",\"key\":\"b\",\"result\":\"x\\u000ay\"}]",
                      ""));
    CHECK_TEXT(recorded("MSET a 1 b 2", "+OK\r\n"),
               AROUND("txn",
                      "\"ops\":[{\"kind\":\"write\",\"key\":\"a\",\"value\":\"1\"},"
                      "{\"kind\":\"write\",\"key\":\"b\",\"value\":\"2\"}]",
                      ""));
    CHECK_TEXT(recorded("DEL a b", ":1\r\n"),
               AROUND("txn",
                      "\"ops\":[{\"kind\":\"delete\",\"key\":\"a\"},"
                      "{\"kind\":\"delete\",\"key\":\"b\"}]",
                      ",\"result\":1"));
}

TEST(what_a_history_does_not_know_is_not_recorded)
{
    CHECK_TEXT(recorded("SET k 7 XX", "+OK\r\n"), "none");
    CHECK_TEXT(recorded("SET k 7 PX 5", "+OK\r\n"), "none");
    CHECK_TEXT(recorded("MSET a 1 b", "-ERR\r\n"), "none");
    CHECK_TEXT(recorded("MGET", "-ERR\r\n"), "none");
    CHECK_TEXT(recorded("STRLEN k", ":1\r\n"), "none");
}

TEST(clients_ask_for_every_kind_of_operation_and_for_few_transactions)
{
    struct history history = {0};
    struct workload_client client = {.id = 1};
    struct random random;
    uint32_t kinds[HISTORY_KIND_COUNT] = {0};

    random_seed(&random, 1, 1);
    for (int i = 0; i < 10000; i++) {
        struct workload_command command;
        struct bytes words[WORKLOAD_WORDS_MAX];
        uint32_t operation = 0;

        workload_draw(&command, &random, &client, 6);
        workload_words(&command, words);
        bool known = workload_call(&history, 1, words, command.count, 1, &operation);
        CHECK(known == command.recorded);
        if (known)
            kinds[history.operations[operation].kind]++;
    }
    for (int kind = 0; kind < HISTORY_KIND_COUNT; kind++)
        CHECK(kinds[kind] > 300);
    CHECK(kinds[HISTORY_TXN] < 600);
    history_release(&history);
}

TEST(values_of_so_many_digits_are_all_that_is_written_and_equally_long)
{
    struct workload_client client = {.id = 1, .digits = 7};
    struct random random;
    uint32_t writes = 0;

    random_seed(&random, 1, 1);
    for (int i = 0; i < 1000; i++) {
        struct workload_command command;

        workload_draw(&command, &random, &client, 6);
        CHECK(command.recorded);
        if (command.read)
            continue;
        CHECK_TEXT(command.text[0], "SET");
        CHECK_EQ(strlen(command.text[1]), strlen("k0"));
        CHECK_EQ(strlen(command.text[2]), strlen("1.0000001;"));
        writes++;
    }
    CHECK(writes > 300 && writes == client.values);
}

TEST_MAIN
