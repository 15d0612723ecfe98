#include "base/timers.h"
#include "money/ledger/group.h"
#include "money/ledger/ledger.h"

bool
ledger_totals_equal(const struct ledger_totals *a, const struct ledger_totals *b)
{
    return a->rows == b->rows && a->unpriced == b->unpriced && a->cost == b->cost && a->baseline == b->baseline &&
           a->saved == b->saved;
}

void
ledger_totals_add(struct ledger_totals *totals, const struct row *row)
{
    totals->rows++;
    totals->unpriced += !usd_known(row->cost);
    totals->saved += row_booked(row);
    if (!usd_known(row->cost))
        return;
    totals->cost += row->cost;
    if (usd_known(row->baseline))
        totals->baseline += row->baseline;
}

/* Adding up, of sums or of rows. */
struct adding {
    struct ledger_store *store;
    struct arena arena;
    struct ledger_totals totals;
    int64_t since;
};

static enum status
is_request_group(struct adding *adding, uint64_t id, bool *out)
{
    struct slice bytes;
    struct group group;
    enum status status = adding->store->ops->find_group(adding->store, id, &adding->arena, &bytes);

    if (status == OK)
        status = group_take(bytes, &group);
    *out = status == OK && slice_is(group.of[DIMENSION_kind], "request");
    return status;
}

static enum status
add_sums(void *user, int64_t start, uint64_t group, struct slice bytes)
{
    struct adding *adding = user;
    struct sums sums;
    bool counts = false;
    enum status status = is_request_group(adding, group, &counts);

    (void)start;
    if (status == OK && counts)
        status = sums_take(bytes, &sums);
    if (status != OK || !counts)
        return status;
    adding->totals.rows += sums.rows + sums.own_calls;
    adding->totals.unpriced += sums.unpriced;
    adding->totals.cost += sums.cost;
    adding->totals.baseline += sums.baseline;
    adding->totals.saved += sums.saved;
    return OK;
}

static enum status
totals_of_period(struct ledger *ledger, enum ledger_period period, int64_t since, struct ledger_totals *out)
{
    struct ledger_store *store = ledger_store(ledger);
    struct adding adding = {.store = store, .since = since};
    enum status status = store->ops->each_sums(store, period, since, INT64_MAX, add_sums, &adding);

    arena_reset(&adding.arena);
    *out = adding.totals;
    return status;
}

enum status
ledger_totals(struct ledger *ledger, struct ledger_totals *out)
{
    return totals_of_period(ledger, LEDGER_DAY, INT64_MIN, out);
}

/* An id's first 44 bits are milliseconds (gateway.c) that never go back, though the clock may: whatever arrived after a
 * moment has an id of that moment or later. The other way round nothing is sure. */
enum { ID_MS_SHIFT = 20 };

static int64_t
id_wall_us(uint64_t id)
{
    return (int64_t)(id >> ID_MS_SHIFT) * USEC_PER_MS;
}

/* Rows come from the newest id down. */
static enum status
add_row(void *user, const struct row *row)
{
    struct adding *adding = user;

    if (row->arrived_wall_us >= adding->since)
        ledger_totals_add(&adding->totals, row);
    else if (adding->since > 0 && id_wall_us(row->id) < adding->since - USEC_PER_S)
        return ERR_NOT_FOUND;
    return OK;
}

static enum status
take_first_id(void *user, const struct row *row)
{
    *(uint64_t *)user = row->id;
    return ERR_NOT_FOUND;
}

enum status
ledger_last_id(struct ledger *ledger, uint64_t *out)
{
    struct ledger_store *store = ledger_store(ledger);
    enum status status;

    *out = 0;
    status = store->ops->each_row(store, take_first_id, out);
    return status == ERR_NOT_FOUND ? OK : status;
}

enum status
ledger_check(struct ledger *ledger, int64_t since_wall_us, struct ledger_totals *rows, struct ledger_totals *sums)
{
    struct ledger_store *store = ledger_store(ledger);
    struct adding adding = {.store = store, .since = since_wall_us};
    enum status status = store->ops->each_row(store, add_row, &adding);

    *rows = adding.totals;
    if (status == OK || status == ERR_NOT_FOUND)
        status = totals_of_period(ledger, LEDGER_HOUR, since_wall_us, sums);
    if (status == OK && !ledger_totals_equal(rows, sums))
        status = ERR_CORRUPT;
    return status;
}
