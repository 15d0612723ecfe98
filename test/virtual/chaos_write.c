/* Seeds to scripts, and scripts to text. */
#include "chaos.h"

#include <inttypes.h>

enum { RELOADS_MOST = 3 }; /* each may bring every backend to another place */

static const char *const backend_names[CHAOS_BACKENDS] = {"alpha", "beta", "claude"};

static bool
one_in(struct rng *rng, unsigned n)
{
    return rng_below(rng, n) == 0;
}

static usec
some_ms(struct rng *rng, unsigned most)
{
    return (usec)rng_below(rng, most) * USEC_PER_MS;
}

/* Counts that tell the providers apart. */
static void
write_usage(struct rng *rng, size_t backend, struct provider *p)
{
    p->words = (unsigned)rng_below(rng, 30);
    p->input = 60 + 10 * (int64_t)backend;
    p->cached = (int64_t)rng_below(rng, 50);
    p->output = 10 + (int64_t)rng_below(rng, 100);
    p->reasoning = (int64_t)rng_below(rng, 10);
    if (backend == 2 && one_in(rng, 3)) {
        p->cache_write_5m = (int64_t)rng_below(rng, 40);
        p->cache_write_1h = (int64_t)rng_below(rng, 40);
    }
    p->usage_place = (enum usage_place)rng_below(rng, 3);
    p->logprob_milli = -(int)(p->output % 4) * 100; /* drawn with it: more draws would make other histories */
    p->tells_none = p->output % 9 == 0;
}

static void
write_habits(struct rng *rng, size_t backend, struct chaos_habits *habits)
{
    static const unsigned statuses[] = {400, 401, 404, 429, 500, 502, 529};
    struct provider *p = &habits->provider;

    *habits = (struct chaos_habits){0};
    write_usage(rng, backend, p);
    p->line_end = (enum line_end)rng_below(rng, 3);
    p->no_done = one_in(rng, 5);
    p->pings = one_in(rng, 3);
    p->multi_line = one_in(rng, 3);
    p->byte_by_byte = one_in(rng, 12);
    p->repeats_input = one_in(rng, 2);
    p->first_word_us = some_ms(rng, 2000);
    p->word_gap_us = some_ms(rng, one_in(rng, 8) ? 2000 : 100);
    p->cut_after = one_in(rng, 5) ? 1 + (unsigned)rng_below(rng, 10) : 0;
    p->stuck_after = one_in(rng, 10) ? 1 + (unsigned)rng_below(rng, 10) : 0;
    p->status = one_in(rng, 4) ? statuses[rng_below(rng, 7)] : 0;
    habits->refusing = one_in(rng, 10);
    habits->silent = one_in(rng, 20);
    habits->stale = one_in(rng, 10);
}

static void
write_conduct(struct rng *rng, unsigned workers, usec within_us, struct vclient_script *client)
{
    *client = (struct vclient_script){.worker = (unsigned)rng_below(rng, workers)};
    client->after_us = (usec)rng_below(rng, (uint64_t)within_us);
    if (one_in(rng, 2))
        client->piece_len = 1 + rng_below(rng, 80);
    client->chunked = one_in(rng, 3);
    client->body_breaks = one_in(rng, 20);
    client->body_stalls = one_in(rng, 20);
    if (one_in(rng, 3)) {
        client->read_len = 1 + rng_below(rng, 400);
        client->read_gap_us = 1 + some_ms(rng, 50);
    }
    client->window = 4096 + rng_below(rng, 8192);
    if (one_in(rng, 4))
        client->leaves_after_us = 1 + some_ms(rng, 4000);
    if (one_in(rng, 6))
        client->leaves_at_byte = 1 + rng_below(rng, 2000);
}

/* Paths that leave no row, and those that lead past the routes. */
static void
write_target(struct rng *rng, struct chaos_client *client)
{
    static const char *const targets[] = {"/backend/alpha/v1/chat/completions",
                                          "/backend/claude/v1/messages",
                                          "/backend/nobody/x",
                                          "/v1/models",
                                          "/v1/other",
                                          "/v1/feedback"};
    size_t which = rng_below(rng, 6);

    client->ask.target = targets[which];
    client->known_path = which < 2;
    client->reads_only = which == 5;
}

/* Caps, which budgets want to know; bodies larger than the tight limit. */
static void
write_members(struct rng *rng, struct chaos_client *client)
{
    bool capped = (client->ask.api == API_CHAT || client->ask.api == API_COMPLETIONS) && one_in(rng, 2);
    unsigned cap = 1 + (unsigned)rng_below(rng, 200);
    int pad = one_in(rng, 20) ? 1500 : 1;

    if (capped)
        snprintf(client->more, sizeof(client->more), "\"max_tokens\": %u, \"pad\": \"%*s\"", cap, pad, "");
    else
        snprintf(client->more, sizeof(client->more), "\"pad\": \"%*s\"", pad, "");
    client->ask.more = client->more;
}

static void
write_headers(struct rng *rng, size_t number, struct chaos_client *client)
{
    char key[32] = "";

    if (one_in(rng, 6))
        snprintf(key, sizeof(key), "idempotency-key: k%u\n", (unsigned)rng_below(rng, 3));
    snprintf(client->headers, sizeof(client->headers), "x-equipoise-tags: mark=c%zu.\nx-mark: c%zu.\n%s%s%s%s", number,
             number, one_in(rng, 5) ? "x-equipoise-include: cost\n" : "",
             one_in(rng, 6) ? "x-equipoise-conversation: talk\n" : "",
             one_in(rng, 12) ? "x-equipoise-deadline: 900ms\n" : "", key);
    client->ask.headers = client->headers;
}

/* Ways to ask the same, as near as one's own words and less near; what differs in what must not differ; something else. */
static const char *const wordings[] = {"How do I reset the password of my account?",
                                       "How can I reset the password of my account?",
                                       "I forgot the password of my account, how do I reset it?",
                                       "How do I not reset the password of my account?", "Which wine goes with fish?"};

/* One of very few requests, so that there are equal ones, and some that mean the same. */
static void
write_equal(struct rng *rng, struct chaos_client *client)
{
    client->ask.api = one_in(rng, 4) ? API_MESSAGES : API_CHAT;
    client->ask.stream = !one_in(rng, 3);
    client->ask.wants_usage = client->ask.stream && client->ask.api == API_CHAT && one_in(rng, 3);
    client->ask.text = one_in(rng, 2) ? wordings[rng_below(rng, sizeof(wordings) / sizeof(wordings[0]))] : NULL;
    snprintf(client->more, sizeof(client->more), "\"pad\": 1");
}

/* "pad" is a member that no other API has a place for; here is nothing but what all have. */
static void
write_translatable(struct rng *rng, struct chaos_client *client)
{
    bool capped = client->ask.api == API_CHAT && one_in(rng, 2);

    snprintf(client->more, sizeof(client->more), "%s%s", capped ? "\"max_tokens\": 90, " : "",
             client->ask.api == API_MESSAGES ? "\"metadata\": {\"user_id\": \"u\"}" : "\"user\": \"u\"");
    client->ask.more = client->more;
}

static void
write_client(struct rng *rng, struct chaos_script *script, size_t number, usec within_us, const enum api *alike)
{
    static const enum api apis[] = {API_CHAT, API_CHAT, API_COMPLETIONS, API_RESPONSES, API_EMBEDDINGS, API_MESSAGES};
    struct chaos_client *client = &script->clients[number];
    struct ask *ask = &client->ask;

    *client = (struct chaos_client){.known_key = true, .known_path = true};
    write_conduct(rng, script->workers, within_us, &ask->client);
    ask->api = alike != NULL ? *alike : apis[rng_below(rng, 6)];
    ask->stream = ask->api != API_EMBEDDINGS && !one_in(rng, 3);
    ask->wants_usage = ask->stream && (ask->api == API_CHAT || ask->api == API_COMPLETIONS) && one_in(rng, 2);
    if (alike == NULL)
        write_members(rng, client);
    if (script->equals)
        write_equal(rng, client);
    if (chaos_setting(script->setting)->crossed && !one_in(rng, 4))
        write_translatable(rng, client);
    write_headers(rng, number, client);
    client->rival = one_in(rng, 4);
    ask->key = client->rival ? CHAOS_RIVAL : NULL;
    if (one_in(rng, 15)) {
        ask->key = "sk-wrong";
        client->known_key = client->rival = false;
    }
    if (one_in(rng, 15))
        ask->model = "nothing";
    if (one_in(rng, 25))
        ask->body = "{\"model\": ";
    if (one_in(rng, 8))
        write_target(rng, client);
}

/* Steps that a history may have; events that come later happen at its end. */
static uint64_t
some_step(struct rng *rng, size_t clients)
{
    return 1 + rng_below(rng, 60 * (uint64_t)clients + 60);
}

static void
write_event(struct rng *rng, size_t clients, struct chaos_event *event)
{
    static const enum chaos_kind kinds[] = {CHAOS_CLIENTS_LEAVE,   CHAOS_CALLS_CUT,      CHAOS_CALLS_CUT,
                                            CHAOS_APPENDS_FAIL,    CHAOS_WALL_JUMPS,     CHAOS_BYPASS,
                                            CHAOS_LEVER_SET,       CHAOS_RELOAD,         CHAOS_RELOAD,
                                            CHAOS_BACKEND_CHANGES, CHAOS_BACKEND_CHANGES};

    *event = (struct chaos_event){.kind = kinds[rng_below(rng, sizeof(kinds) / sizeof(kinds[0]))],
                                  .step = some_step(rng, clients)};
    event->jump_us = (usec)rng_below(rng, 7200) * USEC_PER_S - 3600 * USEC_PER_S;
    if (one_in(rng, 10))
        event->jump_us *= 24 * 400;
    event->count = 1 + (one_in(rng, 3) ? rng_below(rng, 30) : 0);
    event->status = one_in(rng, 2) ? ERR_FULL : ERR_IO;
    event->on = one_in(rng, 2);
    event->lever = one_in(rng, 3) ? LEVER_ALTERNATIVES : one_in(rng, 2) ? LEVER_SEMANTIC_CACHE : LEVER_EXACT_CACHE;
    event->setting = rng_below(rng, chaos_setting_count());
    event->backend = rng_below(rng, CHAOS_BACKENDS);
    write_habits(rng, event->backend, &event->habits);
}

static int
by_step(const void *a, const void *b)
{
    const struct chaos_event *left = a, *right = b;

    return (left->step > right->step) - (left->step < right->step);
}

/* Many that ask few things, one after another, of a provider that mostly answers: what was said once is there for others. */
static void
write_talkative(struct rng *rng, struct chaos_script *script, usec *within_us)
{
    script->equals = true;
    script->client_count = 6 + rng_below(rng, CHAOS_CLIENTS_MOST - 6);
    *within_us = 60 * USEC_PER_S;
    for (size_t i = 0; i < CHAOS_BACKENDS; i++) {
        struct provider *provider = &script->habits[i].provider;

        provider->status = one_in(rng, 6) ? provider->status : 0;
        provider->cut_after = one_in(rng, 6) ? provider->cut_after : 0;
        provider->stuck_after = one_in(rng, 6) ? provider->stuck_after : 0;
    }
}

void
chaos_write(uint64_t seed, struct chaos_script *script)
{
    static const enum api same[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_EMBEDDINGS, API_MESSAGES};
    const enum api *alike = NULL;
    struct rng rng;
    usec within_us;

    rng_seed(&rng, rng_mix(seed));
    script->seed = seed;
    script->workers = 1 + (unsigned)rng_below(&rng, 4);
    script->setting = rng_below(&rng, chaos_setting_count());
    script->equals = one_in(&rng, 2);
    script->split_answers = one_in(&rng, 2);
    script->hop_most_us = one_in(&rng, 4) ? 20 * USEC_PER_MS : 0;
    for (size_t i = 0; i < CHAOS_BACKENDS; i++)
        write_habits(&rng, i, &script->habits[i]);
    /* Mostly a handful; now and then many in the same moment, or one after another. */
    within_us = one_in(&rng, 6) ? 2 * USEC_PER_MS : one_in(&rng, 3) ? 60 * USEC_PER_S : 3 * USEC_PER_S;
    script->client_count = 1 + rng_below(&rng, one_in(&rng, 30) ? CHAOS_CLIENTS_MOST : 9);
    if (chaos_setting(script->setting)->earned && !one_in(&rng, 4))
        write_talkative(&rng, script, &within_us);
    if (one_in(&rng, 3)) /* most ask the same */
        alike = &same[rng_below(&rng, sizeof(same) / sizeof(same[0]))];
    for (size_t i = 0; i < script->client_count; i++)
        write_client(&rng, script, i, within_us, one_in(&rng, 4) ? NULL : alike);
    script->event_count = rng_below(&rng, one_in(&rng, 10) ? CHAOS_EVENTS_MOST + 1 : 5);
    for (size_t i = 0, reloads = 0; i < script->event_count; i++) {
        write_event(&rng, script->client_count, &script->events[i]);
        if (script->events[i].kind == CHAOS_RELOAD && ++reloads > RELOADS_MOST)
            script->events[i].kind = CHAOS_BYPASS;
    }
    qsort(script->events, script->event_count, sizeof(script->events[0]), by_step);
}

size_t
chaos_parts(const struct chaos_script *script)
{
    return script->client_count + script->event_count;
}

bool *
chaos_part(struct chaos_script *script, size_t part)
{
    ENSURE(part < chaos_parts(script));
    if (part < script->client_count)
        return &script->clients[part].dropped;
    return &script->events[part - script->client_count].dropped;
}

/* To text */

static double
ms(usec span_us)
{
    return (double)span_us / USEC_PER_MS;
}

static void
print_habits(const struct chaos_habits *habits, const char *name, FILE *to)
{
    static const char *const places[] = {"in its own chunk", "with the last words", "nowhere"};
    const struct provider *p = &habits->provider;

    fprintf(to,
            "%s: %u words after %.0f ms, one each %.0f ms; usage %s: input %" PRId64 ", cached %" PRId64
            ", output %" PRId64,
            name, p->words, ms(p->first_word_us), ms(p->word_gap_us), places[p->usage_place], p->input, p->cached,
            p->output);
    if (p->cache_write_5m + p->cache_write_1h > 0)
        fprintf(to, ", written %" PRId64 " + %" PRId64, p->cache_write_5m, p->cache_write_1h);
    if (p->status != 0)
        fprintf(to, "; status %u", p->status);
    if (p->cut_after != 0)
        fprintf(to, "; cuts after %u words", p->cut_after);
    if (p->stuck_after != 0)
        fprintf(to, "; is stuck after %u words", p->stuck_after);
    fprintf(to, "%s%s%s%s%s%s%s%s\n", p->no_done ? "; no [DONE]" : "", p->pings ? "; pings" : "",
            p->multi_line ? "; events over lines" : "", p->byte_by_byte ? "; byte by byte" : "",
            p->repeats_input ? "; repeats the input" : "", habits->refusing ? "; refuses connections" : "",
            habits->silent ? "; is silent" : "", habits->stale ? "; kept connections break" : "");
}

static void
print_client(const struct chaos_client *client, size_t number, FILE *to)
{
    const struct ask *ask = &client->ask;
    const struct vclient_script *conduct = &ask->client;

    fprintf(to, "client %zu: after %.1f ms, worker %u: %s%s", number, ms(conduct->after_us), conduct->worker,
            ask->target != NULL ? ask->target : api_name(ask->api), ask->stream ? ", streamed" : "");
    if (ask->text != NULL)
        fprintf(to, ", \"%s\"", ask->text);
    fprintf(to, "%s%s%s%s%s%s%s%s", client->rival ? ", of the rival" : "", ask->wants_usage ? ", wants usage" : "",
            client->known_key ? "" : ", wrong key", ask->model != NULL ? ", no such model" : "",
            ask->body != NULL ? ", half a body" : "", conduct->chunked ? ", chunked" : "",
            conduct->body_breaks ? ", breaks its framing" : "", conduct->body_stalls ? ", stalls" : "");
    if (conduct->piece_len != 0)
        fprintf(to, ", sends %zu bytes at a time", conduct->piece_len);
    if (conduct->read_gap_us != 0)
        fprintf(to, ", reads %zu bytes each %.1f ms", conduct->read_len, ms(conduct->read_gap_us));
    if (conduct->leaves_after_us != 0)
        fprintf(to, ", leaves after %.0f ms", ms(conduct->leaves_after_us));
    if (conduct->leaves_at_byte != 0)
        fprintf(to, ", leaves at byte %zu", conduct->leaves_at_byte);
    if (slice_find(slice_of(client->headers), SLICE_LITERAL("idempotency")) < strlen(client->headers))
        fprintf(to, ", %.*s", 19, strstr(client->headers, "idempotency"));
    fputc('\n', to);
}

static void
print_event(const struct chaos_event *event, size_t number, FILE *to)
{
    fprintf(to, "event %zu: before step %" PRIu64 ": ", number, event->step);
    switch (event->kind) {
    case CHAOS_CLIENTS_LEAVE:
        fputs("all clients leave\n", to);
        break;
    case CHAOS_CALLS_CUT:
        fputs("all calls are cut\n", to);
        break;
    case CHAOS_APPENDS_FAIL:
        fprintf(to, "%" PRIu64 " appends fail: %s\n", event->count, status_text(event->status));
        break;
    case CHAOS_WALL_JUMPS:
        fprintf(to, "the wall clock jumps by %.0f s\n", ms(event->jump_us) / 1000);
        break;
    case CHAOS_BYPASS:
        fprintf(to, "bypass %s\n", event->on ? "on" : "off");
        break;
    case CHAOS_LEVER_SET:
        fprintf(to, "%s is set to %s\n", lever_name(event->lever), event->on ? "on" : "shadow");
        break;
    case CHAOS_RELOAD:
        fprintf(to, "reload of configuration \"%s\"\n", chaos_setting(event->setting)->name);
        break;
    case CHAOS_BACKEND_CHANGES:
        print_habits(&event->habits, backend_names[event->backend], to);
        break;
    }
}

static void
print_command(const struct chaos_script *script, FILE *to)
{
    const char *between = " --drop ";

    fprintf(to, "Again: chaos%s --seed %" PRIu64, script->killed ? " --kill" : "", script->seed);
    for (size_t i = 0; i < script->client_count + script->event_count; i++) {
        bool client = i < script->client_count;
        size_t number = client ? i : i - script->client_count;

        if (!(client ? script->clients[number].dropped : script->events[number].dropped))
            continue;
        fprintf(to, "%s%c%zu", between, client ? 'c' : 'e', number);
        between = ",";
    }
    fputc('\n', to);
}

void
chaos_print(const struct chaos_script *script, FILE *to)
{
    fprintf(to, "Script of seed %" PRIu64 ": %u workers, configuration \"%s\"%s, hops of up to %.1f ms\n", script->seed,
            script->workers, chaos_setting(script->setting)->name,
            script->split_answers ? ", answers split anywhere" : "",
            script->hop_most_us != 0 ? ms(script->hop_most_us) : 0.3);
    for (size_t i = 0; i < CHAOS_BACKENDS; i++)
        print_habits(&script->habits[i], backend_names[i], to);
    for (size_t i = 0; i < script->client_count; i++)
        if (!script->clients[i].dropped)
            print_client(&script->clients[i], i, to);
    for (size_t i = 0; i < script->event_count; i++)
        if (!script->events[i].dropped)
            print_event(&script->events[i], i, to);
    print_command(script, to);
}
