#include "fleet/engine/batch.h"

#include <math.h>

/* To about 1 %. */
enum { BISECTIONS = 10 };

/* What one sequence adds to a step: by the matrix products, where there are many, and by all else. */
struct addition {
    double products_us, else_us;
};

static struct addition
addition_of(const struct step_time *time, const struct batch_mix *mix)
{
    double fresh = mix->prompt - mix->cached, output = fmax(mix->output, 1);
    double tokens = 1 + fresh / output, context = mix->prompt + output / 2;
    double attended = (fresh * mix->cached + fresh * fresh / 2) / output;

    return (struct addition){time->beta_us * tokens,
                             time->delta_us * context + time->epsilon_us * attended + time->gamma_us};
}

double
batch_gap_us(const struct step_time *time, const struct batch_mix *mix, double sequences)
{
    struct addition each = addition_of(time, mix);

    return hypot(time->alpha_us, each.products_us * sequences) + each.else_us * sequences + time->host_us;
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

/* Where prompts come whole: a step has one with the chance that an answer ends in it, until each step has some. */
static double
gap_of_whole_prompts_us(const struct step_time *time, const struct batch_mix *mix, double sequences)
{
    struct addition each = addition_of(time, mix);
    double fresh = mix->prompt - mix->cached, prompts = sequences / fmax(mix->output, 1), having = fmin(1, prompts);
    double without_us = hypot(time->alpha_us, time->beta_us * sequences);
    double with_us = hypot(time->alpha_us, time->beta_us * (sequences + fmax(1, prompts) * fresh));

    return (1 - having) * without_us + having * with_us + each.else_us * sequences + time->host_us;
}

double
batch_enough(const struct step_time *time, const struct batch_mix *mix)
{
    struct addition each = addition_of(time, mix);
    double least = 1, most = BATCH_ENOUGH_MOST, wanted_us = (each.products_us + each.else_us) / BATCH_ENOUGH_SHARE;

    if (gap_of_whole_prompts_us(time, mix, most) > wanted_us * most)
        return INFINITY;
    for (unsigned i = 0; i < BISECTIONS; i++) {
        double middle = sqrt(least * most);

        if (gap_of_whole_prompts_us(time, mix, middle) > wanted_us * middle)
            least = middle;
        else
            most = middle;
    }
    return most;
}
