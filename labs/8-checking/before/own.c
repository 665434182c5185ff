// own.c: before lab 8 nobody has invariants of their own, and none is broken.
#include "sim/own/own.h"

size_t own_memory_size(void)
{
    return 0;
}

bool own_check(const struct own_look *look, void *memory, char words[OWN_WORDS])
{
    (void)look;
    (void)memory;
    (void)words;
    return true;
}
