/* A model that judges, asked in both orders of the two answers by two missions (quality/judge_model.h). */
#ifndef GATEWAY_JURY_H
#define GATEWAY_JURY_H

#include "gateway/judging/comparison.h"
#include "gateway/judging/mission.h"

/* Embedded in whoever wants to know. */
struct jury {
    struct mission missions[QUESTIONS];
    unsigned under_way, acceptable;
    usd cost;                    /* of both */
    bool failed;                 /* some reply was none, or did not come */
    bool dropped;                /* some question was never asked, for no fault of the judge's */
    void (*done)(struct jury *); /* once; it may come before jury_ask returns */
};

/* Whether the worker has room for it. */
bool jury_may_start(const struct gateway_worker *worker);

/* On behalf of whoever sent `about`, whose exchange has ended. The missions are about that request. Takes over the
 * questions. */
void jury_ask(struct jury *jury, const struct exchange *about, const char *about_id, const struct target *judge,
              struct chunk *questions[QUESTIONS], void (*done)(struct jury *));

/* When it is done, and neither failed nor dropped: 1 acceptable in both orders, 0 in none; else a half. */
double jury_outcome(const struct jury *jury);

#endif
