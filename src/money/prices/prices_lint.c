/* Checks a price file as a careful person would read it: what is impossible is refused while reading; here is what looks
 * odd. */
#include "base/clock.h"
#include "money/prices/prices_book.h"

struct linter {
    const struct layer *layer;
    const char *file;
    struct problems *problems;
    struct arena *arena;
};

static void
warn(struct linter *l, struct place place, const char *text, const char *hint)
{
    struct problem problem = {
        .severity = PROBLEM_WARNING, .file = l->file, .line = place.line, .column = place.column, .hint = hint};

    problems_add(l->problems, problem, "%s", text);
}

static const struct line *
line_for(const struct tariff *tariff, enum usage_kind kind)
{
    for (size_t i = 0; i < tariff->line_count; i++)
        if (tariff->lines[i].kind == kind)
            return &tariff->lines[i];
    return NULL;
}

static const char *
show_rate(struct linter *l, usd_rate rate)
{
    char text[USD_RATE_TEXT_SIZE];

    usd_rate_format(rate, text);
    return arena_strdup(l->arena, text);
}

/* Output costs a model more work than input: cheaper output is mostly two numbers swapped. */
static void
check_sides(struct linter *l, const struct model *model, const struct tariff *tariff)
{
    const struct line *input = line_for(tariff, USAGE_input_tokens), *output = line_for(tariff, USAGE_output_tokens);

    if (input == NULL || output == NULL || output->base == 0 || output->base >= input->base / 2)
        return;
    warn(l, output->place,
         arena_printf(l->arena, "%s, model %s: output at $%s is much cheaper than input at $%s", model->provider->id,
                      model->id, show_rate(l, output->base), show_rate(l, input->base)),
         "Are the two swapped?");
}

static void
check_cache(struct linter *l, const struct model *model, const struct tariff *tariff)
{
    const struct line *input = line_for(tariff, USAGE_input_tokens),
                      *cached = line_for(tariff, USAGE_cache_read_tokens);

    if (input == NULL || cached == NULL || cached->base <= input->base)
        return;
    warn(l, cached->place,
         arena_printf(l->arena, "%s, model %s: reading from the cache at $%s is dearer than input at $%s",
                      model->provider->id, model->id, show_rate(l, cached->base), show_rate(l, input->base)),
         NULL);
}

static void
check_empty(struct linter *l, const struct model *model, const struct tariff *tariff)
{
    if (tariff->line_count == 0)
        warn(l, model->place,
             arena_printf(l->arena, "%s, model %s: has no prices at all, so everything costs 0", model->provider->id,
                          model->id),
             "Leave the model out if its price is not known.");
}

static void
check_fault(struct linter *l, const struct model *model, const struct tariff *tariff)
{
    if (tariff->fault == NULL)
        return;
    warn(l, model->place,
         arena_printf(l->arena, "%s, model %s: %s, so that no cost can be computed", model->provider->id, model->id,
                      tariff->fault),
         "Add the missing price.");
}

/* Prices are tried last to first: one that always holds hides those above it, and an older date hides a newer one. */
static void
check_dates(struct linter *l, const struct model *model)
{
    for (size_t i = 1; i < model->dated_count; i++) {
        const struct constraint *later = &model->dated[i].constraint, *earlier = &model->dated[i - 1].constraint;
        const char *what = NULL;

        if (later->kind == HOLDS_ALWAYS)
            what = "these prices always hold, so those above them never do";
        else if (later->kind == HOLDS_FROM && earlier->kind == HOLDS_FROM &&
                 later->from_wall_us <= earlier->from_wall_us)
            what = "these prices start no later than those above them, so those above never hold";
        if (what != NULL)
            warn(l, later->place.line != 0 ? later->place : model->place,
                 arena_printf(l->arena, "%s, model %s: dates overlap: %s", model->provider->id, model->id, what),
                 "Sort them by start_date, the newest last.");
    }
}

/* A name that the clause surely matches; false if it has none. */
static bool
sample_name(const struct clause *clause, struct slice *out)
{
    *out = clause->text;
    return (clause->kind == CLAUSE_EQUALS || clause->kind == CLAUSE_STARTS || clause->kind == CLAUSE_ENDS) &&
           clause->text.len > 0;
}

/* True if some name still finds the model; also if there is no name to try. */
static bool
is_reachable(struct linter *l, const struct model *model, const struct clause *clause)
{
    struct slice name;

    if (clause->kind == CLAUSE_ANY_OF) {
        for (size_t i = 0; i < clause->part_count; i++)
            if (is_reachable(l, model, &clause->parts[i]))
                return true;
        return clause->part_count == 0;
    }
    return !sample_name(clause, &name) || prices_find_model(l->layer, model->provider, name) == model;
}

static void
check_reach(struct linter *l, const struct model *model)
{
    if (is_reachable(l, model, &model->match))
        return;
    warn(l, model->place,
         arena_printf(l->arena, "%s, model %s: cannot be reached, models above it match all its names",
                      model->provider->id, model->id),
         "Move it up, or narrow the matches above it.");
}

static bool
lacks_cache_price(const struct model *model)
{
    const struct tariff *newest = &model->dated[model->dated_count - 1].tariff;
    const struct line *input = line_for(newest, USAGE_input_tokens);

    return input != NULL && input->base > 0 && line_for(newest, USAGE_output_tokens) != NULL &&
           line_for(newest, USAGE_cache_read_tokens) == NULL;
}

static void
check_model(struct linter *l, const struct model *model)
{
    for (size_t i = 0; i < model->dated_count; i++) {
        check_sides(l, model, &model->dated[i].tariff);
        check_cache(l, model, &model->dated[i].tariff);
        check_fault(l, model, &model->dated[i].tariff);
        check_empty(l, model, &model->dated[i].tariff);
    }
    check_dates(l, model);
    check_reach(l, model);
}

static void
check_provider(struct linter *l, const struct provider *provider)
{
    size_t lacking = 0;

    for (const struct provider *other = l->layer->providers; other < provider; other++)
        if (strcmp(other->id, provider->id) == 0)
            warn(l, provider->place,
                 arena_printf(l->arena, "the provider %s is there twice; only the first counts", provider->id),
                 "Put all models under one.");
    for (size_t i = 0; i < provider->model_count; i++) {
        check_model(l, &provider->models[i]);
        lacking += lacks_cache_price(&provider->models[i]);
    }
    if (lacking > 0)
        warn(l, provider->place,
             arena_printf(l->arena, "%s: %zu of %zu models have no cache_read_mtok", provider->id, lacking,
                          provider->model_count),
             "Tokens read from the provider's cache are priced as other input there.");
}

void
prices_lint(struct slice json, const char *file, struct problems *problems)
{
    struct price_book *book;
    struct linter linter = {.file = file, .problems = problems};

    if (prices_load(json, file, problems, &book) != OK)
        return;
    linter.layer = &book->layers[0];
    linter.arena = &book->arena;
    for (size_t i = 0; i < linter.layer->provider_count; i++)
        check_provider(&linter, &linter.layer->providers[i]);
    prices_release(book);
}
