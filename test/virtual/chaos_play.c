/* Scripts played in the virtual world. */
#include "chaos.h"

#include "base/hash.h"
#include "embed/embedder.h"
#include "gateway/choice/acceptance.h"
#include "gateway/running/switches.h"
#include "levers/cascade.h"
#include "levers/semantic_cache.h"
#include "virtual/vcommand.h"

static const char *const backend_names[CHAOS_BACKENDS] = {"alpha", "beta", "claude"};

/* Marks: "mark", then "c12." */

static size_t
find_mark(struct slice text)
{
    size_t at = slice_find(text, SLICE_LITERAL("mark"));
    struct slice rest = slice_from(text, at + 4), number;
    uint64_t client;

    rest = slice_from(rest, slice_find_byte(rest, 'c') + 1);
    number = slice_first(rest, slice_find_byte(rest, '.'));
    if (at >= text.len || text_parse_u64(number, &client) != OK || client >= CHAOS_CLIENTS_MOST)
        return CHAOS_CLIENTS_MOST;
    return (size_t)client;
}

size_t
chaos_client_of_call(const struct vcall_seen *seen)
{
    return find_mark(seen->headers);
}

size_t
chaos_client_of_row(const struct row *row)
{
    return find_mark(row->tags);
}

void
chaos_count_calls(struct chaos *chaos, size_t calls[CHAOS_CLIENTS_MOST])
{
    memset(calls, 0, CHAOS_CLIENTS_MOST * sizeof(calls[0]));
    for (size_t b = 0; b < chaos->scene->backend_count; b++) {
        struct vbackend *backend = chaos->scene->backends[b];

        for (size_t i = 0; i < vbackend_seen_count(backend); i++) {
            struct vcall_seen seen = vbackend_seen(backend, i);
            size_t client = chaos_client_of_call(&seen);

            assert_true(client < chaos->script->client_count); /* nobody else sends anything */
            calls[client]++;
        }
    }
}

const char *
chaos_model_of(const struct chaos_client *client, size_t backend)
{
    static const char *const models[2][CHAOS_BACKENDS] = {{"big@acme", "big@acme", "opus@acme"},
                                                          {"big@globex", "big@globex", "opus@globex"}};

    return models[client->rival][backend];
}

/* Backends */

static size_t
call_index(const struct vbackend *backend, const struct vcall_seen *seen)
{
    size_t i = vbackend_seen_count(backend);

    while (i-- > 0)
        if (vbackend_seen(backend, i).target.data == seen->target.data)
            return i;
    fail();
    return 0;
}

static void
write_bill(struct chaos *chaos, const struct chaos_player *player, const struct vcall_seen *seen,
           const struct provider *provider)
{
    struct chaos_bill *bill;

    if (chaos->bill_count == chaos->bills_size) {
        chaos->bills_size = chaos->bills_size != 0 ? 2 * chaos->bills_size : 16;
        chaos->bills = must_realloc(chaos->bills, chaos->bills_size * sizeof(*bill));
    }
    bill = &chaos->bills[chaos->bill_count++];
    *bill = (struct chaos_bill){
        .backend = player->backend,
        .place = player->place,
        .call = call_index(chaos->scene->backends[player->place], seen),
        .client = chaos_client_of_call(seen),
        .tells = provider_tells(provider, seen),
        .input = provider->input,
        .cached = provider->cached,
        .output = provider->output,
    };
    if (player->backend == 2) {
        bill->cache_write = provider->cache_write_5m + provider->cache_write_1h;
        bill->cache_write_1h = provider->cache_write_1h;
    }
}

/* No two calls cost the same. */
static void
decide(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct chaos_player *player = context;
    struct chaos *chaos = player->chaos;
    struct provider provider = chaos->habits[player->backend].provider;

    const struct chaos_client *client = &chaos->script->clients[chaos_client_of_call(seen)];

    provider.input += (int64_t)chaos->bill_count;
    if (client->ask.target == NULL) /* of others the price is that of the model which the answer names */
        provider.model = chaos_model_of(client, player->backend);
    write_bill(chaos, player, seen, &provider);
    provider_plays(&provider, seen, script);
}

static void
show_habits(struct chaos *chaos, const struct chaos_player *player)
{
    const struct chaos_habits *habits = &chaos->habits[player->backend];
    struct vbackend *at = chaos->scene->backends[player->place];

    vbackend_set_refusing(at, habits->refusing);
    vbackend_set_silent(at, habits->silent);
    vbackend_set_stale(at, habits->stale);
}

static void
take_habits(struct chaos *chaos, size_t backend, const struct chaos_habits *habits)
{
    chaos->habits[backend] = *habits;
    for (size_t i = 0; i < chaos->place_count; i++)
        if (chaos->players[i].backend == backend)
            show_habits(chaos, &chaos->players[i]);
}

static size_t
backend_at(const struct scene *scene, size_t place)
{
    for (size_t i = 0; i < scene->config->backend_count; i++)
        for (size_t b = 0; b < CHAOS_BACKENDS; b++)
            if (scene->config->backends[i].endpoints[0].id == scene->endpoint_ids[place] &&
                strcmp(scene->config->backends[i].name, backend_names[b]) == 0)
                return b;
    fail();
    return 0;
}

/* Backends that a configuration has brought. */
static void
move_in(struct chaos *chaos)
{
    struct scene *scene = chaos->scene;

    for (; chaos->place_count < scene->backend_count; chaos->place_count++) {
        struct chaos_player *player = &chaos->players[chaos->place_count];

        *player = (struct chaos_player){chaos, backend_at(scene, chaos->place_count), chaos->place_count};
        vbackend_decides(scene->backends[player->place], decide, player);
        show_habits(chaos, player);
    }
}

/* Playing */

static void
write_more(const struct chaos_setting *setting, char out[CHAOS_MORE_MOST])
{
    struct digest digest = hash_sha256(slice_of(CHAOS_RIVAL));
    char hex[2 * sizeof(digest.bytes) + 1];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(out, CHAOS_MORE_MOST, "  rival: { sha256: \"%s\", tenant: globex }\n%s", hex,
             setting->more != NULL ? setting->more : "");
}

static struct scene_options
options_of(struct chaos *chaos, size_t number)
{
    const struct chaos_script *script = chaos->script;
    const struct chaos_setting *setting = chaos_setting(number);

    write_more(setting, chaos->more);
    return (struct scene_options){.seed = script->seed,
                                  .workers = script->workers,
                                  .split_answers = script->split_answers,
                                  .hop_most_us = script->hop_most_us,
                                  .config = setting->config,
                                  .more = chaos->more,
                                  .key = setting->key};
}

/* Evidence as audits might have left it: what is nearly alike does, what is less alike does not. */
static void
earn(struct chaos *chaos, const struct route_config *route)
{
    struct gateway *gateway = &chaos->scene->gateway;
    struct evidence_terms terms = semantic_terms(route, embedder_table_id(gateway->embedder), NULL);
    struct shared_evidence *evidence = evidences_at(&gateway->evidences, route->name, lever_name(LEVER_SEMANTIC_CACHE));
    unsigned scores = 0;

    while (!shared_evidence_sample(evidence, &terms, scores % 2 == 0 ? 0.97 : 0.55))
        scores++;
    for (unsigned i = 0; i < 40; i++)
        (void)shared_evidence_observe(evidence, &terms, &(struct audit){.score = 0.55, .outcome = 0.0});
    for (unsigned i = 0; i < 40; i++)
        (void)shared_evidence_observe(evidence, &terms, &(struct audit){.score = 0.97, .outcome = 1.0});
    assert_int_equal(shared_evidence_verdict(evidence).reason, EVIDENCE_SERVES);
}

enum { CHOICES_MOST = 4 };

/* What the route's other models are judged by, as it stands now. */
static void
order_choice(struct chaos *chaos, const struct route_config *route, struct part part, struct cascading *cascading)
{
    struct gateway *gateway = &chaos->scene->gateway;
    struct request request = {
        .route = route,
        .part = part,
        .targets = &gateway->workers[0]->view->targets,
        .wall_us = history_world(chaos->scene->history, 0)->ops->wall_us(history_world(chaos->scene->history, 0))};

    if (route_may_cascade(route))
        cascade_order(cascading, &request, acceptance_rule(route));
    else
        router_order(&cascading->models, &request, 0);
}

/* Scores from that of the worst on; the better half is right. */
static void
earn_one(const struct chaos *chaos, const struct route_config *route, const struct routed *one)
{
    bool even = !route_may_cascade(route) || acceptance_is_plain(route);
    double best = even ? 1.0 : 0.85, worst = even ? 1.0 : 0.3;
    unsigned scores = 0;

    while (!shared_evidence_sample(one->evidence, &one->terms, scores % 2 == 0 ? best : worst))
        scores++;
    for (unsigned i = 0; i < 40 && chaos->script->seed % 2 == 0; i++)
        (void)shared_evidence_observe(one->evidence, &one->terms, &(struct audit){.score = best, .outcome = 1.0});
}

/* Where tenants have evidence of their own: what one of them has. Clients that have it have none yet. */
static struct part
part_that_earns(struct chaos *chaos, const struct route_config *route)
{
    struct part part = {.name = "tenant=acme"};
    bool is_new;

    if (route->slices.count == 0)
        return (struct part){.name = NULL};
    part.place =
        parts_place(&chaos->scene->gateway.evidences.parts, route->name, route->slices.mark, part.name, &is_new);
    assert_true(part.place > 0);
    return part;
}

/* Half of the histories begin with candidates that serve, the others with such as have something to learn. */
static void
earn_choice(struct chaos *chaos, const struct route_config *route)
{
    struct routed models[CHOICES_MOST];
    struct cascading cascading = {.models = {.all = models}};
    struct part part = part_that_earns(chaos, route);
    char name[96];

    for (size_t i = 0; i < route->candidate_count; i++) {
        struct routed *one = &models[cascading.models.count];

        if (!route_candidate_differs(route, &route->candidates[i]))
            continue;
        ENSURE(cascading.models.count++ < CHOICES_MOST);
        snprintf(name, sizeof(name), "%s %s%s%s", lever_name(route_may_cascade(route) ? LEVER_CASCADE : LEVER_ROUTER),
                 route->candidates[i].name, part.name != NULL ? EVIDENCE_PART : "", part.name != NULL ? part.name : "");
        *one = (struct routed){.target = &route->candidates[i],
                               .evidence = evidences_at(&chaos->scene->gateway.evidences, route->name, name),
                               .score = 1.0};
    }
    for (size_t i = 0; i < cascading.models.count; i++) {
        order_choice(chaos, route, part, &cascading); /* what one has earned is a part of what the next is asked */
        earn_one(chaos, route, &models[i]);
    }
}

static void
earn_all(struct chaos *chaos)
{
    const struct config *config = chaos->scene->config;

    gateway_open_meanings(&chaos->scene->gateway);
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].quality_ppm < 1000000)
            (route_has_other_models(&config->routes[i]) ? earn_choice : earn)(chaos, &config->routes[i]);
}

struct chaos *
chaos_begin(void **state, const struct chaos_script *script)
{
    struct chaos *chaos = must_calloc(1, sizeof(*chaos));

    chaos->script = script;
    chaos->state = state;
    chaos->scene = scene_new(state, options_of(chaos, script->setting));
    chaos->settings[script->setting] = true;
    memcpy(chaos->habits, script->habits, sizeof(chaos->habits));
    vcommand_does(chaos->scene->history, "judge",
                  (struct vcommand_script){.takes_us = 50 * USEC_PER_MS, .exit_status = (int)(script->seed % 3)});
    move_in(chaos);
    if (chaos_setting(script->setting)->earned)
        earn_all(chaos);
    for (size_t i = 0; i < script->client_count; i++)
        if (!script->clients[i].dropped)
            chaos->clients[i] = scene_asks(chaos->scene, script->clients[i].ask);
    return chaos;
}

static void
lever_is_set(struct switching *switching)
{
    free(switching);
}

static void
set_lever(struct scene *scene, enum lever_id lever, bool on)
{
    struct lever_setting setting = {.mode = on ? LEVER_ON : LEVER_SHADOW, .share_ppm = 1000000};
    struct switches *switches = switches_with(scene->gateway.switches, NULL, lever, &setting);
    struct switching *switching = must_calloc(1, sizeof(*switching));

    switching->done = lever_is_set;
    switching_start(switching, &scene->gateway, history_world(scene->history, 0), switches);
    switches_release(switches);
}

static void
reload(struct chaos *chaos, size_t setting)
{
    scene_reload_options(chaos->scene, options_of(chaos, setting));
    chaos->settings[setting] = true;
    move_in(chaos);
}

static void
happen(struct chaos *chaos, const struct chaos_event *event)
{
    struct scene *scene = chaos->scene;
    struct history *history = scene->history;

    switch (event->kind) {
    case CHAOS_CLIENTS_LEAVE:
        history_strike(history, &(struct fault){.kind = FAULT_CLIENT_LEAVES});
        break;
    case CHAOS_CALLS_CUT:
        history_strike(history, &(struct fault){.kind = FAULT_CALL_CUT});
        break;
    case CHAOS_APPENDS_FAIL:
        scene->journal_fails = true;
        history_fail_appends(history, history_appends(history) + 1, event->count, event->status);
        break;
    case CHAOS_WALL_JUMPS:
        history_wall_jump(history, event->jump_us);
        break;
    case CHAOS_BYPASS:
        atomic_store(&scene->gateway.bypass, event->on);
        break;
    case CHAOS_LEVER_SET:
        set_lever(scene, event->lever, event->on);
        break;
    case CHAOS_RELOAD:
        reload(chaos, event->setting);
        break;
    case CHAOS_BACKEND_CHANGES:
        take_habits(chaos, event->backend, &event->habits);
        break;
    }
}

bool
chaos_step(struct chaos *chaos)
{
    struct history *history = chaos->scene->history;
    const struct chaos_script *script = chaos->script;
    bool rests = history_at_rest(history);

    while (chaos->next_event < script->event_count) {
        const struct chaos_event *event = &script->events[chaos->next_event];

        if (!rests && event->step > history_steps(history) + 1)
            break;
        chaos->next_event++;
        if (!event->dropped)
            happen(chaos, event);
    }
    if (!history_at_rest(history) && history_steps(history) < 400000)
        return history_step(history);
    return false;
}

void
chaos_rest(struct chaos *chaos)
{
    while (chaos_step(chaos))
        ;
    scene_rest(chaos->scene);
    chaos_check(chaos);
    history_run_for(chaos->scene->history, 3600 * USEC_PER_S); /* nothing stirs afterwards */
    assert_int_equal(history_calls_open(chaos->scene->history), 0);
}

void
chaos_end(struct chaos *chaos)
{
    scene_passed(chaos->scene);
    scene_free(chaos->scene, chaos->state);
    free(chaos->bills);
    free(chaos);
}

uint64_t
chaos_play(void **state, const struct chaos_script *script)
{
    struct chaos *chaos = chaos_begin(state, script);
    uint64_t digest;

    chaos_rest(chaos);
    digest = history_log_digest(chaos->scene->history);
    chaos_end(chaos);
    return digest;
}
