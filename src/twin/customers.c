#include "twin/customers.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/list.h"
#include "twin/tasks.h"

enum { ANSWER_BYTES_MOST = 4 * 1024 * 1024, PART_OF_MILLION = 1000000, ID_SIZE = 32 };

struct customers {
    struct world *world;
    struct customers_options options;
    struct rng rng;
    struct timer arrival;
    struct list visits; /* under way */
    unsigned in_flight;
    usec due_us;    /* when the next one comes, or would have */
    bool late;      /* an arrival waits for somebody to end */
    uint64_t asked; /* questions, be they asked by one or by a crowd */
    _Atomic uint64_t sent, ended, failed, left, checked, useful, told, telling;
    struct customers_tally tallies[CUSTOMERS_TALLIES_MOST];
    size_t tally_count;
};

/* One request, and then perhaps its feedback, which is a call of its own. */
struct visit {
    struct list link;
    struct customers *customers;
    struct call call;
    struct arena arena;
    struct workload_request request;
    unsigned status;
    char session[ID_SIZE];                                        /* every visit is a conversation of its own */
    char id[ID_SIZE];                                             /* of the answer */
    char source[CUSTOMERS_NAME_SIZE], model[CUSTOMERS_NAME_SIZE]; /* who gave it */
    struct buffer answer;
    bool leaves, tells;
};

static void
add_one(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool
drawn(struct customers *customers, unsigned share_ppm)
{
    return rng_below(&customers->rng, PART_OF_MILLION) < share_ppm;
}

static struct visit *
visit_of(struct call *call)
{
    return CONTAINER_OF(call, struct visit, call);
}

static void arrive(struct customers *customers);

static void
visit_end(struct visit *visit)
{
    struct customers *customers = visit->customers;

    if (visit->call.inside != NULL)
        customers->world->ops->call_close(customers->world, &visit->call);
    list_remove(&visit->link);
    buffer_free(&visit->answer);
    arena_reset(&visit->arena);
    free(visit);
}

/* The request is over, whatever became of it. */
static void
request_over(struct customers *customers)
{
    customers->in_flight--;
    if (customers->late)
        arrive(customers);
    add_one(&customers->ended);
}

static void
open_call(struct visit *visit, const char *path, struct slice body, const struct call_events *events)
{
    const struct customers *customers = visit->customers;
    struct http_header headers[4] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")}};
    struct body_part part = {body, NULL};
    size_t count = 1;

    headers[count++] = (struct http_header){
        SLICE_LITERAL("x-equipoise-tags"), slice_of(arena_printf(&visit->arena, "feature=%s", visit->request.feature))};
    headers[count++] = (struct http_header){SLICE_LITERAL("x-session-id"), slice_of(visit->session)};
    if (customers->options.key != NULL)
        headers[count++] = (struct http_header){
            SLICE_LITERAL("authorization"), slice_of(arena_printf(&visit->arena, "Bearer %s", customers->options.key))};
    visit->call = (struct call){.events = events};
    customers->world->ops->call_open(customers->world, &visit->call,
                                     &(struct call_request){.endpoint = customers->options.endpoint,
                                                            .method = SLICE_LITERAL("POST"),
                                                            .target = slice_of(path),
                                                            .headers = headers,
                                                            .header_count = count,
                                                            .parts = &part,
                                                            .part_count = 1});
}

/* Feedback */

static void
told_head(struct call *call, const struct http_head *head)
{
    visit_of(call)->status = head->status;
}

static void
told_body(struct call *call, struct slice piece)
{
    (void)call;
    (void)piece;
}

static void
told_end(struct call *call)
{
    struct visit *visit = visit_of(call);
    struct customers *customers = visit->customers;

    call->inside = NULL;
    if (visit->status == 202)
        add_one(&customers->told);
    visit_end(visit);
    atomic_fetch_sub(&customers->telling, 1);
}

static void
told_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    (void)text;
    told_end(call);
}

static const struct call_events told_events = {
    .head = told_head, .body = told_body, .end = told_end, .failed = told_failed};

static void
tell(struct visit *visit, bool useful)
{
    char *body = arena_printf(&visit->arena, "{\"id\":\"%s\",\"useful\":%s}", visit->id, useful ? "true" : "false");

    add_one(&visit->customers->telling);
    visit->status = 0;
    open_call(visit, "/v1/feedback", slice_of(body), &told_events);
}

/* The answer */

/* Beyond the most, what is new is not counted. */
static struct customers_tally *
tally_of(struct customers *customers, const struct visit *visit)
{
    struct customers_tally *tally = customers->tallies;

    for (; tally < customers->tallies + customers->tally_count; tally++)
        if (strcmp(tally->asked, visit->request.model) == 0 && strcmp(tally->source, visit->source) == 0 &&
            strcmp(tally->model, visit->model) == 0)
            return tally;
    if (customers->tally_count == CUSTOMERS_TALLIES_MOST)
        return NULL;
    customers->tally_count++;
    tally->asked = visit->request.model;
    memcpy(tally->source, visit->source, sizeof(tally->source));
    memcpy(tally->model, visit->model, sizeof(tally->model));
    return tally;
}

static void
note(struct visit *visit, bool useful)
{
    struct customers *customers = visit->customers;
    struct customers_tally *tally = tally_of(customers, visit);

    add_one(&customers->checked);
    if (useful)
        add_one(&customers->useful);
    if (tally == NULL)
        return;
    tally->checked++;
    tally->useful += useful;
}

/* True if the visit goes on with feedback. */
static bool
judge(struct visit *visit)
{
    struct customers *customers = visit->customers;
    struct slice text;
    bool useful;

    if (visit->request.prompt == NULL || visit->status != 200 ||
        !workload_answer_text(&visit->request, buffer_content(&visit->answer), &visit->arena, &text))
        return false;
    useful = task_check(slice_of(visit->request.prompt), text);
    note(visit, useful);
    if (visit->id[0] == '\0' || !drawn(customers, customers->options.feedback_ppm))
        return false;
    tell(visit, useful);
    return true;
}

/* What is too long is taken for nothing. */
static void
keep_header(const struct http_head *head, const char *name, char *out, size_t size)
{
    struct slice value = http_head_get(head, name);

    if (value.data != NULL && value.len < size)
        memcpy(out, value.data, value.len);
}

static void
on_head(struct call *call, const struct http_head *head)
{
    struct visit *visit = visit_of(call);

    visit->status = head->status;
    keep_header(head, "x-equipoise-id", visit->id, sizeof(visit->id));
    keep_header(head, "x-equipoise-source", visit->source, sizeof(visit->source));
    keep_header(head, "x-equipoise-model", visit->model, sizeof(visit->model));
}

static void
on_body(struct call *call, struct slice piece)
{
    struct visit *visit = visit_of(call);
    struct customers *customers = visit->customers;

    if (buffer_len(&visit->answer) + piece.len <= ANSWER_BYTES_MOST)
        buffer_add(&visit->answer, piece);
    if (!visit->leaves)
        return;
    add_one(&customers->left);
    visit_end(visit);
    request_over(customers);
}

static void
on_end(struct call *call)
{
    struct visit *visit = visit_of(call);
    struct customers *customers = visit->customers;

    call->inside = NULL;
    if (visit->status >= 400)
        add_one(&customers->failed);
    if (!judge(visit))
        visit_end(visit);
    request_over(customers);
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct visit *visit = visit_of(call);
    struct customers *customers = visit->customers;

    (void)failure;
    (void)text;
    call->inside = NULL;
    add_one(&customers->failed);
    visit_end(visit);
    request_over(customers);
}

static const struct call_events visit_events = {.head = on_head, .body = on_body, .end = on_end, .failed = on_failed};

static void
send_one(struct customers *customers, uint64_t question)
{
    struct visit *visit = must_calloc(1, sizeof(*visit));

    visit->customers = customers;
    arena_init(&visit->arena);
    list_append(&customers->visits, &visit->link);
    snprintf(visit->session, sizeof(visit->session), "visit-%llu", (unsigned long long)atomic_load(&customers->sent));
    workload_make(&visit->request, customers->options.seed, question, &customers->options.models, &visit->arena);
    visit->leaves = visit->request.stream && drawn(customers, customers->options.leave_ppm);
    add_one(&customers->sent);
    customers->in_flight++;
    open_call(visit, api_path(visit->request.api), visit->request.body, &visit_events);
}

/* Something that came up a moment ago is asked by many at once. */
static uint64_t
crowd_size(struct customers *customers)
{
    const struct customers_options *options = &customers->options;
    uint64_t left = options->requests - atomic_load(&customers->sent), size = 1;

    if (options->crowd_ppm > 0 && drawn(customers, options->crowd_ppm))
        size = 2 + rng_below(&customers->rng, options->crowd_most - 1);
    return size < left ? size : left;
}

static void
send_next(struct customers *customers)
{
    uint64_t question = customers->asked++;

    for (uint64_t size = crowd_size(customers); size > 0; size--)
        send_one(customers, question);
}

/* From one to the next: drawn from the exponential distribution, arrivals as of many independent people. */
static usec
draw_wait_us(struct customers *customers)
{
    double wait_s = -log(1.0 - rng_unit(&customers->rng)) / customers->options.requests_per_s;

    return (usec)(wait_s * (double)USEC_PER_S);
}

/* All that are due, as timers are coarser than a crowd is dense. Who had to wait moves those behind him. */
static void
arrive(struct customers *customers)
{
    usec now_us = world_now_us(customers->world);

    if (customers->late || customers->due_us == 0)
        customers->due_us = now_us;
    for (; customers->due_us <= now_us; customers->due_us += draw_wait_us(customers)) {
        customers->late = customers->in_flight >= customers->options.in_flight_most;
        if (customers->late || atomic_load(&customers->sent) >= customers->options.requests)
            return;
        send_next(customers);
    }
    world_timer_start(customers->world, &customers->arrival, customers->due_us - now_us);
}

static void
on_arrival(struct timer *timer)
{
    arrive(CONTAINER_OF(timer, struct customers, arrival));
}

struct customers *
customers_start(struct world *world, const struct customers_options *options)
{
    struct customers *customers = must_calloc(1, sizeof(*customers));

    ENSURE(options->requests_per_s > 0.0 && options->in_flight_most > 0);
    ENSURE(options->crowd_ppm == 0 || options->crowd_most > 1);
    customers->world = world;
    customers->options = *options;
    customers->arrival.fire = on_arrival;
    list_init(&customers->visits);
    rng_seed(&customers->rng, options->seed);
    world_timer_start(world, &customers->arrival, 0);
    return customers;
}

void
customers_counts(const struct customers *customers, struct customers_counts *out)
{
    *out = (struct customers_counts){
        .sent = atomic_load(&customers->sent),
        .ended = atomic_load(&customers->ended),
        .failed = atomic_load(&customers->failed),
        .left = atomic_load(&customers->left),
        .checked = atomic_load(&customers->checked),
        .useful = atomic_load(&customers->useful),
        .told = atomic_load(&customers->told),
    };
}

size_t
customers_tallies(const struct customers *customers, struct customers_tally *out)
{
    memcpy(out, customers->tallies, customers->tally_count * sizeof(*out));
    return customers->tally_count;
}

bool
customers_done(const struct customers *customers)
{
    return atomic_load(&customers->ended) >= customers->options.requests && atomic_load(&customers->telling) == 0;
}

void
customers_stop(struct customers *customers)
{
    world_timer_stop(customers->world, &customers->arrival);
    LIST_EACH(&customers->visits, node, after)
    visit_end(CONTAINER_OF(node, struct visit, link));
    free(customers);
}
