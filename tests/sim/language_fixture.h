// language_fixture.h: commands given one by one to a language of its own.
#ifndef TESTS_SIM_LANGUAGE_FIXTURE_H
#define TESTS_SIM_LANGUAGE_FIXTURE_H

#include "sim/language/language.h"
#include "tests/test.h"

static struct language language;
static struct buffer answer;

// Gives one command; its answer stays in `answer`.
static bool give(const char *line)
{
    buffer_clear(&answer);
    bool ok = language_execute(&language, line, strlen(line), &answer);
    buffer_append(&answer, "", 1);
    return ok;
}

#define SAY(line)                                                          \
    do {                                                                   \
        if (!give(line))                                                   \
            test_fail(__FILE__, __LINE__, "%s: %s", line, language.error); \
    } while (0)
#define REFUSE(line, reason)                                               \
    do {                                                                   \
        CHECK(!give(line));                                                \
        if (strstr(language.error, reason) == NULL)                        \
            test_fail(__FILE__, __LINE__, "%s: %s", line, language.error); \
    } while (0)

#endif
