// own.c: the properties of Figure 3, and indices that only grow (lab 8).
//
// What is compared with the past is remembered by term or by index. Three things are no
// violation: a crash takes back what was not on disk, a snapshot what was in the log,
// and whoever wins an election late owes nothing to the terms behind its own.
#include "sim/own/own.h"

#include <inttypes.h>

// BEGIN SOLUTION lab8: checkers
enum { TERMS = 1 << 12, ENTRIES = 1 << 15 }; // what lies beyond is not judged

struct committed {
    raft_term term;
    raft_term by; // the term in which it was first seen as committed
};

struct memory {
    raft_id leaders[TERMS];
    struct committed committed[ENTRIES];
    raft_index committed_last;
    uint64_t applied[ENTRIES];             // the entry's print
    uint32_t starts[RAFT_MEMBERS_MAX + 1]; // of the node that was seen last
    struct raft_view was[RAFT_MEMBERS_MAX + 1];
};

static uint64_t print_of(const struct raft_entry *entry)
{
    uint64_t print = entry->term * 31 + (uint64_t)entry->type + 1;

    for (size_t i = 0; i < entry->size; i++)
        print = (print ^ ((const uint8_t *)entry->data)[i]) * 0x100000001b3;
    return print;
}

static bool leads_anew(const struct raft_view *was, const struct raft_view *now)
{
    return now->role == RAFT_LEADER &&
           (was->role != RAFT_LEADER || was->current_term != now->current_term);
}

// At most one leader in a term.
static bool election_safety(const struct raft_view *now, struct memory *memory,
                            char *words)
{
    raft_id *leader;

    if (now->role != RAFT_LEADER || now->current_term >= TERMS)
        return true;
    leader = &memory->leaders[now->current_term];
    if (*leader != 0 && *leader != now->id)
        return own_broken(words, "election safety: n%u and n%u lead in term %" PRIu64,
                          (unsigned)*leader, (unsigned)now->id, now->current_term);
    *leader = now->id;
    return true;
}

// Where two logs have the same term at an index, they are the same up to there. What
// both know as committed was compared when it was.
static bool logs_match(const struct own_node *a, const struct own_node *b, char *words)
{
    raft_index low = a->view->commit_index < b->view->commit_index
                         ? a->view->commit_index
                         : b->view->commit_index;
    raft_index i = a->view->last_index < b->view->last_index ? a->view->last_index
                                                             : b->view->last_index;
    bool same = false;

    for (; i > low; i--) {
        raft_term of_a, of_b;

        if (!raft_term_at(a->raft, i, &of_a) || !raft_term_at(b->raft, i, &of_b))
            break;
        if (same && of_a != of_b)
            return own_broken(words,
                              "log matching: n%u and n%u differ at %" PRIu64
                              " and agree behind it",
                              (unsigned)a->view->id, (unsigned)b->view->id, i);
        same = same || of_a == of_b;
    }
    return true;
}

static bool log_matching(const struct own_look *look, const struct raft_view *was,
                         char *words)
{
    const struct own_node *node = &look->nodes[look->id];

    if (was->last_index == node->view->last_index &&
        was->last_term == node->view->last_term)
        return true;
    for (raft_id id = 1; id <= look->node_count; id++)
        if (id != look->id && look->nodes[id].raft != NULL &&
            !logs_match(node, &look->nodes[id], words))
            return false;
    return true;
}

// What one node has committed, all others have committed or will.
static bool commits_agree(const struct own_node *node, const struct raft_view *was,
                          struct memory *memory, char *words)
{
    const struct raft_view *now = node->view;

    if (now->commit_index > now->last_index)
        return own_broken(words,
                          "committed entries stay: n%u lost what is up to %" PRIu64,
                          (unsigned)now->id, now->commit_index);
    for (raft_index i = was->commit_index < now->commit_index ? was->commit_index + 1
                                                              : now->commit_index;
         i > 0 && i <= now->commit_index && i < ENTRIES; i++) {
        struct committed *known = &memory->committed[i];
        raft_term term;

        if (!raft_term_at(node->raft, i, &term))
            continue;
        if (known->term != 0 && known->term != term)
            return own_broken(words,
                              "committed entries stay: at %" PRIu64 " term %" PRIu64
                              " was committed, n%u has term %" PRIu64,
                              i, known->term, (unsigned)now->id, term);
        if (known->term == 0)
            *known = (struct committed){term, now->current_term};
        if (i > memory->committed_last)
            memory->committed_last = i;
    }
    return true;
}

// A leader has all that was committed in the terms before its own.
static bool leader_completeness(const struct own_node *node, struct memory *memory,
                                char *words)
{
    const struct raft_view *now = node->view;

    for (raft_index i = now->first_index; i <= memory->committed_last; i++) {
        const struct committed *known = &memory->committed[i];
        raft_term term = 0;

        raft_term_at(node->raft, i, &term);
        if (known->term != 0 && known->by < now->current_term && term != known->term)
            return own_broken(words,
                              "leader completeness: n%u leads term %" PRIu64
                              " without entry %" PRIu64 " of term %" PRIu64,
                              (unsigned)now->id, now->current_term, i, known->term);
    }
    return true;
}

// Nothing is applied before it is committed, and everywhere the same.
static bool state_machine_safety(const struct own_node *node,
                                 const struct raft_view *was, struct memory *memory,
                                 char *words)
{
    const struct raft_view *now = node->view;

    if (now->last_applied > now->commit_index)
        return own_broken(words,
                          "state machine safety: n%u applied %" PRIu64
                          ", and knows %" PRIu64 " as committed",
                          (unsigned)now->id, now->last_applied, now->commit_index);
    for (raft_index i = was->last_applied + 1; i <= now->last_applied && i < ENTRIES;
         i++) {
        struct raft_entry entry;

        if (!raft_entry_at(node->raft, i, &entry))
            continue;
        if (memory->applied[i] != 0 && memory->applied[i] != print_of(&entry))
            return own_broken(
                words, "state machine safety: n%u applied another entry %" PRIu64,
                (unsigned)now->id, i);
        memory->applied[i] = print_of(&entry);
    }
    return true;
}

// Terms, votes and indices of one run of a node.
static bool monotone(const struct raft_view *was, const struct raft_view *now,
                     char *words)
{
    if (now->current_term < was->current_term)
        return own_broken(words, "monotone: n%u goes from term %" PRIu64 " to %" PRIu64,
                          (unsigned)now->id, was->current_term, now->current_term);
    if (now->current_term == was->current_term && was->voted_for != 0 &&
        now->voted_for != was->voted_for)
        return own_broken(words,
                          "one vote a term: n%u turns from n%u to n%u in term %" PRIu64,
                          (unsigned)now->id, (unsigned)was->voted_for,
                          (unsigned)now->voted_for, now->current_term);
    if (now->commit_index < was->commit_index)
        return own_broken(words, "monotone: n%u takes the commit of %" PRIu64 " back",
                          (unsigned)now->id, was->commit_index);
    return true;
}
// END SOLUTION

size_t own_memory_size(void)
{
    // BEGIN SOLUTION lab8: checkers
    return sizeof(struct memory);
    // END SOLUTION
}

bool own_check(const struct own_look *look, void *memory_given, char words[OWN_WORDS])
{
    // BEGIN SOLUTION lab8: checkers
    struct memory *memory = memory_given;
    const struct own_node *node = &look->nodes[look->id];
    struct raft_view was = memory->was[look->id];

    if (memory->starts[look->id] != node->starts)
        was = (struct raft_view){.last_applied = node->view->last_applied};
    memory->starts[look->id] = node->starts;
    memory->was[look->id] = *node->view;
    return monotone(&was, node->view, words) &&
           election_safety(node->view, memory, words) &&
           log_matching(look, &was, words) &&
           commits_agree(node, &was, memory, words) &&
           (!leads_anew(&was, node->view) ||
            leader_completeness(node, memory, words)) &&
           state_machine_safety(node, &was, memory, words);
    // END SOLUTION
}
