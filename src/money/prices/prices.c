/* Making and ending price books. */
#include "money/prices/prices.h"

#include <stdlib.h>

#include "money/prices/prices_book.h"
#include "money/prices/prices_builtin.h"

static void
destroy(struct price_book *book)
{
    for (struct regex_list *entry = book->regexes; entry != NULL; entry = entry->next)
        regfree(&entry->regex);
    for (size_t i = 0; i < REMEMBERED_SLOTS; i++)
        free(atomic_load(&book->remembered[i]));
    map_free(&book->handles);
    lock_destroy(&book->lock);
    arena_reset(&book->arena);
    free(book);
}

struct price_book *
prices_hold(struct price_book *book)
{
    atomic_fetch_add(&book->holders, 1);
    return book;
}

void
prices_release(struct price_book *book)
{
    if (book != NULL && atomic_fetch_sub(&book->holders, 1) == 1)
        destroy(book);
}

static struct price_book *
empty_book(void)
{
    struct price_book *book = must_calloc(1, sizeof *book);

    atomic_init(&book->holders, 1);
    arena_init(&book->arena);
    lock_init(&book->lock);
    map_init(&book->handles);
    return book;
}

static const char *
maybe_copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

/* "gpus/llama-3.1-8b", as the config writes it. */
static const char *
words_for(struct arena *arena, const struct price_override *override)
{
    const char *who = override->backend != NULL ? override->backend : override->provider;

    return arena_printf(arena, "%s/%s", who != NULL ? who : "*", override->model != NULL ? override->model : "*");
}

static enum status
refuse_override(struct price_book *book, const struct price_override *override, struct problems *problems,
                const char *what)
{
    problems_add(problems, (struct problem){.severity = PROBLEM_ERROR}, "the contract's price for %s: %s",
                 words_for(&book->arena, override), what);
    return ERR_INVALID;
}

static enum status
copy_rates(struct price_book *book, const struct price_override *override, struct problems *problems,
           struct tariff *out)
{
    uint64_t kinds = 0;

    out->lines = arena_alloc(&book->arena, override->rate_count * sizeof *out->lines + 1);
    for (size_t i = 0; i < override->rate_count; i++) {
        const struct price_rate *rate = &override->rates[i];

        if (rate->rate < 0 || !prices_rate_plausible(rate->kind, rate->rate))
            return refuse_override(
                book, override, problems,
                "a price per token and a price per million tokens differ by a factor of 1,000,000, and "
                "this one cannot be meant. Write $2.50/M for dollars per million tokens");
        if ((kinds >> rate->kind & 1) != 0)
            return refuse_override(book, override, problems, "the same kind is priced twice");
        kinds |= (uint64_t)1 << rate->kind;
        out->lines[out->line_count++] = (struct line){.kind = rate->kind, .base = rate->rate};
    }
    out->fault = tariff_fault(kinds, &book->arena);
    return out->fault == NULL ? OK : refuse_override(book, override, problems, out->fault);
}

static enum status
copy_override(struct price_book *book, const struct price_override *override, struct problems *problems,
              struct contract *out)
{
    struct arena *arena = &book->arena;

    *out = (struct contract){.backend = maybe_copy(arena, override->backend),
                             .provider = maybe_copy(arena, override->provider),
                             .from_wall_us = override->from_wall_us,
                             .until_wall_us = override->until_wall_us,
                             .discount_ppm = override->discount_ppm};
    if (override->model != NULL)
        out->model = prices_lower(arena, slice_of(override->model));
    if (override->discount_ppm < 0 || override->discount_ppm > 1000000)
        return refuse_override(book, override, problems, "a discount must be from 0% to 100%");
    return copy_rates(book, override, problems, &out->tariff);
}

static enum status
copy_overrides(struct price_book *book, const struct price_sources *sources, struct problems *problems)
{
    enum status worst = OK;

    book->contracts = arena_alloc(&book->arena, sources->override_count * sizeof *book->contracts + 1);
    for (size_t i = 0; i < sources->override_count; i++) {
        enum status status =
            copy_override(book, &sources->overrides[i], problems, &book->contracts[book->contract_count]);

        worst = status != OK ? status : worst;
        book->contract_count += status == OK;
    }
    return worst;
}

enum status
prices_build(const struct price_sources *sources, struct problems *problems, struct price_book **out)
{
    struct price_book *book = empty_book();
    enum status status = OK, more;

    if (sources->json.data != NULL)
        status = prices_read_layer(book, sources->json, sources->file, problems);
    if (status == OK && sources->builtin)
        status = prices_read_layer(book, prices_builtin_json(), "the built-in facts", problems);
    more = copy_overrides(book, sources, problems);
    if (status == OK && more == OK) {
        *out = book;
        return OK;
    }
    prices_release(book);
    return ERR_INVALID;
}

enum status
prices_load(struct slice json, const char *file, struct problems *problems, struct price_book **out)
{
    struct price_sources sources = {.json = json, .file = file};

    if (json.data == NULL)
        sources.json = slice_of("");
    return prices_build(&sources, problems, out);
}

struct price_book *
prices_builtin(void)
{
    struct price_sources sources = {.builtin = true};
    struct price_book *book = NULL;
    struct problems problems;
    enum status status;

    problems_init(&problems);
    status = prices_build(&sources, &problems, &book);
    ENSURE(status == OK && problems.count == 0);
    problems_free(&problems);
    return book;
}
