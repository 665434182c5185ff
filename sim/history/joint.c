#include "sim/history/joint.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *memory, size_t size)
{
    void *result = realloc(memory, size);
    if (result == NULL) {
        fprintf(stderr, "joint: out of memory\n");
        abort();
    }
    return result;
}

static size_t row_size(const struct joint *joint)
{
    return joint->width * sizeof(uint32_t);
}

static uint32_t *row(const struct joint *joint, uint32_t state)
{
    return joint->values + (size_t)state * joint->width;
}

static uint32_t bucket_of(const struct joint *joint, const uint32_t *values)
{
    uint64_t hash = joint->width;
    for (uint32_t i = 0; i < joint->width; i++) {
        hash = (hash ^ values[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return (uint32_t)(hash >> 16) & (joint->bucket_count - 1);
}

static void grow_buckets(struct joint *joint)
{
    joint->bucket_count = joint->bucket_count == 0 ? 64 : joint->bucket_count * 2;
    size_t size = joint->bucket_count * sizeof(uint32_t);
    joint->buckets = grown(joint->buckets, size);
    memset(joint->buckets, 0, size);
    for (uint32_t i = 0; i < joint->count; i++) {
        uint32_t at = bucket_of(joint, row(joint, i));
        while (joint->buckets[at] != 0) {
            at = (at + 1) & (joint->bucket_count - 1);
        }
        joint->buckets[at] = i + 1;
    }
}

static uint32_t intern(struct joint *joint, const uint32_t *values)
{
    if (joint->count * 2 >= joint->bucket_count) {
        grow_buckets(joint);
    }
    uint32_t at = bucket_of(joint, values);
    while (joint->buckets[at] != 0) {
        uint32_t known = joint->buckets[at] - 1;
        if (memcmp(row(joint, known), values, row_size(joint)) == 0) {
            return known;
        }
        at = (at + 1) & (joint->bucket_count - 1);
    }
    if (joint->count == joint->capacity) {
        joint->capacity = joint->capacity * 2 + 64;
        joint->values = grown(joint->values, (size_t)joint->capacity * row_size(joint));
    }
    memcpy(row(joint, joint->count), values, row_size(joint));
    joint->buckets[at] = ++joint->count;
    return joint->count - 1;
}

void joint_init(struct joint *joint, uint32_t width)
{
    assert(width > 0);
    joint_release(joint);
    joint->width = width;
    joint->scratch = grown(NULL, row_size(joint));
    if (width > 1) {
        memset(joint->scratch, 0, row_size(joint));
        intern(joint, joint->scratch);
    }
}

void joint_release(struct joint *joint)
{
    free(joint->values);
    free(joint->scratch);
    free(joint->buckets);
    *joint = (struct joint){0};
}

uint32_t joint_cell(const struct joint *joint, uint32_t state, uint32_t at)
{
    assert(at < joint->width);
    return joint->width == 1 ? state : row(joint, state)[at];
}

uint32_t *joint_open(struct joint *joint, uint32_t state)
{
    if (joint->width == 1) {
        joint->scratch[0] = state;
    } else {
        memcpy(joint->scratch, row(joint, state), row_size(joint));
    }
    return joint->scratch;
}

uint32_t joint_close(struct joint *joint)
{
    return joint->width == 1 ? joint->scratch[0] : intern(joint, joint->scratch);
}

void joint_keep(struct joint *joint, uint32_t *states, uint32_t count)
{
    if (joint->width == 1) {
        return;
    }
    uint32_t *old = joint->values;
    joint->values = NULL;
    joint->count = 0;
    joint->capacity = 0;
    memset(joint->buckets, 0, joint->bucket_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < count; i++) {
        states[i] = intern(joint, old + (size_t)states[i] * joint->width);
    }
    free(old);
}

uint64_t joint_bytes(const struct joint *joint)
{
    return (uint64_t)joint->capacity * row_size(joint) +
           joint->bucket_count * sizeof(uint32_t);
}
