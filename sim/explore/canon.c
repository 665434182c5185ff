#include "sim/explore/canon.h"

#include <string.h>

#include "sim/fold.h"

static const uint8_t own_names[RAFT_MEMBERS_MAX + 1] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                        8, 9, 10, 11, 12, 13, 14, 15};

void canon_write(struct canon *form, const uint8_t *names)
{
    form->reading = false;
    form->names = names == NULL ? own_names : names;
    form->size = 0;
    form->at = 0;
}

void canon_read(struct canon *form, const void *bytes, uint32_t size)
{
    assert(size <= CANON_BYTES_MAX);
    form->reading = true;
    form->names = own_names;
    form->size = size;
    form->at = 0;
    memcpy(form->bytes, bytes, size);
}

static void put(struct canon *form, uint64_t value)
{
    assert(form->size + 10 <= CANON_BYTES_MAX);
    for (; value >= 0x80; value >>= 7)
        form->bytes[form->size++] = (uint8_t)(value | 0x80);
    form->bytes[form->size++] = (uint8_t)value;
}

static uint64_t take(struct canon *form)
{
    uint64_t value = 0;
    uint32_t shift = 0;
    uint8_t byte;

    do {
        assert(form->at < form->size);
        byte = form->bytes[form->at++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    return value;
}

void canon_u64(struct canon *form, uint64_t *value)
{
    if (form->reading)
        *value = take(form);
    else
        put(form, *value);
}

void canon_u32(struct canon *form, uint32_t *value)
{
    if (form->reading)
        *value = (uint32_t)take(form);
    else
        put(form, *value);
}

void canon_flag(struct canon *form, bool *value)
{
    if (form->reading)
        *value = take(form) != 0;
    else
        put(form, *value);
}

void canon_id(struct canon *form, raft_id *id)
{
    if (form->reading)
        *id = (raft_id)take(form);
    else
        put(form, form->names[*id]);
}

void canon_bytes(struct canon *form, void *bytes, uint32_t size)
{
    if (size == 0)
        return;
    if (form->reading) {
        assert(form->at + size <= form->size);
        memcpy(bytes, &form->bytes[form->at], size);
        form->at += size;
    } else {
        assert(form->size + size <= CANON_BYTES_MAX);
        memcpy(&form->bytes[form->size], bytes, size);
        form->size += size;
    }
}

uint64_t canon_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

uint64_t canon_hash(const struct canon *form)
{
    return canon_mix(fold_bytes(0x6a09e667f3bcc908u, form->bytes, form->size));
}
