#include "money/report/report_notable.h"

#include <stdlib.h>

static struct report_mover *
mover_of(struct notable *notable, struct arena *arena, enum report_by by, struct slice label)
{
    struct report_mover *mover;

    buffer_clear(&notable->key);
    buffer_add_byte(&notable->key, (char)by);
    text_key_add(&notable->key, label);
    mover = text_table_get(&notable->movers, arena, buffer_content(&notable->key), sizeof(*mover));
    mover->by = by;
    mover->label = label;
    return mover;
}

/* Each request is in one group, so each counts once for its key, once for its route and once for its model. */
static const struct {
    enum report_by by;
    enum dimension dimension;
} moved_by[] = {{REPORT_BY_KEY, DIMENSION_key}, {REPORT_BY_ROUTE, DIMENSION_route}, {REPORT_BY_MODEL, DIMENSION_model}};
enum { MOVED_BY = sizeof(moved_by) / sizeof(moved_by[0]) };

static void
add_unpriced(struct notable *notable, struct arena *arena, const struct group *group, int64_t requests)
{
    struct report_unpriced *unpriced;

    buffer_clear(&notable->key);
    text_key_add(&notable->key, group->of[DIMENSION_backend]);
    text_key_add(&notable->key, group->of[DIMENSION_model]);
    unpriced = text_table_get(&notable->unpriced, arena, buffer_content(&notable->key), sizeof(*unpriced));
    unpriced->backend = group->of[DIMENSION_backend];
    unpriced->model = group->of[DIMENSION_model];
    unpriced->requests += requests;
}

void
notable_add(struct notable *notable, struct arena *arena, const struct group *group, const struct sums *sums)
{
    for (unsigned i = 0; i < MOVED_BY; i++) {
        struct report_mover *mover = mover_of(notable, arena, moved_by[i].by, group->of[moved_by[i].dimension]);

        mover->after += sums->cost;
        mover->requests_after += sums->rows;
    }
    if (sums->unpriced > 0)
        add_unpriced(notable, arena, group, sums->unpriced);
}

void
notable_add_before(struct notable *notable, struct arena *arena, const struct group *group, const struct sums *sums)
{
    for (unsigned i = 0; i < MOVED_BY; i++) {
        struct report_mover *mover = mover_of(notable, arena, moved_by[i].by, group->of[moved_by[i].dimension]);

        mover->before += sums->cost;
        mover->requests_before += sums->rows;
    }
}

static wide_int
distance(const struct report_mover *mover)
{
    return mover->after > mover->before ? mover->after - mover->before : mover->before - mover->after;
}

static int
by_distance(const void *a, const void *b)
{
    const struct report_mover *left = a, *right = b;

    if (distance(left) != distance(right))
        return distance(left) < distance(right) ? 1 : -1;
    return (left->by > right->by) - (left->by < right->by);
}

static int
by_requests(const void *a, const void *b)
{
    const struct report_unpriced *left = a, *right = b;

    return (left->requests < right->requests) - (left->requests > right->requests);
}

/* Without a span before there is nothing to have moved. */
static void
finish_movers(struct notable *notable, struct report *report)
{
    if (report->before.rows == 0)
        return;
    report->movers = arena_alloc(&report->arena, (notable->movers.count + 1) * sizeof(struct report_mover));
    for (size_t i = 0; i < notable->movers.count; i++) {
        const struct report_mover *mover = notable->movers.all[i];

        if (mover->after != mover->before)
            report->movers[report->mover_count++] = *mover;
    }
    qsort(report->movers, report->mover_count, sizeof(struct report_mover), by_distance);
}

void
notable_finish(struct notable *notable, struct report *report)
{
    finish_movers(notable, report);
    report->unpriced = arena_alloc(&report->arena, (notable->unpriced.count + 1) * sizeof(struct report_unpriced));
    report->unpriced_count = notable->unpriced.count;
    for (size_t i = 0; i < report->unpriced_count; i++)
        report->unpriced[i] = *(const struct report_unpriced *)notable->unpriced.all[i];
    qsort(report->unpriced, report->unpriced_count, sizeof(struct report_unpriced), by_requests);
}

void
notable_free(struct notable *notable)
{
    text_table_free(&notable->movers);
    text_table_free(&notable->unpriced);
    buffer_free(&notable->key);
}
