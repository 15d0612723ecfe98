#include "fleet/capacity/pool.h"

#include <math.h>

#include "fleet/health/told.h"

void
pool_look(const struct standing *standing, struct pool_now *out)
{
    *out = (struct pool_now){.replicas = (double)standing->count};
    for (size_t i = 0; i < standing->count; i++) {
        struct replica *replica = standing->seats[i].replica;

        lock_take(&replica->lock);
        out->requests += (double)replica->now.requests;
        out->filling += (double)replica->now.filling;
        out->context_tokens += (double)replica->now.context_tokens;
        if (i == 0) {
            out->time = replica->model.time;
            out->kv_tokens = (double)replica->model.kv_tokens;
        }
        lock_drop(&replica->lock);
    }
}

void
pool_look_all(const struct standing *standing, usec now_us, struct pool_now *out)
{
    double untold = 0, each;

    pool_look(standing, out);
    each = out->requests > 0 ? out->context_tokens / out->requests : 0;
    for (size_t i = 0; i < standing->count; i++) {
        struct replica *replica = standing->seats[i].replica;
        double worth, others;

        lock_take(&replica->lock);
        worth = told_worth(replica->told.at_us, now_us);
        others = worth * fmax(0, replica->told.others);
        out->requests += others;
        out->filling += worth * fmax(0, replica->told.others_queued);
        if (replica->told.kv_share >= 0)
            out->context_tokens += worth * replica->told.kv_beyond;
        else
            untold += others;
        lock_drop(&replica->lock);
    }
    out->context_tokens = fmax(0, out->context_tokens) + untold * each;
}

double
pool_work_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output)
{
    double beside = now->replicas > 0 ? now->requests / now->replicas : 0;
    struct engine_work work = engine_fit_work_us(&now->time, beside, prompt, cached, output);

    return work.prefill_us + work.decode_us;
}

double
pool_seats(const struct pool_now *now, int64_t prompt, int64_t output)
{
    double each = now->requests > 0 ? now->context_tokens / now->requests : (double)(prompt + output);
    double seats = each > 0 ? now->kv_tokens / each : ENGINE_SEQUENCES;

    return fmax(1, fmin(seats, ENGINE_SEQUENCES));
}

/* What a step with so many decoding sequences takes, but for what their contexts add. */
static double
step_us(const struct step_time *time, double sequences)
{
    return hypot(time->alpha_us, time->beta_us * sequences) + time->gamma_us * sequences;
}

/* By how much later it makes what is there, in all its steps together. */
static double
added_us(const struct pool_now *now, double beside, int64_t prompt, int64_t cached, int64_t output)
{
    const struct step_time *time = &now->time;
    double later = output > 1 ? (double)(output - 1) : 0;
    double a_step_us =
        step_us(time, beside + 1) - step_us(time, beside) + time->delta_us * ((double)prompt + (later + 1) / 2);

    return engine_fit_work_us(time, beside, prompt, cached, 0).prefill_us + later * a_step_us;
}

double
pool_marginal_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output)
{
    double beside = now->replicas > 0 ? now->requests / now->replicas : 0;
    double waited_us = added_us(now, beside, prompt, cached, output) * beside / pool_seats(now, prompt, output);
    struct pool_now more = *now;

    more.replicas++;
    return fmin(waited_us, pool_work_us(&more, prompt, cached, output));
}
