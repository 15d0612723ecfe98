#include "dialect/json/json.h"

static yyjson_doc *
parse(struct slice text, yyjson_read_flag flags, struct json_scratch *scratch, yyjson_read_err *error)
{
    yyjson_alc pool;
    bool small = yyjson_read_max_memory_usage(text.len, flags) <= sizeof(scratch->bytes) &&
                 yyjson_alc_pool_init(&pool, scratch->bytes, sizeof(scratch->bytes));

    /* Without INSITU yyjson does not write to the text. */
    return yyjson_read_opts((char *)(uintptr_t)text.data, text.len, flags, small ? &pool : NULL, error);
}

yyjson_doc *
json_parse(struct slice text, struct json_scratch *scratch, yyjson_read_err *error)
{
    return parse(text, YYJSON_READ_NOFLAG, scratch, error);
}

yyjson_doc *
json_parse_exact(struct slice text, struct json_scratch *scratch)
{
    return parse(text, YYJSON_READ_BIGNUM_AS_RAW, scratch, NULL);
}

yyjson_doc *
json_parse_lenient(struct slice text, bool only_first, struct json_scratch *scratch)
{
    yyjson_read_flag flags = YYJSON_READ_ALLOW_INVALID_UNICODE | YYJSON_READ_ALLOW_INF_AND_NAN;

    return parse(text, only_first ? flags | YYJSON_READ_STOP_WHEN_DONE : flags, scratch, NULL);
}

void
json_copy_word(yyjson_val *value, char *out, size_t size)
{
    size_t len = yyjson_get_len(value);

    if (!yyjson_is_str(value))
        return;
    if (len >= size)
        len = size - 1;
    memcpy(out, yyjson_get_str(value), len);
    out[len] = '\0';
}

static struct slice
skip_blank(struct slice text)
{
    size_t at = 0;

    while (at < text.len &&
           (text.data[at] == ' ' || text.data[at] == '\t' || text.data[at] == '\r' || text.data[at] == '\n'))
        at++;
    return slice_from(text, at);
}

/* The length of the string at the front, quotes included. */
static size_t
string_len(struct slice text)
{
    size_t at = 1;

    for (;;) {
        const char *quote = memchr(text.data + at, '"', text.len - at);
        size_t end, escapes = 0;

        ENSURE(quote != NULL); /* the text is valid */
        end = (size_t)(quote - text.data);
        while (text.data[end - 1 - escapes] == '\\')
            escapes++;
        at = end + 1;
        if (escapes % 2 == 0)
            return at;
    }
}

/* The length of the value at the front, whatever it is; *deepest: how many brackets stand within each other. */
static size_t
value_len(struct slice text, size_t *deepest)
{
    size_t depth = 0, at = 0;

    *deepest = 0;
    while (at < text.len) {
        char c = text.data[at];

        if (c == '"') {
            at += string_len(slice_from(text, at));
            if (depth == 0)
                return at;
            continue;
        }
        if (c == '{' || c == '[') {
            if (++depth > *deepest)
                *deepest = depth;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return at; /* the end of a number or word that stood last in its object */
            if (--depth == 0)
                return at + 1;
        } else if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            return at;
        }
        at++;
    }
    return at;
}

/* Behind the opening bracket or the comma, at the next item; false at the closing bracket. */
static bool
next_item(struct slice *rest)
{
    struct slice text = skip_blank(*rest);

    ENSURE(text.len > 0);
    if (text.data[0] == '{' || text.data[0] == '[' || text.data[0] == ',')
        text = skip_blank(slice_from(text, 1));
    *rest = text;
    return text.len > 0 && text.data[0] != '}' && text.data[0] != ']';
}

static struct slice
take_value(struct slice *rest, size_t *depth)
{
    struct slice value = slice_first(*rest, value_len(*rest, depth));

    *rest = skip_blank(slice_from(*rest, value.len));
    return value;
}

bool
json_next_member(struct slice *rest, struct json_member *out)
{
    size_t len;

    if (!next_item(rest))
        return false;
    len = string_len(*rest);
    out->key = slice_make(rest->data + 1, len - 2);
    *rest = skip_blank(slice_from(*rest, len));
    ENSURE(rest->len > 0 && rest->data[0] == ':');
    *rest = skip_blank(slice_from(*rest, 1));
    out->value = take_value(rest, &out->depth);
    return true;
}

/* An element that is itself an array or object must not be taken for the opening of the array we walk: the caller's
 * *rest starts at the array's '[' and afterwards at ',' or ']'. */
bool
json_next_element(struct slice *rest, struct slice *out)
{
    size_t depth;

    if (!next_item(rest))
        return false;
    *out = take_value(rest, &depth);
    return true;
}

struct slice
json_member_value(struct slice object, const char *key)
{
    struct json_member member;

    while (json_next_member(&object, &member))
        if (slice_is(member.key, key))
            return member.value;
    return SLICE_NONE;
}
