#include "gateway/attempt/reach.h"

#include "base/rng.h"
#include "fleet/dispatch/policy.h"
#include "gateway/attempt/account.h"
#include "gateway/attempt/admit.h"
#include "gateway/running/alert.h"
#include "gateway/watch/prefixes.h"

static uint64_t
seat_bit(size_t seat)
{
    return (uint64_t)1 << seat % 64;
}

static const struct standing *
standing_of(const struct plan *plan)
{
    return &plan->facts->standing;
}

/* What stands between a plan and one of its seats. `tried` is left out by the caller. */
static enum verdict
seat_away(const struct seat *seat, usec now_us, usec *until_us)
{
    if (rest_over_us(seat->rest) > now_us) {
        *until_us = rest_over_us(seat->rest);
        return VERDICT_RESTING;
    }
    if (health_state(seat->health, now_us) != HEALTH_OUT)
        return VERDICT_NONE;
    *until_us = health_due_us(seat->health);
    return VERDICT_EJECTED;
}

/* An ejected seat can be a last resort, one at rest can not: so where there are both, the plan counts as ejected. */
static bool
is_nearer(enum verdict away, usec until_us, const struct plan *plan)
{
    if (away != plan->away)
        return away == VERDICT_EJECTED;
    return until_us < plan->away_until_us;
}

static void
survey_seats(struct plan *plan, usec now_us)
{
    const struct standing *standing = standing_of(plan);
    bool any = false;

    for (size_t i = 0; i < standing->count; i++) {
        enum verdict away;
        usec until_us = 0;

        if (plan->tried_seats & seat_bit(i))
            continue;
        away = seat_away(&standing->seats[i], now_us, &until_us);
        if (!any || away == VERDICT_NONE || is_nearer(away, until_us, plan)) {
            plan->away = away;
            plan->away_until_us = until_us;
        }
        any = true;
        if (away == VERDICT_NONE)
            return;
    }
    plan->tried |= !any;
}

static void
survey_plan(const struct exchange *exchange, struct plan *plan, usec now_us)
{
    plan->away = VERDICT_NONE;
    survey_seats(plan, now_us);
    if (plan->away == VERDICT_NONE)
        account_survey(exchange, plan, now_us);
}

void
reach_survey(const struct exchange *exchange, struct plans *plans)
{
    usec now_us = world_now_us(worker_world(exchange->worker));

    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        /* Pass-through has nowhere else to go; what makes no call of its own need not be reached. */
        if (plan->tried || plan->target == NULL || plan->source == SOURCE_PASSTHROUGH || plan->source == SOURCE_SHARED)
            continue;
        survey_plan(exchange, plan, now_us);
        if (exchange->view->config->observe)
            plan->away = VERDICT_NONE; /* who only observes refuses nobody, whatever happened before */
    }
}

/* Picking */

/* A conversation whose provider keeps its prompts shall find what was kept of it. */
static bool
keeps_its_seat(const struct exchange *exchange, const struct plan *plan)
{
    return plan->cache.on && exchange->conversation != 0 && plan->target->backend->engine == ENGINE_HOSTED;
}

/* Its lot's turn. An id by itself is no lot: its lower bits are hardly ever other than 0. */
static size_t
seat_in_turn(const struct exchange *exchange, const struct plan *plan, size_t turn)
{
    uint64_t lot = rng_mix(keeps_its_seat(exchange, plan) ? exchange->conversation : exchange->id);

    return (lot % standing_of(plan)->count + exchange->attempts + turn) % standing_of(plan)->count;
}

unsigned
reach_open_seats(const struct exchange *exchange, const struct plan *plan, usec now_us, unsigned *open)
{
    const struct standing *standing = standing_of(plan);
    size_t from = standing->count > POLICY_SEATS_MOST ? seat_in_turn(exchange, plan, 0) : 0;
    unsigned count = 0;

    for (size_t i = 0; i < standing->count && count < POLICY_SEATS_MOST; i++) {
        size_t at = (from + i) % standing->count;
        const struct seat *seat = &standing->seats[at];

        if ((plan->tried_seats & seat_bit(at)) == 0 && rest_over_us(seat->rest) <= now_us &&
            health_state(seat->health, now_us) != HEALTH_OUT)
            open[count++] = (unsigned)at;
    }
    return count;
}

static void
take_the_only_one(struct exchange *exchange, unsigned seat)
{
    exchange->choice = (struct policy_choice){.seat = seat, .second = seat, .cost_us = -1, .second_cost_us = -1};
}

/* What its engine is expected to keep of the prompt: nothing else is to be found out of a lone one. */
static void
match_the_only_one(struct exchange *exchange)
{
    struct policy_choice *choice = &exchange->choice;
    struct policy_ask ask = {.seats = standing_of(exchange->plan)->seats, .open = &choice->seat, .open_count = 1};
    struct expectation expectation = experience_expect(exchange->plan->facts->experience, 500000);

    prefixes_ask(exchange, exchange->plan, &ask);
    if (ask.chain == NULL)
        return;
    ask.wish = estimate_wish(&exchange->request, &expectation);
    policy_match_chosen(&ask, choice);
}

static void
choose_in_turn(struct exchange *exchange, const unsigned *open, unsigned count)
{
    const struct plan *plan = exchange->plan;
    unsigned count_all = (unsigned)standing_of(plan)->count, first = (unsigned)seat_in_turn(exchange, plan, 0);
    unsigned nearest = 0;

    for (unsigned i = 1; i < count; i++)
        if ((open[i] + count_all - first) % count_all < (open[nearest] + count_all - first) % count_all)
            nearest = i;
    take_the_only_one(exchange, open[nearest]);
}

static void
choose_by_policy(struct exchange *exchange, const unsigned *open, unsigned count, usec now_us)
{
    const struct standing *standing = standing_of(exchange->plan);
    const struct policy_ops *policy = policy_of(exchange->plan->target->backend->policy);
    struct expectation expectation = experience_expect(exchange->plan->facts->experience, 500000);
    struct policy_ask ask = {.seats = standing->seats,
                             .open = open,
                             .open_count = count,
                             .lot = rng_mix(exchange->id),
                             .wish = estimate_wish(&exchange->request, &expectation),
                             .pool = standing->pool,
                             .fit = standing->fit,
                             .now_us = now_us,
                             .line_is_in_front = admit_holds_the_line(exchange, exchange->plan)};

    if (policy->reads_prompt)
        prefixes_ask(exchange, exchange->plan, &ask);
    policy->choose(&ask, &exchange->choice);
}

/* A seat that may be asked now: if it is due for a probe, this is the probe. */
static bool
take_open_seat(struct exchange *exchange, usec now_us)
{
    unsigned open[POLICY_SEATS_MOST], count = reach_open_seats(exchange, exchange->plan, now_us, open);

    while (count > 0) {
        unsigned at = 0;

        if (count == 1) {
            take_the_only_one(exchange, open[0]);
            match_the_only_one(exchange);
        } else if (keeps_its_seat(exchange, exchange->plan))
            choose_in_turn(exchange, open, count);
        else
            choose_by_policy(exchange, open, count, now_us);
        exchange->seat = exchange->choice.seat;
        if (health_claim(standing_of(exchange->plan)->seats[exchange->seat].health, now_us, &exchange->probe_us))
            return true;
        while (at < count && open[at] != exchange->choice.seat) /* another worker was quicker */
            at++;
        ENSURE(at < count);
        memmove(&open[at], &open[at + 1], (--count - at) * sizeof(open[0]));
    }
    return false;
}

/* How bad a last resort it is: at rest, tried, due late, in that order of weight. */
struct resort {
    bool resting, tried;
    usec due_us;
};

static bool
is_better(struct resort a, struct resort b)
{
    if (a.resting != b.resting)
        return b.resting;
    if (a.tried != b.tried)
        return b.tried;
    return a.due_us < b.due_us;
}

/* Nobody is left: the one due soonest, tried ones behind the others, and those at rest behind all. */
static void
take_last_resort(struct exchange *exchange, usec now_us)
{
    const struct standing *standing = standing_of(exchange->plan);
    struct resort best = {0};

    for (size_t turn = 0; turn < standing->count; turn++) {
        size_t at = seat_in_turn(exchange, exchange->plan, turn);
        const struct seat *seat = &standing->seats[at];
        bool resting = rest_over_us(seat->rest) > now_us;
        struct resort resort = {resting, (exchange->plan->tried_seats & seat_bit(at)) != 0,
                                resting ? rest_over_us(seat->rest) : health_due_us(seat->health)};

        if (turn > 0 && !is_better(resort, best))
            continue;
        best = resort;
        exchange->seat = at;
    }
}

const struct endpoint *
reach_pick(struct exchange *exchange)
{
    const struct backend_config *backend = exchange->plan->target->backend;
    usec now_us = world_now_us(worker_world(exchange->worker));

    ENSURE(backend->endpoint_count > 0 && backend->endpoint_count == standing_of(exchange->plan)->count);
    exchange->probe_us = exchange->account_probe_us = 0;
    if (!take_open_seat(exchange, now_us)) {
        take_last_resort(exchange, now_us);
        take_the_only_one(exchange, (unsigned)exchange->seat);
    }
    health_claim(account_of(exchange)->health, now_us, &exchange->account_probe_us);
    exchange->reported = exchange->goes_along = false;
    exchange->said = (struct refusal){0};
    return &backend->endpoints[exchange->seat];
}

void
reach_go_along(struct exchange *exchange, const struct exchange *with)
{
    exchange->seat = with->seat;
    exchange->choice = with->choice;
    exchange->probe_us = exchange->account_probe_us = 0;
    exchange->reported = false;
    exchange->goes_along = true;
    account_go_along(exchange);
    exchange->said = (struct refusal){0};
}

/* Learning */

/* What an attempt's end says of its endpoint. */
enum lesson { LESSON_NONE, LESSON_WORKS, LESSON_FAILS };

/* Overloaded, broken, or a proxy that cannot reach what is behind it. A method or feature that is not there (501) is the request's affair. */
static bool
is_failing(unsigned status)
{
    return status >= 500 && status != 501;
}

/* What our side ended, what never left it, and a kept connection that its peer had closed (RFC 9112, 9.3.1) say nothing.
 * Errors that are the request's own show that the server works. */
static enum lesson
lesson_of(const struct flight *flight)
{
    if (is_failing(flight->status))
        return LESSON_FAILS;
    if (flight->state == FLIGHT_FAILED) {
        bool stale = flight->call.reused && flight_did_nothing(flight);

        return stale || flight->failure == CALL_FULL ? LESSON_NONE : LESSON_FAILS;
    }
    if (flight->meter.failed && flight->status < 400)
        return LESSON_FAILS; /* an error event within the stream */
    if (flight->status >= 400)
        return LESSON_WORKS;
    return flight->state == FLIGHT_COMPLETE ? LESSON_WORKS : LESSON_NONE;
}

static struct slice
body_start(struct arena *arena, const struct flight *flight)
{
    char *text = arena_alloc(arena, REFUSAL_BODY_MOST);
    size_t len = 0;

    LIST_EACH(&flight->chunks, node, after)
    {
        struct slice piece = chunk_bytes(CONTAINER_OF(node, struct flight_chunk, link)->bytes);

        piece = slice_first(piece, REFUSAL_BODY_MOST - len);
        memcpy(text + len, piece.data, piece.len);
        len += piece.len;
    }
    return slice_make(text, len);
}

struct refusal
reach_read_refusal(const struct flight *flight, struct arena *scratch, usec wall_us)
{
    const struct http_head head = {
        .status = flight->status, .headers = flight->headers, .header_count = flight->header_count};

    return refusal_read(&head, body_start(scratch, flight), wall_us);
}

/* What was said of a call for several was read when it came. */
static void
read_refusal(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    exchange->said = flight->part != NULL && flight->part->requests > 1
                         ? flight->part->said
                         : reach_read_refusal(flight, &exchange->arena, world_wall_us(worker_world(exchange->worker)));
}

/* An ejection for a second is the small change of a fleet; one that went on through several probes is worth a word, and so
 * is an account without money. */
static const usec TOLD_FROM_US = 4 * USEC_PER_S;

static void
tell_ejection(struct gateway_worker *worker, const struct health *health, const char *why)
{
    long long for_ms = (long long)((health_due_us(health) - world_now_us(worker_world(worker))) / USEC_PER_MS);
    struct alert alert;

    count(&worker->counters, COUNT_EJECTIONS, 1);
    if (health->is_endpoint && for_ms * USEC_PER_MS < TOLD_FROM_US) {
        log_line(worker->gateway->log, LOG_WARN, "%s is left alone for %lld ms: %s", health->name, for_ms, why);
        return;
    }
    alert_init(&alert, ALERT_EJECTED, "%s", health->name);
    alert_words(&alert, "%s gets no requests but probes for %lld s: %s", health->name, (for_ms + 999) / 1000, why);
    alert_fact_text(&alert, health->is_endpoint ? "endpoint" : "backend", slice_of(health->name));
    alert_fact_number(&alert, "for_ms", for_ms);
    alert_raise(worker, &alert);
}

static void
tell_change(struct exchange *exchange, const struct health *health, enum health_change change, const char *why)
{
    struct gateway_worker *worker = exchange->worker;

    if (change == HEALTH_EJECTED) {
        tell_ejection(worker, health, why);
    } else if (change == HEALTH_READMITTED) {
        count(&worker->counters, COUNT_READMISSIONS, 1);
        log_line(worker->gateway->log, LOG_INFO, "%s answers again", health->name);
    }
}

static void
report_endpoint(struct exchange *exchange, struct health *health, usec now_us)
{
    const struct flight *flight = exchange->cursor.flight;
    enum lesson lesson = lesson_of(flight);
    enum health_change change = HEALTH_SAME;
    const char *why = flight->why != NULL ? flight->why : "its answers are errors";

    if (lesson == LESSON_NONE)
        health_unknown(health, exchange->probe_us, now_us);
    else if (lesson == LESSON_WORKS)
        change = health_worked(health, flight->opened_us, now_us);
    else
        change = health_failed(health, flight->opened_us, now_us);
    tell_change(exchange, health, change, why);
}

/* Only what is known of money counts here: an answer that was paid for, or words about the limit. */
static void
report_account(struct exchange *exchange, struct health *account, usec now_us)
{
    const struct flight *flight = exchange->cursor.flight;
    enum health_change change = HEALTH_SAME;

    if (exchange->said.spend_limit) {
        count(&exchange->worker->counters, COUNT_SPEND_LIMITS, 1);
        change = health_eject(account, now_us);
    } else if (health_state(account, now_us) == HEALTH_IN) {
        return;
    } else if (flight->state == FLIGHT_COMPLETE && flight->status < 300) {
        change = health_worked(account, flight->opened_us, now_us);
    } else {
        health_unknown(account, exchange->account_probe_us, now_us);
    }
    tell_change(exchange, account, change, "its account's spend limit is reached");
}

/* Only what waiting can mend. */
static void
report_rest(struct exchange *exchange, struct rest *rest, usec now_us)
{
    struct refusal *refusal = &exchange->said;
    unsigned status = exchange->cursor.flight->status;

    if (refusal->spend_limit || refusal->final || (status != 429 && !is_failing(status)))
        refusal->retry_after_us = 0;
    if (refusal->retry_after_us > REST_MOST_US)
        refusal->retry_after_us = REST_MOST_US;
    if (refusal->retry_after_us > 0)
        rest_until(rest, now_us + refusal->retry_after_us);
}

/* Whose it is that the backend asked to be left alone: the key's, where there are several. */
static struct rest *
rest_of(const struct exchange *exchange)
{
    const struct standing *standing = standing_of(exchange->plan);

    return standing->account_count > 1 ? &account_of(exchange)->rest : standing->seats[exchange->seat].rest;
}

void
reach_report(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct standing *standing = standing_of(exchange->plan);
    usec now_us = world_now_us(worker_world(exchange->worker));

    if (exchange->reported)
        return;
    exchange->reported = true;
    ENSURE(exchange->seat < standing->count);
    if (flight->status >= 400)
        read_refusal(exchange);
    if (!exchange->goes_along) {
        report_endpoint(exchange, standing->seats[exchange->seat].health, now_us);
        report_account(exchange, account_of(exchange)->health, now_us);
    }
    report_rest(exchange, rest_of(exchange), now_us);
}

static bool
same_account(const struct backend_config *a, const struct backend_config *b)
{
    const char *secret = a->credential.secret, *other = b->credential.secret;

    return a == b || (secret != NULL && other != NULL && strcmp(secret, other) == 0);
}

/* For all plans that would go there. */
static void
strike_seat(struct plans *plans, const struct plan *plan, uint64_t bit)
{
    for (size_t i = 0; i < plans->count; i++)
        if (plans->all[i].target == plan->target)
            plans->all[i].tried_seats |= bit;
}

/* It was the account that failed, not the place. */
static bool
has_other_account(const struct exchange *exchange, const struct plan *plan)
{
    return standing_of(plan)->account_count > 1 && !account_all_spent(exchange, plan);
}

void
reach_strike(const struct exchange *exchange, struct plans *plans)
{
    struct plan *plan = &plans->all[exchange->plan - exchange->plans.all];

    if (exchange->cursor.flight == NULL)
        plan->tried = true; /* there was no credential: no endpoint of it can be asked */
    else if (exchange->view->config->observe ||
             (exchange->said.retry_after_us == 0 && !(exchange->said.spend_limit && has_other_account(exchange, plan))))
        strike_seat(plans, plan, seat_bit(exchange->seat));
    /* With the same key it would be said again. */
    for (size_t i = 0; i < plans->count && exchange->said.spend_limit && account_all_spent(exchange, plan); i++)
        plans->all[i].tried |= plans->all[i].target != NULL && plan->target != NULL &&
                               same_account(plans->all[i].target->backend, plan->target->backend);
}
