/* Customers: clients that send a day's workload (workload.h) to a server over a world, check the answers that can be
 * checked, and tell the gateway which were useful, as applications would. An application's caller side: over world.h, so
 * in real or virtual time. */
#ifndef TWIN_CUSTOMERS_H
#define TWIN_CUSTOMERS_H

#include "base/rng.h"
#include "twin/workload.h"
#include "world.h"

struct customers;

struct customers_options {
    const struct endpoint *endpoint; /* of the gateway */
    const char *key;                 /* sent as bearer token; NULL: none */
    struct workload_models models;
    uint64_t seed;
    uint64_t requests;       /* how many in all */
    double requests_per_s;   /* arrivals at random, on average */
    unsigned in_flight_most; /* arrivals beyond it wait */
    unsigned crowd_ppm;      /* share of arrivals that are a crowd, all asking the same at once */
    unsigned crowd_most;     /* how many such a crowd may be; from 2 on, each size as likely */
    unsigned leave_ppm;      /* share of streams that are left after their first bytes */
    unsigned feedback_ppm;   /* share of checked answers for which feedback is sent */
};

/* Counts; each only grows, and may be read from any thread. */
struct customers_counts {
    uint64_t sent, ended; /* requests */
    uint64_t failed;      /* no answer, or an error status */
    uint64_t left;        /* by the customer's own wish */
    uint64_t checked, useful, told;
};

/* How right the answers were that one model gave, or a cache, to what asked for one model or route. */
enum { CUSTOMERS_TALLIES_MOST = 64, CUSTOMERS_NAME_SIZE = 64 };

struct customers_tally {
    const char *asked;                                            /* the model of the request */
    char source[CUSTOMERS_NAME_SIZE], model[CUSTOMERS_NAME_SIZE]; /* x-equipoise-source and -model; empty: none */
    uint64_t checked, useful;
};

struct customers *customers_start(struct world *world, const struct customers_options *options);
void customers_counts(const struct customers *customers, struct customers_counts *out);

/* All that there are, `out` having room for CUSTOMERS_TALLIES_MOST; how many. On the world's own thread. */
size_t customers_tallies(const struct customers *customers, struct customers_tally *out);

/* True once all requests have ended and all feedback is sent; any thread. */
bool customers_done(const struct customers *customers);

/* Closes what is under way and frees all; on the world's own thread. */
void customers_stop(struct customers *customers);

#endif
