#include "gateway/watch/question.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/attempt/credentials.h"
#include "gateway/gateway.h"

static struct question *
question_of(struct call *call)
{
    return CONTAINER_OF(call, struct question, call);
}

static void
end(struct question *question, const char *failure)
{
    ENSURE(question->open);
    question->open = false;
    world_timer_stop(question->world, &question->patience);
    question->answered(question, failure);
}

static void
close_call(struct question *question)
{
    question->world->ops->call_close(question->world, &question->call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    question_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct question *question = question_of(call);

    if (buffer_len(&question->answer) + piece.len <= question->bytes_most) {
        buffer_add(&question->answer, piece);
        return;
    }
    close_call(question);
    end(question, "its answer is too large");
}

static void
on_end(struct call *call)
{
    end(question_of(call), NULL);
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    end(question_of(call), text);
}

static void
on_patience(struct timer *timer)
{
    struct question *question = CONTAINER_OF(timer, struct question, patience);

    close_call(question);
    end(question, "no answer in time");
}

static const struct call_events events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

void
question_ask(struct question *question, const struct view *view, const struct question_about *about)
{
    struct world *world = worker_world(view->worker);
    const struct credential *credential = &about->backend->credential;
    const char *secret = credentials_known(view, about->backend);
    struct http_header headers[3] = {{SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")}};
    struct call_request request = {.endpoint = about->endpoint,
                                   .method = SLICE_LITERAL("GET"),
                                   .target = about->target,
                                   .headers = headers,
                                   .header_count = 1};
    struct buffer proof = {0};

    ENSURE(!question->open && question->answered != NULL);
    buffer_clear(&question->answer);
    question->world = world;
    question->status = 0;
    question->bytes_most = about->bytes_most;
    question->open = true;
    question->patience.fire = on_patience;
    question->call = (struct call){.events = &events};
    if (credential->header != NULL && secret != NULL) {
        buffer_printf(&proof, "%s%s", credential->prefix != NULL ? credential->prefix : "", secret);
        headers[request.header_count++] = (struct http_header){slice_of(credential->header), buffer_content(&proof)};
    }
    if (about->backend->dialect == DIALECT_ANTHROPIC)
        headers[request.header_count++] =
            (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    world_timer_start(world, &question->patience, about->patience_us);
    world->ops->call_open(world, &question->call, &request);
    if (buffer_len(&proof) > 0)
        explicit_bzero(proof.data, buffer_len(&proof));
    buffer_free(&proof);
}

void
question_drop(struct question *question)
{
    if (question->open) {
        question->open = false;
        world_timer_stop(question->world, &question->patience);
        close_call(question);
    }
    buffer_free(&question->answer);
}
