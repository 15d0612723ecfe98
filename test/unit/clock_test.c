/* Dates of four hundred years, and what is taken for one. */
#include "base/clock.h"

#include "cmocka_ready.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const usec USEC_PER_DAY = 86400 * USEC_PER_S;

static bool
is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The day after, by the plain rules. */
static void
next_day(struct clock_date *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    date->weekday = (date->weekday + 1) % 7;
    if (++date->day <= days[date->month - 1] + (date->month == 2 && is_leap(date->year)))
        return;
    date->day = 1;
    if (++date->month <= 12)
        return;
    date->month = 1;
    date->year++;
}

/* 1 January 1800 was a Wednesday. */
static void
every_day_of_four_hundred_years(void **state)
{
    struct clock_date date = {.year = 1800, .month = 1, .day = 1, .weekday = 3};
    usec at = -INT64_C(5364662400) * USEC_PER_S;

    (void)state;
    for (; date.year < 2200; next_day(&date), at += USEC_PER_DAY) {
        struct clock_date first = clock_date_of(at), last = clock_date_of(at + USEC_PER_DAY - 1);

        assert_int_equal(clock_of_date(date), at);
        assert_true(first.year == date.year && first.month == date.month && first.day == date.day);
        assert_int_equal(first.weekday, date.weekday);
        assert_true(first.hour == 0 && first.minute == 0 && first.second == 0);
        assert_true(last.day == date.day && last.hour == 23 && last.minute == 59 && last.second == 59);
    }
    assert_int_equal(at, INT64_C(7258118400) * USEC_PER_S);
}

static void
fields_out_of_range_carry_over(void **state)
{
    struct clock_date wanted = {.year = 2025, .month = 12, .day = 31, .hour = 23};

    (void)state;
    assert_int_equal(clock_of_date((struct clock_date){.year = 2026, .month = 0, .day = 31, .hour = 23}),
                     clock_of_date(wanted));
    assert_int_equal(clock_of_date((struct clock_date){.year = 2026, .month = 1, .day = 0, .hour = 23}),
                     clock_of_date(wanted));
    assert_int_equal(clock_of_date((struct clock_date){.year = 2024, .month = 24, .day = 31, .hour = 23}),
                     clock_of_date(wanted));
    assert_int_equal(clock_of_date((struct clock_date){.year = 2026, .month = 1, .day = 1, .hour = -1}),
                     clock_of_date(wanted));
    assert_int_equal(clock_of_date((struct clock_date){.year = 2027, .month = -12, .day = 31, .minute = 23 * 60}),
                     clock_of_date(wanted));
}

static void
texts_round_trip(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    usec back;

    (void)state;
    for (usec at = -INT64_C(5364662400) * USEC_PER_S; at < INT64_C(7258118400) * USEC_PER_S;
         at += 37 * USEC_PER_DAY + 12345 * USEC_PER_S) {
        clock_format_utc(at, text);
        assert_int_equal(clock_parse_utc(slice_of(text), &back), OK);
        assert_int_equal(back, at);
    }
    clock_format_utc(1, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    clock_format_utc(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
}

static void
dates_that_are_taken(void **state)
{
    static const struct {
        const char *text;
        usec us;
    } cases[] = {
        {"1970-01-01", 0},
        {"1970-01-02", INT64_C(86400000000)},
        {"1970-01-01T00:00:01Z", 1000000},
        {"1970-01-01t00:00:01z", 1000000},
        {"1970-01-01 00:00:01", 1000000},
        {"1970-01-01T00:01", 60000000},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00.0000019Z", 1},
        {"1970-01-01T00:00:00.123456789Z", 123456},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1970-01-01T01:00:00.25+0100", 250000},
        {"1969-12-31T22:30:00-01:30", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"2024-02-29", INT64_C(1709164800000000)},
        {"2000-02-29", INT64_C(951782400000000)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)}, /* a leap second is the next one */
        {"9999-12-31T23:59:59Z", INT64_C(253402300799000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        usec us = -1;

        assert_int_equal(clock_parse_utc(slice_of(cases[i].text), &us), OK);
        assert_int_equal(us, cases[i].us);
    }
}

static void
dates_that_are_not(void **state)
{
    static const struct slice cases[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("1970"),
        SLICE_LITERAL("1970-01"),
        SLICE_LITERAL("70-01-01"),
        SLICE_LITERAL("1970-1-1"),
        SLICE_LITERAL("1970/01/01"),
        SLICE_LITERAL("1970-00-01"),
        SLICE_LITERAL("1970-13-01"),
        SLICE_LITERAL("1970-01-00"),
        SLICE_LITERAL("1970-01-32"),
        SLICE_LITERAL("1970-04-31"),
        SLICE_LITERAL("2023-02-29"),
        SLICE_LITERAL("1900-02-29"),
        SLICE_LITERAL("2100-02-29"),
        SLICE_LITERAL("1970-01-01 "),
        SLICE_LITERAL("1970-01-01T"),
        SLICE_LITERAL("1970-01-01T00"),
        SLICE_LITERAL("1970-01-01T24:00:00Z"),
        SLICE_LITERAL("1970-01-01T00:60:00Z"),
        SLICE_LITERAL("1970-01-01T00:00:61Z"),
        SLICE_LITERAL("1970-01-01T:00:00Z"),
        SLICE_LITERAL("1970-01-01T00:00:Z"),
        SLICE_LITERAL("1970-01-01T00:00:00."),
        SLICE_LITERAL("1970-01-01T00:00:00.Z"),
        SLICE_LITERAL("1970-01-01T00:00:00Z "),
        SLICE_LITERAL("1970-01-01T00:00:00ZZ"),
        SLICE_LITERAL("1970-01-01T00:00:00+1"),
        SLICE_LITERAL("1970-01-01T00:00:00+24:00"),
        SLICE_LITERAL("1970-01-01T00:00:00+01:60"),
        SLICE_LITERAL("1970-01-01T00:00:00 UTC"),
        SLICE_LITERAL("-1970-01-01"),
        SLICE_LITERAL("1970\0"
                      "01\0"
                      "01"), /* a zero byte is no separator */
        SLICE_LITERAL("1970-01-01\0"
                      "00:00:00Z"),
        SLICE_LITERAL("1970-01-01T00\0"
                      "00\0"
                      "00\0"
                      "01:00"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        usec us = 7;

        assert_int_equal(clock_parse_utc(cases[i], &us), ERR_INVALID);
        assert_int_equal(us, 7);
    }
}

static void
dates_of_http(void **state)
{
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const none[] = {"",
                                       "7",
                                       "Sun, 06 Nov 1994",
                                       "Sun, 06 Nov 1994 08:49:37",
                                       "Sun, 06 Nov 1994 08:49:37 CET",
                                       "Sun, 31 Feb 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 24:49:37 GMT",
                                       "Sun, 06 Now 1994 08:49:37 GMT",
                                       "Sun, 00 Nov 1994 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994 GMT",
                                       "1994-11-06T08:49:37Z"};
    usec at;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(clock_parse_http(slice_of(same[i]), &at), OK);
        assert_int_equal(at, INT64_C(784111777) * USEC_PER_S);
    }
    assert_int_equal(clock_parse_http(SLICE_LITERAL("Sat, 29-Feb-20 00:00:00 GMT"), &at), OK);
    assert_int_equal(at, INT64_C(1582934400) * USEC_PER_S);
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_int_equal(clock_parse_http(slice_of(none[i]), &at), ERR_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_of_http),
        cmocka_unit_test(every_day_of_four_hundred_years),
        cmocka_unit_test(fields_out_of_range_carry_over),
        cmocka_unit_test(texts_round_trip),
        cmocka_unit_test(dates_that_are_taken),
        cmocka_unit_test(dates_that_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
