#include "fleet/capacity/capacity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double PANIC_FACTOR = 2;
enum { PANIC_PARTS = 10 }; /* of the window */

/* A wish that nothing came of within this time was never followed. */
static const usec FORGET_US = CAPACITY_COLD_START_MOST_US;

const char *
capacity_reason_text(enum capacity_reason reason)
{
    static const char *const texts[] = {
        [CAPACITY_NOTHING_KNOWN] = "what one replica carries is not known yet",
        [CAPACITY_ENOUGH] = "enough",
        [CAPACITY_FORECAST] = "more, for what is to come",
        [CAPACITY_NOW] = "more, for what comes now",
        [CAPACITY_PANIC] = "more at once: twice as much comes as all can carry",
        [CAPACITY_FEWER] = "one fewer would have done",
        [CAPACITY_HOPELESS] = "not even an idle replica keeps the limits",
    };

    return texts[reason];
}

/* Cold starts */

void
cold_starts_init(struct cold_starts *starts, usec expected_us)
{
    *starts = (struct cold_starts){0};
    cold_starts_see(starts, expected_us);
}

void
cold_starts_see(struct cold_starts *starts, usec span_us)
{
    starts->spans_us[starts->count++ % CAPACITY_COLD_STARTS] = span_us;
}

static int
compare(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return x < y ? -1 : x > y;
}

/* By nearest rank. */
usec
cold_starts_p90_us(const struct cold_starts *starts)
{
    usec sorted[CAPACITY_COLD_STARTS];
    size_t count = starts->count < CAPACITY_COLD_STARTS ? starts->count : CAPACITY_COLD_STARTS;

    ENSURE(count > 0);
    memcpy(sorted, starts->spans_us, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    return sorted[(count * 9 + 9) / 10 - 1];
}

static void
drop_first_asked(struct cold_starts *starts)
{
    starts->asked--;
    memmove(starts->asked_us, starts->asked_us + 1, starts->asked * sizeof(*starts->asked_us));
}

/* Those that came since the last look end the oldest wishes; wishes that were taken back were the newest. */
static void
look_for_starts(struct capacity *capacity, usec now_us, unsigned ready)
{
    struct cold_starts *starts = &capacity->starts;
    unsigned missing = capacity->wanted > ready ? capacity->wanted - ready : 0;

    for (unsigned i = capacity->ready; i < ready && starts->asked > 0; i++) {
        cold_starts_see(starts, now_us - starts->asked_us[0]);
        drop_first_asked(starts);
    }
    while (starts->asked > 0 && now_us - starts->asked_us[0] > FORGET_US)
        drop_first_asked(starts);
    if (starts->asked > missing)
        starts->asked = missing;
}

/* Setting up */

static unsigned
within_rules(const struct capacity_rules *rules, double wanted)
{
    return (unsigned)fmin(fmax(wanted, rules->least), rules->most);
}

void
capacity_init(struct capacity *capacity, const struct capacity_rules *rules, usec cold_start_us, unsigned wanted,
              usec now_us)
{
    ENSURE(rules->least >= 1 && rules->least <= rules->most);
    memset(capacity, 0, sizeof(*capacity));
    capacity->rules = *rules;
    capacity->carry = -1;
    capacity->wanted = within_rules(rules, wanted);
    capacity->ready = wanted;
    capacity->ticked_us = capacity->closed_us = now_us;
    demand_init(&capacity->demand, CAPACITY_INTERVAL_US, now_us);
    forecast_init(&capacity->forecast, CAPACITY_INTERVAL_US, rules->goal);
    cold_starts_init(&capacity->starts, cold_start_us);
}

void
capacity_set_rules(struct capacity *capacity, const struct capacity_rules *rules)
{
    ENSURE(rules->least >= 1 && rules->least <= rules->most);
    capacity->rules = *rules;
    capacity->forecast.goal = rules->goal;
    capacity->wanted = within_rules(rules, capacity->wanted);
}

void
capacity_set_carry(struct capacity *capacity, double carry, usec slack_us)
{
    capacity->carry = carry;
    capacity->slack_us = slack_us;
}

usec
capacity_window_us(const struct capacity *capacity)
{
    usec start_us = cold_starts_p90_us(&capacity->starts);

    return (start_us < CAPACITY_COLD_START_MOST_US ? start_us : CAPACITY_COLD_START_MOST_US) + CAPACITY_INTERVAL_US;
}

usec
capacity_look_back_us(void)
{
    return FORECAST_ERRORS * CAPACITY_INTERVAL_US;
}

bool
capacity_study_due(struct capacity *capacity, usec now_us)
{
    bool again = capacity->studied > 0;

    if (capacity->came < CARRY_REQUESTS_LEAST || capacity->came == capacity->studied ||
        (again && capacity->came < 2 * capacity->studied && now_us - capacity->studied_us < CAPACITY_STUDY_US))
        return false;
    capacity->studied = capacity->came;
    capacity->studied_us = now_us;
    return true;
}

/* What comes */

void
capacity_arrives(struct capacity *capacity, usec now_us, const struct engine_settings *engine,
                 const struct request_size *size)
{
    capacity->came++;
    demand_take(&capacity->demand, now_us, engine, size);
}

void
capacity_corrects(struct capacity *capacity, usec now_us, double more_us)
{
    demand_add(&capacity->demand, now_us, more_us, 0);
}

void
capacity_bounds_backlog(struct capacity *capacity, double under_way_us)
{
    capacity->backlog_us = fmin(capacity->backlog_us, under_way_us);
}

/* Deciding */

static void
want(struct capacity *capacity, usec now_us, double wanted, enum capacity_reason reason)
{
    unsigned number = within_rules(&capacity->rules, wanted);
    struct cold_starts *starts = &capacity->starts;

    if (number <= capacity->wanted)
        return;
    for (unsigned i = capacity->wanted; i < number && starts->asked < CAPACITY_ASKED_MOST; i++)
        starts->asked_us[starts->asked++] = now_us;
    capacity->wanted = number;
    capacity->reason = reason;
    capacity->grown++;
    capacity->panicked += reason == CAPACITY_PANIC ? 1 : 0;
}

static double
start_us(const struct capacity *capacity)
{
    return fmax(1, (double)cold_starts_p90_us(&capacity->starts));
}

/* As if all work stood in one queue before all replicas. */
static void
pile_up(struct capacity *capacity, usec now_us)
{
    usec span_us = now_us - capacity->ticked_us;
    double came = demand_mean(&capacity->demand, now_us, span_us) * (double)span_us;

    capacity->backlog_us = fmax(0, capacity->backlog_us + came - capacity->carry * capacity->ready * (double)span_us);
}

/* What a replica asked for now would be there for: of what comes now what lasts until then, as far as such has lasted, and of
 * what has piled up what those that are there leave of it, worked off within another cold start. */
static double
left_for_more(const struct capacity *capacity, double rate)
{
    double lasts = forecast_lasting(&capacity->forecast) * rate, span_us = start_us(capacity);
    double done_us = fmax(0, capacity->carry * capacity->ready - lasts) * span_us;

    return lasts + fmax(0, capacity->backlog_us - done_us) / span_us;
}

static void
panic(struct capacity *capacity, usec now_us)
{
    usec window_us = capacity_window_us(capacity);
    double rate = left_for_more(capacity, demand_mean(&capacity->demand, now_us, window_us / PANIC_PARTS));
    unsigned coming = capacity->ready + capacity->coming;
    double there = capacity->carry * (coming > capacity->wanted ? coming : capacity->wanted);

    if (rate <= PANIC_FACTOR * there)
        return;
    capacity->panic_until_us = now_us + window_us;
    want(capacity, now_us, ceil(rate / capacity->carry), CAPACITY_PANIC);
}

static unsigned
most_needed_lately(const struct capacity *capacity)
{
    uint64_t count = (uint64_t)(capacity_window_us(capacity) / CAPACITY_INTERVAL_US);
    unsigned most = 0;

    for (uint64_t i = 0; i < count && i < capacity->closed; i++) {
        unsigned needed = capacity->needs[(capacity->closed - 1 - i) % CAPACITY_WINDOW];

        most = needed > most ? needed : most;
    }
    return capacity->closed >= count ? most : capacity->wanted;
}

static unsigned
intervals_ahead(const struct capacity *capacity)
{
    return (unsigned)((capacity_window_us(capacity) + CAPACITY_INTERVAL_US - 1) / CAPACITY_INTERVAL_US);
}

static bool
one_fewer_may_do(const struct capacity *capacity, usec now_us)
{
    return capacity->wanted > capacity->rules.least && capacity->coming == 0 && now_us >= capacity->panic_until_us &&
           forecast_knows(&capacity->forecast, intervals_ahead(capacity), capacity->wanted,
                          (capacity->wanted - 1) * capacity->carry) &&
           most_needed_lately(capacity) < capacity->wanted;
}

static bool
close_interval(struct capacity *capacity, usec now_us, usec wall_us)
{
    double now, most;

    capacity->now_rate = demand_mean(&capacity->demand, now_us, CAPACITY_INTERVAL_US);
    capacity->needed = demand_needed(&capacity->demand, now_us, CAPACITY_INTERVAL_US, capacity->slack_us);
    forecast_see(&capacity->forecast, capacity->needed, wall_us);
    capacity->ahead = forecast_ahead(&capacity->forecast, intervals_ahead(capacity));
    if (capacity->carry <= 0)
        return false;
    now = left_for_more(capacity, capacity->now_rate);
    most = ceil(fmax(now, capacity->ahead) / capacity->carry);
    capacity->needs[capacity->closed++ % CAPACITY_WINDOW] = within_rules(&capacity->rules, most);
    if (capacity->reason == CAPACITY_NOTHING_KNOWN || now_us >= capacity->panic_until_us)
        capacity->reason = CAPACITY_ENOUGH;
    want(capacity, now_us, most, now > capacity->ahead ? CAPACITY_NOW : CAPACITY_FORECAST);
    if (now_us < capacity->ask_again_us || !one_fewer_may_do(capacity, now_us))
        return false;
    capacity->ask_again_us = now_us + capacity_window_us(capacity);
    return true;
}

bool
capacity_tick(struct capacity *capacity, usec now_us, usec wall_us, unsigned ready, unsigned coming)
{
    bool asks = false;

    look_for_starts(capacity, now_us, ready);
    capacity->ready = ready;
    capacity->coming = coming;
    if (capacity->carry > 0) {
        pile_up(capacity, now_us);
        panic(capacity, now_us);
    } else {
        capacity->reason = capacity->carry < 0 ? CAPACITY_NOTHING_KNOWN : CAPACITY_HOPELESS;
    }
    capacity->ticked_us = now_us;
    if (now_us - capacity->closed_us < CAPACITY_INTERVAL_US)
        return false;
    asks = close_interval(capacity, now_us, wall_us);
    capacity->closed_us = now_us;
    return asks;
}

void
capacity_answer(struct capacity *capacity, unsigned asked, bool would_do)
{
    if (!would_do || asked != capacity->wanted || capacity->wanted <= capacity->rules.least)
        return;
    capacity->wanted--;
    capacity->ask_again_us = 0;
    capacity->shrunk++;
    capacity->reason = CAPACITY_FEWER;
}
