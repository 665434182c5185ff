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

// Whether this line says that a rule is broken.
static bool claims_violation(const struct buffer *line)
{
    static const char claim[] = "expect violation ";
    size_t at = 0;

    while (at < line->size && (line->data[at] == ' ' || line->data[at] == '\t'))
        at++;
    return line->size - at > strlen(claim) &&
           memcmp(line->data + at, claim, strlen(claim)) == 0;
}

// A file on its way. A command that breaks a rule has failed, unless the next one says
// that the rule is broken.
struct script {
    struct language language;
    struct buffer line, answer;
    unsigned number; // of the line
    unsigned failed; // the line of the command that failed; 0: none
    char error[640]; // why
};

// Runs the line that was read. False where the script ends here.
static bool run_line(struct script *script, FILE *out)
{
    struct language *language = &script->language;
    bool pending = script->failed != 0;

    script->number++;
    if (is_empty(&script->line)) {
        print_line(out, &script->line);
        return true;
    }
    if (pending && !claims_violation(&script->line))
        return false;
    print_line(out, &script->line);
    buffer_clear(&script->answer);
    if (language_execute(language, script->line.data, script->line.size,
                         &script->answer)) {
        script->failed = 0;
    } else {
        script->failed = script->number;
        snprintf(script->error, sizeof(script->error), "%s", language->error);
    }
    fputs("    ", out);
    print_line(out, &script->answer);
    if (script->failed != 0)
        return !pending && language->world != NULL && world_violated(language->world);
    return !language->quit;
}

enum script_result script_run(const char *name, FILE *out, FILE *errors)
{
    struct script script = {0};
    FILE *file = fopen(name, "r");
    enum script_result result = SCRIPT_HELD;

    if (file == NULL) {
        fprintf(errors, "raftsim: cannot read %s: %s\n", name, strerror(errno));
        return SCRIPT_UNREADABLE;
    }
    language_init(&script.language);
    while (read_line(file, &script.line))
        if (!run_line(&script, out))
            break;
    if (script.failed != 0) {
        fprintf(errors, "raftsim: %s:%u: %s\n", name, script.failed, script.error);
        result = SCRIPT_FAILED;
    } else if (ferror(file)) { // such as a directory
        fprintf(errors, "raftsim: cannot read %s\n", name);
        result = SCRIPT_UNREADABLE;
    }
    language_release(&script.language);
    buffer_free(&script.line);
    buffer_free(&script.answer);
    fclose(file);
    return result;
}

void script_print_status(struct world *world, FILE *out)
{
    static const char status[] = "status";
    struct language language;
    struct buffer answer = {0};

    language_init(&language);
    language.world = world;
    language_execute(&language, status, strlen(status), &answer);
    print_line(out, &answer);
    language_release(&language);
    buffer_free(&answer);
}

void script_converse(struct world *world, FILE *in, FILE *out, bool prompt)
{
    struct language language;
    struct buffer line = {0}, answer = {0};

    language_init(&language);
    language.world = world;
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
