/* What became of a request's look-ups for stored answers, for its row, the counters and the report. */
#ifndef GATEWAY_LOOK_UPS_H
#define GATEWAY_LOOK_UPS_H

#include "gateway/exchange.h"
#include "money/ledger/look_up.h"

/* Of one lever; LOOK_UP_NONE: it did not look. Once the plans are weighed and it is known who served. */
enum look_up_result look_up_result(const struct exchange *exchange, enum lever_id lever);

/* The row's list (look_up.h), in the exchange's arena. */
struct slice look_ups_text(struct exchange *exchange);

/* Once, when the exchange has ended. */
void look_ups_count(struct exchange *exchange);

#endif
