/* Sends the alerts that wait (gateway/running/alert.h), from the first worker: to the webhook, again with growing pauses if that
 * fails, and to the command, once. */
#ifndef ALERTS_SENDER_H
#define ALERTS_SENDER_H

#include "gateway/gateway.h"

struct alert_sender;

/* Starts sending from this worker, which must be the first. */
struct alert_sender *alert_sender_start(struct gateway_worker *worker);

/* When the program stops: what waits is still sent, once each and for a few seconds at most, and nothing is tried again. */
void alert_sender_finish(struct alert_sender *sender);

/* When the worker's world has ended its calls and commands. */
void alert_sender_free(struct alert_sender *sender);

#endif
