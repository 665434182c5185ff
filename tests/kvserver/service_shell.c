// service_shell: the pure service on a pipe, to be compared with a real redis-server.
//
// Requests come in on standard input in RESP or inline, replies go out on standard
// output, one batch for each read. Writes take the way through a log entry's bytes.
// Malformed input is answered and ends the program, as it would end a connection.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kvserver/resp_parser.h"
#include "kvserver/service/command.h"
#include "kvserver/service/command_info.h"
#include "kvserver/service/resp.h"
#include "kvserver/service/service.h"

struct shell {
    struct service *service;
    struct resp_parser parser;
    struct buffer input;
    struct buffer entry;
    struct buffer output;
    uint64_t index;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void serve(struct shell *shell, const struct bytes *words, uint32_t count)
{
    if (command_word_is(words[0], "COMMAND")) {
        command_info_reply(words, count, &shell->output);
        return;
    }
    switch (service_classify(words, count, &shell->output)) {
    case SERVICE_UNKNOWN:
    case SERVICE_REFUSED:
        break;
    case SERVICE_WRITE:
        buffer_clear(&shell->entry);
        service_encode(&shell->entry, now_ms(), 0, 0, words, count);
        service_apply(shell->service, ++shell->index, shell->entry.data,
                      shell->entry.size, &shell->output);
        break;
    case SERVICE_READ: // after the keys that are due have gone, as a leader sees to
        buffer_clear(&shell->entry);
        service_encode(&shell->entry, now_ms(), 0, 0, NULL, 0);
        service_apply(shell->service, ++shell->index, shell->entry.data,
                      shell->entry.size, NULL);
        service_read(shell->service, words, count, now_ms(), &shell->output);
        break;
    }
}

// False where the input was malformed.
static bool serve_all(struct shell *shell)
{
    for (;;) {
        size_t used = 0;
        enum resp_result result = resp_parser_next(&shell->parser, shell->input.data,
                                                   shell->input.size, &used);
        if (result == RESP_MORE)
            return true;
        if (result == RESP_BAD) {
            resp_error_format(&shell->output, "ERR %s", shell->parser.error);
            return false;
        }
        if (shell->parser.count > 0)
            serve(shell, shell->parser.words, shell->parser.count);
        buffer_consume(&shell->input, used);
    }
}

static bool write_all(struct buffer *output)
{
    while (output->size > 0) {
        ssize_t size = write(STDOUT_FILENO, output->data, output->size);
        if (size <= 0)
            return false;
        buffer_consume(output, (size_t)size);
    }
    return true;
}

int main(void)
{
    static char chunk[1 << 16];
    struct service_limits limits;
    struct shell shell = {0};
    service_limits_default(&limits);
    shell.service = service_new(engine_memory_new(), &limits);
    resp_parser_init(&shell.parser, limits.value_bytes_max, 1u << 30);
    bool good = true;
    ssize_t size;
    while (good && (size = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0) {
        buffer_append(&shell.input, chunk, (size_t)size);
        good = serve_all(&shell);
        good = write_all(&shell.output) && good;
    }
    resp_parser_release(&shell.parser);
    service_free(shell.service);
    buffer_free(&shell.input);
    buffer_free(&shell.entry);
    buffer_free(&shell.output);
    return EXIT_SUCCESS;
}
