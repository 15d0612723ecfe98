#include "gateway/watch/scrape.h"

#include <stdio.h>
#include <stdlib.h>

#include "fleet/health/metrics_page.h"
#include "fleet/health/told.h"
#include "gateway/attempt/admit.h"
#include "gateway/watch/question.h"

/* An engine that works hard may be slow to tell. */
static const usec PATIENCE_US = 5 * USEC_PER_S;

/* A replica that shows nothing is asked less often. */
static const usec RARELY_US = 30 * USEC_PER_S;

/* Larger pages are read on another thread: some 300 MB/s are read. */
enum { HERE_BYTES_MOST = 128 * 1024, SLOTS_BYTES_MOST = 1024 * 1024, WORDS_SIZE = 256 };

/* What is asked for now. */
enum phase { PHASE_PAGE, PHASE_SLOTS };

struct scrape {
    struct question question;
    struct timer timer;
    struct job job; /* reads a large page */
    struct scrapes *scrapes;
    const struct backend_config *backend;
    const struct endpoint *endpoint;
    struct replica *replica;
    enum phase phase;
    struct told_memory memory;
    struct engine_told told;
    enum status status; /* of the page */
    unsigned line;
    const char *why;
    bool reading;  /* on another thread */
    bool no_slots; /* it does not show them */
    bool failing;  /* said so already */
};

struct scrapes {
    struct view *view; /* held */
    bool stopped;
    unsigned reading;
    size_t count;
    struct scrape all[];
};

static struct world *
world_of(const struct scrape *scrape)
{
    return worker_world(scrape->scrapes->view->worker);
}

/* A tenth more or less each time, so that the replicas of a fleet are not all asked in one moment. */
static usec
jittered(struct world *world, usec span_us)
{
    return span_us - span_us / 10 + (usec)(world_random(world) % (uint64_t)(span_us / 5 + 1));
}

static void
again(struct scrape *scrape, usec after_us)
{
    world_timer_start(world_of(scrape), &scrape->timer, jittered(world_of(scrape), after_us));
}

/* Said once, and again when it was mended in between. */
static void
fail(struct scrape *scrape, const char *why)
{
    struct gateway_worker *worker = scrape->scrapes->view->worker;

    count(&worker->counters, COUNT_SCRAPES_FAILED, 1);
    log_line(worker->gateway->log, scrape->failing ? LOG_DEBUG : LOG_WARN, "backend %s: no metrics of %s: %s",
             scrape->backend->name, scrape->replica->name, why);
    scrape->failing = true;
}

static void
tell(struct scrape *scrape)
{
    struct gateway_worker *worker = scrape->scrapes->view->worker;
    usec now_us = world_now_us(world_of(scrape));
    struct replica_look look;
    struct replica_told told;

    told_fill(&scrape->memory, &scrape->told, now_us);
    replica_look(scrape->replica, now_us, &look);
    told_next(&look.told, &scrape->told, now_us, &told);
    replica_tell(scrape->replica, &told);
    count(&worker->counters, COUNT_SCRAPES, 1);
    if (scrape->failing)
        log_line(worker->gateway->log, LOG_INFO, "backend %s: %s shows its metrics again", scrape->backend->name,
                 scrape->replica->name);
    scrape->failing = false;
    admit_told(worker, scrape->backend);
    again(scrape, scrape->backend->scrape_us);
}

static void
ask_for(struct scrape *scrape, enum phase phase, struct slice target, size_t bytes_most)
{
    scrape->phase = phase;
    question_ask(&scrape->question, scrape->scrapes->view,
                 &(struct question_about){.backend = scrape->backend,
                                          .endpoint = scrape->endpoint,
                                          .target = target,
                                          .bytes_most = bytes_most,
                                          .patience_us = PATIENCE_US});
}

static void
ask_for_slots(struct scrape *scrape)
{
    struct buffer target = {0};

    buffer_printf(&target, "%s/slots", scrape->backend->base_path);
    ask_for(scrape, PHASE_SLOTS, buffer_content(&target), SLOTS_BYTES_MOST);
    buffer_free(&target);
}

static void
page_read(struct scrape *scrape)
{
    char words[WORDS_SIZE];

    if (scrape->status != OK) {
        snprintf(words, sizeof(words), "line %u of its page: %s", scrape->line, scrape->why);
        fail(scrape, words);
        again(scrape, scrape->backend->scrape_us);
    } else if (scrape->backend->engine == ENGINE_LLAMACPP && !scrape->no_slots && scrape->told.of[TOLD_KV_SHARE] < 0) {
        ask_for_slots(scrape);
    } else {
        tell(scrape);
    }
}

static void
read_page(struct scrape *scrape)
{
    scrape->status = engine_metrics_read(scrape->backend->engine, buffer_content(&scrape->question.answer),
                                         &scrape->told, &scrape->line, &scrape->why);
}

static void
run_read(struct job *job)
{
    read_page(CONTAINER_OF(job, struct scrape, job));
}

static void
scrapes_free(struct scrapes *scrapes)
{
    for (size_t i = 0; i < scrapes->count; i++) {
        question_drop(&scrapes->all[i].question);
        healths_let_place_go(&scrapes->view->worker->gateway->healths, NULL, scrapes->all[i].replica);
    }
    view_release(scrapes->view);
    free(scrapes);
}

static void
read_done(struct job *job)
{
    struct scrape *scrape = CONTAINER_OF(job, struct scrape, job);
    struct scrapes *scrapes = scrape->scrapes;

    scrape->reading = false;
    scrapes->reading--;
    if (!scrapes->stopped)
        page_read(scrape);
    else if (scrapes->reading == 0)
        scrapes_free(scrapes);
}

static void
page_here(struct scrape *scrape)
{
    if (buffer_len(&scrape->question.answer) <= HERE_BYTES_MOST) {
        read_page(scrape);
        page_read(scrape);
        return;
    }
    scrape->reading = true;
    scrape->scrapes->reading++;
    scrape->job = (struct job){.run = run_read, .done = read_done};
    world_of(scrape)->ops->work(world_of(scrape), &scrape->job);
}

/* It may not show them (--no-slots, 501), or only to whom it knows. */
static void
slots_here(struct scrape *scrape, const char *failure)
{
    struct question *question = &scrape->question;

    scrape->no_slots = failure == NULL && question->status != 200;
    if (failure == NULL && question->status == 200 &&
        engine_slots_read(buffer_content(&question->answer), &scrape->told.of[TOLD_KV_SHARE]) != OK)
        scrape->no_slots = true;
    tell(scrape);
}

static void
answered(struct question *question, const char *failure)
{
    struct scrape *scrape = CONTAINER_OF(question, struct scrape, question);
    char words[WORDS_SIZE];

    if (scrape->phase == PHASE_SLOTS) {
        slots_here(scrape, failure);
    } else if (failure != NULL) {
        fail(scrape, failure);
        again(scrape, scrape->backend->scrape_us);
    } else if (question->status != 200) {
        snprintf(words, sizeof(words), "%s says HTTP %u", scrape->backend->metrics_path, question->status);
        fail(scrape, words);
        again(scrape, question->status >= 500 ? scrape->backend->scrape_us : RARELY_US);
    } else {
        page_here(scrape);
    }
}

static void
ask(struct timer *timer)
{
    struct scrape *scrape = CONTAINER_OF(timer, struct scrape, timer);

    replica_ask(scrape->replica);
    ask_for(scrape, PHASE_PAGE, slice_of(scrape->backend->metrics_path), METRICS_PAGE_BYTES_MOST);
}

static size_t
count_scraped(const struct config *config)
{
    size_t count = 0;

    for (size_t i = 0; i < config->backend_count; i++)
        count += config->backends[i].metrics_path != NULL ? config->backends[i].endpoint_count : 0;
    return count;
}

static void
start(struct scrapes *scrapes, const struct backend_config *backend, size_t endpoint)
{
    struct scrape *scrape = &scrapes->all[scrapes->count++];
    struct gateway_worker *worker = scrapes->view->worker;

    scrape->scrapes = scrapes;
    scrape->backend = backend;
    scrape->endpoint = &backend->metrics_endpoints[endpoint];
    scrape->replica = healths_replica(&worker->gateway->healths, backend, endpoint);
    healths_hold_place(&worker->gateway->healths, NULL, scrape->replica);
    scrape->question.answered = answered;
    scrape->timer.fire = ask;
    /* Anywhere within the first interval, for the same reason. */
    world_timer_start(world_of(scrape), &scrape->timer,
                      (usec)(world_random(world_of(scrape)) % (uint64_t)backend->scrape_us));
}

struct scrapes *
scrapes_start(struct gateway_worker *worker)
{
    const struct config *config = worker->view->config;
    struct scrapes *scrapes = must_calloc(1, sizeof(*scrapes) + count_scraped(config) * sizeof(scrapes->all[0]));

    scrapes->view = view_hold(worker->view);
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; config->backends[i].metrics_path != NULL && j < config->backends[i].endpoint_count; j++)
            start(scrapes, &config->backends[i], j);
    return scrapes;
}

/* A page that is being read on another thread is waited for, and forgotten. */
void
scrapes_stop(struct scrapes *scrapes)
{
    scrapes->stopped = true;
    for (size_t i = 0; i < scrapes->count; i++) {
        struct scrape *scrape = &scrapes->all[i];

        world_timer_stop(world_of(scrape), &scrape->timer);
        if (!scrape->reading)
            question_drop(&scrape->question);
    }
    if (scrapes->reading == 0)
        scrapes_free(scrapes);
}
