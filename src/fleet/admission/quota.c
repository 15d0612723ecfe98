#include "fleet/admission/quota.h"

#include <stdint.h>
#include <string.h>

#include "base/status.h"

void
quota_init(struct quota *quota)
{
    memset(quota, 0, sizeof(*quota));
    lock_init(&quota->lock);
}

void
quota_free(struct quota *quota)
{
    lock_destroy(&quota->lock);
}

static int64_t
second_of(usec now_us)
{
    return now_us / USEC_PER_S;
}

/* Slots of seconds that are over by a window are empty again. */
static void
pass_time(struct quota *quota, usec now_us)
{
    int64_t now = second_of(now_us), from = quota->second + 1;

    if (now <= quota->second)
        return;
    if (now - from >= QUOTA_SLOTS)
        from = now - QUOTA_SLOTS + 1;
    for (int64_t second = from; second <= now; second++)
        for (unsigned unit = 0; unit < LIMIT_UNITS; unit++)
            quota->used[unit][second % QUOTA_SLOTS] = 0;
    quota->second = now;
}

static int64_t
used_in_window(const struct quota *quota, unsigned unit)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < QUOTA_SLOTS; i++)
        sum += quota->used[unit][i];
    return sum;
}

/* When the configured limit has room: 0, now. The oldest slots go first. */
static usec
configured_open_us(const struct quota *quota, unsigned unit, int64_t need)
{
    int64_t limit = quota->limits[unit], sum = used_in_window(quota, unit);

    if (limit == 0 || sum + need <= limit || sum == 0)
        return 0;
    for (int64_t second = quota->second - QUOTA_SLOTS + 1; second <= quota->second; second++) {
        sum -= second >= 0 ? quota->used[unit][second % QUOTA_SLOTS] : 0;
        if (sum + need <= limit || sum == 0)
            return (second + QUOTA_SLOTS) * USEC_PER_S;
    }
    return (quota->second + QUOTA_SLOTS) * USEC_PER_S;
}

static int64_t
taken_since(const struct quota *quota, unsigned unit)
{
    int64_t since = quota->taken[unit] - quota->taken_then[unit];

    return since > 0 ? since : 0;
}

static bool
tells(const struct quota *quota, unsigned unit, usec now_us)
{
    return quota->told_us[unit] != 0 && now_us < quota->told_us[unit] + quota->told[unit].reset_us;
}

/* What had grown back after so long. */
static double
grown(const struct quota *quota, unsigned unit, usec span_us)
{
    const struct limit_left *told = &quota->told[unit];

    if (told->limit <= told->left)
        return 0;
    return (double)(told->limit - told->left) * (double)span_us / (double)told->reset_us;
}

static usec
told_open_us(const struct quota *quota, unsigned unit, int64_t need, usec now_us)
{
    const struct limit_left *told = &quota->told[unit];
    double lacking, whole;

    if (!tells(quota, unit, now_us))
        return 0;
    lacking = (double)(need + taken_since(quota, unit) - told->left);
    if (lacking <= grown(quota, unit, now_us - quota->told_us[unit]))
        return 0;
    whole = grown(quota, unit, told->reset_us);
    if (lacking >= whole)
        return quota->told_us[unit] + told->reset_us;
    return quota->told_us[unit] + (usec)((double)told->reset_us * lacking / whole) + 1;
}

static usec
open_us(struct quota *quota, const struct quota_need *need, usec now_us)
{
    usec latest_us = 0;

    pass_time(quota, now_us);
    for (unsigned unit = 0; unit < LIMIT_UNITS; unit++) {
        usec configured_us = configured_open_us(quota, unit, need->of[unit]);
        usec told_us = told_open_us(quota, unit, need->of[unit], now_us);

        latest_us = configured_us > latest_us ? configured_us : latest_us;
        latest_us = told_us > latest_us ? told_us : latest_us;
    }
    return latest_us > now_us ? latest_us : 0;
}

void
quota_limit(struct quota *quota, const int64_t limits[LIMIT_UNITS])
{
    lock_take(&quota->lock);
    for (unsigned unit = 0; unit < LIMIT_UNITS; unit++) {
        quota->limits[unit] = limits[unit];
        if (limits[unit] > 0)
            atomic_store_explicit(&quota->bound, true, memory_order_relaxed);
    }
    lock_drop(&quota->lock);
}

usec
quota_open_us(struct quota *quota, const struct quota_need *need, usec now_us)
{
    usec at_us;

    if (!atomic_load_explicit(&quota->bound, memory_order_relaxed))
        return 0;
    lock_take(&quota->lock);
    at_us = open_us(quota, need, now_us);
    lock_drop(&quota->lock);
    return at_us;
}

/* Adds to the slot of a second, unless it is out of the window already. What was taken since some answer said how much is left
 * is never less than that answer's request knew of: corrections downwards do not count there. */
static void
add(struct quota *quota, int64_t second, const struct quota_need *more, int sign)
{
    for (unsigned unit = 0; unit < LIMIT_UNITS; unit++) {
        int64_t change = sign * more->of[unit];

        quota->taken[unit] += change > 0 ? change : 0;
        if (second > quota->second - QUOTA_SLOTS)
            quota->used[unit][second % QUOTA_SLOTS] += sign * more->of[unit];
    }
}

bool
quota_take(struct quota *quota, const struct quota_need *need, usec now_us, struct quota_ticket *ticket)
{
    bool fits;

    ENSURE(ticket->quota == NULL && need->of[LIMIT_REQUESTS] >= 0 && need->of[LIMIT_TOKENS] >= 0);
    lock_take(&quota->lock);
    fits = open_us(quota, need, now_us) == 0;
    if (fits) {
        *ticket = (struct quota_ticket){.quota = quota, .need = *need, .second = quota->second};
        add(quota, ticket->second, need, 1);
        memcpy(ticket->taken_then, quota->taken, sizeof(ticket->taken_then));
    }
    lock_drop(&quota->lock);
    return fits;
}

void
quota_refund(struct quota_ticket *ticket, usec now_us)
{
    struct quota *quota = ticket->quota;

    if (quota == NULL)
        return;
    lock_take(&quota->lock);
    pass_time(quota, now_us);
    add(quota, ticket->second, &ticket->need, -1);
    lock_drop(&quota->lock);
    ticket->quota = NULL;
}

void
quota_forgo_request(struct quota_ticket *ticket, usec now_us)
{
    struct quota *quota = ticket->quota;
    struct quota_need request = {{0}};

    if (quota == NULL)
        return;
    request.of[LIMIT_REQUESTS] = ticket->need.of[LIMIT_REQUESTS];
    ticket->need.of[LIMIT_REQUESTS] = 0;
    lock_take(&quota->lock);
    pass_time(quota, now_us);
    add(quota, ticket->second, &request, -1);
    lock_drop(&quota->lock);
}

void
quota_settle(struct quota_ticket *ticket, int64_t tokens, usec now_us)
{
    struct quota *quota = ticket->quota;
    struct quota_need more = {{0}};

    if (quota == NULL)
        return;
    more.of[LIMIT_TOKENS] = tokens >= 0 ? tokens - ticket->need.of[LIMIT_TOKENS] : 0;
    lock_take(&quota->lock);
    pass_time(quota, now_us);
    add(quota, ticket->second, &more, 1);
    lock_drop(&quota->lock);
    ticket->quota = NULL;
}

/* Of two answers the one whose request was sent later knows more. */
void
quota_learn(struct quota_ticket *ticket, const struct limits_left *left, usec now_us)
{
    struct quota *quota = ticket->quota;

    if (quota == NULL)
        return;
    lock_take(&quota->lock);
    for (unsigned unit = 0; unit < LIMIT_UNITS; unit++) {
        if (left->of[unit].limit < 0 || left->of[unit].reset_us <= 0)
            continue;
        if (tells(quota, unit, now_us) && quota->taken_then[unit] > ticket->taken_then[unit])
            continue;
        quota->told[unit] = left->of[unit];
        quota->told_us[unit] = now_us;
        quota->taken_then[unit] = ticket->taken_then[unit];
        atomic_store_explicit(&quota->bound, true, memory_order_relaxed);
    }
    lock_drop(&quota->lock);
}

int64_t
quota_left(struct quota *quota, enum limit_unit unit, usec now_us)
{
    int64_t left = INT64_MAX;

    lock_take(&quota->lock);
    pass_time(quota, now_us);
    if (quota->limits[unit] > 0)
        left = quota->limits[unit] - used_in_window(quota, unit);
    if (tells(quota, unit, now_us)) {
        int64_t told = quota->told[unit].left + (int64_t)grown(quota, unit, now_us - quota->told_us[unit]) -
                       taken_since(quota, unit);

        left = told < left ? told : left;
    }
    lock_drop(&quota->lock);
    return left > 0 ? left : 0;
}
