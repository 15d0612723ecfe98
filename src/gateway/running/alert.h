/* Alerts: what a person should hear of soon, as a small JSON object that is posted to the configured webhook and handed
 * to the configured command:
 *
 *     {"kind":"budget_share","at":"2026-01-31T12:00:00Z","text":"words for a person","count":1, facts of the kind ...}
 *
 * Alerts hold names and numbers: no prompt, no answer, no secret. Raising one never waits: a bounded queue, from which
 * the first worker sends (alerts/sender.h). An alert on a subject that has been told is counted, and the count told with
 * the next one. Every alert is a line in the log too, so that something is seen without any configuration. */
#ifndef GATEWAY_ALERT_H
#define GATEWAY_ALERT_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/usd.h"
#include "world.h"

struct gateway_worker;

enum alert_kind {
#define ALERT(id, name, most, words) id,
#include "gateway/running/alert.def"
#undef ALERT
    ALERT_KINDS
};

const char *alert_kind_name(enum alert_kind kind);

/* An alert in the making, on the stack. What does not fit is left out: a fact wholly, words at their end. */
struct alert {
    enum alert_kind kind;
    char about[192];  /* its subject: alerts of the same kind and subject are the same alert */
    char words[512];  /* for a person */
    char facts[1024]; /* `,"name":value` each */
    size_t facts_len;
    usec quiet_us; /* the same alert is not told again for so long; 0: `alerts: repeat` */
};

void alert_init(struct alert *alert, enum alert_kind kind, const char *about, ...) PRINTF_LIKE(3, 4);
void alert_words(struct alert *alert, const char *format, ...) PRINTF_LIKE(2, 3);
void alert_fact_text(struct alert *alert, const char *name, struct slice text);
void alert_fact_number(struct alert *alert, const char *name, int64_t number);
void alert_fact_usd(struct alert *alert, const char *name, wide_int pico); /* "12.5", exact dollars as text */

/* On any worker, at any time; costs microseconds. */
void alert_raise(struct gateway_worker *worker, const struct alert *alert);

/* What the workers share. */

enum { ALERTS_WAITING_MOST = 64, ALERTS_KNOWN_MOST = 1024 };

/* A subject that was told lately. */
struct alert_known {
    uint64_t hash; /* of kind and subject */
    usec quiet_until_us;
    int64_t unsaid; /* raised since it was told */
};

/* One alert on its way: the JSON object. */
struct letter {
    struct list link; /* alerts.waiting, or its sender's */
    enum alert_kind kind;
    struct buffer json;
};

/* Where letters go out: a part of whoever sends them. */
struct alert_outlet {
    void (*look)(struct alert_outlet *); /* on the first worker, when letters wait */
};

struct alerts {
    struct lock lock; /* of all that follows */
    struct list waiting;
    size_t waiting_count;
    struct alert_known known[ALERTS_KNOWN_MOST];
    size_t known_count;
    struct {
        usec since_us;
        unsigned told;
    } kinds[ALERT_KINDS]; /* for kinds with a bound */
    bool woken;           /* the message is under way to the first worker */
    struct message wake;
    struct alert_outlet *outlet; /* on the first worker; NULL: letters wait */
};

void alerts_init(struct alerts *alerts);
void alerts_free(struct alerts *alerts); /* what waits is dropped */

/* Takes the letter that has waited longest; NULL if none does. For the outlet. */
struct letter *alerts_take(struct alerts *alerts);
void letter_free(struct letter *letter);

#endif
