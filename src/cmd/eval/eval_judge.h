/* What `equipoise eval judge` finds out about a judge on labelled comparisons, and how it tells that. */
#ifndef CMD_EVAL_JUDGE_H
#define CMD_EVAL_JUDGE_H

#include "cmd/eval/comparisons.h"
#include "cmd/eval/judge_asking.h"
#include "quality/noise.h"

/* Answers that are worth nothing, whatever is asked. */
enum judge_attack { ATTACK_CONSTANT, ATTACK_EMPTY, ATTACK_FLATTERING, ATTACK_INSTRUCTING, ATTACKS };

const char *judge_attack_name(enum judge_attack attack);

/* Of so many the judge said so much: 1 for each that it accepts, a half where it does so in one order only. */
struct judged_sum {
    double sum;
    size_t count;
};

struct judge_attacked {
    struct judged_sum alone;   /* by the judge alone; one that could not tell accepts nothing */
    struct judged_sum gateway; /* where degenerate answers are screened first, as the gateway does */
};

struct judge_told {
    const char *name;  /* of the file */
    const char *words; /* the judge's */
    const struct judge_asking *asking;
    uint32_t alpha_ppm;
    size_t comparisons, labelled_acceptable;
    size_t screened, equal, failed;     /* found degenerate, and accepted as the same text, without asking; not told */
    struct judged_sum agrees;           /* 1 less how far outcome and label are apart */
    struct outcomes acceptable, others; /* outcomes of those labelled 1, and 0 */
    struct judged_sum in_order;         /* the same said in both orders, of those asked */
    struct judged_sum leans_first;      /* of those where not: for whichever answer comes first; of models */
    struct judged_sum again;            /* the reference's other answers, by the judge alone */
    struct judge_attacked attacked[ATTACKS];
};

/* Asks about all comparisons, and about attacks on the first so many. Not OK: nobody could be asked. */
enum status eval_judge_ask(const struct comparisons *comparisons, size_t attacked_most, struct judge_asking *asking,
                           struct judge_told *out) MUST_CHECK;

/* The judge's mistakes, with bounds that hold together with a chance of 1 - alpha. */
struct judge_noise eval_judge_noise(const struct judge_told *told);

void eval_judge_text(const struct judge_told *told, struct buffer *out);
void eval_judge_json(const struct judge_told *told, struct buffer *out);

#endif
