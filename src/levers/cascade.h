/* What the cascade works with. A cheaper model is asked first; its answer, held back until it is whole, gets an acceptance
 * score (gateway/acceptance.h), and is kept if evidence carries that score over the route's floor. Else the exchange goes on
 * by the cheapest plan that is left, at the end the reference. Of several such models the cheapest that has earned something
 * is asked.
 *
 * A plan's cost is what may be expected: its own call, and where its answer is not kept the reference's. Its
 * times cover nineteen of twenty answers, as those of other plans do: where more than one of twenty is not kept, both calls.
 *
 * Evidence is kept for each such model, as the router's is (router.h), but its score is known only when its answer is there.
 * So the sample of an epoch comes from audits, too. Its epoch also stands for what the router serves by itself, which the
 * cascade is then not asked. */
#ifndef LEVERS_CASCADE_H
#define LEVERS_CASCADE_H

#include "levers/router.h"
#include "quality/acceptances.h"

struct cascading {
    struct choosing models;         /* the cheapest first; their scores are the best that there could be */
    struct acceptance_book **books; /* of each of them, in the same order */
};

/* The words by which evidence of a candidate is kept, and shown: "cascade backend/model". */
#define CASCADE_EVIDENCE "cascade %s"

/* The best acceptance score. */
#define CASCADE_SCORE_MOST 1.0

/* With targets, evidence and scores of the models filled in: as router_order. `rule` stands for how answers are scored. */
void cascade_order(struct cascading *cascading, const struct request *request, uint64_t rule);

#endif
