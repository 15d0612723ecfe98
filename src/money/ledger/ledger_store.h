/* Where the ledger is kept: SQLite in the live world, memory in the virtual one. A store keeps what it is given and knows
 * nothing of money; ledger.h does the accounting on top. All changes happen between begin and commit; rollback undoes
 * them. One thread at a time. */
#ifndef MONEY_LEDGER_STORE_H
#define MONEY_LEDGER_STORE_H

#include "base/arena.h"
#include "money/ledger/sums.h"
#include "money/row.h"

struct ledger_store;

enum ledger_period { LEDGER_HOUR, LEDGER_DAY };
#define LEDGER_PERIODS 2

/* Things that wait for their request's row: its own records so far, or feedback that came too early. And up to when a
 * backend's rent is counted. */
enum ledger_note { LEDGER_NOTE_OPEN = 1, LEDGER_NOTE_FEEDBACK = 2, LEDGER_NOTE_RENT = 3 };

/* Callbacks return OK to go on; anything else ends the walk and is what the walk returns. */
typedef enum status ledger_sums_visit(void *user, int64_t start, uint64_t group, struct slice sums);
typedef enum status ledger_row_visit(void *user, const struct row *row);
typedef enum status ledger_note_visit(void *user, enum ledger_note kind, uint64_t id, struct slice bytes);
typedef enum status ledger_position_visit(void *user, uint64_t segment, uint64_t offset);

struct ledger_store_ops {
    enum status (*begin)(struct ledger_store *);
    enum status (*commit)(struct ledger_store *);
    void (*rollback)(struct ledger_store *);

    /* *inserted: false if there is a row of this id already, which stays. */
    enum status (*insert_row)(struct ledger_store *, const struct row *, bool *inserted);
    /* The whole row, its texts in the arena. ERR_NOT_FOUND. */
    enum status (*find_row)(struct ledger_store *, uint64_t id, struct arena *, struct row *);
    /* Writes useful_ppm, useful_source, useful_reason and value of the row. */
    enum status (*set_outcome)(struct ledger_store *, const struct row *);
    /* Rows, newest id first: only id, arrived_wall_us, cost, baseline and the lines are filled. */
    enum status (*each_row)(struct ledger_store *, ledger_row_visit *, void *user);
    /* Rows with an id of at least `from`, oldest first: only id, arrived_wall_us, key_name, tenant, route, tags and what
     * budgets count are filled, the texts for the time of the call. */
    enum status (*each_counted)(struct ledger_store *, uint64_t from, ledger_row_visit *, void *user);

    /* A group's bytes (group_put) by its id. ERR_NOT_FOUND. */
    enum status (*find_group)(struct ledger_store *, uint64_t group, struct arena *, struct slice *bytes);
    enum status (*put_group)(struct ledger_store *, uint64_t group, struct slice bytes);

    /* Sums (sums_put) of a group for the hour or day that starts at `start`, microseconds since the Unix epoch. */
    enum status (*find_sums)(struct ledger_store *, enum ledger_period, int64_t start, uint64_t group, struct buffer *);
    enum status (*put_sums)(struct ledger_store *, enum ledger_period, int64_t start, uint64_t group, struct slice);
    /* All with from <= start < until, by start. */
    enum status (*each_sums)(struct ledger_store *, enum ledger_period, int64_t from, int64_t until,
                             ledger_sums_visit *, void *user);

    enum status (*put_note)(struct ledger_store *, enum ledger_note, uint64_t id, struct slice bytes);
    enum status (*drop_note)(struct ledger_store *, enum ledger_note, uint64_t id);
    enum status (*each_note)(struct ledger_store *, ledger_note_visit *, void *user);

    /* Up to where a journal segment has been taken over. */
    enum status (*put_position)(struct ledger_store *, uint64_t segment, uint64_t offset);
    enum status (*drop_position)(struct ledger_store *, uint64_t segment);
    enum status (*each_position)(struct ledger_store *, ledger_position_visit *, void *user);

    /* Makes what was committed so far survive a power cut. *complete: false if a reader was in the way; try later. */
    enum status (*checkpoint)(struct ledger_store *, bool *complete);
    void (*close)(struct ledger_store *);
};

/* First member of each store. */
struct ledger_store {
    const struct ledger_store_ops *ops;
};

#endif
