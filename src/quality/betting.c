#include "quality/betting.h"

#include <math.h>

#include "base/status.h"

/* From timid bets, which win in the long run on small differences, to bold ones, which need few outcomes for large. */
static const double bets[BETS] = {.05, .1, .2, .35, .55, .8};

/* Bounds and numbers of labels are searched by halving: up to 2^40 labels. */
enum { LABELS_BITS = 40 };

/* So that .15 counts as three twentieths, although 20 times its binary neighbour may be a little less than 3. */
#define A_HAIR 1e-9

void
outcomes_add(struct outcomes *outcomes, double outcome, unsigned halvings)
{
    uint32_t *count;

    ENSURE(outcome >= 0 && outcome <= 1 && halvings <= OUTCOME_HALVINGS_MOST);
    count = &outcomes->count[halvings][(unsigned)(outcome * OUTCOME_STEPS + A_HAIR)];
    if (*count < UINT32_MAX)
        ++*count;
}

void
outcomes_add_pair(struct outcomes *outcomes, enum outcome_pair pair, unsigned halvings)
{
    uint32_t *count;

    ENSURE(pair < OUTCOME_PAIRS && halvings <= OUTCOME_HALVINGS_MOST);
    count = &outcomes->count[halvings][pair];
    if (*count < UINT32_MAX)
        ++*count;
}

static void
add_count(uint32_t *count, uint32_t more)
{
    *count += more < UINT32_MAX - *count ? more : UINT32_MAX - *count;
}

/* Where an outcome or a pair counts if the reference answers. */
static unsigned
referred_place(const struct outcomes *outcomes, unsigned place)
{
    if (!outcomes->of_pairs)
        return OUTCOME_STEPS;
    return place == PAIR_REFERENCE || place == PAIR_BOTH ? PAIR_BOTH : PAIR_NONE;
}

void
outcomes_add_referred(struct outcomes *sum, const struct outcomes *more)
{
    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
        for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
            if (more->count[h][i] > 0)
                add_count(&sum->count[h][referred_place(sum, i)], more->count[h][i]);
}

void
outcomes_add_all(struct outcomes *sum, const struct outcomes *more)
{
    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
        for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
            if (more->count[h][i] > 0)
                add_count(&sum->count[h][i], more->count[h][i]);
}

uint64_t
outcomes_total(const struct outcomes *outcomes)
{
    uint64_t total = 0;

    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
        for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
            total += outcomes->count[h][i];
    return total;
}

static uint32_t
quotient_ppm(const struct outcomes *outcomes)
{
    uint64_t right[2] = {0, 0}; /* the reference, the candidate */

    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++) {
        const uint32_t *count = outcomes->count[h];

        right[0] += (uint64_t)count[PAIR_REFERENCE] + count[PAIR_BOTH] + count[PAIR_UNKNOWN];
        right[1] += (uint64_t)count[PAIR_CANDIDATE] + count[PAIR_BOTH];
    }
    return right[0] == 0 ? 0 : right[1] >= right[0] ? PPM : (uint32_t)(right[1] * PPM / right[0]);
}

uint32_t
outcomes_mean_ppm(const struct outcomes *outcomes)
{
    uint64_t total = outcomes_total(outcomes), twentieths = 0;

    if (outcomes->of_pairs)
        return quotient_ppm(outcomes);
    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
        for (uint64_t i = 0; i <= OUTCOME_STEPS; i++)
            twentieths += i * outcomes->count[h][i];
    return total > 0 ? (uint32_t)(twentieths * (PPM / OUTCOME_STEPS) / total) : 0;
}

/* ln of the mean of exp over the bets. */
static double
log_mean(const double logs[BETS])
{
    double most = logs[0], sum = 0;

    for (unsigned f = 1; f < BETS; f++)
        most = fmax(most, logs[f]);
    for (unsigned f = 0; f < BETS; f++)
        sum += exp(logs[f] - most);
    return most + log(sum / BETS);
}

/* What an outcome x does to ln W_f against "at most m" (`below`: at least m). Never below ln(1 - f). */
static double
log_step(double f, double m, double x, double scale, bool below)
{
    return log1p(below ? scale * f / (1 - m) * (m - x) : scale * f / m * (x - m));
}

/* The same for what is counted at a place. */
static double
log_step_at(const struct outcomes *outcomes, unsigned place, double f, double m, double scale, bool below)
{
    double right = place == PAIR_CANDIDATE || place == PAIR_BOTH,
           reference = place != PAIR_NONE && place != PAIR_CANDIDATE;

    if (!outcomes->of_pairs)
        return log_step(f, m, (double)place / OUTCOME_STEPS, scale, below);
    return log1p(below ? scale * f * (m * reference - right) : scale * f / m * (right - m * reference));
}

/* ln K of `times` as many outcomes as were counted, and `flawless` more of 1. */
static double
log_wealth(const struct outcomes *outcomes, double m, bool below, double times, double flawless)
{
    double logs[BETS];

    for (unsigned f = 0; f < BETS; f++)
        logs[f] = flawless > 0 ? flawless * log_step(bets[f], m, 1, 1, below) : 0;
    for (unsigned h = 0; h <= OUTCOME_HALVINGS_MOST; h++)
        for (unsigned i = 0; i <= OUTCOME_STEPS; i++) {
            if (outcomes->count[h][i] == 0)
                continue;
            for (unsigned f = 0; f < BETS; f++)
                logs[f] += times * outcomes->count[h][i] * log_step_at(outcomes, i, bets[f], m, 1.0 / (1u << h), below);
        }
    return log_mean(logs);
}

double
betting_log_above(const struct outcomes *outcomes, double m)
{
    ENSURE(m > 0 && m < 1);
    return log_wealth(outcomes, m, false, 1, 0);
}

double
betting_log_below(const struct outcomes *outcomes, double m)
{
    ENSURE(m > 0 && m < 1);
    return log_wealth(outcomes, m, true, 1, 0);
}

uint32_t
betting_lower_ppm(const struct outcomes *outcomes, double log_needed)
{
    uint32_t refuted = 0, open = PPM;

    while (open - refuted > 1) {
        uint32_t middle = refuted + (open - refuted) / 2;

        if (betting_log_above(outcomes, (double)middle / PPM) >= log_needed)
            refuted = middle;
        else
            open = middle;
    }
    return refuted;
}

uint32_t
betting_upper_ppm(const struct outcomes *outcomes, double log_needed)
{
    uint32_t open = 0, refuted = PPM;

    while (refuted - open > 1) {
        uint32_t middle = open + (refuted - open) / 2;

        if (betting_log_below(outcomes, (double)middle / PPM) >= log_needed)
            refuted = middle;
        else
            open = middle;
    }
    return refuted;
}

uint64_t
betting_missing_at_best(const struct outcomes *outcomes, double m, double log_needed)
{
    uint64_t too_few = 0, enough = (uint64_t)1 << LABELS_BITS;

    if (betting_log_above(outcomes, m) >= log_needed)
        return 0;
    while (enough - too_few > 1) {
        uint64_t middle = too_few + (enough - too_few) / 2;

        if (log_wealth(outcomes, m, false, 1, (double)middle) >= log_needed)
            enough = middle;
        else
            too_few = middle;
    }
    return enough;
}

uint64_t
betting_missing_as_so_far(const struct outcomes *outcomes, double m, double log_needed)
{
    uint64_t total = outcomes_total(outcomes), too_few = total, enough = (uint64_t)1 << LABELS_BITS;

    if (betting_log_above(outcomes, m) >= log_needed)
        return 0;
    if (total == 0 || total >= enough || log_wealth(outcomes, m, false, (double)enough / (double)total, 0) < log_needed)
        return BETTING_NEVER;
    while (enough - too_few > 1) {
        uint64_t middle = too_few + (enough - too_few) / 2;

        if (log_wealth(outcomes, m, false, (double)middle / (double)total, 0) >= log_needed)
            enough = middle;
        else
            too_few = middle;
    }
    return enough - total;
}

void
fall_reset(struct fall *fall)
{
    for (unsigned f = 0; f < BETS; f++)
        fall->log_m[f] = 0;
}

bool
fall_check(const struct fall *fall)
{
    for (unsigned f = 0; f < BETS; f++)
        if (!(fall->log_m[f] >= log1p(-bets[f]) - A_HAIR && fall->log_m[f] < log(BETS * FALL_ALARM)))
            return false;
    return true;
}

bool
fall_add(struct fall *fall, double m, double outcome, unsigned halvings)
{
    ENSURE(m > 0 && m < 1 && outcome >= 0 && outcome <= 1 && halvings <= OUTCOME_HALVINGS_MOST);
    for (unsigned f = 0; f < BETS; f++)
        fall->log_m[f] = fmax(0, fall->log_m[f]) + log_step(bets[f], m, outcome, 1.0 / (1u << halvings), true);
    return log_mean(fall->log_m) >= log(FALL_ALARM);
}

bool
fall_add_pair(struct fall *fall, double m, double outcome, double reference, unsigned halvings)
{
    double scale = 1.0 / (1u << halvings);

    ENSURE(m > 0 && m < 1 && outcome >= 0 && outcome <= 1 && reference >= 0 && reference <= 1);
    ENSURE(halvings <= OUTCOME_HALVINGS_MOST);
    for (unsigned f = 0; f < BETS; f++)
        fall->log_m[f] = fmax(0, fall->log_m[f]) + log1p(scale * bets[f] * (m * reference - outcome));
    return log_mean(fall->log_m) >= log(FALL_ALARM);
}
