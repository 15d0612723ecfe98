/* How a route tells whether what others than its reference say is acceptable, as the configuration says it: part of its
 * snapshot (config.h). */
#ifndef CONFIG_JUDGE_H
#define CONFIG_JUDGE_H

#include "config/acceptable.h"
#include "config/backend.h"

struct json_schema;

/* How often a judge said what of labelled examples, by outcome in twentieths: of acceptable answers and of others. */
enum { CALIBRATION_STEPS = 21 };

struct judge_calibration {
    uint32_t acceptable[CALIBRATION_STEPS], others[CALIBRATION_STEPS];
};

/* How a route's semantic cache learns whether an answer would have done. */
struct semantic_config {
    unsigned judge;                              /* enum judge */
    unsigned similar_ppm;                        /* JUDGE_EMBEDDING: the least cosine of two answers */
    unsigned tolerance_ppm;                      /* JUDGE_NUMERIC: how far two numbers may be apart */
    const struct judge_calibration *calibration; /* NULL: it is taken at its word */
};

/* How a route judges what another model says. */
struct judge_config {
    bool is_set;                /* else nobody judges, and nothing can be earned */
    const struct target *model; /* it is asked; NULL: none */
    const char *command;        /* likewise, a command of the user's */
    const char *http;           /* likewise, a service: its URL */
    const struct endpoint *endpoint;
    const char *path; /* its path and query */
    /* Else by the texts alone: */
    unsigned judge;                              /* enum judge */
    unsigned similar_ppm;                        /* JUDGE_EMBEDDING: the least cosine of two answers */
    unsigned tolerance_ppm;                      /* JUDGE_NUMERIC: how far two numbers may be apart */
    const char *json_schema;                     /* JUDGE_JSON: what must fit, instead of the same fields; NULL: none */
    const struct json_schema *schema;            /* the same, compiled */
    const struct judge_calibration *calibration; /* NULL: it is taken at its word */
    unsigned ceiling_ppm; /* of audits, in which it also judges the reference's own other answer */
};

/* What tells whether the answer of a cheaper model is to be kept, before the next is asked. A route's validators, where it
 * has some, must find it useful in any case. */
enum accept_by {
    ACCEPT_NONE,            /* nothing: then nothing is asked first */
    ACCEPT_VALIDATORS,      /* they alone */
    ACCEPT_MODEL,           /* a model that says how sure it is that the answer will do */
    ACCEPT_LOGPROBS,        /* how sure the model was of the tokens that it said */
    ACCEPT_SELF_CONSISTENCY /* how many further answers of the same model agree with it */
};

enum { CASCADE_SAMPLES_MOST = 8 }; /* answers of one model to one request, the first included */

struct cascade_config {
    enum accept_by accept;
    const struct target *verifier; /* ACCEPT_MODEL: that one */
    unsigned samples;              /* ACCEPT_SELF_CONSISTENCY: answers, the first included; 2 to CASCADE_SAMPLES_MOST */
    unsigned agree;                /* when two of them agree: enum judge */
    unsigned similar_ppm;          /* JUDGE_EMBEDDING: from which cosine on */
    unsigned tolerance_ppm;        /* JUDGE_NUMERIC: how far two numbers may be apart */
    bool holds_streams; /* a streamed answer is held back until it is accepted; else who streams is not served by it */
};

#endif
