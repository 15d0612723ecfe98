/* Requests that were opened and not settled: their records so far, and what becomes of those that never are. */
#include "money/ledger/ledger_inside.h"

#include <stdlib.h>

/* A request that was opened and not settled: its records so far. */
struct open_request {
    uint64_t id;
    struct buffer records;
    bool stored, changed; /* what the store has; `changed`: listed in ledger.changed */
    struct open_request *next_unused;
};

/* Kept for further requests, with the room that they have. */
enum { UNUSED_OPEN_MOST = 1024 };

static void
free_open(struct ledger *ledger, struct open_request *open)
{
    if (ledger->unused_count == UNUSED_OPEN_MOST) {
        buffer_free(&open->records);
        free(open);
        return;
    }
    buffer_clear(&open->records);
    open->stored = open->changed = false;
    open->next_unused = ledger->unused;
    ledger->unused = open;
    ledger->unused_count++;
}

void
ledger_requests_free_spares(struct ledger *ledger)
{
    while (ledger->unused != NULL) {
        struct open_request *open = ledger->unused;

        ledger->unused = open->next_unused;
        buffer_free(&open->records);
        free(open);
    }
}

static struct open_request *
new_open(struct ledger *ledger)
{
    struct open_request *open = ledger->unused;

    if (open == NULL)
        return must_calloc(1, sizeof(*open));
    ledger->unused = open->next_unused;
    ledger->unused_count--;
    return open;
}

static struct open_request *
open_request(struct ledger *ledger, uint64_t id)
{
    struct open_request *open = id_map_get(&ledger->open, id);

    if (open == NULL) {
        open = new_open(ledger);
        open->id = id;
        id_map_put(&ledger->open, id, open);
    }
    return open;
}

static void
note_change(struct ledger *ledger, struct open_request *open)
{
    if (open->changed)
        return;
    open->changed = true;
    if (ledger->changed_count == ledger->changed_size) {
        ledger->changed_size = ledger->changed_size != 0 ? 2 * ledger->changed_size : 256;
        ledger->changed = must_realloc(ledger->changed, ledger->changed_size * sizeof(uint64_t));
    }
    ledger->changed[ledger->changed_count++] = open->id;
}

void
ledger_requests_remember(struct ledger *ledger, uint64_t id, struct slice record)
{
    struct open_request *open = open_request(ledger, id);

    buffer_add(&open->records, record);
    note_change(ledger, open);
}

enum status
ledger_requests_forget(struct ledger *ledger, uint64_t id)
{
    struct open_request *open = id_map_remove(&ledger->open, id);
    enum status status = OK;

    if (open == NULL)
        return OK;
    if (open->stored)
        status = ledger->store->ops->drop_note(ledger->store, LEDGER_NOTE_OPEN, id);
    free_open(ledger, open);
    return status;
}

/* Those still open at the end of a batch: their records will not be read from the journal again. */
enum status
ledger_requests_store(struct ledger *ledger)
{
    enum status status = OK;

    for (size_t i = 0; i < ledger->changed_count && status == OK; i++) {
        struct open_request *open = id_map_get(&ledger->open, ledger->changed[i]);

        if (open == NULL || !open->changed)
            continue;
        status =
            ledger->store->ops->put_note(ledger->store, LEDGER_NOTE_OPEN, open->id, buffer_content(&open->records));
        open->changed = false;
        open->stored = true;
    }
    return status;
}

void
ledger_requests_read(struct ledger *ledger, uint64_t id, struct slice records)
{
    struct open_request *open = open_request(ledger, id);

    buffer_add(&open->records, records);
    open->stored = true;
}

void
ledger_requests_forget_all(struct ledger *ledger)
{
    size_t at = 0;
    void *value;

    while ((value = id_map_next(&ledger->open, &at)) != NULL)
        free_open(ledger, value);
    id_map_free(&ledger->open);
    ledger->changed_count = 0;
}

/* Opened and never settled */

/* What is certain and what was expected of the rest, or unknown. */
static usd
charge_of(const struct row *row)
{
    usd charge = row->reserved_estimate;

    for (size_t i = 0; i < row->try_count; i++)
        if (usd_add(charge, row->tries[i].cost, &charge) != OK)
            return USD_UNKNOWN;
    return charge;
}

static void
charge_row(struct row *row)
{
    usd saved;

    row->state = SLICE_LITERAL("unknown");
    row->why = SLICE_LITERAL("the gateway's process ended before the answer did; charged at what was expected");
    row->cost = charge_of(row);
    row->exactness = usd_known(row->cost) ? SLICE_LITERAL("estimated") : SLICE_LITERAL("unpriced");
    row->attempts = (int64_t)row->try_count + 1;
    row->counted_cost = row->cost;
    row->counted_requests = !row_is_own(row);
    for (size_t i = 0; i < row->try_count; i++)
        row->counted_tokens += row->tries[i].input_tokens + row->tries[i].output_tokens;
    row->saving_count = 0;
    if (row_is_own(row))
        row->baseline = 0;
    if (usd_sub(row->baseline, row->cost, &saved) == OK && usd_known(saved) && saved != 0)
        row->savings[row->saving_count++] = (struct saving_line){
            .lever = row_is_own(row) ? SLICE_LITERAL(ROW_AUDITS) : SLICE_LITERAL("unattributed"), .saved = saved};
}

/* The row that a request's records so far make. */
static enum status
row_of_open(const struct open_request *open, struct arena *arena, struct row *row)
{
    struct slice rest = buffer_content(&open->records);
    struct journal_record *record = arena_alloc(arena, sizeof(*record));
    struct attempt_line tries[ROW_ATTEMPTS_MOST];
    size_t try_count = 0;

    row_init(row);
    row->id = open->id;
    while (rest.len > 0) {
        enum status status = journal_take(&rest, record);

        if (status != OK)
            return status;
        if (record->type == JOURNAL_OPEN)
            *row = record->row;
        else if (try_count < ROW_ATTEMPTS_MOST)
            tries[try_count++] = record->row.tries[0];
    }
    memcpy(row->tries, tries, try_count * sizeof(tries[0]));
    row->try_count = try_count;
    charge_row(row);
    return OK;
}

static enum status
charge_one(struct ledger *ledger, struct open_request *open)
{
    struct row *row = &ledger->record.row;
    enum status status = row_of_open(open, &ledger->arena, row);

    if (status == OK)
        status = ledger_settle(ledger, row);
    arena_reset(&ledger->arena);
    return status;
}

enum status
ledger_charge_open(struct ledger *ledger, size_t *charged)
{
    enum status status = OK;

    ENSURE(ledger->in_batch);
    *charged = 0;
    while (ledger->open.count > 0 && status == OK) {
        size_t at = 0;

        status = charge_one(ledger, id_map_next(&ledger->open, &at));
        *charged += status == OK;
    }
    return status;
}
