#include "money/ledger/ledger_inside.h"

#include <stdlib.h>

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

/* Rows */

enum status
ledger_settle(struct ledger *ledger, struct row *row)
{
    bool inserted = false;
    enum status status = ledger_feedback_take(ledger, row);

    if (status == OK)
        status = ledger->store->ops->insert_row(ledger->store, row, &inserted);
    if (status == OK && inserted)
        accounts_add_row(ledger->accounts, row);
    return status == OK ? ledger_requests_forget(ledger, row->id) : status;
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
        status = ledger_settle(ledger, &record->row);
    else if (record->type == JOURNAL_RENT)
        status = ledger_rents_apply(&ledger->rents, ledger->accounts, ledger->store, &record->rent);
    else
        status = ledger_feedback_apply(ledger, &record->feedback, bytes);
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
        ledger_requests_remember(ledger, head.id, bytes);
        return OK;
    case JOURNAL_SETTLE:
    case JOURNAL_FEEDBACK:
    case JOURNAL_RENT:
        return apply_whole(ledger, &head, bytes);
    }
    return ERR_INVALID;
}

/* Batches */

static enum status
read_note(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    struct ledger *ledger = user;

    switch (kind) {
    case LEDGER_NOTE_OPEN:
        ledger_requests_read(ledger, id, bytes);
        return OK;
    case LEDGER_NOTE_RENT:
        return ledger_rents_read(&ledger->rents, id, bytes);
    case LEDGER_NOTE_FEEDBACK:
        return ledger_feedback_read(ledger, id, bytes);
    }
    return ERR_INVALID;
}

static void
forget_notes(struct ledger *ledger)
{
    ledger_requests_forget_all(ledger);
    ledger_feedback_forget_all(ledger);
    ledger_rents_forget(&ledger->rents);
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
    ledger_requests_free_spares(ledger);
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
        status = ledger_requests_store(ledger);
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
