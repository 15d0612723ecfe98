/* Asks every backend of a configuration which models it has, over the same client that serves: shows whether it can be
 * reached, takes the credential, and has what the routes name; and engines for what their page of metrics tells. */
#ifndef CMD_PROBE_BACKENDS_H
#define CMD_PROBE_BACKENDS_H

#include "base/buffer.h"
#include "config/config.h"

enum probe_state {
    PROBE_FINE,
    PROBE_REFUSED,    /* 401 or 403: the credential is not accepted */
    PROBE_ODD,        /* another status, or no list of models: reachable, the rest cannot be told */
    PROBE_UNREACHABLE /* no answer */
};

/* What one question came to. */
struct probe_answer {
    bool asked;
    unsigned status; /* HTTP; 0: none */
    usec took_us;    /* until the answer's head */
    char why[512];   /* for a person, where it is not fine */
    struct buffer body;
};

struct probe_result {
    const struct backend_config *backend;
    size_t endpoint;
    enum probe_state state; /* by its models */
    struct probe_answer models;
    struct probe_answer page, slots; /* of metrics; asked where the configuration has the gateway ask (probe_page.h) */
};

struct probe_results {
    struct probe_result *all; /* one per endpoint */
    size_t count;
};

/* Takes at most some 15 seconds, all being asked at once. Credentials' commands are run. */
void probe_backends(const struct config *config, struct probe_results *results);
void probe_results_free(struct probe_results *results);

/* True if all are fine, and have every model that a route names. */
bool probe_print_text(const struct config *config, const struct probe_results *results, struct buffer *out);
bool probe_print_json(const struct config *config, const struct probe_results *results, struct buffer *out);

#endif
