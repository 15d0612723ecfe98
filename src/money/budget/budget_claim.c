/* Claims: what requests reserve from budgets, spend, and give back. */
#include "money/budget/budget_inside.h"

static void
add_line(struct budgets *budgets, struct budget_claim *claim, usec wall_us, const struct budget_rule *rule)
{
    struct budget_account *account = map_get(&budgets->by_identity, rule->identity);
    struct budget_line *line = &claim->lines[claim->count];

    if (account == NULL || !account->configured)
        return;
    *line = (struct budget_line){account, budget_bucket_at(account, wall_us)};
    line->bucket->claims++;
    claim->count++;
}

bool
budgets_claim(struct budgets *budgets, struct budget_claim *claim, struct budget_line *lines, usec wall_us,
              const struct budget_rules *rules, size_t rules_count)
{
    ENSURE(claim->count == 0 && !list_linked(&claim->link));
    claim->lines = lines;
    lock_take(&budgets->lock);
    for (size_t i = 0; i < rules_count; i++)
        for (size_t j = 0; j < rules[i].count; j++)
            add_line(budgets, claim, wall_us, &rules[i].all[j]);
    if (claim->count > 0)
        list_append(&budgets->claims, &claim->link);
    lock_drop(&budgets->lock);
    return claim->count > 0;
}

bool
budget_claim_has(const struct budget_claim *claim, enum budget_unit unit)
{
    for (size_t i = 0; i < claim->count; i++)
        if (claim->lines[i].account->rule.unit == unit)
            return true;
    return false;
}

/* What the line's bucket would still take of its unit for this claim. May be negative. */
static wide_int
room_of(const struct budget_claim *claim, const struct budget_line *line)
{
    return line->account->rule.limit - line->bucket->spent - line->bucket->reserved +
           claim->reserved.of[line->account->rule.unit];
}

/* Far below 0 is as good as further below. */
static int64_t
narrow_room(wide_int room)
{
    return room > INT64_MIN / 2 ? (int64_t)room : INT64_MIN / 2;
}

static void
find_room(const struct budget_claim *claim, struct budget_amounts *out)
{
    for (unsigned unit = 0; unit < BUDGET_UNITS; unit++)
        out->of[unit] = INT64_MAX;
    for (size_t i = 0; i < claim->count; i++) {
        wide_int room = claim->lines[i].account->configured ? room_of(claim, &claim->lines[i]) : INT64_MAX;
        int64_t *least = &out->of[claim->lines[i].account->rule.unit];

        if (room < *least)
            *least = narrow_room(room);
    }
}

/* Of the accounts that do not take it, the one whose window ends last: nothing is gained by asking again before. */
static const struct budget_line *
find_obstacle(const struct budget_claim *claim, const struct budget_amounts *wanted)
{
    const struct budget_line *obstacle = NULL;

    for (size_t i = 0; i < claim->count; i++) {
        const struct budget_line *line = &claim->lines[i];
        enum budget_unit unit = line->account->rule.unit;

        if (!line->account->configured || wanted->of[unit] <= claim->reserved.of[unit] ||
            wanted->of[unit] <= room_of(claim, line))
            continue;
        if (obstacle == NULL || line->bucket->end_wall_us > obstacle->bucket->end_wall_us)
            obstacle = line;
    }
    return obstacle;
}

static void
hold_amounts(struct budget_claim *claim, const struct budget_amounts *wanted)
{
    for (size_t i = 0; i < claim->count; i++) {
        enum budget_unit unit = claim->lines[i].account->rule.unit;

        claim->lines[i].bucket->reserved += wanted->of[unit] - claim->reserved.of[unit];
    }
    claim->reserved = *wanted;
}

bool
budgets_reserve(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *wanted, bool force,
                struct budget_obstacle *obstacle)
{
    struct budget_amounts amounts = *wanted;
    const struct budget_line *tight;

    for (unsigned unit = 0; unit < BUDGET_UNITS; unit++)
        ENSURE(amounts.of[unit] >= 0);
    if (claim->request_spent)
        amounts.of[BUDGET_REQUESTS] = 0;
    lock_take(&budgets->lock);
    tight = force ? NULL : find_obstacle(claim, &amounts);
    if (tight == NULL) {
        hold_amounts(claim, &amounts);
    } else {
        obstacle->info = budget_info_of(tight->account, tight->bucket);
        obstacle->line = (size_t)(tight - claim->lines);
        obstacle->left = narrow_room(room_of(claim, tight));
        find_room(claim, &obstacle->room);
    }
    lock_drop(&budgets->lock);
    return tight == NULL;
}

static void
set_exposure(struct budget_claim *claim, const struct budget_amounts *more, bool unbounded)
{
    for (size_t i = 0; i < claim->count; i++) {
        struct budget_bucket *bucket = claim->lines[i].bucket;
        enum budget_unit unit = claim->lines[i].account->rule.unit;

        bucket->exposed += more->of[unit] - claim->exposed.of[unit];
        if (unit != BUDGET_REQUESTS)
            bucket->unbounded += (uint64_t)unbounded - (uint64_t)claim->unbounded;
    }
    claim->exposed = *more;
    claim->unbounded = unbounded;
}

void
budgets_expose(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *more, bool unbounded)
{
    lock_take(&budgets->lock);
    set_exposure(claim, more, unbounded);
    lock_drop(&budgets->lock);
}

void
budgets_room(struct budgets *budgets, const struct budget_claim *claim, struct budget_amounts *out)
{
    lock_take(&budgets->lock);
    find_room(claim, out);
    lock_drop(&budgets->lock);
}

void
budgets_count_refusal(struct budgets *budgets, const struct budget_claim *claim, const struct budget_obstacle *obstacle)
{
    const struct budget_line *line = &claim->lines[obstacle->line];

    lock_take(&budgets->lock);
    line->bucket->refusals++;
    if (!line->bucket->refused_told)
        budget_put_event(budgets, BUDGET_REFUSED, 0, line->account, line->bucket);
    line->bucket->refused_told = true;
    lock_drop(&budgets->lock);
}

/* What is kept will be spent, too, as far as anybody knows; the rest of what was reserved was for `actual`. */
static bool
tell_overrun(struct budgets *budgets, const struct budget_claim *claim, const struct budget_line *line, int64_t actual,
             int64_t kept)
{
    struct budget_bucket *bucket = line->bucket;

    if (actual <= claim->reserved.of[line->account->rule.unit] - kept ||
        (wide_int)bucket->spent + kept <= line->account->rule.limit)
        return false;
    if (!bucket->overrun_told)
        budget_put_event(budgets, BUDGET_OVERRUN, 0, line->account, bucket);
    bucket->overrun_told = true;
    return true;
}

bool
budgets_post_keeping(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *actual,
                     const struct budget_amounts *kept)
{
    static const struct budget_amounts nothing;
    struct budget_amounts amounts = *actual;
    bool overrun = false;

    if (claim->request_spent)
        amounts.of[BUDGET_REQUESTS] = 0;
    lock_take(&budgets->lock);
    for (size_t i = 0; i < claim->count; i++) {
        const struct budget_line *line = &claim->lines[i];
        enum budget_unit unit = line->account->rule.unit;
        int64_t amount = amounts.of[unit];

        ENSURE(amount >= 0 && kept->of[unit] >= 0 && kept->of[unit] <= claim->reserved.of[unit]);
        line->bucket->spent += amount;
        budget_tell_shares(budgets, line->account, line->bucket);
        overrun |= tell_overrun(budgets, claim, line, amount, kept->of[unit]);
    }
    claim->request_spent |= amounts.of[BUDGET_REQUESTS] > 0;
    hold_amounts(claim, kept);
    set_exposure(claim, &nothing, false);
    lock_drop(&budgets->lock);
    return overrun;
}

bool
budgets_post(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *actual)
{
    static const struct budget_amounts nothing;

    return budgets_post_keeping(budgets, claim, actual, &nothing);
}

void
budgets_release(struct budgets *budgets, struct budget_claim *claim)
{
    static const struct budget_amounts nothing;

    if (claim->count == 0)
        return;
    lock_take(&budgets->lock);
    hold_amounts(claim, &nothing);
    set_exposure(claim, &nothing, false);
    for (size_t i = 0; i < claim->count; i++) {
        ENSURE(claim->lines[i].bucket->claims > 0);
        claim->lines[i].bucket->claims--;
    }
    list_remove(&claim->link);
    claim->count = 0;
    lock_drop(&budgets->lock);
}

bool
budgets_tightest(struct budgets *budgets, const struct budget_claim *claim, enum budget_unit unit,
                 struct budget_info *out)
{
    const struct budget_line *tightest = NULL;
    wide_int least = 0;

    lock_take(&budgets->lock);
    for (size_t i = 0; i < claim->count; i++) {
        const struct budget_line *line = &claim->lines[i];
        wide_int left = line->account->rule.limit - line->bucket->spent - line->bucket->reserved;

        if (line->account->rule.unit != unit || (tightest != NULL && left >= least))
            continue;
        tightest = line;
        least = left;
    }
    if (tightest != NULL)
        *out = budget_info_of(tightest->account, tightest->bucket);
    lock_drop(&budgets->lock);
    return tightest != NULL;
}
