/* affinity: each request goes where it costs least, all counted in milliseconds of somebody's waiting. */
#include "fleet/policy.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"

/* A millisecond by which somebody's later tokens come later, in milliseconds by which somebody's first does. */
static const double LATER_TOKENS = 0.3;

struct bid {
    double cost_us;
    int64_t matched;
};

/* A step that only decodes, at that load. */
static double
decode_us(const struct replica_model *model, double sequences, double kv_tokens)
{
    const struct step_time *time = &model->time;

    return hypot(time->alpha_us, time->beta_us * sequences) + time->delta_us * kv_tokens + time->gamma_us * sequences +
           time->host_us;
}

/* Until `fresh` tokens of prompts are computed, in steps which decode for the others too. */
static double
fill_us(const struct replica_model *model, double fresh, double before, double beside_us)
{
    const struct step_time *time = &model->time;
    double steps = fmax(1, fresh / (double)model->step_tokens_most);

    return steps * (hypot(time->alpha_us, time->beta_us * fresh / steps) + beside_us + time->host_us) +
           time->epsilon_us * (fresh * before + fresh * fresh / 2);
}

/* Until so many tokens of context are given back by answers that end. */
static double
room_us(const struct replica_look *look, double missing, double step_us)
{
    const struct replica_now *now = &look->now;
    double decoding = (double)(now->requests - now->filling);

    if (missing <= 0 || now->context_tokens == 0)
        return 0;
    return missing / (double)now->context_tokens * step_us * ((double)now->output_tokens / fmax(1, decoding));
}

static double
cost_us(const struct policy_ask *ask, const struct replica_look *look, double matched)
{
    const struct replica_now *now = &look->now;
    const struct replica_model *model = &look->model;
    double prompt = (double)ask->wish.prompt_tokens, output = (double)ask->wish.output_tokens;
    double fresh = fmax(1, prompt - matched), decoding = (double)(now->requests - now->filling);
    double context = (double)now->context_tokens;
    double step_us = decode_us(model, decoding, context);
    double beside_us = step_us - model->time.alpha_us;
    double queued = (double)now->filling_tokens;
    double wait_us = fill_us(model, queued, 0, beside_us) * (queued > 0) + step_us / 2;
    double own_us = fill_us(model, fresh, matched, beside_us);
    double slower_us = decode_us(model, decoding + 1, context + prompt) - step_us;

    wait_us += room_us(look, context + prompt + output - (double)model->kv_tokens, step_us);
    return wait_us + own_us * (1 + LATER_TOKENS * decoding) + LATER_TOKENS * slower_us * output * (decoding + 1);
}

static void
choose_cheapest(const struct policy_ask *ask, struct policy_choice *out)
{
    unsigned blocks[POLICY_SEATS_MOST];
    uint64_t key = ask->chain != NULL && ask->chain->count > 0 ? ask->chain->blocks[0].hash : ask->lot, highest = 0;
    struct replica_look look;

    policy_match(ask, blocks);
    *out = (struct policy_choice){.cost_us = DBL_MAX, .second_cost_us = DBL_MAX};
    out->seat = out->second = ask->open[0];
    for (unsigned i = 0; i < ask->open_count; i++) {
        unsigned seat = ask->open[i];
        struct bid bid = {0};
        uint64_t height = policy_rendezvous(ask, seat, key);

        replica_look(ask->seats[seat].replica, ask->now_us, &look);
        if (ask->chain != NULL)
            bid.matched = prefix_chain_tokens(ask->chain, blocks[i], ask->wish.prompt_tokens);
        bid.cost_us = cost_us(ask, &look, (double)bid.matched);
        if (bid.cost_us < out->cost_us || (bid.cost_us <= out->cost_us && height > highest)) {
            out->second = out->seat;
            out->second_cost_us = out->cost_us;
            out->seat = seat;
            out->cost_us = bid.cost_us;
            out->matched_tokens = bid.matched;
            highest = height;
        } else if (bid.cost_us < out->second_cost_us) {
            out->second = seat;
            out->second_cost_us = bid.cost_us;
        }
    }
    if (out->second_cost_us >= DBL_MAX)
        out->second = out->seat;
}

const struct policy_ops policy_affinity = {.name = "affinity", .reads_prompt = true, .choose = choose_cheapest};
