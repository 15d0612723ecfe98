/* Price files and answers from anybody: nothing crashes, every cost is known and not negative or unknown with a reason.
 * The input is a price file, or, behind its first NUL byte, an answer to price (without one, by the built-in facts). */
#include "dialect/usage.h"
#include "money/prices/prices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_cost(const struct price *price, const struct usage *usage)
{
    struct price_terms terms = {.wall_us = INT64_C(1790000000000000)};
    struct cost cost = prices_cost(price, &terms, usage);

    ENSURE((cost.why_unknown == NULL) == usd_known(cost.total));
    ENSURE(!usd_known(cost.total) || (cost.total >= 0 && cost.total == cost.input + cost.output + cost.other));
}

static void
check_readers(const struct price *price, yyjson_val *root)
{
    for (unsigned api = 0; api < API_COUNT; api++) {
        struct usage usage;

        usage_init(&usage);
        if (usage_read_answer((enum api)api, root, &usage) != OK)
            ENSURE(usage.reported == 0);
        check_cost(price, &usage);
    }
}

static void
check_answer(const struct price_book *book, struct slice json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, 0);
    const struct price *price;
    size_t at = 0;

    while (doc != NULL && (price = prices_next(book, &at)) != NULL && at < 200) {
        struct usage usage;
        struct slice model;
        char why[PRICES_WHY_SIZE];

        if (prices_extract(book, price_provider(price), NULL, yyjson_doc_get_root(doc), &usage, &model, why) == OK)
            check_cost(prices_resolve(book, NULL, price_provider(price), model), &usage);
        else
            ENSURE(why[0] != '\0');
        check_cost(price, &usage);
        check_readers(price, yyjson_doc_get_root(doc));
    }
    yyjson_doc_free(doc);
}

static struct price_book *
read_book(struct slice json)
{
    struct problems problems;
    struct price_book *book = NULL;

    problems_init(&problems);
    prices_lint(json, "input", &problems);
    if (prices_load(json, "input", &problems, &book) != OK)
        ENSURE(problems.errors > 0);
    problems_free(&problems);
    return book;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct slice file = slice_first(input, slice_find_byte(input, '\0'));
    struct price_book *book = file.len > 0 ? read_book(file) : prices_builtin();

    if (book != NULL && file.len < input.len)
        check_answer(book, slice_from(input, file.len + 1));
    if (book != NULL) {
        prices_provider_by_url(book, input);
        prices_provider_by_name(book, input);
        prices_provider_by_model(book, input);
    }
    prices_release(book);
    return 0;
}
