/* Pages of metrics: what is taken, and what makes a page none. */
#include "fleet/health/metrics_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "cmocka_ready.h"

/* The last sample of a page that is good; how many there are. */
static unsigned
read_all(const char *text, struct metrics_sample *last)
{
    struct metrics_page page;
    struct metrics_sample sample;
    unsigned count = 0;
    enum status status;

    metrics_page_init(&page, slice_of(text));
    while ((status = metrics_page_next(&page, &sample)) == OK) {
        count++;
        *last = sample;
    }
    if (status != ERR_NOT_FOUND)
        fail_msg("line %u of \"%s\": %s", page.line, text, page.why);
    return count;
}

static void
assert_value(const char *text, double value)
{
    struct metrics_sample sample;

    assert_int_equal(read_all(text, &sample), 1);
    assert_true(sample.value == value);
}

static void
assert_bad(const char *text, unsigned line, const char *why)
{
    struct metrics_page page;
    struct metrics_sample sample;
    enum status status;

    metrics_page_init(&page, slice_of(text));
    while ((status = metrics_page_next(&page, &sample)) == OK)
        continue;
    if (status == ERR_NOT_FOUND)
        fail_msg("\"%s\" was taken for a page", text);
    assert_int_equal(page.line, line);
    if (strstr(page.why, why) == NULL)
        fail_msg("\"%s\": said %s", text, page.why);
    assert_int_not_equal(metrics_page_next(&page, &sample), OK);
}

static void
samples_have_names_labels_and_values(void **state)
{
    struct metrics_sample sample;

    (void)state;
    assert_int_equal(read_all("# HELP a:b Words with { and \"\n# TYPE a:b gauge\n\n"
                              "a:b{ model_name = \"x/y\" , engine=\"0\", } 3 1700000000000\n",
                              &sample),
                     1);
    assert_true(slice_is(sample.name, "a:b"));
    assert_int_equal(sample.label_count, 2);
    assert_true(slice_is(metrics_label_of(&sample, "model_name"), "x/y"));
    assert_true(slice_is(metrics_label_of(&sample, "engine"), "0"));
    assert_null(metrics_label_of(&sample, "model").data);
    assert_true(sample.value == 3);
    assert_int_equal(read_all("a{b=\"\\\"\\\\\\n}\"} 1\n", &sample), 1);
    assert_true(slice_is(sample.labels[0].value, "\\\"\\\\\\n}"));
    assert_int_equal(read_all("", &sample), 0);
    assert_int_equal(read_all("a{} 1\n\tb\t2\n", &sample), 2);
}

static void
numbers_are_decimal(void **state)
{
    struct metrics_sample sample;

    (void)state;
    assert_value("a 0\n", 0);
    assert_value("a 8.128902e+06\n", 8128902);
    assert_value("a +1.5E-1\n", 0.15);
    assert_value("a -.5\n", -0.5);
    assert_value("a 5.\n", 5);
    assert_value("a +Inf\n", (double)INFINITY);
    assert_value("a -Inf\n", -(double)INFINITY);
    assert_int_equal(read_all("a NaN\n", &sample), 1);
    assert_true(isnan(sample.value));
    assert_bad("a 0x10\n", 1, "number");
    assert_bad("a 1,5\n", 1, "number");
    assert_bad("a 1e\n", 1, "number");
    assert_bad("a .\n", 1, "number");
    assert_bad("a --1\n", 1, "number");
    assert_bad("a nan(1)\n", 1, "number");
    assert_bad("a \n", 1, "number");
    assert_bad("a 00000000000000000000000000000000000000000000000000000000000000000001\n", 1, "number");
}

static void
open_metrics_is_read_too(void **state)
{
    struct metrics_sample sample;

    (void)state;
    assert_int_equal(
        read_all("# TYPE a counter\na_total{le=\"1\"} 5 1700000000.123 # {trace_id=\"x\"} 0.67 1700000000.1\n"
                 "a_total 6 # {} 1\n# EOF\n",
                 &sample),
        2);
    assert_true(sample.value == 6);
    assert_int_equal(read_all("a 1\n# EOF", &sample), 1);
    assert_bad("a 1\n# EOF\nb 2\n", 3, "behind # EOF");
    assert_bad("a 1 # x\n", 1, "exemplar's labels");
    assert_bad("a 1 # {} \n", 1, "exemplar's value");
    assert_bad("a 1 # {} 1 2 3\n", 1, "end of the line");
}

/* Half a page must not be believed: 17 cut after its first digit is a 1. */
static void
what_is_cut_or_broken_is_no_page(void **state)
{
    (void)state;
    assert_bad("a 1\nb 17", 2, "cut off");
    assert_bad("a 1\r\n", 1, "number");
    assert_bad("a 1\n<html>\n", 2, "name");
    assert_bad("9a 1\n", 1, "name");
    assert_bad("a\n", 1, "blank or {");
    assert_bad("a{b=\"c\" 1\n", 1, "comma or }");
    assert_bad("a{b=\"c\"\n", 1, "comma or }");
    assert_bad("a{b=c} 1\n", 1, "in quotes");
    assert_bad("a{b=\"c} 1\n", 1, "in quotes");
    assert_bad("a{b=\"\\x\"} 1\n", 1, "in quotes");
    assert_bad("a{b:c=\"\"} 1\n", 1, "=");
    assert_bad("a{=\"\"} 1\n", 1, "label's name");
    assert_bad("a{,} 1\n", 1, "label's name");
    assert_bad("a-b 1\n", 1, "blank or {");
    assert_bad("a 1 x\n", 1, "time");
    assert_bad("a 1 2 3\n", 1, "end of the line");
}

static void
there_are_limits(void **state)
{
    struct metrics_page page;
    struct metrics_sample sample;
    struct buffer text = {0};

    (void)state;
    buffer_add_text(&text, "a{");
    for (unsigned i = 0; i <= METRICS_LABELS_MOST; i++)
        buffer_printf(&text, "l%u=\"\",", i);
    buffer_add_text(&text, "} 1\n");
    metrics_page_init(&page, buffer_content(&text));
    assert_int_equal(metrics_page_next(&page, &sample), ERR_LIMIT);
    buffer_clear(&text);
    for (size_t i = 0; i <= METRICS_LINE_BYTES_MOST; i++)
        buffer_add_byte(&text, '#');
    buffer_add_byte(&text, '\n');
    metrics_page_init(&page, buffer_content(&text));
    assert_int_equal(metrics_page_next(&page, &sample), ERR_LIMIT);
    buffer_clear(&text);
    for (size_t i = 0; i <= METRICS_PAGE_BYTES_MOST; i++)
        buffer_add_byte(&text, '\n');
    metrics_page_init(&page, buffer_content(&text));
    assert_int_equal(metrics_page_next(&page, &sample), ERR_LIMIT);
    assert_non_null(page.why);
    buffer_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_have_names_labels_and_values),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(open_metrics_is_read_too),
        cmocka_unit_test(what_is_cut_or_broken_is_no_page),
        cmocka_unit_test(there_are_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
