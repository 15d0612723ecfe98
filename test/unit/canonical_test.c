/* Scenarios 19 and 20, a tenant gets another's answer, and key order makes identical requests miss: the key looks at who
 * asks and what is asked, not at how it is written. */
#include "dialect/canonical.h"

#include "base/buffer.h"
#include "base/rng.h"
#include "cmocka_ready.h"

static const struct digest secret = {"a secret of a test"};

static struct canonical_scope
scope_of(const char *tenant)
{
    return (struct canonical_scope){.secret = &secret, .tenant = slice_of(tenant)};
}

static struct digest
key_of(enum api api, const char *body)
{
    struct canonical_scope scope = scope_of("acme");
    struct digest digest = {{0}};

    assert_int_equal(canonical_request(&scope, api, slice_of(body), NULL, &digest), OK);
    return digest;
}

static bool
same_in(enum api api, const char *a, const char *b)
{
    struct digest x = key_of(api, a), y = key_of(api, b);

    return digest_equal(&x, &y);
}

static bool
same(const char *a, const char *b)
{
    return same_in(API_CHAT, a, b);
}

static void
writing_does_not_matter(void **state)
{
    const char *plain = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":0.5}";

    (void)state;
    assert_true(same(plain, "{ \"temperature\" : 5e-1,\n\"messages\":[ {\"content\":\"h\\u0069\",\"role\":\"user\"}],"
                            "\"mod\\u0065l\":\"m\"}"));
    assert_true(same("{\"a\":\"\\/\\u00e9\\ud83d\\ude00\"}", "{\"a\":\"/é😀\"}"));
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
    assert_false(same("{\"a\":[1,2]}", "{\"a\":[[1,2]]}"));
    assert_false(same("{\"a\":[[1],2]}", "{\"a\":[[1,2]]}"));
    assert_false(same("{\"a\":\"1\"}", "{\"a\":1}"));
    assert_false(same("{\"ab\":\"c\"}", "{\"a\":\"bc\"}"));
    assert_false(same("{\"a\":null}", "{}"));
    assert_false(same("{\"a\":null}", "{\"a\":false}"));
    assert_false(same("{\"a\":true}", "{\"a\":false}"));
    assert_false(same("{\"a\":{}}", "{\"a\":[]}"));
    assert_false(same("{\"a\":\"\"}", "{\"a\":\"\\u0000\"}"));
    assert_false(same("{\"a\":{\"b\":1},\"c\":2}", "{\"a\":{\"b\":1,\"c\":2}}"));
}

/* Parsers differ in which of two members of one name they take: their order counts. */
static void
two_of_one_name_keep_their_order(void **state)
{
    (void)state;
    assert_false(same("{\"t\":{\"a\":1,\"a\":2}}", "{\"t\":{\"a\":2,\"a\":1}}"));
    assert_true(same("{\"t\":{\"a\":1,\"b\":0,\"a\":2}}", "{\"t\":{\"b\":0,\"a\":1,\"a\":2}}"));
}

static void
numbers_are_equal_by_value(void **state)
{
    (void)state;
    assert_true(same("{\"temperature\":0}", "{\"temperature\":0.0}"));
    assert_true(same("{\"temperature\":0}", "{\"temperature\":-0.0}"));
    assert_true(same("{\"n\":10}", "{\"n\":1e1}"));
    assert_true(same("{\"n\":-3}", "{\"n\":-3.0}"));
    assert_true(same("{\"t\":{\"a\":0.50}}", "{\"t\":{\"a\":5e-1}}"));
    /* Shown to the model, perhaps. */
    assert_false(same("{\"t\":{\"a\":1}}", "{\"t\":{\"a\":1.0}}"));
    assert_false(same("{\"t\":[1]}", "{\"t\":[1.0]}"));
    /* Beyond 2^53 a double is no longer one whole number, beyond 2^64 the parser keeps none. */
    assert_false(same("{\"n\":9007199254740993}", "{\"n\":9007199254740992.0}"));
    assert_false(same("{\"n\":9007199254740993}", "{\"n\":9007199254740992}"));
    assert_false(same("{\"n\":18446744073709551615}", "{\"n\":-1}"));
    assert_false(same("{\"n\":100000000000000000000001}", "{\"n\":100000000000000000000002}"));
    assert_false(same("{\"n\":0.1}", "{\"n\":0.10000000000000002}"));
}

static void
what_says_nothing_is_left_out(void **state)
{
    static const struct {
        enum api api;
        const char *member;
        bool left_out;
    } cases[] = {
        {API_CHAT, "\"stream\":true,\"stream_options\":{\"include_usage\":true}", true},
        {API_CHAT, "\"user\":\"u\",\"safety_identifier\":\"s\",\"metadata\":{\"a\":\"b\"}", true},
        {API_CHAT, "\"prompt_cache_key\":\"k\",\"prompt_cache_retention\":\"24h\",\"service_tier\":\"flex\"", true},
        {API_CHAT, "\"store\":true", false},
        {API_CHAT, "\"n\":2", false},
        {API_COMPLETIONS, "\"stream\":true,\"user\":\"u\"", true},
        {API_COMPLETIONS, "\"metadata\":{}", false},
        {API_RESPONSES, "\"stream\":true,\"stream_options\":{}", true},
        {API_RESPONSES, "\"user\":\"u\"", false},
        {API_RESPONSES, "\"metadata\":{\"a\":\"b\"}", false},
        {API_RESPONSES, "\"safety_identifier\":\"s\"", false},
        {API_RESPONSES, "\"store\":false", false},
        {API_MESSAGES, "\"stream\":true,\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"auto\"", true},
        {API_MESSAGES, "\"user\":\"u\"", false},
        {API_EMBEDDINGS, "\"user\":\"u\"", true},
        {API_EMBEDDINGS, "\"encoding_format\":\"base64\"", false},
        {API_EMBEDDINGS, "\"stream\":true", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char with[256];

        snprintf(with, sizeof(with), "{%s,\"model\":\"m\"}", cases[i].member);
        if (same_in(cases[i].api, "{\"model\":\"m\"}", with) != cases[i].left_out)
            fail_msg("%s: %s", api_name(cases[i].api), cases[i].member);
    }
}

/* Each part of the scope by itself, and none can flow over into its neighbour. */
static void
scopes_share_nothing(void **state)
{
    static const struct digest other = {"another secret"};
    struct canonical_scope scopes[] = {
        {.secret = &secret},
        {.secret = &other},
        {.secret = &secret, .tenant = SLICE_LITERAL("ab")},
        {.secret = &secret, .tenant = SLICE_LITERAL("a"), .route = SLICE_LITERAL("b")},
        {.secret = &secret, .route = SLICE_LITERAL("ab")},
        {.secret = &secret, .target = SLICE_LITERAL("ab")},
        {.secret = &secret, .headers = SLICE_LITERAL("ab")},
    };
    enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };
    struct digest keys[SCOPES + 1];

    (void)state;
    for (size_t i = 0; i < SCOPES; i++)
        assert_int_equal(canonical_request(&scopes[i], API_CHAT, SLICE_LITERAL("{}"), NULL, &keys[i]), OK);
    assert_int_equal(canonical_request(&scopes[0], API_MESSAGES, SLICE_LITERAL("{}"), NULL, &keys[SCOPES]), OK);
    for (size_t i = 0; i <= SCOPES; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(digest_equal(&keys[i], &keys[j]));
}

static void
a_hasher_of_the_workers_makes_the_same(void **state)
{
    struct canonical_scope scope = scope_of("acme");
    struct digest a, b = key_of(API_CHAT, "{\"a\":1}");
    struct hasher hasher;

    (void)state;
    hasher_init(&hasher);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(canonical_request(&scope, API_CHAT, SLICE_LITERAL("{\"a\":1}"), &hasher, &a), OK);
        assert_true(digest_equal(&a, &b));
    }
    hasher_free(&hasher);
}

/* Texts longer than what is hashed at a time count to their last byte. */
static void
all_of_a_long_text_counts(void **state)
{
    enum { LONG = 100000 };
    struct buffer body = {0};
    struct canonical_scope scope = scope_of("acme");
    struct digest first, second;

    (void)state;
    buffer_add_text(&body, "{\"a\":[\"");
    for (int i = 0; i < LONG; i++)
        buffer_add_text(&body, i % 1000 == 0 ? "\",\"" : "x");
    buffer_add_text(&body, "y\"]}");
    assert_int_equal(canonical_request(&scope, API_CHAT, buffer_content(&body), NULL, &first), OK);
    body.data[body.end - 4] = 'z';
    assert_int_equal(canonical_request(&scope, API_CHAT, buffer_content(&body), NULL, &second), OK);
    assert_false(digest_equal(&first, &second));
    body.data[body.end - 4] = 'y';
    body.data[20000] = '-';
    assert_int_equal(canonical_request(&scope, API_CHAT, buffer_content(&body), NULL, &second), OK);
    assert_false(digest_equal(&first, &second));
    buffer_free(&body);
}

static void
depth_is_bounded(void **state)
{
    enum { DEEP = 100000 };
    struct canonical_scope scope = scope_of("acme");
    struct buffer body = {0};
    struct digest digest;

    (void)state;
    buffer_add_text(&body, "{\"a\":");
    for (int i = 0; i < DEEP; i++)
        buffer_add_byte(&body, '[');
    for (int i = 0; i < DEEP; i++)
        buffer_add_byte(&body, ']');
    buffer_add_byte(&body, '}');
    assert_int_equal(canonical_request(&scope, API_CHAT, buffer_content(&body), NULL, &digest), ERR_LIMIT);
    assert_int_equal(canonical_request(&scope, API_CHAT, SLICE_LITERAL("[]"), NULL, &digest), ERR_INVALID);
    assert_int_equal(canonical_request(&scope, API_CHAT, SLICE_LITERAL("{\"a\""), NULL, &digest), ERR_INVALID);
    assert_int_equal(canonical_request(&scope, API_CHAT, SLICE_NONE, NULL, &digest), ERR_INVALID);
    buffer_free(&body);
}

/* Random bodies, written twice in different ways, are one; with one character changed they are two. */

enum { NEST_MOST = 4 };

static void
write_blank(struct rng *how, struct buffer *out)
{
    static const char *const blanks[] = {"", "", " ", "\n", "\t ", "\r\n"};

    buffer_add_text(out, blanks[rng_below(how, 6)]);
}

static void
write_text(struct rng *what, struct rng *how, struct buffer *out)
{
    size_t len = (size_t)rng_below(what, 6);

    buffer_add_byte(out, '"');
    for (size_t i = 0; i < len; i++) {
        char c = (char)('a' + rng_below(what, 20));

        if (rng_below(how, 3) == 0)
            buffer_printf(out, rng_below(how, 2) == 0 ? "\\u%04x" : "\\u%04X", (unsigned)c);
        else
            buffer_add_byte(out, c);
    }
    buffer_add_byte(out, '"');
}

static void write_value(struct rng *what, struct rng *how, unsigned depth, struct buffer *out);

/* Members in turning order: which comes first is how's to say. Their content comes from seeds of their own. */
static void
write_object(struct rng *what, struct rng *how, unsigned depth, struct buffer *out)
{
    size_t count = (size_t)rng_below(what, 5), turn = count > 0 ? (size_t)rng_below(how, count) : 0;
    uint64_t seed = rng_next(what);

    buffer_add_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        size_t which = (i + turn) % count;
        struct rng inside;

        rng_seed(&inside, seed + which);
        write_blank(how, out);
        buffer_printf(out, "%s\"%c%zu\"", i > 0 ? "," : "", 'a' + (int)(seed % 26), which);
        write_blank(how, out);
        buffer_add_byte(out, ':');
        write_value(&inside, how, depth + 1, out);
    }
    write_blank(how, out);
    buffer_add_byte(out, '}');
}

static void
write_array(struct rng *what, struct rng *how, unsigned depth, struct buffer *out)
{
    size_t count = (size_t)rng_below(what, 4);

    buffer_add_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_add_byte(out, ',');
        write_value(what, how, depth + 1, out);
    }
    buffer_add_byte(out, ']');
}

static void
write_number(struct rng *what, struct rng *how, struct buffer *out)
{
    unsigned number = (unsigned)rng_below(what, 1000);

    if (rng_below(what, 2) == 0)
        buffer_printf(out, "%u", number);
    else if (rng_below(how, 2) == 0)
        buffer_printf(out, "%u.5%s", number, rng_below(how, 2) == 0 ? "" : "00");
    else
        buffer_printf(out, "%u5e-1", number);
}

static void
write_value(struct rng *what, struct rng *how, unsigned depth, struct buffer *out)
{
    static const char *const words[] = {"true", "false", "null"};
    uint64_t kind = rng_below(what, depth < NEST_MOST ? 5 : 3);

    write_blank(how, out);
    if (kind == 0)
        write_text(what, how, out);
    else if (kind == 1)
        write_number(what, how, out);
    else if (kind == 2)
        buffer_add_text(out, words[rng_below(what, 3)]);
    else if (kind == 3)
        write_array(what, how, depth, out);
    else
        write_object(what, how, depth, out);
    write_blank(how, out);
}

static struct digest
random_key(uint64_t what_seed, uint64_t how_seed)
{
    struct canonical_scope scope = scope_of("acme");
    struct buffer body = {0};
    struct rng what, how;
    struct digest key;

    rng_seed(&what, what_seed);
    rng_seed(&how, how_seed);
    buffer_add_text(&body, "{\"body\":");
    write_value(&what, &how, 0, &body);
    buffer_printf(&body, ",\"what\":%llu}", (unsigned long long)what_seed);
    assert_int_equal(canonical_request(&scope, API_CHAT, buffer_content(&body), NULL, &key), OK);
    buffer_free(&body);
    return key;
}

static void
random_bodies_are_one_however_written(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct digest a = random_key(seed, 2 * seed), b = random_key(seed, 2 * seed + 1);
        struct digest c = random_key(seed + 1, 2 * seed);

        assert_true(digest_equal(&a, &b));
        assert_false(digest_equal(&a, &c));
    }
}

/* Conversations */

static struct canonical_conversation
conversation_of(enum api api, const char *body, struct arena *arena)
{
    struct canonical_scope scope = scope_of("acme");
    struct canonical_conversation out = {0};

    assert_int_equal(canonical_conversation(&scope, api, slice_of(body), NULL, arena, &out), OK);
    return out;
}

static void
expect_alike(enum api api, const char *a, const char *b, const char *turn, bool alike)
{
    struct arena arena;
    struct canonical_conversation x, y;

    arena_init(&arena);
    x = conversation_of(api, a, &arena);
    y = conversation_of(api, b, &arena);
    assert_true(slice_is(x.turn, turn));
    assert_int_equal(digest_equal(&x.rest, &y.rest), alike);
    arena_reset(&arena);
}

#define TURN(role, content) "{\"role\":\"" role "\",\"content\":" content "}"

static void
only_the_last_turn_may_differ(void **state)
{
    (void)state;
    expect_alike(API_CHAT, "{\"messages\":[" TURN("system", "\"s\"") "," TURN("user", "\"a\\u0062\"") "]}",
                 "{\"messages\":[" TURN("system", "\"s\"") "," TURN("user", "\"other\"") "]}", "ab", true);
    expect_alike(API_CHAT, "{\"messages\":[" TURN("system", "\"s\"") "," TURN("user", "\"a\"") "]}",
                 "{\"messages\":[" TURN("system", "\"t\"") "," TURN("user", "\"a\"") "]}", "a", false);
    expect_alike(API_CHAT, "{\"messages\":[" TURN("user", "\"a\"") "," TURN("user", "\"b\"") "]}",
                 "{\"messages\":[" TURN("user", "\"c\"") "," TURN("user", "\"b\"") "]}", "b", false);
    expect_alike(API_CHAT, "{\"messages\":[" TURN("user", "\"a\"") "],\"temperature\":1}",
                 "{\"messages\":[" TURN("user", "\"a\"") "],\"temperature\":0}", "a", false);
    expect_alike(API_MESSAGES,
                 "{\"messages\":[" TURN("user", "[{\"type\":\"text\",\"text\":\"context\"},"
                                                "{\"type\":\"text\",\"text\":\"a\"}]") "]}",
                 "{\"messages\":[" TURN("user", "[{\"type\":\"text\",\"text\":\"context\"},"
                                                "{\"type\":\"text\",\"text\":\"b\"}]") "]}",
                 "a", true);
    expect_alike(API_MESSAGES,
                 "{\"messages\":[" TURN("user", "[{\"type\":\"text\",\"text\":\"context\"},"
                                                "{\"type\":\"text\",\"text\":\"a\"}]") "]}",
                 "{\"messages\":[" TURN("user", "[{\"type\":\"text\",\"text\":\"other\"},"
                                                "{\"type\":\"text\",\"text\":\"a\"}]") "]}",
                 "a", false);
    expect_alike(API_RESPONSES, "{\"input\":\"a\"}", "{\"input\":\"b\"}", "a", true);
    expect_alike(API_RESPONSES, "{\"input\":[" TURN("user", "[{\"type\":\"input_text\",\"text\":\"a\"}]") "]}",
                 "{\"input\":[" TURN("user", "[{\"type\":\"input_text\",\"text\":\"b\"}]") "]}", "a", true);
    expect_alike(API_COMPLETIONS, "{\"prompt\":\"a\",\"model\":\"m\"}", "{\"prompt\":\"b\",\"model\":\"m\"}", "a",
                 true);
}

static void
not_all_requests_can_be_compared(void **state)
{
    static const struct {
        enum api api;
        const char *body;
        enum status wanted;
    } cases[] = {
        {API_CHAT, "{\"messages\":[]}", ERR_NOT_FOUND},
        {API_CHAT, "{\"messages\":[" TURN("system", "\"s\"") "]}", ERR_NOT_FOUND},
        {API_CHAT, "{\"messages\":[" TURN("user", "[{\"type\":\"image_url\"}]") "]}", ERR_NOT_FOUND},
        {API_MESSAGES, "{\"messages\":[" TURN("user", "\"a\"") "," TURN("user", "[{\"type\":\"tool_result\"}]") "]}",
         ERR_NOT_FOUND},
        {API_COMPLETIONS, "{\"prompt\":[\"a\",\"b\"]}", ERR_NOT_FOUND},
        {API_EMBEDDINGS, "{\"input\":\"a\"}", ERR_NOT_FOUND},
        {API_CHAT, "{\"messages\":7}", ERR_NOT_FOUND},
        {API_CHAT, "7", ERR_INVALID},
    };
    struct canonical_scope scope = scope_of("acme");
    struct canonical_conversation out;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(canonical_conversation(&scope, cases[i].api, slice_of(cases[i].body), NULL, &arena, &out),
                         cases[i].wanted);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_does_not_matter),
        cmocka_unit_test(what_is_asked_matters),
        cmocka_unit_test(two_of_one_name_keep_their_order),
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(what_says_nothing_is_left_out),
        cmocka_unit_test(scopes_share_nothing),
        cmocka_unit_test(a_hasher_of_the_workers_makes_the_same),
        cmocka_unit_test(all_of_a_long_text_counts),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(random_bodies_are_one_however_written),
        cmocka_unit_test(only_the_last_turn_may_differ),
        cmocka_unit_test(not_all_requests_can_be_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
