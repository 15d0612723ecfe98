#include "fleet/engine/engine_track.h"

#include <math.h>

/* How a moment is split while anything is there. */
struct split {
    double sequences, contexts, prompts; /* add up to 1 */
};

/* As many steps as if the model had been right of them count before any was seen, and what was seen fades when it is so many. */
static const double STEPS_BEFORE = 64, STEPS_FADE_AT = 8192;

static double
product_us(const struct step_time *time, double tokens)
{
    return hypot(time->alpha_us, time->beta_us * tokens);
}

static double
room_beside(struct engine_view view, double decoding)
{
    return fmax((double)view.step_tokens_most - decoding, 1);
}

static struct split
split_of(const struct engine_track *track, struct engine_view view, double context)
{
    const struct step_time *time = view.time;
    double decoding = (double)track->decoding, fresh = fmin(track->fresh, (double)view.step_tokens_most), sum;
    struct split split = {0};

    if (track->decoding > 0) {
        split.sequences = product_us(time, decoding) + time->host_us + time->gamma_us * decoding;
        split.contexts = time->delta_us * context;
    }
    if (track->filling > 0) /* the half of a chunk is its mean distance from its beginning */
        split.prompts = product_us(time, decoding + fresh) - (track->decoding > 0 ? product_us(time, decoding) : 0) +
                        time->epsilon_us * fresh * track->fresh / 2 + time->gamma_us;
    sum = split.sequences + split.contexts + split.prompts;
    if (!(sum > 0)) { /* a model that knows nothing */
        double all = (double)(track->decoding + track->filling);

        return (struct split){.sequences = decoding / all, .prompts = (double)track->filling / all};
    }
    split.sequences /= sum;
    split.contexts /= sum;
    split.prompts /= sum;
    return split;
}

/* While prompts wait, each step takes as much of them as it has room for. */
static double
step_us(const struct engine_track *track, struct engine_view view, double context)
{
    const struct step_time *time = view.time;
    double decoding = (double)track->decoding, chunk = fmin(track->fresh, room_beside(view, decoding));
    double deep = track->filling > 0 ? track->fresh / (double)track->filling / 2 : 0;

    return product_us(time, decoding + chunk) + time->host_us + time->gamma_us * decoding + time->delta_us * context +
           time->epsilon_us * chunk * deep;
}

/* Answers that ended tell how many steps there really were: engines have no seat for some who wait, and models err. */
static double
steps_trust(const struct engine_track *track)
{
    return (track->steps_seen + STEPS_BEFORE) / (track->steps_thought + STEPS_BEFORE);
}

static void
learn_steps(struct engine_track *track, double seen, double thought)
{
    track->steps_seen += seen;
    track->steps_thought += thought;
    if (track->steps_thought > STEPS_FADE_AT || track->steps_seen > STEPS_FADE_AT) {
        track->steps_seen /= 2;
        track->steps_thought /= 2;
    }
}

void
engine_track_advance(struct engine_track *track, struct engine_view view, usec now_us)
{
    struct engine_clocks *clocks = &track->clocks;
    double span = (double)(now_us - track->at_us), context = engine_track_context(track), decoding;
    double one_us = track->decoding > 0 ? step_us(track, view, context) : 0, modelled, steps;
    struct split split;

    if (span <= 0)
        return;
    track->at_us = now_us;
    if (track->decoding + track->filling == 0)
        return;
    decoding = (double)track->decoding;
    modelled = one_us > 0 ? span / one_us : 0;
    steps = modelled * steps_trust(track);
    context += decoding * steps / 2; /* in the middle */
    split = split_of(track, view, context);
    clocks->sequences += span * decoding;
    clocks->contexts += span * context;
    if (track->decoding > 0)
        clocks->a_sequence += span * split.sequences / decoding;
    if (context > 0) {
        clocks->a_context += span * split.contexts / context;
        clocks->context_steps += span * split.contexts / context * (track->steps + steps / 2);
    }
    if (track->fresh > 0)
        clocks->a_fresh += span * split.prompts / track->fresh;
    track->steps += steps;
    track->modelled_steps += modelled;
    track->busy_us += span;
    track->sequence_us += span * decoding;
    track->context_us += span * context;
}

/* The steps in which a prompt is computed, beside the sequences that decode. */
static void
add_chunks(struct step_sum *sum, struct engine_view view, double decoding, double context, int64_t prompt,
           int64_t cached, double *tokens_a_step)
{
    double fresh = (double)(prompt - cached), times = ceil(fresh / room_beside(view, decoding));

    *tokens_a_step = decoding + fresh / times;
    step_sum_add(sum, view.time, times, *tokens_a_step, context, (double)step_attended(cached, prompt - cached) / times,
                 decoding + 1);
}

/* Prompts whose first tokens came at about one time were in one step: no step is shorter than one that only decodes. */
static bool
came_together(const struct engine_arrivals *last, struct engine_view view, usec now_us)
{
    return last->at_us != 0 && (double)(now_us - last->at_us) < product_us(view.time, last->decoding) / 2;
}

/* Who waits behind others has the beginning of its prompt computed in their last step, so that no step has room to spare. */
static void
count_arrivals(struct engine_track *track, struct engine_view view)
{
    struct engine_arrivals *last = &track->last;
    double room = room_beside(view, last->decoding), full = last->fresh / room;
    double steps = fmax(last->waited ? full : ceil(full), 1);

    step_sum_take(&track->chunks, &last->sum);
    last->sum = (struct step_sum){.steps = 0};
    step_sum_add(&last->sum, view.time, steps, last->decoding + last->fresh / steps, last->context,
                 last->attended / steps, last->decoding + fmax(last->prompts / steps, 1));
    step_sum_join(&track->chunks, &last->sum);
}

/* The first token of a prompt is here. */
static void
arrive(struct engine_track *track, struct engine_view view, const struct engine_turn *turn, usec now_us)
{
    struct engine_arrivals *last = &track->last;

    if (!came_together(last, view, now_us))
        *last = (struct engine_arrivals){.at_us = now_us,
                                         .waited = turn->taken_us < last->at_us,
                                         .decoding = (double)track->decoding,
                                         .context = engine_track_context(track)};
    last->prompts++;
    last->fresh += (double)(turn->prompt - turn->cached);
    last->attended += (double)step_attended(turn->cached, turn->prompt - turn->cached);
    count_arrivals(track, view);
}

static void
set_tokens(struct engine_turn *turn, int64_t prompt, int64_t cached)
{
    turn->prompt = prompt > 0 ? prompt : 1;
    turn->cached = cached < 0 ? 0 : cached < turn->prompt ? cached : turn->prompt - 1;
}

/* From here on it decodes. */
static void
begin(struct engine_track *track, struct engine_view view, struct engine_turn *turn, usec now_us)
{
    double tokens_a_step;

    if (turn->streams)
        arrive(track, view, turn, now_us);
    else
        add_chunks(&track->chunks, view, (double)track->decoding, engine_track_context(track), turn->prompt,
                   turn->cached, &tokens_a_step);
    turn->begun = true;
    turn->begun_us = now_us;
    turn->at_begun = track->clocks;
    turn->chunks = track->chunks;
    turn->steps = track->steps;
    turn->modelled_steps = track->modelled_steps;
    track->decoding++;
    track->context_base += (double)turn->prompt - track->steps;
}

void
engine_track_take(struct engine_track *track, struct engine_view view, struct engine_turn *turn, int64_t prompt,
                  int64_t cached, bool streams, usec now_us)
{
    engine_track_advance(track, view, now_us);
    if (track->decoding + track->filling == 0) { /* nobody holds a sum of before */
        track->clocks = (struct engine_clocks){0};
        track->chunks = (struct step_sum){0};
        track->last = (struct engine_arrivals){0};
        track->steps = track->modelled_steps = track->context_base = track->fresh = 0;
        track->at_us = now_us;
    }
    *turn = (struct engine_turn){
        .here = true, .streams = streams, .alone = track->filling == 0, .taken_us = now_us, .taken = ++track->taken};
    set_tokens(turn, prompt, cached);
    turn->at_taken = track->clocks;
    if (!streams) {
        begin(track, view, turn, now_us);
        return;
    }
    track->filling++;
    track->fresh += (double)(turn->prompt - turn->cached);
}

static void
stop_filling(struct engine_track *track, const struct engine_turn *turn)
{
    track->filling--;
    track->fresh -= (double)(turn->prompt - turn->cached);
    if (track->filling == 0)
        track->fresh = 0;
}

void
engine_track_begun(struct engine_track *track, struct engine_view view, struct engine_turn *turn, usec now_us)
{
    if (!turn->here || turn->begun)
        return;
    engine_track_advance(track, view, now_us);
    stop_filling(track, turn);
    turn->alone &= turn->taken == track->taken;
    begin(track, view, turn, now_us);
}

/* What it saw of others in some span of its own. */
struct seen {
    double sequences, contexts;
};

static struct seen
seen_between(const struct engine_clocks *from, const struct engine_clocks *to, double span)
{
    if (!(span > 0))
        return (struct seen){0, 0};
    return (struct seen){(to->sequences - from->sequences) / span, (to->contexts - from->contexts) / span};
}

/* On the way to its first token it met the step under way, half of it in the mean, and then its own. */
static void
sample_first(struct engine_view view, const struct engine_turn *turn, struct engine_sample *out)
{
    double span = (double)(turn->begun_us - turn->taken_us);
    struct seen seen = seen_between(&turn->at_taken, &turn->at_begun, span);

    if (!turn->alone || !turn->streams || !(span > 0))
        return;
    add_chunks(&out->sum, view, seen.sequences, seen.contexts, turn->prompt, turn->cached, &out->tokens_a_step);
    if (seen.sequences > 0.5)
        step_sum_add(&out->sum, view.time, 0.5, seen.sequences, seen.contexts, 0, seen.sequences);
    out->seen_us = span;
    out->from_sent = true;
}

/* There were no more steps than that, so what was computed of prompts was in those. */
static void
pack(struct step_sum *chunks, struct engine_view view, double steps, struct seen seen)
{
    double fresh = fmax(chunks->tokens - chunks->steps * seen.sequences, 0);
    double prompts = fmax(chunks->sequences - chunks->steps * seen.sequences, 0), attended = chunks->attended;

    *chunks = (struct step_sum){.steps = 0};
    step_sum_add(chunks, view.time, steps, seen.sequences + fresh / steps, seen.contexts, attended / steps,
                 seen.sequences + prompts / steps);
}

static void
sample_rest(const struct engine_track *track, struct engine_view view, const struct engine_turn *turn, int64_t output,
            struct engine_sample *out)
{
    double span = (double)(track->at_us - turn->begun_us), steps = (double)(output - 1), tokens_a_step;
    struct seen seen = seen_between(&turn->at_begun, &track->clocks, span);
    struct step_sum chunks = track->chunks;

    if (output <= ENGINE_STEPS_LEAST || !(span > 0))
        return;
    if (!turn->streams)
        add_chunks(&chunks, view, seen.sequences, seen.contexts, turn->prompt, turn->cached, &tokens_a_step);
    step_sum_take(&chunks, &turn->chunks);
    if (chunks.steps > steps)
        pack(&chunks, view, steps, seen);
    else
        step_sum_add(&out->sum, view.time, steps - chunks.steps, seen.sequences, seen.contexts, 0, seen.sequences);
    step_sum_join(&out->sum, &chunks);
    out->tokens_a_step = seen.sequences;
    out->seen_us = span;
    out->from_sent = !turn->streams;
}

double
engine_track_share_us(const struct engine_track *track, const struct engine_turn *turn)
{
    const struct engine_clocks *now = &track->clocks, *begun = &turn->at_begun;
    double fresh = (double)(turn->prompt - turn->cached);

    if (!turn->here)
        return 0;
    if (!turn->begun)
        return fresh * (now->a_fresh - turn->at_taken.a_fresh);
    return (turn->streams ? fresh * (begun->a_fresh - turn->at_taken.a_fresh) : 0) +
           (now->a_sequence - begun->a_sequence) +
           ((double)turn->prompt - turn->steps) * (now->a_context - begun->a_context) + now->context_steps -
           begun->context_steps;
}

static void
leave(struct engine_track *track, struct engine_turn *turn)
{
    if (turn->begun) {
        track->decoding--;
        track->context_base -= (double)turn->prompt - turn->steps;
    } else {
        stop_filling(track, turn);
    }
    ENSURE(track->decoding >= 0 && track->filling >= 0);
    turn->here = false;
}

void
engine_track_end(struct engine_track *track, struct engine_view view, struct engine_turn *turn, int64_t prompt,
                 int64_t cached, int64_t output, bool failed, usec now_us, struct engine_lesson *out)
{
    *out = (struct engine_lesson){.share_us = 0};
    if (!turn->here)
        return;
    engine_track_advance(track, view, now_us);
    out->share_us = fmax(engine_track_share_us(track, turn), 0);
    leave(track, turn);
    if (failed)
        track->warm = 0;
    if (failed || output < 0 || !turn->begun)
        return;
    if (track->warm < ENGINE_WARM_UP) {
        track->warm++;
        return;
    }
    if (turn->streams) /* of no tokens there was no step either: a prompt that was only to be kept */
        learn_steps(track, fmax((double)(output - 1), 0), track->modelled_steps - turn->modelled_steps);
    if (prompt > 0)
        set_tokens(turn, prompt, cached >= 0 ? cached : turn->cached);
    sample_first(view, turn, &out->first_token);
    sample_rest(track, view, turn, output, &out->rest);
}

void
engine_fit_learn_lesson(struct engine_fit *fit, const struct engine_lesson *lesson)
{
    const struct engine_sample *first = &lesson->first_token, *rest = &lesson->rest;

    const struct engine_sample *const samples[] = {first, rest};

    for (size_t i = 0; i < 2; i++) {
        const struct engine_sample *sample = samples[i];

        if (sample->seen_us > 0 &&
            engine_fit_learn(fit, &sample->sum, sample->tokens_a_step, sample->from_sent, sample->seen_us) &&
            !sample->from_sent)
            engine_curve_add(&fit->curve, sample->tokens_a_step, sample->seen_us / sample->sum.steps);
    }
}
