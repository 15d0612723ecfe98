#include "gateway/choice/samples.h"

#include "gateway/judging/comparison.h"

bool
samples_may_start(const struct gateway_worker *worker, const struct route_config *route)
{
    return !worker->no_missions && worker->missions + route->cascade.samples - 1 <= MISSIONS_AT_ONCE_MOST;
}

/* Who calls a tool does something else. */
static bool
agrees(const struct samples *samples, const struct sample *sample, bool *incomparable)
{
    double outcome = 0.0;

    if (sample->called)
        return false;
    if (judge_compare(&samples->rule, samples->first, buffer_content(&sample->text), &outcome) != OK)
        *incomparable = true;
    return outcome >= 1.0;
}

/* Equal texts are to every judge; but who says twice that he has no idea has nothing to be right about. */
static bool
holds_nothing(const struct samples *samples)
{
    bool reads = samples->rule.judge == JUDGE_NUMERIC || samples->rule.judge == JUDGE_JSON;
    double outcome;

    return reads && judge_compare(&samples->rule, samples->first, SLICE_NONE, &outcome) != OK;
}

static void
run(struct job *job)
{
    struct samples *samples = CONTAINER_OF(job, struct samples, job);
    unsigned agreeing = 0;

    samples->incomparable = holds_nothing(samples);
    for (unsigned i = 0; i < samples->count; i++)
        agreeing += agrees(samples, &samples->each[i], &samples->incomparable);
    samples->score = (double)agreeing / samples->count;
}

static void
job_done(struct job *job)
{
    struct samples *samples = CONTAINER_OF(job, struct samples, job);

    samples->done(samples);
}

/* Off the loop: answers may be long, and their meaning takes a while. */
static void
compare(struct samples *samples)
{
    struct world *world = worker_world(samples->worker);

    samples->job = (struct job){.run = run, .done = job_done};
    world->ops->work(world, &samples->job);
}

static void
take_answer(struct sample *sample, const struct exchange *exchange)
{
    struct flight *flight = exchange->cursor.flight;
    struct samples *samples = sample->all;

    if (mission_result(exchange) != MISSION_ANSWERED || flight->meter.text.cut || flight->opaque || flight->unread) {
        samples->missing = true;
        return;
    }
    sample->text = flight->meter.text.text;
    sample->called = flight->meter.text.called;
    buffer_init(&flight->meter.text.text);
}

/* Without one of them nothing is known: what the others would still cost is saved. They may be over on return. */
static void
answered(struct mission *mission, struct exchange *exchange)
{
    struct sample *sample = CONTAINER_OF(mission, struct sample, mission);
    struct samples *samples = sample->all;
    bool stopped = samples->missing;

    take_answer(sample, exchange);
    if (usd_known(exchange->cost))
        samples->cost += exchange->cost;
    if (--samples->under_way == 0)
        (samples->missing ? samples->done : compare)(samples);
    else if (samples->missing && !stopped)
        samples_stop(samples, "dropped: another of the further answers could not be had");
}

static void
prepare(struct samples *samples, const struct samples_about *about)
{
    const struct route_config *route = about->exchange->request.route;

    samples->worker = about->exchange->worker;
    samples->count = samples->under_way = route->cascade.samples - 1;
    samples->rule = (struct judge_rule){.judge = (enum judge)route->cascade.agree,
                                        .tolerance = route->cascade.tolerance_ppm / 1e6,
                                        .same_fields = true,
                                        .cosine_least = route->cascade.similar_ppm / 1e6};
    comparison_rule_meaning(&samples->rule, samples->worker->gateway);
    samples->missing = samples->incomparable = false;
    samples->cost = 0;
}

void
samples_ask(struct samples *samples, const struct samples_about *about)
{
    unsigned count;

    prepare(samples, about);
    count = samples->count;
    for (unsigned i = 0; i < count; i++) {
        struct sample *sample = &samples->each[i];

        *sample = (struct sample){.all = samples};
        sample->mission = (struct mission){.source = about->serves ? SOURCE_SAMPLE : SOURCE_AUDIT,
                                           .as_asked = true,
                                           .target = about->exchange->plan->target,
                                           .done = answered};
        mission_prepare(&sample->mission, about->exchange, about->exchange->identity.api, about->body);
        memcpy(sample->mission.about, about->id, sizeof(sample->mission.about));
    }
    for (unsigned i = 0; i < count; i++) /* all may be gone with the last one */
        mission_go(&samples->each[i].mission);
}

/* All may be gone with the last one that is under way. */
void
samples_stop(struct samples *samples, const char *why)
{
    unsigned left = samples->under_way;

    samples->missing = true; /* so that none of those that end now stops the others once more */
    for (struct sample *sample = samples->each; left > 0; sample++)
        if (sample->mission.exchange != NULL) {
            left--;
            mission_stop(&sample->mission, why);
        }
}

void
samples_free(struct samples *samples)
{
    for (unsigned i = 0; i < samples->count; i++)
        buffer_free(&samples->each[i].text);
}
