#include "gateway/control.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/text.h"

void
control_models(struct gateway_worker *worker, struct client *client, const struct http_head *head)
{
    struct http_header type = {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    bool anthropic = http_head_get(head, "anthropic-version").len > 0;
    struct slice list;
    size_t taken;

    buffer_clear(&worker->text);
    directory_list(&worker->view->snapshot->directory, worker->view->config,
                   anthropic ? DIALECT_ANTHROPIC : DIALECT_OPENAI, &worker->text);
    list = buffer_content(&worker->text);
    client_answer(client, &(struct http_answer){200, &type, 1, (int64_t)list.len});
    taken = slice_is(head->method, "HEAD") ? list.len : client_write(client, list);
    if (taken < list.len)
        client_abort(client); /* a list too large for a client's buffer is no list of models */
    else
        client_finish(client);
}

/* Feedback under way. */
struct control {
    struct asker asker; /* first */
    struct gateway_worker *worker;
    struct view *view; /* whose the tenant is; held */
    struct client *client;
    const struct tenant_config *tenant; /* whose key it is */
};

/* Reads a number between 0 and 1, or a truth, as parts per million. */
static const char *
read_useful(yyjson_val *root, struct feedback *out)
{
    yyjson_val *useful = yyjson_obj_get(root, "useful"), *score = yyjson_obj_get(root, "score");
    double share = yyjson_is_num(score) ? yyjson_get_num(score) : -1.0;

    if (useful != NULL && !yyjson_is_bool(useful))
        return "'useful' must be true or false";
    if (score != NULL && !(share >= 0.0 && share <= 1.0))
        return "'score' must be a number from 0 to 1";
    if (useful == NULL && score == NULL && yyjson_obj_get(root, "value_usd") == NULL)
        return "nothing is said: give 'useful' (true or false), 'score' (0 to 1) or 'value_usd'";
    if (useful != NULL)
        out->useful_ppm = yyjson_get_bool(useful) ? 1000000 : 0;
    else if (score != NULL)
        out->useful_ppm = (int64_t)(share * 1e6 + 0.5);
    return NULL;
}

static const char *
read_value(yyjson_val *root, struct feedback *out)
{
    yyjson_val *value = yyjson_obj_get(root, "value_usd");
    enum status status = OK;

    if (yyjson_is_str(value))
        status = usd_parse_rounded(slice_make(yyjson_get_str(value), yyjson_get_len(value)), &out->value);
    else if (yyjson_is_num(value))
        status = usd_from_double(yyjson_get_num(value), &out->value);
    else if (value != NULL)
        status = ERR_INVALID;
    return status == OK ? NULL : "'value_usd' must be an amount in dollars, as \"0.05\"";
}

static const char *
read_feedback(yyjson_val *root, struct feedback *out)
{
    yyjson_val *id = yyjson_obj_get(root, "id"), *reason = yyjson_obj_get(root, "reason");
    const char *why;

    *out = (struct feedback){.useful_ppm = ROW_UNKNOWN, .value = USD_UNKNOWN, .source = SLICE_LITERAL("feedback")};
    if (!yyjson_is_obj(root))
        return "the body must be a JSON object";
    if (!yyjson_is_str(id) || text_parse_id(slice_make(yyjson_get_str(id), yyjson_get_len(id)), &out->id) != OK)
        return "'id' must be the x-equipoise-id of an answer, 13 letters and digits";
    why = read_useful(root, out);
    if (why == NULL)
        why = read_value(root, out);
    if (yyjson_is_str(reason))
        out->reason = slice_first(slice_make(yyjson_get_str(reason), yyjson_get_len(reason)), 1024);
    return why;
}

static void
control_end(struct control *control)
{
    view_release(control->view);
    free(control);
}

static void
answer_feedback(struct control *control, const char *why, bool kept)
{
    struct http_header type = {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")};
    struct slice body = SLICE_LITERAL("{\"accepted\":true}");

    if (why != NULL) {
        answer_refusal(control->worker, control->client, DIALECT_OPENAI, ERROR_BAD_REQUEST, why);
    } else if (!kept) {
        answer_refusal(control->worker, control->client, DIALECT_OPENAI, ERROR_UNAVAILABLE,
                       "the ledger's journal cannot be written; try again later");
    } else {
        answer_whole(control->client, 202, &type, 1, body);
    }
    control_end(control);
}

static void
take_request(struct asker *asker, struct chunk *body)
{
    struct control *control = (struct control *)asker;
    struct gateway_worker *worker = control->worker;
    yyjson_doc *doc = yyjson_read(body->data, body->len, YYJSON_READ_NOFLAG);
    struct feedback feedback;
    const char *why = read_feedback(yyjson_doc_get_root(doc), &feedback);
    bool kept = false;

    if (why == NULL) {
        feedback.tenant = slice_of(control->tenant->name);
        feedback.wall_us = world_wall_us(worker_world(worker));
        journal_put_feedback(&worker->record, &feedback);
        kept = gateway_append(worker);
        count(&worker->counters, COUNT_FEEDBACK, kept ? 1 : 0);
    }
    answer_feedback(control, why, kept);
    yyjson_doc_free(doc);
}

static void
take_bad_body(struct asker *asker, unsigned status)
{
    struct control *control = (struct control *)asker;

    answer_refusal(control->worker, control->client, DIALECT_OPENAI,
                   status == 413   ? ERROR_TOO_LARGE
                   : status == 408 ? ERROR_TIMEOUT
                                   : ERROR_BAD_REQUEST,
                   "the feedback's body could not be read");
    control_end(control);
}

static void
take_drained(struct asker *asker)
{
    (void)asker;
}

static void
take_gone(struct asker *asker)
{
    control_end((struct control *)asker);
}

static const struct asker_ops control_asker = {
    .request = take_request,
    .bad_body = take_bad_body,
    .drained = take_drained,
    .gone = take_gone,
};

void
control_feedback(struct gateway_worker *worker, struct client *client, const struct tenant_config *tenant)
{
    struct control *control = must_calloc(1, sizeof(*control));

    control->asker.ops = &control_asker;
    control->worker = worker;
    control->view = view_hold(worker->view);
    control->client = client;
    control->tenant = tenant;
    client->user = control;
}
