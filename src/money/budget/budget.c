#include "money/budget/budget.h"

#include <stdio.h>
#include <stdlib.h>

#include "money/budget/budget_inside.h"

/* Buckets of an account that nothing claims any more, kept for clocks that jump and for whoever looks back. */
enum { IDLE_BUCKETS_KEPT = 4 };

void
budgets_init(struct budgets *budgets)
{
    static const unsigned shares_ppm[] = {500000, 800000, 1000000};

    *budgets = (struct budgets){0};
    lock_init(&budgets->lock);
    map_init(&budgets->by_identity);
    list_init(&budgets->claims);
    arena_init(&budgets->texts);
    budgets_set_shares(budgets, shares_ppm, sizeof(shares_ppm) / sizeof(shares_ppm[0]));
}

void
budgets_free(struct budgets *budgets)
{
    ENSURE(list_empty(&budgets->claims));
    for (size_t i = 0; i < budgets->count; i++) {
        struct budget_account *account = budgets->accounts[i];

        for (struct budget_bucket *bucket = account->buckets, *next; bucket != NULL; bucket = next) {
            next = bucket->next;
            free(bucket);
        }
        free(account);
    }
    free(budgets->accounts);
    map_free(&budgets->by_identity);
    arena_reset(&budgets->texts);
    lock_destroy(&budgets->lock);
}

/* Accounts and their buckets */

static struct budget_account *
add_account(struct budgets *budgets, const struct budget_rule *rule)
{
    struct budget_account *account = must_calloc(1, sizeof(*account));

    account->rule.scope = rule->scope;
    account->rule.window = rule->window;
    account->rule.unit = rule->unit;
    account->rule.name = arena_copy(&budgets->texts, rule->name);
    account->rule.identity = arena_copy(&budgets->texts, rule->identity);
    if (budgets->count == budgets->size) {
        budgets->size = budgets->size != 0 ? 2 * budgets->size : 16;
        budgets->accounts = must_realloc(budgets->accounts, budgets->size * sizeof(struct budget_account *));
    }
    budgets->accounts[budgets->count++] = account;
    map_put(&budgets->by_identity, rule->identity, account);
    return account;
}

void
budgets_configure(struct budgets *budgets, const struct budget_rule *rules, size_t count)
{
    lock_take(&budgets->lock);
    for (size_t i = 0; i < budgets->count; i++)
        budgets->accounts[i]->configured = false;
    for (size_t i = 0; i < count; i++) {
        struct budget_account *account = map_get(&budgets->by_identity, rules[i].identity);

        ENSURE(rules[i].limit > 0 && rules[i].identity.len > 0);
        if (account == NULL)
            account = add_account(budgets, &rules[i]);
        ENSURE(account->rule.unit == rules[i].unit && account->rule.window == rules[i].window);
        if (!slice_equal(account->rule.text, rules[i].text))
            account->rule.text = arena_copy(&budgets->texts, rules[i].text);
        account->rule.limit = rules[i].limit;
        account->configured = true;
    }
    lock_drop(&budgets->lock);
}

void
budgets_set_shares(struct budgets *budgets, const unsigned *shares_ppm, size_t count)
{
    ENSURE(count <= BUDGET_SHARES_MOST);
    lock_take(&budgets->lock);
    for (size_t i = 0; i < count; i++) {
        ENSURE(i == 0 || shares_ppm[i] > shares_ppm[i - 1]);
        budgets->shares_ppm[i] = shares_ppm[i];
    }
    budgets->share_count = (unsigned)count;
    lock_drop(&budgets->lock);
}

/* Forgets buckets that nobody claims and that were not used for long. */
static void
trim_buckets(struct budget_account *account)
{
    unsigned idle = 0;

    for (struct budget_bucket **at = &account->buckets; *at != NULL;) {
        struct budget_bucket *bucket = *at;

        if (bucket->claims > 0 || ++idle <= IDLE_BUCKETS_KEPT) {
            at = &bucket->next;
            continue;
        }
        *at = bucket->next;
        free(bucket);
    }
}

static bool
holds(const struct budget_bucket *bucket, usec wall_us)
{
    return bucket->start_wall_us <= wall_us && wall_us < bucket->end_wall_us;
}

/* NULL: nothing was ever counted there. */
static struct budget_bucket *
find_bucket(const struct budget_account *account, usec wall_us)
{
    struct budget_bucket *bucket = account->buckets;

    while (bucket != NULL && !holds(bucket, wall_us))
        bucket = bucket->next;
    return bucket;
}

static void
put_first(struct budget_account *account, struct budget_bucket *bucket)
{
    struct budget_bucket **at = &account->buckets;

    while (*at != bucket && *at != NULL)
        at = &(*at)->next;
    if (*at != NULL)
        *at = bucket->next;
    bucket->next = account->buckets;
    account->buckets = bucket;
}

struct budget_bucket *
budget_bucket_at(struct budget_account *account, usec wall_us)
{
    struct budget_bucket *bucket = account->buckets;

    if (bucket != NULL && holds(bucket, wall_us))
        return bucket;
    bucket = find_bucket(account, wall_us);
    if (bucket == NULL) {
        bucket = must_calloc(1, sizeof(*bucket));
        bucket->start_wall_us = budget_window_start(account->rule.window, wall_us);
        bucket->end_wall_us = budget_window_end(account->rule.window, wall_us);
    }
    put_first(account, bucket);
    trim_buckets(account);
    return bucket;
}

static int64_t
narrow(wide_int amount)
{
    return amount > INT64_MAX ? INT64_MAX : (int64_t)amount;
}

struct budget_info
budget_info_of(const struct budget_account *account, const struct budget_bucket *bucket)
{
    return (struct budget_info){
        .rule = account->rule,
        .start_wall_us = bucket->start_wall_us,
        .end_wall_us = bucket->end_wall_us,
        .spent = narrow(bucket->spent),
        .reserved = narrow(bucket->reserved),
        .exposed = narrow(bucket->exposed),
        .unbounded = bucket->unbounded,
        .refusals = bucket->refusals,
    };
}

bool
budgets_next(struct budgets *budgets, size_t *at, usec wall_us, struct budget_info *out)
{
    bool found = false;

    lock_take(&budgets->lock);
    while (!found && *at < budgets->count) {
        const struct budget_account *account = budgets->accounts[(*at)++];
        const struct budget_bucket *bucket = find_bucket(account, wall_us);
        struct budget_bucket none = {.start_wall_us = budget_window_start(account->rule.window, wall_us),
                                     .end_wall_us = budget_window_end(account->rule.window, wall_us)};

        found = account->configured;
        *out = budget_info_of(account, bucket != NULL ? bucket : &none);
    }
    lock_drop(&budgets->lock);
    return found;
}

/* Events */

void
budget_put_event(struct budgets *budgets, enum budget_event_kind kind, unsigned share_ppm,
                 const struct budget_account *account, const struct budget_bucket *bucket)
{
    if (budgets->event_count == BUDGET_EVENTS_MOST) { /* the oldest goes */
        budgets->event_first = (budgets->event_first + 1) % BUDGET_EVENTS_MOST;
        budgets->event_count--;
        budgets->events_lost++;
    }
    budgets->events[(budgets->event_first + budgets->event_count++) % BUDGET_EVENTS_MOST] =
        (struct budget_event){kind, share_ppm, budget_info_of(account, bucket)};
}

static bool
reached(const struct budget_account *account, const struct budget_bucket *bucket, unsigned share_ppm)
{
    return bucket->spent * 1000000 >= (wide_int)account->rule.limit * share_ppm;
}

void
budget_tell_shares(struct budgets *budgets, const struct budget_account *account, struct budget_bucket *bucket)
{
    while (bucket->shares_told < budgets->share_count &&
           reached(account, bucket, budgets->shares_ppm[bucket->shares_told]))
        budget_put_event(budgets, BUDGET_SHARE_REACHED, budgets->shares_ppm[bucket->shares_told++], account, bucket);
}

size_t
budgets_take_events(struct budgets *budgets, struct budget_event *out, size_t most)
{
    size_t count = 0;

    lock_take(&budgets->lock);
    for (; count < most && budgets->event_count > 0; count++) {
        out[count] = budgets->events[budgets->event_first];
        budgets->event_first = (budgets->event_first + 1) % BUDGET_EVENTS_MOST;
        budgets->event_count--;
    }
    lock_drop(&budgets->lock);
    return count;
}

/* Shares that were reached before are no news. */
static void
set_spent(const struct budgets *budgets, struct budget_account *account, usec wall_us, int64_t spent)
{
    struct budget_bucket *bucket = budget_bucket_at(account, wall_us);

    ENSURE(spent >= 0);
    bucket->spent = spent;
    while (bucket->shares_told < budgets->share_count &&
           reached(account, bucket, budgets->shares_ppm[bucket->shares_told]))
        bucket->shares_told++;
}

void
budgets_restore(struct budgets *budgets, struct slice identity, usec wall_us, int64_t spent)
{
    struct budget_account *account;

    lock_take(&budgets->lock);
    account = map_get(&budgets->by_identity, identity);
    if (account != NULL && account->configured)
        set_spent(budgets, account, wall_us, spent);
    lock_drop(&budgets->lock);
}

bool
budgets_counts(struct budgets *budgets, struct slice identity)
{
    const struct budget_account *account;
    bool counts;

    lock_take(&budgets->lock);
    account = map_get(&budgets->by_identity, identity);
    counts = account != NULL && account->configured;
    lock_drop(&budgets->lock);
    return counts;
}

void
budgets_foresee(struct budgets *budgets, const struct budget_rule *rule, usec wall_us, int64_t spent)
{
    struct budget_account *account;

    lock_take(&budgets->lock);
    account = map_get(&budgets->by_identity, rule->identity);
    if (account == NULL)
        account = add_account(budgets, rule);
    if (!account->configured) {
        account->rule.limit = rule->limit;
        set_spent(budgets, account, wall_us, spent);
    }
    lock_drop(&budgets->lock);
}

/* Checks */

int64_t
budgets_reserved(struct budgets *budgets)
{
    wide_int sum = 0;

    lock_take(&budgets->lock);
    for (size_t i = 0; i < budgets->count; i++)
        for (const struct budget_bucket *bucket = budgets->accounts[i]->buckets; bucket != NULL; bucket = bucket->next)
            sum += bucket->reserved;
    lock_drop(&budgets->lock);
    return narrow(sum);
}

/* What the claims hold in one bucket must be what the bucket says. */
static void
check_bucket(const struct budgets *budgets, const struct budget_account *account, const struct budget_bucket *bucket)
{
    wide_int reserved = 0, exposed = 0;
    uint64_t claims = 0;

    LIST_EACH(&budgets->claims, node, after)
    {
        const struct budget_claim *claim = CONTAINER_OF(node, struct budget_claim, link);

        for (size_t i = 0; i < claim->count; i++) {
            if (claim->lines[i].bucket != bucket)
                continue;
            reserved += claim->reserved.of[account->rule.unit];
            exposed += claim->exposed.of[account->rule.unit];
            claims++;
        }
    }
    ENSURE(bucket->reserved == reserved && bucket->exposed == exposed && bucket->claims == claims);
    ENSURE(bucket->spent >= 0 && bucket->reserved >= 0 && bucket->exposed >= 0 && bucket->unbounded <= claims);
}

void
budgets_check(struct budgets *budgets)
{
    lock_take(&budgets->lock);
    for (size_t i = 0; i < budgets->count; i++)
        for (const struct budget_bucket *bucket = budgets->accounts[i]->buckets; bucket != NULL; bucket = bucket->next)
            check_bucket(budgets, budgets->accounts[i], bucket);
    lock_drop(&budgets->lock);
}

const char *
budget_exposure_words(const struct budget_info *info, char *out, size_t size)
{
    char amount[BUDGET_AMOUNT_SIZE];

    budget_format_amount(info->rule.unit, info->exposed, amount);
    if (info->unbounded > 0)
        snprintf(out, size, "%s beyond what is reserved, and %llu under way that nothing bounds", amount,
                 (unsigned long long)info->unbounded);
    else if (info->exposed > 0)
        snprintf(out, size, "at most %s beyond what is reserved", amount);
    else
        snprintf(out, size, "none: all that is under way is reserved");
    return out;
}
