/* The admin's pages of stored answers: how the store does, and purges, which hold in memory and in its file before they
 * are answered. Sums only: nothing here tells who stored what. */
#include <inttypes.h>
#include <stdlib.h>
#include <yyjson.h>

#include "admin/visit.h"
#include "cache/file.h"
#include "gateway/reuse/turn_keeper.h"

static void
put_file(struct cache_file *file, struct buffer *out)
{
    struct cache_file_stats stats;

    if (file == NULL) {
        buffer_add_text(out, ",\"file\":null");
        return;
    }
    cache_file_stats(file, &stats);
    buffer_printf(out,
                  ",\"file\":{\"bytes\":%" PRIu64 ",\"written\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"failed\":%" PRIu64
                  ",\"loaded\":%" PRIu64 ",\"damaged\":%" PRIu64 "}",
                  stats.bytes, stats.written, stats.dropped, stats.failed, stats.loaded, stats.damaged);
}

static void
put_stats(struct visit *visit)
{
    struct gateway *gateway = visit->options->gateway;
    char saved[USD_TEXT_SIZE];
    struct cache_stats stats;

    cache_stats(gateway->cache, &stats);
    usd_format(stats.saved, saved);
    buffer_clear(&visit->text);
    buffer_printf(&visit->text,
                  "{\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bytes_most\":%" PRIu64 ",\"hits\":%" PRIu64
                  ",\"misses\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"evicted\":%" PRIu64
                  ",\"expired\":%" PRIu64 ",\"purged\":%" PRIu64 ",\"saved_usd\":%s",
                  stats.entries, stats.bytes, stats.bytes_most, stats.hits, stats.misses, stats.stored, stats.refused,
                  stats.evicted, stats.expired, stats.purged, saved);
    put_file(gateway->cache_file, &visit->text);
}

void
page_cache(struct visit *visit, struct slice rest)
{
    (void)rest;
    put_stats(visit);
    buffer_add_byte(&visit->text, '}');
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

/* Purges */

/* Freed with its work. */
struct purge {
    struct job job;
    struct visit *visit;
    enum cache_mark which;
    char *name; /* "" for all */
    size_t count;
    enum status status; /* of the file */
};

static const char *const mark_words[] = {[CACHE_TENANT] = "tenant",
                                         [CACHE_KEY_NAME] = "key",
                                         [CACHE_ROUTE] = "route",
                                         [CACHE_MODEL] = "model",
                                         [CACHE_MARKS] = "all"};

static void
reply_purge(struct visit *visit)
{
    put_stats(visit);
    buffer_printf(&visit->text, ",\"dropped\":%zu,\"on_disk\":%s,\"recorded\":%s}", visit->listed,
                  visit->id == 0 ? "true" : "false", visit->status == OK ? "true" : "false");
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

static void
run_purge(struct job *job)
{
    struct purge *purge = CONTAINER_OF(job, struct purge, job);
    struct gateway *gateway = purge->visit->options->gateway;

    purge->count = cache_purge(gateway->cache, purge->which, cache_mark_of(slice_of(purge->name)));
    turns_forget_gone(gateway);
    purge->status = gateway->cache_file != NULL ? cache_file_write(gateway->cache_file) : OK;
}

static void
purge_done(struct job *job)
{
    struct purge *purge = CONTAINER_OF(job, struct purge, job);
    struct visit *visit = purge->visit;
    struct buffer name = {0};

    buffer_printf(&name, "%s%s%s", mark_words[purge->which], purge->name[0] != '\0' ? " " : "", purge->name);
    log_line(visit->options->gateway->log, LOG_WARN, "purged %zu stored answers: %.*s%s", purge->count,
             SLICE_ARGS(buffer_content(&name)),
             purge->status == OK ? "" : "; the file could not be written and still has them");
    visit->listed = purge->count;
    visit->id = (uint64_t)purge->status;
    visit_changed(visit, (struct change){.what = SLICE_LITERAL("cache purge"), .name = buffer_content(&name)});
    buffer_free(&name);
    free(purge->name);
    free(purge);
    visit_record(visit, reply_purge);
    if (visit_goes_on(visit))
        reply_purge(visit);
}

/* False: the body says nothing that is one of these. */
static bool
read_purge(yyjson_val *root, struct purge *out)
{
    yyjson_val *what = yyjson_obj_get(root, "purge"), *name = yyjson_obj_get(root, "name");

    for (unsigned which = 0; which <= CACHE_MARKS; which++) {
        if (!yyjson_equals_str(what, mark_words[which]))
            continue;
        if (which != CACHE_MARKS && yyjson_get_len(name) == 0)
            return false;
        out->which = (enum cache_mark)which;
        out->name = slice_strdup(which == CACHE_MARKS ? SLICE_LITERAL("")
                                                      : slice_make(yyjson_get_str(name), yyjson_get_len(name)));
        return true;
    }
    return false;
}

void
page_purge(struct visit *visit, struct slice json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, YYJSON_READ_NOFLAG);
    struct purge read = {.job = {.run = run_purge, .done = purge_done}, .visit = visit}, *purge;
    bool told = read_purge(yyjson_doc_get_root(doc), &read);

    yyjson_doc_free(doc);
    if (!told) {
        visit_reply_text(
            visit, 400,
            "send {\"purge\": \"all\"}, or {\"purge\": \"tenant\", \"name\": NAME}; instead of tenant also "
            "key, route or model\n");
        return;
    }
    purge = must_alloc(sizeof(*purge));
    *purge = read;
    visit->busy++;
    visit->world->ops->work(visit->world, &purge->job);
}
