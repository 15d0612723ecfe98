/* A budget as somebody wrote it: whose, how much of what, in which window. "$50/day", "200k tokens/minute". */
#ifndef MONEY_BUDGET_RULE_H
#define MONEY_BUDGET_RULE_H

#include "base/slice.h"
#include "base/status.h"
#include "base/timers.h"

enum budget_scope { BUDGET_EVERYTHING, BUDGET_TENANT, BUDGET_KEY, BUDGET_ROUTE, BUDGET_TAG, BUDGET_SCOPES };

/* Windows are those of the calendar, UTC: a minute starts at :00, a week on Monday, a month on its first day. */
enum budget_window { BUDGET_MINUTE, BUDGET_HOUR, BUDGET_DAY, BUDGET_WEEK, BUDGET_MONTH, BUDGET_WINDOWS };

enum budget_unit { BUDGET_USD, BUDGET_TOKENS, BUDGET_REQUESTS, BUDGET_UNITS };

const char *budget_scope_name(enum budget_scope scope);    /* "everything", "tenant", "key", "route", "tag" */
const char *budget_window_name(enum budget_window window); /* "minute", ... "month" */
const char *budget_unit_name(enum budget_unit unit);       /* "usd", "tokens", "requests" */

/* `identity` names the account that keeps the count: "key web usd/day". It does not hold the limit, so that a count
 * survives a changed one. All texts belong to whoever made the rule. */
struct budget_rule {
    enum budget_scope scope;
    struct slice name; /* of tenant, key or route; a tag's "name=value"; empty for everything */
    enum budget_window window;
    enum budget_unit unit;
    int64_t limit;     /* pico-dollars, tokens or requests; at least 1 */
    struct slice text; /* as it was written */
    struct slice identity;
};

struct budget_rules {
    const struct budget_rule *all;
    size_t count;
};

/* Reads "AMOUNT/WINDOW": "$50/day", "200k tokens/minute", "1,000 requests/hour". Sets window, unit and limit. On failure
 * *why says what is wrong, for a person, and *at is the byte where. */
enum status budget_parse(struct slice text, struct budget_rule *out, const char **why, size_t *at) MUST_CHECK;

/* Of the window that holds a moment: when it starts, and when the next one does. Microseconds since the Unix epoch. */
usec budget_window_start(enum budget_window window, usec wall_us);
usec budget_window_end(enum budget_window window, usec wall_us);

/* "$12.35", "1,200 tokens", "3 requests". `out` needs BUDGET_AMOUNT_SIZE bytes. */
enum { BUDGET_AMOUNT_SIZE = 64 };
void budget_format_amount(enum budget_unit unit, int64_t amount, char *out);

#endif
