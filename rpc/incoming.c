// incoming.c: see incoming.h.
#include "rpc/incoming.h"

#include "rpc/line.h"
#include "rpc/socket.h"

#include <stdlib.h>
#include <string.h>

static void on_closed(uv_handle_t *handle)
{
    struct incoming *in = handle->data;
    if (--in->handles_open == 0) {
        in->owner->closed(in->owner->context, in);
        line_release(in->line);
        free(in->line);
        free(in);
    }
}

void incoming_close(struct incoming *in)
{
    if (!in->closing) {
        in->closing = true;
        uv_close((uv_handle_t *)&in->tcp, on_closed);
        uv_close((uv_handle_t *)&in->timer, on_closed);
    }
}

// An answer is one short line to a socket that is read by someone who waits for it, or
// who ignores it: what the kernel does not take at once is not worth keeping.
static void answer(struct incoming *in, const struct frame *frame)
{
    uv_buf_t buffer = uv_buf_init(frame->data, (unsigned)frame->size);
    if (frame->size > 0) {
        (void)uv_try_write((uv_stream_t *)&in->tcp, &buffer, 1);
    }
}

// The id to answer with: that of the line, so far as it can be read.
static void answer_error(struct incoming *in, const char *text, size_t size,
                         const struct jsonrpc_problem *problem)
{
    const struct json_limits limits = {HELLO_LINE_BYTES_MAX, 256, 8};
    struct jsonrpc_message message;
    struct jsonrpc_problem ignored;
    struct frame *frame = frame_new(256);
    (void)jsonrpc_parse(text, size, &limits, &message, &ignored);
    jsonrpc_add_error(frame, &message.id, (int)problem->code, problem->text);
    jsonrpc_release(&message);
    answer(in, frame);
    frame_release(frame);
}

static void refuse_line(struct incoming *in, const char *text, size_t size,
                        const struct jsonrpc_problem *problem)
{
    in->owner->undecodable(in->owner->context, in->node, problem->text);
    if (!in->closing) {
        answer_error(in, text, size, problem);
    }
}

static void take_hello(struct incoming *in, const char *text, size_t size)
{
    struct hello caller;
    struct jsonrpc_problem problem;
    struct frame *frame = frame_new(256);
    bool good = hello_take(text, size, in->owner->self, frame, &caller, &problem);
    if (good && !in->owner->admits(in->owner->context, caller.node)) {
        good = false;
        problem = (struct jsonrpc_problem){(enum jsonrpc_code)HELLO_REFUSED,
                                           "this node was removed from the cluster"};
        answer_error(in, text, size, &problem);
    } else {
        answer(in, frame);
    }
    frame_release(frame);
    if (!good) {
        incoming_close(in);
        in->owner->refused(in->owner->context, problem.text);
        return;
    }
    uv_timer_stop(&in->timer);
    in->node = caller.node;
    in->unsummed = caller.unsummed;
    in->owner->greeted(in->owner->context, in);
}

static void take_message(struct incoming *in, const char *text, size_t size)
{
    struct raft_codec_arena *arena = in->owner->arena;
    struct raft_message message;
    struct jsonrpc_problem problem;
    if (in->unsummed
            ? !raft_codec_decode_unsummed(arena, text, size, &message, &problem)
            : !raft_codec_decode(arena, text, size, &message, &problem)) {
        refuse_line(in, text, size, &problem);
    } else if (message.from != in->node) {
        problem = (struct jsonrpc_problem){JSONRPC_INVALID_PARAMS,
                                           "from is not the node of the hello"};
        refuse_line(in, text, size, &problem);
    } else {
        message.to = in->owner->self->node;
        in->owner->received(in->owner->context, &message, size + 1);
    }
}

static void take_too_long(struct incoming *in)
{
    const struct jsonrpc_problem problem = {JSONRPC_INVALID_REQUEST,
                                            "the line is too long"};
    if (in->node != 0) {
        refuse_line(in, "", 0, &problem);
        return;
    }
    answer_error(in, "", 0, &problem);
    incoming_close(in);
    in->owner->refused(in->owner->context, problem.text);
}

static void take(struct incoming *in)
{
    const char *text;
    size_t size;
    while (!in->closing) {
        switch (line_next(in->line, &text, &size)) {
        case LINE_NONE:
            return;
        case LINE_TOO_LONG:
            take_too_long(in);
            break;
        case LINE_READY:
            if (in->node == 0) {
                take_hello(in, text, size);
                // From now on lines may be as long as messages are.
                in->line->bytes_max = in->owner->config->line_bytes_max;
            } else {
                take_message(in, text, size);
            }
            break;
        }
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct incoming *in = handle->data;
    size_t room;
    buffer->base = line_room(in->line, &room);
    buffer->len = room;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    struct incoming *in = stream->data;
    if (count < 0) {
        incoming_close(in);
        return;
    }
    line_filled(in->line, (size_t)count);
    take(in);
}

static void on_silence(uv_timer_t *timer)
{
    struct incoming *in = timer->data;
    incoming_close(in);
    in->owner->refused(in->owner->context, "no hello in time");
}

struct incoming *incoming_accept(uv_stream_t *listener,
                                 const struct incoming_owner *owner)
{
    struct incoming *in = socket_alloc(sizeof *in);
    in->owner = owner;
    in->line = socket_alloc(sizeof *in->line);
    line_init(in->line, HELLO_LINE_BYTES_MAX);
    uv_tcp_init(listener->loop, &in->tcp);
    uv_timer_init(listener->loop, &in->timer);
    in->tcp.data = in;
    in->timer.data = in;
    in->handles_open = 2;
    if (uv_accept(listener, (uv_stream_t *)&in->tcp) < 0 ||
        uv_read_start((uv_stream_t *)&in->tcp, on_room, on_read) < 0) {
        incoming_close(in);
        return in;
    }
    socket_tune(&in->tcp, owner->config->stall_timeout_ms);
    uv_timer_start(&in->timer, on_silence, owner->config->connect_timeout_ms, 0);
    return in;
}
