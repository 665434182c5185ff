// log_format.c: encodes and decodes headers; knows no files.
#include "raft/host/log_format.h"

#include "raft/host/crc32c.h"

#include <string.h>

static const char magic[8] = {'r', 'a', 'f', 't', 'l', 'o', 'g', '\n'};
static const char suffix[] = ".log";

enum {
    NUMBER_DIGITS = 20, // of the largest u64
    SEGMENT_CHECKSUM_AT = LOG_SEGMENT_HEADER_BYTES - 4,
};

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static void put_u64(uint8_t *bytes, uint64_t value)
{
    put_u32(bytes, (uint32_t)value);
    put_u32(bytes + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint64_t get_u64(const uint8_t *bytes)
{
    return get_u32(bytes) | (uint64_t)get_u32(bytes + 4) << 32;
}

// ---- names ----------------------------------------------------------------------

void log_format_name(char name[LOG_NAME_BYTES], uint64_t number)
{
    static_assert(NUMBER_DIGITS + sizeof suffix <= LOG_NAME_BYTES, "a name fits");
    assert(number != 0);
    // By hand: a name is asked for at each append.
    memset(name, '0', NUMBER_DIGITS);
    for (int i = NUMBER_DIGITS - 1; number > 0; i--, number /= 10)
        name[i] = (char)('0' + number % 10);
    memcpy(name + NUMBER_DIGITS, suffix, sizeof suffix);
}

uint64_t log_format_number(const char *name)
{
    if (strlen(name) != NUMBER_DIGITS + sizeof suffix - 1 ||
        strcmp(name + NUMBER_DIGITS, suffix) != 0)
        return 0;
    uint64_t number = 0;
    for (int i = 0; i < NUMBER_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    return number;
}

// ---- the segment's header -------------------------------------------------------

void log_format_put_segment(uint8_t *bytes, const struct log_segment *segment)
{
    memcpy(bytes, magic, sizeof magic);
    put_u32(bytes + 8, LOG_VERSION);
    put_u32(bytes + 12, segment->node_id);
    put_u64(bytes + 16, segment->cluster_id);
    put_u64(bytes + 24, segment->number);
    put_u64(bytes + 32, segment->previous_size);
    put_u32(bytes + 40, 0);
    put_u32(bytes + SEGMENT_CHECKSUM_AT, crc32c_extend(0, bytes, SEGMENT_CHECKSUM_AT));
}

enum log_header_check log_format_get_segment(const uint8_t *bytes,
                                             struct log_segment *segment)
{
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return LOG_HEADER_BAD;
    // First: another version may well lay out the rest in another way.
    if (get_u32(bytes + 8) > LOG_VERSION)
        return LOG_HEADER_UNKNOWN;
    uint32_t checksum = crc32c_extend(0, bytes, SEGMENT_CHECKSUM_AT);
    if (get_u32(bytes + SEGMENT_CHECKSUM_AT) != checksum)
        return LOG_HEADER_BAD;
    segment->node_id = get_u32(bytes + 12);
    segment->cluster_id = get_u64(bytes + 16);
    segment->number = get_u64(bytes + 24);
    segment->previous_size = get_u64(bytes + 32);
    return LOG_HEADER_VALID;
}

// ---- records --------------------------------------------------------------------

uint32_t log_format_place(const struct log_segment *segment)
{
    uint8_t place[20];
    put_u64(place, segment->cluster_id);
    put_u32(place + 8, segment->node_id);
    put_u64(place + 12, segment->number);
    return crc32c_extend(0, place, sizeof place);
}

static uint32_t record_checksum(const uint8_t *bytes, uint32_t place, uint64_t offset)
{
    uint8_t where[8];
    put_u64(where, offset);
    return crc32c_extend(crc32c_extend(place, where, sizeof where), bytes + 4,
                         LOG_RECORD_HEADER_BYTES - 4);
}

static bool is_type(uint32_t type)
{
    return (type > LOG_RECORD_NONE && type < LOG_RECORD_ENTRY_END) ||
           type == LOG_RECORD_SNAPSHOT;
}

void log_format_put_record(uint8_t *bytes, uint32_t place, uint64_t offset,
                           const struct log_record *record)
{
    assert(is_type((uint32_t)record->type));
    assert(record->durable <= offset);
    put_u32(bytes + 4, record->payload_checksum);
    put_u64(bytes + 8, record->index);
    put_u64(bytes + 16, record->term);
    put_u64(bytes + 24, record->durable);
    put_u32(bytes + 32, record->size);
    put_u32(bytes + 36, (uint32_t)record->type);
    put_u32(bytes, record_checksum(bytes, place, offset));
}

bool log_format_get_record(const uint8_t *bytes, uint32_t place, uint64_t offset,
                           struct log_record *record)
{
    // The cheap checks come first: a search for records tries every offset.
    uint32_t type = get_u32(bytes + 36);
    if (!is_type(type))
        return false;
    if (get_u32(bytes) != record_checksum(bytes, place, offset))
        return false;
    record->type = (enum log_record_type)type;
    record->payload_checksum = get_u32(bytes + 4);
    record->index = get_u64(bytes + 8);
    record->term = get_u64(bytes + 16);
    record->durable = get_u64(bytes + 24);
    record->size = get_u32(bytes + 32);
    if (record->type == LOG_RECORD_HARD_STATE)
        return record->index == 0 && record->size == LOG_HARD_STATE_BYTES;
    if (record->type == LOG_RECORD_SNAPSHOT)
        return record->index != 0 && record->index != UINT64_MAX && record->size == 0;
    return record->index != 0;
}

void log_format_put_hard_state(uint8_t bytes[LOG_HARD_STATE_BYTES],
                               const struct raft_hard_state *hard_state)
{
    put_u32(bytes, hard_state->voted_for);
}

void log_format_get_hard_state(const uint8_t *bytes, const struct log_record *record,
                               struct raft_hard_state *hard_state)
{
    assert(record->type == LOG_RECORD_HARD_STATE);
    hard_state->current_term = record->term;
    hard_state->voted_for = get_u32(bytes);
}

uint32_t log_format_padding(uint32_t payload_size)
{
    return (LOG_ALIGN_BYTES - payload_size % LOG_ALIGN_BYTES) % LOG_ALIGN_BYTES;
}

uint32_t log_format_payload_checksum(const void *payload, uint32_t size)
{
    static const uint8_t zeros[LOG_ALIGN_BYTES];
    uint32_t checksum = crc32c_extend(0, payload, size);
    return crc32c_extend(checksum, zeros, log_format_padding(size));
}

uint32_t log_format_padded_checksum(const void *padded, size_t size)
{
    return crc32c_extend(0, padded, size);
}

uint64_t log_format_record_bytes(uint32_t payload_size)
{
    return (uint64_t)LOG_RECORD_HEADER_BYTES + payload_size +
           log_format_padding(payload_size);
}
