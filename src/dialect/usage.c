#include "dialect/usage.h"

#include <math.h>
#include <stdio.h>

/* Dimensions; ANY: not said. */
enum { ANY };
enum family { TOKENS = 1, CHARACTERS, MESSAGES, DURATIONS, PIXELS, PAGES, RERANK, TOOL_CALLS, REQUESTS };
enum direction { INPUT = 1, OUTPUT };
enum modality { TEXT = 1, AUDIO, IMAGE, VIDEO };
enum type {
    CACHE_READ = 1,
    CACHE_WRITE,
    TOOL,
    REASONING,
    CITATION,
    ANNOTATED,
    WEB_SEARCH,
    SOCIAL_SEARCH,
    STORAGE_SEARCH,
    CODE_EXECUTION
};
enum lifetime { FOR_5M = 1, FOR_1H };

/* A kind's dimensions, four bits each, so that kinds are compared by all of them at once. */
enum { FAMILY_AT = 0, DIRECTION_AT = 4, MODALITY_AT = 8, TYPE_AT = 12, LIFETIME_AT = 16, DIMENSION_MASK = 0xf };

struct shape {
    uint32_t is;
    uint32_t says; /* all bits of the dimensions that are not ANY */
    unsigned depth;
};

#define IS(dimension, at) ((uint32_t)(dimension) << (at))
#define IS_SAID(dimension) ((uint32_t)(dimension) != (uint32_t)ANY)
#define SAYS(dimension, at) (IS_SAID(dimension) ? (uint32_t)DIMENSION_MASK << (at) : 0u)

static const struct shape shapes[USAGE_KIND_COUNT] = {
#define USAGE_KIND(field, name, price, per, scale, family, direction, modality, type, lifetime, words)                 \
    {.is = IS(family, FAMILY_AT) | IS(direction, DIRECTION_AT) | IS(modality, MODALITY_AT) | IS(type, TYPE_AT) |       \
           IS(lifetime, LIFETIME_AT),                                                                                  \
     .says = SAYS(family, FAMILY_AT) | SAYS(direction, DIRECTION_AT) | SAYS(modality, MODALITY_AT) |                   \
             SAYS(type, TYPE_AT) | SAYS(lifetime, LIFETIME_AT),                                                        \
     .depth = IS_SAID(family) + IS_SAID(direction) + IS_SAID(modality) + IS_SAID(type) + IS_SAID(lifetime)},
#include "dialect/usage_kinds.def"
#undef USAGE_KIND
};

#undef IS
#undef IS_SAID
#undef SAYS

static const char *const names[USAGE_KIND_COUNT] = {
#define USAGE_KIND(field, name, price, per, scale, family, direction, modality, type, lifetime, words) name,
#include "dialect/usage_kinds.def"
#undef USAGE_KIND
};

struct kind_price {
    const char *name;
    int64_t per;
    int64_t scale;
};

static const struct kind_price kind_prices[USAGE_KIND_COUNT] = {
#define USAGE_KIND(field, name, price, per, scale, family, direction, modality, type, lifetime, words)                 \
    {price, per, scale},
#include "dialect/usage_kinds.def"
#undef USAGE_KIND
};

_Static_assert(USAGE_KIND_COUNT <= 64, "struct usage keeps one bit per kind");

void
usage_init(struct usage *usage)
{
    *usage = (struct usage){.provider_cost = USD_UNKNOWN};
}

const char *
usage_kind_name(enum usage_kind kind)
{
    ENSURE(kind < USAGE_KIND_COUNT);
    return names[kind];
}

enum status
usage_kind_find(struct slice name, enum usage_kind *out)
{
    for (unsigned i = 0; i < USAGE_KIND_COUNT; i++) {
        if (slice_is(name, names[i])) {
            *out = (enum usage_kind)i;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

const char *
usage_kind_price_name(enum usage_kind kind)
{
    ENSURE(kind < USAGE_KIND_COUNT);
    return kind_prices[kind].name;
}

enum status
usage_kind_find_price(struct slice price_name, enum usage_kind *out)
{
    for (unsigned i = 0; i < USAGE_KIND_COUNT; i++) {
        if (slice_is(price_name, kind_prices[i].name)) {
            *out = (enum usage_kind)i;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

int64_t
usage_kind_per(enum usage_kind kind)
{
    return kind_prices[kind].per;
}

int64_t
usage_kind_scale(enum usage_kind kind)
{
    return kind_prices[kind].scale;
}

enum usage_side
usage_kind_side(enum usage_kind kind)
{
    unsigned direction = shapes[kind].is >> DIRECTION_AT & DIMENSION_MASK;

    return direction == INPUT ? USAGE_INPUT : direction == OUTPUT ? USAGE_OUTPUT : USAGE_OTHER;
}

bool
usage_kind_is_tokens(enum usage_kind kind)
{
    return (shapes[kind].is >> FAMILY_AT & DIMENSION_MASK) == TOKENS;
}

unsigned
usage_kind_depth(enum usage_kind kind)
{
    return shapes[kind].depth;
}

bool
usage_kind_joins(enum usage_kind both, enum usage_kind a, enum usage_kind b)
{
    return usage_kinds_overlap(a, b) && shapes[both].is == (shapes[a].is | shapes[b].is);
}

bool
usage_kind_within(enum usage_kind part, enum usage_kind whole)
{
    return (shapes[part].is & shapes[whole].says) == shapes[whole].is;
}

bool
usage_kinds_overlap(enum usage_kind a, enum usage_kind b)
{
    return ((shapes[a].is ^ shapes[b].is) & shapes[a].says & shapes[b].says) == 0;
}

void
usage_set(struct usage *usage, enum usage_kind kind, int64_t count)
{
    ENSURE(kind < USAGE_KIND_COUNT && count >= 0 && count <= USAGE_COUNT_MOST);
    usage->counts[kind] = count;
    usage->reported |= (uint64_t)1 << kind;
}

static enum usage_exactness
less_exact(enum usage_exactness a, enum usage_exactness b)
{
    return a < b ? a : b;
}

enum status
usage_add(struct usage *total, const struct usage *more)
{
    struct usage sum = *total;

    for (unsigned i = 0; i < USAGE_KIND_COUNT; i++) {
        sum.counts[i] += more->counts[i];
        if (sum.counts[i] > USAGE_COUNT_MOST)
            return ERR_LIMIT;
    }
    if (usd_add(total->provider_cost, more->provider_cost, &sum.provider_cost) != OK)
        return ERR_LIMIT;
    sum.reported |= more->reported;
    sum.exactness = less_exact(total->exactness, more->exactness);
    if (more->service_tier[0] != '\0')
        memcpy(sum.service_tier, more->service_tier, sizeof sum.service_tier);
    if (more->speed[0] != '\0')
        memcpy(sum.speed, more->speed, sizeof sum.speed);
    if (more->inference_geo[0] != '\0')
        memcpy(sum.inference_geo, more->inference_geo, sizeof sum.inference_geo);
    *total = sum;
    return OK;
}

static bool
part_exceeds_whole(const struct usage *usage, enum usage_kind part)
{
    for (unsigned whole = 0; whole < USAGE_KIND_COUNT; whole++)
        if (usage_reports(usage, whole) && usage->counts[part] > usage->counts[whole] && usage_kind_within(part, whole))
            return true;
    return false;
}

void
usage_drop(struct usage *usage, enum usage_kind kind)
{
    for (unsigned part = 0; part < USAGE_KIND_COUNT; part++) {
        if (!usage_kind_within((enum usage_kind)part, kind))
            continue;
        usage->counts[part] = 0;
        usage->reported &= ~((uint64_t)1 << part);
    }
}

int64_t
usage_part(int64_t whole, int64_t number, unsigned parts)
{
    ENSURE(parts > 0 && number < (int64_t)parts && whole >= 0);
    return number < 0 ? 0 : whole / parts + (number < whole % parts);
}

struct usage
usage_split(const struct usage *whole, int64_t number, unsigned parts)
{
    struct usage part = *whole;

    for (size_t kind = 0; kind < USAGE_KIND_COUNT; kind++)
        part.counts[kind] = usage_part(whole->counts[kind], number, parts);
    if (usd_known(whole->provider_cost))
        part.provider_cost = usage_part(whole->provider_cost, number, parts);
    return part;
}

const char *
usage_fault(const struct usage *usage)
{
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++) {
        if (usage->counts[kind] < 0 || usage->counts[kind] > USAGE_COUNT_MOST)
            return "a count is negative or impossibly large";
        if (usage->counts[kind] != 0 && !usage_reports(usage, kind))
            return "a count was set without being reported";
        if (usage->counts[kind] != 0 && part_exceeds_whole(usage, kind))
            return "a part, as cached tokens, is larger than its whole";
    }
    return NULL;
}

static enum status
scaled(double value, int64_t scale, int64_t *out)
{
    double counts = value * (double)scale;

    if (!isfinite(counts) || counts < 0)
        return ERR_INVALID;
    if (counts > (double)USAGE_COUNT_MOST)
        return ERR_LIMIT;
    if (scale == 1 && counts != floor(counts))
        return ERR_INVALID;
    *out = (int64_t)llround(counts);
    return OK;
}

enum status
usage_read_count(yyjson_val *value, int64_t scale, int64_t *out)
{
    ENSURE(scale >= 1);
    if (value == NULL || yyjson_is_null(value))
        return ERR_NOT_FOUND;
    if (yyjson_is_real(value))
        return scaled(yyjson_get_real(value), scale, out);
    if (!yyjson_is_uint(value)) /* bools, texts, and negative numbers */
        return ERR_INVALID;
    if (yyjson_get_uint(value) > (uint64_t)(USAGE_COUNT_MOST / scale))
        return ERR_LIMIT;
    *out = (int64_t)yyjson_get_uint(value) * scale;
    return OK;
}
