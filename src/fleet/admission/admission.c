#include "fleet/admission/admission.h"

#include <math.h>
#include <stdlib.h>

/* What more urgent classes needed is forgotten by half in so long. */
static const double NEEDED_HALF_LIFE_US = 10.0 * USEC_PER_S;

/* What was learned of first tokens is forgotten by half in so long without any that is waited for. Where answers go on, prompts
 * may come seldom and teach all the same: it begins when none has come for so long. */
static const double IDLE_HALF_LIFE_US = 60.0 * USEC_PER_S;
static const usec QUIET_US = 60 * USEC_PER_S;

/* How many requests a replica whose cache is not known may have to begin with. */
enum { REQUESTS_PER_REPLICA = 16 };

/* Forecasts are corrected by about the last so many that came true. */
static const double FORECASTS = 50.0;

/* Before any wait was seen, what is expected of it counts like so much that came true. */
static const double WAITS_BEFORE_US = 1.0 * USEC_PER_S;

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
    token_limit_pool(&admission->limit, pace->replicas, pace->sequences, pace->kv_tokens);
    token_limit_engine(&admission->limit, pace->known != NULL ? &pace->known->time : NULL, &pace->learned);
    token_limit_fix(&admission->limit, pace->requests_most);
}

void
admission_init(struct admission *admission, const struct admission_pace *pace)
{
    *admission =
        (struct admission){.waits_seen_us = WAITS_BEFORE_US, .waits_plain_us = WAITS_BEFORE_US, .prompt_factor = 1.0};
    lock_init(&admission->lock);
    fair_queue_init(&admission->queue);
    token_limit_init(&admission->limit, REQUESTS_PER_REPLICA);
    take_pace(admission, pace);
}

void
admission_free(struct admission *admission)
{
    ENSURE(admission->in_flight == 0 && admission->tokens == 0);
    ENSURE(admission->prefill == 0 && admission->filling == 0);
    fair_queue_free(&admission->queue);
    lock_destroy(&admission->lock);
}

/* What classes need */

/* What no prompt under way bears out any more, so that a jam is not remembered for good while nobody is let in. Answers that go
 * on, however long, tell nothing of first tokens. */
static void
forget_idle(struct admission *admission, usec now_us)
{
    usec from_us = admission->needed_us, quiet_us = admission->filled_us + QUIET_US;
    double kept;

    if (admission->filling > 0) {
        admission->filled_us = now_us;
        return;
    }
    if (admission->in_flight > 0 && from_us < quiet_us)
        from_us = quiet_us < now_us ? quiet_us : now_us;
    kept = exp2(-(double)(now_us - from_us) / IDLE_HALF_LIFE_US);
    admission->prompt_factor = 1.0 + (admission->prompt_factor - 1.0) * kept;
    admission->prompt_spread *= kept;
}

static void
note_needs(struct admission *admission, usec now_us)
{
    double kept = exp2(-(double)(now_us - admission->needed_us) / NEEDED_HALF_LIFE_US);

    forget_idle(admission, now_us);
    for (unsigned i = 0; i < FAIR_CLASSES_MOST; i++) {
        double needs = (double)(admission->class_tokens[i] + admission->queue.classes[i].tokens);

        admission->class_needed[i] = fmax(needs, admission->class_needed[i] * kept);
    }
    admission->needed_us = now_us;
}

/* A number that somebody has set is of our own requests. */
static int64_t
others_tokens(const struct admission *admission)
{
    return admission->pace.requests_most > 0 ? 0 : admission->pace.others_tokens;
}

/* What others leave. */
static double
room_for_tokens(const struct admission *admission)
{
    return (double)token_limit_tokens(&admission->limit) - (double)others_tokens(admission);
}

/* Of it, what a class may have in flight itself: what more urgent ones do not need. */
static double
class_room(const struct admission *admission, unsigned class)
{
    double room = room_for_tokens(admission);

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
    return prefill + (admission->prefill + admission->pace.others_prefill) / admission->pace.replicas;
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

struct in_time {
    const struct admission *admission;
    usec now_us;
};

/* Prompts that keep one replica busy: two of the usual length, or as many short ones as make a good step. How long the next
 * one is does not matter: a long one would wait for ever, and all behind it. */
static double
room_of_replica(const struct admission *admission)
{
    return fmax(2.0 * admission->mean_prefill, (double)admission->pace.step_tokens);
}

static double
room_for_prompts(const struct admission *admission)
{
    return room_of_replica(admission) * (double)admission->pace.replicas;
}

/* If it started now, behind the prompts that are under way, it would be in time. */
static bool
is_in_time(const void *context, const struct fair_waiter *waiter)
{
    const struct in_time *in_time = context;
    const struct admission_ticket *ticket = CONTAINER_OF(waiter, struct admission_ticket, waiter);

    return !is_late(in_time->now_us, first_token_us(in_time->admission, ticket->prefill), ticket->waiter.deadline_us);
}

/* The next of a class that engines want the prompt of, and that would be in time; NULL: none. Tenants with less there than
 * others go first. Who would be late does not hold up others: until the prompts before it are read, as much time has passed. */
static struct fair_waiter *
next_wanted(const struct admission *admission, unsigned class, usec now_us)
{
    const struct in_time in_time = {admission, now_us};
    double room = room_for_prompts(admission);
    double there = (double)admission->filling + (double)admission->pace.others_prefill;
    struct fair_filter filter = {is_in_time, &in_time, fmax(1.0, room_for_tokens(admission)), fmax(1.0, room)};
    struct fair_waiter *next;

    if (admission->in_flight == 0)
        return fair_queue_next(&admission->queue, class); /* somebody must be served */
    next = there < 2.0 * room ? fair_queue_next_that(&admission->queue, class, &filter) : NULL;
    filter.room = 0.0;
    return next != NULL || there >= room ? next : fair_queue_next_that(&admission->queue, class, &filter);
}

/* However small requests are. */
static bool
engines_have_seats(const struct admission *admission)
{
    const struct admission_pace *pace = &admission->pace;

    return pace->sequences == 0 || pace->requests_most > 0 ||
           (int64_t)admission->in_flight + pace->others_requests < (int64_t)pace->sequences * pace->replicas;
}

/* Up to its share, or with a first request of any size, a tenant may start also in the tenth that is kept free. Beyond it, it
 * leaves free what others needed of late with less than theirs. */
static double
fair_room(struct admission *admission, const struct fair_place *place, int64_t tokens, usec now_us)
{
    double room = room_for_tokens(admission);
    struct fair_claims claims = fair_queue_claims(&admission->queue, place, room, admission->limit.mean_tokens, now_us);
    bool within = claims.there <= 0 || claims.there + (double)tokens <= claims.share;

    return claims.shared && within ? room / TOKEN_LIMIT_ROOM_SHARE : room - claims.reserved;
}

static bool
fits_tokens(struct admission *admission, const struct fair_place *place, int64_t tokens, usec now_us)
{
    double of_class = (double)(admission->class_tokens[place->class] + tokens);

    return engines_have_seats(admission) && (place->class == 0 || of_class <= class_room(admission, place->class)) &&
           (double)(admission->tokens + tokens) <= fair_room(admission, place, tokens, now_us);
}

static bool
fits(struct admission *admission, const struct admission_ticket *ticket, usec now_us)
{
    return admission->in_flight == 0 || /* somebody must be served, however small the limit is */
           fits_tokens(admission, &ticket->place, ticket->waiter.tokens, now_us);
}

/* Even if it started now, with nobody else's prompt before its own. */
static bool
is_hopeless(const struct admission *admission, const struct admission_ticket *ticket, usec now_us)
{
    return is_late(now_us, prefill_us(admission, ticket->prefill), ticket->waiter.deadline_us);
}

/* By Little's law alone. */
static usec
plain_wait_us(const struct admission *admission, const struct admission_want *want)
{
    double rate = token_limit_rate(&admission->limit);
    int64_t ahead = fair_queue_ahead(&admission->queue, &want->place, want->deadline_us, want->work_us);
    double over = (double)admission->tokens + (double)ahead + (double)want->tokens - room_for_tokens(admission);

    if (rate <= 0.0 || admission->in_flight == 0)
        return 0;
    return (usec)((over > 0.0 ? over : (double)(ahead + want->tokens)) / rate); /* there is room, but not for prompts */
}

/* As it came true of late. */
static usec
expected_wait_us(const struct admission *admission, usec plain_us)
{
    double factor = admission->waits_seen_us / fmax(1.0, admission->waits_plain_us);

    return (usec)(fmin(fmax(factor, 1.0 / FACTOR_MOST), FACTOR_MOST) * (double)plain_us);
}

/* States */

static void
start(struct admission *admission, struct admission_ticket *ticket, usec now_us)
{
    double most = room_of_replica(admission);

    ticket->filling = (double)ticket->prefill < most ? ticket->prefill : (int64_t)most;
    fair_queue_serve(&admission->queue, &ticket->waiter, ticket->filling);
    ticket->prompt_us = modelled_us(admission, prompts_before(admission, ticket->prefill));
    ticket->state = ADMISSION_IN;
    ticket->admitted_us = now_us;
    ticket->prefilling = true;
    admission->in_flight++;
    admission->admitted++;
    admission->tokens += ticket->waiter.tokens;
    admission->prefill += ticket->prefill;
    admission->filling += ticket->filling;
    admission->mean_prefill +=
        ((double)ticket->prefill - admission->mean_prefill) / fmin((double)admission->admitted, PROMPTS);
    admission->class_tokens[ticket->place.class] += ticket->waiter.tokens;
    token_limit_admitted(&admission->limit, ticket->waiter.tokens, ticket->prefill, ticket->output);
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
    /* Sums, not a mean of ratios: in that, whoever was hardly expected to wait would outweigh all others. */
    admission->waits_seen_us += (double)(now_us - ticket->asked_us) - admission->waits_seen_us / FORECASTS;
    admission->waits_plain_us += (double)ticket->plain_wait_us - admission->waits_plain_us / FORECASTS;
}

/* Who cannot be served in time any more is refused. */
static void
give_up(struct admission *admission, struct admission_ticket *ticket, usec now_us)
{
    fair_queue_leave(&admission->queue, &ticket->waiter);
    refuse(admission, ticket, now_us + prefill_us(admission, ticket->prefill) - ticket->waiter.deadline_us);
}

static struct admission_ticket *
ticket_of(struct fair_waiter *waiter)
{
    return CONTAINER_OF(waiter, struct admission_ticket, waiter);
}

/* Lets in who can be let in, in order. */
static void
let_in(struct admission *admission, usec now_us, struct list *told)
{
    note_needs(admission, now_us);
    for (unsigned class = 0; class < FAIR_CLASSES_MOST; class ++) {
        struct fair_waiter *first;

        while ((first = fair_queue_next(&admission->queue, class)) != NULL) {
            struct fair_waiter *wanted = next_wanted(admission, class, now_us);
            struct admission_ticket *ticket = ticket_of(wanted != NULL ? wanted : first);

            if (is_hopeless(admission, ticket, now_us)) {
                give_up(admission, ticket, now_us);
            } else if (wanted != NULL && fits(admission, ticket, now_us)) {
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
somebody_more_urgent_waits(const struct admission *admission, unsigned class)
{
    for (unsigned i = 0; i < class; i++)
        if (admission->queue.classes[i].count > 0)
            return true;
    return false;
}

/* It is in the queue and does not start yet: it stays there, or is told at once that it is of no use. */
static void
wait_or_refuse(struct admission *admission, struct admission_ticket *ticket, usec plain_us, usec now_us)
{
    usec wait_us = expected_wait_us(admission, plain_us), span_us = wait_us + prefill_us(admission, ticket->prefill);
    bool late = is_late(now_us, span_us, ticket->waiter.deadline_us);

    if (late || fair_queue_count(&admission->queue) > admission->pace.queue_most) {
        fair_queue_leave(&admission->queue, &ticket->waiter);
        refuse(admission, ticket, late ? now_us + span_us - ticket->waiter.deadline_us : wait_us);
    } else {
        ticket->state = ADMISSION_WAITS;
        ticket->plain_wait_us = plain_us;
        admission->waited++;
    }
}

enum admission_state
admission_ask(struct admission *admission, struct admission_ticket *ticket, const struct admission_want *want,
              const struct admission_pace *pace, usec now_us)
{
    enum admission_state state;
    usec plain_us;

    ENSURE(ticket->state == ADMISSION_OUTSIDE && want->tokens > 0 && want->place.class < FAIR_CLASSES_MOST);
    *ticket = (struct admission_ticket){
        .waiter = {.deadline_us = want->deadline_us, .work_us = want->work_us, .tokens = want->tokens},
        .place = want->place,
        .prefill = want->prefill,
        .output = want->output,
        .asked_us = now_us};
    lock_take(&admission->lock);
    take_pace(admission, pace);
    note_needs(admission, now_us);
    plain_us = plain_wait_us(admission, want);
    fair_queue_add(&admission->queue, &ticket->waiter, &want->place, now_us);
    if (!somebody_more_urgent_waits(admission, ticket->place.class) &&
        next_wanted(admission, ticket->place.class, now_us) == &ticket->waiter && fits(admission, ticket, now_us))
        start(admission, ticket, now_us);
    else
        wait_or_refuse(admission, ticket, plain_us, now_us);
    state = ticket->state; /* who waits may be let in by another as soon as the lock is dropped */
    lock_drop(&admission->lock);
    return state;
}

struct admission_forecast
admission_expect(struct admission *admission, const struct admission_want *want, usec now_us)
{
    struct admission_forecast forecast = {0};

    lock_take(&admission->lock);
    note_needs(admission, now_us);
    if (!fits_tokens(admission, &want->place, want->tokens, now_us))
        forecast.wait_us = expected_wait_us(admission, plain_wait_us(admission, want));
    forecast.first_token_us = forecast.wait_us + (forecast.wait_us > 0 ? prefill_us(admission, want->prefill)
                                                                       : first_token_us(admission, want->prefill));
    if (admission->in_flight == 0) /* nothing is in its way, so it is tried, and teaches how long it takes */
        forecast = (struct admission_forecast){.first_token_us = modelled_us(admission, want->prefill)};
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
    if (ticket->prefilling) {
        admission->prefill -= ticket->prefill;
        admission->filling -= ticket->filling;
        fair_queue_filled(&ticket->waiter);
    }
    ticket->prefilling = false;
}

void
admission_first_token(struct admission *admission, struct admission_ticket *ticket, usec seen_us, usec now_us,
                      struct list *told)
{
    lock_take(&admission->lock);
    if (ticket->state == ADMISSION_IN && ticket->prefilling) {
        note_needs(admission, now_us); /* until now it was waited for */
        end_prefill(admission, ticket);
        token_limit_first_token(&admission->limit, seen_us, modelled_us(admission, ticket->prefill),
                                admission->tokens + others_tokens(admission));
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
    fair_queue_over(&admission->queue, &ticket->waiter, now_us);
    admission->in_flight--;
    admission->tokens -= ticket->waiter.tokens;
    admission->class_tokens[ticket->place.class] -= ticket->waiter.tokens;
    token_limit_ended(&admission->limit, now_us - ticket->admitted_us);
    ENSURE(admission->tokens >= 0 && admission->prefill >= 0 && admission->class_tokens[ticket->place.class] >= 0);
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

bool
admission_waits(struct admission *admission)
{
    bool waits;

    lock_take(&admission->lock);
    waits = fair_queue_count(&admission->queue) > 0;
    lock_drop(&admission->lock);
    return waits;
}

void
admission_told(struct admission *admission, const struct admission_pace *pace, usec now_us, struct list *told)
{
    lock_take(&admission->lock);
    take_pace(admission, pace);
    let_in(admission, now_us, told);
    lock_drop(&admission->lock);
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
        .others_tokens = admission->pace.others_tokens,
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
