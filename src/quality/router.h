/* Which model is good enough for a request: P(acceptable | request, model), learned online for each route from outcomes that
 * audits, validators or a labelled file bring.
 *
 * For each model two opinions are heard: a regression over all features (learner.h), and how requests near to this one fared
 * (neighbours.h). How much each is worth, and by how much both are off, is learned from what they said of a request
 * before its outcome was known; so the answer is calibrated. It is no promise: that a model may serve is for evidence.h to
 * say, whose arms are cut of these scores. While they are, scores must stay what they are: requests are scored by a
 * frozen view, and what is learned meanwhile is for the next epoch.
 *
 * Free of clocks and of chance: the same labels in the same order give the same bytes. */
#ifndef QUALITY_ROUTER_H
#define QUALITY_ROUTER_H

#include "base/buffer.h"
#include "quality/learner.h"
#include "quality/neighbours.h"

enum { ROUTER_MODELS_MOST = 16 };

struct router;      /* what learns; one thread at a time */
struct router_view; /* frozen: for any number of threads */

/* `table`: which embedder's vectors they are (embedder_table_id), of how many dims. */
struct router *router_new(unsigned models, uint64_t table, unsigned dims);
void router_free(struct router *router); /* NULL is fine */

unsigned router_models(const struct router *router);
uint64_t router_labels(const struct router *router); /* requests learned from */

/* Learns what became of a request: of each model the outcome from 0 to 1, NAN where it is not known. */
void router_learn(struct router *router, const struct features *features, const float *outcomes, uint64_t id);

/* What would be said now of a request, for each model; a view says the same, faster. */
void router_score(const struct router *router, const struct features *features, float *p);

struct router_view *router_freeze(const struct router *router);
void router_view_free(struct router_view *view); /* NULL is fine */
void router_view_score(const struct router_view *view, const struct features *features, float *p);

/* Why: the strongest of what spoke for a model and against it. */
enum { ROUTER_REASONS = 5 };

enum reason_kind { REASON_TRAIT, REASON_WORDS, REASON_MEANING, REASON_TAG };

struct router_reason {
    enum reason_kind kind;
    enum trait trait; /* REASON_TRAIT */
    uint32_t at, len; /* REASON_WORDS: where they stand in the text */
    double weight;    /* what it adds to ln(p / (1 - p)) */
};

struct router_explanation {
    double p, regression, near; /* what is said at last, by the regression alone, and by the neighbours */
    unsigned reason_count, neighbour_count;
    struct router_reason reasons[ROUTER_REASONS]; /* the strongest first */
    struct neighbour neighbours[NEIGHBOURS_SHOWN];
};

/* Scores as router_view_score does, and tells of each model all of that but the reasons, by the same look at the neighbours. */
void router_view_tell(const struct router_view *view, const struct features *features, float *p,
                      struct router_explanation *out);

void router_view_explain(const struct router_view *view, const struct features *features, unsigned model,
                         struct router_explanation *out);

/* Appends all that was learned, in a form of its own with a version and a checksum. */
void router_save(const struct router *router, struct buffer *out);

/* ERR_CORRUPT: the bytes are not what router_save wrote. ERR_INVALID: they are, but for other vectors or another number of
 * models. *out is NULL then. */
enum status router_restore(struct slice bytes, unsigned models, uint64_t table, unsigned dims, struct router **out)
    MUST_CHECK;

#endif
