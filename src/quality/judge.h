/* Judges of audits that need no call: whether a candidate's answer is at least as acceptable as the reference's. The
 * question is not whether it is better: equal answers always are, and so are texts of equal bytes to every judge but a schema.
 * Each says 1 or 0, or that it cannot tell, which is a failure of the judge and no news of the answer.
 *
 * Texts are what the assistant said (dialect/text_of.h); answers that call tools are not for these judges. */
#ifndef QUALITY_JUDGE_H
#define QUALITY_JUDGE_H

#include "base/slice.h"
#include "base/status.h"
#include "config/judge.h"

const char *judge_name(enum judge judge); /* as in the configuration */
bool judge_of_name(struct slice name, enum judge *out);

/* The cosine of two texts' vectors; false if one of them has none. Called on the thread that judges. */
typedef bool judge_similarity(void *context, struct slice a, struct slice b, double *cosine);

struct judge_rule {
    enum judge judge;

    /* JUDGE_NUMERIC: two numbers are equal if they differ by at most this share of the larger. What counts is the last
     * number of each text; with `any_number`, the last of the reference and any of the candidate. */
    double tolerance;
    bool any_number;

    /* JUDGE_JSON: what must hold; with neither, nothing could be judged. Fields are compared whatever their order, numbers
     * by value. */
    const struct json_schema *schema; /* NULL: none */
    bool same_fields;

    /* JUDGE_EMBEDDING */
    double cosine_least;
    judge_similarity *similarity;
    void *context;
};

/* A route's, where it judges by the texts alone; whose meaning is compared still lacks how (`similarity`). */
struct judge_rule judge_rule_of(const struct judge_config *config);

/* OK: *outcome is 0 or 1. ERR_INVALID: it cannot be judged, as the reference holds no number or is no JSON. ERR_LIMIT: the
 * schema takes more work than is given to it. Any bytes are a text. */
enum status judge_compare(const struct judge_rule *rule, struct slice reference, struct slice candidate,
                          double *outcome) MUST_CHECK;

/* Walks the numbers of a text: start with *at = 0; false at the end. Signs, decimal points, exponents and thousands cut
 * off by commas belong to a number; digits within a word ("gpt4", "x86") make none. One that no double holds, or of more
 * than 64 characters, is infinite. */
bool judge_next_number(struct slice text, size_t *at, double *out);

#endif
