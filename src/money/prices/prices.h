/* The price book: what every model of every provider costs, read from data in the format of the genai-prices project,
 * with the user's own contract on top and built-in facts below. An immutable snapshot, counted by its holders, which may
 * sit on several threads.
 *
 * A price is a function of time, of the prompt's length (beyond a tier's start every token of the request moves), of the
 * service tier, of batch or not, and of the user's contract; it is found once (prices_resolve) and applied to a usage
 * (prices_cost). Where anything needed is not known the cost is unknown, never 0. */
#ifndef MONEY_PRICES_H
#define MONEY_PRICES_H

#include "base/problem.h"
#include "base/timers.h"
#include "dialect/usage.h"
#include "money/usd.h"

struct price_book;
struct price;

/* One rate of a contract. */
struct price_rate {
    enum usage_kind kind;
    usd_rate rate;
};

/* A line of the user's own contract, as `prices.override` and `prices.discount` say it. Lines are tried first to last; the
 * first whose names and time fit applies. */
struct price_override {
    const char *backend;            /* name in the config; NULL: any */
    const char *provider;           /* id in the book; NULL: any */
    const char *model;              /* as asked from the backend, case does not matter, "*" and "?" match; NULL: any */
    usec from_wall_us;              /* applies from here ... */
    usec until_wall_us;             /* ... to before here; both 0: always */
    const struct price_rate *rates; /* replace the book's rates wholly; count 0: the book's */
    size_t rate_count;
    int64_t discount_ppm; /* taken off every amount; 1,000,000: free, as while credits last */
};

struct price_sources {
    struct slice json;                      /* the file's text; SLICE_NONE: no file */
    const char *file;                       /* its name, for problems */
    bool builtin;                           /* the built-in facts stand in for what the file does not price */
    const struct price_override *overrides; /* copied */
    size_t override_count;
};

/* ERR_INVALID: no book can be made of it; `problems` says why (and may hold warnings in any case). The caller is the
 * new book's holder. */
enum status prices_build(const struct price_sources *sources, struct problems *problems, struct price_book **out)
    MUST_CHECK;

/* The book of a file alone. */
enum status prices_load(struct slice json, const char *file, struct problems *problems, struct price_book **out)
    MUST_CHECK;

/* The built-in facts alone; never fails. */
struct price_book *prices_builtin(void) __attribute__((returns_nonnull));

/* "2026-11-23": the day the built-in facts were taken down. */
const char *prices_builtin_date(void);

struct price_book *prices_hold(struct price_book *book);
void prices_release(struct price_book *book); /* NULL is fine */

/* Ids of providers; they live as long as the book. NULL: none. */
const char *prices_provider_by_name(const struct price_book *book,
                                    struct slice name); /* an id, or what it is called by */
const char *prices_provider_by_url(const struct price_book *book, struct slice url); /* "https://api.openai.com/v1" */
const char *prices_provider_by_model(const struct price_book *book, struct slice model); /* whose own model this is */

/* The price of a model as the backend names it, which also includes what it names it in answers ("gpt-4o-2024-08-06").
 * `backend` and `provider` may be NULL: not known. NULL if there is no price. The handle lives as long as the book.
 * May be called on any thread; a name seen before costs a hash and a comparison. */
const struct price *prices_resolve(const struct price_book *book, const char *backend, const char *provider,
                                   struct slice model);

/* Of a resolved price: what it was found as. */
const char *price_provider(const struct price *price);   /* id, or "" if only the contract names it */
const char *price_model(const struct price *price);      /* id in the book */
int64_t price_context_window(const struct price *price); /* tokens of input at most; 0: not known */

/* Whether it may make a difference that tokens are of this kind, in whatever terms. False: a usage that reports them so
 * costs as much as one that only reports their whole. */
bool price_tells_apart(const struct price *price, enum usage_kind kind);

/* Under which terms a request was served. */
struct price_terms {
    usec wall_us;              /* when */
    struct slice service_tier; /* what the answer stated, else what was asked; SLICE_NONE: take it from the usage */
    bool batch;                /* through the provider's batch API */
};

/* In pico-dollars. total = input + output + other; each side is summed exactly and rounded once, half to even. */
struct cost {
    usd input, output;
    usd cache_read, cache_write; /* parts of input; what is left of it no cache served */
    usd other;                   /* per request, per search: neither input nor output */
    usd total;
    const char
        *why_unknown; /* for a person, static or living as long as the book; NULL if known. Then all are USD_UNKNOWN */
};

/* Of which nothing is known; `why` stays the caller's. */
struct cost cost_unknown(const char *why);

/* What the usage costs by the book. `price` may be NULL: unknown. What the provider itself says it charges
 * (usage->provider_cost) is not looked at: that it wins is the ledger's rule (gateway/booking/settle_attempt.c). */
struct cost prices_cost(const struct price *price, const struct price_terms *terms, const struct usage *usage);

/* Reads usage and model out of a whole answer as the book's extractor for that provider and flavour says (flavour NULL:
 * "default", or whichever fits). The model points into `root`; SLICE_NONE if it names none. On failure *why says what was missing, formatted
 * into `why` (PRICES_WHY_SIZE bytes). ERR_NOT_FOUND: no such provider or flavour; ERR_INVALID: the answer does not fit. */
enum { PRICES_WHY_SIZE = 256 };
enum status prices_extract(const struct price_book *book, const char *provider, const char *flavor, yyjson_val *root,
                           struct usage *out, struct slice *model, char *why) MUST_CHECK;

/* Walks all models that are priced, providers in order, built-in facts last: start with *at = 0; NULL at the end. */
const struct price *prices_next(const struct price_book *book, size_t *at);

/* The rate for a kind at a time, for the first tokens (no length tier), standard tier; USD_RATE_NONE: not priced apart. */
usd_rate price_rate_at(const struct price *price, usec wall_us, enum usage_kind kind);

/* Checks a price file as a person would: errors for what cannot be meant, warnings for what looks odd. */
void prices_lint(struct slice json, const char *file, struct problems *problems);

#endif
