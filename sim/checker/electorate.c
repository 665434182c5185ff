#include "sim/checker/electorate.h"

#include "sim/fold.h"

#include <stdlib.h>
#include <string.h>

struct electorate electorate_of(const struct raft_configuration *configuration)
{
    struct electorate electorate = {.hash = configuration->count};

    for (uint32_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        uint32_t bit = 1u << (member->id & 31);

        if (member->role == RAFT_VOTER || member->role == RAFT_STAYING)
            electorate.voters |= bit;
        if (member->role == RAFT_LEAVING || member->role == RAFT_STAYING)
            electorate.old_voters |= bit;
        if (member->role == RAFT_LEARNER || member->role == RAFT_JOINING)
            electorate.learners |= bit;
        electorate.hash = fold_u64(electorate.hash, member->id);
        electorate.hash = fold_u64(electorate.hash, (uint64_t)member->role);
        electorate.hash = fold_u64(electorate.hash, member->priority);
        electorate.hash = fold_text(electorate.hash, member->address);
    }
    return electorate;
}

static uint32_t count(uint32_t nodes)
{
    uint32_t sum = 0;

    for (; nodes != 0; nodes &= nodes - 1)
        sum++;
    return sum;
}

static bool is_majority(uint32_t voters, uint32_t nodes)
{
    return 2 * count(voters & nodes) > count(voters);
}

bool electorate_is_quorum(const struct electorate *electorate, uint32_t nodes)
{
    return is_majority(electorate->voters, nodes) &&
           (electorate->old_voters == 0 || is_majority(electorate->old_voters, nodes));
}

bool electorate_votes(const struct electorate *electorate, raft_id id)
{
    return ((electorate->voters | electorate->old_voters) >> (id & 31) & 1) != 0;
}

const char *electorate_step_problem(const struct electorate *from,
                                    const struct electorate *to)
{
    uint32_t differ = from->voters ^ to->voters;

    if (to->voters == 0)
        return "it has no voter";
    if (to->old_voters != 0) {
        if (from->old_voters != 0)
            return "one joint configuration follows another";
        return to->old_voters == from->voters
                   ? NULL
                   : "its old half is not the configuration before";
    }
    if (from->old_voters != 0)
        return differ == 0 ? NULL : "it is not the new half of the joint one before";
    // One voter more or less: any two majorities share a node (dissertation 4.1).
    return (differ & (differ - 1)) == 0
               ? NULL
               : "more than one voter comes or goes without a joint configuration";
}

void electorate_release(struct electorate_list *list)
{
    free(list->at);
    memset(list, 0, sizeof(*list));
}

void electorate_push(struct electorate_list *list, raft_index index,
                     const struct electorate *electorate)
{
    assert(list->count == 0 || list->at[list->count - 1].index < index);
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
        list->at = realloc(list->at, list->capacity * sizeof(*list->at));
        if (list->at == NULL)
            abort();
    }
    list->at[list->count++] = (struct electorate_place){index, *electorate};
}

void electorate_cut(struct electorate_list *list, raft_index last)
{
    while (list->count > 0 && list->at[list->count - 1].index > last)
        list->count--;
}

struct electorate_place electorate_at(const struct electorate_list *list,
                                      raft_index index)
{
    // The last few are asked for.
    for (uint32_t i = list->count; i-- > 0;)
        if (list->at[i].index <= index)
            return list->at[i];
    return (struct electorate_place){0};
}
