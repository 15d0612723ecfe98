#include "fleet/pool.h"

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

double
pool_work_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output)
{
    double beside = now->replicas > 0 ? now->requests / now->replicas : 0;
    struct engine_work work = engine_fit_work_us(&now->time, beside, prompt, cached, output);

    return work.prefill_us + work.decode_us;
}
