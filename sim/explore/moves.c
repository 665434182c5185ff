#include "sim/explore/moves.h"

#include <string.h>

// What is asked of one node.
struct attempt {
    uint32_t place; // of the node
    uint32_t event; // model.h
    enum book_use use;
    uint16_t action;
    uint32_t message; // its place; NO_MESSAGE: none is taken away
};

#define NO_MESSAGE UINT32_MAX

// ---- what is known --------------------------------------------------------------

static const struct model_move *move_of(struct moves *moves, uint32_t node,
                                        uint32_t event)
{
    const struct model_move *move = model_find(moves->model, node, event);

    if (move != NULL)
        return move;
    if (!moves->may_compute) {
        moves->missing = true;
        moves->missed(moves->context, node, event, false, 0);
        return NULL;
    }
    model_compute(moves->model, node, event);
    return model_find(moves->model, node, event);
}

static const struct model_move *page_of(struct moves *moves, uint32_t book,
                                        uint32_t node, enum book_use use)
{
    const struct model_move *move = model_find_page(moves->model, book, node, use);

    if (move != NULL)
        return move;
    if (!moves->may_compute) {
        moves->missing = true;
        moves->missed(moves->context, book, node, true, use);
        return NULL;
    }
    model_compute_page(moves->model, book, node, use);
    return model_find_page(moves->model, book, node, use);
}

static bool is_any(const struct moves *moves, enum book_use use)
{
    return moves->bounds->used[use] == MOVES_ANY;
}

// What is not bounded is not counted, or it would tell states apart.
static enum book_use counted(const struct moves *moves, enum book_use use)
{
    return is_any(moves, use) ? BOOK_NOTHING : use;
}

static bool is_within(const struct moves *moves, enum book_use use)
{
    const struct book *book = &moves->model->pages[moves->from->book];

    return use == BOOK_NOTHING || use == BOOK_RESTART ||
           (use == BOOK_GOES_DOWN
                ? book->used[BOOK_CRASH] < moves->bounds->used[BOOK_CRASH]
                : book->used[use] < moves->bounds->used[use]);
}

static bool is_down(const struct moves *moves, uint32_t place)
{
    return moves->model->pages[moves->from->book].down >> (place + 1) & 1;
}

// ---- what follows ---------------------------------------------------------------

// The sums of the next state's hashes follow each change of it.
static void add(struct moves *moves, const struct interned *interned, uint32_t number)
{
    const uint64_t *hashes = interned_hashes(interned, number);

    if (moves->nameless)
        return;
    for (uint32_t i = 0; i < interned->hash_count; i++)
        moves->next_sums[i] += hashes[i];
}

static void subtract(struct moves *moves, const struct interned *interned,
                     uint32_t number)
{
    const uint64_t *hashes = interned_hashes(interned, number);

    if (moves->nameless)
        return;
    for (uint32_t i = 0; i < interned->hash_count; i++)
        moves->next_sums[i] -= hashes[i];
}

static void begin_next(struct moves *moves)
{
    const struct global *from = moves->from;

    memcpy(&moves->next, from, offsetof(struct global, messages));
    memcpy(moves->next.messages, from->messages, from->count * sizeof(*from->messages));
    if (!moves->nameless)
        memcpy(moves->next_sums, moves->sums,
               moves->model->permutations.count * sizeof(*moves->sums));
}

static void become(struct moves *moves, uint32_t place, uint32_t node)
{
    struct interned *nodes = &moves->model->nodes;

    subtract(moves, nodes, moves->next.nodes[place]);
    add(moves, nodes, node);
    moves->next.nodes[place] = node;
}

static void write_page(struct moves *moves, uint32_t book)
{
    subtract(moves, &moves->model->books, moves->next.book);
    add(moves, &moves->model->books, book);
    moves->next.book = book;
}

static void take_away(struct moves *moves, uint32_t place)
{
    subtract(moves, &moves->model->messages, moves->next.messages[place]);
    global_take_away(&moves->next, place);
}

static bool is_in_flight(const struct global *global, uint32_t message)
{
    for (uint32_t i = 0; i < global->count; i++)
        if (global->messages[i] == message)
            return true;
    return false;
}

// A reply to a question that its receiver has long given up.
static bool is_stale(const struct moves *moves, uint32_t message)
{
    const struct model *model = moves->model;
    uint32_t to = model->marks[message].to;

    return moves->bounds->drop_stale &&
           model_is_stale(model, moves->next.nodes[to - 1], message);
}

static void drop_stale(struct moves *moves, raft_id to)
{
    const struct global *next = &moves->next;

    for (uint32_t i = next->count; i-- > 0;)
        if (moves->model->marks[next->messages[i]].to == to &&
            is_stale(moves, next->messages[i]))
            take_away(moves, i);
}

// True where something more is in flight now.
static bool send(struct moves *moves, const struct model_move *move)
{
    struct global *next = &moves->next;
    uint32_t before = next->count;

    assert(next->count + move->count <= GLOBAL_MESSAGES_MAX);
    for (uint32_t i = 0; i < move->count; i++) {
        uint32_t message = moves->model->sent[move->first + i];

        if (is_stale(moves, message) ||
            (is_any(moves, BOOK_DUPLICATE) && is_in_flight(next, message)))
            continue;
        add(moves, &moves->model->messages, message);
        next->messages[next->count++] = message;
    }
    return next->count > before;
}

static void tell(struct moves *moves, const struct attempt *attempt,
                 struct judge_finding finding)
{
    struct moves_next next = {.action = attempt->action, .finding = finding};

    next.global = &moves->next;
    if (!moves->nameless)
        next.name = global_name(moves->next_sums, moves->model->permutations.count);
    if (!moves->found(moves->context, &next))
        moves->ended = true;
}

// What the book says of it. NULL where nobody has computed that.
static const struct model_move *turn_page(struct moves *moves,
                                          const struct attempt *attempt,
                                          const struct model_move **move)
{
    uint32_t node = (*move)->node;
    const struct model_move *page =
        page_of(moves, moves->next.book, node, attempt->use);

    // The table may have moved.
    *move =
        model_find(moves->model, moves->from->nodes[attempt->place], attempt->event);
    if (page != NULL)
        write_page(moves, page->node);
    return page;
}

// The state behind it, and what is broken there.
static void follow(struct moves *moves, const struct attempt *attempt,
                   const struct model_move *move)
{
    struct judge_finding finding = {.broken = PROPERTY_COUNT};
    raft_id id = attempt->place + 1;
    bool more;

    begin_next(moves);
    become(moves, attempt->place, move->node);
    if (attempt->use != BOOK_NOTHING || (move->flags & MODEL_TELLS) != 0) {
        const struct model_move *page = turn_page(moves, attempt, &move);

        if (page == NULL)
            return;
        if (page->broken != PROPERTY_COUNT)
            finding = (struct judge_finding){(enum property)page->broken, id, 0};
    }
    if (attempt->message != NO_MESSAGE && !is_any(moves, BOOK_DUPLICATE))
        take_away(moves, attempt->message);
    drop_stale(moves, id);
    more = send(moves, move);
    if (moves->bounds->reduction && (move->flags & MODEL_CHANGES) == 0 && !more &&
        move->broken == PROPERTY_COUNT)
        return;
    if (move->broken != PROPERTY_COUNT)
        finding = (struct judge_finding){(enum property)move->broken, id, 0};
    else if (finding.broken == PROPERTY_COUNT &&
             (move->flags & (MODEL_LOGS | MODEL_TELLS)) != 0)
        finding = judge_look(moves->model, &moves->next, id, move,
                             moves->from->nodes[attempt->place], moves->from->book);
    tell(moves, attempt, finding);
}

static void attempt(struct moves *moves, const struct attempt *attempt)
{
    const struct model_move *move;

    if (moves->ended || !is_within(moves, attempt->use))
        return;
    move = move_of(moves, moves->from->nodes[attempt->place], attempt->event);
    if (move == NULL || moves->missing)
        return;
    if (moves->model->looks[move->node].term > moves->bounds->terms)
        return;
    if (moves->bounds->reduction && (move->flags & MODEL_CHANGES) == 0 &&
        move->count == 0 && move->broken == PROPERTY_COUNT)
        return;
    follow(moves, attempt, move);
}

// ---- what can be asked ----------------------------------------------------------

static void ask_node(struct moves *moves, uint32_t place, uint32_t event,
                     enum book_use use)
{
    struct attempt asked = {place, event, use,
                            moves_action(MOVES_NODE, event << 4 | (place + 1)),
                            NO_MESSAGE};

    attempt(moves, &asked);
}

static void change_members(struct moves *moves, uint32_t place)
{
    const struct book_node *node = &moves->model->looks[moves->from->nodes[place]];
    uint32_t members = node->electorate.voters | node->electorate.learners;

    if (!is_within(moves, BOOK_CHANGE))
        return;
    for (raft_id id = 1; id <= moves->model->config.node_count; id++) {
        bool member = members >> id & 1;
        uint32_t event = (member ? MODEL_REMOVE : MODEL_ADD) + id;
        enum moves_kind kind = member ? MOVES_REMOVE : MOVES_ADD;
        struct attempt asked = {place, event, BOOK_CHANGE,
                                moves_action(kind, id << 4 | (place + 1)), NO_MESSAGE};

        attempt(moves, &asked);
    }
}

// A crash from which the node comes back at once; or, where that is a step of its own,
// in the state in which it will.
static void crash(struct moves *moves, uint32_t place)
{
    ask_node(moves, place, MODEL_CRASH,
             moves->bounds->reduction ? BOOK_CRASH : BOOK_GOES_DOWN);
}

static void restart(struct moves *moves, uint32_t place)
{
    struct judge_finding finding = {.broken = PROPERTY_COUNT};
    struct attempt asked = {.place = place,
                            .action = moves_action(MOVES_RESTART, place + 1),
                            .message = NO_MESSAGE};
    const struct model_move *page =
        page_of(moves, moves->from->book, moves->from->nodes[place], BOOK_RESTART);

    if (page == NULL || moves->missing || moves->ended)
        return;
    begin_next(moves);
    write_page(moves, page->node);
    tell(moves, &asked, finding);
}

static void list_node(struct moves *moves, uint32_t place)
{
    const struct book_node *node = &moves->model->looks[moves->from->nodes[place]];
    bool leads = node->role == RAFT_LEADER;

    if (is_down(moves, place)) {
        restart(moves, place);
        return;
    }
    ask_node(moves, place, MODEL_TIMEOUT,
             counted(moves, leads ? BOOK_HEARTBEAT : BOOK_TIMEOUT));
    if (leads) {
        ask_node(moves, place, MODEL_PROPOSE, BOOK_ENTRY);
        change_members(moves, place);
    }
    node = &moves->model->looks[moves->from->nodes[place]]; // it may have moved
    if (node->syncs)
        ask_node(moves, place, MODEL_SYNC, BOOK_NOTHING);
    crash(moves, place);
}

static void drop(struct moves *moves, uint32_t place, raft_id to)
{
    struct judge_finding finding = {.broken = PROPERTY_COUNT};
    struct attempt asked = {
        .place = to - 1, .action = moves_action(MOVES_DROP, place), .message = place};
    const struct model_move *page;

    if (moves->bounds->reduction || !is_within(moves, BOOK_LOSS))
        return;
    page = page_of(moves, moves->from->book, moves->from->nodes[to - 1], BOOK_LOSS);
    if (page == NULL || moves->missing || moves->ended)
        return;
    begin_next(moves);
    write_page(moves, page->node);
    take_away(moves, place);
    tell(moves, &asked, finding);
}

static void list_message(struct moves *moves, uint32_t place)
{
    uint32_t message = moves->from->messages[place];
    raft_id to = moves->model->marks[message].to;
    struct attempt asked = {to - 1, MODEL_MESSAGE + message, BOOK_NOTHING,
                            moves_action(MOVES_DELIVER, place), place};

    for (uint32_t i = 0; i < place; i++)
        if (moves->from->messages[i] == message)
            return; // it stands for this one, too
    if (!is_down(moves, to - 1)) {
        attempt(moves, &asked);
        if (is_any(moves, BOOK_DUPLICATE))
            return; // it has stayed in flight
        asked.use = BOOK_DUPLICATE;
        asked.action = moves_action(MOVES_AGAIN, place);
        asked.message = NO_MESSAGE;
        attempt(moves, &asked);
    }
    drop(moves, place, to);
}

bool moves_list(struct moves *moves, const struct global *from)
{
    moves->from = from;
    moves->missing = false;
    moves->ended = false;
    if (!moves->nameless)
        global_sum(from, moves->model, moves->sums);
    for (uint32_t i = 0; i < moves->model->config.node_count; i++)
        list_node(moves, i);
    for (uint32_t i = 0; i < from->count; i++)
        list_message(moves, i);
    return !moves->missing;
}
