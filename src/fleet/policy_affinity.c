/* affinity: each request goes where it costs least, all counted in microseconds of somebody's waiting:
 *
 *   the wait until the prompts before it are computed, as if none of them were begun, or what their being overdue makes
 *   expect (replica_look) where that is more; and half of the step under way;
 *   the wait for room in the engine's cache of keys and values, if it has none left: answers that end make room, the sooner
 *   the shorter they still are;
 *   computing what the engine does not know of the prompt, in steps that also decode for the others there.
 *
 * So an engine that knows the prompt is left for another as soon as its queue costs more than computing anew, and not
 * before: no bound is needed on how unevenly requests are spread. Equal costs go by rendezvous hashing of the prompt's
 * beginning, so new prompts spread, and those that begin alike meet. */
#include "fleet/policy.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"

/* A step that only decodes, at that load. */
static double
decode_us(const struct replica_model *model, double sequences, double kv_tokens)
{
    const struct step_time *time = &model->time;

    return hypot(time->alpha_us, time->beta_us * sequences) + time->host_us +
           replica_beside_us(model, sequences, kv_tokens);
}

/* Until so many tokens of context are given back by answers that end. */
static double
room_us(const struct replica_now *now, double missing, double step_us)
{
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
    double decoding = (double)(now->requests - now->filling), context = (double)now->context_tokens;
    double step_us = decode_us(model, decoding, context - (double)now->filling_tokens);
    double beside_us = replica_beside_us(model, decoding, context - (double)now->filling_tokens);
    double known = matched * look->trust, queued = (double)now->filling_tokens;
    double line_us = queued > 0 ? (double)replica_fill_us(model, queued, 0, beside_us) : 0;

    return fmax(line_us, (double)look->wait_us) + step_us / 2 +
           room_us(now, context + prompt + output - (double)model->kv_tokens, step_us) +
           (double)replica_fill_us(model, fmax(1, prompt - known), known, beside_us);
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
        uint64_t height = policy_rendezvous(ask, seat, key);
        int64_t matched = ask->chain != NULL ? prefix_chain_tokens(ask->chain, blocks[i], ask->wish.prompt_tokens) : 0;
        double cost;

        replica_look(ask->seats[seat].replica, ask->now_us, &look);
        cost = cost_us(ask, &look, (double)matched);
        if (cost < out->cost_us || (cost <= out->cost_us && height > highest)) {
            *out = (struct policy_choice){seat, out->seat, cost, out->cost_us, blocks[i], matched};
            highest = height;
        } else if (cost < out->second_cost_us) {
            out->second = seat;
            out->second_cost_us = cost;
        }
    }
    if (out->second_cost_us >= DBL_MAX)
        out->second = out->seat;
}

const struct policy_ops policy_affinity = {.name = "affinity", .reads_prompt = true, .choose = choose_cheapest};
