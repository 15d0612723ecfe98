/* What a person reads in a report, from a ledger of a few known requests. */
#include <yyjson.h>

#include "books.h"
#include "money/report/report.h"

#define BEFORE_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */
#define NOW_US (BEFORE_US + DAY_US)                  /* the report's day begins */

static const char *
some_risk(struct slice lever)
{
    return slice_is(lever, "alternatives") ? "none to answers" : "unknown";
}

static struct row
request(int64_t wall_us, const char *key, const char *route, const char *model, usd cost)
{
    struct row row;

    row_init(&row);
    row.arrived_wall_us = wall_us;
    row.key_name = slice_of(key);
    row.route = slice_of(route);
    row.model_served = slice_of(model);
    row.backend = SLICE_LITERAL("here");
    row.source = SLICE_LITERAL("reference");
    row.state = SLICE_LITERAL("ok");
    row.exactness = SLICE_LITERAL("exact");
    row.cost = row.baseline = cost;
    return row;
}

static void
book_the_day_before(struct books *books)
{
    struct row web = request(BEFORE_US, "web", "assistant", "large", USD_ONE);
    struct row batch = request(BEFORE_US, "batch", "search", "small", 2 * USD_ONE);

    books_settle(books, &web);
    books_settle(books, &batch);
}

static void
book_the_day(struct books *books)
{
    struct row cheaper = request(NOW_US, "web", "assistant", "large", 4 * USD_ONE);
    struct row estimated = request(NOW_US, "web", "assistant", "large", 10 * USD_ONE);
    struct row unpriced = request(NOW_US, "batch", "search", "new-1", USD_UNKNOWN);

    cheaper.source = SLICE_LITERAL("model");
    cheaper.baseline = 10 * USD_ONE;
    cheaper.savings[0] = (struct saving_line){SLICE_LITERAL("alternatives"), false, 6 * USD_ONE};
    cheaper.savings[1] = (struct saving_line){SLICE_LITERAL("router"), true, USD_ONE};
    cheaper.saving_count = 2;
    cheaper.total_us = 1000000;
    cheaper.useful_ppm = 1000000;
    cheaper.worth = estimated.worth = 20 * USD_ONE;
    cheaper.tags = SLICE_LITERAL("customer=42,feature=chat");
    books_settle(books, &cheaper);
    estimated.exactness = SLICE_LITERAL("estimated");
    estimated.total_us = 3000000;
    estimated.useful_ppm = 0;
    estimated.tags = SLICE_LITERAL("feature=search");
    books_settle(books, &estimated);
    unpriced.exactness = SLICE_LITERAL("unpriced");
    books_settle(books, &unpriced);
}

static int
set_up_days(void **state)
{
    books_open(state);
    book_the_day_before(*state);
    book_the_day(*state);
    return 0;
}

static void
collect_by(struct books *books, enum report_by by, const char *tag, struct report *out)
{
    struct report_options options = {.since = NOW_US,
                                     .until = NOW_US + DAY_US,
                                     .now = NOW_US + DAY_US,
                                     .by = {by},
                                     .by_count = 1,
                                     .tag = slice_of(tag),
                                     .risk = some_risk};

    assert_int_equal(ledger_commit(books->ledger), OK);
    assert_int_equal(report_collect(&books->store, 1, &options, out), OK);
}

/* The report for people, runs of spaces as one. */
static void
write_squeezed(const struct report *report, struct buffer *out)
{
    struct buffer text = {0};

    report_write_text(report, false, &text);
    for (size_t i = text.start; i < text.end; i++)
        if (text.data[i] != ' ' || i == text.start || text.data[i - 1] != ' ')
            buffer_add_byte(out, text.data[i]);
    buffer_free(&text);
}

static void
assert_says(const struct buffer *text, const char *words)
{
    if (slice_find(buffer_content(text), slice_of(words)) == buffer_len(text))
        fail_msg("'%s' is not said in:\n%.*s", words,
                 SLICE_ARGS(slice_from(buffer_content(text), buffer_len(text) > 900 ? buffer_len(text) - 900 : 0)));
}

static void
assert_says_not(const struct buffer *text, const char *words)
{
    if (slice_find(buffer_content(text), slice_of(words)) != buffer_len(text))
        fail_msg("'%s' is said in:\n%.*s", words, SLICE_ARGS(buffer_content(text)));
}

/* A forecast stands beside the month's budget of everything, where there is one. */
static void
the_month_is_held_against_its_budget(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect_by(*state, REPORT_BY_KEY, "", &report);
    report.all.rows = 1;
    report.month = (struct interval){.known = true, .low = 800, .middle = 900, .high = 1000};
    write_squeezed(&report, &text);
    assert_says_not(&text, "of a budget");
    buffer_clear(&text);
    report.options.month_budget = 950 * USD_ONE;
    write_squeezed(&report, &text);
    assert_says(&text, "month's end $900.00");
    assert_says(&text, ", of a budget of $950.00 a month\n");
    buffer_free(&text);
    report_free(&report);
}

/* What providers kept stands beside the savings: what is no lever's doing is none of them. */
static void
what_providers_kept_is_told(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect_by(*state, REPORT_BY_KEY, "", &report);
    write_squeezed(&report, &text);
    assert_says_not(&text, "provider prompt caches");
    buffer_clear(&text);
    report.all.input_tokens = 4000;
    report.all.cache_read_tokens = 1000;
    report.all.cache_discount = 5 * USD_ONE;
    report.all.cache_surcharge = 2 * USD_ONE;
    write_squeezed(&report, &text);
    assert_says(&text, "provider prompt caches $3.00: reads saved $5.00, writes cost $2.00 more; 25.0% of all input");
    buffer_free(&text);
    report_free(&report);
}

static void
a_day_is_told(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect_by(*state, REPORT_BY_KEY, "", &report);
    write_squeezed(&report, &text);
    assert_says(&text, "requests 3, 3 answered in full");
    assert_says(&text, "cost $14.00");
    assert_says(&text, "booked savings $6.00, 30.0% of the baseline");
    assert_says(&text, "of the cost 28.6% exact, 71.4% estimated");
    assert_says(&text, "margin $6.00 on the 2 requests whose value is known");
    assert_says(&text, "1 of 3 requests have no known cost");
    assert_says(&text, "1 of model new-1 on backend here");
    assert_says(&text, "alternatives on $6.00 33.3% -1.9");
    assert_says(&text, "router shadow $1.00 33.3% none");
    assert_says(&text, "key web $1.00 to $14.00 +$13.00");
    assert_says(&text, "key batch $2.00 to $0");
    buffer_free(&text);
    report_free(&report);
}

static void
levers_stand_against_the_reference(void **state)
{
    struct report report;

    collect_by(*state, REPORT_BY_KEY, "", &report);
    assert_int_equal(report.lever_count, 2);
    assert_true(slice_is(report.levers[0].lever, "alternatives") && !report.levers[0].shadow);
    assert_int_equal(report.levers[0].sums.rows, 1);
    assert_int_equal(report.levers[0].control.rows, 1);
    assert_int_equal(report.levers[0].sums.useful_ppm - report.levers[0].control.useful_ppm, 1000000);
    assert_true(histogram_quantile(&report.levers[0].sums.total_us, 0.95) < 1100000);
    assert_true(histogram_quantile(&report.levers[0].control.total_us, 0.95) > 2700000);
    assert_true(slice_is(report.levers[1].lever, "router") && report.levers[1].shadow);
    report_free(&report);
}

static void
movers_are_the_furthest_first(void **state)
{
    struct report report;
    wide_int moved[REPORT_BYS] = {0};

    collect_by(*state, REPORT_BY_KEY, "", &report);
    assert_int_equal(report.before.rows, 2);
    assert_int_equal(report.mover_count, 6);
    assert_true(slice_is(report.movers[0].label, "web") && report.movers[0].by == REPORT_BY_KEY);
    for (size_t i = 0; i < report.mover_count; i++)
        moved[report.movers[i].by] += report.movers[i].after - report.movers[i].before;
    assert_true(moved[REPORT_BY_KEY] == 11 * (wide_int)USD_ONE);
    assert_true(moved[REPORT_BY_ROUTE] == moved[REPORT_BY_KEY] && moved[REPORT_BY_MODEL] == moved[REPORT_BY_KEY]);
    report_free(&report);
}

static void
without_a_time_before_nothing_moved(void **state)
{
    struct report report;
    struct buffer text = {0};

    book_the_day(*state);
    collect_by(*state, REPORT_BY_KEY, "", &report);
    write_squeezed(&report, &text);
    assert_int_equal(report.mover_count, 0);
    assert_says_not(&text, "movers");
    buffer_free(&text);
    report_free(&report);
}

static void
one_tag_is_told_by_its_values(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect_by(*state, REPORT_BY_TAG, "feature", &report);
    write_squeezed(&report, &text);
    assert_int_equal(report.line_count, 2);
    assert_true(slice_is(report.lines[0].label[0], "search") && report.lines[0].sums.cost == 10 * USD_ONE);
    assert_true(slice_is(report.lines[1].label[0], "chat") && report.lines[1].sums.cost == 4 * USD_ONE);
    assert_says(&text, "1 requests for $0.00 carry no tag feature");
    buffer_free(&text);
    report_free(&report);
}

static void
all_tags_do_not_add_up_and_say_so(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect_by(*state, REPORT_BY_TAG, NULL, &report);
    write_squeezed(&report, &text);
    assert_int_equal(report.line_count, 3);
    assert_says(&text, "customer=42");
    assert_says(&text, "lines do not add up");
    buffer_free(&text);
    report_free(&report);
}

static void
one_request_makes_a_report(void **state)
{
    struct row row = request(NOW_US, "web", NULL, "large", 1250000);
    struct report report;
    struct buffer text = {0};

    books_settle(*state, &row);
    collect_by(*state, REPORT_BY_ROUTE, NULL, &report);
    write_squeezed(&report, &text);
    assert_says(&text, "requests 1, 1 answered in full");
    assert_says(&text, "cost $0.00000125");
    assert_says(&text, "cost per useful output unknown");
    assert_says_not(&text, "UNPRICED");
    assert_says_not(&text, "margin");
    assert_says_not(&text, "nan");
    buffer_free(&text);
    report_free(&report);
}

static void
csv_is_quoted_where_it_must_be(void **state)
{
    struct row row = request(NOW_US, "web, \"east\"\n", "assistant", "large", USD_ONE);
    struct report report;
    struct buffer csv = {0};
    struct slice rest;

    books_settle(*state, &row);
    collect_by(*state, REPORT_BY_KEY, "", &report);
    report_write_csv(&report, &csv);
    rest = buffer_content(&csv);
    assert_true(slice_is(slice_first(slice_split(&rest, '\r'), 13), "key,rows,ok,r"));
    assert_true(slice_is(slice_first(rest, 21), "\n\"web, \"\"east\"\"\n\",1,1"));
    assert_true(slice_is(slice_from(rest, rest.len - 2), "\r\n"));
    buffer_clear(&csv);
    csv_add(&csv, SLICE_LITERAL("plain text"));
    assert_true(slice_is(buffer_content(&csv), "plain text"));
    buffer_free(&csv);
    report_free(&report);
}

/* Header and lines have as many fields; without `by` there is one line for all. */
static void
csv_lines_are_as_long_as_the_header(void **state)
{
    struct report report;
    struct buffer csv = {0};
    struct slice rest;
    size_t fields = 0, lines = 0;

    collect_by(*state, REPORT_BY_KEY, "", &report);
    report.options.by_count = report.line_count = 0;
    report_write_csv(&report, &csv);
    for (rest = buffer_content(&csv); rest.len > 0; lines++) {
        struct slice line = slice_split(&rest, '\n');
        size_t commas = 0;

        for (size_t i = 0; i < line.len; i++)
            commas += line.data[i] == ',';
        assert_true(lines == 0 || commas == fields);
        fields = commas;
    }
    assert_int_equal(lines, 2);
    buffer_free(&csv);
    report_free(&report);
}

static void
json_names_movers_and_unpriced(void **state)
{
    struct report report;
    struct buffer text = {0};
    yyjson_doc *doc;
    yyjson_val *root;

    collect_by(*state, REPORT_BY_KEY, "", &report);
    report_write_json(&report, &text);
    doc = yyjson_read(text.data + text.start, buffer_len(&text), 0);
    assert_non_null(doc);
    root = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/movers/0/name")), "web");
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/movers/0/after_usd")), "14");
    assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/unpriced_models/0/model")), "new-1");
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/unpriced_models/0/requests")), 1);
    yyjson_doc_free(doc);
    buffer_free(&text);
    report_free(&report);
}

static void
worth_counts_as_far_as_it_was_useful(void **state)
{
    struct row row = request(NOW_US, "web", "assistant", "large", USD_ONE);

    (void)state;
    assert_false(usd_known(row_value(&row)));
    row.worth = 10 * USD_ONE;
    assert_false(usd_known(row_value(&row)));
    row.useful_ppm = 250000;
    assert_int_equal(row_value(&row), 2 * USD_ONE + USD_ONE / 2);
    row.useful_ppm = 0;
    assert_int_equal(row_value(&row), 0);
    row.value = 3 * USD_ONE;
    assert_int_equal(row_value(&row), 3 * USD_ONE);
}

int
main(void)
{
#define ON_DAYS(test) cmocka_unit_test_setup_teardown(test, set_up_days, books_close)
#define ON_NOTHING(test) cmocka_unit_test_setup_teardown(test, books_open, books_close)
    const struct CMUnitTest tests[] = {
        ON_DAYS(the_month_is_held_against_its_budget),
        ON_DAYS(a_day_is_told),
        ON_DAYS(what_providers_kept_is_told),
        ON_DAYS(levers_stand_against_the_reference),
        ON_DAYS(movers_are_the_furthest_first),
        ON_NOTHING(without_a_time_before_nothing_moved),
        ON_DAYS(one_tag_is_told_by_its_values),
        ON_DAYS(all_tags_do_not_add_up_and_say_so),
        ON_NOTHING(one_request_makes_a_report),
        ON_NOTHING(csv_is_quoted_where_it_must_be),
        ON_DAYS(csv_lines_are_as_long_as_the_header),
        ON_DAYS(json_names_movers_and_unpriced),
        cmocka_unit_test(worth_counts_as_far_as_it_was_useful),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
