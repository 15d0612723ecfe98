/* How many replicas a pool needs (capacity.h), for a backend that is served: fed by every request that goes there from any
 * worker, looked at once a second by one. Shared by all workers, each pool under its own lock; kept over reloads by name.
 *
 * A request comes with what is expected of it; when it is over and its usage tells better, the difference is demand too,
 * and what it really was goes into the record from which it is learned what one replica carries. What-if questions are
 * copied out, answered on another thread, and brought back. */
#ifndef FLEET_POOL_SIZE_H
#define FLEET_POOL_SIZE_H

#include "base/lock.h"
#include "base/map.h"
#include "fleet/capacity/capacity.h"
#include "fleet/dispatch/replica.h"

/* What the configuration says of a pool. */
struct pool_rules {
    unsigned least, most;
    usec cold_start_us; /* expected, until some were seen */
    struct request_limits limits;
};

struct pool_size;

struct pool_sizes {
    struct lock lock;
    struct map by_name;
};

void pool_sizes_init(struct pool_sizes *sizes);
void pool_sizes_free(struct pool_sizes *sizes);

/* Made on first use; lives until pool_sizes_free. */
struct pool_size *pool_sizes_of(struct pool_sizes *sizes, const char *name);

/* Requests; any worker */

/* Is sent, or, with pool_size_over at once, was refused. Returns its work as it counts from now on, for pool_size_over: what
 * engines are like may be known better by then. */
double pool_size_takes(struct pool_size *pool, const struct replica_wish *wish, usec now_us) MUST_CHECK;

/* It is over, in any ending. `metered` NULL: its answer did not tell. */
void pool_size_over(struct pool_size *pool, const struct replica_wish *wish, double expected_us, usec taken_us,
                    const struct replica_metered *metered, usec now_us);

/* Once a second; one worker */

/* `there`: replicas that take requests now. The first call says how many are wanted to begin with. */
void pool_size_configure(struct pool_size *pool, const struct pool_rules *rules, const struct replica_model *model,
                         unsigned there);

struct pool_question {
    bool study, fewer; /* what one carries; whether one fewer would do */
    unsigned wanted;
};

struct pool_question pool_size_tick(struct pool_size *pool, usec now_us, usec wall_us, unsigned there);

/* What-if questions, to be answered on any thread. */
struct pool_study {
    struct pool_question question;
    struct carry_record record;
    struct engine_settings engine;
    struct request_limits limits;
    usec look_back_from_us;
    /* The answers. */
    double carry, work_us, prompt_tokens, output_tokens; /* the latter three: of a request, the mean */
    usec slack_us;
    bool would_do;
};

void pool_size_ask(struct pool_size *pool, const struct pool_question *question, usec now_us, struct pool_study *out);
void pool_study_answer(struct pool_study *study);

/* `goal`: how sure to be, from the costs and from what was found (forecast_goal_of). */
void pool_size_learn(struct pool_size *pool, const struct pool_study *study, struct forecast_goal goal);

/* Looking; any thread */

struct pool_view {
    unsigned wanted, there, least, most;
    double demand, needed, expected; /* engines' work: the mean of the last interval, with its bursts, and to come */
    double carry;                    /* by one replica; below 0: not known yet */
    double backlog_us;
    usec cold_start_us, slack_us;
    enum capacity_reason reason;
    struct forecast_goal goal;
    uint64_t grown, shrunk, panicked;
};

void pool_size_look(struct pool_size *pool, struct pool_view *out);

/* What stays over a restart: the day, and cold starts. Of all pools, and back; those that are damaged are left out.
 * ERR_CORRUPT: it is none of these. */
void pool_sizes_save(struct pool_sizes *sizes, struct buffer *out);
enum status pool_sizes_restore(struct pool_sizes *sizes, struct slice bytes) MUST_CHECK;

#endif
