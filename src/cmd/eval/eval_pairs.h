/* Pairs of texts that somebody has labelled: would the answer to one do for the other? As scores, best first. */
#ifndef CMD_EVAL_PAIRS_H
#define CMD_EVAL_PAIRS_H

#include <stdio.h>

#include "base/problem.h"
#include "quality/judge.h"

enum { PAIRS_MOST = 50000000 };

struct scored_pair {
    double score; /* -INFINITY: one of its texts has no vector */
    bool same;    /* the label */
};

/* Invariant: by falling score, those with a score first; wrong[i] of the first i pairs are not the same. */
struct scored_pairs {
    struct scored_pair *all;
    size_t count, size;
    size_t same, scored; /* how many are the same, and how many have a score */
    uint32_t *wrong;     /* count + 1 */
};

/* JSON lines {"text_a": "...", "text_b": "...", "label": 0 or 1}, which may be compressed with gzip; other members are
 * left alone, empty lines too. `name` is what problems call the file. Else than with OK a problem says what is wrong, with
 * its line, and `out` is empty. */
enum status scored_pairs_read(FILE *file, const char *name, judge_similarity *similarity, void *context,
                              struct problems *problems, struct scored_pairs *out) MUST_CHECK;
void scored_pairs_free(struct scored_pairs *pairs);

/* The chance that a pair that is the same scores above one that is not, ties counting half; NAN unless there are both. */
double scored_pairs_auc(const struct scored_pairs *pairs);

/* What serving all pairs from a threshold on would have come to. */
struct pairs_served {
    double threshold; /* NAN: nothing is served */
    size_t hits, wrong;
};

struct pairs_served scored_pairs_from(const struct scored_pairs *pairs, double threshold);

/* The threshold that serves the most with at most limit_ppm of the hits wrong: in hindsight, as only all labels tell. */
struct pairs_served scored_pairs_best(const struct scored_pairs *pairs, uint32_t limit_ppm);

#endif
