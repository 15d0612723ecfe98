/* The load: keep-alive connections that send requests and check and time the answers, on one thread.
 *
 * Closed loop: each connection sends its next request as soon as its answer is complete. Open loop: requests are due at
 * a constant rate, whatever the answers do, and a request's time runs from when it was due, not from when a connection
 * was free to send it; so a stall of the server is seen by all requests that it held up. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "load/histogram.h"
#include "load/stream.h"

struct bytes {
    const char *data;
    size_t len;
};

struct load_options {
    const char *address; /* numeric, "127.0.0.1" */
    uint16_t port;
    struct bytes request;  /* head and body; its first run of sixteen zeros is where the request's number goes */
    struct bytes expected; /* the body of a right answer; data NULL: not compared */
    unsigned connections;
    double seconds;         /* how long requests are sent, after the warm-up */
    double warm_up_seconds; /* requests due before its end are not recorded */
    double rate;            /* per second; 0: closed loop */
    uint64_t requests_most; /* 0: no limit */
    unsigned stream_tokens; /* in each streamed answer; 0: answers are not streams */
};

/* Ways in which a request failed. */
enum failure { FAILED_CONNECT, FAILED_CLOSED, FAILED_STATUS, FAILED_FRAMING, FAILED_BODY, FAILED_LATE, FAILURE_KINDS };

const char *failure_name(enum failure failure);

struct load_result {
    uint64_t answers;     /* right and recorded */
    uint64_t answers_all; /* right, with those of the warm-up */
    uint64_t failures[FAILURE_KINDS];
    char first_failure[512];  /* words and a piece of what came; "" if none */
    double elapsed_seconds;   /* from the end of the warm-up to the last answer */
    struct histogram latency; /* ns, to the end of the answer; of streams to the first token */
    struct stream_times streams;
};

/* Runs the load. `result` must be all zero. */
void load_run(const struct load_options *options, struct load_result *result);

#endif
