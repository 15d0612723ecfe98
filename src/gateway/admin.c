#include "gateway/admin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/ip.h"
#include "base/text.h"
#include "gateway/exchange.h"
#include "gateway/round.h"

enum { BODY_BYTES_MOST = 4096, LIVE_MOST = 1000 };

struct admin {
    struct application app; /* first */
    struct admin_options options;
    struct list visits; /* under way */
};

/* One admin's request under way. It waits for a body, for all workers, or for the ledger; `client` is NULL once it has
 * left. */
struct visit {
    struct list link;
    struct admin *admin;
    struct client *client;
    struct round round;
    struct job job;
    uint64_t id;
    enum status status;
    size_t listed;
    struct buffer text, unsent;
    bool busy; /* a message or job is under way: it may not be freed */
};

static void
visit_end(struct visit *visit)
{
    list_remove(&visit->link);
    buffer_free(&visit->text);
    buffer_free(&visit->unsent);
    free(visit);
}

/* Sends what is left; true if all is out and the client is done with. */
static bool
push(struct visit *visit)
{
    struct slice left = buffer_content(&visit->unsent);

    buffer_consume(&visit->unsent, client_write(visit->client, left));
    if (buffer_len(&visit->unsent) > 0)
        return false;
    client_finish(visit->client);
    visit_end(visit);
    return true;
}

static void
reply(struct visit *visit, unsigned status, const char *type, struct slice body)
{
    struct http_header headers[] = {{SLICE_LITERAL("content-type"), slice_of(type)},
                                    {SLICE_LITERAL("cache-control"), SLICE_LITERAL("no-store")}};

    client_answer(visit->client, &(struct http_answer){status, headers, 2, (int64_t)body.len});
    buffer_add(&visit->unsent, body);
    push(visit);
}

static void
reply_text(struct visit *visit, unsigned status, const char *text)
{
    reply(visit, status, "text/plain; charset=utf-8", slice_of(text));
}

static void
reply_json(struct visit *visit, unsigned status, struct slice json)
{
    reply(visit, status, "application/json", json);
}

/* Metrics */

static void
put_gauges(struct gateway *gateway, struct buffer *out)
{
    int64_t begun = gateway_count(gateway, COUNT_REQUESTS), ended = gateway_count(gateway, COUNT_ROWS_LOST);

    for (unsigned which = COUNT_ENDED_OK; which <= COUNT_ENDED_INVALID; which++)
        ended += gateway_count(gateway, (enum counter)which);
    buffer_printf(out,
                  "# HELP equipoise_requests_in_flight Identified requests that have no row yet\n"
                  "# TYPE equipoise_requests_in_flight gauge\nequipoise_requests_in_flight %" PRId64 "\n"
                  "# HELP equipoise_bypass 1 while everything goes to the reference\n"
                  "# TYPE equipoise_bypass gauge\nequipoise_bypass %d\n",
                  begun > ended ? begun - ended : 0, atomic_load(&gateway->bypass));
}

static void
serve_metrics(struct visit *visit)
{
    struct admin *admin = visit->admin;
    struct gateway *gateway = admin->options.gateway;
    const struct counters *sets[WORKERS_MOST];

    for (unsigned i = 0; i < gateway->worker_count; i++)
        sets[i] = &gateway->workers[i]->counters;
    counters_print(sets, gateway->worker_count, &visit->text);
    put_gauges(gateway, &visit->text);
    if (admin->options.more_metrics != NULL)
        admin->options.more_metrics(admin->options.context, &visit->text);
    reply(visit, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_content(&visit->text));
}

/* Live requests: every worker in turn writes down its own. */

static void
put_live(struct round *round, struct gateway_worker *worker)
{
    struct visit *visit = CONTAINER_OF(round, struct visit, round);
    usec now_us = world_now_us(worker_world(worker));

    LIST_EACH(&worker->exchanges, node, after)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, link);

        if (!exchange_live(exchange) || visit->listed == LIVE_MOST)
            continue;
        buffer_printf(&visit->text, "%s{\"id\":\"%s\",\"state\":\"%s\",\"api\":\"%s\",\"key\":\"",
                      visit->listed++ > 0 ? "," : "", exchange->id_text, exchange_state_name(exchange->state),
                      api_name(exchange->identity.api));
        buffer_add_json(&visit->text, slice_of(exchange->identity.key != NULL ? exchange->identity.key->name : ""));
        buffer_add_text(&visit->text, "\",\"model\":\"");
        if (exchange->state != EXCHANGE_PARSING) /* then another thread may be writing the facts */
            buffer_add_json(&visit->text, exchange->facts.model);
        buffer_add_text(&visit->text, "\",\"target\":\"");
        buffer_add_json(&visit->text, slice_of(exchange->plan != NULL ? exchange->plan->target->name : ""));
        buffer_printf(&visit->text, "\",\"age_ms\":%" PRId64 ",\"answer_bytes\":%" PRId64 "}",
                      (now_us - exchange->arrived_us) / USEC_PER_MS,
                      exchange->cursor.flight != NULL ? flight_answer_bytes(exchange->cursor.flight) : (int64_t)0);
    }
}

static void
live_done(struct round *round)
{
    struct visit *visit = CONTAINER_OF(round, struct visit, round);

    visit->busy = false;
    if (visit->client == NULL) {
        visit_end(visit);
        return;
    }
    buffer_add_text(&visit->text, "]}");
    reply_json(visit, 200, buffer_content(&visit->text));
}

static void
serve_live(struct visit *visit)
{
    buffer_add_text(&visit->text, "{\"requests\":[");
    visit->busy = true;
    visit->round.visit = put_live;
    visit->round.home_again = live_done;
    round_start(&visit->round, visit->admin->options.gateway, visit->admin->app.world);
}

/* One row, read off the loop. */

static void
run_row(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);
    const struct admin_options *options = &visit->admin->options;

    visit->status = options->row_json(options->context, visit->id, &visit->text);
}

static void
row_done(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);

    visit->busy = false;
    if (visit->client == NULL)
        visit_end(visit);
    else if (visit->status == OK)
        reply_json(visit, 200, buffer_content(&visit->text));
    else if (visit->status == ERR_NOT_FOUND)
        reply_text(visit, 404, "no such request in the ledger\n");
    else
        reply_text(visit, 500, "the ledger could not be read\n");
}

static void
serve_row(struct visit *visit, struct slice id)
{
    struct world *world = visit->admin->app.world;

    if (visit->admin->options.row_json == NULL || text_parse_id(id, &visit->id) != OK) {
        reply_text(visit, 404, "an id has 13 letters and digits, as x-equipoise-id says\n");
        return;
    }
    visit->busy = true;
    visit->job.run = run_row;
    visit->job.done = row_done;
    world->ops->work(world, &visit->job);
}

/* Bypass */

static void
reply_bypass(struct visit *visit)
{
    bool on = atomic_load(&visit->admin->options.gateway->bypass);

    reply_json(visit, 200, on ? SLICE_LITERAL("{\"bypass\":true}") : SLICE_LITERAL("{\"bypass\":false}"));
}

static void
set_bypass(struct visit *visit, struct slice body)
{
    struct gateway *gateway = visit->admin->options.gateway;
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NOFLAG);
    yyjson_val *on = yyjson_obj_get(yyjson_doc_get_root(doc), "on");
    bool told = yyjson_is_bool(on), value = yyjson_get_bool(on);

    yyjson_doc_free(doc);
    if (!told) {
        reply_text(visit, 400, "send {\"on\": true} or {\"on\": false}\n");
        return;
    }
    atomic_store(&gateway->bypass, value);
    log_line(gateway->log, LOG_WARN, "bypass is %s: %s", value ? "on" : "off",
             value ? "everything goes to the reference" : "the levers work again");
    reply_bypass(visit);
}

/* The application */

/* The token, if one is set, in a time that does not depend on where it differs. */
static bool
may_enter(const struct admin *admin, const struct http_head *head)
{
    struct slice given = http_head_get(head, "authorization");
    struct digest want, have;

    if (admin->options.token == NULL)
        return true;
    if (given.len < 7 || strncasecmp(given.data, "bearer ", 7) != 0)
        return false;
    want = hash_sha256(slice_of(admin->options.token));
    have = hash_sha256(slice_from(given, 7));
    return digest_equal(&want, &have);
}

/* "name", "name:port", "[address]:port": without its port and brackets. */
static struct slice
host_alone(struct slice authority)
{
    if (slice_starts(authority, "["))
        return slice_first(slice_from(authority, 1), slice_find_byte(slice_from(authority, 1), ']'));
    return slice_first(authority, slice_find_byte(authority, ':'));
}

/* A page of another site can make a browser that runs here come to us under its own name, by pointing that name to
 * loopback (DNS rebinding). No browser can leave the name out; the listener is bound to a loopback address. */
static bool
is_meant(const struct admin *admin, const struct http_head *head)
{
    struct slice host = http_head_get(head, "host");
    struct ip ip;

    if (admin->options.health_only || host.len == 0)
        return true;
    host = host_alone(host);
    return slice_is_nocase(host, "localhost") || (ip_parse(host, &ip) == OK && ip_is_loopback(&ip));
}

static void
serve_page(struct visit *visit, struct slice path)
{
    bool all = !visit->admin->options.health_only;

    if (slice_is(path, "/healthz"))
        reply_text(visit, 200, "ok\n");
    else if (slice_is(path, "/readyz"))
        reply_text(visit, 200, "ready\n");
    else if (slice_is(path, "/metrics"))
        serve_metrics(visit);
    else if (all && slice_is(path, "/live"))
        serve_live(visit);
    else if (all && slice_is(path, "/bypass"))
        reply_bypass(visit);
    else if (all && slice_starts(path, "/requests/"))
        serve_row(visit, slice_from(path, strlen("/requests/")));
    else
        reply_text(visit, 404, "known are /healthz, /readyz, /metrics, /live, /requests/ID, /bypass\n");
}

static enum body_mode
on_head(struct application *app, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct admin *admin = (struct admin *)app;
    struct slice path = slice_first(head->target, slice_find_byte(head->target, '?'));
    struct visit *visit = must_calloc(1, sizeof(*visit));
    bool sets = slice_is(head->method, "POST") && slice_is(path, "/bypass") && !admin->options.health_only;

    visit->admin = admin;
    visit->client = client;
    client->user = visit;
    list_append(&admin->visits, &visit->link);
    *body_most = BODY_BYTES_MOST;
    if (!is_meant(admin, head)) {
        reply_text(visit, 403,
                   "the admin pages answer to localhost, 127.0.0.1 and [::1] only, not to the name in the request's "
                   "Host header; ask for http://127.0.0.1:PORT instead\n");
    } else if (!may_enter(admin, head)) {
        reply_text(visit, 401, "send 'Authorization: Bearer TOKEN' with the token of the configuration\n");
    } else if (sets && slice_is_nocase(slice_first(http_head_get(head, "content-type"), 16), "application/json")) {
        return BODY_COLLECT; /* the type keeps pages of other sites from setting it through a browser */
    } else if (sets) {
        reply_text(visit, 415, "send JSON, with 'content-type: application/json'\n");
    } else if (!slice_is(head->method, "GET")) {
        reply_text(visit, 405, "this takes GET\n");
    } else {
        serve_page(visit, path);
    }
    return BODY_REFUSED;
}

static void
on_request(struct application *app, struct client *client, struct chunk *body)
{
    (void)app;
    set_bypass(client->user, chunk_bytes(body));
}

static void
on_bad_body(struct application *app, struct client *client, unsigned status)
{
    (void)app;
    reply_text(client->user, status, "the body could not be read\n");
}

static void
on_drained(struct application *app, struct client *client)
{
    (void)app;
    push(client->user);
}

static void
on_gone(struct application *app, struct client *client)
{
    struct visit *visit = client->user;

    (void)app;
    visit->client = NULL;
    if (!visit->busy)
        visit_end(visit);
}

static const struct application_ops admin_ops = {
    .head = on_head,
    .request = on_request,
    .bad_body = on_bad_body,
    .drained = on_drained,
    .gone = on_gone,
};

struct application *
admin_new(struct world *world, const struct admin_options *options)
{
    struct admin *admin = must_calloc(1, sizeof(*admin));

    admin->app = (struct application){.ops = &admin_ops, .world = world};
    admin->options = *options;
    list_init(&admin->visits);
    return &admin->app;
}

void
admin_free(struct application *app)
{
    struct admin *admin = (struct admin *)app;

    ENSURE(list_empty(&admin->visits));
    free(admin);
}
