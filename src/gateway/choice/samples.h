/* Self-consistency (Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models", 2022): a model is
 * asked the same again, as its client asked it, and the answers are held against its first one. What that scores is how many
 * of them agree: a model that makes something up tends to make up something else each time. Each is a call of our own
 * (mission.h); nobody is given its answer. */
#ifndef GATEWAY_SAMPLES_H
#define GATEWAY_SAMPLES_H

#include "gateway/judging/mission.h"
#include "quality/judge.h"

struct samples;

struct sample {
    struct mission mission;
    struct samples *all;
    struct buffer text; /* that it said */
    bool called;        /* a tool */
};

/* Embedded in whoever wants to know. */
struct samples {
    struct sample each[CASCADE_SAMPLES_MOST - 1];
    unsigned count, under_way;
    struct gateway_worker *worker;
    struct slice first; /* the answer that they are held against; stays until `done` */
    struct judge_rule rule;
    struct job job;
    usd cost;                       /* of all */
    bool missing;                   /* some answer could not be had, or not be read */
    bool incomparable;              /* the first is nothing that could be compared by this rule: no number, no JSON */
    double score;                   /* the share of them that agree */
    void (*done)(struct samples *); /* once; it may come before samples_ask returns */
};

/* What is asked. */
struct samples_about {
    struct exchange *exchange; /* whose plan's model is asked, on behalf of whoever sent it */
    struct chunk *body;
    const char *id; /* of the client's request */
    bool serves;    /* a client waits for it; else an audit does */
};

/* Whether the worker has room for those of this route. */
bool samples_may_start(const struct gateway_worker *worker, const struct route_config *route);

/* `first` and `done` are filled in. */
void samples_ask(struct samples *samples, const struct samples_about *about);

/* Nobody waits for them any more: those under way are ended. It may be done on return. Fine if none are asked. */
void samples_stop(struct samples *samples, const char *why);

/* When it is done. */
void samples_free(struct samples *samples);

#endif
