/* The admin's pages that change something: what they set holds on all workers before they answer. */
#include <stdlib.h>
#include <yyjson.h>

#include "admin/visit.h"
#include "base/text.h"
#include "config/lever_setting.h"
#include "gateway/running/switches.h"

/* Bypass */

static void
reply_bypass(struct visit *visit)
{
    bool on = atomic_load(&visit->options->gateway->bypass);

    buffer_clear(&visit->text);
    buffer_printf(&visit->text, "{\"bypass\":%s,\"recorded\":%s}", on ? "true" : "false",
                  visit->status == OK ? "true" : "false");
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

void
page_bypass(struct visit *visit, struct slice rest)
{
    bool on = atomic_load(&visit->options->gateway->bypass);

    (void)rest;
    visit_reply_json(visit, 200, on ? SLICE_LITERAL("{\"bypass\":true}") : SLICE_LITERAL("{\"bypass\":false}"));
}

void
page_set_bypass(struct visit *visit, struct slice json)
{
    struct gateway *gateway = visit->options->gateway;
    yyjson_doc *doc = yyjson_read(json.data, json.len, YYJSON_READ_NOFLAG);
    yyjson_val *on = yyjson_obj_get(yyjson_doc_get_root(doc), "on");
    bool told = yyjson_is_bool(on), value = yyjson_get_bool(on), before;

    yyjson_doc_free(doc);
    if (!told) {
        visit_reply_text(visit, 400, "send {\"on\": true} or {\"on\": false}\n");
        return;
    }
    before = atomic_exchange(&gateway->bypass, value);
    log_line(gateway->log, LOG_WARN, "bypass is %s: %s", value ? "on" : "off",
             value ? "everything goes to the reference" : "the levers work again");
    if (before != value)
        visit_changed(visit, (struct change){.what = SLICE_LITERAL("bypass"),
                                             .name = SLICE_LITERAL("all"),
                                             .before = slice_of(before ? "on" : "off"),
                                             .after = slice_of(value ? "on" : "off")});
    visit_record(visit, reply_bypass);
}

/* Levers */

static void
put_lever(struct visit *visit, const struct route_config *route, enum lever_id lever)
{
    const struct lever_setting *set = switches_look(visit->options->gateway->switches, slice_of(route->name), lever);
    char now[LEVER_TEXT_SIZE], file[LEVER_TEXT_SIZE];

    lever_setting_format(set != NULL ? *set : route->levers[lever], now);
    lever_setting_format(route->levers[lever], file);
    buffer_add_text(&visit->text, visit->listed++ > 0 ? ",{\"route\":\"" : "{\"route\":\"");
    buffer_add_json(&visit->text, slice_of(route->name));
    buffer_printf(&visit->text, "\",\"lever\":\"%s\",\"mode\":\"%s\",\"file\":\"%s\",\"set_by\":\"%s\"}",
                  lever_name(lever), now, file, set != NULL ? "run time" : "file");
}

static void
put_levers(struct visit *visit)
{
    const struct gateway *gateway = visit->options->gateway;
    const struct config *config = gateway->snapshot->config;

    buffer_clear(&visit->text);
    buffer_add_text(&visit->text, "{\"levers\":[");
    for (size_t i = 0; i < config->route_count; i++)
        for (unsigned lever = 0; lever < LEVER_COUNT; lever++)
            put_lever(visit, &config->routes[i], (enum lever_id)lever);
    buffer_printf(&visit->text, "],\"bypass\":%s,\"observe\":%s", atomic_load(&gateway->bypass) ? "true" : "false",
                  config->observe ? "true" : "false");
}

void
page_levers(struct visit *visit, struct slice rest)
{
    (void)rest;
    put_levers(visit);
    buffer_add_byte(&visit->text, '}');
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

static void
reply_levers(struct visit *visit)
{
    put_levers(visit);
    buffer_printf(&visit->text, ",\"recorded\":%s}", visit->status == OK ? "true" : "false");
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

/* What the body asks for. */
struct lever_order {
    const char *route; /* NULL: all */
    enum lever_id lever;
    bool by_file;
    struct lever_setting setting;
};

static void
say_no_route(const struct config *config, struct slice name, struct buffer *why)
{
    const char *nearest = NULL;

    for (size_t i = 0; i < config->route_count; i++) {
        const char *words[] = {nearest, config->routes[i].name};

        nearest = text_nearest(name, words + (nearest == NULL), nearest != NULL ? 2 : 1);
    }
    buffer_printf(why, "there is no route '%.*s'", SLICE_ARGS(name));
    buffer_printf(why, nearest != NULL ? "; did you mean '%s'?\n" : "; `equipoise lever` lists what there is%s\n",
                  nearest != NULL ? nearest : "");
}

static void
say_no_lever(struct slice name, struct buffer *why)
{
    buffer_printf(why, "there is no lever '%.*s'; known are", SLICE_ARGS(name));
    for (unsigned id = 0; id < LEVER_COUNT; id++)
        buffer_printf(why, "%s %s", id > 0 ? "," : "", lever_name((enum lever_id)id));
    buffer_add_byte(why, '\n');
}

static struct slice
text_of(yyjson_val *root, const char *name)
{
    yyjson_val *value = yyjson_obj_get(root, name);

    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* False: `why` says what is wrong. */
static bool
read_order(yyjson_val *root, const struct config *config, struct lever_order *out, struct buffer *why)
{
    struct slice route = text_of(root, "route"), lever = text_of(root, "lever"), to = text_of(root, "to");
    const struct route_config *found = config_route(config, route);

    *out = (struct lever_order){.route = found != NULL ? found->name : NULL, .by_file = slice_is(to, "file")};
    if (route.len == 0 || lever.len == 0 || to.len == 0)
        buffer_add_text(why, "send {\"route\": NAME or \"all\", \"lever\": NAME, \"to\": \"off\"}\n");
    else if (found == NULL && !slice_is(route, "all"))
        say_no_route(config, route, why);
    else if (lever_by_name(lever, &out->lever) != OK)
        say_no_lever(lever, why);
    else if (!out->by_file && lever_setting_parse(to, &out->setting) != OK)
        buffer_printf(why, "'%.*s' is no mode of a lever; expected off, shadow, on, on:5%% or file\n", SLICE_ARGS(to));
    return buffer_len(why) == 0;
}

struct lever_visit {
    struct switching switching;
    struct visit *visit;
};

static void
lever_set(struct switching *switching)
{
    struct lever_visit *order = CONTAINER_OF(switching, struct lever_visit, switching);
    struct visit *visit = order->visit;

    free(order);
    if (visit_goes_on(visit))
        reply_levers(visit);
}

static void
tell_switch(void *context, const char *route, enum lever_id lever, const char *before, const char *after)
{
    struct visit *visit = context;
    struct buffer name = {0};

    buffer_printf(&name, "%s %s", route != NULL ? route : "all", lever_name(lever));
    log_line(visit->options->gateway->log, LOG_WARN, "lever %.*s: set at run time to %s, was %s",
             SLICE_ARGS(buffer_content(&name)), after != NULL ? after : "what the file says",
             before != NULL ? before : "what the file says");
    visit_changed(visit, (struct change){.what = SLICE_LITERAL("lever at run time"),
                                         .name = buffer_content(&name),
                                         .before = slice_of(before),
                                         .after = slice_of(after)});
    buffer_free(&name);
}

static void
start_switching(struct visit *visit, const struct lever_order *wanted)
{
    struct gateway *gateway = visit->options->gateway;
    struct lever_visit *order = must_calloc(1, sizeof(*order));
    struct switches *switches =
        switches_with(gateway->switches, wanted->route, wanted->lever, wanted->by_file ? NULL : &wanted->setting);

    switches_differ(gateway->switches, switches, tell_switch, visit);
    order->visit = visit;
    order->switching.done = lever_set;
    visit->busy++;
    switching_start(&order->switching, gateway, visit->world, switches);
    switches_release(switches);
    visit_record(visit, reply_levers); /* while the round is under way: where that ends, no work may begin any more */
}

void
page_set_lever(struct visit *visit, struct slice json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, YYJSON_READ_NOFLAG);
    struct lever_order order;
    struct buffer why = {0};

    if (read_order(yyjson_doc_get_root(doc), visit->options->gateway->snapshot->config, &order, &why))
        start_switching(visit, &order);
    else
        visit_reply(visit, 400, "text/plain; charset=utf-8", buffer_content(&why));
    buffer_free(&why);
    yyjson_doc_free(doc);
}

/* Reload */

static void
reloaded(struct reload_waiter *waiter, enum status status, struct slice words)
{
    struct visit *visit = CONTAINER_OF(waiter, struct visit, waiter);

    if (visit_goes_on(visit))
        visit_reply(visit, status == OK ? 200 : status == ERR_STOPPING ? 503 : 422, "text/plain; charset=utf-8", words);
}

void
page_reload(struct visit *visit, struct slice json)
{
    (void)json; /* there is nothing to say but that it shall be done */
    if (visit->options->reloader == NULL) {
        visit_reply_text(visit, 409,
                         "the gateway was started without a configuration file, so there is none to read again\n");
        return;
    }
    visit->busy++;
    visit->waiter.told = reloaded;
    reloader_ask(visit->options->reloader, &visit->waiter);
}
