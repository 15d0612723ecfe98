/* The scanner of raw spans against yyjson: whatever the document and its white space, both see the same members, and each
 * span alone parses to the value that yyjson has in that place. */
#include "dialect/json/json.h"

#include <yyjson.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "cmocka_ready.h"

static void
put_blank(struct buffer *out, struct rng *rng)
{
    while (rng_below(rng, 3) == 0)
        buffer_add_byte(out, " \t\r\n"[rng_below(rng, 4)]);
}

/* Texts full of what could mislead a scanner. */
static void
put_text(struct buffer *out, struct rng *rng)
{
    static const char *const parts[] = {"\\\"", "\\\\", "\\\\\\\"",       "{", "}",  "[", "]", ",", ":", "\\u0022",
                                        "a",    "é",    "\\ud83d\\ude00", " ", "\\n"};

    buffer_add_byte(out, '"');
    while (rng_below(rng, 4) > 0)
        buffer_add_text(out, parts[rng_below(rng, sizeof(parts) / sizeof(parts[0]))]);
    buffer_add_byte(out, '"');
}

static void
put_value(struct buffer *out, struct rng *rng, unsigned depth)
{
    static const char *const plain[] = {"0", "-1.5e+10", "12345678901234567890", "true", "false", "null", "{}", "[]"};
    uint64_t kind = rng_below(rng, depth == 0 ? 2 : 4);
    bool object = kind == 2;

    if (kind == 0) {
        put_text(out, rng);
    } else if (kind == 1) {
        buffer_add_text(out, plain[rng_below(rng, 8)]);
    } else {
        buffer_add_byte(out, object ? '{' : '[');
        put_blank(out, rng);
        for (uint64_t i = 0, count = rng_below(rng, 5); i < count; i++) {
            if (object) {
                put_text(out, rng);
                put_blank(out, rng);
                buffer_add_byte(out, ':');
                put_blank(out, rng);
            }
            put_value(out, rng, depth - 1);
            put_blank(out, rng);
            if (i + 1 < count)
                buffer_add_byte(out, ',');
            put_blank(out, rng);
        }
        buffer_add_byte(out, object ? '}' : ']');
    }
}

static unsigned compare(struct slice raw, yyjson_val *value);

static unsigned
compare_object(struct slice raw, yyjson_val *value)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    struct json_member member;
    unsigned compared = 0;
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        yyjson_doc *doc;

        assert_true(json_next_member(&raw, &member));
        doc = yyjson_read(member.key.data - 1, member.key.len + 2, YYJSON_READ_NOFLAG); /* with its quotes */
        assert_non_null(doc);
        assert_true(yyjson_equals(yyjson_doc_get_root(doc), key));
        yyjson_doc_free(doc);
        compared += compare(member.value, yyjson_obj_iter_get_val(key));
    }
    assert_false(json_next_member(&raw, &member));
    return compared;
}

/* How many values were compared. */
static unsigned
compare(struct slice raw, yyjson_val *value)
{
    yyjson_doc *doc = yyjson_read(raw.data, raw.len, YYJSON_READ_NOFLAG);
    struct slice element;
    unsigned compared = 1;
    yyjson_val *item;
    size_t i, most;

    assert_non_null(doc);
    assert_true(yyjson_equals(yyjson_doc_get_root(doc), value));
    assert_int_equal(slice_trim(raw).len, raw.len);
    yyjson_doc_free(doc);
    if (yyjson_is_obj(value))
        return compared + compare_object(raw, value);
    if (!yyjson_is_arr(value))
        return compared;
    yyjson_arr_foreach(value, i, most, item)
    {
        assert_true(json_next_element(&raw, &element));
        compared += compare(element, item);
    }
    assert_false(json_next_element(&raw, &element));
    return compared;
}

static void
spans_are_what_yyjson_sees(void **state)
{
    unsigned compared = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 8);
    for (int round = 0; round < 3000; round++) {
        struct buffer text = {0};
        yyjson_doc *doc;

        put_value(&text, &rng, 6);
        doc = yyjson_read(text.data, buffer_len(&text), YYJSON_READ_NOFLAG);
        assert_non_null(doc);
        compared += compare(buffer_content(&text), yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        buffer_free(&text);
    }
    assert_true(compared > 10000);
}

static void
members_by_name(void **state)
{
    struct slice object = SLICE_LITERAL(" { \"a\" : { \"b\":1 } , \"b\" : [ 2 ] ,\"c\":\"}\" }");

    (void)state;
    assert_true(slice_is(json_member_value(object, "a"), "{ \"b\":1 }"));
    assert_true(slice_is(json_member_value(object, "b"), "[ 2 ]"));
    assert_true(slice_is(json_member_value(object, "c"), "\"}\""));
    assert_null(json_member_value(object, "d").data);
    assert_null(json_member_value(SLICE_LITERAL("{ }"), "a").data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_what_yyjson_sees),
        cmocka_unit_test(members_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
