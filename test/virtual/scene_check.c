/* What must hold at the end of every history with the gateway. */
#include "scene.h"

#include "money/ledger/ledger.h"
#include "money/ledger/ledger_memory.h"

/* The rows, from the journals */

static struct row *
row_of(struct scene *scene, uint64_t id)
{
    for (size_t i = 0; i < scene->row_count; i++)
        if (scene->rows[i].id == id)
            return &scene->rows[i];
    return NULL;
}

static void
take_record(struct scene *scene, const struct journal_record *record, size_t *opens, size_t *settled_opens)
{
    if (record->type == JOURNAL_OPEN) {
        ++*opens;
        assert_null(row_of(scene, record->row.id));
    }
    scene->attempts += record->type == JOURNAL_ATTEMPT ? 1 : 0;
    if (record->type == JOURNAL_ATTEMPT)
        assert_null(row_of(scene, record->row.id));
    scene->feedbacks += record->type == JOURNAL_FEEDBACK ? 1 : 0;
    if (record->type != JOURNAL_SETTLE)
        return;
    assert_null(row_of(scene, record->row.id)); /* one row, not two */
    if (scene->row_count == scene->rows_size) {
        scene->rows_size = scene->rows_size != 0 ? 2 * scene->rows_size : 16;
        scene->rows = must_realloc(scene->rows, scene->rows_size * sizeof(struct row));
    }
    scene->rows[scene->row_count++] = record->row;
    *settled_opens += record->row.attempts > 0 ? 1 : 0;
}

static void
read_journals(struct scene *scene)
{
    size_t settled_opens = 0;

    scene->row_count = scene->opened = scene->attempts = scene->feedbacks = 0;
    for (unsigned i = 0; i < scene->gateway.worker_count; i++) {
        struct slice bytes = history_journal(scene->history, i);
        struct journal_record record;

        while (journal_take(&bytes, &record) == OK)
            take_record(scene, &record, &scene->opened, &settled_opens);
        assert_int_equal(bytes.len, 0);
    }
    if (!scene->journal_fails)
        assert_true(scene->opened >= settled_opens); /* nothing goes upstream unannounced */
}

static usd
cost_of_attempts(const struct row *row)
{
    usd attempts = 0;

    for (size_t i = 0; i < row->try_count; i++)
        if (usd_add(attempts, row->tries[i].cost, &attempts) != OK)
            attempts = USD_UNKNOWN;
    return attempts;
}

/* It followed, and paid a part, before it made a call of its own. */
static bool
went_alone(const struct row *row)
{
    struct slice rest = slice_from(row->plans, slice_find(row->plans, SLICE_LITERAL("\"s\":\"shared\"")));

    return rest.len > 0 && cost_of_attempts(row) != row->cost;
}

/* Where calls are shared, all rows together cost what all attempts did. */
static bool
any_shared(const struct scene *scene)
{
    for (size_t i = 0; i < scene->row_count; i++)
        if (slice_is(scene->rows[i].source, "shared") || went_alone(&scene->rows[i]))
            return true;
    return false;
}

static void
check_costs(const struct scene *scene)
{
    wide_int rows = 0, attempts = 0;
    bool lost = gateway_count(&scene->gateway, COUNT_ROWS_LOST) > 0, shared = any_shared(scene), known = true;

    for (size_t i = 0; i < scene->row_count; i++) {
        const struct row *row = &scene->rows[i];

        if (!shared && !lost) /* a lost row may be the other part */
            assert_true(cost_of_attempts(row) == row->cost);
        known &= usd_known(row->cost);
        rows += row->cost;
        attempts += cost_of_attempts(row);
    }
    if (known && !lost)
        assert_true(rows == attempts);
}

static void
check_row(const struct row *row)
{
    usd saved = 0;

    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow)
            saved += row->savings[i].saved;
    if (usd_known(row->cost) && usd_known(row->baseline))
        assert_true(saved == row->baseline - row->cost);
    assert_true(row->attempts >= (int64_t)row->try_count);
    if (usd_known(row->input_cost))
        assert_true(row->input_cost + row->cache_read_cost + row->cache_write_cost + row->output_cost <= row->cost);
    if (slice_is(row->exactness, "unpriced"))
        assert_true(row->why.len > 0);
    assert_true(usd_known(row->cost) != slice_is(row->exactness, "unpriced"));
    assert_true(row->total_us >= 0);
    assert_false(slice_is(row->state, "unknown"));
}

static int64_t
own_calls(const struct scene *scene)
{
    return gateway_count(&scene->gateway, COUNT_OWN_AUDITS) + gateway_count(&scene->gateway, COUNT_OWN_JUDGES) +
           gateway_count(&scene->gateway, COUNT_OWN_VERIFIERS) + gateway_count(&scene->gateway, COUNT_OWN_SAMPLES);
}

/* A call of our own is about a request that has a row, has no baseline, and is one saving line, of what it cost. */
static void
check_own(const struct scene *scene, const struct row *row)
{
    char about[16];
    bool found = scene->journal_fails; /* then that row may be missing */
    bool serves = slice_is(row->source, "verifier") || slice_is(row->source, "sample");

    for (size_t i = 0; i < scene->row_count && !found; i++) {
        text_format_id(scene->rows[i].id, about);
        found = slice_is(row->about, about) && !row_is_own(&scene->rows[i]);
    }
    assert_true(found);
    assert_true(row->baseline == 0 && row->counted_requests == 0);
    assert_true(row->saving_count == (usd_known(row->cost) && row->cost != 0 ? 1 : 0));
    if (row->saving_count > 0)
        assert_slice_is(row->savings[0].lever, serves ? "cascade" : ROW_AUDITS);
    assert_true(slice_is(row->source, "audit") || slice_is(row->source, "judge") || serves);
}

/* Rows against counters. */
static void
check_sums(struct scene *scene)
{
    int64_t cost = 0, input = 0, output = 0, attempts = 0;

    for (size_t i = 0; i < scene->row_count; i++) {
        const struct row *row = &scene->rows[i];

        check_row(row);
        if (row_is_own(row))
            check_own(scene, row);
        cost += usd_known(row->cost) ? row->cost : 0;
        input += row->input_tokens;
        output += row->output_tokens;
        attempts += row->attempts;
    }
    check_costs(scene);
    assert_int_equal(cost, gateway_count(&scene->gateway, COUNT_COST_PICO));
    assert_int_equal(input, gateway_count(&scene->gateway, COUNT_INPUT_TOKENS));
    assert_int_equal(output, gateway_count(&scene->gateway, COUNT_OUTPUT_TOKENS));
    assert_int_equal(gateway_count(&scene->gateway, COUNT_AUDITS_BEGUN),
                     gateway_count(&scene->gateway, COUNT_AUDITS_ENDED));
    if (scene->journal_fails)
        return;
    assert_int_equal(scene->row_count, gateway_count(&scene->gateway, COUNT_REQUESTS) + own_calls(scene));
    assert_int_equal(attempts, gateway_count(&scene->gateway, COUNT_ATTEMPTS));
}

/* The ledger's own sums over the same journals; everything is told it twice, and counts once. */

static void
apply_journal(struct ledger *ledger, struct slice bytes)
{
    struct journal_record record;
    struct slice rest = bytes;

    while (journal_take(&rest, &record) == OK) {
        struct slice one = slice_first(bytes, (size_t)(rest.data - bytes.data));

        assert_int_equal(ledger_apply(ledger, one), OK);
        bytes = rest;
    }
}

static void
apply_journals(struct scene *scene, struct ledger *ledger)
{
    assert_int_equal(ledger_begin(ledger), OK);
    for (unsigned i = 0; i < scene->gateway.worker_count; i++)
        apply_journal(ledger, history_journal(scene->history, i));
    assert_int_equal(ledger_commit(ledger), OK);
}

static void
check_ledger(struct scene *scene)
{
    const struct gateway *gateway = &scene->gateway;
    struct ledger_totals rows, sums;
    struct ledger *ledger;

    assert_int_equal(ledger_open(ledger_memory_open(), &ledger), OK);
    apply_journals(scene, ledger);
    apply_journals(scene, ledger);
    assert_int_equal(ledger_check(ledger, INT64_MIN, &rows, &sums), OK);
    assert_int_equal(sums.rows, scene->row_count);
    assert_true(sums.cost == gateway_count(gateway, COUNT_COST_PICO));
    assert_true(sums.baseline == gateway_count(gateway, COUNT_BASELINE_PICO));
    assert_true(sums.saved == gateway_count(gateway, COUNT_SAVED_PICO));
    assert_true(sums.unpriced == gateway_count(gateway, COUNT_UNPRICED));
    if (!scene->journal_fails)
        assert_int_equal(ledger_open_count(ledger), 0);
    ledger_close(ledger);
}

/* Budgets */

static bool
has_tag(const struct row *row, struct slice tag)
{
    struct slice rest = row->tags;

    while (rest.len > 0)
        if (slice_equal(slice_split(&rest, ','), tag))
            return true;
    return false;
}

static bool
counts_for(const struct row *row, const struct budget_info *info)
{
    struct slice name = info->rule.name;

    if (row->arrived_wall_us < info->start_wall_us || row->arrived_wall_us >= info->end_wall_us)
        return false;
    switch (info->rule.scope) {
    case BUDGET_TENANT:
        return slice_equal(row->tenant, name);
    case BUDGET_KEY:
        return slice_equal(row->key_name, name);
    case BUDGET_ROUTE:
        return slice_equal(row->route, name);
    case BUDGET_TAG:
        return has_tag(row, name);
    case BUDGET_EVERYTHING:
    case BUDGET_SCOPES:
        break;
    }
    return true;
}

static int64_t
used_by(const struct row *row, enum budget_unit unit)
{
    int64_t tokens = 0;

    if (unit == BUDGET_REQUESTS)
        return !row_is_own(row) &&
               (row->try_count > 0 || (slice_is(row->source, "cached") && row->first_token_us >= 0));
    if (unit == BUDGET_TOKENS) {
        for (size_t i = 0; i < row->try_count; i++)
            tokens += row->tries[i].input_tokens + row->tries[i].output_tokens;
        return tokens;
    }
    for (size_t i = 0; i < row->try_count; i++)
        tokens += usd_known(row->tries[i].cost) ? row->tries[i].cost : 0;
    return tokens;
}

static int64_t
counted_of(const struct row *row, enum budget_unit unit)
{
    return unit == BUDGET_USD ? row->counted_cost : unit == BUDGET_TOKENS ? row->counted_tokens : row->counted_requests;
}

static bool
is_strict(const struct config *config)
{
    bool strict = config->policy.exposure == EXPOSURE_STRICT;

    for (size_t i = 0; i < config->key_count; i++)
        strict |= config->keys[i].policy.exposure == EXPOSURE_STRICT;
    for (size_t i = 0; i < config->tenant_count; i++)
        strict |= config->tenants[i].policy.exposure == EXPOSURE_STRICT;
    for (size_t i = 0; i < config->route_count; i++)
        strict |= config->routes[i].policy.exposure == EXPOSURE_STRICT;
    return strict;
}

/* In strict, what broke off counts as all that was reserved for it: more than the row says was used. */
static void
check_counted(const struct scene *scene, const struct row *row, enum budget_unit unit)
{
    if (is_strict(scene->config))
        assert_true(counted_of(row, unit) >= used_by(row, unit));
    else
        assert_int_equal(counted_of(row, unit), used_by(row, unit));
}

/* What the accounts say was spent is what the rows of that window say, and nothing is reserved. */
static void
check_budgets(struct scene *scene)
{
    struct budgets *budgets = &scene->gateway.budgets;
    struct budget_info info;
    size_t at = 0;

    budgets_check(budgets);
    assert_int_equal(budgets_reserved(budgets), 0);
    assert_true(list_empty(&budgets->claims));
    assert_int_equal(replicas_in_flight(&scene->gateway.healths.replicas), 0);
    assert_int_equal(admissions_busy(&scene->gateway.admissions), 0);
    if (scene->row_count == 0 || scene->journal_fails || scene->reloaded)
        return;
    while (budgets_next(budgets, &at, scene->rows[scene->row_count - 1].arrived_wall_us, &info)) {
        int64_t used = 0;

        if (info.rule.unit == BUDGET_TOKENS && scene->config->cached_token_weight_ppm != 1000000)
            continue; /* rows do not tell it attempt by attempt */
        for (size_t i = 0; i < scene->row_count; i++) {
            if (!counts_for(&scene->rows[i], &info))
                continue;
            if (!any_shared(scene)) /* then check_costs sees to it */
                check_counted(scene, &scene->rows[i], info.rule.unit);
            used += counted_of(&scene->rows[i], info.rule.unit);
        }
        assert_int_equal(info.spent, used);
    }
}

void
scene_rest(struct scene *scene)
{
    history_run_to_rest(scene->history);
    assert_int_equal(history_clients_open(scene->history), 0);
    assert_int_equal(history_calls_open(scene->history), 0);
    for (unsigned i = 0; i < scene->gateway.worker_count; i++)
        assert_true(list_empty(&scene->gateway.workers[i]->exchanges));
    read_journals(scene);
    check_sums(scene);
    check_ledger(scene);
    check_budgets(scene);
}
