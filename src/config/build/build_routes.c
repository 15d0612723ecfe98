#include "config/build/build.h"
#include "config/calibration.h"
#include "config/value.h"

enum { NAMES_MOST = 256 };

static size_t
list_backends(const struct config *config, const char **names)
{
    size_t count = config->backend_count < NAMES_MOST ? config->backend_count : NAMES_MOST;

    for (size_t i = 0; i < count; i++)
        names[i] = config->backends[i].name;
    return count;
}

static const struct backend_config *
find_backend(struct build *build, const struct yaml_node *at, struct slice name)
{
    const struct backend_config *backend = config_backend(build->config, name);
    const char *names[NAMES_MOST];

    if (backend == NULL)
        reader_error(&build->reader, at,
                     reader_nearest(&build->reader, name, names, list_backends(build->config, names),
                                    "Backends are named under `backends:`."),
                     "there is no backend \"%.*s\"", SLICE_ARGS(name));
    return backend;
}

/* What the backend calls the model; a backend that declares its models may well serve others. */
static const char *
upstream_name(struct build *build, const struct yaml_node *at, const struct backend_config *backend, const char *model)
{
    const char *names[NAMES_MOST];
    size_t count = backend->model_count < NAMES_MOST ? backend->model_count : NAMES_MOST;

    for (size_t i = 0; i < backend->model_count; i++)
        if (strcmp(backend->models[i].name, model) == 0)
            return backend->models[i].upstream;
    for (size_t i = 0; i < count; i++)
        names[i] = backend->models[i].name;
    if (count > 0 && strpbrk(model, "*?") == NULL)
        reader_warn(&build->reader, at, reader_nearest(&build->reader, slice_of(model), names, count, NULL),
                    "backend %s does not name the model %s among its `models:`", backend->name, model);
    return model;
}

bool
build_target(struct build *build, const struct yaml_node *at, struct slice text, struct target *out)
{
    size_t slash = slice_find_byte(text, '/');
    struct slice model = slice_from(text, slash + 1);

    *out = (struct target){0};
    if (slash == 0 || model.len == 0 || !value_is_model(text)) {
        reader_error(&build->reader, at, "For example openai/gpt-5.5.", "expected backend/model, found \"%.*s\"",
                     SLICE_ARGS(slice_first(text, 60)));
        return false;
    }
    out->name = arena_slice_text(build->reader.arena, text);
    out->model = arena_slice_text(build->reader.arena, model);
    out->backend = find_backend(build, at, slice_first(text, slash));
    if (out->backend != NULL)
        out->upstream = upstream_name(build, at, out->backend, out->model);
    return true;
}

static void
warn_unpriced(struct build *build, const struct yaml_node *at, const struct target *target)
{
    const struct backend_config *backend = target->backend;

    if (build->config->prices == NULL || usd_known(backend->usd_per_hour) ||
        prices_resolve(build->config->prices, backend->name, backend->provider, slice_of(target->upstream)) != NULL)
        return;
    if (map_put(&build->unpriced, slice_of(target->name), target->name) == NULL)
        reader_warn(&build->reader, at,
                    arena_printf(build->reader.arena, "Add prices: { override: { %s: { input: $1/M, output: $2/M } } }",
                                 target->name),
                    "no price for %s: its cost will be unknown", target->name);
}

/* False if there is nothing usable; then it is reported. */
static bool
read_target(struct build *build, const struct yaml_node *node, struct target *out)
{
    if (!reader_wants_text(&build->reader, node, "backend/model") || !build_target(build, node, node->text, out) ||
        out->backend == NULL)
        return false;
    warn_unpriced(build, node, out);
    return true;
}

/* Is there an API whose requests both can be asked, be it in another's words? */
static bool
share_an_api(const struct backend_config *a, const struct backend_config *b)
{
    for (unsigned api = 0; api < API_PASSTHROUGH; api++)
        if (backend_api(a, (enum api)api) != API_COUNT && backend_api(b, (enum api)api) != API_COUNT)
            return true;
    return false;
}

static void
add_candidate(struct build *build, struct route_config *route, const struct yaml_node *node)
{
    struct target *target = &route->candidates[route->candidate_count];
    const struct target *reference = &route->reference;

    if (!read_target(build, node, target))
        return;
    for (size_t i = 0; i < route->candidate_count; i++)
        if (strcmp(route->candidates[i].name, target->name) == 0) {
            reader_warn(&build->reader, node, NULL, "%s is named twice", target->name);
            return;
        }
    route->candidate_count++;
    if (reference->backend == NULL)
        return;
    if (!share_an_api(target->backend, reference->backend))
        reader_error(&build->reader, node, "Take it out, or make it a route of its own.",
                     "%s can be asked for nothing that the reference can: they have no API in common, nor one into "
                     "which requests are translated (apis)",
                     target->name);
}

static void
add_candidates(struct build *build, struct route_config *route, const struct yaml_node *node)
{
    bool list = node != NULL && node->kind == YAML_LIST;
    size_t count = node == NULL ? 0 : list ? node->count : 1;

    route->candidates = arena_alloc(build->reader.arena, count * sizeof(struct target));
    for (size_t i = 0; i < count; i++)
        add_candidate(build, route, list ? node->items[i].value : node);
}

/* A lever that may change answers has to earn what it serves, and a floor of 100 % cannot be earned. */
static void
warn_unearnable(struct build *build, const struct route_draft *draft)
{
    static const struct {
        enum lever_id lever;
        const char *words;
    } levers[] = {
        {LEVER_SEMANTIC_CACHE, "the semantic cache"}, {LEVER_ROUTER, "the router"}, {LEVER_CASCADE, "the cascade"}};

    for (size_t i = 0; i < sizeof(levers) / sizeof(levers[0]); i++)
        if (draft->levers[levers[i].lever].mode != LEVER_OFF &&
            (draft->quality_ppm == 1000000 || draft->confidence_ppm == 1000000))
            reader_warn(
                &build->reader, build_place(&draft->entry, "levers"),
                "Say what share will do: acceptable: { quality: 95% }. The answers of the reference itself always do.",
                "%s will learn and serve nothing: evidence never shows that all answers are acceptable",
                levers[i].words);
}

/* Other models serve by evidence alone: of a candidate, and by a judge. */
static void
warn_choice(struct build *build, const struct route_draft *draft, const struct route_config *route, const char *lever)
{
    const struct yaml_node *at = build_place(&draft->entry, "levers");

    if (!route_has_other_models(route))
        reader_warn(&build->reader, at, "Name a cheaper model: candidates: [ BACKEND/MODEL ].",
                    "the %s has nothing to choose from: no candidate is another model than the reference's", lever);
    else if (!route->judge.is_set && route->floor_of != FLOOR_RELATIVE)
        reader_warn(&build->reader, at, "Say who judges: judge: { by: exact }.",
                    "the %s will learn and serve nothing: nobody judges the candidates' answers", lever);
}

static bool
validates(const struct route_config *route)
{
    return route->validate.json_schema != NULL || route->validate.regex != NULL || route->validate.command != NULL ||
           route->validate.http != NULL;
}

/* What is right is said by validators, and by nobody else. */
static void
check_relative(struct build *build, const struct route_draft *draft, const struct route_config *route)
{
    const struct yaml_node *at = build_place(&draft->entry, "acceptable");

    if (route->floor_of != FLOOR_RELATIVE)
        return;
    if (!validates(route))
        reader_error(&build->reader, at, "Add one, such as validate: { command: ./check-answer }.",
                     "of: relative needs to know which answers are right, but the route has no validators (validate)");
    if (route->judge.is_set)
        reader_warn(&build->reader, build_place(&draft->entry, "judge"), "Take it out, or say of: route.",
                    "with of: relative nobody asks the judge: the route's validators say which answers are right");
}

static void
warn_router(struct build *build, const struct route_draft *draft, const struct route_config *route)
{
    if (draft->levers[LEVER_ROUTER].mode != LEVER_OFF)
        warn_choice(build, draft, route, "router");
    else if (draft->levers[LEVER_CASCADE].mode == LEVER_OFF && route_has_other_models(route))
        reader_warn(&build->reader, build_place(&draft->entry, "candidates"),
                    "Say levers: { router: shadow }, which learns whether it will do. Where both backends have the "
                    "same model, give it one name with `models:`.",
                    "a candidate is another model than the reference's: without the lever router it will not serve");
}

/* Whose APIs tell no logprobs will never serve by them. */
static void
warn_silent(struct build *build, const struct route_draft *draft, const struct route_config *route)
{
    const unsigned telling = 1u << API_CHAT | 1u << API_COMPLETIONS | 1u << API_RESPONSES;

    for (size_t i = 0; route->cascade.accept == ACCEPT_LOGPROBS && i < route->candidate_count; i++) {
        const struct target *candidate = &route->candidates[i];

        if (route_candidate_differs(route, candidate) && (candidate->backend->apis & telling) == 0)
            reader_warn(&build->reader, build_place(&draft->entry, "cascade"),
                        "Accept by something else, such as self_consistency or model.",
                        "accept: logprobs, but the backend of %s speaks no API that has any: it will not be asked",
                        candidate->name);
    }
}

/* An answer is kept because something says that it passes. */
static void
warn_cascade(struct build *build, const struct route_draft *draft, const struct route_config *route)
{
    if (route->cascade.accept == ACCEPT_VALIDATORS && !validates(route))
        reader_error(&build->reader, build_place(&draft->entry, "cascade"),
                     "Add one, such as validate: { json_schema: answer.schema.json }.",
                     "accept: validators, but the route has none (validate)");
    if (draft->levers[LEVER_CASCADE].mode == LEVER_OFF)
        return;
    warn_silent(build, draft, route);
    warn_choice(build, draft, route, "cascade");
    if (route->cascade.accept == ACCEPT_NONE)
        reader_warn(&build->reader, build_place(&draft->entry, "levers"),
                    "Say what tells: cascade: { accept: validators }.",
                    "the cascade will ask nobody: nothing tells which answers of a cheaper model to keep");
}

static void
build_judged_schema(struct build *build, const struct route_draft *draft, struct judge_config *judge)
{
    const struct yaml_node *at = yaml_get(build_place(&draft->entry, "judge"), "json_schema");

    if (judge->json_schema == NULL)
        return;
    if (draft->judge.by == 1 + JUDGE_JSON)
        judge->schema = build_schema(build, at, judge->json_schema);
    else
        reader_error(&build->reader, at, "Write `by: json`, or take the schema out.",
                     "json_schema: only the judge `json` goes by a schema");
}

/* One says what is acceptable: a rule for texts, a model, a command or a service. */
static void
build_judge(struct build *build, const struct route_draft *draft, struct judge_config *judge)
{
    const struct yaml_node *at = build_place(&draft->entry, "judge");
    int judges = (draft->judge.by != 0) + (draft->judge.model != NULL) + (draft->judge.command != NULL) +
                 (draft->judge.http != NULL);
    struct target *model;

    *judge = (struct judge_config){.is_set = judges > 0,
                                   .judge = draft->judge.by != 0 ? draft->judge.by - 1 : 0,
                                   .similar_ppm = draft->judge.similar_ppm,
                                   .tolerance_ppm = draft->judge.tolerance_ppm,
                                   .ceiling_ppm = draft->judge.ceiling_ppm,
                                   .command = draft->judge.command,
                                   .http = draft->judge.http,
                                   .json_schema = draft->judge.json_schema};
    if (judges > 1)
        reader_error(&build->reader, at, "Keep one of them.",
                     "a judge is one of `by`, `model`, `command` and `http`, not several");
    if (judge->http != NULL)
        build_http(build, yaml_get(at, "http"), judge->http, &judge->endpoint, &judge->path);
    build_judged_schema(build, draft, judge);
    if (draft->judge.model == NULL)
        return;
    model = arena_alloc(build->reader.arena, sizeof(*model));
    if (read_target(build, draft->judge.model, model))
        judge->model = model;
    else
        judge->is_set = false;
}

/* NULL: there is none, or it is of another judge. */
static const struct judge_calibration *
build_calibration(struct build *build, const struct yaml_node *at, const char *text, const struct judge_config *judge)
{
    struct arena *arena = build->reader.arena;
    const struct judge_calibration *read;
    const char *why;

    if (text == NULL)
        return NULL;
    read = calibration_read(slice_of(text), judge_words(judge, arena), arena, &why);
    if (read == NULL)
        reader_error(&build->reader, yaml_get(at, "calibration"),
                     "Take the line out, and write the file anew: equipoise eval judge FILE --json, with --config "
                     "CONFIG --route NAME for a route's judge, or --judge RULE.",
                     "calibration: %s", why);
    return read;
}

static void
build_semantic(struct build *build, const struct route_draft *draft, struct semantic_config *semantic)
{
    struct judge_config judge = {.is_set = true,
                                 .judge = draft->semantic.judge,
                                 .similar_ppm = draft->semantic.similar_ppm,
                                 .tolerance_ppm = draft->semantic.tolerance_ppm};

    *semantic = draft->semantic;
    semantic->calibration =
        build_calibration(build, build_place(&draft->entry, "semantic_cache"), draft->semantic_calibration, &judge);
}

static void
build_cascade(struct build *build, const struct route_draft *draft, struct cascade_config *cascade)
{
    struct target *verifier;

    *cascade = (struct cascade_config){.accept = (enum accept_by)draft->cascade.accept,
                                       .samples = draft->cascade.samples,
                                       .agree = draft->cascade.agree,
                                       .similar_ppm = draft->cascade.similar_ppm,
                                       .tolerance_ppm = draft->cascade.tolerance_ppm,
                                       .holds_streams = draft->cascade.streams != 0};
    if (draft->cascade.verifier == NULL && cascade->accept == ACCEPT_MODEL)
        reader_error(&build->reader, build_place(&draft->entry, "cascade"), "Add verifier: BACKEND/MODEL.",
                     "accept: model, but no model is named");
    if (draft->cascade.verifier == NULL)
        return;
    if (cascade->accept != ACCEPT_MODEL)
        reader_error(&build->reader, draft->cascade.verifier, "Say accept: model, or take it out.",
                     "a verifier is named, but `accept` does not ask it");
    verifier = arena_alloc(build->reader.arena, sizeof(*verifier));
    if (read_target(build, draft->cascade.verifier, verifier))
        cascade->verifier = verifier;
}

static void
build_route(struct build *build, const struct route_draft *draft, struct route_config *route)
{
    route->name = draft->entry.name;
    if (draft->reference != NULL && !read_target(build, draft->reference, &route->reference))
        route->reference = (struct target){0};
    route->baseline = route->reference;
    if (draft->baseline != NULL && !read_target(build, draft->baseline, &route->baseline))
        route->baseline = route->reference;
    add_candidates(build, route, draft->candidates);
    route->owner = draft->owner;
    route->repeatable = draft->repeatable;
    route->ttl_us = draft->ttl_us != USEC_NEVER ? draft->ttl_us : build->draft.cache.ttl_us;
    route->quality_ppm = draft->quality_ppm;
    route->confidence_ppm = draft->confidence_ppm;
    route->floor_of = draft->floor_of;
    route->served_floor_ppm = draft->floor_of != 0 && draft->served_floor_ppm < 1000000 ? draft->served_floor_ppm : 0;
    route->first_token_us = draft->first_token_us;
    route->total_us = draft->total_us;
    memcpy(route->levers, draft->levers, sizeof route->levers);
    build_semantic(build, draft, &route->semantic);
    build_judge(build, draft, &route->judge);
    route->judge.calibration =
        build_calibration(build, build_place(&draft->entry, "judge"), draft->judge.calibration, &route->judge);
    route->learning_ppm = draft->learning_ppm;
    build_cascade(build, draft, &route->cascade);
    route->validate = draft->validate;
    route->attempts = draft->attempts;
    route->retry = (enum retry_rule)draft->retry;
    route->holdout_ppm = draft->holdout_ppm;
    route->worth = draft->worth;
    route->output_max = draft->output_max;
    build_validators(build, draft, &route->validate);
    build_slices(build, draft, route);
    if (route->reference.backend != NULL)
        build_warm_start(build, draft, route);
    warn_unearnable(build, draft);
    check_relative(build, draft, route);
    if (route->reference.backend == NULL)
        return;
    warn_router(build, draft, route);
    warn_cascade(build, draft, route);
}

void
build_routes(struct build *build)
{
    const struct entries *drafts = &build->draft.routes;
    struct config *config = build->config;

    config->routes = arena_alloc(build->reader.arena, drafts->count * sizeof(struct route_config));
    config->route_count = drafts->count;
    for (size_t i = 0; i < drafts->count; i++) {
        struct route_config *route = &config->routes[i];

        route->index = (unsigned)i;
        build_route(build, ENTRY_AT(*drafts, route_draft, i), route);
        map_put(&config->route_by_name, slice_of(route->name), route);
    }
}
