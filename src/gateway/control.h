/* The few requests of clients that are answered here: the list of models and feedback. They cost nothing and leave no
 * row. */
#ifndef GATEWAY_CONTROL_H
#define GATEWAY_CONTROL_H

#include "gateway/exchange.h"

/* GET /v1/models: answered at once. */
void control_models(struct gateway_worker *worker, struct client *client, const struct http_head *head);

/* POST /v1/feedback: the body follows. {"id": "...", "useful": true|false, "score": 0..1, "value_usd": "0.05", "reason":
 * "..."}, with `useful` or `score` or both; the answer is 202. It counts
 * for requests of this tenant, whose key it came with; the ledger leaves out what was said of others'. */
enum { FEEDBACK_BYTES_MOST = 64 * 1024 };
void control_feedback(struct gateway_worker *worker, struct client *client, const struct tenant_config *tenant);

#endif
