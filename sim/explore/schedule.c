#include "sim/explore/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/trace.h"
#include "sim/manual.h"

enum { WORDS_MAX = 8, WORD_BYTES = 24 };

// ---- life cycle -----------------------------------------------------------------

static void write_cluster(struct schedule *schedule)
{
    const struct subject_config *config = &schedule->model->config;
    struct buffer *text = &schedule->text;

    buffer_format(text,
                  "cluster %u manual pre_vote=%s check_quorum=off "
                  "election_timeout=1000s heartbeat=1ms message_entries=%u",
                  (unsigned)config->member_count, config->pre_vote ? "on" : "off",
                  (unsigned)config->batch);
    if (config->node_count > config->member_count)
        buffer_format(text, " spare=%u",
                      (unsigned)(config->node_count - config->member_count));
    buffer_append_text(text, "\n");
    for (raft_id id = 1; config->sync_by_hand && id <= config->node_count; id++)
        buffer_format(text, "disk %u sync=manual\n", (unsigned)id);
}

void schedule_init(struct schedule *schedule, struct model *model)
{
    memset(schedule, 0, sizeof(*schedule));
    schedule->model = model;
    for (raft_id id = 1; id <= model->config.node_count; id++)
        schedule->nodes[id - 1] = model_start(model, id);
    schedule->book = model_first_book(model);
    write_cluster(schedule);
}

void schedule_release(struct schedule *schedule)
{
    free(schedule->flight);
    buffer_free(&schedule->text);
}

static void push(struct schedule *schedule, uint32_t message)
{
    if (schedule->count == schedule->capacity) {
        schedule->capacity = schedule->capacity == 0 ? 64 : 2 * schedule->capacity;
        schedule->flight =
            realloc(schedule->flight, schedule->capacity * sizeof(*schedule->flight));
        if (schedule->flight == NULL)
            abort();
    }
    schedule->flight[schedule->count++] = message;
}

void schedule_copy(struct schedule *schedule, const struct schedule *from)
{
    *schedule = *from;
    schedule->flight = NULL;
    schedule->count = 0;
    schedule->capacity = 0;
    schedule->text = (struct buffer){0};
    for (uint32_t i = 0; i < from->count; i++)
        push(schedule, from->flight[i]);
    buffer_append(&schedule->text, from->text.data, from->text.size);
}

void schedule_state(const struct schedule *schedule, struct global *global)
{
    struct book page = schedule->model->pages[schedule->book];

    memset(global, 0, sizeof(*global));
    memcpy(global->nodes, schedule->nodes, sizeof(global->nodes));
    memset(page.used, 0, sizeof(page.used));
    global->book = model_book(schedule->model, &page);
    for (uint32_t i = 0; i < schedule->count; i++) {
        assert(global->count < GLOBAL_MESSAGES_MAX);
        global->messages[global->count++] = schedule->flight[i];
    }
}

// ---- what happens ---------------------------------------------------------------

static bool is_down(const struct schedule *schedule, raft_id id)
{
    return schedule->model->pages[schedule->book].down >> id & 1;
}

// One event of one node, and what it sends.
static void move(struct schedule *schedule, raft_id id, uint32_t event)
{
    struct model *model = schedule->model;
    const struct model_move *move;

    model_compute(model, schedule->nodes[id - 1], event);
    move = model_find(model, schedule->nodes[id - 1], event);
    for (uint32_t i = 0; i < move->count; i++)
        push(schedule, model->sent[move->first + i]);
    schedule->nodes[id - 1] = move->node;
}

static void turn_page(struct schedule *schedule, raft_id id, enum book_use use)
{
    struct model *model = schedule->model;

    model_compute_page(model, schedule->book, schedule->nodes[id - 1], use);
    schedule->book =
        model_find_page(model, schedule->book, schedule->nodes[id - 1], use)->node;
}

static void act(struct schedule *schedule, raft_id id, uint32_t event)
{
    move(schedule, id, event);
    turn_page(schedule, id, BOOK_NOTHING);
    schedule->length++;
}

static void take_away(struct schedule *schedule, uint32_t place)
{
    schedule->count--;
    memmove(&schedule->flight[place], &schedule->flight[place + 1],
            (schedule->count - place) * sizeof(*schedule->flight));
}

// ---- writing --------------------------------------------------------------------

// What the node has become.
static void remark(struct schedule *schedule, raft_id id)
{
    const struct book_node *node = &schedule->model->looks[schedule->nodes[id - 1]];

    buffer_format(&schedule->text, "n%u is %s t%" PRIu64 " log %u commit %u\n",
                  (unsigned)id, raft_role_text(node->role), node->term,
                  (unsigned)node->last_index, (unsigned)node->commit_index);
}

static void write_node(struct schedule *schedule, raft_id id, uint32_t event)
{
    static const char *const words[] = {[MODEL_TIMEOUT] = "timeout %u",
                                        [MODEL_PROPOSE] = "propose at %u set x 1",
                                        [MODEL_SYNC] = "sync %u"};
    struct buffer *text = &schedule->text;

    if (event >= MODEL_ADD)
        buffer_format(text, "add %u at %u", (unsigned)(event - MODEL_ADD),
                      (unsigned)id);
    else if (event >= MODEL_REMOVE)
        buffer_format(text, "remove %u at %u", (unsigned)(event - MODEL_REMOVE),
                      (unsigned)id);
    else if (event == MODEL_CRASH)
        buffer_format(text, "crash %u\nrestart %u", (unsigned)id, (unsigned)id);
    else
        buffer_format(text, words[event], (unsigned)id);
    act(schedule, id, event);
    schedule->length += event == MODEL_CRASH;
    buffer_append_text(text, "  # ");
    remark(schedule, id);
}

// Which message on its link: the first, the first of its kind, or by its number.
static void write_place(struct schedule *schedule, uint32_t place)
{
    struct raft_message message =
        model_message(schedule->model, schedule->flight[place])->message;
    const char *kind = manual_kind(&message);
    uint32_t before = 0;
    uint32_t kin = 0;

    for (uint32_t i = 0; i < place; i++) {
        const struct raft_message *other =
            &model_message(schedule->model, schedule->flight[i])->message;

        if (other->from != message.from || other->to != message.to)
            continue;
        before++;
        kin += strcmp(manual_kind(other), kind) == 0;
    }
    buffer_format(&schedule->text, " %u %u", (unsigned)message.from,
                  (unsigned)message.to);
    if (before > 0 && kin == 0)
        buffer_format(&schedule->text, " %s", kind);
    else if (before > 0)
        buffer_format(&schedule->text, " %u", (unsigned)(before + 1));
}

static uint32_t place_of(const struct schedule *schedule, uint32_t message)
{
    for (uint32_t place = 0; place < schedule->count; place++)
        if (schedule->flight[place] == message)
            return place;
    assert(!"it was sent, and nobody has taken it");
    return 0;
}

static void write_message(struct schedule *schedule, uint32_t message, const char *verb,
                          bool stays)
{
    uint32_t place = place_of(schedule, message);
    raft_id to = schedule->model->marks[message].to;
    char text[200];

    buffer_append_text(&schedule->text, verb);
    write_place(schedule, place);
    raft_trace_message(text, sizeof(text),
                       &model_message(schedule->model, message)->message);
    buffer_format(&schedule->text, "  # %s", text);
    if (!stays)
        take_away(schedule, place);
    if (strcmp(verb, "drop") == 0) {
        buffer_append_text(&schedule->text, "\n");
        schedule->length++;
        return;
    }
    act(schedule, to, MODEL_MESSAGE + message);
    buffer_append_text(&schedule->text, "; ");
    remark(schedule, to);
}

// ---- a path ---------------------------------------------------------------------

struct wanted {
    uint16_t action;
    bool found;
    struct global next;
};

static bool is_wanted(void *context, const struct moves_next *next)
{
    struct wanted *wanted = context;

    if (next->action != wanted->action)
        return true;
    wanted->found = true;
    wanted->next = *next->global;
    return false;
}

static void write_action(struct schedule *schedule, const struct global *global,
                         uint16_t action, bool any_duplicates)
{
    uint32_t value = action & 0xfff;
    raft_id id = value & 0xf;

    switch ((enum moves_kind)(action >> 12)) {
    case MOVES_DELIVER:
        write_message(schedule, global->messages[value],
                      any_duplicates ? "again" : "deliver", any_duplicates);
        break;
    case MOVES_AGAIN:
        write_message(schedule, global->messages[value], "again", true);
        break;
    case MOVES_DROP:
        write_message(schedule, global->messages[value], "drop", false);
        break;
    case MOVES_NODE:
        write_node(schedule, id, value >> 4);
        break;
    case MOVES_REMOVE:
        write_node(schedule, id, MODEL_REMOVE + (value >> 4));
        break;
    case MOVES_ADD:
        write_node(schedule, id, MODEL_ADD + (value >> 4));
        break;
    case MOVES_RESTART:
        break; // written with the crash
    }
}

void schedule_follow(struct schedule *schedule, const struct moves_bounds *bounds,
                     struct global *global, const uint16_t *actions, uint32_t count)
{
    bool any_duplicates = bounds->used[BOOK_DUPLICATE] == MOVES_ANY;
    static struct moves moves;
    struct wanted wanted;

    memset(&moves, 0, sizeof(moves));
    moves.model = schedule->model;
    moves.bounds = bounds;
    moves.may_compute = true;
    moves.nameless = true;
    moves.found = is_wanted;
    moves.context = &wanted;
    for (uint32_t i = 0; i < count; i++) {
        wanted.action = actions[i];
        wanted.found = false;
        moves_list(&moves, global);
        assert(wanted.found);
        write_action(schedule, global, actions[i], any_duplicates);
        *global = wanted.next;
    }
}

// ---- reading --------------------------------------------------------------------

struct words {
    uint32_t count;
    char at[WORDS_MAX][WORD_BYTES];
};

static void split(struct words *words, const char *line)
{
    memset(words, 0, sizeof(*words));
    while (*line != '\0' && *line != '#' && *line != '\n') {
        size_t size = strcspn(line, " \t\r\n#");

        if (size > 0 && words->count < WORDS_MAX)
            snprintf(words->at[words->count++], WORD_BYTES, "%.*s", (int)size, line);
        line += size;
        line += strspn(line, " \t\r");
    }
}

static bool read_node(const struct schedule *schedule, const char *word, raft_id *id)
{
    *id = (raft_id)strtoul(word, NULL, 10);
    return *id >= 1 && *id <= schedule->model->config.node_count;
}

// "A B [K|KIND]"
static bool find_message(const struct schedule *schedule, const struct words *words,
                         uint32_t *place)
{
    const char *which = words->at[3];
    const char *kind = manual_is_kind(which) ? which : NULL;
    unsigned long position =
        kind == NULL && *which != '\0' ? strtoul(which, NULL, 10) : 1;
    raft_id from, to;

    if (!read_node(schedule, words->at[1], &from) ||
        !read_node(schedule, words->at[2], &to))
        return false;
    for (*place = 0; *place < schedule->count; (*place)++) {
        const struct raft_message *message =
            &model_message(schedule->model, schedule->flight[*place])->message;

        if (message->from == from && message->to == to &&
            (kind == NULL || strcmp(kind, manual_kind(message)) == 0) &&
            --position == 0)
            return true;
    }
    return false;
}

static bool read_message(struct schedule *schedule, const struct words *words)
{
    uint32_t place, message;
    raft_id to;

    if (!find_message(schedule, words, &place))
        return false;
    message = schedule->flight[place];
    to = schedule->model->marks[message].to;
    if (is_down(schedule, to))
        return false;
    if (strcmp(words->at[0], "again") != 0)
        take_away(schedule, place);
    if (strcmp(words->at[0], "drop") != 0)
        act(schedule, to, MODEL_MESSAGE + message);
    return true;
}

// "remove 2 at 1"
static bool read_change(struct schedule *schedule, const struct words *words,
                        uint32_t event)
{
    raft_id member, at;

    if (strcmp(words->at[2], "at") != 0 ||
        !read_node(schedule, words->at[1], &member) ||
        !read_node(schedule, words->at[3], &at) || is_down(schedule, at))
        return false;
    act(schedule, at, event + member);
    return true;
}

static bool read_event(struct schedule *schedule, const char *node, uint32_t event)
{
    raft_id id;

    if (!read_node(schedule, node, &id))
        return false;
    if (event == MODEL_CRASH) {
        if (is_down(schedule, id))
            return false;
        move(schedule, id, MODEL_CRASH);
        turn_page(schedule, id, BOOK_GOES_DOWN);
        return true;
    }
    if (is_down(schedule, id))
        return false;
    act(schedule, id, event);
    return true;
}

static bool read_restart(struct schedule *schedule, const char *node)
{
    raft_id id;

    if (!read_node(schedule, node, &id) || !is_down(schedule, id))
        return false;
    turn_page(schedule, id, BOOK_RESTART);
    return true;
}

static bool read_command(struct schedule *schedule, const struct words *words)
{
    const char *verb = words->at[0];

    if (strcmp(verb, "deliver") == 0 || strcmp(verb, "again") == 0 ||
        strcmp(verb, "drop") == 0)
        return read_message(schedule, words);
    if (strcmp(verb, "timeout") == 0)
        return read_event(schedule, words->at[1], MODEL_TIMEOUT);
    if (strcmp(verb, "crash") == 0)
        return read_event(schedule, words->at[1], MODEL_CRASH);
    if (strcmp(verb, "restart") == 0)
        return read_restart(schedule, words->at[1]);
    if (strcmp(verb, "sync") == 0)
        return read_event(schedule, words->at[1], MODEL_SYNC);
    if (strcmp(verb, "propose") == 0 && strcmp(words->at[1], "at") == 0)
        return read_event(schedule, words->at[2], MODEL_PROPOSE);
    if (strcmp(verb, "remove") == 0)
        return read_change(schedule, words, MODEL_REMOVE);
    if (strcmp(verb, "add") == 0)
        return read_change(schedule, words, MODEL_ADD);
    return false;
}

bool schedule_read(struct schedule *schedule, const char *line, char *error,
                   size_t size)
{
    static const char *const passed_over[] = {"cluster", "disk", "expect", "refused"};
    struct words words;

    split(&words, line);
    if (words.count == 0)
        return true;
    for (size_t i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++)
        if (strcmp(words.at[0], passed_over[i]) == 0)
            return true;
    if (!read_command(schedule, &words)) {
        snprintf(error, size,
                 "this does nothing here, or cannot be explored from: %.100s", line);
        return false;
    }
    buffer_append(&schedule->text, line, strcspn(line, "\n"));
    buffer_append_text(&schedule->text, "\n");
    return true;
}
