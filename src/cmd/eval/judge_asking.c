#include "cmd/eval/judge_asking.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/list.h"
#include "cmd/probe/backend_secret.h"
#include "dialect/text_of.h"
#include "dialect/translate/translate.h"
#include "live/live.h"
#include "quality/judge_model.h"
#include "quality/judge_told.h"

enum {
    AT_ONCE = 8,
    TRIES = 4,
    ANSWER_BYTES_MOST = 1024 * 1024,
    OPINION_BYTES_MOST = 16 * 1024,
    HEADERS_MOST = 4,
    ORDERS = 2
};

static const usec COMMAND_TIMEOUT_US = 60 * USEC_PER_S, RETRY_US = USEC_PER_S / 2;

struct talks;

/* One question being asked: of a model one of two. */
struct talk {
    struct talks *talks;
    struct judge_ask *ask;
    unsigned order; /* of a model: 1 shows the candidate first */
    unsigned tries, status;
    bool too_long; /* the answer */
    struct buffer question, answer;
    struct call call;
    struct command_run run;
    struct timer again;
};

struct talks {
    struct judge_asking *asking;
    struct live *live;
    struct world *world;
    struct judge_ask *all;
    size_t count, next, under_way; /* questions, all orders of each */
    unsigned orders;
    enum api api; /* of the model's backend */
    char *target, *credential;
    struct talk talks[AT_ONCE];
};

bool
judge_asking_calls(const struct judge_config *judge)
{
    return judge->model != NULL || judge->command != NULL || judge->http != NULL;
}

/* What came of it */

static void ask_next(struct talk *talk);

static void
done(struct talk *talk)
{
    struct talks *talks = talk->talks;

    buffer_free(&talk->question);
    buffer_free(&talk->answer);
    talks->under_way--;
    if (talks->next < talks->count)
        ask_next(talk);
    else if (talks->under_way == 0)
        live_stop(talks->live, true);
}

static void
fail(struct talk *talk, const char *why)
{
    struct judge_asking *asking = talk->talks->asking;

    asking->failed++;
    snprintf(asking->why, sizeof(asking->why), "%s", why);
    talk->ask->failed = true;
    done(talk);
}

/* The answer of a model, as its API has it. */
static bool
read_reply(enum api api, struct slice answer, struct buffer *text)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);
    struct text_of said = {.wanted = true, .most = ANSWER_BYTES_MOST};
    bool read = doc != NULL;

    if (read)
        text_of_event(&said, api, yyjson_doc_get_root(doc));
    read = read && !said.cut;
    yyjson_doc_free(doc);
    *text = said.text;
    return read;
}

static void
take_model(struct talk *talk)
{
    struct judge_ask *ask = talk->ask;
    struct buffer text = {0};
    bool acceptable = false, read = read_reply(talk->talks->api, buffer_content(&talk->answer), &text);

    read = read && judge_reply(buffer_content(&text), talk->order == 1, &acceptable) == OK;
    buffer_free(&text);
    if (!read) {
        fail(talk, "the model's reply is none of A, B and EQUAL");
        return;
    }
    ask->acceptable[talk->order] = acceptable;
    ask->outcome += acceptable ? 1.0 / ORDERS : 0;
    done(talk);
}

static void
take_opinion(struct talk *talk, struct slice opinion)
{
    char words[JUDGE_WORDS_SIZE];

    if (judge_told_answer(opinion, &talk->ask->outcome, words) != OK)
        fail(talk, "its answer is not {\"acceptable\": true}, false or a number from 0 to 1");
    else
        done(talk);
}

/* Calls */

static void send_call(struct talk *talk);

static void
try_again(struct timer *timer)
{
    send_call(CONTAINER_OF(timer, struct talk, again));
}

static void
again_or_fail(struct talk *talk, const char *why)
{
    if (talk->tries == TRIES) {
        fail(talk, why);
        return;
    }
    talk->again.fire = try_again;
    world_timer_start(talk->talks->world, &talk->again, RETRY_US << talk->tries);
}

static struct talk *
talk_of(struct call *call)
{
    return CONTAINER_OF(call, struct talk, call);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    talk_of(call)->status = head->status;
}

static void
on_body(struct call *call, struct slice piece)
{
    struct talk *talk = talk_of(call);

    talk->too_long = talk->too_long || buffer_len(&talk->answer) + piece.len > ANSWER_BYTES_MOST;
    if (!talk->too_long)
        buffer_add(&talk->answer, piece);
}

static void
on_end(struct call *call)
{
    struct talk *talk = talk_of(call);
    char why[64];

    snprintf(why, sizeof(why), "it answered with status %u", talk->status);
    if (talk->status == 429 || talk->status >= 500)
        again_or_fail(talk, why);
    else if (talk->status < 200 || talk->status >= 300)
        fail(talk, why);
    else if (talk->too_long)
        fail(talk, "its answer is longer than is read");
    else if (talk->talks->asking->judge->model != NULL)
        take_model(talk);
    else
        take_opinion(talk, buffer_content(&talk->answer));
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    again_or_fail(talk_of(call), text);
}

static const struct call_events events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static size_t
put_headers(const struct talks *talks, struct http_header *out)
{
    const struct target *model = talks->asking->judge->model;
    size_t count = 0;

    out[count++] = (struct http_header){SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    out[count++] = (struct http_header){SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")};
    if (model == NULL)
        return count;
    if (talks->credential != NULL)
        out[count++] = (struct http_header){slice_of(model->backend->credential.header), slice_of(talks->credential)};
    if (talks->api == API_MESSAGES)
        out[count++] = (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    return count;
}

static void
send_call(struct talk *talk)
{
    struct talks *talks = talk->talks;
    const struct judge_config *judge = talks->asking->judge;
    struct http_header headers[HEADERS_MOST];
    struct body_part body = {buffer_content(&talk->question), NULL};

    talk->tries++;
    talks->asking->calls++;
    buffer_clear(&talk->answer);
    talk->too_long = false;
    talk->call = (struct call){.events = &events};
    talks->world->ops->call_open(talks->world, &talk->call,
                                 &(struct call_request){.endpoint = judge->model != NULL
                                                                        ? &judge->model->backend->endpoints[0]
                                                                        : judge->endpoint,
                                                        .method = SLICE_LITERAL("POST"),
                                                        .target = slice_of(talks->target),
                                                        .headers = headers,
                                                        .header_count = put_headers(talks, headers),
                                                        .parts = &body,
                                                        .part_count = 1});
}

/* Commands */

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct talk *talk = CONTAINER_OF(run, struct talk, run);

    if (exit_status == 0)
        take_opinion(talk, output);
    else
        fail(talk, "the command failed, or took longer than 60 s");
}

static void
run_command(struct talk *talk)
{
    struct talks *talks = talk->talks;

    talks->asking->calls++;
    talk->run = (struct command_run){.command = talks->asking->judge->command,
                                     .input = buffer_content(&talk->question),
                                     .timeout_us = COMMAND_TIMEOUT_US,
                                     .output_most = OPINION_BYTES_MOST,
                                     .done = command_done};
    talks->world->ops->command(talks->world, &talk->run);
}

/* Questions */

/* In the words of the API that the model's backend speaks. */
static void
put_in_its_words(struct talks *talks, const char *model, struct buffer *body)
{
    struct arena arena;
    struct translated translated;

    if (talks->api == API_CHAT)
        return;
    arena_init(&arena);
    translated = translate_request(API_CHAT, talks->api, buffer_content(body), &arena);
    ENSURE(translated.why == NULL); /* two texts have their place everywhere */
    buffer_clear(body);
    buffer_add_text(body, "{\"model\":\"");
    buffer_add_json(body, slice_of(model));
    buffer_add_byte(body, '"');
    if (talks->api == API_MESSAGES)
        buffer_printf(body, ",\"max_tokens\":%d", TRANSLATE_CAP_IF_NONE);
    buffer_add_byte(body, ',');
    buffer_add(body, slice_from(chunk_bytes(translated.rest), 1)); /* an object's members */
    chunk_release(translated.rest);
    arena_reset(&arena);
}

static void
put_question(struct talk *talk)
{
    struct talks *talks = talk->talks;
    const struct judge_ask *ask = talk->ask;
    const struct target *model = talks->asking->judge->model;
    struct judge_question question = {.request = ask->request,
                                      .reference = ask->reference,
                                      .candidate = ask->candidate,
                                      .candidate_first = talk->order == 1};

    if (model == NULL) {
        judge_told_question(talks->asking->route, "", ask->request, ask->reference, ask->candidate, &talk->question);
        return;
    }
    question.mark = world_random(talks->world);
    judge_question(&question, model->upstream, &talk->question);
    put_in_its_words(talks, model->upstream, &talk->question);
}

static void
ask_next(struct talk *talk)
{
    struct talks *talks = talk->talks;
    size_t number = talks->next++;

    *talk = (struct talk){
        .talks = talks, .ask = &talks->all[number / talks->orders], .order = (unsigned)(number % talks->orders)};
    talks->under_way++;
    put_question(talk);
    if (talks->asking->judge->command != NULL)
        run_command(talk);
    else
        send_call(talk);
}

static void
ask_first(void *context, struct world *world)
{
    struct talks *talks = context;

    talks->world = world;
    for (size_t i = 0; i < AT_ONCE && talks->next < talks->count; i++) {
        talks->talks[i].talks = talks;
        ask_next(&talks->talks[i]);
    }
}

static enum status
find_target(struct talks *talks)
{
    struct judge_asking *asking = talks->asking;
    const struct backend_config *backend;
    struct buffer target = {0};
    bool failed = false;

    if (asking->judge->model == NULL) {
        talks->target = asking->judge->http != NULL ? must_strdup(asking->judge->path) : NULL;
        return OK;
    }
    backend = asking->judge->model->backend;
    talks->api = backend_api(backend, API_CHAT);
    talks->credential = backend_secret_value(&backend->credential, &failed);
    if (failed || talks->api == API_COUNT || backend->endpoint_count == 0) {
        snprintf(asking->why, sizeof(asking->why), "%s",
                 failed                        ? "the command that prints its backend's key fails"
                 : backend->endpoint_count > 0 ? "its backend speaks no API in which it could be asked"
                                               : "its backend has no address");
        return ERR_INVALID;
    }
    buffer_printf(&target, "%s%s%s%s", backend->base_path != NULL ? backend->base_path : "", api_path(talks->api),
                  backend->query != NULL ? "?" : "", backend->query != NULL ? backend->query : "");
    talks->target = slice_strdup(buffer_content(&target));
    buffer_free(&target);
    return OK;
}

static enum status
converse(struct talks *talks)
{
    struct live_options options = {.workers = 1, .context = talks, .worker_started = ask_first};
    char problem[LIVE_PROBLEM_SIZE];

    if (live_new(&options, &talks->live, problem) != OK) {
        snprintf(talks->asking->why, sizeof(talks->asking->why), "%s", problem);
        return ERR_IO;
    }
    live_start(talks->live);
    live_join(talks->live);
    live_free(talks->live);
    return OK;
}

static enum status
ask_others(struct judge_asking *asking, struct judge_ask *all, size_t count)
{
    struct talks *talks = must_calloc(1, sizeof(*talks));
    enum status status;

    talks->asking = asking;
    talks->all = all;
    talks->orders = asking->judge->model != NULL ? ORDERS : 1;
    talks->count = count * talks->orders;
    status = find_target(talks);
    if (status == OK && count > 0)
        status = converse(talks);
    free(talks->target);
    backend_secret_forget(talks->credential);
    free(talks);
    return status;
}

enum status
judge_ask_all(struct judge_asking *asking, struct judge_ask *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        all[i].failed = false;
        all[i].outcome = 0;
    }
    if (judge_asking_calls(asking->judge))
        return ask_others(asking, all, count);
    for (size_t i = 0; i < count; i++)
        all[i].failed = judge_compare(&asking->rule, all[i].reference, all[i].candidate, &all[i].outcome) != OK;
    return OK;
}
