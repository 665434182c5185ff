// The heap against a sorted array that does the same.
#include "sim/heap.h"

#include "sim/random.h"
#include "tests/test.h"

enum { MODEL_MAX = 4000 };

struct model_event {
    uint64_t time_us;
    uint64_t name; // in order of insertion
    uint64_t handle;
};

struct model {
    struct model_event events[MODEL_MAX];
    uint32_t count;
    uint64_t name_next;
};

static void push(struct heap *heap, struct model *model, uint64_t time_us)
{
    struct heap_event event = {.time_us = time_us, .arguments = {model->name_next}};
    struct model_event added = {time_us, model->name_next++, heap_push(heap, &event)};
    CHECK(added.handle != 0);
    // Behind all that are not later: equal times in order of insertion.
    uint32_t at = model->count++;
    while (at > 0 && model->events[at - 1].time_us > time_us) {
        model->events[at] = model->events[at - 1];
        at--;
    }
    model->events[at] = added;
}

static void pop(struct heap *heap, struct model *model)
{
    struct heap_event event;
    CHECK_EQ(heap_pop(heap, &event), model->count > 0);
    if (model->count > 0) {
        CHECK_EQ(event.time_us, model->events[0].time_us);
        CHECK_EQ(event.arguments[0], model->events[0].name);
        CHECK(!heap_cancel(heap, model->events[0].handle));
        model->count--;
        memmove(model->events, model->events + 1,
                model->count * sizeof(model->events[0]));
    }
}

static void cancel(struct heap *heap, struct model *model, uint32_t at)
{
    CHECK(heap_cancel(heap, model->events[at].handle));
    CHECK(!heap_cancel(heap, model->events[at].handle));
    model->count--;
    memmove(model->events + at, model->events + at + 1,
            (model->count - at) * sizeof(model->events[0]));
}

static void disturb(struct heap *heap, struct model *model, struct random *random,
                    uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        uint64_t choice = random_below(random, 10);
        if (choice < 5 && model->count < MODEL_MAX) {
            push(heap, model, random_below(random, 300));
        } else if (choice < 8) {
            pop(heap, model);
        } else if (model->count > 0) {
            cancel(heap, model, (uint32_t)random_below(random, model->count));
        }
        CHECK_EQ(heap->count, model->count);
    }
}

TEST(events_come_out_as_from_a_sorted_array)
{
    static struct model model;
    struct heap heap = {0};
    struct random random;
    random_seed(&random, 1, 1);
    disturb(&heap, &model, &random, 20000);
    while (model.count > 0) {
        CHECK_EQ(heap_peek(&heap)->arguments[0], model.events[0].name);
        pop(&heap, &model);
    }
    CHECK(heap_peek(&heap) == NULL);
    heap_release(&heap);
}

TEST(events_of_one_time_come_out_in_order_of_insertion)
{
    struct heap heap = {0};
    struct heap_event event = {.time_us = 5};
    for (event.arguments[0] = 0; event.arguments[0] < 1000; event.arguments[0]++) {
        heap_push(&heap, &event);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK(heap_pop(&heap, &event));
        CHECK_EQ(event.arguments[0], i);
    }
    heap_release(&heap);
}

TEST(a_handle_does_not_outlive_its_event)
{
    struct heap heap = {0};
    struct heap_event event = {.time_us = 1};
    uint64_t old = heap_push(&heap, &event);
    CHECK(heap_cancel(&heap, old));
    uint64_t reused = heap_push(&heap, &event);
    CHECK(reused != old);
    CHECK(!heap_cancel(&heap, old));
    CHECK_EQ(heap.count, 1);
    CHECK(!heap_cancel(&heap, 0));
    CHECK(!heap_cancel(&heap, UINT64_MAX));
    heap_clear(&heap);
    CHECK(!heap_cancel(&heap, reused));
    heap_release(&heap);
}

TEST(a_copy_goes_on_alike_and_apart)
{
    static struct model model, copied;
    struct heap heap = {0}, copy = {0};
    struct random random;
    random_seed(&random, 2, 1);
    disturb(&heap, &model, &random, 5000);
    heap_copy(&copy, &heap);
    copied = model;
    disturb(&heap, &model, &random, 1000);
    disturb(&copy, &copied, &random, 1000);
    while (copied.count > 0) {
        pop(&copy, &copied);
    }
    while (model.count > 0) {
        pop(&heap, &model);
    }
    heap_release(&heap);
    heap_release(&copy);
}

static void add_name(void *argument, const struct heap_event *event)
{
    *(uint64_t *)argument += event->arguments[0];
}

TEST(each_visits_what_is_left)
{
    struct heap heap = {0};
    uint64_t handle = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        struct heap_event event = {.time_us = i, .arguments = {i}};
        uint64_t given = heap_push(&heap, &event);
        handle = i == 4 ? given : handle;
    }
    heap_cancel(&heap, handle);
    heap_pop(&heap, NULL);
    uint64_t sum = 0;
    heap_each(&heap, add_name, &sum);
    CHECK_EQ(sum, 55 - 4 - 1);
    heap_release(&heap);
}

TEST_MAIN
