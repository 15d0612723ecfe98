/* The rules of fleet/engine/engine.h once more, told the long way: every step by itself, every sequence and block by itself,
 * every sum anew. What the real one must agree with, to the microsecond. */
#ifndef TEST_ENGINE_NAIVE_H
#define TEST_ENGINE_NAIVE_H

#include "fleet/engine/engine.h"

enum { NAIVE_REQUESTS_MOST = 64, NAIVE_BLOCKS_MOST = 1024, NAIVE_NEWS_MOST = 16384 };

struct naive_request {
    int64_t prompt, output, interval;
    const uint64_t *hashes;
    size_t hash_count;

    enum engine_state state;
    usec ready_us;
    int64_t produced, told, filled, chunk, cached;
    unsigned preemptions, came_in; /* the latter by order */
    uint64_t told_order;           /* when it was told of, or began to decode, among all */
    int blocks[NAIVE_BLOCKS_MOST];
    int block_count;
    size_t learned;
};

struct naive_news {
    size_t request;
    int64_t tokens;
    usec at_us;
};

struct naive_block {
    bool known;
    uint64_t hash;
    int holders;
    uint64_t idle_since;
};

struct naive {
    struct engine_settings settings;
    struct naive_request requests[NAIVE_REQUESTS_MOST];
    size_t queue[NAIVE_REQUESTS_MOST], queued; /* waiting, first first */
    struct naive_block blocks[NAIVE_BLOCKS_MOST];
    int block_count;
    int64_t clock_ps, step_end_ps;
    bool in_step;
    unsigned entrances;
    uint64_t idle_clock, told_clock;
    int64_t steps, preemptions, generated, busy_ps;
    struct naive_news news[NAIVE_NEWS_MOST];
    size_t news_count;
};

void naive_init(struct naive *naive, const struct engine_settings *settings);

/* All that happens up to that time. */
void naive_run(struct naive *naive, usec to_us);

/* A request filled in up to `hash_count` reaches the queue at that time. */
void naive_submit(struct naive *naive, size_t request, usec ready_us);
void naive_cancel(struct naive *naive, size_t request);

unsigned naive_running(const struct naive *naive);
int naive_blocks_used(const struct naive *naive);

#endif
