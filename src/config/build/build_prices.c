#include "config/build/build.h"
#include "config/value.h"

enum { PRICE_FILE_BYTES_MOST = 64 * 1024 * 1024, PROVIDERS_MOST = 256, RATES_MOST = 7 };

static void
add_rate(struct price_rate *rates, size_t *count, enum usage_kind kind, usd_rate rate)
{
    if (rate != USD_RATE_NONE)
        rates[(*count)++] = (struct price_rate){kind, rate};
}

/* Parts without a rate of their own are billed as the whole they are a part of. */
static void
set_rates(struct build *build, const struct price_draft *draft, struct price_override *line)
{
    struct price_rate *rates = arena_alloc(build->reader.arena, RATES_MOST * sizeof(*rates));
    size_t count = 0;

    add_rate(rates, &count, USAGE_input_tokens, draft->input);
    add_rate(rates, &count, USAGE_output_tokens, draft->output);
    add_rate(rates, &count, USAGE_cache_read_tokens, draft->cache_read);
    add_rate(rates, &count, USAGE_cache_write_tokens, draft->cache_write);
    add_rate(rates, &count, USAGE_cache_write_1h_tokens, draft->cache_write_1h);
    add_rate(rates, &count, USAGE_input_audio_tokens, draft->input_audio);
    add_rate(rates, &count, USAGE_output_audio_tokens, draft->output_audio);
    ENSURE(count <= RATES_MOST);
    line->rates = rates;
    line->rate_count = count;
}

static void
add_override(struct build *build, const struct price_draft *draft, struct price_sources *sources,
             struct price_override *lines)
{
    struct price_override *line = &lines[sources->override_count];
    struct target target;

    if (!build_target(build, draft->entry.key, slice_of(draft->entry.name), &target) || target.backend == NULL)
        return;
    *line = (struct price_override){.backend = target.backend->name, .model = target.upstream};
    set_rates(build, draft, line);
    sources->override_count++;
}

static void
add_discount(struct build *build, const struct yaml_item *item, struct price_sources *sources,
             struct price_override *lines)
{
    unsigned ppm;

    if (!reader_wants_text(&build->reader, item->value, "a share such as 10%"))
        return;
    if (value_share(item->value->text, &ppm) != OK) {
        reader_error(&build->reader, item->value, NULL, "discount: expected a share such as 10%%, found \"%.*s\"",
                     SLICE_ARGS(slice_first(item->value->text, 60)));
        return;
    }
    lines[sources->override_count++] =
        (struct price_override){.provider = item->key->text.data, .discount_ppm = (int64_t)ppm};
}

/* Overrides first: the first line that fits applies, and a price of one's own is what one pays. */
static void
collect_lines(struct build *build, struct price_sources *sources)
{
    const struct entries *drafts = &build->draft.prices;
    const struct yaml_node *discounts = build->draft.discounts;
    size_t discount_count = discounts != NULL && discounts->kind == YAML_MAP ? discounts->count : 0;
    struct price_override *lines = arena_alloc(build->reader.arena, (drafts->count + discount_count) * sizeof(*lines));

    sources->overrides = lines;
    for (size_t i = 0; i < drafts->count; i++)
        add_override(build, ENTRY_AT(*drafts, price_draft, i), sources, lines);
    for (size_t i = 0; i < discount_count; i++)
        add_discount(build, &discounts->items[i], sources, lines);
    if (discounts != NULL && discounts->kind != YAML_MAP)
        reader_error(&build->reader, discounts, "For example discount: { openai: 10% }.",
                     "discount: expected a map of providers, found %s", yaml_kind_name(discounts));
}

static const struct yaml_node *
price_file_node(struct build *build)
{
    const struct yaml_node *prices = yaml_get(build->root, "prices");

    return prices != NULL ? yaml_get(prices, "file") : NULL;
}

static size_t
list_providers(const struct price_book *book, const char **names)
{
    size_t count = 0, at = 0;

    for (const struct price *price; count < PROVIDERS_MOST && (price = prices_next(book, &at)) != NULL;) {
        const char *name = price_provider(price);

        if (count == 0 || strcmp(names[count - 1], name) != 0)
            names[count++] = name;
    }
    return count;
}

/* The id of a provider that the user names, or NULL with the error reported. */
static const char *
find_provider(struct build *build, const struct yaml_node *at, struct slice name)
{
    const char *id = prices_provider_by_name(build->config->prices, name);
    const char *names[PROVIDERS_MOST];
    size_t count;

    if (id != NULL)
        return id;
    count = list_providers(build->config->prices, names);
    reader_error(&build->reader, at,
                 reader_nearest(&build->reader, name, names, count, "`equipoise prices list` shows all."),
                 "the price book has no provider \"%.*s\"", SLICE_ARGS(name));
    return NULL;
}

static void
find_providers(struct build *build)
{
    const struct entries *drafts = &build->draft.backends;
    const struct yaml_node *discounts = build->draft.discounts;

    for (size_t i = 0; i < drafts->count; i++) {
        const struct backend_draft *draft = ENTRY_AT(*drafts, backend_draft, i);
        struct backend_config *backend = &build->config->backends[i];
        const struct yaml_node *url = draft->url;

        if (url != NULL && url->kind == YAML_LIST)
            url = url->count > 0 ? url->items[0].value : NULL;
        if (draft->provider != NULL)
            backend->provider = find_provider(build, build_place(&draft->entry, "provider"), slice_of(draft->provider));
        else if (url != NULL && url->kind == YAML_SCALAR)
            backend->provider = prices_provider_by_url(build->config->prices, url->text);
    }
    for (size_t i = 0; discounts != NULL && discounts->kind == YAML_MAP && i < discounts->count; i++)
        find_provider(build, discounts->items[i].key, discounts->items[i].key->text);
}

static void
warn_of_missing_keys(struct build *build)
{
    for (size_t i = 0; i < build->config->backend_count; i++) {
        const struct backend_config *backend = &build->config->backends[i];
        const struct backend_draft *draft = ENTRY_AT(build->draft.backends, backend_draft, i);

        if (backend->provider != NULL && backend->engine == ENGINE_HOSTED && backend->endpoint_count > 0 &&
            !backend->endpoints[0].private_allowed && backend->credential.header == NULL)
            reader_warn(&build->reader, draft->entry.key, "Add key: $NAME.",
                        "backend %s has no key; %s will refuse its requests", backend->name, backend->provider);
    }
}

void
build_prices(struct build *build)
{
    struct price_sources sources = {.json = SLICE_NONE, .file = build->draft.price_file, .builtin = true};
    enum status status;

    collect_lines(build, &sources);
    if (sources.file != NULL)
        sources.json = reader_file(&build->reader, price_file_node(build), sources.file, PRICE_FILE_BYTES_MOST);
    if (sources.json.data != NULL)
        build->config->price_file_sha256 = hash_sha256(sources.json);
    status = prices_build(&sources, build->reader.problems, &build->config->prices);
    if (status != OK)
        return;
    find_providers(build);
    warn_of_missing_keys(build);
}
