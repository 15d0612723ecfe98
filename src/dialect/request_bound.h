/* What bounds the cost of a request: its own caps on output and where they stand, what goes in that no text shows, and
 * what nothing bounds at all. */
#ifndef DIALECT_REQUEST_BOUND_H
#define DIALECT_REQUEST_BOUND_H

#include <yyjson.h>

#include "dialect/api.h"

enum { REQUEST_CAPS_MOST = 2 };

/* A member that caps the output of each answer. */
struct request_cap {
    struct slice raw; /* its value in the body; empty: it is not there */
    int64_t tokens;   /* -1: not there, or it says nothing (null) */
};

struct request_bound {
    struct request_cap caps[REQUEST_CAPS_MOST]; /* in the order of request_cap_name */
    int64_t cap_least;                          /* the backend would refuse a smaller one */
    const char *unbounded;                      /* what nobody can bound, for a person; NULL: nothing of the kind */
    bool thinks;                                /* reasoning is asked for: the text does not show all that is billed */
    bool writes_cache;                          /* input may be billed as written to the provider's cache */
    bool has_audio;                             /* input may be billed as audio */
    int64_t images;                             /* inline */
    int64_t image_bytes;                        /* of the body: theirs, which say little of their tokens */
    char service_tier[16], speed[16], geo[16];  /* as asked; "" if they are not */
};

/* The members by which the API caps output; NULL: it has no such cap. */
const char *request_cap_name(enum api api, unsigned which);

/* Everything but caps[].raw, which request.c finds. */
void request_bound_read(enum api api, yyjson_val *root, struct request_bound *out);

/* The greatest cap: who gives several relies on the backend to take the right one. -1: there is none. */
int64_t request_bound_cap(const struct request_bound *bound);

/* How many answers are made and billed: `n`, `best_of`, several prompts in one. At least 1. */
int64_t request_bound_answers(enum api api, yyjson_val *root);

/* Tokens that come in beside the text's: images, and what providers put in when tools are offered. */
int64_t request_bound_hidden_input(const struct request_bound *bound, enum api api, bool has_tools);

#endif
