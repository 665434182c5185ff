// fault_disk.h: a disk in front of another one, on which one call of one kind fails, or
// one place of one file cannot be read.
#ifndef TESTS_HOST_FAULT_DISK_H
#define TESTS_HOST_FAULT_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "raft/host/disk.h"

enum fault_kind { FAULT_CHANGE, FAULT_READ, FAULT_LIST, FAULT_KINDS };

struct fault_disk {
    struct disk inner;
    enum fault_kind kind;
    uint64_t at;                 // the call that fails, counted from 1; 0: none
    int64_t status;              // and what it returns: 0 for a read is the file's end
    uint64_t calls[FAULT_KINDS]; // so far

    const char *bad_name; // NULL: every place can be read
    uint64_t bad_offset;
};

static inline bool fault_disk_fails(struct fault_disk *fault, enum fault_kind kind)
{
    return ++fault->calls[kind] == fault->at && kind == fault->kind;
}

static inline int fault_disk_append(void *context, const char *name, const void *data,
                                    size_t size)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_CHANGE))
        return (int)fault->status;
    return fault->inner.append(fault->inner.context, name, data, size);
}

static inline int fault_disk_sync(void *context, const char *name, uint64_t token)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_CHANGE))
        return (int)fault->status;
    return fault->inner.sync(fault->inner.context, name, token);
}

static inline int64_t fault_disk_read(void *context, const char *name, uint64_t offset,
                                      void *data, size_t size)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_READ))
        return fault->status;
    if (fault->bad_name != NULL && strcmp(name, fault->bad_name) == 0 &&
        offset <= fault->bad_offset) {
        if (offset == fault->bad_offset)
            return -EIO;
        if (size > fault->bad_offset - offset)
            size = (size_t)(fault->bad_offset - offset);
    }
    return fault->inner.read(fault->inner.context, name, offset, data, size);
}

static inline int fault_disk_rename(void *context, const char *from, const char *to)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_CHANGE))
        return (int)fault->status;
    return fault->inner.rename(fault->inner.context, from, to);
}

static inline int fault_disk_list(void *context,
                                  void (*visit)(void *, const char *, uint64_t),
                                  void *argument)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_LIST))
        return (int)fault->status;
    return fault->inner.list(fault->inner.context, visit, argument);
}

static inline int fault_disk_remove(void *context, const char *name)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_CHANGE))
        return (int)fault->status;
    return fault->inner.remove(fault->inner.context, name);
}

static inline int fault_disk_truncate(void *context, const char *name, uint64_t size)
{
    struct fault_disk *fault = context;
    if (fault_disk_fails(fault, FAULT_CHANGE))
        return (int)fault->status;
    return fault->inner.truncate(fault->inner.context, name, size);
}

static inline struct disk fault_disk_interface(struct fault_disk *fault)
{
    return (struct disk){.context = fault,
                         .append = fault_disk_append,
                         .sync = fault_disk_sync,
                         .read = fault_disk_read,
                         .rename = fault_disk_rename,
                         .list = fault_disk_list,
                         .remove = fault_disk_remove,
                         .truncate = fault_disk_truncate};
}

#endif
