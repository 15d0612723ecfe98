/* Evidence that what a lever serves is good enough: at least a share `floor` of it acceptable to the route's judge.
 *
 * One `struct evidence` is about one lever of one route. An epoch begins with a sample of the lever's scores, which
 * freezes its arms (arms.h). Audits, drawn by the one coin (coin.h), then tell for a request's score whether what the
 * lever would have served was acceptable. A walk goes from the starting arm outwards; an arm is earned when the test
 * (betting.h) refutes "at most the floor" for it as of now, and the walk stops at the first that is not: this fixed
 * sequence lets many arms be tested at the price of one. The widest earned arm serves. A CUSUM over the audits of the
 * serving arm suspends the lever when they get worse: all its arms stop at once, and its evidence is dropped.
 *
 * What is promised: while an arm's acceptability stays the same within an epoch, the chance that one below the floor ever
 * serves is at most alpha, over all earnings and suspensions of the epoch: the r-th earning uses alpha / (r (r + 1)).
 * Over E epochs that makes E * alpha. What is not: any single request, tenant or topic, or that judges are right.
 *
 * A floor may also speak of all answers of the route (`route`), where what the reference answers is acceptable, or of how
 * often the route's answers are right as a share of how often the reference is (`relative`, which needs to know what is
 * right). Then every request that the coin draws is an audit, whatever its score: outside of an arm the reference
 * answers. The lever's own answers may be well below such a floor; `served_floor_ppm` bounds them as well.
 *
 * The audited requests must be those that the lever would serve. What is not in its gift (refused for cost, latency or
 * destination, or better served by another lever) is no audit. The coin's p may depend on the past, not on the request;
 * where it does depend on it (p from p_min to 1), the bet is scaled by p_min / p, a power of two.
 *
 * Pure: no clock, no chance, no memory of its own. Not for several threads at a time: evidences.h is. */
#ifndef QUALITY_EVIDENCE_H
#define QUALITY_EVIDENCE_H

#include "base/buffer.h"
#include "config/acceptable.h"
#include "quality/arms.h"
#include "quality/noise.h"

/* Of which answers the floor speaks. */
/* "of what is served", ... */
const char *floor_words(enum floor_scope scope);

/* As the configuration and programs that read reports call it. */
const char *floor_name(enum floor_scope scope);

struct evidence_terms {
    enum floor_scope scope;
    uint32_t floor_ppm; /* 0 < floor < PPM */
    uint32_t
        served_floor_ppm; /* where the floor speaks of the route: of what the lever serves itself; 0: none, < PPM */
    uint32_t alpha_ppm;   /* 0 < alpha < PPM; the route's, shared evenly among its levers that may change answers */
    uint64_t epoch;       /* stands for whatever must not change within an epoch: the models' versions, prompt template,
                         * judge, candidates, rule of the arms */
    struct judge_noise
        noise; /* the mistakes of whoever judges the audits, where they are known (not with FLOOR_RELATIVE).
                               * Floors and all that is told stay shares of acceptable answers. */
};

/* The share of requests that are audited: all while nothing is served, as then the fresh answer is bought anyway. */
enum { AUDIT_SHADOW_PPM = PPM, AUDIT_SERVING_PPM = 100000, AUDIT_STALLED_PPM = 30000 };

bool evidence_terms_equal(const struct evidence_terms *a, const struct evidence_terms *b);

/* Invariant (evidence_check): once begun, serving is ARM_NONE or from arms.start to below ARMS; the thresholds do not rise.
 * Before that nothing else means anything; all zero is fine. */
struct evidence {
    bool begun;
    struct evidence_terms terms;
    struct arms arms;
    unsigned serving;        /* the widest earned arm, or ARM_NONE */
    uint32_t round;          /* r: 1, and one more with each suspension */
    uint64_t audits;         /* in the epoch */
    uint64_t failures;       /* those among them that the judge could not judge */
    bool judge_told;         /* EVENT_JUDGE_FAILS was returned in this epoch */
    uint64_t waited;         /* labels of the next arm since the walk last moved */
    struct fall fall;        /* over the audits of the arm that served */
    struct fall served_fall; /* the same against the served floor, if there is one */
    /* Since the epoch or round began, each by the narrowest arm that holds it; the last: outside of all, which tells of
     * the route. */
    struct outcomes bands[ARMS + 1];
    uint32_t bound_ppm; /* of the serving arm, as of now */
    bool below;         /* the starting arm is refuted: its mean is below the floor */
};

/* Starts an epoch, dropping all evidence of the one before. The sample (sorted here) was seen lately. ERR_INVALID, with
 * nothing changed, if it holds no score or the terms are out of range. */
enum status evidence_begin(struct evidence *evidence, const struct evidence_terms *terms, struct score_sample *sample)
    MUST_CHECK;

/* Is the evidence about this? If not, it is time for evidence_begin. */
bool evidence_is_for(const struct evidence *evidence, const struct evidence_terms *terms);

/* The narrowest arm that holds the score, or ARM_NONE. */
unsigned evidence_arm_of(const struct evidence *evidence, double score);

enum evidence_reason {
    EVIDENCE_SERVES,
    EVIDENCE_NO_EPOCH,    /* scores are still gathered */
    EVIDENCE_FEW_LABELS,  /* nothing is earned yet */
    EVIDENCE_BELOW_FLOOR, /* nothing will be: the starting arm's upper bound is below the floor */
    EVIDENCE_JUDGE_UNFIT, /* likewise: the judge makes so many mistakes that it would not accept enough of the best answers */
    EVIDENCE_OUTSIDE /* something is served, but this score is below the serving arm */
};

/* The words for a person; never NULL. */
const char *evidence_reason_text(enum evidence_reason reason);

/* What a plan with this score may claim: a lower bound of the share of acceptable answers in the arm that serves it, in
 * ppm, at least the floor, at which the arm was earned. 0: it may not be served, and *reason says why. */
uint32_t evidence_may_serve(const struct evidence *evidence, double score, enum evidence_reason *reason);

/* Where another evidence decides what serves, and this one is of a part of that (a tenant): do its audits speak against serving that
 * part? They refute the floor for it, or had earned what they then lost; and it did not earn to be served anew. */
bool evidence_refutes(const struct evidence *evidence);

/* What was refuted is tried anew: all is dropped as by a suspension, so that it may earn with what comes. */
void evidence_start_over(struct evidence *evidence);

/* Whether something serves and this score is not far from it: below the arm that does, in a wider one. What is found there
 * may be judged beyond the audits, off the path, and serve by itself if it passes (levers/promotions.h). Such judgements
 * are no evidence: they are about what was asked again, not drawn by the coin. */
bool evidence_is_near(const struct evidence *evidence, double score);

/* Stands for the epoch and the round: another after each suspension. */
uint64_t evidence_round_id(const struct evidence *evidence);

/* The share of requests to audit now: all of those that are `shadow`, where the lever serves none whatever it earned.
 * Spending caps may lower it for what comes, never skip a request already drawn. */
uint32_t evidence_audit_ppm(const struct evidence *evidence, bool shadow);

struct audit {
    double score;      /* not finite: the lever would not have served this one */
    double outcome;    /* 0: not acceptable, to 1; FLOOR_ROUTE asks for none where no arm holds the score */
    bool judge_failed; /* there is no outcome: nothing for earning, left out for losing */
    double reference;  /* FLOOR_RELATIVE: how right the reference is, 0 to 1, as `outcome` says it of the candidate */
    double rounding; /* FLOOR_RELATIVE, where they are not just 0 or 1: even from [0, 1), from nothing else. For earning
                        * each counts as right if it is above this, which leaves their means as they are. */
    unsigned halvings; /* the bet is scaled by 2^-halvings; 0 where p does not depend on the request */
    bool
        only_loses; /* it was not drawn as what is served is, and says too much good of it: it counts for losing alone */
    bool
        surplus; /* drawn beyond its share of the audits, as another could not be asked: where the floor speaks of what is
                    * served it counts for losing alone, else not at all */
    bool promoted; /* though no earned arm holds the score, the lever would have served it, as a judge had let this very
                        * pair pass: it counts for losing as what is served, and for earning as any other of its score */
};

/* What an audit changed: a set of these. */
enum evidence_event {
    EVENT_EARNED = 1,      /* the serving arm is wider now */
    EVENT_SUSPENDED = 2,   /* nothing is served any more */
    EVENT_JUDGE_FAILS = 4, /* more than a hundredth of the audits; once in an epoch */
    EVENT_BELOW_FLOOR = 8  /* the starting arm was refuted */
};

/* Learns from an audit; returns the events. Before the first epoch it changes nothing, and where no arm holds the score
 * neither, if the floor speaks of what is served. */
unsigned evidence_observe(struct evidence *evidence, const struct audit *audit);

/* How things stand, for the report. An arm's numbers are as of now. */
struct arm_standing {
    unsigned arm; /* ARM_NONE: there is no such arm, and the rest is 0 */
    double threshold;
    uint64_t labels;
    uint32_t mean_ppm; /* of what the judge says */
    uint32_t lower_ppm,
        upper_ppm; /* of what is acceptable, in spite of its mistakes; each at the alpha of this round */
    uint64_t missing_at_best, missing_as_so_far; /* labels until it is earned (betting.h) */
    /* Of those in the arm alone; the same as above where the floor speaks of what is served. */
    uint64_t served_labels;
    uint32_t served_mean_ppm, served_lower_ppm;
};

struct evidence_verdict {
    enum evidence_reason reason; /* not EVIDENCE_OUTSIDE */
    enum floor_scope scope;
    uint32_t floor_ppm;                /* 0: no epoch has begun */
    uint32_t judged_floor_ppm;         /* what the judge must accept for that: more, where its mistakes are known */
    uint32_t fall_to_ppm;              /* a fall far below the floor: to this share; */
    uint32_t judged_fall_ppm[2];       /* what its judge accepts at the floor, and then; equal: that is not known */
    struct arm_standing serving, next; /* next: where the walk waits */
    uint32_t suspensions;
    bool refutes;       /* evidence_refutes */
    uint32_t audit_ppm; /* where it may serve */
    uint64_t audits, failures;
};

struct arm_standing evidence_arm(const struct evidence *evidence, unsigned arm);
struct evidence_verdict evidence_verdict(const struct evidence *evidence);

/* Works out anew what stands beside the counts: the serving arm's bound, and whether the starting arm is refuted. */
unsigned evidence_restate(struct evidence *evidence);

/* Appends all of it, in a form of its own with a version and a checksum. */
void evidence_save(const struct evidence *evidence, struct buffer *out);

/* ERR_CORRUPT, with nothing changed, unless the bytes are what evidence_save wrote. */
enum status evidence_restore(struct evidence *evidence, struct slice bytes) MUST_CHECK;

/* True unless the invariants are broken, whatever the bytes: what a restored one must pass. */
bool evidence_check(const struct evidence *evidence);

#endif
