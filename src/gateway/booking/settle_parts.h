/* What the rooms of settling know of each other: settle_attempt.c (what an attempt cost), settle_savings.c (the baseline and
 * the lines below it), settle_fields.c (all that a row says), settle.c (when it is written, and who learns from it). For
 * everybody else exchange.h tells what there is. */
#ifndef GATEWAY_SETTLE_PARTS_H
#define GATEWAY_SETTLE_PARTS_H

#include "gateway/exchange.h"

/* The price of the model that served. NULL: there is none. */
const struct price *settle_served_price(const struct exchange *exchange);

/* The plan that the row names. NULL: none served. */
const struct plan *settle_named_plan(const struct exchange *exchange);

/* What the provider's prompt cache did to the cost, by the book, whoever asked it to keep what: what reading it saved and
 * what writing it cost on top. Both are unknown where there is no price. `cost`: of that usage at that price, if it was
 * worked out already; else USD_UNKNOWN. */
void settle_price_cache(const struct exchange *exchange, const struct price *price, const struct usage *usage, usd cost,
                        usd *discount, usd *surcharge);

/* Whether it has paid a part, be it all, of a call that others might share: exchange->part. */
bool settle_is_part(const struct exchange *exchange);

/* The lines that lead from row->baseline to row->cost, and those of levers in the shadow. */
void settle_put_savings(const struct exchange *exchange, struct row *row);

void settle_put_asker(const struct exchange *exchange, struct row *row);  /* who asked what */
void settle_put_server(const struct exchange *exchange, struct row *row); /* whose answer it got */
void settle_fill_row(struct exchange *exchange, struct row *row);         /* all of it */

#endif
