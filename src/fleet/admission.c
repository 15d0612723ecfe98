#include "fleet/admission.h"

#include <math.h>
#include <stdlib.h>

/* What more urgent classes needed is forgotten by half in so long. */
static const double NEEDED_HALF_LIFE_US = 10.0 * USEC_PER_S;

/* How many requests a replica whose cache is not known may have to begin with. */
enum { REQUESTS_PER_REPLICA = 16 };

/* Forecasts are corrected by about the last so many that came true. */
static const double FORECASTS = 50.0;

/* One that is so many times off, a cold start perhaps, counts as no more. */
static const double SAMPLE_MOST = 4.0;
static const double FACTOR_MOST = 100.0;

static const double DEVIATIONS = 4.0;

/* The usual length is of about the last so many prompts. */
static const double PROMPTS = 100.0;

static void
take_pace(struct admission *admission, const struct admission_pace *pace)
{
    ENSURE(pace->replicas > 0);
    admission->pace = *pace;
    token_limit_caches(&admission->limit, pace->kv_tokens * pace->replicas);
    token_limit_fix(&admission->limit, pace->requests_most);
}

void
admission_init(struct admission *admission, const struct admission_pace *pace)
{
    *admission = (struct admission){.wait_factor = 1.0, .prompt_factor = 1.0};
    lock_init(&admission->lock);
    fair_queue_init(&admission->queue);
    token_limit_init(&admission->limit, (double)REQUESTS_PER_REPLICA * pace->replicas);
    take_pace(admission, pace);
}

void
admission_free(struct admission *admission)
{
    ENSURE(admission->in_flight == 0 && admission->tokens == 0 && admission->prefill == 0);
    fair_queue_free(&admission->queue);
    lock_destroy(&admission->lock);
}

/* What classes need */

static void
note_needs(struct admission *admission, usec now_us)
{
    double kept = exp2(-(double)(now_us - admission->needed_us) / NEEDED_HALF_LIFE_US);

    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++) {
        double needs = (double)(admission->class_tokens[i] + admission->queue.classes[i].tokens);

        admission->class_needed[i] = fmax(needs, admission->class_needed[i] * kept);
    }
    admission->needed_us = now_us;
}

/* Tokens that a class may have in flight itself: what more urgent ones do not need. */
static double
class_room(const struct admission *admission, unsigned class)
{
    double room = (double)token_limit_tokens(&admission->limit);

    for (unsigned i = 0; i < class; i++)
        room -= admission->class_needed[i];
    return room;
}

/* Time */

/* By the engines' model. */
static usec
modelled_us(const struct admission *admission, int64_t tokens)
{
    const struct admission_pace *pace = &admission->pace;

    return pace->first_token_us + (usec)((double)tokens * pace->prefill_us_per_token);
}

/* As nearly all have turned out of late: a mean and four mean deviations (V. Jacobson, Congestion avoidance and control,
 * 1988). */
static usec
prefill_us(const struct admission *admission, int64_t tokens)
{
    double factor = admission->prompt_factor + DEVIATIONS * admission->prompt_spread;

    return (usec)(factor * (double)modelled_us(admission, tokens));
}

/* With the prompts that are under way. */
static int64_t
prompts_before(const struct admission *admission, int64_t prefill)
{
    return prefill + admission->prefill / admission->pace.replicas;
}

/* Prompts that are under way go first, spread over the replicas. */
static usec
first_token_us(const struct admission *admission, int64_t prefill)
{
    return prefill_us(admission, prompts_before(admission, prefill));
}

static bool
is_late(usec now_us, usec span_us, usec deadline_us)
{
    return deadline_us != USEC_NEVER && span_us > deadline_us - now_us;
}

/* Two prompts of the usual length at each engine, or as many short ones as make a good step. How long the next one is does
 * not matter: a long one would wait for ever, and all behind it. */
static bool
engines_want_prompts(const struct admission *admission)
{
    double room = fmax(2.0 * admission->mean_prefill, (double)admission->pace.step_tokens);

    return (double)admission->prefill < room * (double)admission->pace.replicas;
}

static bool
fits(const struct admission *admission, const struct admission_ticket *ticket, usec now_us)
{
    if (admission->in_flight == 0)
        return true; /* somebody must be served, however small the limit is */
    if (admission->tokens > token_limit_tokens(&admission->limit) - ticket->tokens)
        return false;
    if ((double)(admission->class_tokens[ticket->class] + ticket->tokens) > class_room(admission, ticket->class))
        return false;
    return engines_want_prompts(admission) &&
           !is_late(now_us, first_token_us(admission, ticket->prefill), ticket->deadline_us);
}

/* Even if it started now, with nobody else's prompt before its own. */
static bool
is_hopeless(const struct admission *admission, const struct admission_ticket *ticket, usec now_us)
{
    return is_late(now_us, prefill_us(admission, ticket->prefill), ticket->deadline_us);
}

static usec
expected_wait_us(const struct admission *admission, const struct admission_want *want)
{
    double rate = token_limit_rate(&admission->limit);
    int64_t limit = token_limit_tokens(&admission->limit);
    int64_t ahead = fair_queue_ahead(&admission->queue, &want->place, want->deadline_us, want->tokens);
    double over = (double)admission->tokens + (double)ahead + (double)want->tokens - (double)limit;

    if (over <= 0.0 || rate <= 0.0 || admission->in_flight == 0)
        return 0;
    return (usec)(admission->wait_factor * over / rate);
}

/* States */

static void
start(struct admission *admission, struct admission_ticket *ticket, usec now_us)
{
    ticket->prompt_us = modelled_us(admission, prompts_before(admission, ticket->prefill));
    ticket->state = ADMISSION_IN;
    ticket->admitted_us = now_us;
    ticket->prefilling = true;
    admission->in_flight++;
    admission->admitted++;
    admission->tokens += ticket->tokens;
    admission->prefill += ticket->prefill;
    admission->mean_prefill +=
        ((double)ticket->prefill - admission->mean_prefill) / fmin((double)admission->admitted, PROMPTS);
    admission->class_tokens[ticket->class] += ticket->tokens;
    token_limit_admitted(&admission->limit, ticket->tokens);
}

static void
refuse(struct admission *admission, struct admission_ticket *ticket, usec retry_after_us)
{
    ticket->state = ADMISSION_REFUSED;
    ticket->retry_after_us = retry_after_us > 0 ? retry_after_us : 0;
    admission->refused++;
}

/* Goes a little towards what came true. */
static void
correct(double *factor, double seen_us, double forecast_us)
{
    if (forecast_us <= 0.0)
        return;
    *factor += (fmin(seen_us / forecast_us, SAMPLE_MOST * *factor) - *factor) / FORECASTS;
    *factor = fmin(fmax(*factor, 1.0 / FACTOR_MOST), FACTOR_MOST);
}

static void
learn_prompt(struct admission *admission, const struct admission_ticket *ticket, usec seen_us)
{
    double strays = fabs((double)seen_us / (double)ticket->prompt_us - admission->prompt_factor);

    admission->prompt_spread +=
        (fmin(strays, SAMPLE_MOST * admission->prompt_factor) - admission->prompt_spread) / FORECASTS;
    correct(&admission->prompt_factor, (double)seen_us, (double)ticket->prompt_us);
}

static void
learn_wait(struct admission *admission, const struct admission_ticket *ticket, usec now_us)
{
    /* Of forecasts as they would have been without any correction. */
    correct(&admission->wait_factor, (double)(now_us - ticket->asked_us) * admission->wait_factor,
            (double)ticket->forecast_us);
}

/* Lets in who can be let in, in order; who cannot be served in time any more is refused. */
static void
let_in(struct admission *admission, usec now_us, struct list *told)
{
    note_needs(admission, now_us);
    for (unsigned class = 0; class < FAIR_CLASSES_MOST; class ++) {
        struct fair_waiter *waiter;

        while ((waiter = fair_queue_next(&admission->queue, class)) != NULL) {
            struct admission_ticket *ticket = CONTAINER_OF(waiter, struct admission_ticket, waiter);

            if (is_hopeless(admission, ticket, now_us)) {
                fair_queue_leave(&admission->queue, waiter);
                refuse(admission, ticket, now_us + prefill_us(admission, ticket->prefill) - ticket->deadline_us);
            } else if (fits(admission, ticket, now_us)) {
                fair_queue_serve(&admission->queue, waiter);
                learn_wait(admission, ticket, now_us);
                start(admission, ticket, now_us);
            } else {
                return; /* nobody behind it goes before it */
            }
            list_append(told, &ticket->link);
        }
    }
}

static bool
somebody_goes_before(const struct admission *admission, unsigned class)
{
    for (unsigned i = 0; i <= class; i++)
        if (admission->queue.classes[i].count > 0)
            return true;
    return false;
}

static void
wait_or_refuse(struct admission *admission, struct admission_ticket *ticket, const struct admission_want *want,
               usec now_us)
{
    usec wait_us = expected_wait_us(admission, want), span_us = wait_us + prefill_us(admission, want->prefill);

    if (is_late(now_us, span_us, want->deadline_us)) {
        refuse(admission, ticket, now_us + span_us - want->deadline_us);
    } else if (fair_queue_count(&admission->queue) >= admission->pace.queue_most) {
        refuse(admission, ticket, wait_us);
    } else {
        ticket->state = ADMISSION_WAITS;
        ticket->forecast_us = wait_us;
        ticket->waiter.deadline_us = want->deadline_us;
        ticket->waiter.tokens = want->tokens;
        admission->waited++;
        fair_queue_add(&admission->queue, &ticket->waiter, &want->place);
    }
}

enum admission_state
admission_ask(struct admission *admission, struct admission_ticket *ticket, const struct admission_want *want,
              const struct admission_pace *pace, usec now_us)
{
    enum admission_state state;

    ENSURE(ticket->state == ADMISSION_OUTSIDE && want->tokens > 0 && want->place.class < FAIR_CLASSES_MOST);
    *ticket = (struct admission_ticket){.class = want->place.class,
                                        .tokens = want->tokens,
                                        .prefill = want->prefill,
                                        .deadline_us = want->deadline_us,
                                        .asked_us = now_us};
    lock_take(&admission->lock);
    take_pace(admission, pace);
    note_needs(admission, now_us);
    if (!somebody_goes_before(admission, ticket->class) && fits(admission, ticket, now_us))
        start(admission, ticket, now_us);
    else
        wait_or_refuse(admission, ticket, want, now_us);
    state = ticket->state; /* who waits may be let in by another as soon as the lock is dropped */
    lock_drop(&admission->lock);
    return state;
}

struct admission_forecast
admission_expect(struct admission *admission, const struct admission_want *want, usec now_us)
{
    struct admission_forecast forecast = {0};

    (void)now_us;
    lock_take(&admission->lock);
    if (admission->queue.classes[want->place.class].count > 0 ||
        admission->tokens > token_limit_tokens(&admission->limit) - want->tokens)
        forecast.wait_us = expected_wait_us(admission, want);
    forecast.first_token_us = forecast.wait_us + (forecast.wait_us > 0 ? prefill_us(admission, want->prefill)
                                                                       : first_token_us(admission, want->prefill));
    lock_drop(&admission->lock);
    return forecast;
}

usec
admission_prompt_us(struct admission *admission, const struct admission_ticket *ticket)
{
    usec span_us;

    lock_take(&admission->lock);
    ENSURE(ticket->prefilling);
    span_us = first_token_us(admission, ticket->prefill - ticket->prefill / admission->pace.replicas);
    lock_drop(&admission->lock);
    return span_us;
}

static void
end_prefill(struct admission *admission, struct admission_ticket *ticket)
{
    if (ticket->prefilling)
        admission->prefill -= ticket->prefill;
    ticket->prefilling = false;
}

void
admission_first_token(struct admission *admission, struct admission_ticket *ticket, usec seen_us, usec now_us,
                      struct list *told)
{
    lock_take(&admission->lock);
    if (ticket->state == ADMISSION_IN && ticket->prefilling) {
        end_prefill(admission, ticket);
        token_limit_first_token(&admission->limit, seen_us, modelled_us(admission, ticket->prefill), admission->tokens);
        if (seen_us > 0 && ticket->prompt_us > 0)
            learn_prompt(admission, ticket, seen_us);
        let_in(admission, now_us, told);
    }
    lock_drop(&admission->lock);
}

static void
give_back(struct admission *admission, struct admission_ticket *ticket, usec now_us)
{
    note_needs(admission, now_us);
    end_prefill(admission, ticket);
    admission->in_flight--;
    admission->tokens -= ticket->tokens;
    admission->class_tokens[ticket->class] -= ticket->tokens;
    token_limit_ended(&admission->limit, now_us - ticket->admitted_us);
    ENSURE(admission->tokens >= 0 && admission->prefill >= 0 && admission->class_tokens[ticket->class] >= 0);
}

enum admission_state
admission_end(struct admission *admission, struct admission_ticket *ticket, usec now_us, struct list *told)
{
    enum admission_state was;

    lock_take(&admission->lock);
    was = ticket->state;
    if (was == ADMISSION_IN) {
        give_back(admission, ticket, now_us);
    } else if (was == ADMISSION_WAITS) {
        fair_queue_leave(&admission->queue, &ticket->waiter);
        admission->left++;
    }
    ticket->state = ADMISSION_OUTSIDE;
    let_in(admission, now_us, told);
    lock_drop(&admission->lock);
    return was;
}

void
admission_overloaded(struct admission *admission, usec now_us)
{
    lock_take(&admission->lock);
    token_limit_overloaded(&admission->limit, now_us);
    lock_drop(&admission->lock);
}

void
admission_figures(struct admission *admission, struct admission_figures *out)
{
    lock_take(&admission->lock);
    *out = (struct admission_figures){
        .in_flight = admission->in_flight,
        .waiting = fair_queue_count(&admission->queue),
        .tokens = admission->tokens,
        .limit_tokens = token_limit_tokens(&admission->limit),
        .waiting_tokens = fair_queue_tokens(&admission->queue),
        .limit_requests = admission->limit.requests,
        .residence_us = (usec)admission->limit.residence_us,
        .admitted = admission->admitted,
        .waited = admission->waited,
        .refused = admission->refused,
        .left = admission->left,
        .cuts = admission->limit.cuts,
    };
    lock_drop(&admission->lock);
}

/* All of them */

void
admissions_init(struct admissions *all)
{
    lock_init(&all->lock);
    map_init(&all->by_name);
}

void
admissions_free(struct admissions *all)
{
    size_t at = 0;
    struct slice name;
    void *admission;

    while (map_next(&all->by_name, &at, &name, &admission)) {
        admission_free(admission);
        free(admission);
    }
    map_free(&all->by_name);
    lock_destroy(&all->lock);
}

size_t
admissions_busy(struct admissions *all)
{
    size_t at = 0, busy = 0;
    struct slice name;
    void *admission;
    struct admission_figures figures;

    lock_take(&all->lock);
    while (map_next(&all->by_name, &at, &name, &admission)) {
        admission_figures(admission, &figures);
        busy += figures.in_flight + figures.waiting;
    }
    lock_drop(&all->lock);
    return busy;
}

static int64_t
in_of(const struct admission_figures *figures)
{
    return (int64_t)figures->in_flight;
}

static int64_t
waiting_of(const struct admission_figures *figures)
{
    return (int64_t)figures->waiting;
}

static int64_t
tokens_of(const struct admission_figures *figures)
{
    return figures->tokens;
}

static int64_t
limit_of(const struct admission_figures *figures)
{
    return figures->limit_tokens;
}

static int64_t
cuts_of(const struct admission_figures *figures)
{
    return (int64_t)figures->cuts;
}

static const struct gauge {
    const char *name, *type, *help;
    int64_t (*value)(const struct admission_figures *);
} gauges[] = {
    {"equipoise_admission_in_flight", "gauge", "Requests that were let in to a backend and are there", in_of},
    {"equipoise_admission_waiting", "gauge", "Requests in line for a backend", waiting_of},
    {"equipoise_admission_tokens", "gauge", "Tokens in flight there: input and half of the output", tokens_of},
    {"equipoise_admission_tokens_limit", "gauge", "Tokens that may be in flight there", limit_of},
    {"equipoise_admission_cuts_total", "counter", "Times that the limit was cut, as the backend had too much to do",
     cuts_of},
    {NULL, NULL, NULL, NULL},
};

void
admissions_print(struct admissions *all, struct buffer *out)
{
    for (const struct gauge *gauge = gauges; gauge->name != NULL; gauge++) {
        size_t at = 0;
        struct slice name;
        void *admission;
        struct admission_figures figures;

        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", gauge->name, gauge->help, gauge->name, gauge->type);
        lock_take(&all->lock);
        while (map_next(&all->by_name, &at, &name, &admission)) {
            admission_figures(admission, &figures);
            buffer_printf(out, "%s{backend=\"%.*s\"} %lld\n", gauge->name, SLICE_ARGS(name),
                          (long long)gauge->value(&figures));
        }
        lock_drop(&all->lock);
    }
}

struct admission *
admissions_of(struct admissions *all, const char *name, const struct admission_pace *pace)
{
    struct admission *admission;

    lock_take(&all->lock);
    admission = map_get(&all->by_name, slice_of(name));
    if (admission == NULL) {
        admission = must_alloc(sizeof(*admission));
        admission_init(admission, pace);
        map_put(&all->by_name, slice_of(name), admission);
    }
    lock_drop(&all->lock);
    return admission;
}
