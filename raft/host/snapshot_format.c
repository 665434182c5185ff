// snapshot_format.c: encodes and decodes header, trailer and name; knows no files.
#include "raft/host/snapshot_format.h"

#include "raft/host/crc32c.h"

#include <string.h>

static const char header_magic[8] = {'r', 'a', 'f', 't', 's', 'n', 'a', 'p'};
static const char trailer_magic[8] = {'s', 'n', 'a', 'p', 'e', 'n', 'd', '\n'};
static const char suffix[] = ".snapshot";

enum {
    NUMBER_DIGITS = 20, // of the largest u64
    TEXT_AT = 48,
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

void snapshot_format_name(char name[SNAPSHOT_NAME_BYTES], raft_index index)
{
    static_assert(NUMBER_DIGITS + sizeof suffix <= SNAPSHOT_NAME_BYTES, "a name fits");
    assert(index != 0);
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, index /= 10)
        name[i] = (char)('0' + index % 10);
    memcpy(name + NUMBER_DIGITS, suffix, sizeof suffix);
}

raft_index snapshot_format_index(const char *name)
{
    if (strlen(name) != NUMBER_DIGITS + sizeof suffix - 1 ||
        strcmp(name + NUMBER_DIGITS, suffix) != 0)
        return 0;
    raft_index index = 0;
    for (int i = 0; i < NUMBER_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (index > (UINT64_MAX - digit) / 10)
            return 0;
        index = index * 10 + digit;
    }
    return index;
}

const char *snapshot_format_problem_text(enum snapshot_problem problem)
{
    static const char *const texts[SNAPSHOT_PROBLEM_COUNT] = {
        [SNAPSHOT_GOOD] = "nothing is wrong",
        [SNAPSHOT_TOO_SHORT] = "too short for a snapshot",
        [SNAPSHOT_NO_HEADER] = "its header is damaged",
        [SNAPSHOT_LATER_VERSION] = "of a later version of this program",
        [SNAPSHOT_OTHER_CLUSTER] = "of another cluster",
        [SNAPSHOT_OTHER_NAME] = "has another snapshot's name",
        [SNAPSHOT_NO_MEMBERS] = "its configuration cannot be read",
        [SNAPSHOT_NO_TRAILER] = "its end is damaged",
        [SNAPSHOT_OTHER_SIZE] = "has not the size that its end tells",
        [SNAPSHOT_OTHER_CHECKSUM] = "damaged: its checksum is another",
        [SNAPSHOT_UNREADABLE] = "cannot be read",
    };
    return (unsigned)problem < SNAPSHOT_PROBLEM_COUNT ? texts[problem] : "unknown";
}

// ---- the header -----------------------------------------------------------------

uint32_t snapshot_format_put_header(uint8_t *bytes,
                                    const struct snapshot_header *header)
{
    const struct raft_snapshot_meta *meta = &header->meta;
    assert(meta->last_included_index != 0);
    uint32_t text =
        raft_configuration_encode(&meta->configuration, (char *)bytes + TEXT_AT);
    memcpy(bytes, header_magic, sizeof header_magic);
    put_u32(bytes + 8, SNAPSHOT_VERSION);
    put_u32(bytes + 12, text);
    put_u64(bytes + 16, header->cluster_id);
    put_u64(bytes + 24, meta->last_included_index);
    put_u64(bytes + 32, meta->last_included_term);
    put_u64(bytes + 40, meta->configuration_index);
    put_u32(bytes + TEXT_AT + text, crc32c_extend(0, bytes, TEXT_AT + text));
    return SNAPSHOT_HEADER_BYTES_MIN + text;
}

enum snapshot_problem snapshot_format_get_header(const uint8_t *bytes, size_t size,
                                                 struct snapshot_header *header,
                                                 uint32_t *header_size)
{
    if (size < SNAPSHOT_HEADER_BYTES_MIN)
        return SNAPSHOT_TOO_SHORT;
    if (memcmp(bytes, header_magic, sizeof header_magic) != 0)
        return SNAPSHOT_NO_HEADER;
    // First: another version may well lay out the rest in another way.
    if (get_u32(bytes + 8) > SNAPSHOT_VERSION)
        return SNAPSHOT_LATER_VERSION;
    uint32_t text = get_u32(bytes + 12);
    if (text > RAFT_CONFIGURATION_BYTES_MAX ||
        text > size - SNAPSHOT_HEADER_BYTES_MIN ||
        get_u32(bytes + TEXT_AT + text) != crc32c_extend(0, bytes, TEXT_AT + text))
        return SNAPSHOT_NO_HEADER;
    struct raft_snapshot_meta *meta = &header->meta;
    header->cluster_id = get_u64(bytes + 16);
    meta->last_included_index = get_u64(bytes + 24);
    meta->last_included_term = get_u64(bytes + 32);
    meta->configuration_index = get_u64(bytes + 40);
    *header_size = SNAPSHOT_HEADER_BYTES_MIN + text;
    if (meta->last_included_index == 0 ||
        meta->configuration_index > meta->last_included_index)
        return SNAPSHOT_NO_HEADER;
    if (!raft_configuration_decode(bytes + TEXT_AT, text, &meta->configuration))
        return SNAPSHOT_NO_MEMBERS;
    return SNAPSHOT_GOOD;
}

// ---- the trailer ----------------------------------------------------------------

void snapshot_format_put_trailer(uint8_t bytes[SNAPSHOT_TRAILER_BYTES],
                                 struct snapshot_trailer *trailer, uint32_t before)
{
    enum { CHECKED = SNAPSHOT_TRAILER_BYTES - SNAPSHOT_CHECKSUM_BYTES };
    memcpy(bytes, trailer_magic, sizeof trailer_magic);
    put_u64(bytes + 8, trailer->body_size);
    put_u32(bytes + 16, 0);
    trailer->checksum = crc32c_extend(before, bytes, CHECKED);
    put_u32(bytes + CHECKED, trailer->checksum);
}

bool snapshot_format_get_trailer(const uint8_t bytes[SNAPSHOT_TRAILER_BYTES],
                                 struct snapshot_trailer *trailer)
{
    trailer->body_size = get_u64(bytes + 8);
    trailer->checksum = get_u32(bytes + 20);
    return memcmp(bytes, trailer_magic, sizeof trailer_magic) == 0 &&
           get_u32(bytes + 16) == 0;
}
