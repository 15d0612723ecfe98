/* What was said of requests: believed by its source, also where it came before the request's row. */
#include "money/ledger/ledger_inside.h"

#include <stdlib.h>

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

enum status
ledger_feedback_apply(struct ledger *ledger, const struct feedback *feedback, struct slice record)
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
enum status
ledger_feedback_take(struct ledger *ledger, struct row *row)
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

enum status
ledger_feedback_read(struct ledger *ledger, uint64_t id, struct slice records)
{
    struct slice rest = records;
    struct early_feedback *early;
    enum status status = journal_take(&rest, &ledger->record);

    if (status != OK)
        return status;
    early = early_of(ledger, id);
    early->wall_us = ledger->record.feedback.wall_us;
    buffer_add(&early->records, records);
    return OK;
}

void
ledger_feedback_forget_all(struct ledger *ledger)
{
    LIST_EACH(&ledger->early_by_age, node, after)
    free_early(ledger, CONTAINER_OF(node, struct early_feedback, age));
    id_map_free(&ledger->early);
}
