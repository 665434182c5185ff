#include "tests/test.h"

#include "sim/tool/crash.h"

#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_case *test_first;

void test_register(struct test_case *test)
{
    struct test_case **last = &test_first;
    while (*last != NULL)
        last = &(*last)->next;
    *last = test;
}

enum { STEPS_KEPT = 6 };

static struct test_step steps[STEPS_KEPT];
static unsigned step_count;

void test_step(const struct test_step *step)
{
    steps[step_count++ % STEPS_KEPT] = *step;
}

static bool is_first(unsigned kept, unsigned at)
{
    for (unsigned i = step_count - kept; i < at; i++)
        if (steps[i % STEPS_KEPT].who == steps[at % STEPS_KEPT].who)
            return false;
    return true;
}

static void tell_steps(void)
{
    unsigned kept = step_count < STEPS_KEPT ? step_count : STEPS_KEPT;

    if (kept > 0)
        fputs("the last steps:\n", stderr);
    for (unsigned i = step_count - kept; i < step_count; i++) {
        const struct test_step *step = &steps[i % STEPS_KEPT];
        if (step->begins || is_first(kept, i))
            fprintf(stderr, "%s\n", step->before);
        fprintf(stderr, "%s\n", step->line);
    }
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    tell_steps();
    exit(1);
}

// ---- numbers and their names ------------------------------------------------------

enum { NUMBER_BYTES = 24 };

static struct test_names *names_first;

void test_register_names(struct test_names *names)
{
    names->next = names_first;
    names_first = names;
}

static bool has_name(const struct test_names *names, const char *name)
{
    for (uint64_t value = 0; value < names->count; value++) {
        if (names->names[value] != NULL && strcmp(names->names[value], name) == 0)
            return true;
    }
    return false;
}

const char *test_name(const char *like, uint64_t value)
{
    for (const struct test_names *names = names_first; names != NULL;
         names = names->next) {
        if (has_name(names, like))
            return value < names->count ? names->names[value] : NULL;
    }
    return NULL;
}

static const char *in_words(const char *like, uint64_t value, char number[NUMBER_BYTES])
{
    const char *name = test_name(like, value);

    snprintf(number, NUMBER_BYTES, "%" PRIu64, value);
    return name != NULL ? name : number;
}

// What a number is to be called by: the name that it is compared with, or that of what
// is compared, where all things of that name have the same values.
static const char *kind_of(const char *actual_text, const char *expected_text)
{
    size_t length = strlen(actual_text);
    size_t size = strlen("view.role");

    if (length >= size && strcmp(actual_text + length - size, "view.role") == 0)
        return "RAFT_LEADER";
    return expected_text;
}

void test_fail_number(const char *file, int line, const char *actual_text,
                      uint64_t actual, const char *relation, const char *expected_text,
                      uint64_t expected)
{
    char numbers[2][NUMBER_BYTES];
    const char *kind = kind_of(actual_text, expected_text);
    const char *seen = in_words(kind, actual, numbers[0]);
    const char *wanted = in_words(kind, expected, numbers[1]);

    if (strcmp(wanted, expected_text) == 0)
        test_fail(file, line, "%s is %s, expected %s%s", actual_text, seen, relation,
                  wanted);
    test_fail(file, line, "%s is %s, expected %s%s (%s)", actual_text, seen, relation,
              wanted, expected_text);
}

// In quotes, on one line.
static void tell_text(const char *before, const char *text, const char *behind)
{
    fprintf(stderr, "  \"%s", before);
    for (; *text != '\0'; text++) {
        if (*text == '\r')
            fputs("\\r", stderr);
        else if (*text == '\n')
            fputs("\\n", stderr);
        else
            fputc(*text, stderr);
    }
    fprintf(stderr, "%s\"\n", behind);
}

void test_fail_text(const char *file, int line, const char *actual_text,
                    const char *actual, const char *before, const char *expected,
                    const char *behind)
{
    fprintf(stderr, "%s:%d: %s is\n", file, line, actual_text);
    tell_text("", actual, "");
    fputs("expected\n", stderr);
    tell_text(before, expected, behind);
    tell_steps();
    exit(1);
}

// In a child, so that a crash or an exit ends that test alone.
static int run_in_child(const struct test_case *test)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 1;
    }
    if (child == 0) {
        test->run();
        exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return 1;
    printf("%s %s\n", status == 0 ? "ok  " : "FAIL", test->name);
    return status != 0;
}

// Says that the claim has held to its end, with a word of whoever asked. It is read
// only now, so that nothing that ran before could know it: exit(0) is not a pass.
static void sign(const char *name)
{
    char word[65] = "";

    if (fgets(word, sizeof(word), stdin) == NULL)
        exit(2);
    word[strcspn(word, "\n")] = '\0';
    printf("held %s %s\n", name, word);
}

// Those that are named, each in a child; all of them where none is.
static int run_children(int count, char **names)
{
    int failures = 0;
    int found = 0;

    for (struct test_case *test = test_first; test != NULL; test = test->next) {
        bool named = count == 0;
        for (int i = 0; i < count && !named; i++)
            named = strcmp(names[i], test->name) == 0;
        found += named;
        failures += named ? run_in_child(test) : 0;
    }
    if (found < count) {
        fprintf(stderr, "%d of these %d tests are there\n", found, count);
        return 2;
    }
    return failures != 0;
}

int test_main(int argc, char **argv)
{
    crash_tell(argv[0]);
    const bool signs = argc == 3 && strcmp(argv[1], "--sign") == 0;
    if (signs) {
        argc--;
        argv++;
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (struct test_case *test = test_first; test != NULL; test = test->next)
            puts(test->name);
        return 0;
    }
    if (argc != 2)
        return run_children(argc - 1, argv + 1);
    for (struct test_case *test = test_first; test != NULL; test = test->next) {
        if (strcmp(argv[1], test->name) != 0)
            continue;
        test->run();
        if (signs)
            sign(test->name);
        return 0;
    }
    fprintf(stderr, "%s: no test is named %s\n", argv[0], argv[1]);
    return 2;
}
