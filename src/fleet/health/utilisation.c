#include "fleet/health/utilisation.h"

#include <stdlib.h>

/* Sums of a replica at one moment. */
struct moment {
    usec at_us;
    double busy_us, request_us, sequence_us, track_busy_us, context_us, input_tokens, output_tokens;
};

struct past {
    struct moment steps[UTILISATION_STEPS], minutes[UTILISATION_MINUTES]; /* rings; the newest at (count - 1) % size */
    size_t step_count, minute_count;
    uint64_t sampled; /* the number of the last sample that met it */
};

struct utilisation {
    struct map by_name; /* of replicas -> struct past; as long as these are there */
    uint64_t samples;
    usec minute_us;  /* when the newest minute was written down */
    usec sampled_us; /* when the newest sample was taken; 0: none yet */
};

struct utilisation *
utilisation_new(void)
{
    struct utilisation *utilisation = must_calloc(1, sizeof(*utilisation));

    map_init(&utilisation->by_name);
    return utilisation;
}

void
utilisation_free(struct utilisation *utilisation)
{
    struct slice name;
    void *past;

    for (size_t at = 0; map_next(&utilisation->by_name, &at, &name, &past);)
        free(past);
    map_free(&utilisation->by_name);
    free(utilisation);
}

static struct past *
past_of(struct utilisation *utilisation, const struct replica *replica)
{
    struct past *past = map_get(&utilisation->by_name, slice_of(replica->name));

    if (past == NULL) {
        past = must_calloc(1, sizeof(*past));
        if (utilisation->sampled_us != 0) /* it was not there then: nothing had happened at it */
            past->steps[past->step_count++].at_us = past->minutes[past->minute_count++].at_us = utilisation->sampled_us;
        map_put(&utilisation->by_name, slice_of(replica->name), past);
    }
    return past;
}

static struct moment
moment_of(const struct replica_look *look, usec now_us)
{
    return (struct moment){
        .at_us = now_us,
        .busy_us = (double)look->totals.busy_us,
        .request_us = (double)look->totals.request_us,
        .sequence_us = look->track.sequence_us,
        .track_busy_us = look->track.busy_us,
        .context_us = look->track.context_us,
        .input_tokens = (double)look->totals.input_tokens,
        .output_tokens = (double)look->totals.output_tokens,
    };
}

static void
sample_one(struct utilisation *utilisation, struct replica *replica, bool minute, usec now_us)
{
    struct past *past = past_of(utilisation, replica);
    struct replica_look look;

    replica_look(replica, now_us, &look);
    past->steps[past->step_count++ % UTILISATION_STEPS] = moment_of(&look, now_us);
    if (minute)
        past->minutes[past->minute_count++ % UTILISATION_MINUTES] = moment_of(&look, now_us);
    past->sampled = utilisation->samples;
}

/* Of replicas that are no more. */
static void
forget(struct utilisation *utilisation)
{
    size_t at = 0;
    struct slice name;
    void *past;

    while (map_next(&utilisation->by_name, &at, &name, &past)) {
        if (((struct past *)past)->sampled == utilisation->samples)
            continue;
        free(map_take(&utilisation->by_name, name));
        at = 0; /* others may have moved */
    }
}

void
utilisation_sample(struct utilisation *utilisation, struct replicas *replicas, usec now_us)
{
    bool minute = utilisation->minute_us == 0 || now_us - utilisation->minute_us >= 60 * USEC_PER_S;
    struct slice name;
    void *replica;

    utilisation->samples++;
    if (minute)
        utilisation->minute_us = now_us;
    lock_take(&replicas->lock);
    for (size_t at = 0; map_next(&replicas->by_name, &at, &name, &replica);)
        sample_one(utilisation, replica, minute, now_us);
    lock_drop(&replicas->lock);
    forget(utilisation);
    utilisation->sampled_us = now_us;
}

static struct utilisation_window
window_of(const struct moment *from, const struct moment *to)
{
    double span_us = (double)(to->at_us - from->at_us), tracked_us = to->track_busy_us - from->track_busy_us;
    struct utilisation_window window = {0};

    if (!(span_us > 0))
        return window;
    window.seconds = span_us / USEC_PER_S;
    window.busy = (to->busy_us - from->busy_us) / span_us;
    window.requests = (to->request_us - from->request_us) / span_us;
    if (tracked_us > 0) {
        window.batch = (to->sequence_us - from->sequence_us) / tracked_us;
        window.context_tokens = (to->context_us - from->context_us) / tracked_us;
    }
    window.input_tokens = (to->input_tokens - from->input_tokens) / window.seconds;
    window.output_tokens = (to->output_tokens - from->output_tokens) / window.seconds;
    return window;
}

/* The oldest that is there. */
static const struct moment *
oldest(const struct moment *ring, size_t count, size_t size)
{
    return &ring[count > size ? count % size : 0];
}

static void
fill_busy(const struct past *past, float busy[UTILISATION_MINUTES - 1])
{
    size_t known = past->minute_count < UTILISATION_MINUTES ? past->minute_count : UTILISATION_MINUTES;

    for (size_t i = 0; i < UTILISATION_MINUTES - 1; i++) {
        size_t back = UTILISATION_MINUTES - 1 - i; /* so many minutes ago it began */

        busy[i] = -1;
        if (back < known)
            busy[i] = (float)window_of(&past->minutes[(past->minute_count - 1 - back) % UTILISATION_MINUTES],
                                       &past->minutes[(past->minute_count - back) % UTILISATION_MINUTES])
                          .busy;
    }
}

void
utilisation_look(struct utilisation *utilisation, struct replica *replica, usec now_us, struct utilisation_view *out)
{
    const struct past *past = past_of(utilisation, replica);
    struct moment now;

    *out = (struct utilisation_view){.minute = {0}};
    replica_look(replica, now_us, &out->look);
    now = moment_of(&out->look, now_us);
    if (past->step_count > 0)
        out->minute = window_of(oldest(past->steps, past->step_count, UTILISATION_STEPS), &now);
    if (past->minute_count > 0)
        out->hour = window_of(oldest(past->minutes, past->minute_count, UTILISATION_MINUTES), &now);
    fill_busy(past, out->busy);
}
