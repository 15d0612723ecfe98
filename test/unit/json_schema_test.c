/* JSON Schema: keyword by keyword what fits and what does not, what is refused, and that work is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "dialect/json/json_schema.h"

static enum schema_verdict
judge(const char *schema_text, struct slice value, char why[SCHEMA_WORDS_SIZE])
{
    struct arena arena;
    char problem[SCHEMA_WORDS_SIZE];
    const struct json_schema *schema;
    yyjson_doc *doc = yyjson_read(value.data, value.len, YYJSON_READ_NOFLAG);
    enum schema_verdict verdict;

    arena_init(&arena);
    schema = json_schema_compile(&arena, slice_of(schema_text), problem);
    if (schema == NULL || doc == NULL)
        fail_msg("%s: %s", schema_text, schema == NULL ? problem : "the value is not JSON");
    verdict = json_schema_check(schema, yyjson_doc_get_root(doc), why);
    yyjson_doc_free(doc);
    arena_reset(&arena);
    return verdict;
}

static void
keywords_mean_what_the_draft_says(void **state)
{
    static const struct {
        const char *schema, *fits, *fits_not, *why; /* the values are JSON lists */
    } cases[] = {
        {"true", "[1,null,{}]", "[]", NULL},
        {"{}", "[1,null,{}]", "[]", NULL},
        {"false", "[]", "[1,null]", "#"},
        {"{\"type\":\"object\"}", "[{}]", "[[],1,\"a\",null,true]", "#/type"},
        {"{\"type\":\"integer\"}", "[1,-1,1.0,0]", "[1.5,\"1\"]", "#/type"},
        {"{\"type\":\"number\"}", "[1,1.5]", "[\"1\",true]", "#/type"},
        {"{\"type\":[\"string\",\"null\"]}", "[\"\",null]", "[0,false]", "#/type"},
        {"{\"type\":\"boolean\"}", "[true,false]", "[0,null]", "#/type"},
        {"{\"const\":{\"a\":1,\"b\":[2]}}", "[{\"b\":[2.0],\"a\":1}]",
         "[{\"a\":1},{\"a\":1,\"b\":[3]},{\"a\":1,\"c\":[2]}]", "#/const"},
        {"{\"const\":null}", "[null]", "[false,0,\"\"]", "#/const"},
        {"{\"const\":false}", "[false]", "[0,true]", "#/const"},
        {"{\"const\":18446744073709551615}", "[18446744073709551615]", "[18446744073709551614]", "#/const"},
        {"{\"enum\":[\"a\",1,[2]]}", "[\"a\",1.0,[2]]", "[\"b\",2,[],\"1\"]", "#/enum"},
        {"{\"minimum\":2,\"maximum\":3}", "[2,3,2.5,\"x\"]", "[1]", "#/minimum"},
        {"{\"exclusiveMaximum\":3}", "[2.9]", "[3,4]", "#/exclusiveMaximum"},
        {"{\"exclusiveMinimum\":3}", "[3.1]", "[3,2]", "#/exclusiveMinimum"},
        {"{\"multipleOf\":0.01}", "[4.02,1,0,0.07]", "[0.075]", "#/multipleOf"},
        {"{\"multipleOf\":3}", "[9,0,-3]", "[10]", "#/multipleOf"},
        {"{\"minLength\":2,\"maxLength\":2}", "[\"\xc3\xa4\xf0\x9f\x98\x80\",7]", "[\"a\"]", "#/minLength"},
        {"{\"maxLength\":1}", "[\"\xf0\x9f\x98\x80\"]", "[\"ab\"]", "#/maxLength"},
        {"{\"pattern\":\"^\\\\d+$\"}", "[\"12\",5]", "[\"1a\"]", "#/pattern"},
        {"{\"items\":{\"type\":\"string\"}}", "[[],[\"a\"],{}]", "[[1],[\"a\",1]]", "#/items/type"},
        {"{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[[],[\"a\"]]", "[[\"a\",1]]", "#/items"},
        {"{\"prefixItems\":[{\"type\":\"string\"},true]}", "[[],[\"a\",1,2]]", "[[1]]", "#/prefixItems/0/type"},
        {"{\"minItems\":1,\"maxItems\":2}", "[[1],[1,2],\"x\"]", "[[]]", "#/minItems"},
        {"{\"maxItems\":1}", "[[1]]", "[[1,2]]", "#/maxItems"},
        {"{\"uniqueItems\":true}", "[[1,2,\"1\"],[[1],[2]]]", "[[1,1.0],[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]]",
         "#/uniqueItems"},
        {"{\"contains\":{\"const\":1}}", "[[2,1]]", "[[],[2]]", "#/contains"},
        {"{\"contains\":{\"const\":1},\"minContains\":2,\"maxContains\":3}", "[[1,1],[1,1,1,2]]", "[[1]]",
         "#/minContains"},
        {"{\"contains\":{\"const\":1},\"maxContains\":1}", "[[1,2]]", "[[1,1]]", "#/maxContains"},
        {"{\"contains\":{\"const\":1},\"minContains\":0}", "[[],[2]]", "[]", NULL},
        {"{\"required\":[\"a\",\"b\"]}", "[{\"a\":1,\"b\":null},[]]", "[{\"a\":1}]", "#/required"},
        {"{\"minProperties\":1}", "[{\"a\":1}]", "[{}]", "#/minProperties"},
        {"{\"maxProperties\":1}", "[{\"a\":1}]", "[{\"a\":1,\"b\":1}]", "#/maxProperties"},
        {"{\"properties\":{\"a/b\":{\"type\":\"null\"}}}", "[{},{\"a/b\":null,\"c\":1}]", "[{\"a/b\":1}]",
         "#/properties/a~1b/type"},
        {"{\"properties\":{\"a\":true},\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":"
         "false}",
         "[{\"a\":1,\"xy\":null}]", "[{\"b\":1}]", "#/additionalProperties"},
        {"{\"patternProperties\":{\"^x\":{\"type\":\"null\"}}}", "[{\"ax\":1}]", "[{\"xa\":1}]",
         "#/patternProperties/^x/type"},
        {"{\"propertyNames\":{\"maxLength\":2}}", "[{\"ab\":1}]", "[{\"abc\":1}]", "#/propertyNames/maxLength"},
        {"{\"dependentRequired\":{\"a\":[\"b\"]}}", "[{\"a\":1,\"b\":1},{\"b\":1}]", "[{\"a\":1}]",
         "#/dependentRequired"},
        {"{\"dependentSchemas\":{\"a\":{\"required\":[\"b\"]}}}", "[{},{\"a\":1,\"b\":1}]", "[{\"a\":1}]",
         "#/dependentSchemas/a/required"},
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "[1,2]", "[3]", "#/allOf/1/maximum"},
        {"{\"anyOf\":[{\"minimum\":5},{\"maximum\":2}]}", "[1,6]", "[3]", "#/anyOf"},
        {"{\"oneOf\":[{\"minimum\":2},{\"maximum\":4}]}", "[1,5]", "[3]", "#/oneOf"},
        {"{\"not\":{\"type\":\"string\"}}", "[1]", "[\"a\"]", "#/not"},
        {"{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "[\"a\",1,null]",
         "[\"\"]", "#/then/minLength"},
        {"{\"if\":{\"type\":\"string\"},\"else\":{\"minimum\":1}}", "[\"\",1]", "[0]", "#/else/minimum"},
        {"{\"then\":false,\"else\":false}", "[1]", "[]", NULL},
        {"{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#/$defs/n\"}}}},\"$ref\":\"#/"
         "$defs/n\"}",
         "[{\"next\":{\"next\":{}}}]", "[{\"next\":{\"next\":1}}]", "#/$defs/n/type"},
        {"{\"properties\":{\"c\":{\"items\":{\"$ref\":\"#\"}}},\"additionalProperties\":false}",
         "[{\"c\":[{\"c\":[]}]}]", "[{\"c\":[{\"d\":1}]}]", "#/additionalProperties"},
        {"{\"$ref\":\"#/definitions/a~1b\",\"definitions\":{\"a/b\":{\"const\":1}}}", "[1]", "[2]",
         "#/definitions/a~1b/const"},
        {"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"x\",\"title\":\"t\",\"description\":"
         "\"d\",\"format\":\"date\",\"default\":1,\"examples\":[1],\"$comment\":\"c\"}",
         "[1,\"no date\"]", "[]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned fits = 0; fits < 2; fits++) {
            const char *list = fits ? cases[i].fits : cases[i].fits_not;
            yyjson_doc *doc = yyjson_read(list, strlen(list), YYJSON_READ_NOFLAG);
            size_t k, most;
            yyjson_val *value;

            assert_non_null(doc);
            yyjson_arr_foreach(yyjson_doc_get_root(doc), k, most, value)
            {
                char why[SCHEMA_WORDS_SIZE] = "", *text = yyjson_val_write(value, 0, NULL);
                enum schema_verdict verdict = judge(cases[i].schema, slice_of(text), why);

                if (verdict != (fits ? SCHEMA_FITS : SCHEMA_FITS_NOT))
                    fail_msg("%s: %s should %sfit; %s", cases[i].schema, text, fits ? "" : "not ", why);
                if (!fits && k == 0)
                    assert_string_equal(why, cases[i].why);
                free(text);
            }
            yyjson_doc_free(doc);
        }
    }
}

static void
refuses_what_it_does_not_know(void **state)
{
    static const struct {
        const char *schema, *problem;
    } cases[] = {
        {"{", "not JSON"},
        {"[]", "at #: expected a schema"},
        {"{\"unevaluatedProperties\":false}", "at #/unevaluatedProperties: this keyword is not known"},
        {"{\"properties\":{\"a\":{\"requird\":[]}}}", "at #/properties/a/requird: this keyword"},
        {"{\"$defs\":{\"unused\":{\"$anchor\":\"x\"}}}", "at #/$defs/unused/$anchor: this keyword"},
        {"{\"items\":[{}]}", "at #/items: expected a schema"},
        {"{\"type\":\"text\"}", "at #/type: expected null, boolean"},
        {"{\"type\":[]}", "at #/type: an empty list"},
        {"{\"enum\":1}", "at #/enum: expected a list"},
        {"{\"required\":\"a\"}", "at #/required: expected a list of names"},
        {"{\"required\":[1]}", "at #/required: expected a list of names"},
        {"{\"minLength\":-1}", "at #/minLength: expected a whole number"},
        {"{\"minItems\":1.5}", "at #/minItems: expected a whole number"},
        {"{\"exclusiveMinimum\":true}", "at #/exclusiveMinimum: expected a number"},
        {"{\"multipleOf\":0}", "at #/multipleOf: expected a number above 0"},
        {"{\"uniqueItems\":1}", "at #/uniqueItems: expected true or false"},
        {"{\"pattern\":\"(?=a)\"}", "at #/pattern: this regular expression cannot be used: lookaheads"},
        {"{\"pattern\":1}", "at #/pattern: expected a regular expression"},
        {"{\"patternProperties\":{\"(\":{}}}", "at #/patternProperties/(: this regular expression"},
        {"{\"patternProperties\":{\"a\":true},\"patternProperties\":{\"b\":true}}",
         "at #/patternProperties: this keyword stands here twice"},
        {"{\"properties\":[]}", "at #/properties: expected an object of schemas"},
        {"{\"allOf\":[]}", "at #/allOf: expected a list of schemas"},
        {"{\"anyOf\":{}}", "at #/anyOf: expected a list of schemas"},
        {"{\"dependentRequired\":{\"a\":1}}", "at #/dependentRequired/a: expected a list of names"},
        {"{\"$ref\":\"other.json\"}", "at #/$ref: only references within"},
        {"{\"$ref\":\"#/$defs/none\"}", "at #/$ref: there is nothing at #/$defs/none"},
        {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "at #/$schema: expected https://json-schema.org"},
        {"{\"properties\":{\"a\":{\"$id\":\"b\"}}}", "at #/properties/a/$id: an $id below"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        char problem[SCHEMA_WORDS_SIZE];

        arena_init(&arena);
        assert_null(json_schema_compile(&arena, slice_of(cases[i].schema), problem));
        if (strstr(problem, cases[i].problem) != problem)
            fail_msg("%s: '%s' does not say '%s'", cases[i].schema, problem, cases[i].problem);
        arena_reset(&arena);
    }
}

static void
bounds_its_work(void **state)
{
    struct buffer value = {0}, schema = {0};
    char why[SCHEMA_WORDS_SIZE];

    (void)state;
    assert_int_equal(judge("{\"$ref\":\"#\"}", SLICE_LITERAL("1"), why), SCHEMA_TOO_COSTLY);
    assert_int_equal(judge("{\"not\":{\"$ref\":\"#\"}}", SLICE_LITERAL("1"), why), SCHEMA_TOO_COSTLY);
    assert_int_equal(judge("{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", SLICE_LITERAL("1"), why),
                     SCHEMA_TOO_COSTLY);

    buffer_add_byte(&value, '[');
    for (unsigned i = 0; i < 20000; i++)
        buffer_printf(&value, "%s%u", i == 0 ? "" : ",", i);
    buffer_add_byte(&value, ']');
    assert_int_equal(judge("{\"uniqueItems\":true}", buffer_content(&value), why), SCHEMA_TOO_COSTLY);
    assert_int_equal(judge("{\"items\":{\"type\":\"integer\"}}", buffer_content(&value), why), SCHEMA_FITS);

    buffer_clear(&value);
    for (unsigned i = 0; i < 1000; i++)
        buffer_add_byte(&value, '[');
    for (unsigned i = 0; i < 1000; i++)
        buffer_add_byte(&value, ']');
    assert_int_equal(judge("{\"items\":{\"$ref\":\"#\"}}", buffer_content(&value), why), SCHEMA_TOO_COSTLY);

    buffer_add_text(&schema, "{\"const\":");
    buffer_add(&schema, buffer_content(&value));
    buffer_add_text(&schema, "}");
    buffer_add_byte(&schema, '\0');
    assert_int_equal(judge(schema.data, buffer_content(&value), why), SCHEMA_TOO_COSTLY);
    buffer_free(&schema);
    buffer_free(&value);
}

static void
schemas_may_not_be_too_deep(void **state)
{
    struct buffer schema = {0};
    struct arena arena;
    char problem[SCHEMA_WORDS_SIZE];

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        buffer_add_text(&schema, "{\"not\":");
    buffer_add_text(&schema, "true");
    for (unsigned i = 0; i < 100; i++)
        buffer_add_byte(&schema, '}');
    arena_init(&arena);
    assert_null(json_schema_compile(&arena, buffer_content(&schema), problem));
    assert_non_null(strstr(problem, "nested more than"));
    arena_reset(&arena);
    buffer_free(&schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keywords_mean_what_the_draft_says),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(bounds_its_work),
        cmocka_unit_test(schemas_may_not_be_too_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
