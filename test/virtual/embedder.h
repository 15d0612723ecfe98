/* A backend that embeds: a text's embedding is its length and its first byte, its tokens are its bytes. It has the habits
 * and failures of real ones, and takes a + s b for b texts. */
#ifndef TEST_EMBEDDER_H
#define TEST_EMBEDDER_H

#include "virtual/vbackend.h"
#include "virtual/vclient.h"

enum embedder_habit {
    EMBEDDER_ORDERLY,
    EMBEDDER_REVERSES,     /* the last first; the indices tell */
    EMBEDDER_FORGETS_LAST, /* says nothing of the last text */
    EMBEDDER_REPEATS,      /* says the first index of each */
    EMBEDDER_ADDS,         /* one more than was asked for */
    EMBEDDER_IS_UNEVEN     /* the last has a number more */
};

struct embedder {
    usec a_us, s_us; /* 0 and 0: 10 ms */
    unsigned floats; /* further ones, all 0.5, to make answers long; 0: none */
    enum embedder_habit habit;
    size_t least;       /* a call for so many texts gets a good answer all the same; 0: only one alone does */
    unsigned refuses;   /* status for calls with fewer than `least` texts */
    const char *poison; /* a text with this in it ... */
    unsigned poisoned;  /* ... is answered with this status; 0: the connection breaks */
    unsigned limit;     /* answers 429 to calls for more texts than this; 0: does not */
    bool silent;        /* about its usage */
    size_t spoils_from; /* texts in a call, from which on its habit shows; 0: from 2 on */
    size_t billed;      /* tokens of its good answers so far */
    const char *cost;   /* usage.cost of each call, as a JSON number; NULL: not told */
};

/* Makes the backend so; the embedder must live as long as the history, and may be changed. */
void embedder_runs(struct embedder *embedder, struct vbackend *backend);

/* The answer is what it would have said to these texts, in whatever order its indices tell. Of the usage only where it is these texts' alone. */
void assert_embeds_(struct slice body, const char *const *texts, size_t count, bool usage);

#define assert_embeds_some(client, usage, ...)                                                                         \
    assert_embeds_(vclient_body(client), (const char *const[]){__VA_ARGS__},                                           \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (usage))
#define assert_embeds_all(client, ...) assert_embeds_some((client), true, __VA_ARGS__)

#endif
