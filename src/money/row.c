#include "money/row.h"

#include <stddef.h>

enum { ROW_WHOLE_PPM = 1000000 };

const struct row_field row_fields[ROW_FIELDS] = {
#define ROW_ID(name, words) {offsetof(struct row, name), offsetof(struct row, name), ROW_IS_ID},
#define ROW_NUMBER(name, words) {offsetof(struct row, name), offsetof(struct row, name), ROW_IS_NUMBER},
#define ROW_MAYBE(name, words) {offsetof(struct row, name), offsetof(struct row, name), ROW_IS_MAYBE},
#define ROW_USD(name, words) {offsetof(struct row, name), offsetof(struct row, name), ROW_IS_USD},
#define ROW_TEXT(name, words) {offsetof(struct row, name), offsetof(struct row, name.len), ROW_IS_TEXT},
#define ROW_OWN_TEXT(name, words) {offsetof(struct row, name), offsetof(struct row, name.len), ROW_IS_OWN_TEXT},
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
};

void
row_init(struct row *row)
{
    /* The lines need no clearing: their counts say how many there are. */
    memset(row, 0, offsetof(struct row, savings));
    row->saving_count = row->try_count = 0;
#define ROW_ID(name, words)
#define ROW_NUMBER(name, words)
#define ROW_MAYBE(name, words) row->name = ROW_UNKNOWN;
#define ROW_USD(name, words) row->name = USD_UNKNOWN;
#define ROW_TEXT(name, words)
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
}

static usd
known_or_zero(usd amount)
{
    return usd_known(amount) ? amount : 0;
}

struct row_costs
row_costs(const struct row *row)
{
    struct row_costs costs = {{0}};
    wide_int *kind = costs.of;

    if (!usd_known(row->cost))
        return costs;
    kind[COST_INPUT] = known_or_zero(row->input_cost);
    kind[COST_CACHE_READ] = known_or_zero(row->cache_read_cost);
    kind[COST_CACHE_WRITE] = known_or_zero(row->cache_write_cost);
    kind[COST_OUTPUT] = known_or_zero(row->output_cost);
    kind[COST_OTHER] =
        (wide_int)row->cost - kind[COST_INPUT] - kind[COST_CACHE_READ] - kind[COST_CACHE_WRITE] - kind[COST_OUTPUT];
    return costs;
}

wide_int
row_booked(const struct row *row)
{
    wide_int booked = 0;

    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow && usd_known(row->savings[i].saved))
            booked += row->savings[i].saved;
    return booked;
}

usd
row_value(const struct row *row)
{
    int64_t useful = row->useful_ppm < ROW_WHOLE_PPM ? row->useful_ppm : ROW_WHOLE_PPM;

    if (usd_known(row->value) || !usd_known(row->worth) || row->useful_ppm == ROW_UNKNOWN)
        return row->value;
    return useful > 0 ? (usd)wide_divide_half_even((wide_int)row->worth * useful, ROW_WHOLE_PPM) : 0;
}
