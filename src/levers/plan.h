/* Plans: the ways in which a request could be answered, each with what it is expected to cost, how long it takes and how
 * surely it is acceptable. Makers put them on the balance, refiners change them, one function picks the winner
 * (gateway/balance.c). */
#ifndef LEVERS_PLAN_H
#define LEVERS_PLAN_H

#include "base/timers.h"
#include "config/config.h"
#include "fleet/health/health.h"
#include "money/usd.h"

/* Where an answer comes from. */
enum source {
    SOURCE_REFERENCE,   /* the route's reference model */
    SOURCE_MODEL,       /* another model or backend */
    SOURCE_CASCADE,     /* another model, whose answer is kept if it passes */
    SOURCE_PASSTHROUGH, /* whatever the client asked a backend for by its own path */
    SOURCE_SHARED,      /* a call that is under way for an equal request */
    SOURCE_CACHED,      /* an answer that was made before: no call */
    SOURCE_PARTLY,      /* some of a batch was answered before: a call for the rest */
    SOURCE_BUILT_IN,    /* the model that this program has itself */
    SOURCE_AUDIT,       /* a candidate's, which nobody is served: it is judged by the reference's */
    SOURCE_JUDGE,       /* likewise, of the model that judges */
    SOURCE_VERIFIER,    /* likewise, of the one that scores what a cascade holds back for a client */
    SOURCE_SAMPLE       /* likewise, a further answer of the model whose first one a cascade holds back */
};

const char *source_name(enum source source);

/* Why a plan won or lost; `explain` shows it. */
enum verdict {
#define VERDICT(id, words) id,
#include "levers/verdicts.def"
#undef VERDICT
};

const char *verdict_words(enum verdict verdict);

struct cache_entry;

/* What a plan has to do with its provider's prompt cache. */
struct plan_cache {
    bool on;                 /* else what follows is only what would be done */
    unsigned marks;          /* bits 1 << enum prompt_part: where marks are put in */
    unsigned hour_marks;     /* of them, those that keep for an hour; the first ones */
    uint64_t family;         /* whom it shares its beginning with, for the key; 0: no key */
    int64_t expected_tokens; /* that shall be read */
    usd saves;               /* by the marks, to be expected; negative while they only write */
    bool refused;            /* the target took neither marks nor key: it was asked again without them */
};

/* Whether it may be answered in one call with other requests. */
struct plan_batch {
    bool on;         /* else what follows is only what would be */
    bool shadow;     /* it is noted with whom it would have gone */
    double requests; /* in a call, as of lately; 0: nothing known */
    usec held_us;    /* for others to come */
    usd saves;       /* to be expected */
};

/* Where a plan stands on evidence: how its lever scored this request, and what becomes of it. */
struct plan_evidence {
    double score; /* 0: none */
    const char
        *detail; /* for a person: in what the request is literally another, or why it may serve all the same; or NULL */
    bool learns; /* the answer that is bought instead tells whether it would have done */
    bool near;   /* likewise, but that is no evidence: it may only let this very pair pass */
    bool promoted; /* a judge has let this very pair pass */
    bool guarded;  /* it would serve, were it not for what audits of its tenant's own requests say */
    bool hopeless; /* no evidence to come would let it serve */
};

struct translated;

struct plan {
    enum source source;
    enum lever_id lever;         /* who made it; LEVER_COUNT: nobody, it is the reference */
    enum lever_mode mode;        /* of that lever, for this request; the reference is always on */
    const struct target *target; /* NULL, and so are the facts: it makes no call */
    const struct target_facts *facts;
    enum api api; /* in which its backend is asked; API_COUNT: it speaks none that the request could be put in */
    const struct translated *translated; /* how the request is put there; NULL: as it came */
    const char *made_by;                 /* without a target: "backend/model" of whose answer it is */
    struct cache_entry *cached;          /* SOURCE_CACHED: that answer, held by the exchange; NULL: it is of elements */
    usd cost;                            /* expected, everything included; USD_UNKNOWN: cannot be priced */
    bool by_the_hour; /* its engine is paid for in any case: then it costs only so much more to go there now: */
    usd marginal;
    usec first_token_us; /* expected at the route's percentile; 0: nothing known yet */
    usec total_us;
    unsigned quality_ppm; /* lower confidence bound on P(answer is acceptable) */
    struct plan_evidence evidence;
    unsigned goes_on_ppm;      /* SOURCE_CASCADE: the share of its answers that are expected not to be kept */
    const struct plan *way_on; /* and who is expected to be asked then; NULL: the reference */
    usd scoring;               /* and what it costs, beside its call, to tell whether to keep it; part of `cost` */
    usec rest_us;              /* and how long after its first token that is known */
    bool asks_logprobs;        /* they are asked for, whether or not the client does (dialect/logprobs.h) */
    enum verdict withheld;     /* by its own lever; VERDICT_NONE: it is not */
    enum verdict verdict;
    bool over_budget; /* a budget that applies has no room for it */
    bool tried;       /* attempts were made at all of its endpoints, and failed */
    /* Of the endpoints of its backend: bit i % 64 is set when this request was at endpoint i in vain. */
    uint64_t tried_seats;
    struct plan_cache cache;
    struct plan_batch batch;
    usec wait_us;          /* in line for its backend, on top of the times above */
    usec crowded_until_us; /* when it may be asked again, as the line refused this request; 0: it did not */
    enum verdict away;     /* why it cannot be reached now, though it may be acceptable; VERDICT_NONE: it can */
    usec away_until_us;
};

enum { PLANS_MOST = 16 };

struct plans {
    struct plan all[PLANS_MOST];
    size_t count;
};

/* By what the balance weighs it. */
static inline usd
plan_price(const struct plan *plan)
{
    return plan->by_the_hour ? plan->marginal : plan->cost;
}

/* Another model is to answer, by the router's choice or as a link of the cascade. */
static inline bool
plan_chooses_model(const struct plan *plan)
{
    return plan->lever == LEVER_ROUTER || plan->lever == LEVER_CASCADE;
}

/* "backend/model" of whose answer it gives. */
const char *plan_model(const struct plan *plan);

/* Whether a modelled backend makes it, or made it then. */
bool plan_modelled(const struct plan *plan, const struct route_config *route);

/* A further plan, zeroed; NULL when there are too many: the lever then makes none. */
struct plan *plans_add(struct plans *plans);

/* The plan of the route's reference; NULL for pass-through. */
struct plan *plans_reference(struct plans *plans);

/* Learned of a target and resolved once per snapshot, so that a request looks nothing up by name (see estimate.h). */
struct target_facts {
    const struct target *target;
    struct experience *experience;
    const struct price *price; /* NULL: the price book has none */
    struct standing standing;  /* the health of its places */
};

#endif
