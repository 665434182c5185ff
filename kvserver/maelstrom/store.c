// store.c: see store.h.
#include "kvserver/maelstrom/store.h"

#include "rpc/json.h"

#include <stdlib.h>
#include <string.h>

static const char *const write_fields[] = {"type", "key", "value", NULL};
static const char *const cas_fields[] = {"type", "key", "from", "to", NULL};

char *store_command(const cJSON *body)
{
    const char *type = "";
    cJSON *command = cJSON_CreateObject();
    char *text = NULL;

    (void)json_read_string(json_get(body, "type"), &type);
    const char *const *field = strcmp(type, "cas") == 0 ? cas_fields : write_fields;
    for (; *field != NULL; field++) {
        const cJSON *item = json_get(body, *field);

        if (item == NULL)
            break;
        cJSON_AddItemToObject(command, *field, cJSON_Duplicate(item, true));
    }
    if (*field == NULL) {
        const cJSON *create = json_get(body, "create_if_not_exists");

        if (create != NULL)
            cJSON_AddItemToObject(command, "create_if_not_exists",
                                  cJSON_Duplicate(create, true));
        text = cJSON_PrintUnformatted(command);
    }
    cJSON_Delete(command);
    return text;
}

static char *text_of(const cJSON *item)
{
    char *text = cJSON_PrintUnformatted(item);

    if (text == NULL)
        abort();
    return text;
}

static bool find(struct engine *engine, const char *key, struct bytes *value)
{
    return engine->ops->get(engine, (struct bytes){key, strlen(key)}, value);
}

static void put(struct engine *engine, const char *key, const cJSON *item)
{
    char *value = text_of(item);

    if (engine->ops->put(engine, (struct bytes){key, strlen(key)},
                         (struct bytes){value, strlen(value)}) != 0)
        abort();
    free(value);
}

static enum store_result compare_and_set(struct engine *engine, const char *key,
                                         const cJSON *command)
{
    char *from = text_of(json_get(command, "from"));
    struct bytes value;
    enum store_result result = STORE_DONE;

    if (!find(engine, key, &value)) {
        if (!cJSON_IsTrue(json_get(command, "create_if_not_exists")))
            result = STORE_NO_KEY;
    } else if (value.size != strlen(from) ||
               memcmp(value.data, from, value.size) != 0) {
        result = STORE_OTHER_VALUE;
    }
    if (result == STORE_DONE)
        put(engine, key, json_get(command, "to"));
    free(from);
    return result;
}

enum store_result store_apply(struct engine *engine, const void *command, size_t size)
{
    cJSON *tree = cJSON_ParseWithLength(command, size);
    const char *type = "";
    enum store_result result = STORE_DONE;

    if (!json_read_string(json_get(tree, "type"), &type)) {
        cJSON_Delete(tree);
        return STORE_MALFORMED;
    }
    char *key = text_of(json_get(tree, "key"));
    if (strcmp(type, "cas") == 0)
        result = compare_and_set(engine, key, tree);
    else
        put(engine, key, json_get(tree, "value"));
    free(key);
    cJSON_Delete(tree);
    return result;
}

cJSON *store_value(struct engine *engine, const cJSON *key)
{
    char *text = text_of(key);
    struct bytes value;
    bool found = find(engine, text, &value);

    free(text);
    return found ? cJSON_ParseWithLength(value.data, value.size) : NULL;
}
