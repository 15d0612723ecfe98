/* What the semantic cache works with. */
#ifndef LEVERS_SEMANTIC_CACHE_H
#define LEVERS_SEMANTIC_CACHE_H

#include "config/config.h"
#include "levers/promotions.h"
#include "levers/semantic_index.h"
#include "quality/evidences.h"

/* Evidence is a route's, of all tenants together. A tenant whose own requests fare worse than the route's floor is guarded by evidence of its
 * own, of the same audits: it is kept by this name, a tenant's behind it. */
#define SEMANTIC_GUARD "semantic_cache of "

/* A request's last turn, what was found near it, and what is known of how well such answers do on its route. */
struct meaning {
    struct semantic_index *index;
    struct promotions *promotions;
    struct semantic_turn turn;
    struct semantic_matches near;
    struct shared_evidence *evidence;
    struct shared_evidence *guard; /* of its tenant; NULL: there is one tenant */
    struct evidence_terms terms;
    uint64_t draw; /* the request's, of the coin of audits (quality/coin.h) */
};

/* What the evidence is about: its floor, and all that must not change under it. `embedder` is its table's id, `noise` the
 * mistakes of the lever's judge (levers/terms.h; NULL: it is taken at its word). */
struct evidence_terms semantic_terms(const struct route_config *route, uint64_t embedder,
                                     const struct judge_noise *noise);

#endif
