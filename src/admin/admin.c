#include "admin/admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/visit.h"
#include "base/hash.h"
#include "gateway/origin.h"

enum { BODY_BYTES_MOST = 4096 };

struct admin {
    struct application app; /* first */
    struct admin_options options;
    struct list visits; /* under way */
    struct visit_line line;
};

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

/* No browser can leave the name out; the listener is bound to a loopback address. */
static bool
is_meant(const struct admin *admin, const struct http_head *head)
{
    struct slice host = http_head_get(head, "host");

    return admin->options.health_only || host.len == 0 || origin_is_loopback(host);
}

static void
page_alive(struct visit *visit, struct slice rest)
{
    (void)rest;
    visit_reply_text(visit, 200, "ok\n");
}

static void
page_ready(struct visit *visit, struct slice rest)
{
    const struct admin_options *options = visit->options;
    const char *why = options->unready != NULL ? options->unready(options->context) : NULL;

    (void)rest;
    if (why == NULL)
        visit_reply_text(visit, 200, "ready\n");
    else
        visit_reply_text(visit, 503, why);
}

static const struct page pages[] = {
    {.path = "/healthz", .health_too = true, .get = page_alive},
    {.path = "/readyz", .health_too = true, .get = page_ready},
    {.path = "/metrics", .health_too = true, .get = page_metrics},
    {.path = "/live", .get = page_live},
    {.path = "/fleet", .get = page_fleet},
    {.path = "/requests/", .has_rest = true, .get = page_row},
    {.path = "/bypass", .get = page_bypass, .post = page_set_bypass},
    {.path = "/cache", .get = page_cache, .post = page_purge},
    {.path = "/budgets", .get = page_budgets},
    {.path = "/replicas", .get = page_replicas},
    {.path = "/alert", .post = page_alert},
    {.path = "/levers", .get = page_levers, .post = page_set_lever},
    {.path = "/reload", .post = page_reload},
};

static const struct page *
find_page(const struct admin *admin, struct slice path)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        const struct page *page = &pages[i];

        if ((page->health_too || !admin->options.health_only) &&
            (page->has_rest ? slice_starts(path, page->path) : slice_is(path, page->path)))
            return page;
    }
    return NULL;
}

/* All that there is here; a page with more to its path is meant by that. */
static void
reply_unknown(struct visit *visit)
{
    buffer_add_text(&visit->text, "known are");
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (pages[i].health_too || !visit->options->health_only)
            buffer_printf(&visit->text, "%s %s%s", i > 0 ? "," : "", pages[i].path, pages[i].has_rest ? "ID" : "");
    buffer_add_byte(&visit->text, '\n');
    visit_reply(visit, 404, "text/plain; charset=utf-8", buffer_content(&visit->text));
}

static struct visit *
visit_new(struct admin *admin, struct client *client, const struct http_head *head)
{
    struct visit *visit = must_calloc(1, sizeof(*visit));
    struct slice who = slice_first(http_head_get(head, "x-equipoise-who"), VISIT_WHO_SIZE - 1);

    visit->admin = admin;
    visit->options = &admin->options;
    visit->line = &admin->line;
    visit->world = admin->app.world;
    visit->client = client;
    visit->from = *visit->world->ops->client_address(visit->world, client);
    snprintf(visit->who, sizeof(visit->who), "%.*s", SLICE_ARGS(who));
    client->user = visit;
    list_append(&admin->visits, &visit->link);
    return visit;
}

static enum body_mode
on_head(struct application *app, struct client *client, const struct http_head *head, size_t *body_most)
{
    struct admin *admin = (struct admin *)app;
    struct slice path = slice_first(head->target, slice_find_byte(head->target, '?'));
    struct visit *visit = visit_new(admin, client, head);
    const struct page *page = visit->page = find_page(admin, path);
    bool sets = slice_is(head->method, "POST") && page != NULL && page->post != NULL;

    *body_most = BODY_BYTES_MOST;
    if (!is_meant(admin, head)) {
        visit_reply_text(visit, 403,
                         "the admin pages answer to localhost, 127.0.0.1 and [::1] only, not to the name in the "
                         "request's Host header; ask for http://127.0.0.1:PORT instead\n");
    } else if (!origin_may_ask(head)) {
        visit_reply_text(visit, 403, "a page of another site asks (Origin header); that is not served\n");
    } else if (!may_enter(admin, head)) {
        visit_reply_text(visit, 401, "send 'Authorization: Bearer TOKEN' with the token of the configuration\n");
    } else if (sets && slice_is_nocase(slice_first(http_head_get(head, "content-type"), 16), "application/json")) {
        return BODY_COLLECT; /* the type keeps pages of other sites from setting it through a browser */
    } else if (sets) {
        visit_reply_text(visit, 415, "send JSON, with 'content-type: application/json'\n");
    } else if (!slice_is(head->method, "GET")) {
        visit_reply_text(visit, 405, "this takes GET\n");
    } else if (page != NULL && page->get == NULL) {
        visit_reply_text(visit, 405, "this takes POST\n");
    } else if (page == NULL) {
        reply_unknown(visit);
    } else {
        page->get(visit, slice_from(path, strlen(page->path)));
    }
    return BODY_REFUSED;
}

static void
on_request(struct application *app, struct client *client, struct chunk *body)
{
    struct visit *visit = client->user;

    (void)app;
    visit->page->post(visit, chunk_bytes(body));
}

static void
on_bad_body(struct application *app, struct client *client, unsigned status)
{
    (void)app;
    visit_reply_text(client->user, status, "the body could not be read\n");
}

static void
on_drained(struct application *app, struct client *client)
{
    (void)app;
    visit_push(client->user);
}

static void
on_gone(struct application *app, struct client *client)
{
    struct visit *visit = client->user;

    (void)app;
    visit->client = NULL;
    if (visit->busy == 0)
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
    list_init(&admin->line.waiting);
    return &admin->app;
}

void
admin_free(struct application *app)
{
    struct admin *admin = (struct admin *)app;

    ENSURE(list_empty(&admin->visits));
    free(admin);
}
