/* Whether the answer of a cheaper model is to be kept: its acceptance score, from 0 to 1, by what the route says
 * (`cascade: accept`). The score alone lets nothing serve; from which on answers do well enough is what evidence says. The
 * cascade asks while the client waits (cascading.h), audits when it is gone (audit.h): both get the same score for the same
 * answer. */
#ifndef GATEWAY_ACCEPTANCE_H
#define GATEWAY_ACCEPTANCE_H

#include "gateway/choice/samples.h"
#include "gateway/exchange.h"
#include "gateway/judging/mission.h"
#include "gateway/judging/validation.h"

struct acceptance_book;

/* Embedded in whoever asks. */
struct acceptance {
    struct validation validation;
    struct exchange *exchange; /* on whose behalf a verifier is asked; the caller holds it */
    struct chunk *request;     /* the body that was answered; held while it is scored */
    const char *about;         /* the id of the client's request */
    bool serves;               /* its client waits: what scoring costs is the lever's, and no audit's */
    bool unwanted;             /* acceptance_stop */
    struct mission mission;    /* to the verifier */
    struct samples samples;
    double sureness; /* by its logprobs */
    usd cost;        /* of the verifier, or of further answers */
    void (*done)(struct acceptance *);
    double score;    /* not finite: it is not to be kept, whatever evidence says */
    bool untold;     /* it has no score as nobody could be asked: that says nothing of the answer */
    bool silent;     /* likewise, as its backend told no logprobs: it will not the next time either */
    bool validated;  /* the route's validators found it useful */
    const char *why; /* it has no score; NULL: it has one. As long as the struct */
};

/* Stands for how answers of this route are scored: another where that changes. */
uint64_t acceptance_rule(const struct route_config *route);

/* Whether all that have a score have the same one. */
bool acceptance_is_plain(const struct route_config *route);

/* Whether this tenant's texts may go to whoever scores them. */
bool acceptance_allowed(const struct route_config *route, const struct tenant_config *tenant);

/* Scores the answer of the exchange's flight, whose text it takes; `done`, `exchange`, `request`, `about` and `serves` are
 * filled in. `done` is called once, maybe before this returns. */
void acceptance_start(struct acceptance *acceptance);

/* Nobody waits for it any more: nobody else is asked, and whoever is being asked is left. It may be done on return. */
void acceptance_stop(struct acceptance *acceptance);

/* The exchange's backend tells no logprobs: it is not asked for some for a while, and the log says so, once. */
void acceptance_found_silent(const struct exchange *exchange, struct acceptance_book *book);

/* When it is done. */
void acceptance_free(struct acceptance *acceptance);

#endif
