/* Asking a route's judge, as the gateway would, without one: a rule for texts, a model (in both orders), a command or a
 * service. A few are asked at a time, over the same client that serves. */
#ifndef CMD_JUDGE_ASKING_H
#define CMD_JUDGE_ASKING_H

#include "config/config.h"
#include "quality/judge.h"

/* Two answers to one request, and what came of it. */
struct judge_ask {
    struct slice request; /* its body, as JSON */
    struct slice reference, candidate;
    /* The opinion: */
    bool failed;        /* there is none */
    double outcome;     /* 0 to 1 */
    bool acceptable[2]; /* of a model: where the candidate is shown second, and first */
};

struct judge_asking {
    const struct judge_config *judge;
    const char *route;      /* as a command and a service are told it */
    struct judge_rule rule; /* of a judge by texts */
    /* How it went: */
    size_t calls, failed;
    char why[512]; /* the last call that failed; "" */
};

/* Whether each question costs a call. */
bool judge_asking_calls(const struct judge_config *judge);

/* Asks all of them. Not OK: nobody could be asked, and `why` says it. */
enum status judge_ask_all(struct judge_asking *asking, struct judge_ask *all, size_t count) MUST_CHECK;

#endif
