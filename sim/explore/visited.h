// visited.h: the names of the states that were seen, 64 bits each.
//
// A table that is kept in order: a name's place is its share of the table's length, and
// what meets there stands in order behind one another. So growing is two sweeps within
// the memory, by a quarter each time, and the table is never more than a third empty:
// about eleven bytes a name. Different states have the same name with a chance of about
// n * n / 2^65 among n; the report says so.
#ifndef SIM_EXPLORE_VISITED_H
#define SIM_EXPLORE_VISITED_H

#include <stdbool.h>
#include <stdint.h>

struct visited {
    uint64_t *slots; // 0: empty
    uint64_t length; // names' places are below this; some slots lie behind it
    uint64_t count;
};

void visited_init(struct visited *visited);
void visited_release(struct visited *visited);

// True where the name is new.
bool visited_add(struct visited *visited, uint64_t name);

// Asks the memory for its place, which will be needed soon.
void visited_expect(const struct visited *visited, uint64_t name);

uint64_t visited_bytes(const struct visited *visited);

#endif
