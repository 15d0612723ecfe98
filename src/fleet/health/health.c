#include "fleet/health/health.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"

enum { LEVEL_MOST = 6 }; /* by then the back-off has its greatest length */

static usec
read_time(const _Atomic usec *time)
{
    return atomic_load_explicit(time, memory_order_relaxed);
}

static void
write_time(_Atomic usec *time, usec value)
{
    atomic_store_explicit(time, value, memory_order_relaxed);
}

static bool
is_down(enum pulse_state state)
{
    return state == PULSE_DOWN || state == PULSE_LOADING;
}

usec
health_due_us(const struct health *health)
{
    usec due_us = read_time(&health->due_us), until_us = pulse_until_us(&health->pulse);
    unsigned state = atomic_load_explicit(&health->pulse.state, memory_order_relaxed);

    return is_down((enum pulse_state)state) && until_us > due_us ? until_us : due_us;
}

enum health_state
health_state(const struct health *health, usec now_us)
{
    if (is_down(pulse_state(&health->pulse, now_us)))
        return HEALTH_OUT;
    if (read_time(&health->out_until_us) == 0)
        return HEALTH_IN;
    return now_us >= read_time(&health->due_us) ? HEALTH_DUE : HEALTH_OUT;
}

static usec
back_off_us(unsigned level)
{
    usec span_us = HEALTH_BACK_OFF_US << (level < LEVEL_MOST ? level : LEVEL_MOST);

    return span_us < HEALTH_BACK_OFF_MOST_US ? span_us : HEALTH_BACK_OFF_MOST_US;
}

static void
check(struct health *health)
{
    usec out_until_us = read_time(&health->out_until_us);

    ENSURE(out_until_us == 0 || read_time(&health->due_us) >= out_until_us);
    ENSURE(health->failed <= health->all && health->level <= LEVEL_MOST);
}

/* The level sinks by one for every HEALTH_FADE_US since the last ejection was over. */
static void
fade_level(struct health *health, usec since_us, usec now_us)
{
    int64_t steps = now_us > since_us ? (now_us - since_us) / HEALTH_FADE_US : 0;

    health->level = steps < (int64_t)health->level ? health->level - (unsigned)steps : 0;
}

static void
put_out(struct health *health, usec now_us)
{
    usec until_us;

    /* due_us stays where it was while the place is in: the end of its last ejection, or of the last probe's. */
    fade_level(health, read_time(&health->due_us), now_us);
    until_us = now_us + back_off_us(health->level);
    if (health->level < LEVEL_MOST)
        health->level++;
    health->in_a_row = 0;
    health->all = health->failed = 0;
    health->ejections++;
    health->ejected_us = now_us;
    health->probe_us = 0; /* what one under way would say is said */
    write_time(&health->due_us, until_us);
    write_time(&health->out_until_us, until_us);
}

static void
let_in(struct health *health, usec now_us)
{
    health->probe_us = 0;
    write_time(&health->out_until_us, 0);
    write_time(&health->due_us, now_us);
}

static void
sample(struct health *health, usec now_us, bool failed)
{
    double age = (double)(now_us - health->counted_us) / (double)HEALTH_SHARE_HALF_LIFE_US;
    double kept = age > 0 ? exp2(-age) : 1.0;

    health->all = health->all * kept + 1;
    health->failed = health->failed * kept + (failed ? 1 : 0);
    health->counted_us = now_us;
}

static bool
fails_too_often(const struct health *health)
{
    return health->in_a_row >= HEALTH_FAILURES_IN_A_ROW ||
           (health->all >= HEALTH_SAMPLES_LEAST && health->failed * 1e6 >= health->all * HEALTH_FAILED_SHARE_PPM);
}

bool
health_claim(struct health *health, usec now_us, usec *probe_us)
{
    bool claimed;

    *probe_us = 0;
    if (health_state(health, now_us) == HEALTH_IN)
        return true;
    lock_take(&health->lock);
    claimed = health_state(health, now_us) != HEALTH_OUT;
    if (claimed && read_time(&health->out_until_us) != 0) {
        write_time(&health->due_us, now_us + back_off_us(health->level));
        *probe_us = health->probe_us = now_us;
    }
    lock_drop(&health->lock);
    return claimed;
}

enum health_change
health_worked(struct health *health, usec sent_us, usec now_us)
{
    enum health_change change = HEALTH_SAME;

    pulse_worked(&health->pulse, now_us);
    lock_take(&health->lock);
    if (read_time(&health->out_until_us) == 0) {
        health->in_a_row = 0;
        sample(health, now_us, false);
    } else if (sent_us >= health->ejected_us) {
        let_in(health, now_us);
        change = HEALTH_READMITTED;
    }
    check(health);
    lock_drop(&health->lock);
    return change;
}

enum health_change
health_failed(struct health *health, usec sent_us, usec now_us)
{
    enum health_change change = HEALTH_SAME;
    usec out_until_us;

    lock_take(&health->lock);
    out_until_us = read_time(&health->out_until_us);
    if (out_until_us == 0) {
        health->in_a_row++;
        sample(health, now_us, true);
    }
    if (out_until_us == 0 ? fails_too_often(health) : sent_us >= out_until_us) {
        put_out(health, now_us);
        change = HEALTH_EJECTED;
    }
    check(health);
    lock_drop(&health->lock);
    return change;
}

enum health_change
health_eject(struct health *health, usec now_us)
{
    enum health_change change = HEALTH_SAME;

    lock_take(&health->lock);
    if (now_us >= read_time(&health->out_until_us)) {
        put_out(health, now_us);
        change = HEALTH_EJECTED;
    }
    lock_drop(&health->lock);
    return change;
}

void
health_unknown(struct health *health, usec probe_us, usec now_us)
{
    if (probe_us == 0)
        return;
    lock_take(&health->lock);
    if (health->probe_us == probe_us) {
        health->probe_us = 0;
        write_time(&health->due_us, now_us);
    }
    lock_drop(&health->lock);
}

bool
health_told(struct health *health, enum pulse_answer answer, usec asked_us, usec now_us, usec every_us)
{
    bool was_down = is_down(pulse_state(&health->pulse, now_us));
    bool news = pulse_told(&health->pulse, answer, asked_us, now_us, every_us);

    if (!news || !was_down || pulse_state(&health->pulse, now_us) != PULSE_UP)
        return news;
    lock_take(&health->lock);
    if (read_time(&health->out_until_us) > now_us)
        write_time(&health->out_until_us, now_us);
    if (read_time(&health->out_until_us) != 0)
        write_time(&health->due_us, now_us);
    check(health);
    lock_drop(&health->lock);
    return news;
}

void
rest_until(struct rest *rest, usec until_us)
{
    usec now_so = rest_over_us(rest);

    while (until_us > now_so && !atomic_compare_exchange_weak(&rest->until_us, &now_so, until_us))
        continue;
}

/* All of them */

void
healths_init(struct healths *healths)
{
    lock_init(&healths->lock);
    map_init(&healths->endpoints);
    map_init(&healths->accounts);
    map_init(&healths->quotas);
    map_init(&healths->rests);
    replicas_init(&healths->replicas);
    pool_sizes_init(&healths->pool_sizes);
}

void
health_free(struct health *health)
{
    lock_destroy(&health->lock);
    free(health->name);
    free(health);
}

static void
free_healths(struct map *map)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (map_next(map, &at, &name, &value))
        health_free(value);
    map_free(map);
}

void
healths_free(struct healths *healths)
{
    size_t at = 0;
    struct slice name;
    void *rest;

    free_healths(&healths->endpoints);
    free_healths(&healths->accounts);
    while (map_next(&healths->rests, &at, &name, &rest))
        free(rest);
    for (at = 0; map_next(&healths->quotas, &at, &name, &rest);) {
        quota_free(&((struct account *)rest)->quota);
        free(rest);
    }
    map_free(&healths->quotas);
    map_free(&healths->rests);
    replicas_free(&healths->replicas);
    pool_sizes_free(&healths->pool_sizes);
    lock_destroy(&healths->lock);
}

static struct health *
health_of(struct map *map, const char *name, bool is_endpoint)
{
    struct health *health = map_get(map, slice_of(name));

    if (health != NULL)
        return health;
    health = must_calloc(1, sizeof(*health));
    lock_init(&health->lock);
    health->name = must_strdup(name);
    health->is_endpoint = is_endpoint;
    map_put(map, slice_of(name), health);
    return health;
}

static struct rest *
rest_of(struct map *map, const char *name)
{
    struct rest *rest = map_get(map, slice_of(name));

    if (rest == NULL) {
        rest = must_calloc(1, sizeof(*rest));
        map_put(map, slice_of(name), rest);
    }
    return rest;
}

static struct account *
account_of(struct healths *healths, const struct account_config *config)
{
    struct account *account = map_get(&healths->quotas, slice_of(config->name));

    if (account == NULL) {
        account = must_calloc(1, sizeof(*account));
        account->health = health_of(&healths->accounts, config->name, false);
        quota_init(&account->quota);
        map_put(&healths->quotas, slice_of(config->name), account);
    }
    quota_limit(&account->quota, config->limits);
    return account;
}

/* Whoever takes a ticket there brings it to the pool. */
static void
ask_pool_size(const struct standing *standing, struct pool_size *pool)
{
    for (size_t i = 0; i < standing->count; i++)
        atomic_store(&standing->seats[i].replica->pool_size, pool);
}

/* An engine of one's own, by what its configuration says of it; else somebody's API. */
static bool
is_engine(const struct backend_config *backend)
{
    return backend->engine != ENGINE_HOSTED || backend->engine_model != NULL || usd_known(backend->usd_per_hour);
}

static void
hold_seat(const struct seat *seat)
{
    seat->health->tenure.holders++;
    seat->rest->tenure.holders++;
    seat->replica->tenure.holders++;
}

static void
let_go(struct tenure *tenure)
{
    ENSURE(tenure->holders > 0);
    tenure->holders--;
}

struct standing
healths_standing(struct healths *healths, const struct target *target, struct slice name, struct arena *arena)
{
    const struct backend_config *backend = target->backend;
    struct standing standing = {.count = backend->endpoint_count};

    standing.seats = arena_alloc(arena, standing.count * sizeof(struct seat));
    lock_take(&healths->lock);
    standing.account_count = backend->account_count;
    standing.accounts = arena_alloc(arena, standing.account_count * sizeof(*standing.accounts));
    for (size_t i = 0; i < standing.account_count; i++)
        standing.accounts[i] = account_of(healths, &backend->accounts[i]);
    standing.pool = replicas_pool(&healths->replicas, backend->name);
    standing.replicas = &healths->replicas;
    for (size_t i = 0; i < standing.count; i++) {
        const struct endpoint *endpoint = &backend->endpoints[i];
        const char *place = arena_printf(arena, "%s:%u", endpoint->host, endpoint->port);

        standing.seats[i].health = health_of(&healths->endpoints, place, true);
        standing.seats[i].rest = rest_of(&healths->rests, arena_printf(arena, "%.*s at %s", SLICE_ARGS(name), place));
        standing.seats[i].replica = replicas_of(&healths->replicas, place, backend->engine_model);
        hold_seat(&standing.seats[i]);
    }
    lock_drop(&healths->lock);
    if (backend->engine != ENGINE_HOSTED || backend->replicas.given)
        ask_pool_size(&standing, pool_sizes_of(&healths->pool_sizes, backend->name));
    if (is_engine(backend))
        standing.fit = engine_fits_of(&healths->replicas.fits, name, backend->engine_model);
    return standing;
}

void
healths_let_go(struct healths *healths, const struct standing *standing)
{
    lock_take(&healths->lock);
    for (size_t i = 0; i < standing->count; i++) {
        let_go(&standing->seats[i].health->tenure);
        let_go(&standing->seats[i].rest->tenure);
        let_go(&standing->seats[i].replica->tenure);
    }
    lock_drop(&healths->lock);
}

void
healths_hold_place(struct healths *healths, struct health *health, struct replica *replica)
{
    lock_take(&healths->lock);
    if (health != NULL)
        health->tenure.holders++;
    if (replica != NULL)
        replica->tenure.holders++;
    lock_drop(&healths->lock);
}

void
healths_let_place_go(struct healths *healths, struct health *health, struct replica *replica)
{
    lock_take(&healths->lock);
    if (health != NULL)
        let_go(&health->tenure);
    if (replica != NULL)
        let_go(&replica->tenure);
    lock_drop(&healths->lock);
}

struct health *
healths_place(struct healths *healths, const struct endpoint *endpoint)
{
    struct buffer place = {0};
    struct health *health;

    buffer_printf(&place, "%s:%u%c", endpoint->host, endpoint->port, '\0');
    lock_take(&healths->lock);
    health = health_of(&healths->endpoints, place.data, true);
    lock_drop(&healths->lock);
    buffer_free(&place);
    return health;
}

struct replica *
healths_replica(struct healths *healths, const struct backend_config *backend, size_t endpoint)
{
    const struct endpoint *at = &backend->endpoints[endpoint];
    struct buffer place = {0};
    struct replica *replica;

    buffer_printf(&place, "%s:%u%c", at->host, at->port, '\0');
    replica = replicas_of(&healths->replicas, place.data, backend->engine_model);
    buffer_free(&place);
    return replica;
}
