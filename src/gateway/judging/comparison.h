/* Two answers held against each other by a judge that needs no call (quality/judge.h), off the loop: what a lever served or
 * would have served, and the reference's. Texts are judged as the route says; a call of a tool is as acceptable as one of
 * the same name with the same arguments. Shared by all levers that live by evidence. */
#ifndef GATEWAY_COMPARISON_H
#define GATEWAY_COMPARISON_H

#include "dialect/api.h"
#include "gateway/gateway.h"
#include "gateway/kept.h"
#include "quality/judge.h"

struct cache_entry;

/* One of them: what a flight gathered, or a stored answer. */
struct compared_answer {
    struct kept_answer *kept; /* held */
    bool is_stream;
    enum api api;
    struct cache_entry *cached; /* held */
};

/* For answers of models that nobody vouches for. */
struct screening {
    struct sameness *sameness; /* of the candidate on its route, in its slice; NULL: nobody is screened */
    struct chunk *request;     /* its body; held */
    const char *judge;         /* the model that judges; NULL: none does */
    uint64_t mark;             /* see quality/judge_model.h */
    bool outside;              /* a command or a service judges: it gets one question (quality/judge_told.h) of: */
    const char *route, *id;
};

/* In the order in which they show the candidate: as B, as A. */
enum { QUESTIONS = 2 };

/* Embedded in whoever wants to know; all is filled in but the result. */
struct comparison {
    struct job job;
    struct gateway_worker *worker;
    struct judge_rule rule;
    struct compared_answer reference, candidate;
    struct screening screening;
    bool only_reads;                   /* nobody judges: `texts` are wanted */
    void (*done)(struct comparison *); /* on the worker; answers and request are released */
    double outcome;
    bool failed;            /* it could not be judged */
    bool by_calls;          /* both call tools, and these were compared: no text was judged */
    const char *found;      /* in what the candidate is degenerate; NULL: it is not */
    struct buffer texts[2]; /* `only_reads`, and not failed: the reference's and the candidate's, which `done` owns */
    struct chunk *questions
        [QUESTIONS]; /* then nothing is decided: the judge is to be asked these (or the first, by itself), which `done` owns */
};

/* The similarity by which texts are judged, of the program's own embedder. */
void comparison_rule_meaning(struct judge_rule *rule, struct gateway *gateway);

/* False: too many are under way already; the answers are released, and `done` is not called. */
bool comparison_start(struct comparison *comparison);

#endif
