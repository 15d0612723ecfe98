/* What the cascade works with. A cheaper model is asked first; its answer, held back until it is whole, gets an acceptance
 * score (gateway/choice/acceptance.h), and is kept if evidence carries that score over the route's floor. Else the next is asked, if
 * it has earned something as well, and so on; at the end the reference (cascade routing, Dekoninck et al., "A Unified Approach
 * to Routing and Cascading for LLMs", 2024: here a chain in order of price, as each link's evidence is about what those before
 * it hand on).
 *
 * A plan's cost is what may be expected: its own call, what tells whether to keep its answer, and where that is not kept the
 * way on, by the share of its answers that were not kept lately. Its times cover nineteen of twenty answers, as those of
 * other plans do: where more than one of twenty is not kept, those of the way on are added.
 *
 * Evidence is kept for each such model, as the router's is (router.h), but its score is known only when its answer is there.
 * So the sample of an epoch comes from audits, too. Its epoch also stands for what the router serves by itself, and cheaper
 * models of the cascade keep: it is asked what these hand on, and nothing else. An audit goes the same way (audit.h). */
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

/* Why logprobs of the answer to this request would tell nothing, or cannot be had; for a person. NULL: they can. */
const char *cascade_logprobs_objection(const struct request_facts *facts, const struct target *target);

/* The plan whose turn it is where that of a cheaper model, one of `plans`, did not have its answer kept. NULL: none is. */
struct plan *cascade_next(struct plans *plans, const struct plan *plan);

#endif
