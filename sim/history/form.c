#include "sim/history/form.h"

#include "sim/history/jepsen_write.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
    [FORM_JSON] = "json", [FORM_JEPSEN] = "jepsen", [FORM_EDN] = "edn"};

enum form form_named(const char *name)
{
    for (int form = FORM_JSON; form <= FORM_EDN; form++) {
        if (strcmp(name, names[form]) == 0) {
            return (enum form)form;
        }
    }
    return FORM_GUESSED;
}

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n,", text[at]) != NULL && text[at] != '\0') {
        at++;
    }
    return at;
}

enum form form_guessed(const char *text, size_t size)
{
    size_t at = skip_blanks(text, size, 0);
    char first = at < size ? text[at] : '\0';
    if (first == 'I' || first == ':' || (first >= '0' && first <= '9')) {
        return FORM_JEPSEN;
    }
    if (first != '\0' && strchr("[(;#", first) != NULL) {
        return FORM_EDN;
    }
    at = skip_blanks(text, size, at + 1);
    return first == '{' && at < size && text[at] == ':' ? FORM_EDN : FORM_JSON;
}

bool form_read(struct history *history, enum form form, enum jepsen_failed failed,
               const char *text, size_t size, char *error, size_t error_size)
{
    form = form == FORM_GUESSED ? form_guessed(text, size) : form;
    if (form != FORM_JSON) {
        return jepsen_read(history, form == FORM_EDN ? JEPSEN_EDN : JEPSEN_LOG, failed,
                           text, size, error, error_size);
    }
    if (size == 0) {
        return true;
    }
    FILE *file = fmemopen((void *)(uintptr_t)text, size, "r");
    if (file == NULL) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    bool good = history_read(history, file, error, error_size);
    fclose(file);
    return good;
}

bool form_write(const struct history *history, enum form form, FILE *file, char *error,
                size_t error_size)
{
    assert(form != FORM_GUESSED);
    if (form != FORM_JSON) {
        return jepsen_write(history, form == FORM_EDN ? JEPSEN_EDN : JEPSEN_LOG, file,
                            error, error_size);
    }
    history_write(history, file);
    return true;
}
