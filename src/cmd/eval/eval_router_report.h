/* A router judged on labelled requests: what it tells apart, what that saves, what evidence would have let it serve. */
#ifndef CMD_EVAL_ROUTER_REPORT_H
#define CMD_EVAL_ROUTER_REPORT_H

#include "cmd/eval/eval_curve.h"
#include "cmd/eval/eval_fit.h"
#include "cmd/eval/eval_guarantee.h"
#include "cmd/eval/eval_several.h"

enum { ROUTER_SCOPES = 3, ROUTER_FLOORS = 3, ROUTER_TRAFFICS = 3, SEVERAL_TRAFFICS = 2 /* once, passes */ };

extern const uint32_t router_floors_ppm[ROUTER_FLOORS];

/* How requests come: from the whole set, drawn anew each time; all of them once; all of them many times. */
enum router_traffic { TRAFFIC_DRAWN, TRAFFIC_ONCE, TRAFFIC_PASSES };

struct router_guarantee {
    enum floor_scope scope;
    uint32_t floor_ppm;
    struct guarantee_summary of[ROUTER_TRAFFICS];
    struct guarantee_outcome online; /* where the router learned on the way: the requests as they came */
};

/* Cheaper models beside a reference, fit->strong: the cheapest first. */
struct router_several {
    unsigned count; /* 0: it was not asked for */
    unsigned models[LABELLED_MODELS_MOST];
    struct several_summary of[ROUTER_FLOORS][SEVERAL_TRAFFICS];
};

struct router_result {
    const char *name; /* of the file */
    const struct labelled *labelled;
    const struct fit_wanted *fit;
    struct fitted fitted;
    uint32_t alpha_ppm;
    unsigned streams, passes; /* streams 0: evidence was not asked */
    bool warm;                /* arms are cut before a stream begins */
    bool pair;                /* a weak and a strong model are named */
    bool priced;              /* all models have a price */
    double brier, base_brier; /* squared error of what is expected of a score, and of its mean over all */
    struct router_curve curve;
    struct router_guarantee guarantees[ROUTER_SCOPES][ROUTER_FLOORS];
    struct lambda_point lambdas[LAMBDA_POINTS_MOST];
    size_t lambda_count;
    unsigned only; /* a bit for each model that may be a candidate beside the reference */
    struct router_several several;
    double model_accuracy[LABELLED_MODELS_MOST];
    double decision_us; /* 0: was not measured */
};

/* From what is fitted, all the rest but decision_us. */
void eval_router_judge(struct router_result *result);

/* Where a reference is named, and no weak model: all models that are cheaper, of those in `only`, are its candidates. */
void eval_router_pick_cheaper(struct router_result *result);
void eval_router_judge_several(struct router_result *result);
void eval_router_several_text(const struct router_result *result, struct buffer *out);
void eval_router_several_json(const struct router_result *result, struct buffer *out); /* ,"several":{...} */

void eval_router_text(const struct router_result *result, struct buffer *out);
void eval_router_json(const struct router_result *result, struct buffer *out);

#endif
