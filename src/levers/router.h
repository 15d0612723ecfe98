/* What the router works with. A candidate that is another model than the reference's is scored for each request and may
 * serve what evidence carries over the route's floor. There is a piece of evidence for each such candidate of a route. They
 * share the route's alpha; and as the cheaper one gets what both may serve, a candidate's epoch also stands for what those
 * that are cheaper have earned: when that changes it is asked other requests than before. */
#ifndef LEVERS_ROUTER_H
#define LEVERS_ROUTER_H

#include "levers/lever.h"
#include "quality/evidences.h"
#include "quality/learning.h"

struct routed {
    const struct target *target;
    struct shared_evidence *evidence;
    struct evidence_terms terms;
    double score;    /* the higher, the surer its answer is acceptable; not finite: nobody can tell */
    const char *why; /* it has this score, for a person; NULL: it is not told */
    /* The same by scores that are on trial (gateway/choice/scorers.h), where there is but one such model; evidence NULL: none are. */
    struct trial {
        uint64_t scorer;
        struct shared_evidence *evidence;
        struct evidence_terms terms;
        double score;
        bool by_heart; /* as below */
    } trial;
};

/* Those candidates, the cheapest first. */
struct choosing {
    struct routed *all;
    size_t count;
    struct learning_book *book;
    struct shared_evidence
        *judge; /* of how often the judge accepts the reference's own other answer; NULL: nobody asks */
    struct evidence_terms judge_terms;
    bool told_apart; /* by their scores; else all requests have the same */
    bool earned;     /* something may serve, be the lever on or in shadow */
    bool serves;     /* something is earned, and the lever is on */
    uint64_t draw;   /* of the coin of audits (quality/coin.h), the same for a conversation, for an hour */
    uint64_t hour;   /* since the Unix epoch; 0: it is drawn for this request alone */
    bool drawn;      /* by it: the reference answers, and a candidate is judged by that */
    bool all_drawn;  /* as any other would be now */
    bool
        by_heart; /* scores were learned from a part of the conversations which this very draw picked: of those that are in
                      * it they know more than of those that are served */
};

/* The words by which evidence of the judge itself is kept (doc/judges.md); of a candidate it is "router backend/model", and where
 * the route's traffic is cut into slices the slice's name follows behind EVIDENCE_PART (quality/evidences.h). */
#define JUDGE_EVIDENCE "judge"

/* With targets, evidence and scores filled in: sorts them by what they cost, and says what their evidence is about.
 * `scorer` stands for how scores are made. */
void router_order(struct choosing *choosing, const struct request *request, uint64_t scorer);

/* Puts scores on trial beside those by which the only model was put in order. */
void router_try(struct choosing *choosing, const struct request *request, const struct trial *trial);

/* Whose plan it is; NULL: none of theirs. */
const struct routed *router_find(const struct choosing *choosing, const struct plan *plan);

bool router_serves(const struct choosing *choosing);

/* Why no other model may answer this request, whatever evidence says, for a person: judges compare one answer, and asking
 * twice may do twice what is more than an answer; and of its slice nothing can be proved. NULL: one may. The cascade goes by it, too. */
const char *router_objection(const struct request *request);

/* The share of conversations to audit now: all while none may serve. `shadow`: whatever is earned serves nobody. */
uint32_t router_audit_ppm(const struct choosing *choosing, bool shadow);

#endif
