// resp_fuzz.c: what clients send: requests in RESP, and what the store makes of them.
//
// The first byte says how many bytes arrive at once. Claims: the parser finds the same
// requests however they arrive, a command is classified without harm, and what is
// executed leaves a state whose quick hash is the one that every record gives.
#include "kvserver/engine/engine.h"
#include "kvserver/resp_parser.h"
#include "kvserver/service/service.h"
#include "tests/fuzz/fuzz.h"

enum { BULK_MAX = 1 << 12, REQUEST_MAX = 1 << 14, VALUE_MAX = 1 << 12 };

struct found {
    uint64_t hash; // of all requests
    uint32_t count;
    char error[sizeof((struct resp_parser *)NULL)->error];
};

static uint64_t fold(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return (hash ^ size) * 1099511628211u;
}

static void execute(struct service *service, const struct resp_parser *parser,
                    uint64_t index)
{
    struct buffer reply = {0}, command = {0};
    switch (service_classify(parser->words, parser->count, &reply)) {
    case SERVICE_UNKNOWN:
    case SERVICE_REFUSED:
        FUZZ_CHECK(reply.size > 0 && reply.data[0] == '-');
        break;
    case SERVICE_READ:
        service_read(service, parser->words, parser->count, 1700000000000, &reply);
        FUZZ_CHECK(reply.size > 0);
        break;
    case SERVICE_WRITE:
        service_encode(&command, 1700000000000 + index, 0, 0, parser->words,
                       parser->count);
        service_apply(service, index, command.data, command.size, &reply);
        FUZZ_CHECK(reply.size > 0);
        break;
    }
    buffer_free(&reply);
    buffer_free(&command);
}

// Lets `step` more bytes arrive at a time; executes what is asked for where there is a
// service.
static void parse(const char *data, size_t size, size_t step, struct service *service,
                  struct found *found)
{
    struct resp_parser parser;
    size_t start = 0, arrived = 0, used;
    resp_parser_init(&parser, BULK_MAX, REQUEST_MAX);
    *found = (struct found){.hash = 1};
    while (found->error[0] == '\0') {
        switch (resp_parser_next(&parser, data + start, arrived - start, &used)) {
        case RESP_MORE:
            if (arrived == size) {
                resp_parser_release(&parser);
                return;
            }
            arrived = size - arrived < step ? size : arrived + step;
            break;
        case RESP_REQUEST:
            FUZZ_CHECK(used > 0 && used <= arrived - start);
            for (uint32_t i = 0; i < parser.count; i++)
                found->hash =
                    fold(found->hash, parser.words[i].data, parser.words[i].size);
            found->count += parser.count > 0;
            if (service != NULL && parser.count > 0)
                execute(service, &parser, found->count);
            start += used;
            break;
        case RESP_BAD:
            FUZZ_CHECK(parser.error[0] != '\0');
            memcpy(found->error, parser.error, sizeof found->error);
            break;
        }
    }
    resp_parser_release(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = 1 + data[0] % 64;
    const char *text = (const char *)data + 1;
    struct service_limits limits;
    struct found whole, pieces;
    service_limits_default(&limits);
    limits.value_bytes_max = VALUE_MAX;
    limits.reply_bytes_max = 1 << 16;
    struct service *service = service_new(engine_memory_new(), &limits);
    parse(text, size - 1, size, service, &whole);
    parse(text, size - 1, step, NULL, &pieces);
    FUZZ_CHECK(whole.count == pieces.count && whole.hash == pieces.hash);
    FUZZ_CHECK(strcmp(whole.error, pieces.error) == 0);
    FUZZ_CHECK(service_hash(service) == service_hash_slow(service));
    service_free(service);
    return 0;
}
