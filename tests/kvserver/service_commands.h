// service_commands.h: commands of all kinds, drawn by lot.
#ifndef TESTS_KVSERVER_SERVICE_COMMANDS_H
#define TESTS_KVSERVER_SERVICE_COMMANDS_H

#include "tests/test.h"

static uint64_t random_state;

static inline uint32_t random_below(uint32_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % bound);
}

static const char *const shapes[] = {
    "SET %k %n",        "SET %k %n PX %n",  "SET %k %n EX %n NX GET",
    "GETSET %k %n",     "SETNX %k %n",      "INCR %k",
    "INCRBY %k %n",     "APPEND %k %n",     "DEL %k %k",
    "PEXPIRE %k %n",    "EXPIRE %k %n LT",  "PERSIST %k",
    "MSET %k %n %k %n", "GETDEL %k",        "MGET %k %k",
    "SCAN 0 COUNT %n",  "RAFT.REGISTER",    "EXPIRE %k x",
    "PSETEX %k %n %n",  "PEXPIREAT %k 1%n", "SET %k %n EX 0",
    "DBSIZE",           "KEYS k?%n*",       "DECRBY %k %n",
};

static inline void draw_command(char *out, size_t size)
{
    const char *shape = shapes[random_below(sizeof(shapes) / sizeof(shapes[0]))];
    if (random_below(400) == 0)
        shape = "FLUSHALL";
    size_t at = 0;
    for (; *shape != 0; shape++) {
        CHECK(at + 16 < size);
        if (*shape != '%') {
            out[at++] = *shape;
            continue;
        }
        shape++;
        uint32_t number = random_below(*shape == 'k' ? 40 : 900);
        at += (size_t)sprintf(out + at, *shape == 'k' ? "k%u" : "%u", number);
    }
    out[at] = 0;
}

#endif
