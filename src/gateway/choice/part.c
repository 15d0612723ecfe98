#include "gateway/choice/part.h"

#include "gateway/choice/choosing.h"
#include "gateway/judging/evidence_keeper.h"
#include "levers/terms.h"

static struct parts *
parts_of(const struct exchange *exchange)
{
    return &exchange->worker->gateway->evidences.parts;
}

/* Of "name=value,name=value"; empty: it has none. */
static struct slice
value_of(struct slice tags, const char *name)
{
    while (tags.data != NULL && tags.len > 0) {
        struct slice value = slice_split(&tags, ',');

        if (slice_is(slice_split(&value, '='), name))
            return value;
    }
    return SLICE_LITERAL("");
}

/* "tenant=acme, tag:feature=search": values have no commas, but for a tenant's name, which is the configuration's. */
static const char *
name_of(struct exchange *exchange, const struct slices_config *slices)
{
    struct buffer name = {0};
    const char *copy;

    for (size_t i = 0; i < slices->count; i++) {
        const char *tag = slices->tags[i];

        buffer_add_text(&name, i > 0 ? ", " : "");
        if (tag == NULL)
            buffer_printf(&name, "tenant=%s", exchange->identity.tenant->name);
        else
            buffer_printf(&name, "tag:%s=%.*s", tag, SLICE_ARGS(value_of(exchange->tags, tag)));
    }
    copy = arena_slice_text(&exchange->arena, buffer_content(&name));
    buffer_free(&name);
    return copy;
}

/* Even where half of it is spent on the mistakes of a judge. */
static bool
has_alpha(const struct route_config *route, unsigned place)
{
    return parts_alpha_ppm(terms_alpha_of_model_ppm(route) / NOISE_EARN_PART, place) > 0;
}

/* What took a place is written down at once: were it forgotten, somebody else could have the same. */
static struct part
place_of(struct exchange *exchange, const char *name)
{
    struct gateway_worker *worker = exchange->worker;
    const struct route_config *route = exchange->request.route;
    bool is_new, poor;
    unsigned place = parts_place(parts_of(exchange), route->name, route->slices.mark, name, &is_new);

    if (is_new)
        evidence_keeper_hurry(worker->gateway->evidence_keeper, worker);
    poor = place > 0 && !has_alpha(route, place);
    return (struct part){name, poor ? 0 : place, poor};
}

bool
part_is_of_now(const struct exchange *exchange)
{
    const struct route_config *route = exchange->request.route;

    return parts_are(parts_of(exchange), route->name, route->slices.mark);
}

static void
tell_that_it_has_none(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    const char *route = exchange->request.route->name;
    const struct part *part = &exchange->request.part;

    count(&worker->counters, COUNT_SLICES_WITHOUT, 1);
    if (parts_is_first_without(parts_of(exchange), route))
        log_line(worker->gateway->log, LOG_WARN,
                 "route %s: the slice %s has no evidence of its own, as %s: no other model answers it, nor whichever "
                 "else comes now (acceptable: slices)",
                 route, part->name,
                 part->poor ? "those before it left too little alpha for it at this confidence"
                            : "others took all places that there are");
}

void
part_find(struct exchange *exchange)
{
    const struct slices_config *slices = &exchange->request.route->slices;
    struct part *part = &exchange->request.part;

    *part = (struct part){.name = NULL};
    if (slices->count == 0 || !choosing_fits(exchange->identity.api) || !part_is_of_now(exchange))
        return;
    *part = place_of(exchange, name_of(exchange, slices));
    if (part->place == 0)
        tell_that_it_has_none(exchange);
}

void
parts_of_routes_follow(struct evidences *evidences, const struct config *config)
{
    static const char *const levers[] = {"router ", "cascade "};

    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        if (!parts_follow(&evidences->parts, route->name, route->slices.mark))
            continue;
        for (size_t k = 0; k < sizeof(levers) / sizeof(levers[0]); k++)
            evidences_forget(evidences, route->name, levers[k]);
    }
}
