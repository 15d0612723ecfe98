#include "money/ledger/accounts.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/timers.h"
#include "money/ledger/group.h"

/* Groups that are known without asking the store; beyond, all are forgotten and learned anew. */
enum { GROUPS_KNOWN_MOST = 65536 };

/* The part of one hour that a batch adds to a group. */
struct cell {
    struct known_group *group;
    int64_t hour;
    struct cell *next;       /* of the same group */
    struct cell *next_dirty; /* of the batch, or the next free one */
    struct sums sums;
};

struct known_group {
    uint64_t id;
    struct cell *cells;
    size_t len;
    char bytes[];
};

struct accounts {
    struct ledger_store *store;
    struct map groups; /* group bytes -> struct known_group */
    struct buffer scratch;
    struct arena arena;
    struct cell *dirty, *unused;
};

int64_t
ledger_period_start(enum ledger_period period, int64_t wall_us)
{
    int64_t length = period == LEDGER_HOUR ? 3600 * USEC_PER_S : 86400 * USEC_PER_S;
    int64_t part = wall_us % length;

    return wall_us - (part < 0 ? part + length : part);
}

struct accounts *
accounts_new(struct ledger_store *store)
{
    struct accounts *accounts = must_calloc(1, sizeof(*accounts));

    accounts->store = store;
    return accounts;
}

static void
forget_groups(struct accounts *accounts)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&accounts->groups, &at, &key, &value))
        free(value);
    map_free(&accounts->groups);
}

/* The batch's cells are free again. */
static void
recycle_cells(struct accounts *accounts)
{
    while (accounts->dirty != NULL) {
        struct cell *cell = accounts->dirty;

        accounts->dirty = cell->next_dirty;
        cell->group->cells = NULL;
        cell->next_dirty = accounts->unused;
        accounts->unused = cell;
    }
}

void
accounts_forget(struct accounts *accounts)
{
    recycle_cells(accounts);
    forget_groups(accounts);
}

void
accounts_free(struct accounts *accounts)
{
    if (accounts == NULL)
        return;
    accounts_forget(accounts);
    while (accounts->unused != NULL) {
        struct cell *cell = accounts->unused;

        accounts->unused = cell->next_dirty;
        free(cell);
    }
    buffer_free(&accounts->scratch);
    arena_reset(&accounts->arena);
    free(accounts);
}

static struct known_group *
group_of(struct accounts *accounts, const struct group *group)
{
    struct known_group *known;
    struct slice bytes;

    buffer_clear(&accounts->scratch);
    group_put(&accounts->scratch, group);
    bytes = buffer_content(&accounts->scratch);
    known = map_get(&accounts->groups, bytes);
    if (known != NULL)
        return known;
    ENSURE(bytes.len > 0);
    known = must_calloc(1, sizeof(*known) + bytes.len);
    known->len = bytes.len;
    memcpy(known->bytes, bytes.data, bytes.len);
    map_put(&accounts->groups, bytes, known);
    return known;
}

static struct cell *
new_cell(struct accounts *accounts)
{
    struct cell *cell = accounts->unused;

    if (cell == NULL)
        return must_calloc(1, sizeof(*cell));
    accounts->unused = cell->next_dirty;
    memset(cell, 0, sizeof(*cell));
    return cell;
}

static struct sums *
sums_of(struct accounts *accounts, const struct group *group, int64_t hour)
{
    struct known_group *known = group_of(accounts, group);
    struct cell *cell = known->cells;

    while (cell != NULL && cell->hour != hour)
        cell = cell->next;
    if (cell != NULL)
        return &cell->sums;
    cell = new_cell(accounts);
    cell->group = known;
    cell->hour = hour;
    cell->next = known->cells;
    known->cells = cell;
    cell->next_dirty = accounts->dirty;
    accounts->dirty = cell;
    return &cell->sums;
}

void
accounts_add_row(struct accounts *accounts, const struct row *row)
{
    struct group_share shares[GROUPS_OF_ROW_MOST];
    size_t count = groups_of_row(row, shares);
    int64_t hour = ledger_period_start(LEDGER_HOUR, row->arrived_wall_us);

    for (size_t i = 0; i < count; i++)
        sums_add_row(sums_of(accounts, &shares[i].group, hour), row, shares[i].saved);
}

void
accounts_add_rent(struct accounts *accounts, const struct rent *rent)
{
    int64_t hour = ledger_period_start(LEDGER_HOUR, rent->from_wall_us);
    struct group group = {0};
    struct sums more = {0};

    group.of[DIMENSION_kind] = SLICE_LITERAL("rent");
    group.of[DIMENSION_backend] = rent->backend;
    group.of[DIMENSION_provider] = rent->provider;
    if (rent->modelled)
        group.of[DIMENSION_modelled] = SLICE_LITERAL("modelled");
    more.rented_us = rent->replicas * (rent->until_wall_us - rent->from_wall_us);
    more.rent = rent_units(rent->replicas, rent->until_wall_us - rent->from_wall_us, rent->usd_per_hour);
    sums_add(sums_of(accounts, &group, hour), &more);
}

void
accounts_change_outcome(struct accounts *accounts, const struct row *before, const struct row *after)
{
    struct group_share shares[GROUPS_OF_ROW_MOST];
    size_t count = groups_of_row(after, shares);
    int64_t hour = ledger_period_start(LEDGER_HOUR, after->arrived_wall_us);

    for (size_t i = 0; i < count; i++) {
        struct sums *sums = sums_of(accounts, &shares[i].group, hour);

        sums_add_outcome(sums, before, -1);
        sums_add_outcome(sums, after, 1);
    }
}

/* A group's id is the hash of its bytes; the next free number where two groups' hashes are equal. */
static enum status
learn_id(struct accounts *accounts, struct known_group *known)
{
    struct ledger_store *store = accounts->store;
    struct slice bytes = slice_make(known->bytes, known->len), there;
    uint64_t id = hash_fast(bytes, 0) >> 1 | 1;

    for (;; id++) {
        enum status status = store->ops->find_group(store, id, &accounts->arena, &there);

        if (status == ERR_NOT_FOUND)
            status = store->ops->put_group(store, id, bytes);
        else if (status == OK && !slice_equal(there, bytes))
            continue;
        if (status == OK)
            known->id = id;
        return status;
    }
}

static enum status
add_to_period(struct accounts *accounts, const struct cell *cell, enum ledger_period period)
{
    struct ledger_store *store = accounts->store;
    struct buffer *bytes = &accounts->scratch;
    int64_t start = ledger_period_start(period, cell->hour);
    struct sums sums = {0};
    enum status status;

    buffer_clear(bytes);
    status = store->ops->find_sums(store, period, start, cell->group->id, bytes);
    if (status == OK)
        status = sums_take(buffer_content(bytes), &sums);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    if (status != OK)
        return status;
    sums_add(&sums, &cell->sums);
    buffer_clear(bytes);
    sums_put(bytes, &sums);
    return store->ops->put_sums(store, period, start, cell->group->id, buffer_content(bytes));
}

static enum status
flush_cell(struct accounts *accounts, const struct cell *cell)
{
    enum status status = cell->group->id != 0 ? OK : learn_id(accounts, cell->group);

    for (int period = 0; period < LEDGER_PERIODS && status == OK; period++)
        status = add_to_period(accounts, cell, (enum ledger_period)period);
    return status;
}

enum status
accounts_flush(struct accounts *accounts)
{
    enum status status = OK;

    for (const struct cell *cell = accounts->dirty; cell != NULL && status == OK; cell = cell->next_dirty)
        status = flush_cell(accounts, cell);
    arena_reset(&accounts->arena);
    if (status != OK)
        return status;
    recycle_cells(accounts);
    if (accounts->groups.count > GROUPS_KNOWN_MOST)
        forget_groups(accounts);
    return OK;
}
