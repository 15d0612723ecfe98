#include "money/report/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "money/ledger/accounts.h"
#include "money/ledger/id_map.h"
#include "money/ledger/text_table.h"
#include "money/report/report_choice.h"
#include "money/report/report_look_ups.h"
#include "money/report/report_notable.h"
#include "money/report/report_pools.h"
#include "money/report/report_routes.h"

#define HOUR_US ((int64_t)3600 * USEC_PER_S)
#define DAY_US (24 * HOUR_US)

/* How far back the forecast and the weeks look. */
enum { PAST_DAYS = 31, FORECAST_DAYS = 28, DAYS_MOST = 64 };

const char *
report_by_name(enum report_by by)
{
    static const char *const names[REPORT_BYS] = {"key",    "route", "tag",    "model", "backend",
                                                  "tenant", "owner", "source", "hour",  "day"};

    return names[by];
}

/* Requests of one route and source: outcomes are extrapolated only among those. */
struct outcome_cell {
    void *owner; /* the line, day or whole it belongs to */
    double judged, useful, unjudged;
};

/* What is being walked: the report's span, the span of the same length before it, or the past days. */
enum walk { WALK_SPAN, WALK_BEFORE, WALK_DAYS };

struct collecting {
    struct report *report;
    struct ledger_store *store;
    struct id_map groups; /* -> struct group */
    struct text_table lines, levers, routes, cells, look_ups, pools, choices, route_lines, model_lines;
    struct notable notable;
    struct buffer key;
    enum walk walk;
    struct report_day days[DAYS_MOST];
    int64_t days_from;
};

/* Outcomes */

static void
add_outcomes(struct collecting *collecting, void *owner, const struct group *group, const struct sums *sums)
{
    struct outcome_cell *cell;
    uintptr_t address = (uintptr_t)owner;

    buffer_clear(&collecting->key);
    buffer_add(&collecting->key, slice_make((const char *)&address, sizeof(address)));
    text_key_add(&collecting->key, group->of[DIMENSION_route]);
    text_key_add(&collecting->key, group->of[DIMENSION_source]);
    cell =
        text_table_get(&collecting->cells, &collecting->report->arena, buffer_content(&collecting->key), sizeof(*cell));
    cell->owner = owner;
    cell->judged += (double)sums->judged;
    cell->useful += (double)sums->useful_ppm / 1e6;
    cell->unjudged += (double)sums->unjudged;
}

/* Seen outcomes count as they are; those not seen by the share that was useful on the same route and source, with that
 * share's interval; where none was seen, anything from none to all. */
static struct interval
useful_of(const struct collecting *collecting, const void *owner)
{
    struct interval sum = {0};

    for (size_t i = 0; i < collecting->cells.count; i++) {
        const struct outcome_cell *cell = collecting->cells.all[i];
        struct interval share = estimate_share(cell->useful, cell->judged);

        if (cell->owner != owner)
            continue;
        sum.known = sum.known || share.known;
        sum.low += cell->useful + cell->unjudged * share.low;
        sum.middle += cell->useful + cell->unjudged * (share.known ? share.middle : 0.5);
        sum.high += cell->useful + cell->unjudged * (share.known ? share.high : 1);
    }
    return sum;
}

struct interval
report_cost_per_useful(const struct sums *sums, struct interval useful)
{
    double cost = (double)sums->cost / (double)USD_ONE;

    if (!useful.known || useful.low <= 0)
        return (struct interval){0};
    return (struct interval){true, cost / useful.high, cost / useful.middle, cost / useful.low};
}

/* Lines */

static struct slice
time_label(struct arena *arena, enum report_by by, int64_t start)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(start, text);
    return arena_copy(
        arena, slice_first(slice_of(text), by == REPORT_BY_DAY ? strlen("2026-01-01") : strlen("2026-01-01T00:00")));
}

static struct slice
label_of(struct collecting *collecting, enum report_by by, const struct group *group, int64_t start)
{
    static const enum dimension dimensions[] = {
        [REPORT_BY_KEY] = DIMENSION_key,         [REPORT_BY_ROUTE] = DIMENSION_route,
        [REPORT_BY_TAG] = DIMENSION_tag,         [REPORT_BY_MODEL] = DIMENSION_model,
        [REPORT_BY_BACKEND] = DIMENSION_backend, [REPORT_BY_TENANT] = DIMENSION_tenant,
        [REPORT_BY_OWNER] = DIMENSION_owner,     [REPORT_BY_SOURCE] = DIMENSION_source};

    if (by == REPORT_BY_HOUR || by == REPORT_BY_DAY)
        return time_label(&collecting->report->arena, by, start);
    return group->of[dimensions[by]];
}

static void
add_line(struct collecting *collecting, const struct group *group, int64_t start, const struct sums *sums)
{
    const struct report_options *options = &collecting->report->options;
    struct report_line *line;
    struct slice labels[REPORT_BY_MOST];

    buffer_clear(&collecting->key);
    for (size_t i = 0; i < options->by_count; i++) {
        labels[i] = label_of(collecting, options->by[i], group, start);
        text_key_add(&collecting->key, labels[i]);
    }
    line =
        text_table_get(&collecting->lines, &collecting->report->arena, buffer_content(&collecting->key), sizeof(*line));
    memcpy(line->label, labels, sizeof(labels[0]) * options->by_count);
    sums_add(&line->sums, sums);
    add_outcomes(collecting, line, group, sums);
}

static bool
is_by(const struct report_options *options, enum report_by by)
{
    for (size_t i = 0; i < options->by_count; i++)
        if (options->by[i] == by)
            return true;
    return false;
}

/* Requests, or the rent itself. */
static void
add_to_pool(struct collecting *collecting, const struct group *group, const struct sums *sums)
{
    struct report_pool *pool;

    if (group->of[DIMENSION_backend].len == 0)
        return;
    pool = report_pools_line(&collecting->pools, &collecting->report->arena, group->of[DIMENSION_backend]);
    pool->modelled |= group->of[DIMENSION_modelled].len != 0;
    pool->rented_us += sums->rented_us;
    pool->rent += sums->rent;
    sums_add(&pool->sums, sums);
    add_outcomes(collecting, pool, group, sums);
}

static void
add_to_route(struct collecting *collecting, const struct group *group, const struct sums *sums)
{
    struct arena *arena = &collecting->report->arena;
    struct report_route *route = report_routes_line(&collecting->route_lines, arena, group);
    struct report_model *model = report_routes_model(&collecting->model_lines, arena, group);
    struct sums *side = report_routes_add(route, group, sums);

    add_outcomes(collecting, side, group, sums);
    if (model == NULL)
        return;
    sums_add(&model->sums, sums);
    add_outcomes(collecting, model, group, sums);
}

static void
add_request(struct collecting *collecting, const struct group *group, int64_t start, const struct sums *sums)
{
    struct report *report = collecting->report;

    sums_add(&report->all, sums);
    if (group->of[DIMENSION_modelled].len != 0)
        sums_add(&report->modelled, sums);
    sums_add(group->of[DIMENSION_holdout].len != 0 ? &report->holdout : &report->treated, sums);
    add_outcomes(collecting, report, group, sums);
    add_to_pool(collecting, group, sums);
    if (slice_is(group->of[DIMENSION_source], "reference"))
        sums_add(text_table_get(&collecting->routes, &report->arena, group->of[DIMENSION_route], sizeof(*sums)), sums);
    notable_add(&collecting->notable, &report->arena, group, sums);
    report_choice_add(&collecting->choices, &report->arena, group, start, sums);
    add_to_route(collecting, group, sums);
    if (report->options.by_count != 0 && !is_by(&report->options, REPORT_BY_TAG))
        add_line(collecting, group, start, sums);
}

/* A tag that was asked for: all of them, or the values of one. */
static void
add_tag(struct collecting *collecting, const struct group *group, int64_t start, const struct sums *sums)
{
    struct slice wanted = collecting->report->options.tag, value = group->of[DIMENSION_tag];
    struct group one = *group;

    if (wanted.len != 0) {
        struct slice name = slice_split(&value, '=');

        if (!slice_equal(name, wanted))
            return;
        one.of[DIMENSION_tag] = value;
    }
    add_line(collecting, &one, start, sums);
}

static void
add_before(struct collecting *collecting, const struct group *group, int64_t start, const struct sums *sums)
{
    struct report *report = collecting->report;

    if (!slice_is(group->of[DIMENSION_kind], "request"))
        return;
    if (start < report->first_before)
        report->first_before = start;
    sums_add(&report->before, sums);
    notable_add_before(&collecting->notable, &report->arena, group, sums);
}

/* One lever on one route; merged over routes at the end. */
struct lever_on_route {
    struct slice lever, route;
    bool shadow;
    struct sums sums;
};

static void
add_lever(struct collecting *collecting, const struct group *group, const struct sums *sums)
{
    struct lever_on_route *lever;

    buffer_clear(&collecting->key);
    text_key_add(&collecting->key, group->of[DIMENSION_lever]);
    text_key_add(&collecting->key, group->of[DIMENSION_mode]);
    text_key_add(&collecting->key, group->of[DIMENSION_route]);
    lever = text_table_get(&collecting->levers, &collecting->report->arena, buffer_content(&collecting->key),
                           sizeof(*lever));
    lever->lever = group->of[DIMENSION_lever];
    lever->route = group->of[DIMENSION_route];
    lever->shadow = slice_is(group->of[DIMENSION_mode], "shadow");
    sums_add(&lever->sums, sums);
}

static void
add_day(struct collecting *collecting, const struct group *group, int64_t start, const struct sums *sums)
{
    int64_t number = (start - collecting->days_from) / DAY_US;

    if (!slice_is(group->of[DIMENSION_kind], "request") || number < 0 || number >= DAYS_MOST)
        return;
    sums_add(&collecting->days[number].sums, sums);
    add_outcomes(collecting, &collecting->days[number], group, sums);
}

static enum status
find_group(struct collecting *collecting, uint64_t id, struct group **out)
{
    struct slice bytes;
    enum status status;

    *out = id_map_get(&collecting->groups, id);
    if (*out != NULL)
        return OK;
    status = collecting->store->ops->find_group(collecting->store, id, &collecting->report->arena, &bytes);
    *out = arena_alloc(&collecting->report->arena, sizeof(**out));
    if (status == OK)
        status = group_take(bytes, *out);
    if (status == OK)
        id_map_put(&collecting->groups, id, *out);
    return status;
}

static enum status
add_sums(void *user, int64_t start, uint64_t id, struct slice bytes)
{
    struct collecting *collecting = user;
    struct group *group = NULL;
    struct sums sums;
    enum status status = find_group(collecting, id, &group);

    if (status == OK)
        status = sums_take(bytes, &sums);
    if (status != OK)
        return status;
    if (collecting->walk == WALK_DAYS) {
        add_day(collecting, group, start, &sums);
        return OK;
    }
    if (collecting->walk == WALK_BEFORE) {
        add_before(collecting, group, start, &sums);
        return OK;
    }
    if (start < collecting->report->first)
        collecting->report->first = start;
    if (slice_is(group->of[DIMENSION_kind], "request"))
        add_request(collecting, group, start, &sums);
    else if (slice_is(group->of[DIMENSION_kind], "lever"))
        add_lever(collecting, group, &sums);
    else if (slice_is(group->of[DIMENSION_kind], "rent"))
        add_to_pool(collecting, group, &sums);
    else if (slice_is(group->of[DIMENSION_kind], "look_up"))
        report_look_ups_add(&collecting->look_ups, &collecting->report->arena, group, &sums);
    else if (is_by(&collecting->report->options, REPORT_BY_TAG))
        add_tag(collecting, group, start, &sums);
    return OK;
}

/* Hours up to the first midnight, whole days, and the hours after the last midnight. */
static enum status
walk_span(struct collecting *collecting, int64_t since, int64_t until)
{
    struct ledger_store *store = collecting->store;
    int64_t first_day = ledger_period_start(LEDGER_DAY, since + DAY_US - 1);
    int64_t end_day = ledger_period_start(LEDGER_DAY, until);
    enum status status;

    if (is_by(&collecting->report->options, REPORT_BY_HOUR) || first_day >= end_day)
        return store->ops->each_sums(store, LEDGER_HOUR, since, until, add_sums, collecting);
    status = store->ops->each_sums(store, LEDGER_HOUR, since, first_day, add_sums, collecting);
    if (status == OK)
        status = store->ops->each_sums(store, LEDGER_DAY, first_day, end_day, add_sums, collecting);
    return status == OK ? store->ops->each_sums(store, LEDGER_HOUR, end_day, until, add_sums, collecting) : status;
}

static enum status
walk_store(struct collecting *collecting, struct ledger_store *store)
{
    const struct report_options *options = &collecting->report->options;
    enum status status;

    collecting->store = store;
    id_map_free(&collecting->groups);
    collecting->walk = WALK_SPAN;
    status = walk_span(collecting, options->since, options->until);
    collecting->walk = WALK_BEFORE;
    if (status == OK)
        status = walk_span(collecting, 2 * options->since - options->until, options->since);
    collecting->walk = WALK_DAYS;
    if (status == OK)
        status = store->ops->each_sums(store, LEDGER_DAY, collecting->days_from, INT64_MAX, add_sums, collecting);
    return status;
}

/* Putting it in order */

static int
by_cost(const void *a, const void *b)
{
    const struct report_line *left = a, *right = b;

    return (left->sums.cost < right->sums.cost) - (left->sums.cost > right->sums.cost);
}

static int
by_label(const void *a, const void *b)
{
    const struct slice left = ((const struct report_line *)a)->label[0];
    const struct slice right = ((const struct report_line *)b)->label[0];
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len != 0 ? memcmp(left.data, right.data, len) : 0;

    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

static int
by_saved(const void *a, const void *b)
{
    const struct report_lever *left = a, *right = b;

    if (left->shadow != right->shadow)
        return left->shadow ? 1 : -1;
    return (left->sums.saved < right->sums.saved) - (left->sums.saved > right->sums.saved);
}

static void
finish_lines(struct collecting *collecting)
{
    struct report *report = collecting->report;
    bool by_time = report->options.by_count != 0 &&
                   (report->options.by[0] == REPORT_BY_HOUR || report->options.by[0] == REPORT_BY_DAY);

    report->lines = arena_alloc(&report->arena, (collecting->lines.count + 1) * sizeof(struct report_line));
    report->line_count = collecting->lines.count;
    for (size_t i = 0; i < report->line_count; i++) {
        report->lines[i] = *(struct report_line *)collecting->lines.all[i];
        report->lines[i].useful = useful_of(collecting, collecting->lines.all[i]);
    }
    qsort(report->lines, report->line_count, sizeof(struct report_line), by_time ? by_label : by_cost);
}

static struct report_lever *
merged_lever(struct report *report, const struct lever_on_route *part)
{
    for (size_t i = 0; i < report->lever_count; i++)
        if (slice_equal(report->levers[i].lever, part->lever) && report->levers[i].shadow == part->shadow)
            return &report->levers[i];
    report->levers[report->lever_count].lever = part->lever;
    report->levers[report->lever_count].shadow = part->shadow;
    return &report->levers[report->lever_count++];
}

static void
finish_levers(struct collecting *collecting)
{
    struct report *report = collecting->report;

    report->levers = arena_alloc(&report->arena, (collecting->levers.count + 1) * sizeof(struct report_lever));
    for (size_t i = 0; i < collecting->levers.count; i++) {
        const struct lever_on_route *part = collecting->levers.all[i];
        struct report_lever *lever = merged_lever(report, part);
        const struct sums *control = map_get(&collecting->routes.map, part->route);

        sums_add(&lever->sums, &part->sums);
        if (control != NULL)
            sums_add(&lever->control, control);
    }
    qsort(report->levers, report->lever_count, sizeof(struct report_lever), by_saved);
}

static void
add_week(struct collecting *collecting, size_t from, struct sums *sums, struct interval *useful)
{
    for (size_t i = from; i < from + 7; i++) {
        struct interval day = useful_of(collecting, &collecting->days[i]);

        sums_add(sums, &collecting->days[i].sums);
        useful->known = useful->known || day.known;
        useful->low += day.low;
        useful->middle += day.middle;
        useful->high += day.high;
    }
}

double
report_days(const struct report *report, int64_t from)
{
    const struct report_options *options = &report->options;
    int64_t end = options->until < options->now ? options->until : options->now;

    return (double)(end - (from > options->since && from != INT64_MAX ? from : options->since)) / (double)DAY_US;
}

/* From the days before today that follow the first one with any requests. */
static void
finish_forecast(struct collecting *collecting)
{
    struct report *report = collecting->report;
    struct clock_date today = clock_date_of(report->options.now), next = today;
    double past[FORECAST_DAYS], so_far = 0, left;
    size_t count = 0;

    next.day = 1;
    next.month++;
    next.hour = next.minute = next.second = 0;
    left = (double)(clock_of_date(next) - report->options.now) / (double)DAY_US;
    for (int i = 0; i <= PAST_DAYS; i++) {
        double cost = (double)collecting->days[i].sums.cost / (double)USD_ONE;

        if (i > PAST_DAYS - today.day)
            so_far += cost;
        if (i >= PAST_DAYS - FORECAST_DAYS && i < PAST_DAYS && (count > 0 || collecting->days[i].sums.rows > 0))
            past[count++] = cost;
    }
    report->month = estimate_forecast(so_far, past, count, left);
}

static void
finish_routes(struct collecting *collecting)
{
    for (size_t i = 0; i < collecting->route_lines.count; i++) {
        struct report_route *route = collecting->route_lines.all[i];

        route->useful_holdout = useful_of(collecting, &route->holdout);
        route->useful_treated = useful_of(collecting, &route->treated);
    }
    for (size_t i = 0; i < collecting->model_lines.count; i++)
        ((struct report_model *)collecting->model_lines.all[i])->useful =
            useful_of(collecting, collecting->model_lines.all[i]);
    report_routes_finish(&collecting->route_lines, &collecting->model_lines, collecting->report);
}

static void
finish(struct collecting *collecting)
{
    struct report *report = collecting->report;

    report->useful = useful_of(collecting, report);
    finish_lines(collecting);
    finish_levers(collecting);
    report_look_ups_finish(&collecting->look_ups, report);
    report_choice_finish(&collecting->choices, report);
    finish_routes(collecting);
    for (size_t i = 0; i < collecting->pools.count; i++)
        ((struct report_pool *)collecting->pools.all[i])->useful = useful_of(collecting, collecting->pools.all[i]);
    report_pools_finish(&collecting->pools, report);
    notable_finish(&collecting->notable, report);
    add_week(collecting, PAST_DAYS - 7, &report->week, &report->week_useful);
    add_week(collecting, PAST_DAYS - 14, &report->week_before, &report->week_before_useful);
    finish_forecast(collecting);
}

enum status
report_collect(struct ledger_store *const *stores, size_t count, const struct report_options *options,
               struct report *out)
{
    struct collecting *collecting = must_calloc(1, sizeof(*collecting));
    enum status status = OK;

    *out = (struct report){.options = *options, .first = INT64_MAX, .first_before = INT64_MAX};
    out->options.since = ledger_period_start(LEDGER_HOUR, options->since);
    out->options.until = ledger_period_start(LEDGER_HOUR, options->until + HOUR_US - 1);
    collecting->report = out;
    collecting->days_from = ledger_period_start(LEDGER_DAY, options->now) - PAST_DAYS * DAY_US;
    for (size_t i = 0; i < count && status == OK; i++)
        status = walk_store(collecting, stores[i]);
    if (status == OK)
        finish(collecting);
    id_map_free(&collecting->groups);
    text_table_free(&collecting->lines);
    text_table_free(&collecting->levers);
    text_table_free(&collecting->routes);
    text_table_free(&collecting->look_ups);
    text_table_free(&collecting->choices);
    text_table_free(&collecting->route_lines);
    text_table_free(&collecting->model_lines);
    text_table_free(&collecting->pools);
    text_table_free(&collecting->cells);
    notable_free(&collecting->notable);
    buffer_free(&collecting->key);
    free(collecting);
    return status;
}

void
report_free(struct report *report)
{
    arena_reset(&report->arena);
}
