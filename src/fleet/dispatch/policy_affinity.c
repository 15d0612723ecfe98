/* affinity: each request goes where it costs least, all counted in microseconds of somebody's waiting, by the step times that
 * were learned of such engines (all of a pool are taken to be alike, so that one of which nothing was seen yet is neither
 * shunned nor rushed to), with what others have there as the engine tells:
 *
 *   the wait until the prompts before it are computed, as if none of them were begun, or what their being overdue makes
 *   expect (replica_look) where that is more; and half of the step under way;
 *   the wait for room in the engine's cache of keys and values, if it has none left: answers that end make room, the sooner
 *   the shorter they still are;
 *   computing what the engine does not know of the prompt, in steps that also decode for the others there; once for itself
 *   and once for each that it will hold up: those who come there while it waits, which are as many as stand in line there now
 *   (J. Little, A proof for the queuing formula L = lambda W, 1961). Where admission holds the line in front of all engines,
 *   nobody stands behind it at this one, and it is its own wait alone.
 *
 * So an engine that knows the prompt is left for another as soon as its queue costs more than computing anew costs all of
 * them, and not before: no bound is needed on how unevenly requests are spread. Equal costs go by rendezvous hashing of the prompt's
 * beginning, so new prompts spread, and those that begin alike meet. */
#include "fleet/dispatch/policy.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "fleet/health/told.h"

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
room_us(const struct told_load *load, double missing, double step_us)
{
    double decoding = load->requests - load->filling;

    if (missing <= 0 || load->context_tokens <= 0)
        return 0;
    return missing / load->context_tokens * step_us * (load->output_tokens / fmax(1, decoding));
}

static double
cost_us(const struct policy_ask *ask, const struct replica_look *look, double matched)
{
    const struct replica_model *model = &look->model;
    double prompt = (double)ask->wish.prompt_tokens, output = (double)ask->wish.output_tokens, known, read;
    double decoding, step_us, beside_us, line_us, behind;
    struct told_load load;

    told_load(look, &ask->wish, ask->now_us, &load);
    decoding = load.requests - load.filling;
    read = fmax(0, load.context_tokens - load.filling_tokens);
    step_us = decode_us(model, decoding, read);
    beside_us = replica_beside_us(model, decoding, read);
    known = matched * look->trust;
    behind = ask->line_is_in_front ? 0 : load.filling;
    line_us = load.filling_tokens > 0 ? (double)replica_fill_us(model, load.filling_tokens, 0, beside_us) : 0;
    return fmax(line_us, (double)look->wait_us) + step_us / 2 +
           room_us(&load, load.context_tokens + prompt + output - (double)model->kv_tokens, step_us) +
           (1 + behind) * (double)replica_fill_us(model, fmax(1, prompt - known), known, beside_us);
}

static void
choose_cheapest(const struct policy_ask *ask, struct policy_choice *out)
{
    unsigned blocks[POLICY_SEATS_MOST];
    uint64_t key = ask->chain != NULL && ask->chain->count > 0 ? ask->chain->blocks[0].hash : ask->lot, highest = 0;
    struct replica_look look;
    struct step_time time;
    bool learned = ask->fit != NULL && shared_fit_time(ask->fit, &time);

    policy_match(ask, blocks);
    *out = (struct policy_choice){.cost_us = DBL_MAX, .second_cost_us = DBL_MAX};
    out->seat = out->second = ask->open[0];
    for (unsigned i = 0; i < ask->open_count; i++) {
        unsigned seat = ask->open[i];
        uint64_t height = policy_rendezvous(ask, seat, key);
        int64_t matched = ask->chain != NULL ? prefix_chain_tokens(ask->chain, blocks[i], ask->wish.prompt_tokens) : 0;
        double cost;

        replica_look(ask->seats[seat].replica, ask->now_us, &look);
        if (learned)
            look.model.time = time;
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
