// Histories in the forms of others: what is read, what is refused, and the way back.
#include "sim/history/form.h"

#include "sim/linearize.h"
#include "sim/random.h"
#include "tests/test.h"

static char *text_of(const struct history *history, enum form form, char *error)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    CHECK(file != NULL);
    bool good = form_write(history, form, file, error, 128);
    fclose(file);
    if (!good) {
        free(text);
        return NULL;
    }
    return text;
}

static bool read_text(struct history *history, const char *text, char *error)
{
    return form_read(history, FORM_GUESSED, JEPSEN_FAILED_BY_FORM, text, strlen(text),
                     error, 128);
}

// What a text says, in our own form.
static void check_reads_as(const char *text, const char *json)
{
    struct history history = {0};
    char error[128] = "";
    bool read = read_text(&history, text, error);
    CHECK_TEXT(error, "");
    CHECK(read);
    char *again = text_of(&history, FORM_JSON, error);
    CHECK_TEXT(again, json);
    free(again);
    history_release(&history);
}

static void check_refused(const char *text, const char *reason)
{
    struct history history = {0};
    char error[128] = "";
    CHECK(!read_text(&history, text, error));
    CHECK_TEXT(error, reason);
    history_release(&history);
}

static const char *verdict_of(const char *text, enum jepsen_failed failed)
{
    struct history history = {0};
    struct linearize_limits limits;
    struct linearize_result result;
    char error[128] = "";
    CHECK(form_read(&history, FORM_GUESSED, failed, text, strlen(text), error, 128));
    linearize_limits_default(&limits);
    linearize_history(&history, &limits, &result);
    history_release(&history);
    return linearize_verdict_text(result.verdict);
}

#define LOG "INFO  jepsen.util - "

TEST(a_line_of_the_log_is_an_event_and_its_place_is_its_time)
{
    check_reads_as(
        LOG "4\t:invoke\t:read\tnil\n" LOG "1\t:invoke\t:write\t7\n" LOG
            "4\t:ok\t:read\tnil\n" LOG "2\t:invoke\t:cas\t[7 -2]\n" LOG
            "1\t:ok\t:write\t7\n\n" LOG "2\t:ok\t:cas\t[7 -2]\n" LOG
            "4\t:invoke\t:read\tnil\n" LOG "4\t:ok\t:read\t-2\n",
        "{\"client\":4,\"kind\":\"read\",\"key\":\"register\",\"call\":1,"
        "\"return\":3,\"result\":null,\"from\":0,\"to\":2}\n"
        "{\"client\":1,\"kind\":\"write\",\"key\":\"register\",\"value\":\"7\","
        "\"call\":2,\"return\":5,\"from\":1,\"to\":4}\n"
        "{\"client\":2,\"kind\":\"cas\",\"key\":\"register\",\"expected\":\"7\","
        "\"value\":\"-2\",\"call\":4,\"return\":6,\"result\":1,\"from\":3,"
        "\"to\":5}\n"
        "{\"client\":4,\"kind\":\"read\",\"key\":\"register\",\"call\":7,"
        "\"return\":8,\"result\":\"-2\",\"from\":6,\"to\":7}\n");
}

TEST(the_log_may_stand_without_its_head_as_in_a_store_of_jepsens)
{
    check_reads_as(
        "0\t:invoke\t:write\t1\n0\t:ok\t:write\t1\n",
        "{\"client\":0,\"kind\":\"write\",\"key\":\"register\",\"value\":\"1\","
        "\"call\":1,\"return\":2,\"from\":0,\"to\":1}\n");
}

TEST(columns_may_be_padded_with_spaces)
{
    check_reads_as(LOG "14  :invoke :write  3\n" LOG "0   :invoke :read   nil\n" LOG
                       "14  :ok     :write  3\n" LOG "0   :fail   :read   :timed-out\n",
                   "{\"client\":14,\"kind\":\"write\",\"key\":\"register\","
                   "\"value\":\"3\",\"call\":1,\"return\":3,\"from\":0,\"to\":2}\n"
                   "{\"client\":0,\"kind\":\"read\",\"key\":\"register\","
                   "\"call\":2,\"return\":4,\"outcome\":\"failed\",\"from\":1,"
                   "\"to\":3}\n");
}

TEST(what_ends_in_info_or_not_at_all_stays_pending)
{
    check_reads_as(
        LOG "1\t:invoke\t:write\t7\n" LOG "2\t:invoke\t:write\t8\n" LOG
            "1\t:info\t:write\t:timed-out\n" LOG ":nemesis\t:info\t:start\tcut \"n1\n",
        "{\"client\":1,\"kind\":\"write\",\"key\":\"register\",\"value\":\"7\","
        "\"call\":1,\"outcome\":\"pending\",\"from\":0}\n"
        "{\"client\":2,\"kind\":\"write\",\"key\":\"register\",\"value\":\"8\","
        "\"call\":2,\"outcome\":\"pending\",\"from\":1}\n");
}

TEST(what_failed_never_happened_whatever_words_say_why)
{
    check_reads_as(
        LOG "1\t:invoke\t:write\t7\n" LOG
            "1\t:fail\t:write\t7\tjava.net: (refused]\n" LOG
            "1\t:invoke\t:read\tnil\n" LOG "1\t:fail\t:read\t:timed-out\n",
        "{\"client\":1,\"kind\":\"write\",\"key\":\"register\",\"value\":\"7\","
        "\"call\":1,\"return\":2,\"outcome\":\"failed\",\"from\":0,\"to\":1}\n"
        "{\"client\":1,\"kind\":\"read\",\"key\":\"register\",\"call\":3,"
        "\"return\":4,\"outcome\":\"failed\",\"from\":2,\"to\":3}\n");
}

TEST(a_failed_cas_saw_another_value_in_the_log_and_says_nothing_in_edn)
{
    // The register holds 1, so that a cas from 1 cannot have failed for that reason.
    const char *log = LOG "0\t:invoke\t:write\t1\n" LOG "0\t:ok\t:write\t1\n" LOG
                          "0\t:invoke\t:cas\t[1 2]\n" LOG "0\t:fail\t:cas\t[1 2]\n";
    const char *edn = "{:process 0 :type :invoke :f :write :value 1}"
                      "{:process 0 :type :ok :f :write :value 1}"
                      "{:process 0 :type :invoke :f :cas :value [1 2]}"
                      "{:process 0 :type :fail :f :cas :value [1 2]}";
    CHECK_TEXT(verdict_of(log, JEPSEN_FAILED_BY_FORM), "no");
    CHECK_TEXT(verdict_of(log, JEPSEN_FAILED_NEVER), "yes");
    CHECK_TEXT(verdict_of(edn, JEPSEN_FAILED_BY_FORM), "yes");
    CHECK_TEXT(verdict_of(edn, JEPSEN_FAILED_SAW), "no");
    // With an error it says nothing in either, unless the error is that it saw another.
    CHECK_TEXT(verdict_of(LOG "0\t:invoke\t:cas\t[nil 2]\n" LOG
                              "0\t:fail\t:cas\t[nil 2]\t:refused\n",
                          JEPSEN_FAILED_SAW),
               "yes");
    CHECK_TEXT(verdict_of(LOG "0\t:invoke\t:cas\t[nil 2]\n" LOG
                              "0\t:fail\t:cas\t[nil 2]\t:mismatch\n",
                          JEPSEN_FAILED_NEVER),
               "no");
    CHECK_TEXT(verdict_of(LOG "0\t:invoke\t:cas\t[nil 2]\n" LOG
                              "0\t:fail\t:cas\t:timed-out\n",
                          JEPSEN_FAILED_SAW),
               "yes");
}

TEST(maps_stand_alone_or_in_a_vector_or_list_with_tags_comments_and_more_fields)
{
    const char *json =
        "{\"client\":0,\"kind\":\"write\",\"key\":\"register\",\"value\":\"3\","
        "\"call\":5,\"return\":7,\"from\":0,\"to\":1}\n";
    check_reads_as("{:process 0, :type :invoke, :f :write, :value 3, :time 5000}\n"
                   "{:process 0, :type :ok, :f :write, :value 3, :time 7999}\n",
                   json);
    check_reads_as(
        "; a comment {\n[#jepsen.history.Op{:index 0, :time 5000, :process 0, "
        ":type :invoke, :f :write, :value 3, :more {:a #{1 2.5} \\( x}}\n"
        "{:type :ok :process 0 :f :write :value 3 :time 7000}]\n",
        json);
    check_reads_as(
        "({:type :invoke :process 0 :f :write :value 3 :time 5000 :error nil}\n"
        "{:type :ok :process 0 :f :write :value 3 :time 7000})",
        json);
}

TEST(a_pair_speaks_of_a_key_and_values_may_be_strings)
{
    check_reads_as(
        "{:process 0, :type :invoke, :f :cas, :value [\"a\" [nil \"x\\n\"]]}\n"
        "{:process 0, :type :ok, :f :cas, :value [\"a\" [nil \"x\\n\"]]}\n"
        "{:process 0, :type :invoke, :f :read, :value [5 nil]}\n"
        "{:process 0, :type :ok, :f :read, :value [5 \"x\\n\"]}\n",
        "{\"client\":0,\"kind\":\"cas\",\"key\":\"a\",\"expected\":null,"
        "\"value\":\"x\\u000a\",\"call\":1,\"return\":2,\"result\":1,"
        "\"from\":0,\"to\":1}\n"
        "{\"client\":0,\"kind\":\"read\",\"key\":\"5\",\"call\":3,\"return\":4,"
        "\"result\":\"x\\u000a\",\"from\":2,\"to\":3}\n");
}

TEST(a_transaction_has_reads_and_writes_of_several_keys)
{
    check_reads_as(
        "{:process 0, :type :invoke, :f :txn, :value [[:r :x nil] [:w :y 3]]}\n"
        "{:process 0, :type :ok, :f :txn, :value [[:r :x 4] [:w :y 3]]}\n",
        "{\"client\":0,\"kind\":\"txn\",\"ops\":[{\"kind\":\"read\",\"key\":\":x\","
        "\"result\":\"4\"},{\"kind\":\"write\",\"key\":\":y\",\"value\":\"3\"}],"
        "\"call\":1,\"return\":2,\"from\":0,\"to\":1}\n");
}

TEST(what_is_no_event_is_refused_with_its_line)
{
    static const char *const cases[][2] = {
        {LOG "1\t:invoke\t:read\tnil\nINFO jepsen.core - hello\n",
         "line 2: a line that is no operation's"},
        {LOG "1\t:invoke\t:lock\tnil\n", "line 1: an unknown :f"},
        {LOG "1\t:begin\t:read\tnil\n", "line 1: an unknown :type"},
        {LOG "x\t:invoke\t:read\tnil\n", "line 1: a :process that is no number"},
        {LOG "1\t:ok\t:read\tnil\n", "line 1: a completion of what was not invoked"},
        {LOG "1\t:invoke\t:read\n",
         "line 1: not a process, a type, an operation and a value"},
        {LOG "1\t:invoke\t:read\tnil\n" LOG "1\t:invoke\t:read\tnil\n",
         "line 2: a process that has an operation open already"},
        {LOG "1\t:invoke\t:read\tnil\n" LOG "1\t:info\t:read\t:timed-out\n" LOG
             "1\t:invoke\t:read\tnil\n",
         "line 3: a process that has crashed cannot go on"},
        {LOG "1\t:invoke\t:write\t1\n" LOG "1\t:ok\t:write\t2\n",
         "line 2: an answer to another operation than was invoked"},
        {LOG "1\t:invoke\t:write\t1\n" LOG "1\t:ok\t:read\t2\n",
         "line 2: an answer to another operation than was invoked"},
        {LOG "1\t:invoke\t:cas\t[1 2 3]\n",
         "line 1: a vector of another length than expected"},
        {LOG "1\t:invoke\t:write\t1.5\n",
         "line 1: a value that is no integer, string or nil"},
        {LOG "1\t:invoke\t:write\tnil\n", "line 1: a write of nil"},
        {LOG "1\t:invoke\t:incr\t1\n", "line 1: a value without its key"},
        {"{:process 1, :type :invoke, :f :write, :value 7}\n"
         "{:process 2, :type :invoke, :f :write, :value \"7\"}",
         "line 2: a value that is written in two ways, such as 7 and \"7\""},
        {"{:process 1\n :type :invoke", "line 1: a form without its end"},
        {"[{:process 1 :type :invoke :f :read :value nil}",
         "line 1: a vector without its end, or something behind it"},
        {"[]\n[]", "line 2: a vector without its end, or something behind it"},
        {"[1]", "line 1: an event that is no map"},
        {"{:process 1 :type}", "line 1: a map with a key that has no value"},
        {"{:process 1]", "line 1: a bracket that closes nothing"},
        {"{:value \"a", "line 1: a string without its end"},
        {"{:process 1 :type :invoke :f :txn :value [[:r 1 nil] [:lock 2 nil]]}",
         "line 1: an unknown operation in a transaction"},
        {"{:process 1 :type :invoke :f :txn :value [[:r 1 nil]]}\n"
         "{:process 1 :type :ok :f :txn :value [[:r 1 [2 3]]]}",
         "line 2: a value that is no integer, string or nil"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_refused(cases[i][0], cases[i][1]);
    }
}

// ---- the way back -----------------------------------------------------------------

static uint32_t draw_text(struct history *history, struct random *random)
{
    static const char *const texts[] = {"1",  "-7", "007",      "a b", "",
                                        "\"", "\n", "register", ":x",  "\xff\\"};
    uint64_t drawn = random_below(random, sizeof(texts) / sizeof(texts[0]));
    return history_intern(history, texts[drawn], strlen(texts[drawn]));
}

static struct history_part draw_part(struct history *history, struct random *random)
{
    struct history_part part = {.result = HISTORY_UNTOLD};
    uint64_t number = random_below(random, 100);
    part.kind = (uint8_t)random_below(random, HISTORY_TXN);
    part.key = draw_text(history, random);
    if (part.kind == HISTORY_INCR) {
        part.argument = (int64_t)number - 50;
    } else if (part.kind != HISTORY_READ && part.kind != HISTORY_DELETE) {
        part.argument = draw_text(history, random);
    }
    if (part.kind == HISTORY_CAS) {
        part.expected = number < 30 ? HISTORY_ABSENT : draw_text(history, random);
    }
    bool told = random_chance(random, 700000);
    if (told && part.kind == HISTORY_READ) {
        part.result = number < 30 ? HISTORY_ABSENT : draw_text(history, random);
    } else if (told && (part.kind == HISTORY_CAS || part.kind == HISTORY_DELETE)) {
        part.result = number % 2;
    } else if (told && part.kind != HISTORY_WRITE) {
        part.result = (int64_t)number;
    }
    return part;
}

// One operation of a client; the one it had open before returns first, or never.
static void draw_operation(struct history *history, struct random *random,
                           uint32_t client)
{
    struct history_part parts[3];
    uint64_t count = random_between(random, 1, 3);
    uint64_t outcome = random_below(random, HISTORY_OUTCOME_COUNT);
    uint64_t total = random_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        parts[i] = draw_part(history, random);
    }
    uint32_t number;
    if (count == 1) {
        struct history_operation asked = {.client = client,
                                          .kind = parts[0].kind,
                                          .key = parts[0].key,
                                          .argument = parts[0].argument,
                                          .expected = parts[0].expected};
        number = history_call(history, &asked, history->order);
    } else {
        number =
            history_call_txn(history, client, parts, (uint32_t)count, history->order);
        for (uint32_t i = 0; i < count && outcome == HISTORY_OK; i++) {
            history_tell(history, number, i, parts[i].result);
        }
    }
    history_return(history, number, (enum history_outcome)outcome,
                   count == 1  ? parts[0].result
                   : total > 0 ? (int64_t)total
                               : HISTORY_UNTOLD,
                   history->order);
}

// Through a form and back: the same text in that form, and, but for the numbers of
// clients that lost an answer, the same in our own.
static void check_round_trip(struct history *history, enum form form)
{
    char error[128] = "";
    struct history again = {0}, third = {0};
    char *text = text_of(history, form, error);
    CHECK_TEXT(error, "");
    CHECK_EQ(form_guessed(text, strlen(text)), form);
    bool read = read_text(&again, text, error);
    CHECK_TEXT(error, "");
    CHECK(read);
    char *same = text_of(&again, form, error);
    CHECK_TEXT(same, text);
    CHECK_EQ(again.count, history->count);
    for (uint32_t i = 0; i < history->count; i++) {
        again.operations[i].client = history->operations[i].client;
        again.operations[i].call_us = history->operations[i].call_us;
        again.operations[i].return_us = history->operations[i].return_us;
    }
    char *json = text_of(history, FORM_JSON, error);
    char *json_again = text_of(&again, FORM_JSON, error);
    CHECK_TEXT(json_again, json);
    free(text);
    free(same);
    free(json);
    free(json_again);
    history_release(&again);
    history_release(&third);
}

TEST(every_history_comes_back_from_each_form)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct history history = {0};
        struct random random;
        random_seed(&random, seed, 1);
        for (int i = 0; i < 30; i++) {
            uint64_t client = random_below(&random, 4);
            draw_operation(&history, &random, (uint32_t)client);
        }
        check_round_trip(&history, FORM_JEPSEN);
        check_round_trip(&history, FORM_EDN);
        history_release(&history);
    }
}

TEST(a_read_whose_answer_is_not_known_shows_no_value_to_other_judges)
{
    struct history history = {0};
    char error[128] = "";
    struct history_operation read = {.client = 1};
    read.key = history_intern(&history, "register", 8);
    history_return(&history, history_call(&history, &read, 1), HISTORY_OK,
                   HISTORY_UNTOLD, 2);
    char *edn = text_of(&history, FORM_EDN, error);
    CHECK_TEXT(edn, "{:index 0, :time 1000, :process 1, :type :invoke, :f :read, "
                    ":value nil}\n"
                    "{:index 1, :time 2000, :process 1, :type :fail, :f :read, "
                    ":value nil, :error :untold}\n");
    char *log = text_of(&history, FORM_JEPSEN, error);
    CHECK_TEXT(log,
               LOG "1\t:invoke\t:read\tnil\n" LOG "1\t:fail\t:read\tnil\t:untold\n");
    check_round_trip(&history, FORM_EDN);
    free(edn);
    free(log);
    history_release(&history);
}

TEST(a_refused_read_is_written_into_the_log_as_one_that_timed_out)
{
    struct history history = {0};
    char error[128] = "";
    struct history_operation read = {.client = 1};
    read.key = history_intern(&history, "register", 8);
    history_return(&history, history_call(&history, &read, 1), HISTORY_FAILED,
                   HISTORY_UNTOLD, 2);
    char *log = text_of(&history, FORM_JEPSEN, error);
    CHECK_TEXT(log, LOG "1\t:invoke\t:read\tnil\n" LOG "1\t:fail\t:read\t:timed-out\n");
    check_round_trip(&history, FORM_JEPSEN);
    free(log);
    history_release(&history);
}

TEST(a_client_with_two_operations_open_at_once_is_no_process)
{
    struct history history = {0};
    char error[128] = "";
    struct history_operation read = {.client = 3};
    read.key = history_intern(&history, "x", 1);
    uint32_t first = history_call(&history, &read, 1);
    uint32_t second = history_call(&history, &read, 2);
    history_return(&history, first, HISTORY_OK, HISTORY_ABSENT, 3);
    history_return(&history, second, HISTORY_OK, HISTORY_ABSENT, 4);
    CHECK(text_of(&history, FORM_EDN, error) == NULL);
    CHECK_TEXT(error, "client 3 has two operations open at once");
    history_release(&history);
}

TEST(a_client_that_lost_an_answer_goes_on_as_another_process)
{
    struct history history = {0};
    char error[128] = "";
    struct history_operation write = {.client = 1, .kind = HISTORY_WRITE};
    write.key = history_intern(&history, "register", 8);
    write.argument = history_intern(&history, "5", 1);
    history_call(&history, &write, 1);
    history_return(&history, history_call(&history, &write, 2), HISTORY_OK,
                   HISTORY_UNTOLD, 3);
    char *text = text_of(&history, FORM_JEPSEN, error);
    CHECK_TEXT(text, LOG "1\t:invoke\t:write\t5\n" LOG "3\t:invoke\t:write\t5\n" LOG
                         "3\t:ok\t:write\t5\n" LOG "1\t:info\t:write\t5\n");
    free(text);
    history_release(&history);
}

TEST_MAIN
