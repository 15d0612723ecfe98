/* What must hold after a script was played, beyond what scene_rest checks: rows against what clients sent, and against
 * what backends saw and billed. */
#include "chaos.h"

#include "money/ledger/look_up.h"

/* No words of ours are longer, and no token is worth less than half a byte (experience.c). */
enum { OUTPUT_MOST = 2 * 30 * 4, BYTES_PER_TOKEN_INVERSE = 2 };

static const char *const backend_names[CHAOS_BACKENDS] = {"alpha", "beta", "claude"};

static const struct row *
row_of(struct chaos *chaos, size_t client)
{
    const struct row *found = NULL;

    for (size_t i = 0; i < chaos->scene->row_count; i++) {
        const struct row *row = scene_row(chaos->scene, i);

        if (chaos_client_of_row(row) != client || row_is_own(row))
            continue;
        assert_null(found); /* one row, not two */
        found = row;
    }
    return found;
}

/* What was sent on its behalf by ourselves: the one behind `before` (NULL: the first); NULL: there is no further one. */
static const struct row *
audit_of(struct chaos *chaos, size_t client, const struct row *before)
{
    for (size_t i = before != NULL ? (size_t)(before - chaos->scene->rows) + 1 : 0; i < chaos->scene->row_count; i++)
        if (chaos_client_of_row(&chaos->scene->rows[i]) == client && row_is_own(&chaos->scene->rows[i]))
            return &chaos->scene->rows[i];
    return NULL;
}

/* By what was sent, not by what the gateway counted. */
static bool
is_identified(const struct chaos *chaos, size_t client)
{
    const struct chaos_client *about = &chaos->script->clients[client];

    return chaos->clients[client] != NULL && about->known_key && about->known_path && !about->reads_only &&
           vclient_started_us(chaos->clients[client]) != 0;
}

/* Money, by a price list of the test's own: picodollars a token of input, cache read, cache write, the same for an hour,
 * output. */
struct list_price {
    const char *target;
    int64_t input, cached, write, write_1h, output;
};

static const struct list_price list_prices[] = {
    {"alpha/big", 2000000, 500000, 2000000, 2000000, 8000000},
    {"alpha/embedder", 100000, 100000, 100000, 100000, 0},
    {"beta/big", 3000000, 1000000, 3000000, 3000000, 12000000},
    {"beta/midi", 400000, 200000, 400000, 400000, 1600000},
    {"beta/mini", 200000, 100000, 200000, 200000, 800000},
    {"claude/nano", 500000, 100000, 1000000, 2000000, 2000000},
    {"claude/opus", 5000000, 500000, 6250000, 10000000, 25000000},
    {"claude/big", 1000000, 100000, 1250000, 2000000, 4000000},
    {"alpha/opus", 500000, 250000, 500000, 500000, 2000000},
};

static usd
list_cost(const struct chaos_bill *bill, struct slice target)
{
    for (size_t i = 0; i < sizeof(list_prices) / sizeof(list_prices[0]); i++) {
        const struct list_price *price = &list_prices[i];
        int64_t uncached = bill->backend == 2 ? bill->input : bill->input - bill->cached;

        if (slice_is(target, price->target))
            return uncached * price->input + bill->cached * price->cached +
                   (bill->cache_write - bill->cache_write_1h) * price->write + bill->cache_write_1h * price->write_1h +
                   bill->output * price->output;
    }
    return USD_UNKNOWN;
}

static int64_t
billed_input(const struct chaos_bill *bill)
{
    return bill->backend == 2 ? bill->input + bill->cached + bill->cache_write : bill->input;
}

static bool
is_for(const struct attempt_line *line, const char *backend)
{
    size_t len = strlen(backend);

    return slice_starts(line->target, backend) && line->target.len > len && line->target.data[len] == '/';
}

static bool
matches(const struct chaos_bill *bill, const struct attempt_line *line)
{
    return is_for(line, backend_names[bill->backend]) && line->input_tokens == billed_input(bill) &&
           line->output_tokens == bill->output;
}

/* By a configuration that was in force at some time. */
static bool
is_price(const struct chaos *chaos, usd cost, usd list)
{
    for (size_t i = 0; i < chaos_setting_count(); i++) {
        int64_t factor = chaos_setting(i)->price_factor;

        if (chaos->settings[i] && cost == list * (factor != 0 ? factor : 1))
            return true;
    }
    return false;
}

static bool
any_shared(const struct chaos *chaos)
{
    for (size_t i = 0; i < chaos->scene->row_count; i++)
        if (slice_is(chaos->scene->rows[i].source, "shared"))
            return true;
    return false;
}

/* However calls are shared, all rows together tell what all attempts came to. */
static void
check_sums(const struct chaos *chaos)
{
    wide_int rows = 0, lines = 0;
    int64_t output_rows = 0, output_lines = 0, input_rows = 0, input_lines = 0;
    bool known = true;

    for (size_t i = 0; i < chaos->scene->row_count; i++) {
        const struct row *row = &chaos->scene->rows[i];

        known &= usd_known(row->cost);
        rows += row->cost;
        input_rows += row->input_tokens;
        output_rows += row->output_tokens;
        for (size_t j = 0; j < row->try_count; j++)
            lines += row->tries[j].cost;
        if (row->try_count > 0) {
            input_lines += row->tries[row->try_count - 1].input_tokens;
            output_lines += row->tries[row->try_count - 1].output_tokens;
        }
    }
    if (gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST) > 0)
        return;
    assert_int_equal(input_rows, input_lines);
    assert_int_equal(output_rows, output_lines);
    if (known)
        assert_true(rows == lines);
}

/* What the row itself says, where there was only this one attempt: not only its lines must be what was billed. */
static void
check_usage(const struct chaos *chaos, const struct chaos_bill *bill, const struct row *row)
{
    if (row->try_count != 1 || any_shared(chaos) || gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST) > 0)
        return; /* then check_sums sees to it */
    assert_int_equal(row->input_tokens, billed_input(bill));
    assert_int_equal(row->cache_read_tokens, bill->cached);
    assert_int_equal(row->cache_write_tokens, bill->cache_write);
    assert_int_equal(row->output_tokens, bill->output);
    if (usd_known(row->cost))
        assert_true(row->input_cost + row->cache_read_cost + row->cache_write_cost + row->output_cost == row->cost);
}

static size_t
count_booked(const struct chaos *chaos, const struct chaos_bill *bill, const struct row *row)
{
    size_t booked = 0;

    for (size_t i = 0; i < row->try_count; i++) {
        const struct attempt_line *line = &row->tries[i];
        usd cost = list_cost(bill, line->target);

        if (!matches(bill, line))
            continue;
        booked++;
        if (usd_known(cost))
            assert_true(is_price(chaos, line->cost, cost));
    }
    return booked;
}

/* Rows of our own may be lost as well. */
static bool
may_lack_audit(const struct chaos *chaos)
{
    return gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST) > 0;
}

/* An answer that came whole and told what it cost is booked at exactly that, once. */
static void
check_bill(struct chaos *chaos, const struct chaos_bill *bill)
{
    const struct row *row = row_of(chaos, bill->client);
    size_t booked = 0;

    if (!bill->tells || !vbackend_seen(chaos->scene->backends[bill->place], bill->call).completed)
        return;
    if (row == NULL) {
        assert_true(chaos->scene->journal_fails);
        return;
    }
    booked = count_booked(chaos, bill, row);
    for (const struct row *audit = NULL; booked == 0 && (audit = audit_of(chaos, bill->client, audit)) != NULL;
         row = audit)
        booked = count_booked(chaos, bill, audit);
    if (booked == 0) {
        assert_true(may_lack_audit(chaos));
        return;
    }
    assert_int_equal(booked, 1);
    check_usage(chaos, bill, row);
}

/* What was not told is estimated, within what the bytes can be worth. */
static void
check_line(struct chaos *chaos, size_t client, const struct row *row, const struct attempt_line *line)
{
    int64_t input_most = 1 + BYTES_PER_TOKEN_INVERSE * row->request_bytes, output_most = OUTPUT_MOST;

    for (size_t i = 0; i < chaos->bill_count; i++) {
        const struct chaos_bill *bill = &chaos->bills[i];

        if (bill->client != client || !is_for(line, backend_names[bill->backend]))
            continue;
        input_most = input_most > billed_input(bill) ? input_most : billed_input(bill);
        output_most = output_most > bill->output ? output_most : bill->output;
    }
    assert_true(line->input_tokens >= 0 && line->input_tokens <= input_most);
    assert_true(line->output_tokens >= 0 && line->output_tokens <= output_most);
    assert_true(line->cost >= 0 || !usd_known(line->cost));
}

static void
check_line_all(struct chaos *chaos, size_t client, const struct row *row)
{
    for (size_t i = 0; i < row->try_count; i++)
        check_line(chaos, client, row, &row->tries[i]);
}

/* Nobody gets what was bought for another tenant, by whatever lever. */
static void
check_tenant(const struct chaos *chaos, size_t client)
{
    const struct chaos_client *about = &chaos->script->clients[client];
    struct chaos_client other = *about;
    struct slice body = vclient_body(chaos->clients[client]);

    other.rival = !about->rival;
    for (size_t b = 0; b < CHAOS_BACKENDS; b++)
        assert_lacks(body, chaos_model_of(&other, b));
}

/* What the row says of its look-ups is what became of it: an answer by meaning is bought nowhere, an audit is. */
static void
check_look_ups(const struct row *row)
{
    bool served = false, audited = false;
    struct slice rest = row->look_ups, lever;
    enum look_up_result result;

    while (look_up_take(&rest, &lever, &result)) {
        served = served || result == LOOK_UP_HIT || result == LOOK_UP_PROMOTED;
        audited = audited || result == LOOK_UP_AUDITED;
    }
    if (served)
        assert_true(slice_is(row->source, "cached") && row->cost == 0);
    if (slice_is(row->source, "cached"))
        assert_true(served);
    if (audited)
        assert_false(slice_is(row->source, "cached"));
    if (audited && slice_is(row->source, "reference") && slice_is(row->state, "ok"))
        assert_true(row->attempts > 0);
}

static void
check_client(struct chaos *chaos, size_t client, size_t calls, size_t *missing)
{
    const struct row *row = row_of(chaos, client), *audit = NULL;
    size_t audits = 0;
    struct vclient *about = chaos->clients[client];

    assert_false(about != NULL && vclient_waits(about));
    if (!is_identified(chaos, client)) {
        assert_null(row);
        assert_int_equal(calls, 0);
        return;
    }
    check_tenant(chaos, client);
    if (row == NULL) {
        ++*missing;
        return;
    }
    check_look_ups(row);
    while ((audit = audit_of(chaos, client, audit)) != NULL) {
        check_line_all(chaos, client, audit);
        audits += (size_t)audit->attempts;
    }
    if (!may_lack_audit(chaos))
        assert_true((size_t)row->attempts + audits >= calls);
    assert_true(row->try_count <= (size_t)row->attempts);
    check_line_all(chaos, client, row);
    if (slice_is(row->source, "cached")) {
        assert_int_equal(calls, 0);
        assert_true(row->attempts == 0 && row->cost == 0);
    }
    if (vclient_done(about) && vclient_status(about) == 200 && slice_is(row->state, "ok"))
        assert_int_equal(row->status, 200);
}

static void
check_opened(const struct chaos *chaos)
{
    size_t opened = 0, attempts = 0;

    for (size_t i = 0; i < chaos->scene->backend_count; i++)
        opened += vbackend_opened(chaos->scene->backends[i]);
    for (size_t i = 0; i < chaos->scene->row_count; i++)
        attempts += (size_t)chaos->scene->rows[i].attempts;
    assert_int_equal(opened, gateway_count(&chaos->scene->gateway, COUNT_ATTEMPTS));
    if (gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST) == 0)
        assert_int_equal(opened, attempts);
}

bool
chaos_serves_unbooked(const struct chaos *chaos)
{
    for (size_t i = 0; i < chaos_setting_count(); i++)
        if (chaos->settings[i] && chaos_setting(i)->serves_unbooked)
            return true;
    return false;
}

/* If the process ended here: whoever reached a backend has a row, though its settlement was lost. */
static void
check_lost(struct chaos *chaos, const size_t calls[CHAOS_CLIENTS_MOST])
{
    bool found[CHAOS_CLIENTS_MOST + 1] = {0};

    if (chaos_serves_unbooked(chaos))
        return;
    for (unsigned i = 0; i < chaos->scene->gateway.worker_count; i++) {
        struct slice bytes = history_journal(chaos->scene->history, i);
        struct journal_record record;

        while (journal_take(&bytes, &record) == OK)
            if (record.type == JOURNAL_OPEN || record.type == JOURNAL_SETTLE)
                found[chaos_client_of_row(&record.row)] = true;
    }
    for (size_t i = 0; i < chaos->script->client_count; i++)
        assert_true(found[i] || calls[i] == 0);
}

static bool
chooses(const struct chaos *chaos)
{
    for (size_t i = 0; i < chaos_setting_count(); i++)
        if (chaos->settings[i] && (strncmp(chaos_setting(i)->name, "choosing", strlen("choosing")) == 0 ||
                                   strncmp(chaos_setting(i)->name, "cascading", strlen("cascading")) == 0))
            return true;
    return false;
}

void
chaos_check(struct chaos *chaos)
{
    size_t calls[CHAOS_CLIENTS_MOST], missing = 0;

    chaos_count_calls(chaos, calls);
    for (size_t i = 0; i < chaos->script->client_count; i++)
        check_client(chaos, i, calls[i], &missing);
    for (size_t i = 0; i < chaos->bill_count; i++)
        check_bill(chaos, &chaos->bills[i]);
    for (size_t i = 0; i < chaos->scene->row_count; i++)
        assert_true(chaos_client_of_row(&chaos->scene->rows[i]) < chaos->script->client_count);
    if (chooses(chaos)) /* rows of our own may be lost as well */
        assert_true((int64_t)missing <= gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST));
    else
        assert_int_equal(missing, gateway_count(&chaos->scene->gateway, COUNT_ROWS_LOST));
    check_opened(chaos);
    check_sums(chaos);
    check_lost(chaos, calls);
}
