#include "gateway/cross.h"

#include "dialect/translate/translate.h"
#include "gateway/booking/reserve.h"
#include "gateway/judging/mission.h"

/* Versions and accounts of one provider mean nothing to another. */
bool
cross_header_goes_up(struct slice name)
{
    return !slice_starts_nocase(name, "anthropic-") && !slice_starts_nocase(name, "openai-");
}

/* Headers that change what a request means. */
static const char *
header_in_the_way(const struct exchange *exchange)
{
    if (http_head_get(&exchange->head, "anthropic-beta").len > 0)
        return "the header anthropic-beta asks for what only that API has";
    if (http_head_get(&exchange->head, "openai-beta").len > 0)
        return "the header openai-beta asks for what only that API has";
    return NULL;
}

/* The body alone: it may be read on another thread. */
static struct translated *
translate_body(struct exchange *exchange, enum api to)
{
    struct translated **translated = &exchange->translated[to];

    if (*translated == NULL) {
        *translated = arena_alloc(&exchange->arena, sizeof(**translated));
        **translated = translate_request(exchange->identity.api, to, chunk_bytes(exchange->body), &exchange->arena);
    }
    return *translated;
}

static const struct translated *
translate_to(struct exchange *exchange, enum api to)
{
    struct translated *translated = translate_body(exchange, to);

    if (translated->why == NULL)
        translated->why = header_in_the_way(exchange);
    return translated;
}

void
cross_survey(struct exchange *exchange)
{
    enum api asked = exchange->identity.api;

    for (size_t i = 0; i < exchange->plans.count; i++) {
        struct plan *plan = &exchange->plans.all[i];

        plan->api = plan->target != NULL ? backend_api(plan->target->backend, asked) : asked;
        if (plan->api == asked || plan->api == API_COUNT || plan->source == SOURCE_SHARED || plan->translated != NULL)
            continue;
        plan->translated = translate_to(exchange, plan->api);
        count(&exchange->worker->counters, COUNT_UNTRANSLATABLE, plan->translated->why != NULL);
    }
}

bool
cross_may_be(const struct exchange *exchange)
{
    const struct config *config = exchange->view->config;
    enum api asked = exchange->identity.api;

    for (size_t i = 0; i < config->backend_count; i++) {
        enum api api = backend_api(&config->backends[i], asked);

        if (api != asked && api != API_COUNT)
            return true;
    }
    return false;
}

static void
ahead_for(struct exchange *exchange, const struct backend_config *backend)
{
    enum api asked = exchange->identity.api, api = backend != NULL ? backend_api(backend, asked) : asked;
    struct translated *translated;

    if (api == asked || api == API_COUNT)
        return;
    translated = translate_body(exchange, api);
    if (translated->why == NULL && !translated->prompt->read)
        prompt_read(api, chunk_bytes(translated->rest), translated->prompt);
}

void
cross_ahead(struct exchange *exchange)
{
    bool named = exchange->named_route.len > 0;
    struct slice model = named ? exchange->named_route : exchange->facts.model;
    const struct route_config *route = config_route(exchange->view->config, model);

    if (exchange->mission != NULL) {
        ahead_for(exchange, exchange->mission->target->backend);
    } else if (route != NULL) {
        ahead_for(exchange, route->reference.backend);
        for (size_t i = 0; i < route->candidate_count; i++)
            ahead_for(exchange, route->candidates[i].backend);
    } else if (!named) {
        ahead_for(exchange, resolve_backend(exchange, model));
    }
}

static int64_t
lesser_cap(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

void
cross_release(struct exchange *exchange)
{
    for (unsigned api = 0; api < API_COUNT; api++) {
        if (exchange->translated[api] == NULL)
            continue;
        chunk_release(exchange->translated[api]->rest);
        exchange->translated[api]->rest = NULL;
    }
}

struct slice
cross_head(struct exchange *exchange, const struct request_change *change)
{
    int64_t cap = lesser_cap(exchange->plan->translated->cap, change->cap);
    struct buffer head = {0};
    struct slice copy;

    buffer_add_text(&head, "{\"model\":\"");
    buffer_add_json(&head, slice_of(change->model));
    buffer_add_byte(&head, '"');
    if (cap >= 0)
        buffer_printf(&head, ",\"%s\":%lld", reserve_cap_name(exchange), (long long)cap);
    if (exchange->plan->asks_logprobs && logprobs_translated(exchange->plan->api) != NULL)
        buffer_add_text(&head,
                        logprobs_translated(exchange->plan->api)); /* nothing of the request asks for them there */
    buffer_add_byte(&head, ',');
    copy = arena_copy(&exchange->arena, buffer_content(&head));
    buffer_free(&head);
    return copy;
}
