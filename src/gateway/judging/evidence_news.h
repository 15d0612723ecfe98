/* What an audit changed, told to whom it concerns: alerts and the log. */
#ifndef GATEWAY_EVIDENCE_NEWS_H
#define GATEWAY_EVIDENCE_NEWS_H

#include "gateway/gateway.h"

/* `events` of quality/evidence.h. `score`: what the lever's thresholds are of, for a person ("similarity"). `judge`: where
 * its judge is configured. */
void evidence_news(struct gateway_worker *worker, struct shared_evidence *evidence, unsigned events, const char *score,
                   const char *judge);

/* The same of evidence about the judge itself, for a floor of that kind. */
void evidence_news_of_judge(struct gateway_worker *worker, struct shared_evidence *evidence, unsigned events,
                            enum floor_scope floor_of);

#endif
