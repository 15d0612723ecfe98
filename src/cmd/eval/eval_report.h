/* Labelled pairs judged: how well scores tell them apart, what could have been served at each limit, what would have been. */
#ifndef CMD_EVAL_REPORT_H
#define CMD_EVAL_REPORT_H

#include "base/buffer.h"
#include "cmd/eval/eval_stream.h"

enum { EVAL_LIMITS = 5 };

struct eval_settings {
    uint32_t alpha_ppm;
    uint64_t seed;
    unsigned orders, passes;
};

struct eval_limit {
    uint32_t limit_ppm; /* false hits among hits */
    struct pairs_served best;
    struct stream_summary evidence;
};

struct eval_result {
    struct eval_settings settings;
    const char *name; /* of the file */
    struct scored_pairs pairs;
    double auc; /* NAN: the labels are all the same */
    struct eval_limit limits[EVAL_LIMITS];
};

/* From settings and pairs, all the rest. */
void eval_pairs_judge(struct eval_result *result);

void eval_pairs_text(const struct eval_result *result, struct buffer *out);
void eval_pairs_json(const struct eval_result *result, struct buffer *out);

#endif
