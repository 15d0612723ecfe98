/* What replays side by side are measured by: a number of each, in tables, JSON and pictures. */
#ifndef CMD_REPLAY_COLUMNS_H
#define CMD_REPLAY_COLUMNS_H

#include "cmd/replay/replay_variants.h"

enum { REPLAY_WITH_POLICIES = 1, REPLAY_WITH_SIZES = 2, REPLAY_WITH_SCALERS = 4 };

/* Shown with its unit in the head. NAN: there is no such number. */
struct replay_column {
    const char *head, *json;
    const char *format; /* of the number */
    int width;
    unsigned in; /* tables in which it is shown: what varies in them */
    double (*of)(const struct replay_comparison *comparison, const struct replay_outcome *outcome);
};

extern const struct replay_column replay_columns[];
extern const size_t replay_column_count;

/* By its JSON name, which there is. */
const struct replay_column *replay_column(const char *json) __attribute__((returns_nonnull));

/* What varies, as one of these. */
unsigned replay_columns_in(const struct replay_comparison *comparison);

/* Does it belong to what varies, and has anybody a number for it? */
bool replay_column_is_shown(const struct replay_column *column, const struct replay_comparison *comparison);

/* "-" if there is no number. `out` has room for `size` bytes. */
const char *replay_column_text(const struct replay_column *column, double value, char *out, size_t size);

#endif
