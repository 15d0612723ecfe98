/* The FOCUS data set: its structure, its sums, and that doc/focus.md says what it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

#include "base/timers.h"
#include "ledger_fixture.h"
#include "money/amount.h"
#include "money/ledger/ledger_memory.h"
#include "money/rent.h"
#include "money/report/focus.h"

#define START_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */
#define DAY_US ((int64_t)86400 * USEC_PER_S)
enum { ROWS = 600, DAYS = 3, FIELD_MOST = 512, COLUMNS_MOST = 64 };

enum column {
#define FOCUS_COLUMN(id, level, writer, words) COLUMN_##id,
#include "money/report/focus.def"
#undef FOCUS_COLUMN
    COLUMNS
};

struct books {
    struct ledger *ledger;
    struct ledger_store *store;
    struct arena arena;
    struct ledger_totals totals;
    int64_t requests;
};

/* One parsed row. */
struct fields {
    char text[COLUMNS_MOST][FIELD_MOST];
    size_t count;
};

static void
book(struct books *books, struct row *row)
{
    struct buffer record = {0};

    books->requests++;
    ledger_totals_add(&books->totals, row);
    journal_put_settle(&record, row);
    assert_int_equal(ledger_apply(books->ledger, buffer_content(&record)), OK);
    buffer_free(&record);
}

static int
set_up(void **state)
{
    struct books *books = must_calloc(1, sizeof(*books));

    books->store = ledger_memory_open();
    assert_int_equal(ledger_open(books->store, &books->ledger), OK);
    assert_int_equal(ledger_begin(books->ledger), OK);
    *state = books;
    return 0;
}

static int
tear_down(void **state)
{
    struct books *books = *state;

    ledger_close(books->ledger);
    arena_reset(&books->arena);
    free(books);
    return 0;
}

static struct buffer
export_all(struct books *books)
{
    struct buffer csv = {0};

    assert_int_equal(ledger_commit(books->ledger), OK);
    assert_int_equal(focus_write(&books->store, 1, START_US, START_US + DAYS * DAY_US, &csv), OK);
    return csv;
}

/* RFC 4180: quoted fields may hold commas, doubled quotes and line ends. */
static bool
next_row(struct slice *rest, struct fields *out)
{
    bool quoted = false;
    size_t len = 0;

    out->count = 0;
    if (rest->len == 0)
        return false;
    for (size_t i = 0; i < rest->len; i++) {
        char byte = rest->data[i];

        if (quoted && byte == '"' && i + 1 < rest->len && rest->data[i + 1] == '"') {
            out->text[out->count][len++] = '"';
            i++;
        } else if (byte == '"') {
            quoted = !quoted;
        } else if (!quoted && (byte == ',' || byte == '\r')) {
            out->text[out->count++][len] = '\0';
            len = 0;
            assert_true(out->count < COLUMNS_MOST);
        } else if (!quoted && byte == '\n') {
            *rest = slice_from(*rest, i + 1);
            return true;
        } else {
            out->text[out->count][len++] = byte;
            assert_true(len < FIELD_MOST);
        }
    }
    fail_msg("the last line does not end");
    return false;
}

static usd
amount(const char *text)
{
    usd out;

    assert_int_equal(usd_parse(slice_of(text), &out), OK);
    return out;
}

/* A decimal of any precision, in steps of 10^-18. */
static wide_int
fine(const char *text)
{
    wide_int number = 0;
    int places = -1;

    for (; *text != '\0'; text++) {
        assert_true((*text >= '0' && *text <= '9') || (*text == '.' && places < 0));
        if (*text == '.') {
            places = 0;
            continue;
        }
        number = number * 10 + (*text - '0');
        places += places >= 0;
    }
    for (places = places < 0 ? 0 : places; places < 18; places++)
        number *= 10;
    return number;
}

static void
assert_price_times_quantity_is_cost(const struct fields *row)
{
    wide_int millionths = (wide_int)amount(row->text[COLUMN_PricingQuantity]) / 1000000; /* exact */
    wide_int product = fine(row->text[COLUMN_ContractedUnitPrice]) * millionths;

    assert_true(wide_divide_half_even(product, (wide_int)1000000 * 1000000) ==
                amount(row->text[COLUMN_ContractedCost]));
    assert_string_equal(row->text[COLUMN_ContractedUnitPrice], row->text[COLUMN_ListUnitPrice]);
}

static void
assert_units(const struct fields *row)
{
    int64_t consumed = strtoll(row->text[COLUMN_ConsumedQuantity], NULL, 10);
    usd pricing = amount(row->text[COLUMN_PricingQuantity]);

    assert_true(consumed > 0);
    if (strcmp(row->text[COLUMN_ConsumedUnit], "Tokens") == 0) {
        assert_string_equal(row->text[COLUMN_PricingUnit], "1000000 Tokens");
        assert_true(pricing == consumed * 1000000);
    } else {
        assert_string_equal(row->text[COLUMN_ConsumedUnit], "Requests");
        assert_string_equal(row->text[COLUMN_PricingUnit], "Requests");
        assert_true(pricing == consumed * USD_ONE);
    }
    assert_string_equal(row->text[COLUMN_PricingCategory], "Standard");
    assert_string_equal(row->text[COLUMN_SkuPriceId], row->text[COLUMN_SkuId]);
}

/* The specification's: null together, where there is no price. */
static void
assert_unpriced(const struct fields *row)
{
    static const enum column nulls[] = {COLUMN_ConsumedQuantity, COLUMN_ConsumedUnit,    COLUMN_ContractedUnitPrice,
                                        COLUMN_ListUnitPrice,    COLUMN_PricingCategory, COLUMN_PricingUnit,
                                        COLUMN_PricingQuantity,  COLUMN_SkuPriceDetails};

    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        assert_string_equal(row->text[nulls[i]], "");
    assert_int_equal(amount(row->text[COLUMN_BilledCost]), 0);
}

static void
assert_constants(const struct fields *row)
{
    static const struct {
        enum column column;
        const char *value;
    } constants[] = {{COLUMN_BillingCurrency, "USD"},
                     {COLUMN_ChargeCategory, "Usage"},
                     {COLUMN_ChargeClass, ""},
                     {COLUMN_ChargeFrequency, "Usage-Based"},
                     {COLUMN_ServiceCategory, "AI and Machine Learning"},
                     {COLUMN_ServiceSubcategory, "Generative AI"},
                     {COLUMN_BillingPeriodStart, "2026-01-01T00:00:00Z"},
                     {COLUMN_BillingPeriodEnd, "2026-02-01T00:00:00Z"},
                     {COLUMN_InvoiceId, ""}};

    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        assert_string_equal(row->text[constants[i].column], constants[i].value);
}

static void
assert_not_null(const struct fields *row)
{
    static const enum column never[] = {COLUMN_BilledCost,
                                        COLUMN_BillingAccountId,
                                        COLUMN_ChargeDescription,
                                        COLUMN_ChargePeriodEnd,
                                        COLUMN_ChargePeriodStart,
                                        COLUMN_ContractedCost,
                                        COLUMN_EffectiveCost,
                                        COLUMN_HostProviderName,
                                        COLUMN_InvoiceIssuerName,
                                        COLUMN_ListCost,
                                        COLUMN_ServiceProviderName,
                                        COLUMN_ServiceName,
                                        COLUMN_SkuId,
                                        COLUMN_SkuMeter};

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (row->text[never[i]][0] == '\0')
            fail_msg("column %d is empty", (int)never[i]);
}

static void
assert_json(const char *text)
{
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);

    assert_true(text[0] == '\0' || yyjson_is_obj(yyjson_doc_get_root(doc)));
    yyjson_doc_free(doc);
}

static void
header_is_in_focus_order(void **state)
{
    struct books *books = *state;
    struct buffer csv = export_all(books);
    struct slice rest = buffer_content(&csv);
    struct fields header;

    assert_true(next_row(&rest, &header));
    assert_int_equal(header.count, COLUMNS);
    for (size_t i = 1; i < header.count; i++) {
        bool ours = strncmp(header.text[i], "x_", 2) == 0, ours_before = strncmp(header.text[i - 1], "x_", 2) == 0;

        assert_true(ours || !ours_before);
        if (ours == ours_before)
            assert_true(strcmp(header.text[i - 1], header.text[i]) < 0);
    }
    assert_int_equal(rest.len, 0);
    buffer_free(&csv);
}

static void
rows_are_whole_and_add_up(void **state)
{
    struct books *books = *state;
    struct rng rng;
    struct row row;
    struct buffer csv;
    struct slice rest;
    struct fields fields;
    wide_int billed = 0, saved = 0;
    int64_t requests = 0, unpriced = 0;

    rng_seed(&rng, 8);
    for (uint64_t id = 1; id <= ROWS; id++) {
        fixture_row(&rng, &books->arena, id, START_US + (int64_t)id * DAYS * DAY_US / (ROWS + 1), &row);
        book(books, &row);
    }
    csv = export_all(books);
    rest = buffer_content(&csv);
    assert_true(next_row(&rest, &fields));
    while (next_row(&rest, &fields)) {
        assert_int_equal(fields.count, COLUMNS);
        assert_constants(&fields);
        assert_not_null(&fields);
        assert_json(fields.text[COLUMN_Tags]);
        assert_json(fields.text[COLUMN_SkuPriceDetails]);
        if (fields.text[COLUMN_SkuPriceId][0] == '\0') {
            assert_unpriced(&fields);
        } else {
            assert_units(&fields);
            assert_price_times_quantity_is_cost(&fields);
        }
        billed += amount(fields.text[COLUMN_BilledCost]);
        saved += amount(fields.text[COLUMN_x_BookedSaving]);
        requests += strtoll(fields.text[COLUMN_x_Requests], NULL, 10);
        unpriced += strtoll(fields.text[COLUMN_x_UnpricedRequests], NULL, 10);
    }
    assert_true(billed == books->totals.cost);
    assert_true(saved == books->totals.saved);
    assert_int_equal(requests, books->requests);
    assert_int_equal(unpriced, books->totals.unpriced);
    buffer_free(&csv);
}

/* The first row that the ledger's only request makes. */
static void
export_one(struct books *books, struct row *row, struct fields *out)
{
    struct buffer csv;
    struct slice rest;

    row->id = 1;
    row->arrived_wall_us = START_US + 5;
    book(books, row);
    csv = export_all(books);
    rest = buffer_content(&csv);
    assert_true(next_row(&rest, out));
    assert_true(next_row(&rest, out));
    buffer_free(&csv);
}

static void
names_are_quoted(void **state)
{
    struct fields fields;
    struct row row;

    row_init(&row);
    row.key_name = SLICE_LITERAL("web, \"east\"");
    row.model_served = SLICE_LITERAL("large\r\n-1");
    row.provider = SLICE_LITERAL("some,one");
    row.input_tokens = 3;
    row.cost = row.input_cost = 10; /* 10/3: no price of finite length */
    row.exactness = SLICE_LITERAL("exact");
    export_one(*state, &row, &fields);
    assert_string_equal(fields.text[COLUMN_x_Key], "web, \"east\"");
    assert_string_equal(fields.text[COLUMN_x_Model], "large\r\n-1");
    assert_string_equal(fields.text[COLUMN_Tags], "{\"equipoise/key\":\"web, \\\"east\\\"\"}");
    assert_string_equal(fields.text[COLUMN_ContractedUnitPrice], "0.000003333333333333");
    assert_string_equal(fields.text[COLUMN_PricingQuantity], "0.000003");
    assert_price_times_quantity_is_cost(&fields);
}

static void
an_unpriced_request_has_no_price_and_is_counted(void **state)
{
    struct fields fields;
    struct row row;

    row_init(&row);
    row.model_served = SLICE_LITERAL("new-1");
    row.backend = SLICE_LITERAL("here");
    row.output_tokens = 12;
    row.exactness = SLICE_LITERAL("unpriced");
    export_one(*state, &row, &fields);
    assert_unpriced(&fields);
    assert_string_equal(fields.text[COLUMN_SkuPriceId], "");
    assert_string_equal(fields.text[COLUMN_x_UnpricedRequests], "1");
    assert_string_equal(fields.text[COLUMN_ServiceProviderName], "Self-Hosted");
    assert_string_equal(fields.text[COLUMN_SkuId], "here/new-1/output");
}

static void
a_total_without_kinds_is_charged_by_the_request(void **state)
{
    struct fields fields;
    struct row row;

    row_init(&row);
    row.model_served = SLICE_LITERAL("any-1");
    row.provider = SLICE_LITERAL("router");
    row.cost = 1234567890;
    row.exactness = SLICE_LITERAL("exact");
    export_one(*state, &row, &fields);
    assert_string_equal(fields.text[COLUMN_x_TokenKind], "other");
    assert_string_equal(fields.text[COLUMN_PricingUnit], "Requests");
    assert_string_equal(fields.text[COLUMN_PricingQuantity], "1");
    assert_string_equal(fields.text[COLUMN_ContractedUnitPrice], "0.00123456789");
}

/* Three replicas for so many minutes of the first hour, by a configuration in which the backend is this provider's. */
static void
rent_out(struct books *books, int64_t from_minute, int64_t until_minute, const char *provider)
{
    struct rent rent = {.from_wall_us = START_US + from_minute * 60 * USEC_PER_S,
                        .until_wall_us = START_US + until_minute * 60 * USEC_PER_S,
                        .backend = SLICE_LITERAL("gpus"),
                        .provider = slice_of(provider),
                        .replicas = 3,
                        .usd_per_hour = 2 * USD_ONE};
    struct buffer record = {0};

    journal_put_rent(&record, &rent);
    assert_int_equal(ledger_apply(books->ledger, buffer_content(&record)), OK);
    buffer_free(&record);
}

static void
book_at(struct books *books, const char *provider, usd cost)
{
    struct row row;

    row_init(&row);
    row.id = (uint64_t)books->requests + 1;
    row.arrived_wall_us = START_US + 5;
    row.backend = SLICE_LITERAL("gpus");
    row.provider = slice_of(provider);
    row.cost = cost;
    row.exactness = SLICE_LITERAL("exact");
    book(books, &row);
}

/* A reload changed whose the engines are within the hour: each of the two rows of what is idle has its own requests taken off,
 * and each request is taken off once. */
static void
an_hour_with_two_providers_is_idle_once(void **state)
{
    struct books *books = *state;
    struct fields fields;
    struct buffer csv;
    struct slice rest;
    usd billed = 0;
    unsigned idle = 0;

    rent_out(books, 0, 20, "");
    rent_out(books, 20, 60, "acme");
    book_at(books, "", 300 * USD_ONE / 1000);
    book_at(books, "acme", 500 * USD_ONE / 1000);
    book_at(books, "somebody", 70 * USD_ONE / 1000); /* of the hour before, when it was yet another's */
    csv = export_all(books);
    rest = buffer_content(&csv);
    assert_true(next_row(&rest, &fields));
    while (next_row(&rest, &fields)) {
        billed += amount(fields.text[COLUMN_BilledCost]);
        if (strcmp(fields.text[COLUMN_x_TokenKind], "idle") != 0)
            continue;
        idle++;
        if (strcmp(fields.text[COLUMN_ServiceProviderName], "acme") == 0)
            assert_in_range(amount(fields.text[COLUMN_BilledCost]), 3430 * USD_ONE / 1000, 3500 * USD_ONE / 1000);
        else
            assert_in_range(amount(fields.text[COLUMN_BilledCost]), 1630 * USD_ONE / 1000, 1700 * USD_ONE / 1000);
    }
    assert_int_equal(idle, 2);
    assert_true(billed == 6 * USD_ONE);
    buffer_free(&csv);
}

static void
the_page_lists_every_column(void **state)
{
    static const char *const lines[] = {
#define FOCUS_COLUMN(id, level, writer, words) "| `" #id "` | " #level " | " words " |\n",
#include "money/report/focus.def"
#undef FOCUS_COLUMN
    };
    FILE *file = fopen("doc/focus.md", "rb");
    char text[32768];
    size_t len;

    (void)state;
    assert_non_null(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    for (size_t i = 0; i < COLUMNS; i++)
        if (strstr(text, lines[i]) == NULL)
            fail_msg("doc/focus.md lacks: %s", lines[i]);
}

int
main(void)
{
#define ON_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_BOOKS(header_is_in_focus_order),
        ON_BOOKS(rows_are_whole_and_add_up),
        ON_BOOKS(names_are_quoted),
        ON_BOOKS(an_unpriced_request_has_no_price_and_is_counted),
        ON_BOOKS(a_total_without_kinds_is_charged_by_the_request),
        ON_BOOKS(an_hour_with_two_providers_is_idle_once),
        cmocka_unit_test(the_page_lists_every_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
