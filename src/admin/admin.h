/* The admin's application, on a listener of its own (loopback unless the user says otherwise): health, readiness,
 * metrics, the requests under way, one request's row, and the switch `bypass`.
 *
 *   GET  /healthz        200 while the process lives
 *   GET  /readyz         200 while it takes requests, 503 while it would refuse them; when stopping the listener is closed
 *   GET  /metrics        counters and gauges, Prometheus text format
 *   GET  /live           the requests under way on all workers, as JSON
 *   GET  /requests/ID    one request's row, as JSON, from the ledger
 *   GET  /bypass         {"bypass": true|false};  POST /bypass with {"on": true|false} sets it
 *   GET  /budgets        all budgets and how they stand (budget_page.h)
 *   GET  /fleet          engines of one's own, how busy and what they are like (fleet_page.h)
 *   POST /alert          with {} raises an alert for trial: {"webhook": where it goes or null, "command": true|false}
 *   GET  /levers         every route's levers, their modes, and who set them;  POST /levers with {"route": NAME or "all",
 *                        "lever": NAME, "to": "off"|"shadow"|"on"|"on 5%"|"file"} sets one until the next start
 *
 *   POST /reload         reads the configuration again and answers when it holds on all workers: 200 with what changed,
 *                        422 with what is wrong (then nothing changes), 409: there is no file, 503: it stops
 *
 * What is set is written to the log of changes, with the user that the header x-equipoise-who names; "recorded" tells
 * whether it is. A switch works even where it cannot be recorded.
 *
 * A Host header that names anything but this machine's loopback is answered with 403.
 *
 * With `health_only` it is the application of the health listener: /healthz, /readyz and /metrics, behind a token, under any Host. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "gateway/gateway.h"

struct reloader;

struct admin_options {
    struct gateway *gateway;
    bool health_only;
    const char *token; /* NULL: none is asked for */
    void *context;
    /* More lines for the metrics page, as of the ledger. May be NULL. */
    void (*more_metrics)(void *context, struct buffer *out);
    /* The JSON of one row; runs off the loop. ERR_NOT_FOUND: there is none. */
    enum status (*row_json)(void *context, uint64_t id, struct buffer *out);
    struct reloader *reloader; /* reads the configuration again; NULL: there is no file to read */
    /* Why requests would be refused now, for a person; NULL: they would not. May be NULL itself. Any thread. */
    const char *(*unready)(void *context);
    /* Keeps a line of the log of changes (change.h) for good; runs off the loop. NULL: there is none. */
    enum status (*keep_change)(void *context, struct slice line);
};

struct application *admin_new(struct world *world, const struct admin_options *options);
void admin_free(struct application *admin);

#endif
