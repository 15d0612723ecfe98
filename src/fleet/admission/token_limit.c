#include "fleet/admission/token_limit.h"

#include <math.h>

/* A step is taken when about every request in flight has told its latency once. */
enum { WINDOW_LEAST = 8 };

/* r_long is of about the last so many first tokens. */
static const double LONG_SAMPLES = 600.0;

/* Residence and size are of about the last so many requests. */
static const double FEW_SAMPLES = 100.0;

static const double SMOOTHING = 0.2, GRADIENT_LEAST = 0.5, OVERLOAD_CUT = 0.7;

void
token_limit_init(struct token_limit *limit, double requests)
{
    ENSURE(requests >= 1.0);
    *limit = (struct token_limit){.replicas = 1, .requests = requests, .requests_each = requests, .batch = INFINITY};
}

/* Of what is never 0: that is for nothing seen yet. */
static double
mean(double before, double sample, double samples)
{
    return before > 0.0 ? before + (sample - before) / samples : sample;
}

/* As many requests of mean size as the caches hold, the engines work at and a batch is better for; no bound where that is not known. */
static double
requests_most(const struct token_limit *limit)
{
    double most = fmin(limit->batch, limit->sequences > 0.0 ? limit->sequences : INFINITY);

    if (limit->caches_tokens > 0 && limit->mean_tokens > 0.0)
        most = fmin(most, (double)limit->caches_tokens / limit->mean_tokens);
    return fmax(1.0, most);
}

void
token_limit_pool(struct token_limit *limit, unsigned replicas, unsigned sequences, int64_t kv_tokens)
{
    ENSURE(replicas > 0);
    if (limit->steps == 0) /* nothing was found yet; what caches and engines hold is where it begins, too */
        limit->requests = kv_tokens > 0 ? HUGE_VAL : limit->requests_each * replicas;
    else
        limit->requests = fmax(1.0, limit->requests * replicas / limit->replicas);
    limit->replicas = replicas;
    limit->caches_tokens = (int64_t)((double)kv_tokens * replicas * TOKEN_LIMIT_ROOM_SHARE);
    limit->sequences = (double)sequences * replicas * TOKEN_LIMIT_ROOM_SHARE;
}

void
token_limit_engine(struct token_limit *limit, const struct step_time *known, const struct step_time *learned)
{
    double prompt = limit->mean_tokens - limit->mean_output / 2.0;
    struct batch_mix mix = {
        .prompt = prompt, .cached = fmax(0.0, prompt - limit->mean_fresh), .output = limit->mean_output};

    limit->batch = INFINITY;
    if (known != NULL && mix.output > 0.0)
        limit->batch = fmax(batch_enough(known, &mix), batch_enough(learned, &mix)) * limit->replicas;
}

void
token_limit_fix(struct token_limit *limit, unsigned requests)
{
    limit->fixed = requests;
}

int64_t
token_limit_tokens(const struct token_limit *limit)
{
    double requests = limit->fixed > 0 ? (double)limit->fixed : fmin(limit->requests, requests_most(limit));
    double tokens = requests * limit->mean_tokens;

    if (limit->mean_tokens <= 0.0)
        return INT64_MAX; /* nothing was admitted yet */
    return tokens < 9e18 ? (int64_t)tokens : INT64_MAX;
}

void
token_limit_admitted(struct token_limit *limit, int64_t tokens, int64_t fresh, int64_t output)
{
    /* Counted, as 0 is a prompt that is wholly cached, or an answer that has no tokens. */
    double samples = fmin((double)++limit->admitted, FEW_SAMPLES);

    limit->mean_fresh += ((double)fresh - limit->mean_fresh) / samples;
    limit->mean_output += ((double)output - limit->mean_output) / samples;
    limit->mean_tokens += ((double)tokens - limit->mean_tokens) / samples;
}

static void
step(struct token_limit *limit, double ratio)
{
    double gradient = fmin(1.0, fmax(GRADIENT_LEAST, limit->long_ratio / ratio));
    double now = fmin(limit->requests, requests_most(limit));

    ENSURE(isfinite(now)); /* something was admitted, and either the caches or the limit are finite */
    now = (1.0 - SMOOTHING) * now + SMOOTHING * (gradient * now + sqrt(now));
    limit->requests = fmax(1.0, fmin(now, requests_most(limit)));
    limit->steps++;
}

void
token_limit_first_token(struct token_limit *limit, usec seen_us, usec modelled_us, int64_t in_flight_tokens)
{
    double ratio, window;

    if (seen_us <= 0 || modelled_us <= 0)
        return;
    ratio = (double)seen_us / (double)modelled_us;
    limit->long_ratio = mean(limit->long_ratio, ratio, LONG_SAMPLES);
    if (in_flight_tokens < token_limit_tokens(limit) / 2) {
        limit->window_sum = 0.0;
        limit->window_count = 0;
        return;
    }
    limit->window_sum += ratio;
    window = fmin(limit->requests, requests_most(limit));
    if (++limit->window_count < WINDOW_LEAST || limit->window_count < window)
        return;
    ratio = limit->window_sum / limit->window_count;
    if (limit->long_ratio > 2.0 * ratio)
        limit->long_ratio *= 0.95; /* after a jam it should not take hours to forget it */
    step(limit, ratio);
    limit->window_sum = 0.0;
    limit->window_count = 0;
}

void
token_limit_ended(struct token_limit *limit, usec residence_us)
{
    limit->residence_us = mean(limit->residence_us, (double)residence_us, FEW_SAMPLES);
}

void
token_limit_overloaded(struct token_limit *limit, usec now_us)
{
    if (limit->cuts > 0 && (double)(now_us - limit->cut_us) < limit->residence_us)
        return;
    limit->requests = fmax(1.0, OVERLOAD_CUT * fmin(limit->requests, requests_most(limit)));
    limit->cut_us = now_us;
    limit->cuts++;
    limit->steps++;
}

double
token_limit_rate(const struct token_limit *limit)
{
    if (limit->residence_us <= 0.0 || limit->mean_tokens <= 0.0)
        return 0.0;
    return (double)token_limit_tokens(limit) / limit->residence_us;
}
