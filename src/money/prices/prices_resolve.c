/* Making books, and finding the price of a name in one. */
#include "money/prices/prices_book.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/text.h"

/* Names */

static const struct provider *
provider_in_layer(const struct layer *layer, struct slice id)
{
    for (size_t i = 0; i < layer->provider_count; i++)
        if (slice_is(id, layer->providers[i].id))
            return &layer->providers[i];
    return NULL;
}

const struct provider *
prices_find_provider(const struct price_book *book, const char *id)
{
    const struct provider *provider = NULL;

    for (size_t i = 0; id != NULL && provider == NULL && i < book->layer_count; i++)
        provider = provider_in_layer(&book->layers[i], slice_of(id));
    return provider;
}

static const struct model *
match_model(const struct provider *provider, struct slice name)
{
    for (size_t i = 0; i < provider->model_count; i++)
        if (clause_matches(&provider->models[i].match, name))
            return &provider->models[i];
    return NULL;
}

/* A provider's own models, then those of the providers whose models it also serves. */
static const struct model *
match_with_fallbacks(const struct layer *layer, const struct provider *provider, struct slice name)
{
    const struct model *model = match_model(provider, name);

    for (size_t i = 0; model == NULL && i < provider->fallback_count; i++) {
        const struct provider *other = provider_in_layer(layer, slice_of(provider->fallbacks[i]));

        model = other != NULL ? match_model(other, name) : NULL;
    }
    return model;
}

const struct model *
prices_find_model(const struct layer *layer, const struct provider *provider, struct slice lower)
{
    const struct model *model = match_with_fallbacks(layer, provider, lower);
    char dashed[2 * NAME_MOST + 1];
    size_t len;

    if (model == NULL && lower.len <= NAME_MOST && prices_dash_dates(lower, dashed, &len))
        model = match_with_fallbacks(layer, provider, slice_make(dashed, len));
    return model;
}

/* The first layer that prices the model decides. *provider is set to who was asked, if any layer knows it. */
static const struct model *
find_in_layers(const struct price_book *book, const char *id, struct slice lower, const struct provider **provider)
{
    *provider = NULL;
    for (size_t i = 0; id != NULL && i < book->layer_count; i++) {
        const struct provider *here = provider_in_layer(&book->layers[i], slice_of(id));
        const struct model *model = here != NULL ? prices_find_model(&book->layers[i], here, lower) : NULL;

        if (*provider == NULL || model != NULL)
            *provider = here;
        if (model != NULL)
            return model;
    }
    return NULL;
}

static void
lower_name(struct slice name, char *out)
{
    for (size_t i = 0; i < name.len; i++)
        out[i] = (char)(name.data[i] >= 'A' && name.data[i] <= 'Z' ? name.data[i] - 'A' + 'a' : name.data[i]);
}

const char *
prices_provider_by_name(const struct price_book *book, struct slice name)
{
    char lower[NAME_MOST];

    name = slice_trim(name);
    if (name.len > NAME_MOST)
        return NULL;
    lower_name(name, lower);
    name.data = lower;
    for (size_t i = 0; i < book->layer_count; i++)
        if (provider_in_layer(&book->layers[i], name) != NULL)
            return provider_in_layer(&book->layers[i], name)->id;
    for (size_t i = 0; i < book->layer_count; i++)
        for (size_t j = 0; j < book->layers[i].provider_count; j++) {
            const struct provider *provider = &book->layers[i].providers[j];

            if (provider->has_provider_match && clause_matches(&provider->provider_match, name))
                return provider->id;
        }
    return NULL;
}

const char *
prices_provider_by_url(const struct price_book *book, struct slice url)
{
    for (size_t i = 0; i < book->layer_count; i++)
        for (size_t j = 0; j < book->layers[i].provider_count; j++) {
            const struct provider *provider = &book->layers[i].providers[j];

            if (url.len > 0 && provider->url != NULL && prices_regex_matches(provider->url, url))
                return provider->id;
        }
    return NULL;
}

const char *
prices_provider_by_model(const struct price_book *book, struct slice model)
{
    char lower[NAME_MOST];

    if (model.len == 0 || model.len > NAME_MOST)
        return NULL;
    lower_name(model, lower);
    model.data = lower;
    for (size_t i = 0; i < book->layer_count; i++)
        for (size_t j = 0; j < book->layers[i].provider_count; j++) {
            const struct provider *provider = &book->layers[i].providers[j];

            if (provider->has_model_match && clause_matches(&provider->model_match, model))
                return provider->id;
        }
    return NULL;
}

/* Handles */

static bool
contract_fits(const struct contract *contract, const char *backend, const char *provider, struct slice lower)
{
    if (contract->backend != NULL && (backend == NULL || strcmp(contract->backend, backend) != 0))
        return false;
    if (contract->provider != NULL && (provider == NULL || strcmp(contract->provider, provider) != 0))
        return false;
    return contract->model.data == NULL || text_glob(contract->model, lower);
}

static struct price
compose_price(const struct price_book *book, const char *backend, const char *provider, struct slice lower,
              const struct contract **fitting)
{
    struct price price = {.contracts = fitting};

    price.model = find_in_layers(book, provider, lower, &price.provider);
    for (size_t i = 0; i < book->contract_count; i++)
        if (contract_fits(&book->contracts[i], backend, provider, lower))
            fitting[price.contract_count++] = &book->contracts[i];
    return price;
}

/* False if nothing at all prices it: a discount alone does not. */
static bool
prices_anything(const struct price *price)
{
    for (size_t i = 0; i < price->contract_count; i++)
        if (price->contracts[i]->tariff.line_count > 0)
            return true;
    return price->model != NULL;
}

static uint64_t
kinds_of(const struct tariff *tariff)
{
    uint64_t kinds = 0;

    for (size_t i = 0; i < tariff->line_count; i++)
        kinds |= (uint64_t)1 << tariff->lines[i].kind;
    return kinds;
}

static uint64_t
kinds_priced(const struct price *price)
{
    uint64_t kinds = 0;

    for (size_t i = 0; price->model != NULL && i < price->model->dated_count; i++)
        kinds |= kinds_of(&price->model->dated[i].tariff);
    for (size_t i = 0; price->model != NULL && i < price->model->variant_count; i++)
        kinds |= kinds_of(&price->model->variants[i].tariff);
    for (size_t i = 0; i < price->contract_count; i++)
        kinds |= kinds_of(&price->contracts[i]->tariff);
    return kinds;
}

/* The one handle for what `price` is made of. There are as many as combinations of models and contract lines, whatever
 * the number of names that are asked for. */
static const struct price *
intern_price(struct price_book *book, const struct price *price, struct slice lower)
{
    struct buffer key;
    struct price *handle;

    buffer_init(&key);
    buffer_add(&key, slice_make((const char *)&price->model, sizeof price->model));
    buffer_add(&key, slice_make((const char *)&price->provider, sizeof price->provider));
    buffer_add(&key, slice_make((const char *)price->contracts, price->contract_count * sizeof *price->contracts));
    lock_take(&book->lock);
    handle = map_get(&book->handles, buffer_content(&key));
    if (handle == NULL) {
        handle = arena_alloc(&book->arena, sizeof *handle);
        *handle = *price;
        handle->contracts = arena_alloc(&book->arena, price->contract_count * sizeof *handle->contracts + 1);
        if (price->contract_count > 0)
            memcpy(handle->contracts, price->contracts, price->contract_count * sizeof *handle->contracts);
        handle->kinds = kinds_priced(handle);
        handle->name = arena_slice_text(&book->arena, lower);
        map_put(&book->handles, buffer_content(&key), handle);
    }
    lock_drop(&book->lock);
    buffer_free(&key);
    return handle;
}

static const struct price *
resolve_slowly(struct price_book *book, const char *backend, const char *provider, struct slice model)
{
    const struct contract **fitting;
    const struct price *handle = NULL;
    struct price price;
    char lower[NAME_MOST];

    if (model.len > NAME_MOST)
        return NULL;
    lower_name(model, lower);
    fitting = must_calloc(book->contract_count, sizeof(const struct contract *));
    price = compose_price(book, backend, provider, slice_make(lower, model.len), fitting);
    if (prices_anything(&price))
        handle = intern_price(book, &price, slice_make(lower, model.len));
    free(fitting);
    return handle;
}

/* Backend, provider and model in one text; 0: too long to be remembered. */
static size_t
make_key(const char *backend, const char *provider, struct slice model, char *out)
{
    size_t backend_len = backend != NULL ? strlen(backend) + 1 : 0;
    size_t provider_len = provider != NULL ? strlen(provider) + 1 : 0;

    if (backend_len + provider_len + model.len + 2 > NAME_MOST)
        return 0;
    if (backend_len > 0)
        memcpy(out, backend, backend_len);
    out[backend_len] = '\n';
    if (provider_len > 0)
        memcpy(out + backend_len + 1, provider, provider_len);
    out[backend_len + provider_len + 1] = '\n';
    if (model.len > 0)
        memcpy(out + backend_len + provider_len + 2, model.data, model.len);
    return backend_len + provider_len + model.len + 2;
}

static bool
is_remembered(const struct remembered *entry, const char *key, size_t len)
{
    return entry->len == len && memcmp(entry->key, key, len) == 0;
}

static void
remember(struct price_book *book, uint64_t hash, const char *key, size_t len, const struct price *price)
{
    struct remembered *entry = must_alloc(sizeof *entry + len);

    entry->price = price;
    entry->len = len;
    memcpy(entry->key, key, len);
    for (unsigned i = 0; i < REMEMBERED_TRIES; i++) {
        struct remembered *none = NULL;

        if (atomic_compare_exchange_strong(&book->remembered[(hash + i) % REMEMBERED_SLOTS], &none, entry))
            return;
    }
    free(entry); /* full here: this name is looked up anew each time */
}

const struct price *
prices_resolve(const struct price_book *constant, const char *backend, const char *provider, struct slice model)
{
    struct price_book *book = (struct price_book *)(uintptr_t)constant; /* what it remembers is not what it says */
    char key[NAME_MOST];
    size_t len = make_key(backend, provider, model, key);
    uint64_t hash = hash_fast(slice_make(key, len), 0);
    const struct price *price;

    for (unsigned i = 0; len > 0 && i < REMEMBERED_TRIES; i++) {
        const struct remembered *entry = atomic_load(&book->remembered[(hash + i) % REMEMBERED_SLOTS]);

        if (entry == NULL)
            break;
        if (is_remembered(entry, key, len))
            return entry->price;
    }
    price = resolve_slowly(book, backend, provider, model);
    if (len > 0)
        remember(book, hash, key, len, price);
    return price;
}

const char *
price_provider(const struct price *price)
{
    return price->provider != NULL ? price->provider->id : "";
}

const char *
price_model(const struct price *price)
{
    return price->model != NULL ? price->model->id : price->name;
}

bool
price_tells_apart(const struct price *price, enum usage_kind kind)
{
    for (uint64_t left = price->kinds; left != 0; left &= left - 1) {
        unsigned priced = (unsigned)__builtin_ctzll(left);

        if (priced == (unsigned)kind || usage_kind_within(priced, kind))
            return true;
    }
    return false;
}

int64_t
price_context_window(const struct price *price)
{
    return price->model != NULL ? price->model->context_window : 0;
}

const struct price *
prices_next(const struct price_book *book, size_t *at)
{
    size_t index = (*at)++;

    for (size_t i = 0; i < book->layer_count; i++)
        for (size_t j = 0; j < book->layers[i].provider_count; j++) {
            const struct provider *provider = &book->layers[i].providers[j];

            if (index < provider->model_count) {
                struct price price = {.model = &provider->models[index], .provider = provider};

                return intern_price((struct price_book *)(uintptr_t)book, &price, slice_of(price.model->id));
            }
            index -= provider->model_count;
        }
    return NULL;
}
