/* Rows, records and directories for the ledger's tests. */
#ifndef TEST_LEDGER_FIXTURE_H
#define TEST_LEDGER_FIXTURE_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/rng.h"
#include "money/ledger/journal.h"
#include "money/ledger/ledger.h"

/* A plausible request: consistent costs, kinds, saving lines; of `rng`. Arrived at wall_us; its texts in the arena. */
void fixture_row(struct rng *rng, struct arena *arena, uint64_t id, int64_t wall_us, struct row *row);

/* Any values at all, extremes too. */
void fixture_wild_row(struct rng *rng, struct arena *arena, struct row *row);

void assert_rows_equal(const struct row *a, const struct row *b);
/* Rows, sums and notes; not positions in the journal. */
void assert_stores_equal(struct ledger_store *a, struct ledger_store *b);

/* A new directory, removed with all in it by fixture_remove_dir, which frees the name. */
char *fixture_dir(void);
void fixture_remove_dir(char *dir);
char *fixture_path(struct arena *arena, const char *dir, const char *name);
size_t fixture_count_files(const char *dir);

/* A log that counts its lines and keeps the last. */
struct fixture_log {
    struct log log;
    struct lock lock; /* workers, the journal's thread and the ledger's may all have something to say */
    size_t lines;
    char last[512];
};
void fixture_log_init(struct fixture_log *log);

#endif
