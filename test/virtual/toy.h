/* Small applications to try the virtual world with: one that echoes, one that forwards to a single backend. Both keep
 * the contract of world.h, unless told to break it in one way. */
#ifndef TEST_TOY_H
#define TEST_TOY_H

#include "base/list.h"
#include "world.h"

enum toy_vice {
    VICE_NONE,
    VICE_ANSWERS_TWICE,
    VICE_WRITES_FIRST,    /* before client_answer */
    VICE_WRITES_TOO_MUCH, /* more than body_len */
    VICE_FINISHES_SHORT,  /* less than body_len */
    VICE_WRITES_AFTER_FINISH,
    VICE_FINISHES_TWICE,
    VICE_SENDS_FRAMING, /* a content-length of its own */
    VICE_BREAKS_HEADER, /* a line break in a header's value */
    VICE_FORGETS,       /* never answers */
};

struct toy {
    struct application application; /* first */
    enum toy_vice vice;
    enum body_mode mode; /* BODY_COLLECT by default, or BODY_STREAM */
    size_t body_most;    /* 0: 1 MiB */
    int pauses_left;     /* BODY_STREAM: pause for a while that often */
    struct timer pause;
    struct list exchanges;
    unsigned gone, bad_bodies, drains;
};

/* Answers with the request's body. */
void toy_echo_init(struct toy *toy, struct world *world);

/* Forwards to `endpoint`; 502 when the call fails before its head, abort when after. */
struct toy_proxy {
    struct application application;
    const struct endpoint *endpoint;
    struct list exchanges;
    unsigned pauses, failures;
};

void toy_proxy_init(struct toy_proxy *proxy, struct world *world, const struct endpoint *endpoint);

#endif
