#include "fleet/engine/batch.h"

#include <math.h>

double
batch_gap_us(const struct step_time *time, const struct batch_mix *mix, double sequences)
{
    double fresh = mix->prompt - mix->cached, output = fmax(mix->output, 1);
    double tokens = sequences * (1 + fresh / output), context = mix->prompt + output / 2;
    double attended = sequences / output * (fresh * mix->cached + fresh * fresh / 2);

    return hypot(time->alpha_us, time->beta_us * tokens) + time->delta_us * sequences * context +
           time->epsilon_us * attended + time->gamma_us * sequences + time->host_us;
}

double
batch_tokens_a_second(const struct step_time *time, const struct batch_mix *mix, double sequences)
{
    double gap_us = batch_gap_us(time, mix, sequences);

    return gap_us > 0 ? sequences / gap_us * USEC_PER_S : 0;
}

double
batch_room(const struct batch_mix *mix, double kv_tokens)
{
    double each = mix->prompt + fmax(mix->output, 1);

    return fmax(1, floor(kv_tokens / each));
}

/* The gap grows with the batch. */
int64_t
batch_most(const struct step_time *time, const struct batch_mix *mix, double kv_tokens, double gap_limit_us,
           bool *by_room)
{
    int64_t least = 1, most = (int64_t)fmin(batch_room(mix, kv_tokens), 1 << 20);

    *by_room = gap_limit_us <= 0 || batch_gap_us(time, mix, (double)most) <= gap_limit_us;
    if (*by_room)
        return most;
    while (least < most) {
        int64_t middle = least + (most - least + 1) / 2;

        if (batch_gap_us(time, mix, (double)middle) <= gap_limit_us)
            least = middle;
        else
            most = middle - 1;
    }
    return least;
}
