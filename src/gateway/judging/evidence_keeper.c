#include "gateway/judging/evidence_keeper.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/sealed.h"
#include "gateway/choice/part.h"

/* For each lever of each route: route, lever, evidence as evidence_save has it (base/sealed.h). */
static const char mark[SEALED_MARK_BYTES] = "EQEVID1";

#define LOOK_US (5 * USEC_PER_S)

struct evidence_keeper {
    struct gateway *gateway;
    struct cache_disk *disk;
    struct gateway_worker *worker; /* NULL: not started */
    struct timer timer;
    struct job job;
    struct lock lock; /* held while the disk is written, by whoever may wait that long */
    uint64_t written; /* the sum of what is in the file */
    enum status status;
    bool stopped, failing;
    atomic_bool hurrying; /* somebody is about to look at all of it: what is new by now he will see */
};

static uint64_t
sum_of(struct slice bytes)
{
    return hash_xxh64(bytes, 0);
}

/* In place of a lever. What earlier versions kept by a name that begins likewise had no hours in it, and is not read. */
#define SCORES_OF_ANY "scores of the router"
#define SCORES SCORES_OF_ANY " and their hours"

/* Likewise: which parts of the route's traffic have evidence of their own (quality/parts.h). */
#define PARTS "slices"

static void
write_parts(struct evidences *all, struct buffer *out)
{
    struct buffer one = {0};

    for (struct route_parts *at = parts_next(&all->parts, NULL); at != NULL; at = parts_next(&all->parts, at)) {
        buffer_clear(&one);
        parts_save(&all->parts, route_parts_name(at), &one);
        if (buffer_len(&one) == 0)
            continue;
        sealed_put(out, slice_of(route_parts_name(at)));
        sealed_put(out, SLICE_LITERAL(PARTS));
        sealed_put(out, buffer_content(&one));
    }
    buffer_free(&one);
}

/* Some megabytes for each route. What the file has no room for is learned anew after a restart: a file that is too long to be
 * read would take all evidence with it. */
static bool
has_room(const struct buffer *out, const struct scorer *scorer, const struct buffer *one)
{
    static const size_t apart = 256; /* lengths, the name of what it is, the seal */

    return buffer_len(out) + strlen(scorer_route(scorer)) + buffer_len(one) + apart <= EVIDENCE_FILE_BYTES_MOST;
}

static void
write_scores(struct scorers *scorers, struct buffer *out)
{
    struct buffer one = {0};

    for (struct scorer *at = scorers_next(scorers, NULL); at != NULL; at = scorers_next(scorers, at)) {
        buffer_clear(&one);
        scorer_save(at, &one);
        if (buffer_len(&one) == 0 || !has_room(out, at, &one))
            continue;
        sealed_put(out, slice_of(scorer_route(at)));
        sealed_put(out, SLICE_LITERAL(SCORES));
        sealed_put(out, buffer_content(&one));
    }
    buffer_free(&one);
}

void
evidence_file_write(struct evidences *all, struct scorers *scorers, struct buffer *out)
{
    struct buffer one = {0};

    sealed_begin(out, mark);
    for (struct shared_evidence *at = evidences_next(all, NULL); at != NULL; at = evidences_next(all, at)) {
        buffer_clear(&one);
        shared_evidence_save(at, &one);
        sealed_put(out, slice_of(shared_evidence_route(at)));
        sealed_put(out, slice_of(shared_evidence_lever(at)));
        sealed_put(out, buffer_content(&one));
    }
    write_parts(all, out);
    if (scorers != NULL)
        write_scores(scorers, out);
    sealed_end(out);
    buffer_free(&one);
}

/* One that cannot be read is as if it were not there. */
static void
restore(struct evidences *all, struct scorers *scorers, struct slice route, struct slice lever, struct slice bytes)
{
    char *name = slice_strdup(route), *of = slice_strdup(lever);

    if (slice_is(lever, PARTS))
        (void)!parts_restore(&all->parts, name, bytes);
    else if (!slice_starts(lever, SCORES_OF_ANY))
        (void)!shared_evidence_restore(evidences_at(all, name, of), bytes);
    else if (scorers != NULL && slice_is(lever, SCORES))
        scorer_restore(scorer_at(scorers, name), bytes);
    free(name);
    free(of);
}

enum status
evidence_file_read(struct evidences *all, struct scorers *scorers, struct slice bytes)
{
    struct slice rest, route, lever, evidence;
    enum status status = sealed_open(bytes, mark, &rest);

    if (status != OK)
        return status;
    for (struct route_parts *at = parts_next(&all->parts, NULL); at != NULL; at = parts_next(&all->parts, at))
        (void)parts_follow(&all->parts, route_parts_name(at), 0); /* unless the file says otherwise */
    while (sealed_take(&rest, &route) && sealed_take(&rest, &lever) && sealed_take(&rest, &evidence))
        restore(all, scorers, route, lever, evidence);
    return OK;
}

struct evidence_keeper *
evidence_keeper_open(struct gateway *gateway, struct cache_disk *disk)
{
    struct evidence_keeper *keeper = must_calloc(1, sizeof(*keeper));
    struct buffer file = {0};

    lock_init(&keeper->lock);
    keeper->gateway = gateway;
    keeper->disk = disk;
    if (cache_disk_read_whole(disk, EVIDENCE_FILE_BYTES_MOST, &file) != OK ||
        (buffer_len(&file) > 0 &&
         evidence_file_read(&gateway->evidences, &gateway->scorers, buffer_content(&file)) != OK))
        log_line(gateway->log, LOG_WARN, "the file of evidence is damaged: what levers had earned must be earned anew");
    keeper->written = sum_of(buffer_content(&file));
    buffer_free(&file);
    parts_of_routes_follow(&gateway->evidences, gateway->snapshot->config);
    if (scorers_next(&gateway->scorers, NULL) != NULL) {
        gateway_open_meanings(gateway);
        scorers_open(&gateway->scorers, gateway->snapshot->config, gateway->embedder);
    }
    gateway->evidence_keeper = keeper;
    return keeper;
}

static enum status
write_if_new(struct evidence_keeper *keeper)
{
    struct buffer file = {0};
    enum status status = OK;
    uint64_t sum;

    evidence_file_write(&keeper->gateway->evidences, &keeper->gateway->scorers, &file);
    sum = sum_of(buffer_content(&file));
    if (sum != keeper->written && evidences_next(&keeper->gateway->evidences, NULL) != NULL) {
        status = cache_disk_write_whole(keeper->disk, buffer_content(&file));
        if (status == OK)
            keeper->written = sum;
    }
    buffer_free(&file);
    return status;
}

enum status
evidence_keeper_write(struct evidence_keeper *keeper)
{
    enum status status;

    lock_take(&keeper->lock);
    status = write_if_new(keeper);
    lock_drop(&keeper->lock);
    return status;
}

static void
run_write(struct job *job)
{
    struct evidence_keeper *keeper = CONTAINER_OF(job, struct evidence_keeper, job);

    keeper->status = evidence_keeper_write(keeper);
}

static void
write_done(struct job *job)
{
    struct evidence_keeper *keeper = CONTAINER_OF(job, struct evidence_keeper, job);
    bool failed = keeper->status != OK;

    if (failed && !keeper->failing)
        log_line(keeper->gateway->log, LOG_WARN, "the evidence of levers cannot be written down: %s; it is tried again",
                 status_text(keeper->status));
    keeper->failing = failed;
    if (!keeper->stopped)
        world_timer_start(worker_world(keeper->worker), &keeper->timer, LOOK_US);
}

static void
on_time(struct timer *timer)
{
    struct evidence_keeper *keeper = CONTAINER_OF(timer, struct evidence_keeper, timer);
    struct world *world = worker_world(keeper->worker);

    keeper->job = (struct job){.run = run_write, .done = write_done};
    world->ops->work(world, &keeper->job);
}

/* Written down for whoever cannot wait for the next look. */
struct hurry {
    struct job job;
    struct evidence_keeper *keeper;
};

static void
run_hurry(struct job *job)
{
    struct evidence_keeper *keeper = CONTAINER_OF(job, struct hurry, job)->keeper;

    atomic_store(&keeper->hurrying, false); /* before it looks: who comes now may be too late for this look */
    (void)!evidence_keeper_write(keeper);   /* it is tried again with the next look */
}

static void
hurry_done(struct job *job)
{
    free(CONTAINER_OF(job, struct hurry, job));
}

void
evidence_keeper_hurry(struct evidence_keeper *keeper, struct gateway_worker *worker)
{
    struct world *world = worker_world(worker);
    struct hurry *hurry;

    if (keeper == NULL || atomic_exchange(&keeper->hurrying, true))
        return;
    hurry = must_alloc(sizeof(*hurry));
    *hurry = (struct hurry){.job = {.run = run_hurry, .done = hurry_done}, .keeper = keeper};
    world->ops->work(world, &hurry->job);
}

void
evidence_keeper_start(struct evidence_keeper *keeper, struct gateway_worker *first)
{
    if (keeper == NULL)
        return;
    keeper->worker = first;
    keeper->timer.fire = on_time;
    world_timer_start(worker_world(first), &keeper->timer, LOOK_US);
}

void
evidence_keeper_stop(struct evidence_keeper *keeper)
{
    if (keeper == NULL)
        return;
    keeper->stopped = true;
    world_timer_stop(worker_world(keeper->worker), &keeper->timer);
}

void
evidence_keeper_close(struct evidence_keeper *keeper)
{
    if (keeper == NULL)
        return;
    if (evidence_keeper_write(keeper) != OK)
        log_line(keeper->gateway->log, LOG_WARN, "the evidence of levers could not be written down");
    keeper->gateway->evidence_keeper = NULL;
    keeper->disk->ops->close(keeper->disk);
    lock_destroy(&keeper->lock);
    free(keeper);
}
