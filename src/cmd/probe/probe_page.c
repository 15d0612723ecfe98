#include "cmd/probe/probe_page.h"

#include <stdio.h>

#include "cmd/check_summary.h"

/* Engines that show their page only when they are told to. */
static const char *
how_to_show(enum engine engine)
{
    return engine == ENGINE_LLAMACPP ? "; llama.cpp shows it with --metrics"
           : engine == ENGINE_SGLANG ? "; SGLang shows it with --enable-metrics"
                                     : "";
}

/* A modelled backend's page is as vLLM's. */
static enum engine
whose_names(enum engine engine)
{
    return engine == ENGINE_TWIN ? ENGINE_VLLM : engine;
}

static bool
tells_anything(const struct engine_told *told)
{
    for (unsigned i = 0; i < TOLD_FIELDS; i++)
        if (told->of[i] >= 0)
            return true;
    return false;
}

static void
tell_foreign_names(const struct backend_config *backend, struct probe_page *out)
{
    if (out->looks_like != ENGINE_HOSTED)
        snprintf(out->why, sizeof out->why, "%s is as %s shows it, and is not read as %s's; say engine: %s",
                 backend->metrics_path, summary_engine(out->looks_like), summary_engine(backend->engine),
                 summary_engine(out->looks_like));
    else
        snprintf(out->why, sizeof out->why, "%s has none of the names that %s's have (doc/backends.md)",
                 backend->metrics_path, summary_engine(backend->engine));
}

void
probe_page_read(const struct probe_result *result, struct probe_page *out)
{
    const struct backend_config *backend = result->backend;
    struct slice page = buffer_content(&result->page.body);
    unsigned line = 0;
    const char *why = NULL;

    *out = (struct probe_page){.looks_like = ENGINE_HOSTED};
    engine_told_init(&out->told);
    if (result->page.status == 0) {
        snprintf(out->why, sizeof out->why, "%s", result->page.why);
    } else if (result->page.status != 200) {
        snprintf(out->why, sizeof out->why, "%s says HTTP %u%s", backend->metrics_path, result->page.status,
                 how_to_show(backend->engine));
    } else if (engine_metrics_read(backend->engine, page, &out->told, &line, &why) != OK) {
        snprintf(out->why, sizeof out->why, "%s is no page of metrics: line %u: %s", backend->metrics_path, line, why);
    } else {
        out->looks_like = engine_metrics_guess(page);
        out->read = tells_anything(&out->told);
        if (!out->read)
            tell_foreign_names(backend, out);
    }
    /* Its slots may not be shown: then its cache is as full as we count ourselves. */
    if (out->read && result->slots.status == 200 && out->told.of[TOLD_KV_SHARE] < 0 &&
        engine_slots_read(buffer_content(&result->slots.body), &out->told.of[TOLD_KV_SHARE]) != OK)
        out->told.of[TOLD_KV_SHARE] = -1;
}

static void
put_requests(double requests, const char *what, struct buffer *out)
{
    if (requests >= 0)
        buffer_printf(out, "%.0f %s, ", requests, what);
    else
        buffer_printf(out, "%s is not told, ", what);
}

void
probe_page_text(const struct probe_page *page, const struct probe_result *result, struct buffer *out)
{
    const struct backend_config *backend = result->backend;

    if (!page->read) {
        buffer_printf(out, "    no metrics: %s\n", page->why);
        return;
    }
    buffer_printf(out, "    metrics as %s's: ", summary_engine(whose_names(backend->engine)));
    put_requests(page->told.of[TOLD_RUNNING], "running", out);
    put_requests(page->told.of[TOLD_QUEUED], "waiting", out);
    if (page->told.of[TOLD_KV_SHARE] >= 0)
        buffer_printf(out, "%.0f %% of its cache of keys and values in use\n", page->told.of[TOLD_KV_SHARE] * 100);
    else
        buffer_add_text(out, "how full its cache of keys and values is, is not told\n");
    if (page->looks_like != whose_names(backend->engine) && page->looks_like != ENGINE_HOSTED)
        buffer_printf(out, "    the page looks more like %s's: is engine: %s right?\n",
                      summary_engine(page->looks_like), summary_engine(backend->engine));
}

void
probe_page_json(const struct probe_page *page, const struct probe_result *result, struct buffer *out)
{
    (void)result;
    buffer_printf(out, "{\"read\":%s,\"looks_like\":", page->read ? "true" : "false");
    if (page->looks_like != ENGINE_HOSTED)
        buffer_printf(out, "\"%s\"", summary_engine(page->looks_like));
    else
        buffer_add_text(out, "null");
    for (unsigned i = 0; i < TOLD_FIELDS; i++) {
        buffer_printf(out, ",\"%s\":", told_field_name((enum told_field)i));
        if (page->told.of[i] >= 0)
            buffer_printf(out, "%.10g", page->told.of[i]);
        else
            buffer_add_text(out, "null");
    }
    buffer_add_text(out, ",\"why\":");
    if (page->read) {
        buffer_add_text(out, "null}");
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, slice_of(page->why));
    buffer_add_text(out, "\"}");
}
