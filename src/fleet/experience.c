#include "fleet/experience.h"

#include <stdlib.h>

#include "base/status.h"

/* Where nothing has been learned yet. */
static const double START_BYTES_PER_TOKEN = 4.0;
static const double START_OUTPUT_TOKENS = 256.0;

/* Each new answer weighs a hundredth, the first ones more: fast to start, calm later. */
static const double LEAST_WEIGHT = 0.01;

/* Ratios outside of this are mistakes or images, not text. */
static const double FEWEST_BYTES_PER_TOKEN = 0.5, MOST_BYTES_PER_TOKEN = 32.0;

/* Until enough was seen: a long answer, and dense input. */
static const int64_t START_OUTPUT_P99 = 1024;
static const double START_DENSITY_P99 = 0.5;
enum { ANSWERS_ENOUGH = 16, SHARE_P99_PPM = 990000 };

/* Tokens that an answer may have beyond its text: marks of its beginning and end. */
enum { MARKS_MOST = 16 };

static void
approach(double *value, double sample, double weight)
{
    *value += (sample - *value) * weight;
}

static void
approach_ratio(double *value, int64_t bytes, int64_t tokens, double weight)
{
    double ratio = (double)bytes / (double)tokens;

    if (ratio >= FEWEST_BYTES_PER_TOKEN && ratio <= MOST_BYTES_PER_TOKEN)
        approach(value, ratio, weight);
}

static void
learn_bounds(struct experience *experience, const struct answer_seen *seen)
{
    int64_t excess = seen->input_tokens - seen->request_bytes;

    if (!seen->clipped && seen->output_tokens > 0)
        latency_add(&experience->outputs, seen->output_tokens * USEC_PER_MS);
    if (seen->request_bytes > 0 && !seen->more_than_text)
        latency_add(&experience->input_density, seen->input_tokens * 1000 / seen->request_bytes * USEC_PER_MS);
    if (excess > experience->input_excess && !seen->more_than_text)
        experience->input_excess = excess;
    if (seen->reasoning_tokens > 0 || seen->output_tokens > seen->text_bytes + MARKS_MOST)
        experience->output_hidden = true;
    else if (experience->outputs_shown < ANSWERS_ENOUGH)
        experience->outputs_shown++;
}

struct size_bounds
experience_bounds(struct experience *experience)
{
    struct size_bounds bounds;
    double density;

    lock_take(&experience->lock);
    bounds.output_tokens = latency_quantile(&experience->outputs, SHARE_P99_PPM) / USEC_PER_MS;
    density = (double)latency_quantile(&experience->input_density, SHARE_P99_PPM) / (1000.0 * (double)USEC_PER_MS);
    if (experience->outputs.sum < ANSWERS_ENOUGH && bounds.output_tokens < START_OUTPUT_P99)
        bounds.output_tokens = START_OUTPUT_P99;
    if (experience->input_density.sum < ANSWERS_ENOUGH && density < START_DENSITY_P99)
        density = START_DENSITY_P99;
    bounds.input_tokens_per_byte = density < 1.0 ? density : 1.0;
    bounds.input_excess = experience->input_excess;
    bounds.bytes_per_output_token = experience->bytes_per_output_token;
    bounds.output_shown = experience->outputs_shown >= ANSWERS_ENOUGH && !experience->output_hidden;
    lock_drop(&experience->lock);
    return bounds;
}

void
experience_learn(struct experience *experience, const struct answer_seen *seen)
{
    double weight;

    lock_take(&experience->lock);
    experience->answers++;
    weight = 1.0 / (double)(experience->answers + 1);
    if (weight < LEAST_WEIGHT)
        weight = LEAST_WEIGHT;
    if (seen->first_token_us > 0)
        latency_add(&experience->first_token, seen->first_token_us);
    latency_add(&experience->total, seen->total_us);
    if (seen->exact && seen->input_tokens > 0)
        approach_ratio(&experience->bytes_per_input_token, seen->request_bytes, seen->input_tokens, weight);
    if (seen->exact && seen->output_tokens > 0 && seen->text_bytes > 0)
        approach_ratio(&experience->bytes_per_output_token, seen->text_bytes, seen->output_tokens, weight);
    if (seen->exact && !seen->clipped)
        approach(&experience->output_tokens, (double)seen->output_tokens, weight);
    if (seen->exact)
        learn_bounds(experience, seen);
    lock_drop(&experience->lock);
}

struct expectation
experience_expect(struct experience *experience, unsigned share_ppm)
{
    struct expectation expectation;

    lock_take(&experience->lock);
    expectation = (struct expectation){
        .first_token_us = latency_quantile(&experience->first_token, share_ppm),
        .total_us = latency_quantile(&experience->total, share_ppm),
        .bytes_per_input_token = experience->bytes_per_input_token,
        .bytes_per_output_token = experience->bytes_per_output_token,
        .output_tokens = experience->output_tokens,
        .answers = experience->answers,
    };
    lock_drop(&experience->lock);
    return expectation;
}

struct batch_time
experience_batches(struct experience *experience)
{
    struct batch_time batches;

    lock_take(&experience->lock);
    batches = experience->batches;
    lock_drop(&experience->lock);
    return batches;
}

void
experience_learn_batch(struct experience *experience, const struct batch_seen *seen)
{
    lock_take(&experience->lock);
    batch_time_learn(&experience->batches, seen->inputs, seen->took_us, seen->crowded);
    batch_time_learn_held(&experience->batches, seen->requests, seen->held_us);
    lock_drop(&experience->lock);
}

void
experience_note_batch(struct experience *experience, size_t requests, usec held_us)
{
    lock_take(&experience->lock);
    batch_time_learn_held(&experience->batches, requests, held_us);
    lock_drop(&experience->lock);
}

void
experience_adapt_batches(struct experience *experience, bool kept, size_t most)
{
    lock_take(&experience->lock);
    batch_time_adapt(&experience->batches, kept, most);
    lock_drop(&experience->lock);
}

void
experiences_init(struct experiences *all)
{
    lock_init(&all->lock);
    map_init(&all->by_name);
}

void
experiences_free(struct experiences *all)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (map_next(&all->by_name, &at, &name, &value)) {
        lock_destroy(&((struct experience *)value)->lock);
        free(value);
    }
    map_free(&all->by_name);
    lock_destroy(&all->lock);
}

struct experience *
experiences_of(struct experiences *all, struct slice target_name)
{
    struct experience *experience;

    lock_take(&all->lock);
    experience = map_get(&all->by_name, target_name);
    if (experience == NULL) {
        experience = must_calloc(1, sizeof(*experience));
        lock_init(&experience->lock);
        experience->bytes_per_input_token = experience->bytes_per_output_token = START_BYTES_PER_TOKEN;
        experience->output_tokens = START_OUTPUT_TOKENS;
        map_put(&all->by_name, target_name, experience);
    }
    lock_drop(&all->lock);
    return experience;
}
