#include "engine_naive.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 16 };

#define EACH(naive, r)                                                                                                 \
    for (struct naive_request *r = (naive)->requests; r < (naive)->requests + NAIVE_REQUESTS_MOST; r++)

void
naive_init(struct naive *naive, const struct engine_settings *settings)
{
    memset(naive, 0, sizeof *naive);
    naive->settings = *settings;
    naive->block_count = (int)(settings->kv_tokens / BLOCK);
    ENSURE(naive->block_count <= NAIVE_BLOCKS_MOST);
}

/* Blocks */

static int
known(const struct naive *naive, uint64_t hash)
{
    for (int i = 0; i < naive->block_count; i++)
        if (naive->blocks[i].known && naive->blocks[i].hash == hash)
            return i;
    return -1;
}

static int
room(const struct naive *naive)
{
    int count = 0;

    for (int i = 0; i < naive->block_count; i++)
        count += naive->blocks[i].holders == 0;
    return count;
}

int
naive_blocks_used(const struct naive *naive)
{
    return naive->block_count - room(naive);
}

static void
take_block(struct naive *naive, struct naive_request *r)
{
    int best = -1;

    for (int i = 0; i < naive->block_count; i++) {
        const struct naive_block *block = &naive->blocks[i];

        if (block->holders == 0 &&
            (best < 0 ||
             (naive->blocks[best].known && (!block->known || block->idle_since < naive->blocks[best].idle_since))))
            best = i;
    }
    ENSURE(best >= 0);
    naive->blocks[best] = (struct naive_block){.holders = 1};
    r->blocks[r->block_count++] = best;
}

static void
learn(struct naive *naive, struct naive_request *r, int64_t tokens)
{
    for (; r->learned < r->hash_count && (int64_t)r->learned < tokens / BLOCK; r->learned++) {
        struct naive_block *block = &naive->blocks[r->blocks[r->learned]];

        if (known(naive, r->hashes[r->learned]) < 0) {
            block->known = true;
            block->hash = r->hashes[r->learned];
        }
    }
}

static void
release(struct naive *naive, struct naive_request *r)
{
    learn(naive, r, r->filled + r->chunk);
    while (r->block_count > 0) {
        struct naive_block *block = &naive->blocks[r->blocks[--r->block_count]];

        if (--block->holders == 0)
            block->idle_since = ++naive->idle_clock;
    }
    r->filled = r->chunk = 0;
    r->learned = 0;
}

static int64_t
blocks_for(int64_t tokens)
{
    return (tokens + BLOCK - 1) / BLOCK;
}

/* Steps. A decoding request computes a chunk of one token: `filled` counts on. */

static bool
runs(const struct naive_request *r)
{
    return r->state == ENGINE_FILLING || r->state == ENGINE_DECODING;
}

unsigned
naive_running(const struct naive *naive)
{
    unsigned count = 0;

    for (size_t i = 0; i < NAIVE_REQUESTS_MOST; i++)
        count += runs(&naive->requests[i]);
    return count;
}

static void
queue_remove(struct naive *naive, size_t at)
{
    naive->queued--;
    memmove(&naive->queue[at], &naive->queue[at + 1], (naive->queued - at) * sizeof naive->queue[0]);
}

static bool
make_room(struct naive *naive)
{
    bool preempted = false;

    for (;;) {
        struct naive_request *latest = NULL;
        int need = 0;

        EACH(naive, r)
        {
            need += r->state == ENGINE_DECODING && blocks_for(r->filled + 1) > r->block_count;
            if (runs(r) && (latest == NULL || r->came_in > latest->came_in))
                latest = r;
        }
        if (need <= room(naive))
            break;
        ENSURE(latest != NULL);
        release(naive, latest);
        latest->state = ENGINE_WAITING;
        latest->preemptions++;
        naive->preemptions++;
        memmove(&naive->queue[1], &naive->queue[0], naive->queued++ * sizeof naive->queue[0]);
        naive->queue[0] = (size_t)(latest - naive->requests);
        preempted = true;
    }
    EACH(naive, r)
    if (r->state == ENGINE_DECODING && blocks_for(r->filled + 1) > r->block_count)
        take_block(naive, r);
    return preempted;
}

static bool
come_in(struct naive *naive, struct naive_request *r)
{
    int64_t tokens = r->prompt + r->produced, spare = naive_running(naive) != 0 ? naive->block_count / 100 : 0;
    int64_t found = 0, idle = 0;

    while (found < (int64_t)r->hash_count && found < (tokens - 1) / BLOCK && known(naive, r->hashes[found]) >= 0)
        idle += naive->blocks[known(naive, r->hashes[found++])].holders == 0;
    if (blocks_for(tokens) - found + spare > room(naive) - idle)
        return false;
    for (int64_t i = 0; i < found; i++) {
        r->blocks[r->block_count] = known(naive, r->hashes[i]);
        naive->blocks[r->blocks[r->block_count++]].holders++;
    }
    while (r->block_count < blocks_for(tokens))
        take_block(naive, r);
    r->learned = (size_t)found;
    r->filled = found * BLOCK;
    if (r->preemptions == 0)
        r->cached = r->filled;
    r->came_in = ++naive->entrances;
    r->state = ENGINE_FILLING;
    return true;
}

struct mix {
    int64_t tokens, kv, attended, sequences, budget;
};

static void
fill(struct naive *naive, struct naive_request *r, struct mix *mix)
{
    int64_t left = r->prompt + r->produced - r->filled;

    r->chunk = left < mix->budget ? left : mix->budget;
    mix->budget -= r->chunk;
    mix->tokens += r->chunk;
    for (int64_t i = 1; i <= r->chunk; i++)
        mix->attended += r->filled + i;
    mix->sequences++;
    learn(naive, r, r->filled + r->chunk);
}

static int64_t
ps(double us)
{
    return llround(us * 1e6);
}

static bool
plan(struct naive *naive)
{
    const struct step_time *time = &naive->settings.time;
    struct mix mix = {.budget = naive->settings.step_tokens_most};
    bool preempted = make_room(naive);

    EACH(naive, r)
    if (r->state == ENGINE_DECODING) {
        r->chunk = 1;
        mix.tokens++;
        mix.sequences++;
        mix.budget--;
        mix.kv += r->filled + 1;
    }
    for (unsigned order = 1; order <= naive->entrances; order++)
        EACH(naive, r)
    if (r->state == ENGINE_FILLING && r->came_in == order && mix.budget > 0)
        fill(naive, r, &mix);
    while (!preempted && naive->queued > 0 && mix.budget > 0 && naive_running(naive) < naive->settings.sequences_most) {
        struct naive_request *first = &naive->requests[naive->queue[0]];

        if (!come_in(naive, first))
            break;
        queue_remove(naive, 0);
        fill(naive, first, &mix);
    }
    naive->step_end_ps = naive->clock_ps + ps(time->host_us) +
                         ps(hypot(time->alpha_us, time->beta_us * (double)mix.tokens)) + ps(time->delta_us) * mix.kv +
                         ps(time->epsilon_us) * mix.attended + ps(time->gamma_us) * mix.sequences;
    naive->in_step = mix.sequences > 0;
    return naive->in_step;
}

static bool
is_due(const struct naive_request *r)
{
    if (r->told == 0 || r->produced == r->output)
        return true;
    return r->interval != 0 && r->produced - r->told >= r->interval;
}

static void
get_token(struct naive *naive, struct naive_request *r)
{
    bool began = r->state == ENGINE_FILLING;

    r->state = ENGINE_DECODING;
    r->produced++;
    naive->generated++;
    if (began || is_due(r))
        r->told_order = ++naive->told_clock;
    if (!is_due(r))
        return;
    r->told = r->produced;
    ENSURE(naive->news_count < NAIVE_NEWS_MOST);
    naive->news[naive->news_count++] =
        (struct naive_news){(size_t)(r - naive->requests), r->produced, (naive->clock_ps + 999999) / 1000000};
    if (r->produced < r->output)
        return;
    release(naive, r);
    r->state = ENGINE_OUTSIDE;
}

/* Of those whose tokens are all computed: who decoded before, by when they were last told of; then by entrance. */
static struct naive_request *
next_with_token(struct naive *naive)
{
    struct naive_request *next = NULL;

    EACH(naive, r)
    {
        if (!runs(r) || r->chunk == 0 || r->filled + r->chunk < r->prompt + r->produced)
            continue;
        if (next == NULL || r->state > next->state ||
            (r->state == next->state &&
             (r->state == ENGINE_DECODING ? r->told_order < next->told_order : r->came_in < next->came_in)))
            next = r;
    }
    return next;
}

static void
end_step(struct naive *naive)
{
    struct naive_request *next;

    naive->busy_ps += naive->step_end_ps - naive->clock_ps;
    naive->clock_ps = naive->step_end_ps;
    naive->in_step = false;
    naive->steps++;
    while ((next = next_with_token(naive)) != NULL) {
        next->filled += next->chunk;
        next->chunk = 0;
        get_token(naive, next);
    }
    EACH(naive, r)
    if (runs(r)) {
        r->filled += r->chunk;
        r->chunk = 0;
    }
}

/* Those that are ready by the clock get into the queue, by time and, among equals, by number. The next one that is not is
 * returned. */
static usec
arrive(struct naive *naive)
{
    for (;;) {
        struct naive_request *first = NULL;

        EACH(naive, r)
        if (r->state == ENGINE_ARRIVING && (first == NULL || r->ready_us < first->ready_us))
            first = r;
        if (first == NULL || first->ready_us * 1000000 > naive->clock_ps)
            return first != NULL ? first->ready_us : USEC_NEVER;
        first->state = ENGINE_WAITING;
        naive->queue[naive->queued++] = (size_t)(first - naive->requests);
    }
}

void
naive_run(struct naive *naive, usec to_us)
{
    for (;;) {
        if (!naive->in_step) {
            usec next_us = arrive(naive);

            if (!plan(naive)) {
                if (next_us > to_us)
                    return;
                naive->clock_ps = next_us * 1000000;
                continue;
            }
        }
        if (naive->step_end_ps > to_us * 1000000)
            return;
        end_step(naive);
    }
}

void
naive_submit(struct naive *naive, size_t request, usec ready_us)
{
    naive->requests[request].state = ENGINE_ARRIVING;
    naive->requests[request].ready_us = ready_us;
}

void
naive_cancel(struct naive *naive, size_t request)
{
    struct naive_request *r = &naive->requests[request];

    for (size_t i = 0; i < naive->queued; i++)
        if (naive->queue[i] == request) {
            queue_remove(naive, i);
            break;
        }
    if (runs(r))
        release(naive, r);
    r->state = ENGINE_OUTSIDE;
}
