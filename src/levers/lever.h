/* What a lever is. A lever makes an answer cheaper. A maker puts plans on the balance; a refiner re-prices or transforms
 * plans that others made. It never touches a socket and never refuses a request: the worst that a lever can do is to
 * make no plan. The balance knows no lever by name. */
#ifndef LEVERS_LEVER_H
#define LEVERS_LEVER_H

#include "base/hash.h"
#include "dialect/request.h"
#include "levers/plan.h"

struct cache;
struct cascading;
struct choosing;
struct facts_source;
struct meaning;
struct prompt;
struct prompt_memory;
struct judge_noise;
struct known_elements;

/* The slice of its route's traffic that a request is in, which evidence of other models is about (quality/parts.h). */
struct part {
    const char *name; /* "tenant=acme"; NULL: the route is not cut */
    unsigned place;   /* from 1 on; 0: it has no evidence of its own, so that no other model may serve it */
    bool poor; /* as it would have too little alpha there for anything to be earned, else as all places are taken */
};

/* What a lever sees of a request. All of it outlives the exchange's weighing. */
struct request {
    const struct config *config;
    const struct route_config *route;         /* never NULL: a model that no route names gets a route of its own */
    struct lever_setting levers[LEVER_COUNT]; /* as they stood when it was weighed, for all its life */
    const struct request_facts *facts;
    struct slice body;
    const struct tenant_config *tenant;
    const struct digest *key;        /* equal requests have equal ones; NULL: each wants an answer of its own */
    struct cache *cache;             /* where stored answers may be looked up; NULL: nowhere */
    usec age_most_us;                /* the oldest that will do; USEC_NEVER: any */
    struct known_elements *elements; /* embeddings of several inputs: each is looked up by itself; NULL: it is not */
    struct meaning *meaning;         /* what the semantic cache found (semantic_cache.h); NULL: it was not asked */
    struct part part;
    struct choosing *choosing;       /* what is known of the route's other models (router.h); NULL: none may serve */
    const struct judge_noise *noise; /* of the route's judge (quality/noise.h); NULL: none is known */
    struct cascading *cascading;     /* which of them may be asked first (cascade.h); NULL: none */
    struct under_way {
        unsigned members; /* how many share the call of an equal request; 0: there is none */
        bool late;        /* it brings the answer whole, and this request streams: nothing comes before all of it */
        usec since_us;
    } under_way;
    uint64_t conversation; /* the same for all turns of one; 0: none known */
    usec wall_us;
    struct facts_source *targets;  /* what is known of targets */
    struct prompt *prompt;         /* its beginnings, read when they are first asked for (dialect/prompt.h) */
    struct prompt_memory *prompts; /* which were sent lately */
    usec arrived_us;
    usec deadline_us; /* by which the whole answer is wanted; USEC_NEVER: any time */
    bool bypass;      /* plans are made, for whoever looks at them later, but nothing is refined */
};

struct lever_ops {
    enum lever_id id;
    /* Each may be NULL. */
    void (*make)(const struct request *request, enum lever_mode mode, struct plans *plans);
    void (*refine)(const struct request *request, enum lever_mode mode, struct plans *plans); /* when all are made */
    /* The answer came, whole, by that plan. */
    void (*learn)(const struct request *request, enum lever_mode mode, const struct plan *plan,
                  const struct usage *usage);
};

/* What the lever does on the balance; NULL: nothing there. */
const struct lever_ops *lever_ops_of(enum lever_id id);

/* The mode of a lever for this request: its setting, with a share of conversations drawn once for each. */
enum lever_mode lever_mode_of(const struct request *request, enum lever_id id);

/* All makers that are not off; then, when it is known in which API each plan's backend is asked, all refiners. */
void levers_make(const struct request *request, struct plans *plans);
void levers_refine(const struct request *request, struct plans *plans);

void levers_learn(const struct request *request, const struct plan *plan, const struct usage *usage);

/* The first plan: the route's reference. Not a lever, as it cannot be switched off. */
void reference_make(const struct request *request, struct plans *plans);

#endif
