/* A candidate being asked for an audit (audit.h), and judged by the reference's answer: its mission, then, of a cascade, the
 * score of its answer, then whoever judges; at last evidence, scorer, the mission's row and the learning budget hear of it. */
#ifndef GATEWAY_AUDIT_RUN_H
#define GATEWAY_AUDIT_RUN_H

#include "gateway/choice/acceptance.h"
#include "gateway/judging/jury.h"
#include "gateway/judging/outside_judge.h"
#include "gateway/judging/truth.h"
#include "levers/router.h"
#include "quality/router.h"

/* A model of a cascade to ask. Those that serve before the candidate come first, as they would with a client: where one of
 * them has its answer kept, the candidate would not be asked. */
struct audit_link {
    const struct target *target;
    struct shared_evidence *evidence;
    struct evidence_terms terms;
    struct acceptance_book *book; /* where it is noted how its answers score */
};

/* A candidate being asked, and judged. */
struct audit_run {
    struct mission mission;
    struct acceptance acceptance; /* a cascade's: whether it would have kept the answer */
    struct comparison comparison;
    struct jury jury;
    struct outside_judge outside;
    struct truth truth;
    struct audit_run *also; /* to be sent together with it; NULL: none */
    bool of_judge;          /* the reference is asked once more: what is judged is the judge */
    const struct tenant_config *tenant;
    enum lever_id lever;
    struct audit_link links[ROUTER_MODELS_MOST]; /* a cascade's; the last is the candidate */
    size_t link_count, at;
    enum counter unserved; /* why the candidate would not have served: it would not have been asked, or not kept */
    struct gateway_worker *worker;
    struct view *view; /* whose route it is; held */
    const struct route_config *route;
    struct chunk *body;            /* of the request; held */
    struct kept_answer *reference; /* held */
    struct kept_answer *candidate; /* held; NULL: none that can be read */
    bool reference_streams, candidate_streams;
    struct exchange *answered; /* the mission's, which has ended; held; NULL: not yet */
    struct shared_evidence *evidence;
    struct evidence_terms terms;
    struct trial trial; /* of the router's next scores; evidence NULL: there is none */
    struct sameness *sameness;
    struct audit audit;
    uint64_t row; /* of the mission */
    struct learning_book *book;
    uint64_t hour; /* as in struct taught */
    usd cost;      /* of the candidate's answer */
    usd instead;   /* what the reference's cost, where the candidate's would have been served; else USD_UNKNOWN */
};

/* The mission's `done`; the run is gone when all has been learned. */
void audit_run_answered(struct mission *mission, struct exchange *exchange);

/* Whether the answer that a flight brought can be held against another. */
bool audit_run_can_read(const struct flight *flight);

#endif
