#include "admin/visit.h"

#include <stdlib.h>

void
visit_end(struct visit *visit)
{
    list_remove(&visit->link);
    buffer_free(&visit->text);
    buffer_free(&visit->unsent);
    buffer_free(&visit->lines);
    free(visit);
}

bool
visit_push(struct visit *visit)
{
    struct slice left = buffer_content(&visit->unsent);

    buffer_consume(&visit->unsent, client_write(visit->client, left));
    if (buffer_len(&visit->unsent) > 0)
        return false;
    client_finish(visit->client);
    visit_end(visit);
    return true;
}

/* RFC 9110, 11.6.1 and 15.5.6. */
static size_t
say_what_is_wanted(const struct page *page, unsigned status, struct http_header *out)
{
    bool posts = page != NULL && page->post != NULL, gets = page == NULL || page->get != NULL;

    if (status == 401)
        *out = (struct http_header){SLICE_LITERAL("www-authenticate"), SLICE_LITERAL("Bearer")};
    else if (status == 405)
        *out = (struct http_header){SLICE_LITERAL("allow"), slice_of(posts && gets ? "GET, POST"
                                                                     : posts       ? "POST"
                                                                                   : "GET")};
    return status == 401 || status == 405;
}

void
visit_reply(struct visit *visit, unsigned status, const char *type, struct slice body)
{
    struct http_header headers[3] = {{SLICE_LITERAL("content-type"), slice_of(type)},
                                     {SLICE_LITERAL("cache-control"), SLICE_LITERAL("no-store")}};
    size_t count = 2 + say_what_is_wanted(visit->page, status, &headers[2]);

    client_answer(visit->client, &(struct http_answer){status, headers, count, (int64_t)body.len});
    buffer_add(&visit->unsent, body);
    visit_push(visit);
}

void
visit_reply_text(struct visit *visit, unsigned status, const char *text)
{
    visit_reply(visit, status, "text/plain; charset=utf-8", slice_of(text));
}

void
visit_reply_json(struct visit *visit, unsigned status, struct slice json)
{
    visit_reply(visit, status, "application/json", json);
}

bool
visit_goes_on(struct visit *visit)
{
    ENSURE(visit->busy > 0);
    if (--visit->busy > 0)
        return false;
    if (visit->client == NULL)
        visit_end(visit);
    else
        return true;
    return false;
}

static void
run_record(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);

    visit->status = visit->options->keep_change(visit->options->context, buffer_content(&visit->lines));
}

static void write_next(struct visit_line *line);

static void
record_done(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);

    visit->line->writing = false;
    write_next(visit->line);
    if (visit->status != OK)
        log_line(visit->options->gateway->log, LOG_ERROR, "the log of changes did not take a line: %s",
                 status_text(visit->status));
    if (visit_goes_on(visit))
        visit->then(visit);
}

static void
write_next(struct visit_line *line)
{
    struct visit *visit;

    if (line->writing || list_empty(&line->waiting))
        return;
    visit = CONTAINER_OF(list_first(&line->waiting), struct visit, in_line);
    list_remove(&visit->in_line);
    line->writing = true;
    visit->job.run = run_record;
    visit->job.done = record_done;
    visit->world->ops->work(visit->world, &visit->job);
}

void
visit_changed(struct visit *visit, struct change change)
{
    change.wall_us = world_wall_us(visit->world);
    change.who = slice_of(visit->who[0] != '\0' ? visit->who : "somebody");
    change.from = slice_of(visit->from.text);
    change_write(&change, &visit->lines);
}

void
visit_record(struct visit *visit, void (*then)(struct visit *))
{
    visit->then = then;
    visit->status = OK;
    visit->busy++;
    if (visit->options->keep_change == NULL || buffer_len(&visit->lines) == 0) {
        if (visit_goes_on(visit))
            then(visit);
        return;
    }
    list_append(&visit->line->waiting, &visit->in_line);
    write_next(visit->line);
}
