#include "twin/faults.h"

#include <stdlib.h>

#include "base/text.h"

enum value_kind { VALUE_NONE, VALUE_TOKENS, VALUE_TIME, VALUE_STATUS };

/* How each is written; the first name of a kind is the one it is shown by. A name may fix the value. */
static const struct {
    const char *name;
    enum twin_fault_kind kind;
    enum value_kind value_kind;
    int64_t fixed;
} names[] = {
    {"drop-before-first-byte", TWIN_FAULT_DROP_BEFORE, VALUE_NONE, 0},
    {"drop-after-first-byte", TWIN_FAULT_DROP_AFTER, VALUE_NONE, 0},
    {"cut-after", TWIN_FAULT_CUT, VALUE_TOKENS, 0},
    {"cut-mid-stream", TWIN_FAULT_CUT, VALUE_NONE, STRIKE_HALFWAY},
    {"end-early", TWIN_FAULT_END, VALUE_TOKENS, 0},
    {"stall-after", TWIN_FAULT_STALL, VALUE_TOKENS, 0},
    {"delay", TWIN_FAULT_DELAY, VALUE_TIME, 0},
    {"slow", TWIN_FAULT_SLOW, VALUE_TIME, 0},
    {"status", TWIN_FAULT_STATUS, VALUE_STATUS, 0},
    {"status-429", TWIN_FAULT_STATUS, VALUE_NONE, 429},
    {"status-500", TWIN_FAULT_STATUS, VALUE_NONE, 500},
    {"malformed-sse", TWIN_FAULT_MALFORMED, VALUE_NONE, 0},
    {"no-usage", TWIN_FAULT_NO_USAGE, VALUE_NONE, 0},
};

enum { NAMES = sizeof names / sizeof names[0], STATUS_LEAST = 400, STATUS_MOST = 599 };

static const int64_t TIMES_FOR_EVER = -1;

enum status
twin_fault_parse_time(struct slice text, usec *out)
{
    static const struct {
        const char *unit;
        usec us;
    } units[] = {{"ms", USEC_PER_MS}, {"us", 1}, {"s", USEC_PER_S}, {"", USEC_PER_MS}};
    uint64_t number = 0;

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!slice_ends(text, units[i].unit))
            continue;
        if (text_parse_u64(slice_first(text, text.len - strlen(units[i].unit)), &number) != OK || number > UINT32_MAX)
            return ERR_INVALID;
        *out = (usec)number * units[i].us;
        return OK;
    }
    return ERR_INVALID;
}

static enum status
parse_value(enum value_kind kind, struct slice text, int64_t *out)
{
    uint64_t number = 0;

    if (kind == VALUE_TIME)
        return twin_fault_parse_time(text, out);
    if (kind == VALUE_NONE || text_parse_u64(text, &number) != OK || number > INT32_MAX)
        return ERR_INVALID;
    *out = (int64_t)number;
    if (kind == VALUE_TOKENS && number == 0)
        return ERR_INVALID;
    if (kind == VALUE_STATUS && (number < STATUS_LEAST || number > STATUS_MOST))
        return ERR_INVALID;
    return OK;
}

/* "12.5%" */
static enum status
parse_share(struct slice text, double *out)
{
    char copy[16];
    char *end = NULL;

    if (text.len >= sizeof copy || text.len < 2)
        return ERR_INVALID;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end) / 100;
    return *end == '%' && *out >= 0 && *out <= 1 ? OK : ERR_INVALID;
}

/* What follows the name: values and shares after '=' or ':', told apart by the percent sign. */
static enum status
parse_rest(struct twin_fault *fault, enum value_kind kind, struct slice rest, const char **why)
{
    bool valued = false;

    while (rest.len != 0) {
        size_t len = 1;
        struct slice item;

        while (len < rest.len && rest.data[len] != '=' && rest.data[len] != ':')
            len++;
        item = slice_make(rest.data + 1, len - 1);
        rest = slice_from(rest, len);
        if (slice_ends(item, "%") ? parse_share(item, &fault->share) != OK
                                  : parse_value(kind, item, &fault->value) != OK) {
            *why = "a value that this fault does not take; a share is from 0% to 100%, a time like 300ms, a status "
                   "from 400 to 599";
            return ERR_INVALID;
        }
        valued = valued || !slice_ends(item, "%");
    }
    if (kind != VALUE_NONE && !valued) {
        *why = "this fault needs a value, as in delay=2s, cut-after=40, status=503";
        return ERR_INVALID;
    }
    return OK;
}

static enum status
parse_times(struct slice *text, struct twin_fault *fault, const char **why)
{
    size_t star = slice_find_byte(*text, '*');
    uint64_t times = 0;

    fault->left = TIMES_FOR_EVER;
    if (star == text->len)
        return OK;
    if (text_parse_u64(slice_from(*text, star + 1), &times) != OK || times > INT32_MAX) {
        *why = "behind '*' there must be a number of times";
        return ERR_INVALID;
    }
    fault->left = (int64_t)times;
    *text = slice_first(*text, star);
    return OK;
}

static enum status
parse_one(struct slice text, struct twin_fault *fault, const char **why)
{
    size_t len = 0;

    *fault = (struct twin_fault){.share = 1};
    if (parse_times(&text, fault, why) != OK)
        return ERR_INVALID;
    while (len < text.len && text.data[len] != '=' && text.data[len] != ':')
        len++;
    for (size_t i = 0; i < NAMES; i++)
        if (slice_is(slice_first(text, len), names[i].name)) {
            fault->kind = names[i].kind;
            fault->value = names[i].fixed;
            return parse_rest(fault, names[i].value_kind, slice_from(text, len), why);
        }
    *why = "no such fault; there are drop-before-first-byte, drop-after-first-byte, cut-mid-stream, cut-after=N, "
           "end-early=N, stall-after=N, delay=TIME, slow=TIME, status=NNN, malformed-sse, no-usage";
    return ERR_INVALID;
}

enum status
twin_faults_add(struct twin_fault_set *set, struct slice list, const char **why)
{
    struct slice rest = list;

    while (rest.data != NULL && list.len != 0) {
        struct slice item = slice_trim(slice_split(&rest, ','));

        if (set->count == TWIN_FAULTS_MOST) {
            *why = "too many faults at once";
            return ERR_LIMIT;
        }
        if (parse_one(item, &set->faults[set->count], why) != OK)
            return ERR_INVALID;
        set->count++;
    }
    return OK;
}

void
twin_fault_write(const struct twin_fault *fault, struct buffer *out)
{
    size_t at = 0;

    while (names[at].kind != fault->kind)
        at++;
    buffer_add_text(out, names[at].name);
    if (names[at].value_kind == VALUE_TIME)
        buffer_printf(out, "=%lldus", (long long)fault->value);
    else if (names[at].value_kind != VALUE_NONE)
        buffer_printf(out, "=%lld", (long long)fault->value);
    if (fault->share < 1)
        buffer_printf(out, ":%g%%", fault->share * 100);
    if (fault->left >= 0)
        buffer_printf(out, "*%lld", (long long)fault->left);
}

struct strike
strike_none(void)
{
    return (struct strike){.break_at = STRIKE_NEVER};
}

static void
strike_add(struct strike *strike, const struct twin_fault *fault)
{
    switch (fault->kind) {
    case TWIN_FAULT_DROP_BEFORE:
        strike->drop_before = true;
        break;
    case TWIN_FAULT_DROP_AFTER:
        strike->break_at_start = true;
        break;
    case TWIN_FAULT_CUT:
    case TWIN_FAULT_END:
    case TWIN_FAULT_STALL:
        strike->break_kind = fault->kind;
        strike->break_at = fault->value;
        break;
    case TWIN_FAULT_DELAY:
        strike->delay_us += fault->value;
        break;
    case TWIN_FAULT_SLOW:
        strike->slow_us = fault->value;
        break;
    case TWIN_FAULT_STATUS:
        strike->status = (unsigned)fault->value;
        break;
    case TWIN_FAULT_MALFORMED:
        strike->malformed = true;
        break;
    case TWIN_FAULT_NO_USAGE:
        strike->no_usage = true;
        break;
    case TWIN_FAULT_KINDS:
        ENSURE(false);
    }
}

void
twin_faults_draw(struct twin_fault_set *set, struct rng *rng, struct strike *strike)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct twin_fault *fault = &set->faults[i];

        if (fault->left == 0 || rng_unit(rng) >= fault->share)
            continue;
        fault->left -= fault->left > 0 ? 1 : 0;
        fault->struck++;
        strike_add(strike, fault);
    }
}
