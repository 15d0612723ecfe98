/* A test by betting that a mean is above m (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
 * betting", JRSS B 86, 2024), with constant bets. A gambler who stakes a share f of what he has, each time that the next
 * outcome X lies above m, has
 *
 *     W_f = product of 1 + (f/m)(X - m)    and with several f at once    K = mean over f of W_f.
 *
 * While every outcome's mean is at most m, K is a martingale at most, and the chance that it ever reaches 1/alpha is at
 * most alpha (Ville). As the bets are constant that holds for the running mean too when the mean moves, by the inequality
 * of the arithmetic and geometric means; and K depends only on how often each outcome came, not on the order. So counts
 * are the whole state, K falls as m rises, and bounds of the mean are found by halving.
 *
 * The same for a quotient: that candidates are right at least m times as often as the reference, bets on out - m ref, which
 * lies in [-m, 1], being above 0 in the mean. A gambler's step is then 1 + (f/m)(out - m ref); it falls in m as well.
 *
 * The other direction: a CUSUM on the same scale, for a mean that has fallen below m. */
#ifndef QUALITY_BETTING_H
#define QUALITY_BETTING_H

#include <stdbool.h>
#include <stdint.h>

#define PPM 1000000u

enum {
    BETS = 6,                 /* shares staked: .05, .1, .2, .35, .55, .8 */
    OUTCOME_STEPS = 20,       /* an outcome in [0, 1] is rounded down to twentieths */
    OUTCOME_HALVINGS_MOST = 5 /* an outcome's bet is scaled by 1, 1/2, ... 1/32 */
};

/* How often each outcome came, by the scale of its bet. Where pairs are counted, what stands at a place is how often the
 * pair of this number came, and m is a quotient. */
struct outcomes {
    bool of_pairs;
    uint32_t count[OUTCOME_HALVINGS_MOST + 1][OUTCOME_STEPS + 1];
};

/* What a candidate and the reference were found to be. */
enum outcome_pair {
    PAIR_NONE,      /* neither is right */
    PAIR_REFERENCE, /* the reference alone is right */
    PAIR_CANDIDATE,
    PAIR_BOTH,
    PAIR_UNKNOWN, /* the judge failed: the worst, wherever the pair counts */
    OUTCOME_PAIRS
};

/* `outcome` in [0, 1]; its bet is scaled by 2^-halvings. */
void outcomes_add(struct outcomes *outcomes, double outcome, unsigned halvings);
void outcomes_add_pair(struct outcomes *outcomes, enum outcome_pair pair, unsigned halvings);
void outcomes_add_all(struct outcomes *sum, const struct outcomes *more);

/* The same, as if the reference had answered all of them: it is acceptable, or as right as itself. */
void outcomes_add_referred(struct outcomes *sum, const struct outcomes *more);
uint64_t outcomes_total(const struct outcomes *outcomes);

/* Unscaled, 0 if there are none; of pairs the quotient of how often candidates and reference are right, at most PPM. */
uint32_t outcomes_mean_ppm(const struct outcomes *outcomes);

/* ln K against "the mean is at most m" and against "the mean is at least m"; 0 < m < 1. */
double betting_log_above(const struct outcomes *outcomes, double m);
double betting_log_below(const struct outcomes *outcomes, double m);

/* Bounds of the mean, each of which is wrong with a chance of at most alpha = exp(-log_needed): the largest m that K
 * refutes from below, rounded down, and the smallest that it refutes from above, rounded up. 0 and PPM: nothing is known. */
uint32_t betting_lower_ppm(const struct outcomes *outcomes, double log_needed);
uint32_t betting_upper_ppm(const struct outcomes *outcomes, double log_needed);

#define BETTING_NEVER UINT64_MAX

/* How many more outcomes until ln K against "at most m" reaches log_needed: if all to come are 1, and if they come as
 * those counted so far did (BETTING_NEVER: it will not be reached so, or nothing has come yet). */
uint64_t betting_missing_at_best(const struct outcomes *outcomes, double m, double log_needed);
uint64_t betting_missing_as_so_far(const struct outcomes *outcomes, double m, double log_needed);

/* The CUSUM: M_f = max(1, M_f) (1 + (f/(1-m))(m - X)), an alarm when the mean over f reaches FALL_ALARM. While the mean is
 * at least m, there are at least FALL_ALARM outcomes between alarms in the mean; after a fall it takes about
 * ln FALL_ALARM / KL outcomes, however many came before. Here X is not rounded. */
#define FALL_ALARM 10000.0

struct fall {
    double log_m[BETS]; /* ln M_f */
};

void fall_reset(struct fall *fall);
bool fall_check(const struct fall *fall); /* is it one that fall_add may have left behind? */

/* True: the alarm. */
bool fall_add(struct fall *fall, double m, double outcome, unsigned halvings) __attribute__((warn_unused_result));

/* The same on the scale of quotients: M_f = max(1, M_f) (1 + f (m reference - outcome)). */
bool fall_add_pair(struct fall *fall, double m, double outcome, double reference, unsigned halvings)
    __attribute__((warn_unused_result));

#endif
