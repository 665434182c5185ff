#include "sim/language/language_links.h"

#include "sim/language/options.h"

#include <string.h>

static bool read_percent(struct language *language, const char *text, uint32_t *ppm)
{
    return options_percent(text, ppm) ||
           language_fail(language, "\"%s\" is no percentage from 0 to 100", text);
}

bool language_links_reorder(struct language *language)
{
    return read_percent(language, language_word(language, 1),
                        &language->world->links.reorder_ppm);
}

// A word of what the link adds.
static bool read_own(struct language *language, uint32_t at, struct links_own *own)
{
    const char *value;

    if ((value = language_value(language, at, "delay")) != NULL)
        return language_range(language, value, &own->delay_us_min, &own->delay_us_max);
    if ((value = language_value(language, at, "slow")) != NULL)
        return read_percent(language, value, &own->slow_ppm);
    if ((value = language_value(language, at, "loss")) != NULL)
        return read_percent(language, value, &own->loss_ppm);
    if ((value = language_value(language, at, "duplicate")) != NULL)
        return read_percent(language, value, &own->duplicate_ppm);
    if ((value = language_value(language, at, "mean")) != NULL)
        return (options_duration(value, &own->slow_us_mean) &&
                own->slow_us_mean <= UINT32_MAX) ||
               language_fail(language, "a mean delay is at most one hour");
    return language_fail(language, "unknown setting \"%s\" of a link",
                         language_word(language, at));
}

bool language_links_link(struct language *language)
{
    struct links *links = &language->world->links;
    bool oneway = language_is(language, 2, ">");
    struct links_own own = {0};
    struct node *from, *to;

    if (language->count == 2 && language_is(language, 1, "off")) {
        memset(links->odd, 0, sizeof(links->odd));
        return true;
    }
    if (!language_node(language, 1, &from) ||
        !language_node(language, oneway ? 3 : 2, &to))
        return false;
    for (uint32_t at = oneway ? 4 : 3; at < language->count; at++)
        if (!read_own(language, at, &own))
            return false;
    links_make_odd(links, from->id, to->id, &own);
    if (!oneway)
        links_make_odd(links, to->id, from->id, &own);
    return true;
}

// Orders to take over arrive so much later than other messages.
bool language_links_late(struct language *language)
{
    return language_duration(language, 1, &language->world->links.order_late_us);
}
