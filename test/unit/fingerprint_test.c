/* Scenario 20, key order makes identical requests miss: the fingerprint looks at what is asked, not at how. */
#include "dialect/fingerprint.h"

#include "base/buffer.h"
#include "cmocka_ready.h"

static struct digest
of(const char *tenant, const char *body)
{
    struct digest digest = {{0}};

    assert_int_equal(fingerprint_request(API_CHAT, slice_of(tenant), slice_of(body), &digest), OK);
    return digest;
}

static bool
same(const char *a, const char *b)
{
    struct digest x = of("acme", a), y = of("acme", b);

    return digest_equal(&x, &y);
}

static void
writing_does_not_matter(void **state)
{
    const char *plain = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":0.5}";

    (void)state;
    assert_true(same(plain, "{ \"temperature\" : 0.50,\n\"messages\":[ {\"content\":\"h\\u0069\",\"role\":\"user\"}],"
                            "\"model\":\"m\"}"));
    assert_true(same(plain,
                     "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"user\":\"u\",\"metadata\":{},"
                     "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":0.5}"));
}

static void
what_is_asked_matters(void **state)
{
    const char *plain = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

    (void)state;
    assert_false(same(plain, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"));
    assert_false(same(plain, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"unknown\":1}"));
    assert_false(same(plain, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\",\"user\":\"u\"}]}"));
    assert_false(same("{\"a\":[1,2]}", "{\"a\":[2,1]}"));
    assert_false(same("{\"a\":\"1\"}", "{\"a\":1}"));
    assert_false(same("{\"ab\":\"c\"}", "{\"a\":\"bc\"}"));
}

static void
tenants_share_nothing(void **state)
{
    struct digest a = of("acme", "{\"model\":\"m\"}"), b = of("other", "{\"model\":\"m\"}");

    (void)state;
    assert_false(digest_equal(&a, &b));
}

static void
depth_is_bounded(void **state)
{
    enum { DEEP = 100000 };
    struct buffer body = {0};
    struct digest digest;

    (void)state;
    buffer_add_text(&body, "{\"a\":");
    for (int i = 0; i < DEEP; i++)
        buffer_add_byte(&body, '[');
    for (int i = 0; i < DEEP; i++)
        buffer_add_byte(&body, ']');
    buffer_add_byte(&body, '}');
    assert_int_equal(fingerprint_request(API_CHAT, SLICE_LITERAL("t"), buffer_content(&body), &digest), ERR_LIMIT);
    assert_int_equal(fingerprint_request(API_CHAT, SLICE_LITERAL("t"), SLICE_LITERAL("[]"), &digest), ERR_INVALID);
    buffer_free(&body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_does_not_matter),
        cmocka_unit_test(what_is_asked_matters),
        cmocka_unit_test(tenants_share_nothing),
        cmocka_unit_test(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
