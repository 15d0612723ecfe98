/* Inside the price book: for prices*.c only. Everything lives in the book's arena, or is freed with it. */
#ifndef MONEY_PRICES_BOOK_H
#define MONEY_PRICES_BOOK_H

#include <regex.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/map.h"
#include "money/prices/prices.h"

/* Where something stands in its file, for problems; line 0: unknown. */
struct place {
    unsigned line, column;
};

/* How a name is recognised. Texts are in lower case, and so must be what is matched, but for regular expressions, which
 * see it as it is given. */
enum clause_kind {
    CLAUSE_NEVER,
    CLAUSE_EQUALS,
    CLAUSE_STARTS,
    CLAUSE_ENDS,
    CLAUSE_CONTAINS,
    CLAUSE_REGEX,
    CLAUSE_ANY_OF,
    CLAUSE_ALL_OF
};

struct clause {
    enum clause_kind kind;
    struct slice text;
    regex_t *regex;
    struct clause *parts; /* ANY_OF, ALL_OF */
    size_t part_count;
};

struct length_tier {
    int64_t start; /* holds for prompts of more tokens than this */
    usd_rate rate;
};

/* What one kind costs. Tiers are sorted by start. */
struct line {
    enum usage_kind kind;
    usd_rate base;
    struct length_tier *tiers;
    size_t tier_count;
    struct place place;
};

/* Prices that hold together. `fault` says why no cost can be computed from them, or NULL. */
struct tariff {
    struct line *lines;
    size_t line_count;
    const char *fault;
};

enum constraint_kind { HOLDS_ALWAYS, HOLDS_FROM, HOLDS_DAILY };

struct constraint {
    enum constraint_kind kind;
    usec from_wall_us;     /* HOLDS_FROM */
    usec start_us, end_us; /* HOLDS_DAILY: of the day, UTC; the end is excluded; over midnight if end < start */
    struct place place;
};

struct dated_tariff {
    struct constraint constraint;
    struct tariff tariff;
};

/* A condition on the request that a variant asks for. */
struct condition {
    struct slice name, value;
};

struct variant {
    struct condition *conditions;
    size_t condition_count;
    struct constraint constraint;
    struct tariff tariff; /* only the rates that differ */
};

struct provider;

struct model {
    const char *id;
    const char *name; /* for people; NULL: none */
    const struct provider *provider;
    struct clause match;
    struct dated_tariff *dated; /* at least one; the last that holds applies, else the first */
    size_t dated_count;
    struct variant *variants; /* the first that fits wins, kind by kind */
    size_t variant_count;
    int64_t context_window;
    struct place place;
};

/* One step of a path into an answer: a member, or the first item of a list whose `member` matches. */
struct step {
    const char *member;
    bool in_list;
    struct clause match;
};

struct path {
    struct step *steps;
    size_t count;
};

struct mapping {
    struct path path;
    enum usage_kind kind;
    bool required;
};

struct extractor {
    const char *flavor;
    struct path root, model;
    struct mapping *mappings;
    size_t mapping_count;
};

struct provider {
    const char *id;
    const char *name;
    regex_t *url; /* NULL: none */
    bool has_model_match, has_provider_match;
    struct clause model_match, provider_match;
    struct extractor *extractors;
    size_t extractor_count;
    const char **fallbacks; /* ids of providers whose models this one also serves */
    size_t fallback_count;
    struct model *models;
    size_t model_count;
    struct place place;
};

/* One file's worth of providers. */
struct layer {
    struct provider *providers;
    size_t provider_count;
};

enum { LAYERS_MOST = 2 };

/* A line of the user's contract, ready for use. */
struct contract {
    const char *backend, *provider; /* NULL: any */
    struct slice model;             /* lower case; data NULL: any */
    usec from_wall_us, until_wall_us;
    struct tariff tariff; /* no lines: the book's */
    int64_t discount_ppm;
};

/* A resolved price: a model of the book, the contract's lines for it, or both. */
struct price {
    const struct model *model;         /* NULL: only the contract prices it */
    const struct provider *provider;   /* who was asked; NULL: not in the book */
    const struct contract **contracts; /* those that fit by name, in order */
    size_t contract_count;
    uint64_t kinds;   /* bit k: some rate of its is for kind k, in whatever terms */
    const char *name; /* of the model, as first asked, if there is no model */
};

/* Names seen before, in a table that only ever fills: readers take no lock. */
enum { REMEMBERED_SLOTS = 1024, REMEMBERED_TRIES = 4, NAME_MOST = 512 };

struct remembered {
    const struct price *price; /* NULL: there is none */
    size_t len;
    char key[];
};

struct price_book {
    atomic_uint holders;
    struct arena arena; /* filled by prices_build; under `lock` afterwards */
    struct layer layers[LAYERS_MOST];
    size_t layer_count;
    struct contract *contracts;
    size_t contract_count;
    struct regex_list *regexes; /* to free */
    struct lock lock;           /* arena and handles, once built */
    struct map handles;         /* -> struct price, by what they are made of */
    _Atomic(struct remembered *) remembered[REMEMBERED_SLOTS];
};

struct regex_list {
    regex_t regex;
    struct regex_list *next;
};

/* prices_match.c */

/* Lower case (ASCII), in the arena. */
struct slice prices_lower(struct arena *arena, struct slice text);

bool clause_matches(const struct clause *clause, struct slice text);

/* False for texts above NAME_MOST bytes, and for such as hold a NUL. */
bool prices_regex_matches(const regex_t *regex, struct slice text);

/* Compiles a regular expression as these files use them (Perl's \d, \w, \s, (?:...)), for the book to free. NULL if it is
 * not understood or could take too long. `anchored`: must match at the start. */
regex_t *prices_compile_regex(struct price_book *book, struct slice pattern, bool anchored);

/* "gpt-5-20250807" as "gpt-5-2025-08-07"; false if it holds no such date. `out` needs 2 * len + 1 bytes. */
bool prices_dash_dates(struct slice name, char *out, size_t *len);

/* prices_read.c: reads a file into the book's next layer. */
enum status prices_read_layer(struct price_book *book, struct slice json, const char *file, struct problems *problems);

/* prices_cost.c */

/* Why no cost can be computed from rates for these kinds (bits), or NULL: a part without its whole, or two kinds that
 * overlap without their overlap. */
const char *tariff_fault(uint64_t kinds, struct arena *arena);

bool constraint_holds(const struct constraint *constraint, usec wall_us);
const struct tariff *model_tariff_at(const struct model *model, usec wall_us);

/* False if a rate per million tokens cannot be meant: a price per token in its place, or the reverse. */
bool prices_rate_plausible(enum usage_kind kind, usd_rate rate);

/* prices_resolve.c */
const struct provider *prices_find_provider(const struct price_book *book, const char *id);
const struct model *prices_find_model(const struct layer *layer, const struct provider *provider, struct slice lower);

#endif
