/* `equipoise cache stats|purge`: the stored answers of a running gateway. */
#include <stdio.h>
#include <yyjson.h>

#include "base/text.h"
#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

struct cache_order {
    const char *admin, *tenant, *key, *route, *model;
    bool all, json;
};

static unsigned long long
count_of(yyjson_val *root, const char *name)
{
    return (unsigned long long)yyjson_get_uint(yyjson_obj_get(root, name));
}

static void
say_file(yyjson_val *file)
{
    if (yyjson_is_null(file)) {
        puts("file      none: what is stored ends with the gateway (cache: path keeps it)");
        return;
    }
    printf("file      %llu bytes; %llu entries came from it at the start\n", count_of(file, "bytes"),
           count_of(file, "loaded"));
    if (count_of(file, "damaged") > 0)
        printf("          %llu places in it were damaged and left out\n", count_of(file, "damaged"));
    if (count_of(file, "failed") > 0)
        printf("          %llu writes failed\n", count_of(file, "failed"));
}

static void
say_stats(yyjson_val *root)
{
    unsigned long long hits = count_of(root, "hits"), lookups = hits + count_of(root, "misses");

    printf("entries   %llu in %llu of %llu bytes\n", count_of(root, "entries"), count_of(root, "bytes"),
           count_of(root, "bytes_most"));
    printf("look-ups  %llu, of which %llu found an answer\n", lookups, hits);
    printf("gone      %llu for want of room, %llu past their time, %llu purged\n", count_of(root, "evicted"),
           count_of(root, "expired"), count_of(root, "purged"));
    say_file(yyjson_obj_get(root, "file"));
}

static int
say(const struct cache_order *order, bool purged, struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    int exit_status = CMD_FINE;

    if (!yyjson_is_obj(root)) {
        cmd_complain("cache: the gateway's answer makes no sense");
        exit_status = CMD_FAILED;
    } else if (order->json) {
        printf("%.*s\n", SLICE_ARGS(answer));
    } else if (purged) {
        printf("%llu entries dropped, %llu are left\n", count_of(root, "dropped"), count_of(root, "entries"));
    } else {
        say_stats(root);
    }
    if (exit_status == CMD_FINE && purged) {
        admin_say_recorded(answer);
        if (yyjson_is_false(yyjson_obj_get(root, "on_disk"))) {
            cmd_complain("cache: the file could not be written and still has them; the gateway goes on trying");
            exit_status = CMD_FAILED;
        }
    }
    yyjson_doc_free(doc);
    return exit_status;
}

/* The purge's order as JSON; false unless exactly one thing is named. */
static bool
write_order(const struct cache_order *order, struct buffer *out)
{
    const char *const names[] = {order->tenant, order->key, order->route, order->model};
    static const char *const words[] = {"tenant", "key", "route", "model"};
    unsigned told = order->all;

    if (order->all)
        buffer_add_text(out, "{\"purge\":\"all\"}");
    for (unsigned i = 0; i < 4; i++) {
        if (names[i] == NULL)
            continue;
        told++;
        buffer_printf(out, "{\"purge\":\"%s\",\"name\":\"", words[i]);
        buffer_add_json(out, slice_of(names[i]));
        buffer_add_text(out, "\"}");
    }
    return told == 1;
}

static int
run(const struct cache_order *order, const char *what)
{
    bool purges = slice_is(slice_of(what), "purge");
    struct buffer body = {0}, answer = {0};
    bool one = write_order(order, &body);
    int exit_status = CMD_USAGE;

    if (!purges && !slice_is(slice_of(what), "stats"))
        cmd_complain("cache: '%s' is neither 'stats' nor 'purge'", what);
    else if (purges && !one)
        cmd_complain("cache purge: name one of --tenant, --key, --route, --model, or --all");
    else if (!purges && buffer_len(&body) > 0)
        cmd_complain("cache stats: counts are of all together; --tenant and the like belong to purge");
    else
        exit_status = admin_call(order->admin, purges ? "POST" : "GET", "/cache",
                                 purges ? buffer_content(&body) : SLICE_NONE, &answer);
    if (exit_status == CMD_FINE)
        exit_status = say(order, purges, buffer_content(&answer));
    buffer_free(&body);
    buffer_free(&answer);
    return exit_status;
}

int
cmd_cache(int argc, char **argv)
{
    struct cache_order order = {0};
    const struct option table[] = {
        {.name = "tenant",
         .kind = OPTION_TEXT,
         .argument = "NAME",
         .help = "purge what this tenant stored",
         .target = &order.tenant},
        {.name = "key",
         .kind = OPTION_TEXT,
         .argument = "NAME",
         .help = "purge what was stored under this key",
         .target = &order.key},
        {.name = "route",
         .kind = OPTION_TEXT,
         .argument = "NAME",
         .help = "purge what was stored for this route",
         .target = &order.route},
        {.name = "model",
         .kind = OPTION_TEXT,
         .argument = "BACKEND/MODEL",
         .help = "purge what this model answered",
         .target = &order.model},
        {.name = "all", .kind = OPTION_FLAG, .help = "purge everything", .target = &order.all},
        {.name = "json", .kind = OPTION_FLAG, .help = "print the gateway's answer as it is", .target = &order.json},
        ADMIN_OPTION(&order.admin),
    };
    static const struct example examples[] = {
        {"equipoise cache stats", "how full it is, what was found, what went"},
        {"equipoise cache purge --tenant acme", "drops what that tenant stored, from memory and from the file"},
        {"equipoise cache purge --all", "drops everything"},
    };
    const struct options options = {
        .command = "cache",
        .summary = "Shows how the store of answers does, or drops answers from it.",
        .operands = "stats|purge",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
    };
    int exit_status = options_read(&options, &argc, argv);

    return exit_status == OPTIONS_GO_ON ? run(&order, argv[1]) : exit_status;
}
