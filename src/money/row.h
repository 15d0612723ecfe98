/* One request in the ledger, with its saving lines and the attempts that were made. Filled by the gateway, encoded to
 * the journal, applied to the store. The texts belong to whoever fills or decodes it. */
#ifndef MONEY_ROW_H
#define MONEY_ROW_H

#include "base/slice.h"
#include "money/usd.h"

#define ROW_UNKNOWN ((int64_t)-1)

/* The saving line of calls of our own. */
#define ROW_AUDITS "audits"

/* What a lever saved on this request, or, in shadow, would have saved. The lines in mode `on` add up to
 * baseline - cost, exactly. */
struct saving_line {
    struct slice lever; /* a name of levers.def, or "unattributed": what no lever claims, as a dearer failover */
    bool shadow;
    usd saved; /* may be negative */
};

/* How a request or its answer differs from what was asked for; bits of `transforms`. */
enum transform {
    TRANSFORM_CAPPED = 1,   /* the request named no cap on output: one was sent */
    TRANSFORM_CLIPPED = 2,  /* the cap that was sent is what a budget had left, less than was asked */
    TRANSFORM_ENDED = 4,    /* the stream was ended where a budget had no more for it */
    TRANSFORM_CACHE = 8,    /* marks or a key for the provider's prompt cache were sent */
    TRANSFORM_BATCHED = 16, /* it was answered in one call with other requests */
    TRANSFORM_LOGPROBS = 32 /* a cascade asked for logprobs in its name, and took them out of the answer */
};

/* One call to one backend. */
struct attempt_line {
    struct slice target; /* "backend/model" */
    struct slice state;  /* ok; failed: no answer, a cut one, an error's; closed: by us */
    int64_t status;      /* HTTP status, 0: none */
    int64_t input_tokens, output_tokens;
    usd cost;
    int64_t started_us, first_byte_us, ended_us; /* since arrival; ROW_UNKNOWN: never */
    struct slice why;
};

enum { ROW_SAVINGS_MOST = 16, ROW_ATTEMPTS_MOST = 16 };

struct row {
#define ROW_ID(name, words) uint64_t name;
#define ROW_NUMBER(name, words) int64_t name;
#define ROW_MAYBE(name, words) int64_t name;
#define ROW_USD(name, words) usd name;
#define ROW_TEXT(name, words) struct slice name;
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    struct saving_line savings[ROW_SAVINGS_MOST];
    size_t saving_count;
    struct attempt_line tries[ROW_ATTEMPTS_MOST];
    size_t try_count;
};

/* The fields as data, for whoever treats all of one kind alike: the code of a loop stays in the processor's cache where
 * that of sixty fields in a row does not. */
enum row_kind { ROW_IS_ID, ROW_IS_NUMBER, ROW_IS_MAYBE, ROW_IS_USD, ROW_IS_TEXT, ROW_IS_OWN_TEXT };

struct row_field {
    uint16_t at;     /* in struct row */
    uint16_t tested; /* the eight bytes that tell whether the field says anything: of a text, its length */
    uint16_t kind;
};

enum {
#define ROW_ID(name, words) ROW_FIELD_##name,
#define ROW_NUMBER(name, words) ROW_FIELD_##name,
#define ROW_MAYBE(name, words) ROW_FIELD_##name,
#define ROW_USD(name, words) ROW_FIELD_##name,
#define ROW_TEXT(name, words) ROW_FIELD_##name,
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    ROW_FIELDS
};

/* In the table's order, which is the journal's and the store's. */
extern const struct row_field row_fields[ROW_FIELDS];

static inline bool
row_field_is_text(const struct row_field *field)
{
    return field->kind >= ROW_IS_TEXT;
}

/* Of a field that is no text; an id as its 64 bits. */
static inline int64_t
row_number(const struct row *row, const struct row_field *field)
{
    int64_t number;

    memcpy(&number, (const char *)row + field->at, sizeof(number));
    return number;
}

static inline void
row_set_number(struct row *row, const struct row_field *field, int64_t number)
{
    memcpy((char *)row + field->at, &number, sizeof(number));
}

static inline struct slice
row_text(const struct row *row, const struct row_field *field)
{
    struct slice text;

    memcpy(&text, (const char *)row + field->at, sizeof(text));
    return text;
}

static inline void
row_set_text(struct row *row, const struct row_field *field, struct slice text)
{
    memcpy((char *)row + field->at, &text, sizeof(text));
}

/* False where it is as row_init left it. */
static inline bool
row_says(const struct row *row, const struct row_field *field)
{
    static const int64_t empty[] = {[ROW_IS_MAYBE] = ROW_UNKNOWN, [ROW_IS_USD] = USD_UNKNOWN, [ROW_IS_OWN_TEXT] = 0};
    int64_t tested;

    memcpy(&tested, (const char *)row + field->tested, sizeof(tested));
    return tested != empty[field->kind];
}

/* A call of our own, for an audit or its judge: no client asked for it. It has no baseline, and one saving line, `audits`, of
 * what it cost. */
static inline bool
row_is_own(const struct row *row)
{
    return row->about.len > 0;
}

/* All unknown, all empty. */
void row_init(struct row *row);

/* What a request's cost consists of. */
enum cost_kind { COST_INPUT, COST_CACHE_READ, COST_CACHE_WRITE, COST_OUTPUT, COST_OTHER, COST_KINDS };

/* In pico-dollars. The kinds add up to row.cost, exactly: COST_OTHER is what the other four leave, as charges by the
 * call, or a total that the provider reports without saying what for. All 0 if the cost is unknown. */
struct row_costs {
    wide_int of[COST_KINDS];
};

struct row_costs row_costs(const struct row *row);

/* What it was worth: what feedback told, else the route's worth if it was useful, in part if in part; USD_UNKNOWN while
 * nobody judged it. */
usd row_value(const struct row *row);

/* What its saving lines in mode `on` add up to. */
wide_int row_booked(const struct row *row);

#endif
