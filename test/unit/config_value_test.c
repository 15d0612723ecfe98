/* Every type of value: what it takes, to the last digit, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/value.h"

struct number_case {
    const char *text;
    enum status status;
    int64_t value;
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Runs the cases against a reader of numbers, given as `read` into an int64_t. */
static void
run_cases(const struct number_case *cases, size_t count, enum status (*read)(struct slice, int64_t *))
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = -77;
        enum status status = read(slice_of(cases[i].text), &value);

        if (status != cases[i].status || (status == OK && value != cases[i].value))
            fail_msg("\"%s\" gives %s, %lld", cases[i].text, status_text(status), (long long)value);
        if (status != OK)
            assert_int_equal(value, -77);
    }
}

static enum status
read_integer(struct slice text, int64_t *out)
{
    int value;
    enum status status = value_integer(text, &value);

    if (status == OK)
        *out = value;
    return status;
}

static void
integers(void **state)
{
    static const struct number_case cases[] = {
        {"0", OK, 0},
        {"17", OK, 17},
        {"-3", OK, -3},
        {"2147483647", OK, INT32_MAX},
        {"-2147483647", OK, -INT32_MAX},
        {"2147483648", ERR_LIMIT, 0},
        {"", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {"--1", ERR_INVALID, 0},
        {"+1", ERR_INVALID, 0},
        {"1.0", ERR_INVALID, 0},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), read_integer);
}

static enum status
read_duration(struct slice text, int64_t *out)
{
    return value_duration(text, out);
}

static void
durations(void **state)
{
    static const struct number_case cases[] = {
        {"800ms", OK, 800000},
        {"2h", OK, 7200000000},
        {"0", OK, 0},
        {"1.5s", OK, 1500000},
        {"1h30m", OK, 5400000000},
        {"90d", OK, 7776000000000},
        {"250us", OK, 250},
        {"0.000001s", OK, 1},
        {"", ERR_INVALID, 0},
        {"800", ERR_INVALID, 0},
        {"ms", ERR_INVALID, 0},
        {"-1s", ERR_INVALID, 0},
        {"1 s", ERR_INVALID, 0},
        {"1sec", ERR_INVALID, 0},
        {"1.s", ERR_INVALID, 0},
        {"1.5us", ERR_INVALID, 0},
        {"1S", ERR_INVALID, 0},
        {"1h0", ERR_INVALID, 0},
        {"1e3s", ERR_INVALID, 0},
        {"99999999999999d", ERR_LIMIT, 0},
        {"99999999999999999999s", ERR_LIMIT, 0},
        {"0.0000001s", ERR_INVALID, 0},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), read_duration);
}

static enum status
read_size(struct slice text, int64_t *out)
{
    size_t size;
    enum status status = value_size(text, &size);

    if (status == OK)
        *out = (int64_t)size;
    return status;
}

static void
sizes(void **state)
{
    static const struct number_case cases[] = {
        {"64MiB", OK, 67108864},   {"32KiB", OK, 32768},
        {"10kB", OK, 10000},       {"1GiB", OK, 1073741824},
        {"512B", OK, 512},         {"0", OK, 0},
        {"1.5KiB", OK, 1536},      {"64", ERR_INVALID, 0},
        {"64Mib", ERR_INVALID, 0}, {"1KiB1B", ERR_INVALID, 0},
        {"MiB", ERR_INVALID, 0},   {"0.3B", ERR_INVALID, 0},
        {"-1B", ERR_INVALID, 0},   {"99999999999GiB", ERR_LIMIT, 0},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), read_size);
}

static enum status
read_share(struct slice text, int64_t *out)
{
    unsigned ppm;
    enum status status = value_share(text, &ppm);

    if (status == OK)
        *out = ppm;
    return status;
}

static void
shares(void **state)
{
    static const struct number_case cases[] = {
        {"1%", OK, 10000},       {"100%", OK, 1000000},   {"0%", OK, 0},
        {"99.5%", OK, 995000},   {"0.0001%", OK, 1},      {"100.0001%", ERR_LIMIT, 0},
        {"101%", ERR_LIMIT, 0},  {"5", ERR_INVALID, 0},   {"0.00001%", ERR_INVALID, 0},
        {"%", ERR_INVALID, 0},   {"-5%", ERR_INVALID, 0}, {"5 %", ERR_INVALID, 0},
        {"5%%", ERR_INVALID, 0},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), read_share);
}

static enum status
read_money(struct slice text, int64_t *out)
{
    return value_money(text, out);
}

static void
money(void **state)
{
    static const struct number_case cases[] = {
        {"$50", OK, 50 * USD_ONE},
        {"$2.50", OK, 2500000000000},
        {"$0.000000000001", OK, 1},
        {"50", ERR_INVALID, 0},
        {"$-1", ERR_INVALID, 0},
        {"$", ERR_INVALID, 0},
        {"$$5", ERR_INVALID, 0},
        {"$5 ", ERR_INVALID, 0},
        {"EUR 5", ERR_INVALID, 0},
        {"$99999999", ERR_LIMIT, 0},
        {"$0.0000000000001", ERR_LIMIT, 0},
    };

    (void)state;
    run_cases(cases, COUNT_OF(cases), read_money);
}

static void
bools(void **state)
{
    static const char *const yes[] = {"yes", "true", "on", "Yes", "TRUE"}, *const no[] = {"no", "false", "off", "NO"};
    bool value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        value = false;
        assert_int_equal(value_bool(slice_of(yes[i]), &value), OK);
        assert_true(value);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        value = true;
        assert_int_equal(value_bool(slice_of(no[i]), &value), OK);
        assert_false(value);
    }
    assert_int_equal(value_bool(slice_of("y"), &value), ERR_INVALID);
    assert_int_equal(value_bool(slice_of("1"), &value), ERR_INVALID);
    assert_int_equal(value_bool(slice_of(""), &value), ERR_INVALID);
}

static void
addresses(void **state)
{
    static const struct {
        const char *text, *host; /* host NULL: refused */
        unsigned port;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080, true},
        {"[::1]:8080", "::1", 8080, true},
        {":8080", "", 8080, false},
        {"localhost:80", "127.0.0.1", 80, true},
        {"0.0.0.0:1", "0.0.0.0", 1, false},
        {"10.0.0.1:65535", "10.0.0.1", 65535, false},
        {"[2001:db8::1]:443", "2001:db8::1", 443, false},
        {"8080", NULL, 0, false},
        {"127.0.0.1", NULL, 0, false},
        {"127.0.0.1:0", NULL, 0, false},
        {"127.0.0.1:65536", NULL, 0, false},
        {"::1:8080", NULL, 0, false},
        {"[::1]", NULL, 0, false},
        {"[127.0.0.1]:80", NULL, 0, false},
        {"example.com:80", NULL, 0, false},
        {"[]:80", NULL, 0, false},
        {"127.0.0.1:80x", NULL, 0, false},
        {"[::1]80", NULL, 0, false},
        {"", NULL, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct value_address address;
        enum status status = value_address(slice_of(cases[i].text), &address);

        if ((status == OK) != (cases[i].host != NULL))
            fail_msg("%s: %s", cases[i].text, status_text(status));
        if (status != OK)
            continue;
        assert_true(slice_is(address.host, cases[i].host));
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address.loopback, cases[i].loopback);
    }
}

struct url_case {
    const char *text, *host;
    unsigned port;
    bool tls;
    const char *authority, *path, *query;
};

static void
urls(void **state)
{
    static const struct url_case cases[] = {
        {"https://api.openai.com", "api.openai.com", 443, true, "api.openai.com", "", NULL},
        {"https://api.openai.com/v1/", "api.openai.com", 443, true, "api.openai.com", "/v1", NULL},
        {"http://10.0.0.11:8000", "10.0.0.11", 8000, false, "10.0.0.11:8000", "", NULL},
        {"https://a.example:443/x?", "a.example", 443, true, "a.example", "/x", NULL},
        {"https://[2001:db8::1]:8443/", "2001:db8::1", 8443, true, "[2001:db8::1]:8443", "", NULL},
        {"http://[::1]", "::1", 80, false, "[::1]", "", NULL},
        {"https://x.example/openai?api-version=2025-01-01", "x.example", 443, true, "x.example", "/openai",
         "api-version=2025-01-01"},
        {"http://gpus?a=b", "gpus", 80, false, "gpus", "", "a=b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct value_url url;
        const char *why = NULL;

        if (value_url(slice_of(cases[i].text), &url, &why) != OK)
            fail_msg("%s: %s", cases[i].text, why);
        assert_true(slice_is(url.host, cases[i].host));
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
        assert_true(slice_is(url.authority, cases[i].authority));
        assert_true(slice_is(url.path, cases[i].path));
        assert_int_equal(url.query.data == NULL, cases[i].query == NULL);
        if (cases[i].query != NULL)
            assert_true(slice_is(url.query, cases[i].query));
    }
}

static void
urls_that_are_none(void **state)
{
    static const char *const bad[] = {
        "",
        "api.openai.com",
        "ftp://x",
        "https://",
        "https:///path",
        "https://user:pw@x",
        "https://x:0",
        "https://x:",
        "https://x:99999",
        "https://x y",
        "https://x/a b",
        "https://x/#top",
        "https://x/../y",
        "https://x/a/./b",
        "https://[::1",
        "https://[1.2.3.4]",
        "https://1.2.3",
        "https://300.1.1.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.1",
        "http://127.1",
        "http://127.0.0.1.",
        "http://0177.0.0.1",
        "http://x.0XA",
        "https://a..b",
        "https://-x",
        "https://x/\r\nHost:y",
        "HTTPS://x\x7f",
        "https://x/\"",
        "https://x?q=\x01",
        "https://\xc3\xa9.example",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct value_url url;
        const char *why = NULL;

        if (value_url(slice_of(bad[i]), &url, &why) != ERR_INVALID || why == NULL)
            fail_msg("%s is taken", bad[i]);
    }
}

static void
names(void **state)
{
    (void)state;
    assert_true(value_is_name(slice_of("gpus-1_a.b")));
    assert_false(value_is_name(slice_of("")));
    assert_false(value_is_name(slice_of("a/b")));
    assert_false(value_is_name(slice_of("a b")));
    assert_false(value_is_name(slice_make("a\0b", 3)));
    assert_false(value_is_name(slice_of("0123456789012345678901234567890123456789012345678901234567890123456789")));
    assert_true(value_is_model(slice_of("meta-llama/Llama 3")));
    assert_false(value_is_model(slice_of(" a")));
    assert_false(value_is_model(slice_of("a\nb")));
    assert_false(value_is_model(slice_of("a\xc2\x9b\x62")));
    assert_false(value_is_model(slice_of("a\xe2\x80\xae\x62")));
    assert_true(value_is_model(slice_of("mod\xc3\xa8le")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),  cmocka_unit_test(durations), cmocka_unit_test(sizes),
        cmocka_unit_test(shares),    cmocka_unit_test(money),     cmocka_unit_test(bools),
        cmocka_unit_test(addresses), cmocka_unit_test(urls),      cmocka_unit_test(urls_that_are_none),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
