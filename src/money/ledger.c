#include "money/ledger.h"

#include <stdlib.h>

#include "base/list.h"
#include "money/accounts.h"
#include "money/id_map.h"
#include "money/ledger_rent.h"

/* A request that was opened and not settled: its records so far. */
struct open_request {
    uint64_t id;
    struct buffer records;
    bool stored, changed; /* what the store has; `changed`: listed in ledger.changed */
    struct open_request *next_unused;
};

/* Kept for further requests, with the room that they have. */
enum { UNUSED_OPEN_MOST = 1024 };

/* Feedback that came before its request's row, if that ever comes: an id is whatever a client says. Invariant: no record
 * covers one before it, so that an id takes a few records at most of each tenant and source. */
struct early_feedback {
    uint64_t id;
    int64_t wall_us;
    struct list age; /* in ledger.early_by_age */
    struct buffer records;
};

/* Of so many requests; what was said longest ago makes room. */
enum { EARLY_MOST = 16384 };

struct ledger {
    struct ledger_store *store;
    struct accounts *accounts;
    struct id_map open;  /* -> struct open_request */
    struct id_map early; /* -> struct early_feedback */
    struct list early_by_age;
    struct ledger_rents rents;
    uint64_t *changed; /* ids of open requests that the store must learn of at commit */
    size_t changed_count, changed_size;
    struct open_request *unused;
    size_t unused_count;
    struct arena arena; /* of one apply */
    struct journal_record record;
    struct row before;
    uint64_t foreign, foreign_before; /* feedback that was not believed; as of the last commit */
    size_t crowded, crowded_before;   /* requests whose early feedback made room; likewise */
    bool in_batch;
    bool stale; /* after a rollback: what is open must be read from the store again */
};

struct ledger_store *
ledger_store(struct ledger *ledger)
{
    return ledger->store;
}

size_t
ledger_open_count(const struct ledger *ledger)
{
    return ledger->open.count;
}

uint64_t
ledger_foreign_feedback(const struct ledger *ledger)
{
    return ledger->foreign_before;
}

/* Requests that are open */

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

static void
free_unused(struct ledger *ledger)
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

static void
remember(struct ledger *ledger, uint64_t id, struct slice record)
{
    struct open_request *open = open_request(ledger, id);

    buffer_add(&open->records, record);
    note_change(ledger, open);
}

static enum status
forget_open(struct ledger *ledger, uint64_t id)
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
static enum status
store_changed(struct ledger *ledger)
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

/* Feedback */

static void
free_early(struct ledger *ledger, struct early_feedback *early)
{
    id_map_remove(&ledger->early, early->id);
    list_remove(&early->age);
    buffer_free(&early->records);
    free(early);
}

static enum status
drop_early(struct ledger *ledger, struct early_feedback *early)
{
    enum status status = ledger->store->ops->drop_note(ledger->store, LEDGER_NOTE_FEEDBACK, early->id);

    free_early(ledger, early);
    return status;
}

static struct early_feedback *
early_of(struct ledger *ledger, uint64_t id)
{
    struct early_feedback *early = id_map_get(&ledger->early, id);

    if (early == NULL) {
        early = must_calloc(1, sizeof(*early));
        early->id = id;
        id_map_put(&ledger->early, id, early);
    }
    list_remove(&early->age);
    list_append(&ledger->early_by_age, &early->age);
    return early;
}

/* Who is believed when several judge: the caller, then a validator, then an audit. */
static int
strength(struct slice source)
{
    if (slice_is(source, "feedback"))
        return 3;
    if (slice_is(source, "validator"))
        return 2;
    return slice_is(source, "audit") ? 1 : 0;
}

bool
ledger_judge_row(struct row *row, const struct feedback *feedback)
{
    if (feedback->tenant.len > 0 && !slice_equal(feedback->tenant, row->tenant))
        return false;
    if (feedback->useful_ppm != ROW_UNKNOWN &&
        (row->useful_ppm == ROW_UNKNOWN || strength(feedback->source) >= strength(row->useful_source))) {
        row->useful_ppm = feedback->useful_ppm;
        row->useful_source = feedback->source;
        row->useful_reason = feedback->reason;
    }
    if (usd_known(feedback->value))
        row->value = feedback->value;
    return true;
}

/* Whether a row is judged the same with both as with `later` alone, whatever comes before, between and after them. */
static bool
covers(const struct feedback *later, const struct feedback *earlier)
{
    bool useful = earlier->useful_ppm == ROW_UNKNOWN ||
                  (later->useful_ppm != ROW_UNKNOWN && strength(later->source) >= strength(earlier->source));
    bool value = !usd_known(earlier->value) || usd_known(later->value);

    return useful && value && slice_equal(later->tenant, earlier->tenant);
}

/* Or who says the same again and again would fill the memory, and the note in the store with it. */
static enum status
drop_covered(struct ledger *ledger, struct early_feedback *early, const struct feedback *by)
{
    struct slice rest = arena_copy(&ledger->arena, buffer_content(&early->records));
    struct journal_record *record = arena_alloc(&ledger->arena, sizeof(*record));
    enum status status = OK;

    buffer_clear(&early->records);
    while (rest.len > 0 && status == OK) {
        struct slice before = rest;

        status = journal_take(&rest, record);
        if (status == OK && !covers(by, &record->feedback))
            buffer_add(&early->records, slice_first(before, before.len - rest.len));
    }
    return status;
}

static enum status
keep_early(struct ledger *ledger, const struct feedback *feedback, struct slice record)
{
    struct early_feedback *early = early_of(ledger, feedback->id);
    enum status status = drop_covered(ledger, early, feedback);

    if (status != OK)
        return status;
    early->wall_us = feedback->wall_us;
    buffer_add(&early->records, record);
    status =
        ledger->store->ops->put_note(ledger->store, LEDGER_NOTE_FEEDBACK, early->id, buffer_content(&early->records));
    if (status != OK || ledger->early.count <= EARLY_MOST)
        return status;
    ledger->crowded++;
    return drop_early(ledger, CONTAINER_OF(list_first(&ledger->early_by_age), struct early_feedback, age));
}

static enum status
apply_feedback(struct ledger *ledger, const struct feedback *feedback, struct slice record)
{
    struct ledger_store *store = ledger->store;
    struct row after;
    enum status status = store->ops->find_row(store, feedback->id, &ledger->arena, &ledger->before);

    if (status == ERR_NOT_FOUND)
        return keep_early(ledger, feedback, record);
    if (status != OK)
        return status;
    after = ledger->before;
    if (!ledger_judge_row(&after, feedback)) {
        ledger->foreign++;
        return OK;
    }
    accounts_change_outcome(ledger->accounts, &ledger->before, &after);
    return store->ops->set_outcome(store, &after);
}

/* What was said about the request before its row came. The texts stay in the note's bytes, which the arena keeps. */
static enum status
take_early(struct ledger *ledger, struct row *row)
{
    struct early_feedback *early = id_map_get(&ledger->early, row->id);
    struct journal_record *record;
    struct slice rest;
    enum status status = OK;

    if (early == NULL)
        return OK;
    rest = arena_copy(&ledger->arena, buffer_content(&early->records));
    record = arena_alloc(&ledger->arena, sizeof(*record));
    while (rest.len > 0 && (status = journal_take(&rest, record)) == OK)
        ledger->foreign += !ledger_judge_row(row, &record->feedback);
    if (status != OK)
        return status;
    return drop_early(ledger, early);
}

/* Rows */

static enum status
settle(struct ledger *ledger, struct row *row)
{
    bool inserted = false;
    enum status status = take_early(ledger, row);

    if (status == OK)
        status = ledger->store->ops->insert_row(ledger->store, row, &inserted);
    if (status == OK && inserted)
        accounts_add_row(ledger->accounts, row);
    return status == OK ? forget_open(ledger, row->id) : status;
}

/* Settled, or feedback: read whole. */
static enum status
apply_whole(struct ledger *ledger, const struct journal_head *head, struct slice bytes)
{
    struct journal_record *record = &ledger->record;
    enum status status;

    if (journal_read(head, record) != OK)
        return ERR_INVALID;
    if (record->type == JOURNAL_SETTLE)
        status = settle(ledger, &record->row);
    else if (record->type == JOURNAL_RENT)
        status = ledger_rents_apply(&ledger->rents, ledger->accounts, ledger->store, &record->rent);
    else
        status = apply_feedback(ledger, &record->feedback, bytes);
    if (ledger->arena.blocks != NULL)
        arena_reset(&ledger->arena);
    return status;
}

/* Most requests are settled in the batch that opens them: what opens them is kept as it is, and read only if it must
 * be. */
enum status
ledger_apply(struct ledger *ledger, struct slice bytes)
{
    struct journal_head head;

    ENSURE(ledger->in_batch);
    if (journal_look(bytes, &head) != OK)
        return ERR_INVALID;
    bytes = slice_first(bytes, head.bytes);
    switch (head.type) {
    case JOURNAL_OPEN:
    case JOURNAL_ATTEMPT:
        remember(ledger, head.id, bytes);
        return OK;
    case JOURNAL_SETTLE:
    case JOURNAL_FEEDBACK:
    case JOURNAL_RENT:
        return apply_whole(ledger, &head, bytes);
    }
    return ERR_INVALID;
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
    row->counted_requests = 1;
    for (size_t i = 0; i < row->try_count; i++)
        row->counted_tokens += row->tries[i].input_tokens + row->tries[i].output_tokens;
    row->saving_count = 0;
    if (usd_sub(row->baseline, row->cost, &saved) == OK && usd_known(saved) && saved != 0)
        row->savings[row->saving_count++] =
            (struct saving_line){.lever = SLICE_LITERAL("unattributed"), .saved = saved};
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
        status = settle(ledger, row);
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

enum status
ledger_drop_old_feedback(struct ledger *ledger, int64_t wall_us, size_t *dropped)
{
    enum status status = OK;

    ENSURE(ledger->in_batch);
    *dropped = ledger->crowded;
    ledger->crowded = 0;
    LIST_EACH(&ledger->early_by_age, node, after)
    {
        struct early_feedback *early = CONTAINER_OF(node, struct early_feedback, age);

        if (status != OK || early->wall_us >= wall_us)
            continue;
        status = drop_early(ledger, early);
        (*dropped)++;
    }
    return status;
}

/* Batches */

static enum status
read_note(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    struct ledger *ledger = user;
    struct slice rest = bytes;
    struct early_feedback *early;
    enum status status;

    if (kind == LEDGER_NOTE_OPEN) {
        struct open_request *open = open_request(ledger, id);

        buffer_add(&open->records, bytes);
        open->stored = true;
        return OK;
    }
    if (kind == LEDGER_NOTE_RENT)
        return ledger_rents_read(&ledger->rents, id, bytes);
    status = journal_take(&rest, &ledger->record);
    if (status != OK)
        return status;
    early = early_of(ledger, id);
    early->wall_us = ledger->record.feedback.wall_us;
    buffer_add(&early->records, bytes);
    return OK;
}

static void
forget_notes(struct ledger *ledger)
{
    size_t at = 0;
    void *value;

    while ((value = id_map_next(&ledger->open, &at)) != NULL)
        free_open(ledger, value);
    LIST_EACH(&ledger->early_by_age, node, after)
    free_early(ledger, CONTAINER_OF(node, struct early_feedback, age));
    ledger_rents_forget(&ledger->rents);
    id_map_free(&ledger->open);
    id_map_free(&ledger->early);
    ledger->changed_count = 0;
}

static enum status
read_notes(struct ledger *ledger)
{
    forget_notes(ledger);
    return ledger->store->ops->each_note(ledger->store, read_note, ledger);
}

enum status
ledger_open(struct ledger_store *store, struct ledger **out)
{
    struct ledger *ledger = must_calloc(1, sizeof(*ledger));
    enum status status;

    ledger->store = store;
    ledger->accounts = accounts_new(store);
    list_init(&ledger->early_by_age);
    ledger_rents_init(&ledger->rents);
    status = read_notes(ledger);
    if (status == OK)
        *out = ledger;
    else
        ledger_close(ledger);
    return status;
}

void
ledger_close(struct ledger *ledger)
{
    if (ledger == NULL)
        return;
    if (ledger->in_batch)
        ledger->store->ops->rollback(ledger->store);
    forget_notes(ledger);
    free_unused(ledger);
    accounts_free(ledger->accounts);
    arena_reset(&ledger->arena);
    free(ledger->changed);
    ledger->store->ops->close(ledger->store);
    free(ledger);
}

enum status
ledger_begin(struct ledger *ledger)
{
    enum status status = ledger->stale ? read_notes(ledger) : OK;

    ENSURE(!ledger->in_batch);
    if (status != OK)
        return status;
    ledger->stale = false;
    status = ledger->store->ops->begin(ledger->store);
    ledger->in_batch = status == OK;
    return status;
}

enum status
ledger_set_position(struct ledger *ledger, uint64_t segment, uint64_t offset)
{
    ENSURE(ledger->in_batch);
    return ledger->store->ops->put_position(ledger->store, segment, offset);
}

enum status
ledger_commit(struct ledger *ledger)
{
    enum status status = accounts_flush(ledger->accounts);

    ENSURE(ledger->in_batch);
    if (status == OK)
        status = store_changed(ledger);
    if (status == OK)
        status = ledger->store->ops->commit(ledger->store);
    if (status != OK)
        return status;
    ledger->changed_count = 0;
    ledger->foreign_before = ledger->foreign;
    ledger->crowded_before = ledger->crowded;
    ledger->in_batch = false;
    return OK;
}

void
ledger_rollback(struct ledger *ledger)
{
    if (!ledger->in_batch)
        return;
    ledger->store->ops->rollback(ledger->store);
    ledger->foreign = ledger->foreign_before;
    ledger->crowded = ledger->crowded_before;
    ledger->in_batch = false;
    accounts_forget(ledger->accounts);
    ledger->stale = true;
}
