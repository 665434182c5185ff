#include "sim/diagram.h"

#include "raft/trace.h"
#include "sim/json.h"

#include <string.h>

enum { MESSAGE_BYTES = 400, STEP_BYTES = 4096 };

static void begin(struct buffer *line, uint64_t now_us, const char *kind)
{
    json_open(line);
    json_number(line, "at", now_us);
    json_string(line, "kind", kind);
}

// Ends the line and has it written now.
static void end(struct buffer *line, FILE *file)
{
    json_close(line);
    fwrite(line->data, 1, line->size, file);
    fputc('\n', file);
    fflush(file);
    buffer_free(line);
}

void diagram_send(FILE *file, uint64_t now_us, uint64_t packet,
                  const struct raft_message *message)
{
    struct buffer line = {0};
    char text[MESSAGE_BYTES];

    if (file == NULL)
        return;
    raft_trace_message(text, sizeof(text), message);
    begin(&line, now_us, "send");
    json_number(&line, "packet", packet);
    json_number(&line, "from", message->from);
    json_number(&line, "to", message->to);
    json_number(&line, "term", message->term);
    json_string(&line, "text", text);
    end(&line, file);
}

static void add_fate(FILE *file, uint64_t now_us, const char *kind, uint64_t packet)
{
    struct buffer line = {0};

    if (file == NULL)
        return;
    begin(&line, now_us, kind);
    json_number(&line, "packet", packet);
    end(&line, file);
}

void diagram_receive(FILE *file, uint64_t now_us, uint64_t packet)
{
    add_fate(file, now_us, "receive", packet);
}

void diagram_lose(FILE *file, uint64_t now_us, uint64_t packet)
{
    add_fate(file, now_us, "lose", packet);
}

void diagram_step(FILE *file, uint64_t now_us, const struct raft *raft,
                  const struct raft_event *event, const struct raft_output *output)
{
    struct buffer line = {0};
    struct raft_view view;
    char text[STEP_BYTES];

    if (file == NULL)
        return;
    raft_observe(raft, &view);
    raft_trace_step(text, sizeof(text), raft, event, output);
    begin(&line, now_us, "step");
    json_number(&line, "node", view.id);
    json_string(&line, "role", raft_role_text(view.role));
    json_number(&line, "term", view.current_term);
    json_number(&line, "vote", view.voted_for);
    json_number(&line, "commit", view.commit_index);
    json_number(&line, "last", view.last_index);
    json_bytes(&line, "text", text, strlen(text));
    end(&line, file);
}

static void add_words(FILE *file, uint64_t now_us, const char *kind, const char *text,
                      size_t size)
{
    struct buffer line = {0};

    if (file == NULL)
        return;
    begin(&line, now_us, kind);
    json_bytes(&line, "text", text, size);
    end(&line, file);
}

void diagram_command(FILE *file, uint64_t now_us, const char *line, size_t size)
{
    add_words(file, now_us, "command", line, size);
}

void diagram_note(FILE *file, uint64_t now_us, const char *text)
{
    add_words(file, now_us, "note", text, strlen(text));
}
