/* What a report says, from the ledger's sums: collected here, printed by report_text.c, report_json.c and report_csv.c. */
#ifndef MONEY_REPORT_H
#define MONEY_REPORT_H

#include "money/ledger/group.h"
#include "money/ledger/ledger_store.h"
#include "money/ledger/look_up.h"
#include "money/report/estimate.h"

enum report_by {
    REPORT_BY_KEY,
    REPORT_BY_ROUTE,
    REPORT_BY_TAG,
    REPORT_BY_MODEL,
    REPORT_BY_BACKEND,
    REPORT_BY_TENANT,
    REPORT_BY_OWNER,
    REPORT_BY_SOURCE,
    REPORT_BY_HOUR,
    REPORT_BY_DAY,
    REPORT_BYS
};

const char *report_by_name(enum report_by by);

enum { REPORT_BY_MOST = 4 };

#define REPORT_NEVER UINT64_MAX

/* What a lever that may change answers has to show for it on a route: quality/evidence.h, as it was last written down. */
struct report_evidence {
    struct slice lever, route; /* the lever with its model and its slice, for a person */
    struct slice model;        /* of which it is, where the lever is the router; else empty */
    struct slice part;         /* of the route's traffic, which this is about (acceptable: slices); empty: of all */
    const char *words;         /* how it stands */
    const char *of;            /* of which answers its floor speaks: "of what is served" */
    const char *floor_of;      /* "served", "route", "relative" */
    bool of_route;             /* of all of the route, the reference's counting as acceptable; else of its own */
    uint32_t floor_ppm;        /* of those so many must be acceptable; 0: no epoch has begun */
    uint32_t judged_floor_ppm; /* so many the judge must accept for that; the same where its mistakes are not known */
    unsigned arm, arms;        /* the widest that it has earned, of so many; 0: none */
    uint32_t upper_ppm;        /* as lower_ppm, from above */
    bool serves;               /* it has earned that */
    double threshold;          /* the similarity from which it serves, or would first */
    uint32_t mean_ppm, lower_ppm; /* of the audits there: what was acceptable, and what is bounded */
    uint32_t own_mean_ppm;        /* of its own answers alone; the same unless of_route */
    uint64_t labels;              /* these audits */
    uint64_t missing,
        missing_slow;          /* until it may serve (more): if all to come are acceptable, if as so far; or NEVER */
    uint64_t audits, failures; /* in the epoch, and those that the judge could not judge */
    uint32_t suspensions;      /* likewise */
    uint32_t audit_ppm;        /* of what it could answer, so many are audited */
    uint32_t fall_to_ppm; /* if the share fell to this, far below the floor, about so many requests would come before */
    double noticed_after; /* it is suspended; 0: it serves none */
};

struct report_options {
    int64_t since, until, now; /* microseconds since the Unix epoch; since and until are taken to whole hours */
    enum report_by by[REPORT_BY_MOST];
    size_t by_count;
    struct slice tag;                        /* with REPORT_BY_TAG: only this one, by its values; empty: all tags */
    usd month_budget;                        /* for everything, what the forecast is held against; 0: there is none */
    const char *(*risk)(struct slice lever); /* what a lever risks; never NULL */
    const struct report_evidence *evidence;  /* of all levers and routes that have any */
    size_t evidence_count;
};

/* Requests that have the same text in each of options.by. */
struct report_line {
    struct slice label[REPORT_BY_MOST];
    struct sums sums;
    struct interval useful; /* how many were useful: seen where judged, extrapolated where not */
};

struct report_lever {
    struct slice lever;
    bool shadow;
    struct sums sums;    /* of the requests it touched; sums.saved is what it saved, or in shadow would have saved */
    struct sums control; /* of the same routes' requests that the reference served */
};

/* What became of looking for stored answers, one lever on one route. */
struct report_look_ups {
    struct slice lever, route;
    int64_t count[LOOK_UP_RESULTS];
    wide_int cost[LOOK_UP_RESULTS];         /* of those requests */
    wide_int saved[LOOK_UP_RESULTS];        /* by that lever, or in the shadow would have been */
    const struct report_evidence *evidence; /* NULL: it needs none, or has none yet */
};

/* Another model than a route's reference, which serves by evidence; where that is of slices, once for each. */
struct report_choice {
    struct slice route, model;  /* "backend/model" */
    int64_t requests;           /* of the route */
    int64_t served, audits;     /* by that model; calls to judge it by */
    int64_t first_audit;        /* start of the first hour or day with any */
    wide_int saved, audit_cost; /* by what it served; of those calls */
    int64_t judged;             /* calls to the route's judge, for all its models */
    wide_int judge_cost;
    const struct report_evidence *evidence;
};

/* A model, as "backend/model", or where no backend was asked the source, on a route. */
struct report_model {
    struct slice route, model;
    struct sums sums; /* of the requests that it answered; audits are not among them */
    struct interval useful;
};

/* A route: what is promised there, who serves it, and what that comes to. */
struct report_route {
    struct slice route;
    struct sums all;              /* own calls for audits, judges and verifiers included */
    struct sums holdout, treated; /* parts of it */
    struct interval useful_holdout, useful_treated;
    int64_t audits; /* calls of our own */
    wide_int audit_cost;
};

/* Whose cost moved against the span of the same length before. */
struct report_mover {
    enum report_by by; /* key, route or model */
    struct slice label;
    wide_int before, after;
    int64_t requests_before, requests_after;
};

/* Requests whose cost is not known. */
struct report_unpriced {
    struct slice backend, model;
    int64_t requests;
};

/* Engines of one's own that are paid by the hour, by backend. */
struct report_pool {
    struct slice backend;
    bool modelled;
    int64_t rented_us;      /* of replicas */
    wide_int rent;          /* what that cost, as rent.h counts it */
    struct sums sums;       /* of the requests that it answered: their cost is the busy part */
    struct interval useful; /* how many of those */
};

struct report_day {
    int64_t start;
    struct sums sums;
    struct interval useful;
};

struct report {
    struct report_options options;
    struct arena arena;
    struct sums all;
    struct sums modelled;      /* part of all: answered by modelled backends */
    struct interval useful;    /* how many of all */
    struct report_line *lines; /* by cost, dearest first; by time if the first `by` is one */
    size_t line_count;
    struct report_lever *levers; /* by what they saved */
    size_t lever_count;
    struct report_pool *pools; /* that cost anything by the hour; dearest first */
    size_t pool_count;
    struct report_look_ups *look_ups; /* by lever and route */
    size_t look_ups_count;
    struct report_choice *choices; /* by route and model */
    size_t choice_count;
    struct report_route *routes; /* by name */
    size_t route_count;
    struct report_model *models; /* by route, then by how many requests they answered, most first */
    size_t model_count;
    struct sums holdout, treated;  /* rows that bypassed all levers by lot, and the others */
    struct interval month;         /* the present month's cost in dollars, at its end */
    struct sums week, week_before; /* the last seven days, and the seven before them */
    struct interval week_useful, week_before_useful;
    struct sums before;          /* the span of the same length before */
    struct report_mover *movers; /* furthest first; none if there was nothing before */
    size_t mover_count;
    struct report_unpriced *unpriced; /* most requests first */
    size_t unpriced_count;
    int64_t first_before; /* as `first`, of the span before */
    int64_t first;        /* start of the first hour or day that has anything; INT64_MAX: nothing at all */
};

/* Adds up all stores (the ledger, and what the journal holds beyond it). *out is freed by report_free, also on error. */
enum status report_collect(struct ledger_store *const *stores, size_t count, const struct report_options *options,
                           struct report *out) MUST_CHECK;
void report_free(struct report *report);

/* Cost per useful output in dollars: all cost over how many were useful. */
struct interval report_cost_per_useful(const struct sums *sums, struct interval useful);

/* What its replicas cost, all of it; and the part of it that no request was charged for. Below 0: requests were charged
 * more than the hours cost, as they may be by the token, or where work of one hour is charged to the one before. */
wide_int report_pool_paid(const struct report_pool *pool);
wide_int report_pool_idle(const struct report_pool *pool);

/* Engines paid by the hour, instead of the lines. */
void report_write_pools_csv(const struct report *report, struct buffer *out);

/* How many days it tells of, from `from` on if that is later than its beginning; up to now at most. */
double report_days(const struct report *report, int64_t from);

void report_write_text(const struct report *report, bool colour, struct buffer *out);
void report_write_json(const struct report *report, struct buffer *out);
void report_write_csv(const struct report *report, struct buffer *out);

/* What became of looking for stored answers, instead of the lines. */
void report_write_look_ups_csv(const struct report *report, struct buffer *out);

/* One CSV field, quoted where it must be. */
void csv_add(struct buffer *out, struct slice text);

#endif
