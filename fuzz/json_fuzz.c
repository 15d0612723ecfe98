/* The scanner of raw spans against yyjson: of any text that yyjson takes, both see the same members and elements, and
 * each span alone parses to the value that yyjson has in that place. */
#include "dialect/json/json.h"

enum { DEEPEST = 30, LONGEST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_parses_to(struct slice raw, yyjson_val *value)
{
    yyjson_doc *doc = yyjson_read(raw.data, raw.len, YYJSON_READ_NOFLAG);

    ENSURE(doc != NULL && yyjson_equals(yyjson_doc_get_root(doc), value));
    yyjson_doc_free(doc);
}

static void check(struct slice raw, yyjson_val *value, unsigned depth);

static void
check_object(struct slice raw, yyjson_val *value, unsigned depth)
{
    struct json_member member;
    size_t i, most;
    yyjson_val *key, *item;

    yyjson_obj_foreach(value, i, most, key, item)
    {
        ENSURE(json_next_member(&raw, &member));
        check_parses_to(slice_make(member.key.data - 1, member.key.len + 2), key);
        check(member.value, item, depth + 1);
    }
    ENSURE(!json_next_member(&raw, &member));
}

static void
check_array(struct slice raw, yyjson_val *value, unsigned depth)
{
    struct slice element;
    size_t i, most;
    yyjson_val *item;

    yyjson_arr_foreach(value, i, most, item)
    {
        ENSURE(json_next_element(&raw, &element));
        check(element, item, depth + 1);
    }
    ENSURE(!json_next_element(&raw, &element));
}

static void
check(struct slice raw, yyjson_val *value, unsigned depth)
{
    if (depth > DEEPEST)
        return;
    check_parses_to(raw, value);
    if (yyjson_is_obj(value))
        check_object(raw, value, depth);
    else if (yyjson_is_arr(value))
        check_array(raw, value, depth);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct json_scratch scratch;
    yyjson_doc *strict = size <= LONGEST ? json_parse(text, &scratch, NULL) : NULL;
    struct json_scratch other;
    yyjson_doc *lenient = strict != NULL ? json_parse_lenient(text, false, &other) : NULL;

    if (strict != NULL) {
        ENSURE(lenient != NULL && yyjson_equals(yyjson_doc_get_root(strict), yyjson_doc_get_root(lenient)));
        check(slice_trim(text), yyjson_doc_get_root(strict), 0);
    }
    yyjson_doc_free(strict);
    yyjson_doc_free(lenient);
    return 0;
}
