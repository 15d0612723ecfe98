/* Sums of money as text: wide pico-dollars, exactly or rounded for people. */
#ifndef MONEY_AMOUNT_H
#define MONEY_AMOUNT_H

#include "base/buffer.h"
#include "base/usd.h"

#define AMOUNT_TEXT_SIZE 56

/* Exact, without trailing zeros: "12.000042", "-3", "0". `out` needs AMOUNT_TEXT_SIZE bytes. */
void amount_format(wide_int pico, char *out);

/* The same of any unit: `units` in steps of 10^-places. */
void amount_format_exact(wide_int units, unsigned places, char *out);

/* With `places` (0 to 12) decimals, rounded half to even, thousands set apart: "$1,234.57", "-$0.02". */
void amount_format_places(wide_int pico, unsigned places, char *out);

/* For people: dollars with as many decimals as a small amount needs to show three digits: "$1,234.57", "$0.0000425". */
void amount_format_people(wide_int pico, char *out);

/* Exact, as a member of a JSON object ("name":"12.000042"), and as a further field of a line of CSV (,12.000042). */
void amount_add_json(struct buffer *out, const char *name, wide_int pico);
void amount_add_csv(struct buffer *out, wide_int pico);

#endif
