#include "gateway/reuse/paying.h"

#include <inttypes.h>

#include "cache/entry.h"
#include "gateway/reuse/elements.h"
#include "gateway/reuse/look_ups.h"
#include "levers/pays.h"
#include "money/amount.h"

static const enum lever_id levers[] = {LEVER_EXACT_CACHE, LEVER_SEMANTIC_CACHE};

enum { LEVERS_LOOKING = sizeof(levers) / sizeof(levers[0]) };

/* Measured on one core (bench/): hashing a body is 4 ms per MiB, a turn is embedded and looked up in some tens of
 * microseconds. What an answer takes beside its bytes, and what knowing its turn takes. */
enum { LOOK_NS = 2000, BYTE_NS = 4, MEANING_NS = 50000, ENTRY_BYTES = 300, TURN_BYTES = 270, PACKED_TO = 3 };

/* An answer is charged for no longer than this: by then it has mostly made room. */
#define RENT_US_MOST (24 * 3600 * USEC_PER_S)
#define NS_PER_HOUR ((wide_int)3600 * 1000000000)
#define US_PER_HOUR ((wide_int)3600 * USEC_PER_S)

static struct pay_book *
book_of(const struct exchange *exchange, enum lever_id lever)
{
    return pay_books_at(&exchange->worker->gateway->paying, exchange->request.route->name, lever_name(lever));
}

/* For people */

static void
tell(const struct exchange *exchange, enum lever_id lever, enum pay_event event)
{
    struct pay_standing standing;
    char worth[AMOUNT_TEXT_SIZE], spent[AMOUNT_TEXT_SIZE];
    const char *route = exchange->request.route->name;

    if (event == PAY_NOTHING)
        return;
    standing = pay_book_standing(book_of(exchange, lever));
    amount_format_people(standing.worth, worth);
    amount_format_people(standing.spent, spent);
    if (event == PAY_RESTS)
        log_line(exchange->worker->gateway->log, LOG_INFO,
                 "route %s, lever %s: rests, as it does not pay there: %" PRIu64 " look-ups found %" PRIu64
                 " answers, worth %s, and looking and keeping came to %s (cache: core_hour, gib_hour); it looks again "
                 "after %" PRIu64 " requests",
                 route, lever_name(lever), standing.looked, standing.found, worth, spent, standing.rest_left);
    else
        log_line(exchange->worker->gateway->log, LOG_INFO,
                 event == PAY_LOOKS ? "route %s, lever %s: looks again whether it pays there"
                                    : "route %s, lever %s: pays there again, and goes on",
                 route, lever_name(lever));
}

/* Levers may look for an answer to it. */
static bool
may_look(const struct exchange *exchange)
{
    return exchange->request.key != NULL && exchange->request.route->name != NULL && !exchange->holdout;
}

void
paying_begin(struct exchange *exchange)
{
    for (unsigned i = 0; i < LEVERS_LOOKING && may_look(exchange); i++) {
        struct lever_setting *setting = &exchange->request.levers[levers[i]];
        enum pay_event event;
        bool looks;

        if (setting->mode == LEVER_OFF ||
            (levers[i] == LEVER_SEMANTIC_CACHE && exchange->identity.api == API_EMBEDDINGS))
            continue;
        event = pay_book_request(book_of(exchange, levers[i]), &looks);
        tell(exchange, levers[i], event);
        if (looks)
            continue;
        setting->mode = LEVER_OFF;
        exchange->resting |= 1u << levers[i];
    }
}

/* What it costs */

static wide_int
time_cost(const struct exchange *exchange, enum lever_id lever)
{
    wide_int ns = LOOK_NS + BYTE_NS * (wide_int)exchange->request_bytes;

    if (lever == LEVER_SEMANTIC_CACHE)
        ns += MEANING_NS;
    return ns * exchange->request.config->cache.core_hour / NS_PER_HOUR;
}

static wide_int
bytes_kept(const struct exchange *exchange)
{
    size_t len = exchange->cursor.flight->keep->len, above = exchange->request.config->cache.compress_above;

    return ENTRY_BYTES + (wide_int)(len > above ? len / PACKED_TO : len);
}

/* The exact cache keeps answers; where it does not, the semantic one does, and it always keeps turns. */
static wide_int
rent(const struct exchange *exchange, enum lever_id lever)
{
    usec ttl_us = exchange->request.route->ttl_us;
    bool exact = lever_mode_of(&exchange->request, LEVER_EXACT_CACHE) != LEVER_OFF;
    wide_int bytes = lever == LEVER_SEMANTIC_CACHE ? TURN_BYTES : 0;

    if (lever == LEVER_EXACT_CACHE || !exact)
        bytes += bytes_kept(exchange);
    if (ttl_us > RENT_US_MOST)
        ttl_us = RENT_US_MOST;
    return bytes * exchange->request.config->cache.gib_hour / ((wide_int)1 << 30) * ttl_us / US_PER_HOUR;
}

/* What it found: an answer that would do, as far as anybody knows. */
static bool
found(const struct exchange *exchange, enum lever_id lever, enum look_up_result result, usd *worth)
{
    *worth = 0;
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *plan = &exchange->plans.all[i];

        if (plan->lever != lever || result == LOOK_UP_NEAR_MISS || plan->evidence.hopeless)
            continue;
        if (plan->cached == NULL && exchange->request.elements == NULL)
            continue; /* a plan without its answer: nothing was found that could have served */
        *worth = plan->cached != NULL ? plan->cached->cost : elements_cost(exchange->request.elements);
        return true;
    }
    return false;
}

void
paying_end(struct exchange *exchange, bool kept)
{
    for (unsigned i = 0; i < LEVERS_LOOKING && may_look(exchange); i++) {
        enum look_up_result result = look_up_result(exchange, levers[i]);
        struct pay pay = {.bought = exchange->try_count > 0 ? exchange->cost : USD_UNKNOWN};
        wide_int spent;

        if (result == LOOK_UP_NONE || result == LOOK_UP_IDLE)
            continue;
        spent = time_cost(exchange, levers[i]) + (kept ? rent(exchange, levers[i]) : 0);
        if (result == LOOK_UP_AUDITED && usd_known(exchange->cost))
            spent += exchange->cost;
        pay.spent = spent < INT64_MAX ? (usd)spent : INT64_MAX;
        pay.found = found(exchange, levers[i], result, &pay.worth);
        tell(exchange, levers[i], pay_book_learn(book_of(exchange, levers[i]), &pay));
    }
}

/* On the metrics page */

static double
per_look_up(wide_int pico, uint64_t looked)
{
    return looked > 0 ? (double)pico / 1e12 / (double)looked : 0.0;
}

static double
rests(const struct pay_standing *standing)
{
    return standing->rests ? 1.0 : 0.0;
}

static double
worth(const struct pay_standing *standing)
{
    return per_look_up(standing->worth, standing->looked);
}

static double
spent(const struct pay_standing *standing)
{
    return per_look_up(standing->spent, standing->looked);
}

static const struct figure {
    const char *name, *help;
    double (*of)(const struct pay_standing *);
} figures[] = {
    {"equipoise_lever_idle",
     "1: the lever does not look on this route, as that does not pay; it tries again now and then", rests},
    {"equipoise_lever_look_up_worth_usd", "What a look-up saved there, or would have, on average of the last trial",
     worth},
    {"equipoise_lever_look_up_cost_usd", "What looking and keeping came to, for each look-up of it", spent},
};

void
paying_print(struct gateway *gateway, struct buffer *out)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", figures[i].name, figures[i].help, figures[i].name);
        for (struct pay_book *at = pay_books_next(&gateway->paying, NULL); at != NULL;
             at = pay_books_next(&gateway->paying, at)) {
            struct pay_standing standing = pay_book_standing(at);

            buffer_printf(out, "%s{route=\"", figures[i].name);
            buffer_add_json(out, slice_of(pay_book_route(at)));
            buffer_printf(out, "\",lever=\"%s\"} %.6g\n", pay_book_lever(at), figures[i].of(&standing));
        }
    }
}
