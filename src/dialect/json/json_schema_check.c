#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dialect/json/json_schema_node.h"

/* A step is a keyword looked at, a value compared, or a step of a pattern. */
static const uint64_t work_most = 4000000;
enum { DEPTH_MOST = 256 };

struct checker {
    uint64_t work;
    unsigned depth;
    bool too_costly; /* what was found since then means nothing */
    char *why;
};

static bool check(struct checker *checker, const struct schema_node *node, yyjson_val *value);

static bool
spend(struct checker *checker)
{
    if (checker->work == 0)
        checker->too_costly = true;
    else
        checker->work--;
    return !checker->too_costly;
}

/* Looking a name up goes through the object. */
static bool
spend_lookup(struct checker *checker, yyjson_val *object)
{
    uint64_t size = yyjson_obj_size(object);

    if (checker->work < size)
        checker->too_costly = true;
    else
        checker->work -= size;
    return !checker->too_costly;
}

static bool
say(struct checker *checker, const struct schema_node *node, const char *keyword)
{
    snprintf(checker->why, SCHEMA_WORDS_SIZE, "%.200s%s%s", node->pointer, keyword[0] != '\0' ? "/" : "", keyword);
    return false;
}

static bool
finds(struct checker *checker, const struct pattern *pattern, yyjson_val *text)
{
    bool found = pattern_finds(pattern, slice_make(yyjson_get_str(text), yyjson_get_len(text)), &checker->work);

    checker->too_costly |= checker->work == 0;
    return found;
}

/* All of JSON's integers that are read as such, and all doubles, without loss. */
static long double
number_of(yyjson_val *value)
{
    if (yyjson_is_sint(value))
        return (long double)yyjson_get_sint(value);
    if (yyjson_is_uint(value))
        return (long double)yyjson_get_uint(value);
    return (long double)yyjson_get_real(value);
}

static bool
is_whole(yyjson_val *value)
{
    return yyjson_is_int(value) || (yyjson_is_real(value) && floor(yyjson_get_real(value)) == yyjson_get_real(value));
}

static bool same(struct checker *checker, yyjson_val *a, yyjson_val *b);

static bool
same_objects(struct checker *checker, yyjson_val *a, yyjson_val *b)
{
    size_t i, most;
    yyjson_val *name, *value;

    if (yyjson_obj_size(a) != yyjson_obj_size(b))
        return false;
    yyjson_obj_foreach(a, i, most, name, value)
    {
        yyjson_val *other;

        if (!spend_lookup(checker, b))
            return false;
        other = yyjson_obj_getn(b, yyjson_get_str(name), yyjson_get_len(name));
        if (other == NULL || !same(checker, value, other))
            return false;
    }
    return true;
}

static bool
same_arrays(struct checker *checker, yyjson_val *a, yyjson_val *b)
{
    yyjson_arr_iter other = yyjson_arr_iter_with(b);
    size_t i, most;
    yyjson_val *value;

    if (yyjson_arr_size(a) != yyjson_arr_size(b))
        return false;
    yyjson_arr_foreach(a, i, most, value) if (!same(checker, value, yyjson_arr_iter_next(&other))) return false;
    return true;
}

/* Equal as JSON Schema has it (core, 4.2.2): 1 is 1.0, an object's order is nothing. */
static bool
same(struct checker *checker, yyjson_val *a, yyjson_val *b)
{
    bool equal;

    if (!spend(checker))
        return false;
    if (yyjson_is_num(a) && yyjson_is_num(b))
        return number_of(a) == number_of(b);
    if (yyjson_get_type(a) != yyjson_get_type(b))
        return false;
    if (++checker->depth > DEPTH_MOST)
        checker->too_costly = true;
    equal = checker->too_costly ? false
            : yyjson_is_str(a)  ? yyjson_equals_strn(a, yyjson_get_str(b), yyjson_get_len(b))
            : yyjson_is_obj(a)  ? same_objects(checker, a, b)
            : yyjson_is_arr(a)  ? same_arrays(checker, a, b)
                                : yyjson_get_subtype(a) == yyjson_get_subtype(b);
    checker->depth--;
    return equal;
}

static unsigned
types_of(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return TYPE_NULL;
    case YYJSON_TYPE_BOOL:
        return TYPE_BOOLEAN;
    case YYJSON_TYPE_OBJ:
        return TYPE_OBJECT;
    case YYJSON_TYPE_ARR:
        return TYPE_ARRAY;
    case YYJSON_TYPE_NUM:
        return is_whole(value) ? TYPE_NUMBER | TYPE_INTEGER : TYPE_NUMBER;
    default:
        return TYPE_STRING;
    }
}

static bool
is_among(struct checker *checker, yyjson_val *list, yyjson_val *value)
{
    size_t i, most;
    yyjson_val *each;

    yyjson_arr_foreach(list, i, most, each) if (same(checker, each, value)) return true;
    return false;
}

static bool
check_value(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    if (node->types != 0 && (node->types & types_of(value)) == 0)
        return say(checker, node, "type");
    if (node->constant != NULL && !same(checker, node->constant, value))
        return say(checker, node, "const");
    if (node->enumeration != NULL && !is_among(checker, node->enumeration, value))
        return say(checker, node, "enum");
    return true;
}

/* Decimal fractions have no exact double: a quotient that is whole but for the last digits is whole. */
static bool
is_multiple(yyjson_val *value, yyjson_val *of)
{
    long double quotient = number_of(value) / number_of(of), whole = roundl(quotient);

    if (yyjson_is_int(value) && yyjson_is_int(of))
        return fmodl(number_of(value), number_of(of)) == 0;
    return isfinite(quotient) && fabsl(quotient - whole) <= 1e-12L * fmaxl(1.0L, fabsl(whole));
}

static bool
check_number(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    long double number = number_of(value);

    if (node->minimum != NULL && number < number_of(node->minimum))
        return say(checker, node, "minimum");
    if (node->maximum != NULL && number > number_of(node->maximum))
        return say(checker, node, "maximum");
    if (node->exclusive_minimum != NULL && number <= number_of(node->exclusive_minimum))
        return say(checker, node, "exclusiveMinimum");
    if (node->exclusive_maximum != NULL && number >= number_of(node->exclusive_maximum))
        return say(checker, node, "exclusiveMaximum");
    if (node->multiple_of != NULL && !is_multiple(value, node->multiple_of))
        return say(checker, node, "multipleOf");
    return true;
}

/* Code points: what does not go on with one that has begun (RFC 3629, 3). */
static size_t
length_of(yyjson_val *text)
{
    const char *data = yyjson_get_str(text);
    size_t count = 0;

    for (size_t i = 0; i < yyjson_get_len(text); i++)
        count += ((unsigned char)data[i] & 0xc0) != 0x80;
    return count;
}

static bool
check_text(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    size_t length = node->least_length > 0 || node->most_length < SIZE_MAX ? length_of(value) : 0;

    if (length < node->least_length)
        return say(checker, node, "minLength");
    if (length > node->most_length)
        return say(checker, node, "maxLength");
    if (node->pattern != NULL && !finds(checker, node->pattern, value))
        return say(checker, node, "pattern");
    return true;
}

/* Arrays */

static bool
check_unique(struct checker *checker, yyjson_val *array)
{
    size_t i, most;
    yyjson_val *value;

    yyjson_arr_foreach(array, i, most, value)
    {
        yyjson_arr_iter others = yyjson_arr_iter_with(array);

        for (size_t k = 0; k < i; k++)
            if (same(checker, value, yyjson_arr_iter_next(&others)))
                return false;
        if (checker->too_costly)
            return false;
    }
    return true;
}

/* What does not fit is no fault here, and leaves no words. */
static bool
fits_quietly(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    char words[SCHEMA_WORDS_SIZE], *why = checker->why;
    bool fits;

    checker->why = words;
    fits = check(checker, node, value);
    checker->why = why;
    return fits;
}

static bool
check_contains(struct checker *checker, const struct schema_node *node, yyjson_val *array)
{
    size_t i, most, count = 0;
    yyjson_val *value;

    yyjson_arr_foreach(array, i, most, value) count += fits_quietly(checker, node->contains, value);
    if (count < node->least_contains)
        return say(checker, node, node->least_contains == 1 ? "contains" : "minContains");
    return count <= node->most_contains || say(checker, node, "maxContains");
}

static bool
check_array(struct checker *checker, const struct schema_node *node, yyjson_val *array)
{
    size_t i, most, count = yyjson_arr_size(array);
    yyjson_val *value;

    if (count < node->least_items)
        return say(checker, node, "minItems");
    if (count > node->most_items)
        return say(checker, node, "maxItems");
    yyjson_arr_foreach(array, i, most, value)
    {
        const struct schema_node *item = i < node->prefix_items.count ? node->prefix_items.all[i] : node->items;

        if (item != NULL && !check(checker, item, value))
            return false;
    }
    if (node->contains != NULL && !check_contains(checker, node, array))
        return false;
    return !node->unique_items || check_unique(checker, array) || say(checker, node, "uniqueItems");
}

/* Objects */

static bool
has(struct checker *checker, yyjson_val *object, struct slice name)
{
    return spend_lookup(checker, object) && yyjson_obj_getn(object, name.data, name.len) != NULL;
}

static bool
has_all(struct checker *checker, yyjson_val *object, const struct schema_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (!has(checker, object, names->all[i]))
            return false;
    return true;
}

static bool
check_dependences(struct checker *checker, const struct schema_node *node, yyjson_val *object)
{
    for (size_t i = 0; i < node->dependence_count; i++)
        if (has(checker, object, node->dependences[i].name) && !has_all(checker, object, &node->dependences[i].others))
            return say(checker, node, "dependentRequired");
    for (size_t i = 0; i < node->dependent_schemas.count; i++) {
        const struct schema_entry *entry = &node->dependent_schemas.all[i];

        if (has(checker, object, entry->name) && !check(checker, entry->node, object))
            return false;
    }
    return true;
}

static bool
check_property(struct checker *checker, const struct schema_node *node, yyjson_val *name, yyjson_val *value)
{
    bool named = false;

    if (node->property_names != NULL && !check(checker, node->property_names, name))
        return false;
    for (size_t i = 0; i < node->properties.count; i++) {
        const struct schema_entry *entry = &node->properties.all[i];

        if (!spend(checker))
            return false;
        if (!yyjson_equals_strn(name, entry->name.data, entry->name.len))
            continue;
        named = true;
        if (!check(checker, entry->node, value))
            return false;
    }
    for (size_t i = 0; i < node->pattern_properties.count; i++) {
        const struct schema_entry *entry = &node->pattern_properties.all[i];

        if (!finds(checker, entry->pattern, name))
            continue;
        named = true;
        if (!check(checker, entry->node, value))
            return false;
    }
    if (named || node->additional_properties == NULL)
        return true;
    return check(checker, node->additional_properties, value);
}

static bool
check_object(struct checker *checker, const struct schema_node *node, yyjson_val *object)
{
    size_t i, most, count = yyjson_obj_size(object);
    yyjson_val *name, *value;

    if (count < node->least_properties)
        return say(checker, node, "minProperties");
    if (count > node->most_properties)
        return say(checker, node, "maxProperties");
    if (!has_all(checker, object, &node->required))
        return say(checker, node, "required");
    yyjson_obj_foreach(object, i, most, name, value) if (!check_property(checker, node, name, value)) return false;
    return check_dependences(checker, node, object);
}

/* Schemas of schemas */

static size_t
count_fitting(struct checker *checker, const struct schema_list *list, yyjson_val *value, size_t enough)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count && count < enough; i++)
        count += fits_quietly(checker, list->all[i], value);
    return count;
}

static bool
check_combined(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    for (size_t i = 0; i < node->all_of.count; i++)
        if (!check(checker, node->all_of.all[i], value))
            return false;
    if (node->any_of.count > 0 && count_fitting(checker, &node->any_of, value, 1) == 0)
        return say(checker, node, "anyOf");
    if (node->one_of.count > 0 && count_fitting(checker, &node->one_of, value, 2) != 1)
        return say(checker, node, "oneOf");
    if (node->negated != NULL && fits_quietly(checker, node->negated, value))
        return say(checker, node, "not");
    if (node->condition != NULL) {
        const struct schema_node *then =
            fits_quietly(checker, node->condition, value) ? node->consequence : node->alternative;

        if (then != NULL && !check(checker, then, value))
            return false;
    }
    return node->reference == NULL || check(checker, node->reference, value);
}

static bool
check_by_type(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    return yyjson_is_num(value)   ? check_number(checker, node, value)
           : yyjson_is_str(value) ? check_text(checker, node, value)
           : yyjson_is_arr(value) ? check_array(checker, node, value)
           : yyjson_is_obj(value) ? check_object(checker, node, value)
                                  : true;
}

static bool
check(struct checker *checker, const struct schema_node *node, yyjson_val *value)
{
    bool fits;

    if (++checker->depth > DEPTH_MOST)
        checker->too_costly = true;
    if (checker->too_costly || !spend(checker))
        fits = false;
    else if (node->refuses_all)
        fits = say(checker, node, "");
    else
        fits = check_value(checker, node, value) && check_by_type(checker, node, value) &&
               check_combined(checker, node, value);
    checker->depth--;
    return fits;
}

enum schema_verdict
json_schema_check(const struct json_schema *schema, yyjson_val *value, char why[SCHEMA_WORDS_SIZE])
{
    struct checker checker = {.work = work_most, .why = why};
    bool fits = check(&checker, schema->root, value);

    if (checker.too_costly) {
        snprintf(why, SCHEMA_WORDS_SIZE, "the value is too large or too deep for this schema");
        return SCHEMA_TOO_COSTLY;
    }
    return fits ? SCHEMA_FITS : SCHEMA_FITS_NOT;
}
