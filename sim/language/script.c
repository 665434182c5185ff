#include "sim/language/script.h"

#include "sim/language/language.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 1 << 20 };

// Reads a line without its end into `line`. False at the end of the file.
static bool read_line(FILE *in, struct buffer *line)
{
    int c;

    buffer_clear(line);
    while ((c = getc(in)) != EOF && c != '\n') {
        char byte = (char)c;

        if (line->size < LINE_BYTES_MAX)
            buffer_append(line, &byte, 1);
    }
    return c != EOF || line->size > 0;
}

static bool is_empty(const struct buffer *line)
{
    size_t at = 0;

    while (at < line->size &&
           (line->data[at] == ' ' || line->data[at] == '\t' || line->data[at] == '\r'))
        at++;
    return at == line->size || line->data[at] == '#';
}

static void print_line(FILE *out, const struct buffer *line)
{
    if (line->size > 0)
        fwrite(line->data, 1, line->size, out);
    fputc('\n', out);
}

enum script_result script_run(const char *name, FILE *out, FILE *errors)
{
    struct language language;
    struct buffer line = {0}, answer = {0};
    FILE *file = fopen(name, "r");
    unsigned number = 0;
    enum script_result result = SCRIPT_HELD;

    if (file == NULL) {
        fprintf(errors, "raftsim: cannot read %s: %s\n", name, strerror(errno));
        return SCRIPT_UNREADABLE;
    }
    language_init(&language);
    while (result == SCRIPT_HELD && !language.quit && read_line(file, &line)) {
        number++;
        print_line(out, &line);
        if (is_empty(&line))
            continue;
        buffer_clear(&answer);
        if (!language_execute(&language, line.data, line.size, &answer))
            result = SCRIPT_FAILED;
        fputs("    ", out);
        print_line(out, &answer);
    }
    if (result == SCRIPT_FAILED) {
        fprintf(errors, "raftsim: %s:%u: %s\n", name, number, language.error);
    } else if (ferror(file)) { // such as a directory
        fprintf(errors, "raftsim: cannot read %s\n", name);
        result = SCRIPT_UNREADABLE;
    }
    language_release(&language);
    buffer_free(&line);
    buffer_free(&answer);
    fclose(file);
    return result;
}

void script_converse(FILE *in, FILE *out, bool prompt)
{
    struct language language;
    struct buffer line = {0}, answer = {0};

    language_init(&language);
    while (!language.quit) {
        if (prompt)
            fputs("raftsim> ", out);
        fflush(out);
        if (!read_line(in, &line))
            break;
        buffer_clear(&answer);
        language_execute(&language, line.data, line.size, &answer);
        print_line(out, &answer);
    }
    fflush(out);
    language_release(&language);
    buffer_free(&line);
    buffer_free(&answer);
}
