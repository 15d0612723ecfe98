/* How well the places that requests are sent to have served lately, and when they may be asked again. Passive: learned
 * from the requests themselves. Shared by all workers; kept over reloads by name, so that a new configuration does not
 * forget who is ill.
 *
 * A place (an endpoint by its host:port; an account by its backend) that fails several times in a row, or too large a
 * share of what it is sent, is ejected for a back-off. After it a single request goes there as a probe: an answer
 * readmits the place, a failure ejects it for twice as long. Nothing needs to be reset by hand: every mark has an end,
 * and the back-off shrinks by itself in good times. That some place must be asked when all are out is the caller's to
 * see to (gateway/attempt/reach.c).
 *
 * A rest is another thing: the backend itself asked to be left alone until some time (retry-after). It is obeyed, and
 * says nothing of the place's health. */
#ifndef FLEET_HEALTH_H
#define FLEET_HEALTH_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/lock.h"
#include "base/map.h"
#include "config/config.h"
#include "fleet/admission/quota.h"
#include "fleet/capacity/pool_size.h"
#include "fleet/dispatch/replica.h"
#include "fleet/health/pulse.h"

enum {
    HEALTH_FAILURES_IN_A_ROW = 3, /* eject: nothing good came in between */
    HEALTH_SAMPLES_LEAST = 10,    /* so many answers of late, before their failed share says anything */
    HEALTH_FAILED_SHARE_PPM = 500000
};

/* The first back-off is short, so that a wrong ejection costs next to nothing; each further one is twice as long. */
#define HEALTH_BACK_OFF_US (1 * USEC_PER_S)
#define HEALTH_BACK_OFF_MOST_US (60 * USEC_PER_S)

/* After so long without an ejection the next back-off is half as long again. */
#define HEALTH_FADE_US (60 * USEC_PER_S)

/* The failed share is of about the last so long. */
#define HEALTH_SHARE_HALF_LIFE_US (10 * USEC_PER_S)

/* No rest is longer: what asks for more is asked once more then. */
#define REST_MOST_US (300 * USEC_PER_S)

/* Invariant: out_until_us == 0 exactly while requests let it in; due_us >= out_until_us. The two are written under the
 * lock and read without it. */
struct health {
    struct lock lock;
    struct tenure tenure;
    struct pulse pulse; /* what questions for its health say: no answer, or still loading, and it is out */
    char *name;
    bool is_endpoint;          /* else an account */
    _Atomic usec out_until_us; /* 0: it is in */
    _Atomic usec due_us;       /* when the next probe may go */
    usec probe_us;             /* when the newest was taken; 0: none is under way that anybody may free */
    usec ejected_us;           /* when it was last */
    unsigned in_a_row;         /* failures since the last success */
    double all, failed;        /* of late, fading */
    usec counted_us;           /* when the two were as they are */
    unsigned level;            /* the next back-off is HEALTH_BACK_OFF_US << level */
    uint64_t ejections;
};

enum health_state {
    HEALTH_IN,
    HEALTH_DUE, /* ejected, but a probe may go */
    HEALTH_OUT
};

/* What a call changed. */
enum health_change { HEALTH_SAME, HEALTH_EJECTED, HEALTH_READMITTED };

enum health_state health_state(const struct health *health, usec now_us);

/* When it is due, for places that are out. */
usec health_due_us(const struct health *health);

/* May a request go there now? For a place that is due this takes the probe, and sets *probe_us to stand for it (else 0):
 * whoever got it tells how it went by one of the following. Another may be taken after a back-off, whatever became of the
 * first. */
bool health_claim(struct health *health, usec now_us, usec *probe_us);

/* `sent_us`: when the request went out; what was sent before an ejection says nothing of the time after it. */
enum health_change health_worked(struct health *health, usec sent_us, usec now_us);
enum health_change health_failed(struct health *health, usec sent_us, usec now_us);
/* Ended by our side: if it was the newest probe (probe_us as health_claim set it), the probe is free again. */
void health_unknown(struct health *health, usec probe_us, usec now_us);

/* At once, for what one answer is enough to know. */
enum health_change health_eject(struct health *health, usec now_us);

/* What a question for its health came to (pulse.h); true if that is news. One that answers again after it was down need
 * not wait for its back-off: its next request is the probe. */
bool health_told(struct health *health, enum pulse_answer answer, usec asked_us, usec now_us, usec every_us);

/* A rest. */
struct rest {
    _Atomic usec until_us;
    struct tenure tenure; /* of an endpoint's */
};

void rest_until(struct rest *rest, usec until_us); /* never shortens it */

static inline usec
rest_over_us(struct rest *rest)
{
    return atomic_load_explicit(&rest->until_us, memory_order_relaxed);
}

void health_free(struct health *health);

/* One endpoint of a target's backend. */
struct seat {
    struct health *health;   /* shared by all that goes to this host:port */
    struct rest *rest;       /* of this model there: rate limits are by model */
    struct replica *replica; /* what is under way there; shared as health is */
};

/* One account at a provider, by its name (config/backend.h); shared by all that is sent with its key. */
struct account {
    struct health *health; /* out: its spend limit is reached */
    struct rest rest;      /* of several accounts of one backend; of a single one it is the seat's */
    struct quota quota;
};

/* A target's places, as many seats as its backend has endpoints, and as many accounts as it has. */
struct standing {
    struct account **accounts;
    size_t account_count;
    struct pool *pool;
    struct replicas *replicas; /* all of them */
    struct seat *seats;
    size_t count;
    struct shared_fit *fit; /* what is learned of its engine, where it is one of our own; NULL: it is somebody's API */
};

struct healths {
    struct lock lock;
    struct map endpoints, accounts, quotas, rests; /* quotas: struct account */
    struct replicas replicas;                      /* own lock */
    struct pool_sizes pool_sizes;                  /* own lock */
    uint64_t sweeps;
    uint64_t forgotten_ejections, forgotten_count; /* of endpoints that are no more */
};

void healths_init(struct healths *healths);
void healths_free(struct healths *healths);

/* The places of a target, made on first use, and held until healths_let_go; the array is the arena's. `name` is the
 * target's. */
struct standing healths_standing(struct healths *healths, const struct target *target, struct slice name,
                                 struct arena *arena);
void healths_let_go(struct healths *healths, const struct standing *standing);

/* The same for one place alone, not held: on the first worker it stays until the next sweep. */
struct health *healths_place(struct healths *healths, const struct endpoint *endpoint);
struct replica *healths_replica(struct healths *healths, const struct backend_config *backend, size_t endpoint);

/* Held from here on, and no more. Not a rest; NULL is fine for either. */
void healths_hold_place(struct healths *healths, struct health *health, struct replica *replica);
void healths_let_place_go(struct healths *healths, struct health *health, struct replica *replica);

/* Endpoints that this configuration, the newest, does not name are gone; what is known of those that have been for long
 * is forgotten (tenure.h). On the first worker, now and then. */
void healths_sweep(struct healths *healths, const struct config *config, usec now_us);

/* For the metrics page (Prometheus text format 0.0.4): per endpoint, whether it is out and how often it was ejected. */
void healths_print(struct healths *healths, usec now_us, struct buffer *out);

#endif
