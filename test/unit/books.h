/* A ledger in memory for the tests of reports, with a batch begun: what is booked by them counts from the report's collecting
 * on, or from ledger_commit. */
#ifndef TEST_BOOKS_H
#define TEST_BOOKS_H

#include "cmocka_ready.h"

#include "base/timers.h"
#include "money/ledger/journal.h"
#include "money/ledger/ledger.h"
#include "money/ledger/ledger_memory.h"

#define DAY_US ((int64_t)86400 * USEC_PER_S)

struct books {
    struct ledger *ledger;
    struct ledger_store *store;
    uint64_t last_id;
};

static inline int
books_open(void **state)
{
    struct books *books = must_calloc(1, sizeof(*books));

    books->store = ledger_memory_open();
    assert_int_equal(ledger_open(books->store, &books->ledger), OK);
    assert_int_equal(ledger_begin(books->ledger), OK);
    *state = books;
    return 0;
}

static inline int
books_close(void **state)
{
    struct books *books = *state;

    ledger_close(books->ledger);
    free(books);
    return 0;
}

/* As a journal's record of a settled request, of the next number. */
static inline void
books_settle(struct books *books, struct row *row)
{
    struct buffer record = {0};

    row->id = ++books->last_id;
    journal_put_settle(&record, row);
    assert_int_equal(ledger_apply(books->ledger, buffer_content(&record)), OK);
    buffer_free(&record);
}

/* For report_options.risk. */
static inline const char *
no_risk(struct slice lever)
{
    (void)lever;
    return "none";
}

#endif
