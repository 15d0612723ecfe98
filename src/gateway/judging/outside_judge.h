/* A judge of one's own: a command that reads the question from standard input and writes its opinion to standard output, or a
 * service that is posted it (quality/judge_told.h). */
#ifndef GATEWAY_OUTSIDE_JUDGE_H
#define GATEWAY_OUTSIDE_JUDGE_H

#include "gateway/gateway.h"
#include "quality/judge_told.h"

/* Asked at once on a worker at most; beyond it nobody is asked. */
enum { OUTSIDE_JUDGES_MOST = 16 };

/* Embedded in whoever wants to know. */
struct outside_judge {
    struct list link; /* worker->outside_calls, while a service is asked */
    struct gateway_worker *worker;
    struct chunk *question; /* held */
    struct command_run run;
    struct call call;
    unsigned status; /* of the call */
    struct buffer answer;
    bool failed;  /* it could not tell, or said nothing that could be read */
    bool dropped; /* by us: the program stops. It says nothing of the judge */
    double outcome;
    char words[JUDGE_WORDS_SIZE];
    void (*done)(struct outside_judge *); /* on the worker */
};

/* Whether a tenant's texts may be sent to the route's judge, if it is a service: it states no region, retention or class. */
bool outside_judge_allowed(const struct route_config *route, const struct tenant_config *tenant);

/* The route's judge, which is a command or a service; the tenant allows it. False: too many are being asked, or the program
 * stops. Takes over the question. */
bool outside_judge_ask(struct outside_judge *judge, struct gateway_worker *worker, const struct route_config *route,
                       const struct tenant_config *tenant, struct chunk *question,
                       void (*done)(struct outside_judge *));

/* After missions_stop: services that are being asked are hung up on. Commands end, or are killed with the program. */
void outside_judges_stop(struct gateway_worker *worker);

#endif
