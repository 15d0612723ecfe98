/* Runaway spend: a key that within an hour spends far more than ever lately.
 *
 * What a key spent in its last sixty minutes is compared with the dearest of its UTC hours in the four weeks before; it
 * runs away when it spends more than `times` as much, and at least so much in all. The largest of N past values is beaten
 * by the next one with a probability of at most 1/(N+1), whatever their distribution, as long as they are exchangeable
 * (Shafer and Vovk, "A Tutorial on Conformal Prediction", JMLR 9, 2008); `times` makes it far rarer still. Sixty minutes
 * touch two UTC hours, so with `times` of 2 or more a key that only repeats what it did never runs away. A runaway at a
 * rate of R dollars an hour is seen once it has spent the threshold T: after T/R hours.
 *
 * Nothing is said of a key that was used in fewer than RUNAWAY_HOURS_LEAST hours. An hour enters history as at most twice
 * the dearest before it: a runaway does not become usual at once, and ten times the usual does within four hours. Whole
 * amounts, no floating point; rebuilt from the ledger's hours at a start. */
#ifndef MONEY_RUNAWAY_H
#define MONEY_RUNAWAY_H

#include "base/lock.h"
#include "base/map.h"
#include "base/timers.h"
#include "base/usd.h"

enum { RUNAWAY_DAYS = 28, RUNAWAY_MINUTES = 60, RUNAWAY_HOURS_LEAST = 24 };

/* What was spent in the last sixty minutes, and the dearest hour that it is far above. */
struct runaway {
    usd spent, dearest;
    unsigned hours; /* that history has */
};

/* All keys; any thread. */
struct runaways {
    struct lock lock;
    struct map by_key; /* -> struct runaway_key */
};

void runaways_init(struct runaways *runaways);
void runaways_free(struct runaways *runaways);

/* A key spent so much at this time. True: it runs away, and *out says how. `times` 0: never. */
bool runaways_add(struct runaways *runaways, struct slice key, usd spent, usec wall_us, unsigned times, usd at_least,
                  struct runaway *out);

/* From the ledger, before anything is added, in order of time: what a key spent in the UTC hour that starts at
 * `hour_wall_us`. It counts as spent in the hour's first minute, which matters for the present hour alone. */
void runaways_recall(struct runaways *runaways, struct slice key, usec hour_wall_us, usd spent);

#endif
