#include "sim/explore/model.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_KEY ((uint64_t)1 << 63)

// ---- life cycle -----------------------------------------------------------------

void model_init(struct model *model, const struct subject_config *config, bool symmetry,
                bool outcomes_only)
{
    memset(model, 0, sizeof(*model));
    model->config = *config;
    model->outcomes_only = outcomes_only;
    permutation_list(&model->permutations, config->node_count, config->member_count,
                     symmetry);
    subject_init(&model->subject, config);
    interned_init(&model->nodes, model->permutations.count);
    interned_init(&model->messages, model->permutations.count);
    interned_init(&model->books, model->permutations.count);
}

void model_release(struct model *model)
{
    subject_release(&model->subject);
    interned_release(&model->nodes);
    interned_release(&model->messages);
    interned_release(&model->books);
    free(model->looks);
    free(model->pages);
    free(model->marks);
    free(model->moves);
    free(model->sent);
}

// Room for one more item of an array.
static void *room(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 64 : 2 * *capacity;
    array = realloc(array, *capacity * size);
    if (array == NULL)
        abort();
    return array;
}

// ---- numbers --------------------------------------------------------------------

static uint32_t number_node(struct model *model)
{
    struct canon *form = &model->form;
    uint32_t number;

    canon_write(form, NULL);
    subject_walk(form, &model->subject);
    number = interned_find(&model->nodes, form);
    if (number != INTERNED_NONE)
        return number;
    number = interned_add(&model->nodes, form);
    model->looks =
        room(model->looks, number, &model->look_capacity, sizeof(*model->looks));
    book_look(&model->looks[number], &model->subject);
    for (uint32_t i = 1; i < model->permutations.count; i++) {
        canon_write(form, model->permutations.names[i]);
        subject_walk(form, &model->subject);
        interned_hashes(&model->nodes, number)[i] = canon_hash(form);
    }
    return number;
}

static enum raft_role asker_of(const struct raft_message *message)
{
    if (message->type == RAFT_APPEND_ENTRIES_REPLY)
        return RAFT_LEADER;
    if (message->type == RAFT_REQUEST_VOTE_REPLY &&
        !message->request_vote_reply.pre_vote)
        return RAFT_CANDIDATE;
    return RAFT_FOLLOWER;
}

static uint32_t number_message(struct model *model, struct parcel *parcel)
{
    struct canon *form = &model->form;
    uint32_t number;

    canon_write(form, NULL);
    parcel_walk(form, parcel);
    number = interned_find(&model->messages, form);
    if (number != INTERNED_NONE)
        return number;
    number = interned_add(&model->messages, form);
    model->marks =
        room(model->marks, number, &model->mark_capacity, sizeof(*model->marks));
    model->marks[number] = (struct model_mark){parcel->message.to, parcel->message.term,
                                               asker_of(&parcel->message)};
    for (uint32_t i = 1; i < model->permutations.count; i++) {
        canon_write(form, model->permutations.names[i]);
        parcel_walk(form, parcel);
        interned_hashes(&model->messages, number)[i] = canon_hash(form);
    }
    return number;
}

uint32_t model_book(struct model *model, struct book *book)
{
    struct canon *form = &model->form;
    uint32_t number;

    canon_write(form, NULL);
    book_walk(form, book);
    number = interned_find(&model->books, form);
    if (number != INTERNED_NONE)
        return number;
    number = interned_add(&model->books, form);
    model->pages =
        room(model->pages, number, &model->page_capacity, sizeof(*model->pages));
    model->pages[number] = *book;
    for (uint32_t i = 1; i < model->permutations.count; i++) {
        canon_write(form, model->permutations.names[i]);
        book_walk(form, book);
        interned_hashes(&model->books, number)[i] = canon_hash(form);
    }
    return number;
}

uint32_t model_start(struct model *model, raft_id id)
{
    subject_start(&model->subject, id);
    return number_node(model);
}

uint32_t model_first_book(struct model *model)
{
    struct book book = {0};

    return model_book(model, &book);
}

const struct parcel *model_message(struct model *model, uint32_t message)
{
    interned_read(&model->messages, message, &model->form);
    parcel_walk(&model->form, &model->parcel);
    return &model->parcel;
}

// ---- moves ----------------------------------------------------------------------

static const struct model_move *find(const struct model *model, uint64_t key)
{
    uint64_t mask = model->move_slots - 1;

    if (model->move_slots == 0)
        return NULL;
    for (uint64_t at = canon_mix(key) & mask;; at = (at + 1) & mask) {
        const struct model_move *move = &model->moves[at];

        if (move->key == key)
            return move;
        if (move->key == 0)
            return NULL;
    }
}

static void place(struct model *model, const struct model_move *move)
{
    uint64_t mask = model->move_slots - 1;
    uint64_t at = canon_mix(move->key) & mask;

    while (model->moves[at].key != 0)
        at = (at + 1) & mask;
    model->moves[at] = *move;
}

static void add(struct model *model, const struct model_move *move)
{
    if (2 * (model->move_count + 1) > model->move_slots) {
        struct model_move *old = model->moves;
        uint64_t old_slots = model->move_slots;

        model->move_slots = old_slots == 0 ? 1024 : 2 * old_slots;
        model->moves = calloc(model->move_slots, sizeof(*model->moves));
        if (model->moves == NULL)
            abort();
        for (uint64_t at = 0; at < old_slots; at++)
            if (old[at].key != 0)
                place(model, &old[at]);
        free(old);
    }
    place(model, move);
    model->move_count++;
}

static uint64_t key_of(uint32_t node, uint32_t event)
{
    return ((uint64_t)node + 1) << 32 | event;
}

static uint64_t page_key(uint32_t book, uint32_t node, enum book_use use)
{
    return PAGE_KEY | (uint64_t)book << 34 | (uint64_t)node << 4 | use;
}

const struct model_move *model_find(const struct model *model, uint32_t node,
                                    uint32_t event)
{
    return find(model, key_of(node, event));
}

const struct model_move *model_find_page(const struct model *model, uint32_t book,
                                         uint32_t node, enum book_use use)
{
    return find(model, page_key(book, node, use));
}

static struct subject_event event_of(struct model *model, uint32_t event)
{
    struct subject_event taken = {0};

    if (event >= MODEL_MESSAGE) {
        taken.kind = SUBJECT_DELIVER;
        taken.parcel = model_message(model, event - MODEL_MESSAGE);
    } else if (event >= MODEL_ADD) {
        taken.kind = SUBJECT_ADD;
        taken.member = event - MODEL_ADD;
    } else if (event >= MODEL_REMOVE) {
        taken.kind = SUBJECT_REMOVE;
        taken.member = event - MODEL_REMOVE;
    } else {
        static const enum subject_event_kind kinds[] = {
            [MODEL_TIMEOUT] = SUBJECT_TIMEOUT,
            [MODEL_PROPOSE] = SUBJECT_PROPOSE,
            [MODEL_CRASH] = SUBJECT_CRASH,
            [MODEL_SYNC] = SUBJECT_SYNC,
        };
        taken.kind = kinds[event];
    }
    return taken;
}

static bool is_outcome(enum property property)
{
    switch (property) {
    case PROPERTY_VOTE_DURABLE:
    case PROPERTY_ACK_DURABLE:
    case PROPERTY_COMMIT_OWN_TERM:
    case PROPERTY_CHANGE_OWN_TERM:
    case PROPERTY_CORE_INVARIANT:
        return false;
    default:
        return true;
    }
}

static uint8_t flags_of(const struct book_node *before, const struct book_node *after)
{
    bool leads = after->role == RAFT_LEADER &&
                 (before->role != RAFT_LEADER || before->term != after->term);
    bool logs = before->last_index != after->last_index ||
                before->chains[before->last_index] != after->chains[after->last_index];

    return (leads || after->commit_index > before->commit_index ? MODEL_TELLS : 0) |
           (logs ? MODEL_LOGS : 0);
}

static void send(struct model *model, struct model_move *move)
{
    struct subject *subject = &model->subject;

    move->first = model->sent_count;
    move->count = (uint16_t)subject->sent_count;
    for (uint32_t i = 0; i < subject->sent_count; i++) {
        uint32_t message = number_message(model, &subject->sent[i]);

        model->sent = room(model->sent, model->sent_count, &model->sent_capacity,
                           sizeof(*model->sent));
        model->sent[model->sent_count++] = message;
    }
}

// Whether it leads or asks for votes in a term in which it had stopped to, or its disk
// forgets a term: then a stale reply may find somebody who waits for it after all.
static bool revives(const struct book_node *before, const struct book_node *after)
{
    if (after->disk_term < before->disk_term)
        return true;
    if (after->term != before->term || after->role == before->role)
        return false;
    return after->role == RAFT_CANDIDATE ||
           (after->role == RAFT_LEADER && before->role != RAFT_CANDIDATE);
}

void model_compute(struct model *model, uint32_t node, uint32_t event)
{
    struct model_move move = {.key = key_of(node, event)};
    struct subject_event taken;

    if (find(model, move.key) != NULL)
        return;
    interned_read(&model->nodes, node, &model->form);
    subject_walk(&model->form, &model->subject);
    taken = event_of(model, event);
    subject_take(&model->subject, &taken);
    move.node = number_node(model);
    move.flags = flags_of(&model->looks[node], &model->looks[move.node]);
    if (move.node != node)
        move.flags |= MODEL_CHANGES;
    if (revives(&model->looks[node], &model->looks[move.node]))
        model->stale_acts = true;
    move.broken = (uint8_t)model->subject.broken;
    if (model->outcomes_only && !is_outcome(model->subject.broken))
        move.broken = PROPERTY_COUNT;
    send(model, &move);
    add(model, &move);
}

void model_compute_page(struct model *model, uint32_t book, uint32_t node,
                        enum book_use use)
{
    struct model_move move = {.key = page_key(book, node, use)};
    struct book page = model->pages[book];

    if (find(model, move.key) != NULL)
        return;
    move.broken = (uint8_t)book_note(&page, &model->looks[node], use);
    move.node = model_book(model, &page);
    add(model, &move);
}

// ---- stale replies --------------------------------------------------------------

bool model_is_stale(const struct model *model, uint32_t node, uint32_t message)
{
    const struct book_node *to = &model->looks[node];
    const struct model_mark *mark = &model->marks[message];

    return mark->asker != RAFT_FOLLOWER && mark->term <= to->disk_term &&
           (mark->term != to->term || mark->asker != to->role);
}

// What the move of a delivery would be, without keeping it.
static bool does_nothing(struct model *model, uint32_t node, uint32_t message)
{
    struct subject_event event = {.kind = SUBJECT_DELIVER};

    interned_read(&model->nodes, node, &model->form);
    subject_walk(&model->form, &model->subject);
    event.parcel = model_message(model, message);
    subject_take(&model->subject, &event);
    canon_write(&model->form, NULL);
    subject_walk(&model->form, &model->subject);
    return model->subject.sent_count == 0 &&
           interned_find(&model->nodes, &model->form) == node;
}

void model_check_stale(struct model *model)
{
    for (uint32_t node = 0; node < model->nodes.count; node++) {
        bool old = node < model->nodes_checked;

        for (uint32_t message = old ? model->messages_checked : 0;
             message < model->messages.count && !model->stale_acts; message++)
            if (model->marks[message].to == model->looks[node].id &&
                model_is_stale(model, node, message) &&
                !does_nothing(model, node, message))
                model->stale_acts = true;
    }
    model->nodes_checked = model->nodes.count;
    model->messages_checked = model->messages.count;
}

uint64_t model_bytes(const struct model *model)
{
    return interned_bytes(&model->nodes) + interned_bytes(&model->messages) +
           interned_bytes(&model->books) +
           (uint64_t)model->look_capacity * sizeof(*model->looks) +
           (uint64_t)model->page_capacity * sizeof(*model->pages) +
           (uint64_t)model->mark_capacity * sizeof(*model->marks) +
           model->move_slots * sizeof(*model->moves) +
           (uint64_t)model->sent_capacity * sizeof(*model->sent);
}
