#include "sim/explore/book.h"

#include <string.h>

#include "sim/fold.h"

// ---- nodes ----------------------------------------------------------------------

static void chain(const struct log *log, uint64_t *chains, raft_term *terms)
{
    assert(log->last_index <= SUBJECT_LOG_MAX);
    chains[0] = 0;
    for (raft_index index = 1; index <= log->last_index; index++) {
        struct raft_entry entry;

        log_entry(log, index, &entry);
        chains[index] =
            canon_mix(fold_u64(fold_u64(chains[index - 1], entry.term), entry.type));
        if (terms != NULL)
            terms[index] = entry.term;
    }
}

void book_look(struct book_node *node, const struct subject *subject)
{
    const struct raft *raft = subject->raft;

    memset(node, 0, sizeof(*node));
    node->id = raft->config.id;
    node->role = raft->role;
    node->term = raft->hard_state.current_term;
    node->commit_index = (uint32_t)raft->commit_index;
    node->last_index = (uint32_t)raft->log.last_index;
    node->disk_index = (uint32_t)subject->disk->last_index;
    node->disk_term = subject->saved.current_term;
    node->syncs = raft->durability.reported < raft->durability.issued;
    node->configured = raft->configuration.count > 0;
    node->electorate = electorate_of(&raft->configuration);
    chain(&raft->log, node->chains, node->terms);
    chain(subject->disk, node->disk_chains, NULL);
}

// ---- the book -------------------------------------------------------------------

// A set of nodes under another naming.
static uint64_t renamed(const struct canon *form, uint64_t nodes)
{
    uint64_t set = 0;

    for (raft_id id = 1; id <= RAFT_MEMBERS_MAX; id++)
        if (nodes >> id & 1)
            set |= (uint64_t)1 << form->names[id];
    return set;
}

void book_walk(struct canon *form, struct book *book)
{
    uint64_t down = form->reading ? 0 : renamed(form, book->down);

    for (uint32_t use = 1; use < BOOK_USE_COUNT; use++)
        canon_u32(form, &book->used[use]);
    for (uint32_t term = 1; term <= BOOK_TERMS_MAX; term++)
        canon_id(form, &book->leaders[term]);
    canon_u64(form, &down);
    book->down = form->reading ? down : book->down;
    canon_u32(form, &book->committed);
    for (uint32_t index = 1; index <= book->committed; index++) {
        canon_bytes(form, &book->chains[index], sizeof(book->chains[index]));
        canon_u64(form, &book->committed_in[index]);
    }
}

static enum property note_leader(struct book *book, const struct book_node *node)
{
    raft_id *leader = &book->leaders[node->term];

    assert(node->term <= BOOK_TERMS_MAX);
    if (*leader == node->id)
        return PROPERTY_COUNT; // it leads on
    if (*leader != 0)
        return PROPERTY_ELECTION_SAFETY;
    *leader = node->id;
    for (uint32_t index = 1; index <= book->committed; index++)
        if (book->committed_in[index] < node->term &&
            (node->last_index < index || node->chains[index] != book->chains[index]))
            return PROPERTY_LEADER_COMPLETENESS;
    return PROPERTY_COUNT;
}

static enum property note_commit(struct book *book, const struct book_node *node)
{
    uint32_t common =
        node->commit_index < book->committed ? node->commit_index : book->committed;

    if (node->commit_index > node->last_index)
        return PROPERTY_CORE_INVARIANT;
    if (node->chains[common] != book->chains[common])
        return PROPERTY_STATE_MACHINE_SAFETY;
    while (book->committed < node->commit_index) {
        uint32_t index = ++book->committed;

        book->chains[index] = node->chains[index];
        book->committed_in[index] = node->term;
    }
    return PROPERTY_COUNT;
}

static void note_use(struct book *book, const struct book_node *node, enum book_use use)
{
    uint64_t bit = (uint64_t)1 << node->id;

    if (use == BOOK_RESTART)
        book->down &= ~bit;
    else if (use == BOOK_GOES_DOWN)
        book->down |= bit;
    if (use == BOOK_GOES_DOWN)
        book->used[BOOK_CRASH]++;
    else if (use < BOOK_USE_COUNT && use != BOOK_NOTHING)
        book->used[use]++;
}

enum property book_note(struct book *book, const struct book_node *node,
                        enum book_use use)
{
    enum property broken = PROPERTY_COUNT;

    note_use(book, node, use);
    if (node->role == RAFT_LEADER)
        broken = note_leader(book, node);
    if (broken == PROPERTY_COUNT)
        broken = note_commit(book, node);
    return broken;
}
