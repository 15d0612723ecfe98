/* Replicas in files and in the DNS. */
#include "config/found.h"

#include "base/buffer.h"
#include "cmocka_ready.h"
#include "config/config.h"

static struct arena arena;

static struct found
parse(const char *text)
{
    struct found found;
    const char *why = NULL;

    if (found_parse(slice_of(text), &arena, &found, &why) != OK)
        fail_msg("%s", why);
    return found;
}

static void
assert_refused(const char *text, const char *words)
{
    struct found found;
    const char *why = NULL;

    assert_int_not_equal(found_parse(slice_of(text), &arena, &found, &why), OK);
    if (strstr(why, words) == NULL)
        fail_msg("said: %s", why);
}

static void
lines_and_json_say_the_same(void **state)
{
    static const char *const texts[] = {"http://b:2\n# spare\nhttp://a:1 # here\r\n\nhttp://b:2",
                                        "[\"http://b:2\", \"http://a:1\"]",
                                        " {\"replicas\": [{\"url\": \"http://b:2\", \"zone\": 1}, \"http://a:1\"]}\n"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct found found = parse(texts[i]), first;

        assert_int_equal(found.count, 2);
        assert_string_equal(found.urls[0], "http://a:1");
        assert_string_equal(found.urls[1], "http://b:2");
        first = parse(texts[0]);
        assert_true(found_equal(&found, &first));
        first = parse("http://b:2\nhttp://a:2");
        assert_false(found_equal(&found, &first));
        first = parse("http://a:1");
        assert_false(found_equal(&found, &first));
    }
}

static void
nonsense_is_refused_with_words(void **state)
{
    struct buffer many = {0};

    (void)state;
    assert_refused("", "no replica");
    assert_refused("# nobody\n", "no replica");
    assert_refused("[]", "no replica");
    assert_refused("[\"http://a:1\",", "not JSON");
    assert_refused("{\"urls\": []}", "expected a list");
    assert_refused("[1]", "expected URLs");
    assert_refused("http://a:1\nftp://b\n", "ftp://b");
    for (unsigned i = 0; i <= FOUND_MOST; i++)
        buffer_printf(&many, "http://h%u:1\n", i);
    buffer_add_byte(&many, '\0');
    assert_refused(many.data, "1,024");
    buffer_free(&many);
}

static size_t
two_addresses(const struct config_name *name, struct arena *to, struct config_place *out, size_t most, const char **why)
{
    (void)to;
    (void)why;
    assert_string_equal(name->host, "engines.svc");
    assert_false(name->services);
    assert_int_equal(most, FOUND_MOST);
    out[0] = (struct config_place){"fd00::2", 0};
    out[1] = (struct config_place){"10.0.0.7", 0};
    return 2;
}

static size_t
no_address(const struct config_name *name, struct arena *to, struct config_place *out, size_t most, const char **why)
{
    (void)name;
    (void)to;
    (void)out;
    (void)most;
    *why = "nobody knows it";
    return 0;
}

static void
every_address_is_a_replica(void **state)
{
    struct discover_config discover = {.dns_host = "engines.svc", .dns_port = 8000};
    struct config_outside outside = {.resolve = two_addresses};
    struct found found;
    const char *why;

    (void)state;
    assert_int_equal(found_read(&discover, &outside, false, &arena, &found, &why), OK);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.urls[0], "http://10.0.0.7:8000");
    assert_string_equal(found.urls[1], "http://[fd00::2]:8000");
    outside.resolve = no_address;
    assert_int_equal(found_read(&discover, &outside, false, &arena, &found, &why), ERR_NOT_FOUND);
    assert_string_equal(why, "nobody knows it");
    outside.resolve = NULL;
    assert_int_equal(found_read(&discover, &outside, false, &arena, &found, &why), OK);
    assert_string_equal(found.urls[0], "http://engines.svc:8000");
}

static size_t
two_services(const struct config_name *name, struct arena *to, struct config_place *out, size_t most, const char **why)
{
    (void)to;
    (void)most;
    (void)why;
    assert_true(name->services);
    assert_string_equal(name->resolver, "10.0.0.2:53");
    out[0] = (struct config_place){"10.0.0.7", 8001};
    out[1] = (struct config_place){"10.0.0.7", 8000};
    return 2;
}

static void
a_service_tells_its_ports(void **state)
{
    struct discover_config discover = {
        .dns_host = "_http._tcp.engines.svc", .resolver = "10.0.0.2:53", .server_name = "engines.example"};
    struct config_outside outside = {.resolve = two_services};
    struct found found;
    const char *why;

    (void)state;
    assert_int_equal(found_read(&discover, &outside, false, &arena, &found, &why), OK);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.urls[0], "https://10.0.0.7:8000");
    assert_string_equal(found.urls[1], "https://10.0.0.7:8001");
}

/* The configuration anew; NULL: it is wrong. */
static struct config *
load(const char *name, const struct config *before, struct config_outside outside, size_t *warnings)
{
    char *text = arena_printf(&arena,
                              "backends: { gpus: { discover: { dns: \"%s:8000\" }, models: [ big ], private: yes } }\n"
                              "prices: { override: { gpus/big: { input: $1/M, output: $1/M } } }\n"
                              "routes: { assistant: { reference: gpus/big } }\n",
                              name);
    struct config *config = NULL;
    struct problems problems;

    problems_init(&problems);
    if (config_load_input(&(struct config_input){.text = slice_of(text), .before = before, .outside = &outside},
                          &problems, &config) != OK)
        ENSURE(problems.errors > 0);
    *warnings = problems.count - problems.errors;
    problems_free(&problems);
    return config;
}

static void
what_is_lost_stays_as_it_was_found_before(void **state)
{
    const struct config_outside there = {.environment = config_outside_environment, .resolve = two_addresses};
    const struct config_outside lost = {.environment = config_outside_environment, .resolve = no_address};
    struct config *first, *second, *third;
    size_t warnings, usual;

    (void)state;
    assert_null(load("engines.svc", NULL, lost, &warnings));
    first = load("engines.svc", NULL, there, &usual);
    assert_non_null(first);
    assert_int_equal(first->backends[0].endpoint_count, 2);
    second = load("engines.svc", first, lost, &warnings);
    assert_non_null(second);
    assert_int_equal(warnings, usual + 1);
    config_release(first);
    third = load("engines.svc", second, lost, &warnings);
    assert_non_null(third);
    assert_int_equal(third->backends[0].endpoint_count, 2);
    assert_true(found_equal(second->backends[0].found, third->backends[0].found));
    assert_int_equal(second->backends[0].endpoints[1].id, third->backends[0].endpoints[1].id);
    assert_null(load("others.svc", third, lost, &warnings));
    config_release(second);
    config_release(third);
}

/* One server says nothing; the other, that there is nothing. */
static unsigned hurried;

static size_t
silence(const struct config_name *name, struct arena *to, struct config_place *out, size_t most, const char **why)
{
    (void)to;
    (void)out;
    (void)most;
    if (name->hurried)
        hurried++;
    *name->silent = name->resolver != NULL;
    *why = "nothing";
    return 0;
}

static void
nobody_waits_long_behind_a_silent_server(void **state)
{
    static const char text[] = "backends:\n"
                               "  a: { discover: { dns: \"a.svc:1\" }, models: [ big ] }\n"
                               "  b: { discover: { dns: \"b.svc:1\" }, models: [ big ] }\n"
                               "  c: { discover: { dns: \"c.svc:1\", resolver: 10.0.0.2 }, models: [ big ] }\n"
                               "  d: { discover: { dns: \"d.svc:1\", resolver: 10.0.0.2 }, models: [ big ] }\n"
                               "  e: { discover: { dns: \"_e._tcp.svc\", resolver: 10.0.0.2 }, models: [ big ] }\n"
                               "  f: { discover: { dns: \"f.svc:1\" }, models: [ big ] }\n";
    struct config_outside outside = {.environment = config_outside_environment, .resolve = silence};
    struct config *config = NULL;
    struct problems problems;

    (void)state;
    problems_init(&problems);
    assert_int_not_equal(
        config_load_input(&(struct config_input){.text = slice_of(text), .outside = &outside}, &problems, &config), OK);
    assert_int_equal(hurried, 3); /* d, e and f */
    assert_true(problems.errors >= 6);
    problems_free(&problems);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_json_say_the_same),
        cmocka_unit_test(nonsense_is_refused_with_words),
        cmocka_unit_test(every_address_is_a_replica),
        cmocka_unit_test(a_service_tells_its_ports),
        cmocka_unit_test(what_is_lost_stays_as_it_was_found_before),
        cmocka_unit_test(nobody_waits_long_behind_a_silent_server),
    };
    int failed;

    arena_init(&arena);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_reset(&arena);
    return failed;
}
