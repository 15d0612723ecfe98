#include "quality/evidence.h"

#include <math.h>

#include "base/hash.h"

/* The first arm of a walk is to gather this many times what even flawless answers need for alpha. */
#define START_LABELS_TIMES 3.0

/* A walk has stalled when it has waited for so many times what the first arm was to gather. That was for an arm a third of the way
 * from the floor to flawless; half of this gap takes four times the labels, and where even such an arm is not earned there is
 * little to gain. */
#define STALL_TIMES 4.0

/* More than will ever be: a larger number was not written by us. */
#define AUDITS_MOST ((uint64_t)1 << 56)

/* A judge is not called failing on fewer audits. */
enum { JUDGE_AUDITS_LEAST = 100, JUDGE_FAILURES_SHARE = 100 };

static bool
terms_are_in_range(const struct evidence_terms *terms)
{
    return terms->scope <= FLOOR_RELATIVE && terms->floor_ppm > 0 && terms->floor_ppm < PPM && terms->alpha_ppm > 0 &&
           terms->alpha_ppm < PPM && terms->served_floor_ppm < (terms->scope == FLOOR_SERVED ? 1 : PPM) &&
           noise_check(&terms->noise) && (terms->scope != FLOOR_RELATIVE || !noise_is_set(&terms->noise));
}

bool
evidence_terms_equal(const struct evidence_terms *a, const struct evidence_terms *b)
{
    return a->scope == b->scope && a->floor_ppm == b->floor_ppm && a->served_floor_ppm == b->served_floor_ppm &&
           a->alpha_ppm == b->alpha_ppm && a->epoch == b->epoch && noise_equal(&a->noise, &b->noise);
}

/* Does each request drawn tell of each arm? */
static bool
is_of_route(const struct evidence *evidence)
{
    return evidence->terms.scope != FLOOR_SERVED;
}

/* What the judge must accept so that an arm is earned, and below what it is lost. */
static uint32_t
earn_ppm_of(const struct evidence *evidence)
{
    return noise_earn_ppm(&evidence->terms.noise, is_of_route(evidence), evidence->terms.floor_ppm);
}

static double
earn_floor_of(const struct evidence *evidence)
{
    return (double)earn_ppm_of(evidence) / PPM;
}

static double
fall_floor_of(const struct evidence *evidence)
{
    return (double)noise_fall_ppm(&evidence->terms.noise, evidence->terms.floor_ppm) / PPM;
}

/* 3 ln(1/alpha) / (1 - floor): about what an arm a third of the way from the floor to flawless needs. */
static double
start_labels(const struct evidence_terms *terms)
{
    return START_LABELS_TIMES * log((double)PPM / terms->alpha_ppm) / (1 - (double)terms->floor_ppm / PPM);
}

/* What the first arm of a walk is to gather. Where each request tells of each arm, none gathers more than another. */
static double
labels_of_start(const struct evidence_terms *terms)
{
    return terms->scope == FLOOR_SERVED || terms->served_floor_ppm > 0 ? start_labels(terms) : 0;
}

/* ln(1/alpha_r), with alpha_r = alpha / (r (r + 1)): over all r they sum up to alpha. */
static double
log_needed(const struct evidence *evidence)
{
    double r = evidence->round;

    return log((double)PPM / evidence->terms.alpha_ppm) + log(r) + log(r + 1);
}

/* Likewise, of what the lever serves itself. */
static double
served_earn_floor_of(const struct evidence *evidence)
{
    return (double)noise_earn_ppm(&evidence->terms.noise, false, evidence->terms.served_floor_ppm) / PPM;
}

static double
served_fall_floor_of(const struct evidence *evidence)
{
    return (double)noise_fall_ppm(&evidence->terms.noise, evidence->terms.served_floor_ppm) / PPM;
}

/* Of the requests that the arm holds. */
static struct outcomes
served_outcomes_of(const struct evidence *evidence, unsigned arm)
{
    struct outcomes sum = evidence->bands[0];

    sum.of_pairs = evidence->terms.scope == FLOOR_RELATIVE;
    for (unsigned band = 1; band <= arm; band++)
        outcomes_add_all(&sum, &evidence->bands[band]);
    return sum;
}

/* Of those that the floor speaks of. */
static struct outcomes
outcomes_of_arm(const struct evidence *evidence, unsigned arm)
{
    struct outcomes sum = served_outcomes_of(evidence, arm);

    for (unsigned band = arm + 1; is_of_route(evidence) && band <= ARMS; band++)
        outcomes_add_referred(&sum, &evidence->bands[band]);
    return sum;
}

/* May the arm serve, as far as its audits tell now? */
static bool
is_earned(const struct evidence *evidence, unsigned arm, double needed)
{
    struct outcomes counts = outcomes_of_arm(evidence, arm);

    if (betting_log_above(&counts, earn_floor_of(evidence)) < needed)
        return false;
    if (evidence->terms.served_floor_ppm == 0)
        return true;
    counts = served_outcomes_of(evidence, arm);
    return betting_log_above(&counts, served_earn_floor_of(evidence)) >= needed;
}

/* ARM_NONE if the walk is at its end. */
static unsigned
next_arm(const struct evidence *evidence)
{
    return evidence->serving == ARM_NONE ? evidence->arms.start : evidence->serving + 1;
}

static void
drop_evidence(struct evidence *evidence)
{
    memset(evidence->bands, 0, sizeof(evidence->bands));
    fall_reset(&evidence->fall);
    fall_reset(&evidence->served_fall);
    evidence->serving = ARM_NONE;
    evidence->waited = 0;
    evidence->bound_ppm = 0;
    evidence->below = false;
}

enum status
evidence_begin(struct evidence *evidence, const struct evidence_terms *terms, struct score_sample *sample)
{
    if (!terms_are_in_range(terms) || sample->count == 0)
        return ERR_INVALID;
    *evidence = (struct evidence){.begun = true, .terms = *terms, .round = 1};
    arms_freeze(&evidence->arms, sample, labels_of_start(terms));
    drop_evidence(evidence);
    ENSURE(evidence_check(evidence));
    return OK;
}

bool
evidence_is_for(const struct evidence *evidence, const struct evidence_terms *terms)
{
    return evidence->begun && evidence_terms_equal(&evidence->terms, terms);
}

unsigned
evidence_arm_of(const struct evidence *evidence, double score)
{
    return evidence->begun ? arms_of(&evidence->arms, score) : ARM_NONE;
}

const char *
evidence_reason_text(enum evidence_reason reason)
{
    static const char *const texts[] = {
        [EVIDENCE_SERVES] = "its bound is over the floor",
        [EVIDENCE_NO_EPOCH] = "scores are still gathered",
        [EVIDENCE_FEW_LABELS] = "too few labels yet",
        [EVIDENCE_BELOW_FLOOR] = "no arm reaches the floor",
        [EVIDENCE_JUDGE_UNFIT] = "its judge makes too many mistakes for this floor",
        [EVIDENCE_OUTSIDE] = "its score is below what is earned",
    };

    return texts[reason];
}

static bool
judge_is_unfit(const struct evidence *evidence)
{
    return !noise_reachable(&evidence->terms.noise, is_of_route(evidence), evidence->terms.floor_ppm);
}

const char *
floor_words(enum floor_scope scope)
{
    static const char *const words[] = {
        [FLOOR_SERVED] = "of what is served",
        [FLOOR_ROUTE] = "of all answers of the route",
        [FLOOR_RELATIVE] = "of how often the reference is right",
    };

    return words[scope];
}

const char *
floor_name(enum floor_scope scope)
{
    static const char *const names[] = {
        [FLOOR_SERVED] = "served", [FLOOR_ROUTE] = "route", [FLOOR_RELATIVE] = "relative"};

    return names[scope];
}

static enum evidence_reason
reason_of(const struct evidence *evidence)
{
    return !evidence->begun                ? EVIDENCE_NO_EPOCH
           : evidence->serving != ARM_NONE ? EVIDENCE_SERVES
           : evidence->below               ? EVIDENCE_BELOW_FLOOR
           : judge_is_unfit(evidence)      ? EVIDENCE_JUDGE_UNFIT
                                           : EVIDENCE_FEW_LABELS;
}

uint32_t
evidence_may_serve(const struct evidence *evidence, double score, enum evidence_reason *reason)
{
    *reason = reason_of(evidence);
    if (*reason != EVIDENCE_SERVES)
        return 0;
    if (!(score >= evidence->arms.threshold[evidence->serving])) {
        *reason = EVIDENCE_OUTSIDE;
        return 0;
    }
    return evidence->bound_ppm > evidence->terms.floor_ppm ? evidence->bound_ppm : evidence->terms.floor_ppm;
}

bool
evidence_refutes(const struct evidence *evidence)
{
    return evidence->begun && evidence->serving == ARM_NONE && (evidence->below || evidence->round > 1);
}

bool
evidence_is_near(const struct evidence *evidence, double score)
{
    unsigned arm = evidence_arm_of(evidence, score);

    return arm != ARM_NONE && evidence->serving != ARM_NONE && arm > evidence->serving;
}

uint64_t
evidence_round_id(const struct evidence *evidence)
{
    const struct evidence_terms *terms = &evidence->terms;
    uint64_t scope = terms->scope | (uint64_t)terms->served_floor_ppm << 8;
    uint64_t numbers[] = {scope, terms->floor_ppm, terms->alpha_ppm, terms->epoch, evidence->round};
    uint64_t id = hash_fast(slice_make((const char *)numbers, sizeof(numbers)), 0);

    return noise_is_set(&terms->noise) ? hash_fast(slice_make((const char *)&terms->noise, sizeof(terms->noise)), id)
                                       : id;
}

uint32_t
evidence_audit_ppm(const struct evidence *evidence, bool shadow)
{
    if (shadow || !evidence->begun || evidence->serving == ARM_NONE)
        return AUDIT_SHADOW_PPM;
    if (next_arm(evidence) == ARM_NONE || (double)evidence->waited >= STALL_TIMES * start_labels(&evidence->terms))
        return AUDIT_STALLED_PPM;
    return AUDIT_SERVING_PPM;
}

static unsigned
suspend(struct evidence *evidence)
{
    drop_evidence(evidence);
    if (evidence->round < UINT32_MAX)
        evidence->round++;
    return EVENT_SUSPENDED;
}

void
evidence_start_over(struct evidence *evidence)
{
    (void)suspend(evidence);
}

/* The walk goes on for as long as the next arm is earned. */
static unsigned
walk(struct evidence *evidence)
{
    double needed = log_needed(evidence);
    unsigned from = evidence->serving;

    while (next_arm(evidence) != ARM_NONE) {
        if (!is_earned(evidence, next_arm(evidence), needed))
            break;
        evidence->serving = next_arm(evidence);
        evidence->waited = 0;
    }
    return evidence->serving != from ? EVENT_EARNED : 0;
}

/* The arm that serves, or that would be the first to. */
static unsigned
foremost_arm(const struct evidence *evidence)
{
    return evidence->serving != ARM_NONE ? evidence->serving : evidence->arms.start;
}

/* Of what is acceptable, not of what the judge says. */
static uint32_t
lower_ppm_of(const struct evidence *evidence, const struct outcomes *counts, bool of_route)
{
    return noise_truth_low_ppm(&evidence->terms.noise, of_route, betting_lower_ppm(counts, log_needed(evidence)));
}

unsigned
evidence_restate(struct evidence *evidence)
{
    struct outcomes counts = outcomes_of_arm(evidence, foremost_arm(evidence));
    bool was_below = evidence->below;

    evidence->bound_ppm = evidence->serving != ARM_NONE ? lower_ppm_of(evidence, &counts, is_of_route(evidence)) : 0;
    evidence->below =
        evidence->serving == ARM_NONE && betting_log_below(&counts, fall_floor_of(evidence)) >= log_needed(evidence);
    return evidence->below && !was_below ? EVENT_BELOW_FLOOR : 0;
}

static unsigned
count_judge(struct evidence *evidence, bool failed)
{
    evidence->audits++;
    evidence->failures += failed;
    if (evidence->judge_told || evidence->audits < JUDGE_AUDITS_LEAST ||
        evidence->failures <= evidence->audits / JUDGE_FAILURES_SHARE)
        return 0;
    evidence->judge_told = true;
    return EVENT_JUDGE_FAILS;
}

/* Did what serves fall, as this audit adds to those before? Where nobody judged, nothing is known for losing. */
static bool
falls(struct evidence *evidence, const struct audit *audit, unsigned band)
{
    bool served = band <= evidence->serving || audit->promoted, fell = false;
    double floor = fall_floor_of(evidence);

    if (evidence->terms.scope == FLOOR_RELATIVE && !audit->judge_failed)
        fell = fall_add_pair(&evidence->fall, floor, served ? audit->outcome : audit->reference, audit->reference,
                             audit->halvings);
    else if (evidence->terms.scope == FLOOR_ROUTE && !(served && audit->judge_failed))
        fell = fall_add(&evidence->fall, floor, served ? audit->outcome : 1, audit->halvings);
    else if (evidence->terms.scope == FLOOR_SERVED && served && !audit->judge_failed)
        fell = fall_add(&evidence->fall, floor, audit->outcome, audit->halvings);
    if (evidence->terms.served_floor_ppm == 0 || !served || audit->judge_failed)
        return fell;
    floor = served_fall_floor_of(evidence);
    if (evidence->terms.scope == FLOOR_RELATIVE)
        return fall_add_pair(&evidence->served_fall, floor, audit->outcome, audit->reference, audit->halvings) || fell;
    return fall_add(&evidence->served_fall, floor, audit->outcome, audit->halvings) || fell;
}

static enum outcome_pair
pair_of(const struct audit *audit)
{
    bool candidate = audit->outcome > audit->rounding, reference = audit->reference > audit->rounding;

    if (audit->judge_failed)
        return PAIR_UNKNOWN;
    return candidate && reference ? PAIR_BOTH : candidate ? PAIR_CANDIDATE : reference ? PAIR_REFERENCE : PAIR_NONE;
}

static void
count(struct evidence *evidence, const struct audit *audit, unsigned band)
{
    if (evidence->terms.scope == FLOOR_RELATIVE)
        outcomes_add_pair(&evidence->bands[band], pair_of(audit), audit->halvings);
    else if (band == ARM_NONE)
        outcomes_add(&evidence->bands[ARMS], 1, audit->halvings);
    else
        outcomes_add(&evidence->bands[band], audit->judge_failed ? 0 : audit->outcome, audit->halvings);
}

unsigned
evidence_observe(struct evidence *evidence, const struct audit *audit)
{
    unsigned band = evidence_arm_of(evidence, audit->score), events = 0;
    bool of_route = is_of_route(evidence);

    if (!evidence->begun || (band == ARM_NONE && !of_route) || (audit->surplus && of_route))
        return 0;
    if (band != ARM_NONE || evidence->terms.scope == FLOOR_RELATIVE)
        events = count_judge(evidence, audit->judge_failed);
    if (evidence->serving != ARM_NONE && falls(evidence, audit, band))
        return events | suspend(evidence);
    if (audit->only_loses || audit->surplus)
        return events;
    count(evidence, audit, band);
    if (next_arm(evidence) != ARM_NONE && (of_route || band <= next_arm(evidence))) {
        evidence->waited++;
        events |= walk(evidence);
    }
    return of_route || band <= foremost_arm(evidence) ? events | evidence_restate(evidence) : events;
}

struct arm_standing
evidence_arm(const struct evidence *evidence, unsigned arm)
{
    struct arm_standing standing = {.arm = ARM_NONE};
    struct outcomes counts, served;
    double needed;

    if (!evidence->begun || arm >= ARMS)
        return standing;
    counts = outcomes_of_arm(evidence, arm);
    served = served_outcomes_of(evidence, arm);
    needed = log_needed(evidence);
    standing = (struct arm_standing){
        .arm = arm,
        .threshold = evidence->arms.threshold[arm],
        .labels = outcomes_total(&counts),
        .mean_ppm = outcomes_mean_ppm(&counts),
        .lower_ppm = lower_ppm_of(evidence, &counts, is_of_route(evidence)),
        .upper_ppm = noise_truth_high_ppm(&evidence->terms.noise, betting_upper_ppm(&counts, needed)),
        .missing_at_best = betting_missing_at_best(&counts, earn_floor_of(evidence), needed),
        .missing_as_so_far = betting_missing_as_so_far(&counts, earn_floor_of(evidence), needed),
        .served_labels = outcomes_total(&served),
        .served_mean_ppm = outcomes_mean_ppm(&served),
        .served_lower_ppm = lower_ppm_of(evidence, &served, false),
    };
    return standing;
}

enum { FALL_PPM = 200000 };

struct evidence_verdict
evidence_verdict(const struct evidence *evidence)
{
    const struct evidence_terms *terms = &evidence->terms;
    uint32_t fall_to_ppm = terms->floor_ppm > 2 * FALL_PPM ? terms->floor_ppm - FALL_PPM : terms->floor_ppm / 2;
    bool told = terms->scope != FLOOR_RELATIVE; /* there pairs fall, not shares */

    return (struct evidence_verdict){
        .fall_to_ppm = fall_to_ppm,
        .judged_fall_ppm = {told ? noise_fall_ppm(&terms->noise, terms->floor_ppm) : 0,
                            told ? noise_fall_ppm(&terms->noise, fall_to_ppm) : 0},
        .reason = reason_of(evidence),
        .scope = evidence->terms.scope,
        .floor_ppm = evidence->begun ? evidence->terms.floor_ppm : 0,
        .judged_floor_ppm = evidence->begun ? earn_ppm_of(evidence) : 0,
        .serving = evidence_arm(evidence, evidence->begun ? evidence->serving : ARM_NONE),
        .next = evidence_arm(evidence, evidence->begun ? next_arm(evidence) : ARM_NONE),
        .suspensions = evidence->begun ? evidence->round - 1 : 0,
        .refutes = evidence_refutes(evidence),
        .audit_ppm = evidence_audit_ppm(evidence, false),
        .audits = evidence->audits,
        .failures = evidence->failures,
    };
}

bool
evidence_check(const struct evidence *evidence)
{
    if (!evidence->begun)
        return true;
    if (!terms_are_in_range(&evidence->terms) || evidence->arms.start >= ARMS || evidence->round == 0 ||
        evidence->audits > AUDITS_MOST || evidence->failures > evidence->audits || evidence->bound_ppm > PPM ||
        (evidence->serving != ARM_NONE && (evidence->serving < evidence->arms.start || evidence->serving >= ARMS)))
        return false;
    for (unsigned arm = 0; arm < ARMS; arm++)
        if (!isfinite(evidence->arms.threshold[arm]) ||
            (arm > 0 && evidence->arms.threshold[arm] > evidence->arms.threshold[arm - 1]))
            return false;
    return fall_check(&evidence->fall) && fall_check(&evidence->served_fall);
}
