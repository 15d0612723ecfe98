#include "gateway/watch/probes.h"

#include <stdlib.h>

#include "gateway/watch/question.h"

/* A server that works hard may be slow to say that it is well. */
static const usec PATIENCE_US = 5 * USEC_PER_S;
enum { ANSWER_BYTES_MOST = 64 * 1024 };

struct probe {
    struct question question;
    struct timer timer;
    struct view *view;
    const struct backend_config *backend;
    const struct endpoint *endpoint;
    struct health *health;
    usec asked_us;
};

struct probes {
    struct view *view; /* held */
    size_t count;
    struct probe all[];
};

static struct world *
world_of(const struct probe *probe)
{
    return worker_world(probe->view->worker);
}

/* Servers that load say 503 (llama.cpp: "Loading model"). One that has no such page, or asks for a key, is there. */
static enum pulse_answer
read_answer(const struct question *question, const char *failure)
{
    if (failure != NULL)
        return PULSE_BAD;
    if (question->status == 503)
        return PULSE_NOT_YET;
    return question->status >= 500 ? PULSE_BAD : PULSE_GOOD;
}

static void
tell_change(const struct probe *probe, const char *failure)
{
    struct gateway_worker *worker = probe->view->worker;
    enum pulse_state state = pulse_state(&probe->health->pulse, world_now_us(world_of(probe)));
    const char *name = probe->health->name;

    if (state == PULSE_UP)
        log_line(worker->gateway->log, LOG_INFO, "%s (backend %s) is up", name, probe->backend->name);
    else if (state == PULSE_LOADING)
        log_line(worker->gateway->log, LOG_INFO, "%s (backend %s) is loading", name, probe->backend->name);
    else if (failure != NULL)
        log_line(worker->gateway->log, LOG_WARN, "%s (backend %s) is down: %s", name, probe->backend->name, failure);
    else
        log_line(worker->gateway->log, LOG_WARN, "%s (backend %s) is down: %s says HTTP %u", name, probe->backend->name,
                 probe->backend->health_path, probe->question.status);
}

static void
answered(struct question *question, const char *failure)
{
    struct probe *probe = CONTAINER_OF(question, struct probe, question);
    struct world *world = world_of(probe);
    enum pulse_answer answer = read_answer(question, failure);
    usec every_us = probe->backend->probe_us;

    count(&probe->view->worker->counters, answer == PULSE_GOOD ? COUNT_PROBES : COUNT_PROBES_FAILED, 1);
    if (health_told(probe->health, answer, probe->asked_us, world_now_us(world), every_us))
        tell_change(probe, failure);
    world_timer_start(world, &probe->timer,
                      every_us - every_us / 10 + (usec)(world_random(world) % (uint64_t)(every_us / 5 + 1)));
}

static void
ask(struct timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

    probe->asked_us = world_now_us(world_of(probe));
    question_ask(&probe->question, probe->view,
                 &(struct question_about){.backend = probe->backend,
                                          .endpoint = probe->endpoint,
                                          .target = slice_of(probe->backend->health_path),
                                          .bytes_most = ANSWER_BYTES_MOST,
                                          .patience_us = PATIENCE_US});
}

static size_t
count_probed(const struct config *config)
{
    size_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++)
        count += config->backends[i].health_path != NULL ? config->backends[i].endpoint_count : 0;
    return count;
}

/* The first is asked at once: a replica that does not answer is to be known before it costs a request its time. */
static void
start(struct probes *probes, const struct backend_config *backend, size_t endpoint)
{
    struct probe *probe = &probes->all[probes->count++];

    probe->view = probes->view;
    probe->backend = backend;
    probe->endpoint = &backend->endpoints[endpoint];
    probe->health = healths_place(&probes->view->worker->gateway->healths, probe->endpoint);
    healths_hold_place(&probes->view->worker->gateway->healths, probe->health, NULL);
    probe->question.answered = answered;
    probe->timer.fire = ask;
    world_timer_start(world_of(probe), &probe->timer, 0);
}

struct probes *
probes_start(struct gateway_worker *worker)
{
    const struct config *config = worker->view->config;
    struct probes *probes = must_calloc(1, sizeof(*probes) + count_probed(config) * sizeof(probes->all[0]));

    probes->view = view_hold(worker->view);
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; config->backends[i].health_path != NULL && j < config->backends[i].endpoint_count; j++)
            start(probes, &config->backends[i], j);
    return probes;
}

void
probes_stop(struct probes *probes)
{
    for (size_t i = 0; i < probes->count; i++) {
        world_timer_stop(world_of(&probes->all[i]), &probes->all[i].timer);
        question_drop(&probes->all[i].question);
        healths_let_place_go(&probes->view->worker->gateway->healths, probes->all[i].health, NULL);
    }
    view_release(probes->view);
    free(probes);
}
