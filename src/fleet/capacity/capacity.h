/* How many replicas a pool needs. Pure: fed with work as it arrives and with the time, it recommends; whoever acts on it,
 * acts elsewhere. Deterministic.
 *
 * Every interval it closes what came (demand.h), forecasts it to the time at which a replica asked for now would be there
 * (forecast.h), and divides by what one replica carries within the limits (carry.h, which the owner finds out off the
 * loop and tells).
 *
 * Up, at once: to what the forecast's quantile needs, or what of the work that comes now lasts until a replica is there, as far as such has
 * lasted, together with what has piled up and is still there then, worked off within another cold start: a replica for less time than it
 * takes to start would not pay, nor one that comes when the burst is over. Replicas that are still coming count.
 * In a panic, when twice as much comes and lasts as all that are there or asked for carry, seen over a tenth of the window, it does not
 * wait for the interval's end, and does not shrink for a window.
 *
 * Down, one at a time: when over a whole window nothing needed the last one. The window is a cold start and an interval: to
 * let one go that is wanted again sooner costs more than to keep it (ski rental). Then a what-if has to show that one fewer
 * would have served what came lately, and there must be enough history for the quantile to mean anything: also of bursts larger than
 * those that came, as far as the tail of these says how likely they are. */
#ifndef FLEET_CAPACITY_H
#define FLEET_CAPACITY_H

#include "fleet/capacity/forecast.h"
#include "fleet/engine/carry.h"

#define CAPACITY_INTERVAL_US (5 * USEC_PER_S)
#define CAPACITY_COLD_START_US (120 * USEC_PER_S) /* where nothing is known */
#define CAPACITY_STUDY_US (1800 * USEC_PER_S)
#define CAPACITY_COLD_START_MOST_US (2400 * USEC_PER_S)

enum { CAPACITY_COLD_STARTS = 32, CAPACITY_WINDOW = FORECAST_AHEAD_MOST, CAPACITY_ASKED_MOST = 64 };

/* How long replicas took from the wish for them to their being there. */
struct cold_starts {
    usec spans_us[CAPACITY_COLD_STARTS];
    unsigned count;
    usec asked_us[CAPACITY_ASKED_MOST]; /* that are not there yet, the first asked first */
    unsigned asked;
};

void cold_starts_init(struct cold_starts *starts, usec expected_us);
void cold_starts_see(struct cold_starts *starts, usec span_us);
usec cold_starts_p90_us(const struct cold_starts *starts);

enum capacity_reason {
    CAPACITY_NOTHING_KNOWN, /* what one replica carries is not known yet */
    CAPACITY_ENOUGH,
    CAPACITY_FORECAST, /* more, for what is to come */
    CAPACITY_NOW,      /* more, for what comes now and has piled up */
    CAPACITY_PANIC,
    CAPACITY_FEWER,
    CAPACITY_HOPELESS /* not even an idle replica keeps the limits: no number would */
};

const char *capacity_reason_text(enum capacity_reason reason); /* for a person: "what is to come" */

struct capacity_rules {
    unsigned least, most; /* replicas; least at least 1 */
    struct forecast_goal goal;
};

/* Invariant: rules.least <= wanted <= rules.most once something was recommended. */
struct capacity {
    struct capacity_rules rules;
    struct demand demand;
    struct forecast forecast;
    struct cold_starts starts;
    double carry;  /* engines' work per time that one replica carries; below 0: not known */
    usec slack_us; /* that work may wait */
    unsigned wanted, ready, coming;
    enum capacity_reason reason;
    double backlog_us;         /* work that has piled up, as far as the model knows */
    usec ticked_us, closed_us; /* the last tick; the end of the last interval */
    usec panic_until_us;       /* 0: none */
    usec ask_again_us;         /* no what-if before */
    uint64_t came, studied;    /* requests; and how many there were at the last study */
    usec studied_us;
    unsigned needs[CAPACITY_WINDOW];  /* of the last intervals */
    uint64_t closed;                  /* intervals */
    double now_rate, needed, ahead;   /* of the last interval, in engines: mean, within the slack, and forecast */
    uint64_t grown, shrunk, panicked; /* decisions */
};

void capacity_init(struct capacity *capacity, const struct capacity_rules *rules, usec cold_start_us, unsigned wanted,
                   usec now_us);

/* New rules, as after a reload: what was learned stays. */
void capacity_set_rules(struct capacity *capacity, const struct capacity_rules *rules);

/* What carry.h found: what one carries, 0: nothing within the limits; and the slack. */
void capacity_set_carry(struct capacity *capacity, double carry, usec slack_us);

/* A request has come, been refused or not, such as for such an engine. */
void capacity_arrives(struct capacity *capacity, usec now_us, const struct engine_settings *engine,
                      const struct request_size *size);

/* It turned out to be more or less work than it came with. */
void capacity_corrects(struct capacity *capacity, usec now_us, double more_us);

/* No more can have piled up than is under way. To be told before a tick, by who knows. */
void capacity_bounds_backlog(struct capacity *capacity, double under_way_us);

/* About once a second: so many replicas take requests now. True: one fewer may do, and a what-if is to say so: an answer is
 * owed by capacity_answer(), before or after further ticks. */
bool capacity_tick(struct capacity *capacity, usec now_us, usec wall_us, unsigned ready, unsigned coming) MUST_CHECK;

/* Is it time for carry.h to find out anew what one replica carries? As soon as there is enough, when twice as much has come,
 * and every CAPACITY_STUDY_US. True once: the caller does it. */
bool capacity_study_due(struct capacity *capacity, usec now_us) MUST_CHECK;

/* Would wanted - 1 have served what came? `asked`: how many were wanted when the question came up. */
void capacity_answer(struct capacity *capacity, unsigned asked, bool would_do);

/* How far back the what-if is to look: as far as the forecast's errors. */
usec capacity_look_back_us(void);

usec capacity_window_us(const struct capacity *capacity);

#endif
