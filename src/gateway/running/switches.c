#include "gateway/running/switches.h"

#include <stdlib.h>

#include "config/lever_setting.h"

struct lever_switch {
    char *route; /* malloced; NULL: all */
    enum lever_id lever;
    bool by_file; /* as the file says, whatever holds for all routes */
    struct lever_setting setting;
};

/* Invariant: at most one entry for a route and lever. */
struct switches {
    atomic_uint holders;
    size_t count;
    struct lever_switch all[];
};

static struct switches *
hold_switches(struct switches *switches)
{
    if (switches != NULL)
        atomic_fetch_add_explicit(&switches->holders, 1, memory_order_relaxed);
    return switches;
}

void
switches_release(struct switches *switches)
{
    if (switches == NULL || atomic_fetch_sub_explicit(&switches->holders, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < switches->count; i++)
        free(switches->all[i].route);
    free(switches);
}

static bool
is_for(const struct lever_switch *entry, const char *route, enum lever_id lever)
{
    if (entry->lever != lever)
        return false;
    return route == NULL || (entry->route != NULL && strcmp(entry->route, route) == 0);
}

static void
add(struct switches *switches, const struct lever_switch *entry)
{
    struct lever_switch *added = &switches->all[switches->count++];

    *added = *entry;
    added->route = entry->route != NULL ? must_strdup(entry->route) : NULL;
}

struct switches *
switches_with(const struct switches *switches, const char *route, enum lever_id lever,
              const struct lever_setting *setting)
{
    size_t count = switches != NULL ? switches->count : 0;
    struct switches *with = must_calloc(1, sizeof(*with) + (count + 1) * sizeof(with->all[0]));

    atomic_init(&with->holders, 1);
    for (size_t i = 0; i < count; i++)
        if (!is_for(&switches->all[i], route, lever))
            add(with, &switches->all[i]);
    /* Given back to the file, a route needs an entry only where all routes have one. */
    if (setting != NULL || switches_look(with, slice_of(route), lever) != NULL)
        add(with, &(struct lever_switch){.route = (char *)(uintptr_t)route,
                                         .lever = lever,
                                         .by_file = setting == NULL,
                                         .setting = setting != NULL ? *setting : (struct lever_setting){0}});
    return with;
}

const struct lever_setting *
switches_look(const struct switches *switches, struct slice route, enum lever_id lever)
{
    const struct lever_setting *of_all = NULL;

    for (size_t i = 0; switches != NULL && i < switches->count; i++) {
        const struct lever_switch *entry = &switches->all[i];

        if (entry->lever != lever)
            continue;
        if (entry->route == NULL)
            of_all = &entry->setting;
        else if (slice_is(route, entry->route))
            return entry->by_file ? NULL : &entry->setting;
    }
    return of_all;
}

static const struct lever_switch *
same_place(const struct switches *switches, const struct lever_switch *entry)
{
    for (size_t i = 0; switches != NULL && i < switches->count; i++) {
        const struct lever_switch *other = &switches->all[i];

        if (other->lever == entry->lever && (other->route == NULL) == (entry->route == NULL) &&
            (entry->route == NULL || strcmp(other->route, entry->route) == 0))
            return other;
    }
    return NULL;
}

/* NULL: there is none. */
static const char *
entry_text(const struct lever_switch *entry, char *out)
{
    if (entry == NULL)
        return NULL;
    if (entry->by_file)
        return "file";
    lever_setting_format(entry->setting, out);
    return out;
}

static void
tell_pair(const struct lever_switch *before, const struct lever_switch *after, switches_tell *tell, void *context)
{
    const struct lever_switch *any = before != NULL ? before : after;
    char text_before[LEVER_TEXT_SIZE], text_after[LEVER_TEXT_SIZE];
    const char *was = entry_text(before, text_before), *is = entry_text(after, text_after);

    if (was == NULL || is == NULL || strcmp(was, is) != 0)
        tell(context, any->route, any->lever, was, is);
}

void
switches_differ(const struct switches *before, const struct switches *after, switches_tell *tell, void *context)
{
    for (size_t i = 0; before != NULL && i < before->count; i++)
        tell_pair(&before->all[i], same_place(after, &before->all[i]), tell, context);
    for (size_t i = 0; after != NULL && i < after->count; i++)
        if (same_place(before, &after->all[i]) == NULL)
            tell_pair(NULL, &after->all[i], tell, context);
}

static void
take_over(struct round *round, struct gateway_worker *worker)
{
    const struct switching *switching = CONTAINER_OF(round, struct switching, round);

    switches_release(worker->switches);
    worker->switches = hold_switches(switching->switches);
    view_take_switches(worker->view, worker->switches);
}

static void
all_have_it(struct round *round)
{
    struct switching *switching = CONTAINER_OF(round, struct switching, round);

    switches_release(switching->switches);
    switching->switches = NULL;
    switching->done(switching);
}

void
switching_start(struct switching *switching, struct gateway *gateway, struct world *home, struct switches *switches)
{
    switches_release(gateway->switches);
    gateway->switches = hold_switches(switches);
    switching->switches = hold_switches(switches);
    switching->round.at_worker = take_over;
    switching->round.home_again = all_have_it;
    round_start(&switching->round, gateway, home);
}
