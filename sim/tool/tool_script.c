// The command language: from files, and from a prompt or a pipe.
#include "sim/tool/tool.h"

#include <stdlib.h>
#include <unistd.h>

#include "sim/language/script.h"

static const char one_file[] = "a file's name is missing, or one too many (see --help)";

int tool_script(char **arguments)
{
    if (*arguments == NULL)
        return tool_complain(one_file);
    for (; *arguments != NULL; arguments++)
        switch (script_run(*arguments, stdout, stderr)) {
        case SCRIPT_HELD:
            break;
        case SCRIPT_FAILED:
            return EXIT_FAILURE;
        case SCRIPT_UNREADABLE:
            return TOOL_USAGE;
        }
    return EXIT_SUCCESS;
}

int tool_repl(char **arguments)
{
    if (*arguments != NULL)
        return tool_complain("repl takes no arguments, but \"%s\" stands there",
                             *arguments);
    script_converse(NULL, stdin, stdout, isatty(STDIN_FILENO) != 0);
    return EXIT_SUCCESS;
}
