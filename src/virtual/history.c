#include "virtual/inside.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/hash.h"

static const usec hop_usual_us = 300;
static const usec rest_within_us = 3600 * USEC_PER_S;
static const uint64_t rest_within_steps = 1000000;

static void
set_clocks(struct history *history)
{
    const usec year_us = 365 * 86400 * USEC_PER_S;

    history->start_us = history->now_us = 1 + (usec)rng_below(&history->rng, (uint64_t)year_us);
    if (history->options.wall_us == 0)
        history->options.wall_us = 56 * year_us + (usec)rng_below(&history->rng, (uint64_t)year_us);
    history->wall_offset_us = history->options.wall_us - history->now_us;
}

static void
make_workers(struct history *history)
{
    unsigned count = history->options.workers;

    history->workers = must_calloc(count, sizeof(*history->workers));
    for (unsigned i = 0; i < count; i++)
        history->workers[i] = virtual_world_new(history, i, count);
    for (unsigned i = 0; i < count; i++)
        history->workers[i]->peers = history->workers;
}

struct history *
history_new(struct history_options options)
{
    struct history *history = must_calloc(1, sizeof(*history));

    if (options.workers == 0)
        options.workers = 1;
    if (options.hop_most_us == 0)
        options.hop_most_us = hop_usual_us;
    history->options = options;
    rng_seed(&history->rng, options.seed);
    timers_init(&history->timers);
    timers_init(&history->events);
    history->log.lines = must_calloc(LOG_LINES, LOG_LINE_SIZE);
    list_init(&history->worlds);
    list_init(&history->clients);
    list_init(&history->calls);
    list_init(&history->backends);
    list_init(&history->posts);
    list_init(&history->jobs);
    list_init(&history->known_commands);
    list_init(&history->running_commands);
    list_init(&history->dead);
    set_clocks(history);
    make_workers(history);
    return history;
}

static void
bury_the_dead(struct history *history)
{
    LIST_EACH(&history->dead, node, after)
    {
        struct corpse *corpse = CONTAINER_OF(node, struct corpse, node);

        list_remove(node);
        corpse->bury(corpse);
    }
}

void
history_free(struct history *history)
{
    vclient_free_all(history);
    vcall_free_all(history);
    vbackend_free_all(history);
    vcommand_free_all(history);
    virtual_world_end(history);
    bury_the_dead(history);
    LIST_EACH(&history->worlds, node, after)
    virtual_world_free(CONTAINER_OF(node, struct virtual_world, node));
    timers_free(&history->timers);
    timers_free(&history->events);
    free(history->workers);
    free(history->log.lines);
    free(history);
}

struct world *
history_world(struct history *history, unsigned worker)
{
    ENSURE(worker < history->options.workers);
    return &history->workers[worker]->world;
}

void
history_serve(struct history *history, unsigned worker, struct application *application)
{
    ENSURE(worker < history->options.workers);
    history->workers[worker]->application = application;
}

struct world *
history_world_apart(struct history *history)
{
    struct virtual_world *world = virtual_world_new(history, 0, 1);

    world->peers = must_calloc(1, sizeof(world->peers[0])); /* freed by virtual_world_free */
    world->peers[0] = world;
    return &world->world;
}

void
history_strike(struct history *history, const struct fault *fault)
{
    switch (fault->kind) {
    case FAULT_CLIENT_LEAVES:
        vclient_leave_all(history);
        break;
    case FAULT_CALL_CUT:
        vcall_cut_all(history);
        break;
    case FAULT_APPEND_FAILS:
        history_fail_appends(history, history->appends + 1, 1, fault->status != OK ? fault->status : ERR_IO);
        break;
    case FAULT_WALL_JUMPS:
        history_wall_jump(history, fault->jump_us);
        break;
    }
}

static void
strike_what_is_due(struct history *history)
{
    for (size_t i = 0; i < history->fault_count; i++)
        if (history->faults[i].step == history->steps)
            history_strike(history, &history->faults[i]);
    bury_the_dead(history);
}

/* The heap whose first timer is due first, or NULL. */
static struct timers *
first_due(struct history *history, usec *at)
{
    usec event_at = timers_next(&history->events), timer_at = timers_next(&history->timers);

    *at = event_at <= timer_at ? event_at : timer_at;
    if (*at == USEC_NEVER)
        return NULL;
    return event_at <= timer_at ? &history->events : &history->timers;
}

bool
history_step(struct history *history)
{
    struct timers *due;
    usec at;

    if (first_due(history, &at) == NULL)
        return false;
    history->steps++;
    strike_what_is_due(history);
    while ((due = first_due(history, &at)) != NULL) {
        if (at > history->now_us)
            history->now_us = at;
        /* A heap's next time may be early; then nothing fires and the heap has put itself right. */
        if (timers_fire_one(due, history->now_us))
            break;
    }
    bury_the_dead(history);
    return true;
}

uint64_t
history_steps(const struct history *history)
{
    return history->steps;
}

usec
history_now_us(const struct history *history)
{
    return history->now_us;
}

void
history_run_for(struct history *history, usec span_us)
{
    usec until = history->now_us + span_us, at;

    while (first_due(history, &at) != NULL && at <= until)
        history_step(history);
    if (history->now_us < until)
        history->now_us = until;
}

bool
history_at_rest(const struct history *history)
{
    return history->events.count == 0 && list_empty(&history->calls) && history->handles_open == 0 &&
           history->clients_waiting == 0;
}

void
history_run_to_rest(struct history *history)
{
    usec until = history->now_us + rest_within_us;
    uint64_t steps = history->steps + rest_within_steps;

    while (!history_at_rest(history))
        if (!history_step(history) || history->now_us > until || history->steps > steps)
            history_misuse(history,
                           "the history does not come to rest: %zu clients and %zu calls are open, %zu events "
                           "are to come",
                           history->handles_open, history_calls_open(history), history->events.count);
}

void
history_plan_fault(struct history *history, struct fault fault)
{
    ENSURE(history->fault_count < FAULTS_MOST);
    history->faults[history->fault_count++] = fault;
}

void
history_wall_jump(struct history *history, usec jump_us)
{
    history_log(history, "wall clock jumps by %lld us", (long long)jump_us);
    history->wall_offset_us += jump_us;
}

void
history_slow_jobs(struct history *history, usec longer_us)
{
    history->jobs_longer_us = longer_us;
}

void
history_fail_appends(struct history *history, uint64_t first, uint64_t count, enum status status)
{
    history->append_fail_from = first;
    history->append_fail_count = count;
    history->append_fail_status = status;
}

struct slice
history_journal(const struct history *history, unsigned worker)
{
    ENSURE(worker < history->options.workers);
    return buffer_content(&history->workers[worker]->journal);
}

uint64_t
history_appends(const struct history *history)
{
    return history->appends;
}

size_t
history_clients_open(const struct history *history)
{
    return history->handles_open;
}

size_t
history_calls_open(const struct history *history)
{
    size_t count = 0;

    LIST_EACH(&history->calls, node, after)
    count++;
    return count;
}

size_t
history_timers_running(const struct history *history)
{
    size_t count = 0;

    /* Looks at each, so that ASan tells of one whose owner is gone. */
    for (size_t i = 0; i < history->timers.count; i++)
        count += timer_running(history->timers.heap[i]) ? 1 : 0;
    return count;
}

void
history_log(struct history *history, const char *format, ...)
{
    struct log_ring *ring = &history->log;
    char *line;
    int start;
    va_list args;

    if (history->options.forgetful)
        return;
    line = ring->lines[ring->count++ % LOG_LINES];
    start = snprintf(line, LOG_LINE_SIZE, "%6llu %12.3f ms  ", (unsigned long long)history->steps,
                     (double)(history->now_us - history->start_us) / 1e3);
    va_start(args, format);
    vsnprintf(line + start, (size_t)(LOG_LINE_SIZE - start), format, args);
    va_end(args);
    ring->digest = hash_fast(slice_of(line), ring->digest);
}

uint64_t
history_log_digest(const struct history *history)
{
    return history->log.digest;
}

void
history_print(const struct history *history, FILE *to)
{
    const struct log_ring *ring = &history->log;
    uint64_t first = ring->count > LOG_LINES ? ring->count - LOG_LINES : 0;

    fprintf(to, "History of seed %llu, %llu steps; its last %llu events:\n", (unsigned long long)history->options.seed,
            (unsigned long long)history->steps, (unsigned long long)(ring->count - first));
    for (uint64_t i = first; i < ring->count; i++)
        fprintf(to, "%s\n", ring->lines[i % LOG_LINES]);
}

_Noreturn void
history_misuse(struct history *history, const char *format, ...)
{
    va_list args;

    history_print(history, stderr);
    fputs("MISUSE: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(stderr);
    abort();
}
