// test.h: a C test program is a list of named claims, each run in its own process.
//
//     TEST(a_vote_is_not_granted_twice_in_a_term) { ... CHECK(...); CHECK_EQ(a, b); }
//     TEST_MAIN
//
// `x_test --list` prints the names, `x_test NAME` runs one (exit code 0: it holds), and
// `x_test NAME NAME...` some, `x_test` alone all, one after another, in child
// processes. `x_test --sign NAME` ends in `held NAME WORD`, with a word from stdin,
// where the claim has held to its end.
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

extern struct test_case *test_first;
void test_register(struct test_case *test);
int test_main(int argc, char **argv);

#define TEST(claim)                                                      \
    static void test_##claim(void);                                      \
    static struct test_case case_##claim = {#claim, test_##claim, NULL}; \
    __attribute__((constructor)) static void register_##claim(void)      \
    {                                                                    \
        test_register(&case_##claim);                                    \
    }                                                                    \
    static void test_##claim(void)

#define TEST_MAIN                     \
    int main(int argc, char **argv)   \
    {                                 \
        return test_main(argc, argv); \
    }

// What happened: the last few of these are told when the claim fails. `before` says how
// whoever took the step was then: it is told with the first of its steps that are, and
// wherever another life of it begins.
enum { TEST_STEP_BYTES = 400, TEST_BEFORE_BYTES = 80 };
struct test_step {
    uint32_t who;
    bool begins;
    char before[TEST_BEFORE_BYTES];
    char line[TEST_STEP_BYTES];
};
void test_step(const struct test_step *step);

void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

// The values of an enumeration by their names, TEST_NAMED(RAFT_LEADER), ...: what a
// check compares with one of these is told by its name.
#define TEST_NAMED(value) [value] = #value
#define TEST_NAMES(set, ...)                                                        \
    static const char *const set[] = {__VA_ARGS__};                                 \
    static struct test_names set##_known = {set, sizeof set / sizeof set[0], NULL}; \
    __attribute__((constructor)) static void set##_register(void)                   \
    {                                                                               \
        test_register_names(&set##_known);                                          \
    }

struct test_names {
    const char *const *names;
    uint64_t count;
    struct test_names *next;
};

void test_register_names(struct test_names *names);

// The name of `value` in the set that has the name `like`; NULL: there is none.
const char *test_name(const char *like, uint64_t value);

// "count is 3, expected at most 1", and the bound's text in brackets where it is not
// the number or the name itself.
void test_fail_number(const char *file, int line, const char *actual_text,
                      uint64_t actual, const char *relation, const char *expected_text,
                      uint64_t expected) __attribute__((noreturn));

// Both in quotes, each on a line of its own; "..." in the place of what may be any
// text.
void test_fail_text(const char *file, int line, const char *actual_text,
                    const char *actual, const char *before, const char *expected,
                    const char *behind) __attribute__((noreturn));

#define CHECK(condition)                                               \
    do {                                                               \
        if (!(condition))                                              \
            test_fail(__FILE__, __LINE__, "expected: %s", #condition); \
    } while (0)

#define CHECK_EQ(actual, expected)                                                \
    do {                                                                          \
        uint64_t actual_ = (uint64_t)(actual);                                    \
        uint64_t expected_ = (uint64_t)(expected);                                \
        if (actual_ != expected_)                                                 \
            test_fail_number(__FILE__, __LINE__, #actual, actual_, "", #expected, \
                             expected_);                                          \
    } while (0)

// A bound, where the number that was seen says more than that it is too high.
#define CHECK_AT_MOST(actual, bound)                                                   \
    do {                                                                               \
        uint64_t actual_ = (uint64_t)(actual);                                         \
        uint64_t bound_ = (uint64_t)(bound);                                           \
        if (actual_ > bound_)                                                          \
            test_fail_number(__FILE__, __LINE__, #actual, actual_, "at most ", #bound, \
                             bound_);                                                  \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                 \
    do {                                                                             \
        const char *actual_ = (actual);                                              \
        const char *expected_ = (expected);                                          \
        if (strcmp(actual_, expected_) != 0)                                         \
            test_fail_text(__FILE__, __LINE__, #actual, actual_, "", expected_, ""); \
    } while (0)

#define CHECK_TEXT_BEGINS(actual, beginning)                                     \
    do {                                                                         \
        const char *actual_ = (actual);                                          \
        const char *beginning_ = (beginning);                                    \
        if (strncmp(actual_, beginning_, strlen(beginning_)) != 0)               \
            test_fail_text(__FILE__, __LINE__, #actual, actual_, "", beginning_, \
                           "...");                                               \
    } while (0)

#define CHECK_TEXT_HAS(actual, part)                                                   \
    do {                                                                               \
        const char *actual_ = (actual);                                                \
        const char *part_ = (part);                                                    \
        if (strstr(actual_, part_) == NULL)                                            \
            test_fail_text(__FILE__, __LINE__, #actual, actual_, "...", part_, "..."); \
    } while (0)

#endif
