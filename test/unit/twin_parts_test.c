/* The parts of the modelled backend that stand alone: tokenizer, base64, faults as text, embeddings, schemas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/text.h"
#include "twin/embed.h"
#include "twin/faults.h"
#include "twin/reply.h"
#include "twin/tokens.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
tokens_never_split_a_character(void **state)
{
    struct slice text = SLICE_LITERAL("na\xc3\xafve caf\xc3\xa9s \xe2\x82\xac\xf0\x9f\x90\x9d\xf0\x9f\x90\x9d end");
    struct slice rest = text;
    size_t bytes = 0;
    int64_t count = 0;

    (void)state;
    while (rest.len != 0) {
        struct slice token = token_next(&rest);

        assert_true(text_is_utf8(token));
        assert_true(token.len >= 1 && token.len <= 7);
        bytes += token.len;
        count++;
    }
    assert_int_equal(bytes, text.len);
    assert_int_equal(count, token_count(text));
    assert_int_equal(token_count(SLICE_LITERAL("")), 0);
    assert_int_equal(token_count(SLICE_LITERAL("abcd")), 1);
    assert_int_equal(token_count(SLICE_LITERAL("abcde")), 2);
    assert_true(slice_is(token_first(SLICE_LITERAL("abcdefghij"), 2), "abcdefgh"));
    assert_true(slice_is(token_first(SLICE_LITERAL("abc"), 2), "abc"));
}

/* RFC 4648, 10 */
static void
base64_is_as_the_rfc_has_it(void **state)
{
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xff\xfe", "//4="}};

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct buffer out;

        buffer_init(&out);
        base64_write(slice_of(vectors[i][0]), &out);
        assert_true(slice_is(buffer_content(&out), vectors[i][1]));
        buffer_free(&out);
    }
}

static void
faults_are_read_as_they_are_written(void **state)
{
    static const char *const lists[][2] = {
        {"cut-after=40", "cut-after=40"},
        {"status=503:12.5%*3", "status=503:12.5%*3"},
        {"status-429", "status=429"},
        {"delay:2s", "delay=2000000us"},
        {"delay:150ms:1%", "delay=150000us:1%"},
        {"drop-before-first-byte:1%", "drop-before-first-byte:1%"},
        {"no-usage*0", "no-usage*0"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct twin_fault_set set = {.count = 0};
        const char *why = NULL;
        struct buffer out;

        buffer_init(&out);
        assert_int_equal(twin_faults_add(&set, slice_of(lists[i][0]), &why), OK);
        assert_int_equal(set.count, 1);
        twin_fault_write(&set.faults[0], &out);
        if (!slice_is(buffer_content(&out), lists[i][1]))
            fail_msg("%s became %.*s", lists[i][0], SLICE_ARGS(buffer_content(&out)));
        buffer_free(&out);
    }
}

static void
faults_that_make_no_sense_are_refused(void **state)
{
    static const char *const lists[] = {
        "cut",
        "cut-after",
        "cut-after=0",
        "cut-after=x",
        "cut-after=40%",
        "status=200",
        "status=1000",
        "status=500:a%",
        "status=500:101%",
        "delay=2h",
        "delay=99999999999999s",
        "no-usage=1",
        "no-usage*",
        "no-usage*x",
        "no-usage,,delay=1",
        "status=500:-1%",
        ",",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct twin_fault_set set = {.count = 0};
        const char *why = NULL;

        if (twin_faults_add(&set, slice_of(lists[i]), &why) == OK)
            fail_msg("%s was accepted", lists[i]);
        assert_non_null(why);
    }
}

static void
a_fault_strikes_by_its_share_and_its_times(void **state)
{
    struct twin_fault_set set = {.count = 0};
    const char *why = NULL;
    struct rng rng;
    unsigned delays = 0, failures = 0;

    (void)state;
    rng_seed(&rng, 4);
    assert_int_equal(twin_faults_add(&set, SLICE_LITERAL("delay=1ms:20%, status=500*7"), &why), OK);
    for (unsigned i = 0; i < 10000; i++) {
        struct strike strike = strike_none();

        twin_faults_draw(&set, &rng, &strike);
        delays += strike.delay_us == 1000 ? 1 : 0;
        failures += strike.status == 500 ? 1 : 0;
        assert_int_equal(strike.break_at, STRIKE_NEVER);
    }
    assert_int_equal(failures, 7);
    assert_in_range(delays, 1840, 2160); /* 2000 expected, 4 deviations of 40 */
}

static double
cosine(const char *one, const char *other, size_t dimensions)
{
    float a[EMBED_DIMENSIONS], b[EMBED_DIMENSIONS];
    double sum = 0;

    embed_text(slice_of(one), a, dimensions);
    embed_text(slice_of(other), b, dimensions);
    for (size_t i = 0; i < dimensions; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void
texts_that_share_words_are_near(void **state)
{
    const char *cat = "The cat sat on the mat.";

    (void)state;
    assert_true(cosine(cat, cat, 256) > 0.9999 && cosine(cat, cat, 256) < 1.0001);
    assert_true(cosine(cat, "the CAT sat on the mat", 256) > 0.9999);
    assert_true(cosine(cat, "the cats sat on a mat", 256) > 0.6);
    assert_true(cosine(cat, "quarterly revenue grew strongly", 256) < 0.3);
    assert_true(cosine("", "", 8) > 0.9999);
}

static void
assert_filled(const char *schema, const char *question, const char *answer, const char *filled)
{
    yyjson_doc *doc = yyjson_read(schema, strlen(schema), 0);
    struct arena arena;
    struct slice text;

    assert_non_null(doc);
    arena_init(&arena);
    text = schema_fill(yyjson_doc_get_root(doc), slice_of(question), answer, &arena);
    if (!slice_is(text, filled))
        fail_msg("%.*s instead of %s", SLICE_ARGS(text), filled);
    arena_reset(&arena);
    yyjson_doc_free(doc);
}

static void
schemas_are_filled_from_the_question(void **state)
{
    (void)state;
    assert_filled("{\"type\":\"object\",\"properties\":{\"from\":{\"type\":\"string\"},\"to\":{\"type\":\"string\"},"
                  "\"count\":{\"type\":\"integer\"}}}",
                  "Book 3 seats from Oslo to Rome", NULL, "{\"from\": \"Oslo\", \"to\": \"Rome\", \"count\": 3}");
    assert_filled("{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}}}", "Say \"good \\n day\" now",
                  NULL, "{\"text\": \"good \\\\n day\"}");
    assert_filled("{\"properties\":{\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}},"
                  "\"ok\":{\"type\":\"boolean\"},\"none\":{\"type\":\"null\"}}}",
                  "is it 2.5?", NULL, "{\"items\": [2.5], \"ok\": true, \"none\": null}");
    assert_filled("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"enum\":[\"red\",\"blue\"]}}}", "the blue one", NULL,
                  "\"blue\"");
    assert_filled("{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"number\"}}}", "What is 1 + 1?", "2",
                  "{\"answer\": 2}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_never_split_a_character),
        cmocka_unit_test(base64_is_as_the_rfc_has_it),
        cmocka_unit_test(faults_are_read_as_they_are_written),
        cmocka_unit_test(faults_that_make_no_sense_are_refused),
        cmocka_unit_test(a_fault_strikes_by_its_share_and_its_times),
        cmocka_unit_test(texts_that_share_words_are_near),
        cmocka_unit_test(schemas_are_filled_from_the_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
