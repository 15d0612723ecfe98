/* What a plan on some target may be expected to cost and how long it will take, from what was seen of the target. */
#ifndef LEVERS_ESTIMATE_H
#define LEVERS_ESTIMATE_H

#include "fleet/experience.h"
#include "levers/lever.h"
#include "money/prices/prices.h"

/* One worker's view of what is known of targets: each looked up once in a configuration snapshot. */
struct facts_source {
    struct experiences *experiences; /* shared by all workers */
    struct healths *healths;         /* likewise */
    const struct config *config;     /* the snapshot */
    struct map known;                /* target name -> struct target_facts */
    struct arena arena;              /* holds them */
};

void facts_source_init(struct facts_source *source, struct experiences *experiences, struct healths *healths,
                       const struct config *config);
void facts_source_free(struct facts_source *source);

/* What is known of a target; lives as long as the source. */
const struct target_facts *facts_of(struct facts_source *source, const struct target *target);

/* Whether requests there cost their share of what an hour of the engine costs: it has such a price, and none by the token. A
 * price by the token that the user gave wins. */
bool facts_hourly(const struct target_facts *facts);

/* What a usage costs there: by the price book, or where it is by the hour what such a request may be expected to take of
 * the engine's time as it is loaded now. What it did take is known when it is over (replica_share_us). */
struct cost estimate_cost(const struct target_facts *facts, const struct price_terms *terms, const struct usage *usage);

/* Fills cost, marginal price and times of a plan whose target and facts are set. */
void estimate_plan(const struct request *request, struct plan *plan);

/* Likewise; while few answers of its target were seen, its tokens are expected to be as many as the other's. */
void estimate_plan_like(const struct request *request, const struct target_facts *like, struct plan *plan);

/* What it would cost if that many tokens of the input were read from the provider's cache and written to it, `hour` of the
 * latter to be kept for an hour. */
usd estimate_cached(const struct request *request, const struct plan *plan, int64_t read, int64_t written,
                    int64_t hour);

/* What a call for it will likely have, in tokens. */
struct replica_wish estimate_wish(const struct request *request, const struct expectation *expectation);

/* What falls to it of a call for so many requests like it: what is priced by the call is shared. */
usd estimate_batched(const struct request *request, const struct plan *plan, double requests);

/* Tokens that so many bytes are worth, by what was learned of the target; at least 1 for any byte. */
int64_t estimate_input_tokens(const struct expectation *expectation, int64_t bytes);
int64_t estimate_output_tokens(const struct expectation *expectation, int64_t bytes);

#endif
