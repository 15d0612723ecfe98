#include "dialect/fingerprint.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/buffer.h"

enum { DEPTH_MOST = 200 };

/* Top-level members that change how an answer is sent, kept or billed, but not what it says. */
static bool
says_nothing(yyjson_val *key)
{
    static const char *const names[] = {
        "stream",           "stream_options",        "user", "metadata", "store", "service_tier", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (yyjson_equals_str(key, names[i]))
            return true;
    return false;
}

struct member {
    yyjson_val *key, *value;
};

static int
by_key(const void *a, const void *b)
{
    yyjson_val *x = ((const struct member *)a)->key, *y = ((const struct member *)b)->key;
    size_t len = yyjson_get_len(x) < yyjson_get_len(y) ? yyjson_get_len(x) : yyjson_get_len(y);
    int order = memcmp(yyjson_get_str(x), yyjson_get_str(y), len);

    return order != 0 ? order : yyjson_get_len(x) < yyjson_get_len(y) ? -1 : yyjson_get_len(x) > yyjson_get_len(y);
}

static enum status put_value(struct buffer *out, yyjson_val *value, unsigned depth);

static void
put_string(struct buffer *out, yyjson_val *text)
{
    buffer_add_byte(out, '"');
    buffer_add_json(out, slice_make(yyjson_get_str(text), yyjson_get_len(text)));
    buffer_add_byte(out, '"');
}

static enum status
put_object(struct buffer *out, yyjson_val *object, unsigned depth)
{
    size_t count = 0, i, most;
    struct member *members = must_calloc(yyjson_obj_size(object) + 1, sizeof(*members));
    yyjson_val *key, *value;
    enum status status = OK;

    yyjson_obj_foreach(object, i, most, key, value) if (depth > 0 || !says_nothing(key)) members[count++] =
        (struct member){key, value};
    qsort(members, count, sizeof(*members), by_key);
    buffer_add_byte(out, '{');
    for (i = 0; i < count && status == OK; i++) {
        put_string(out, members[i].key);
        buffer_add_byte(out, ':');
        status = put_value(out, members[i].value, depth + 1);
        buffer_add_byte(out, ',');
    }
    buffer_add_byte(out, '}');
    free(members);
    return status;
}

static enum status
put_array(struct buffer *out, yyjson_val *array, unsigned depth)
{
    enum status status = OK;
    size_t i, most;
    yyjson_val *value;

    buffer_add_byte(out, '[');
    yyjson_arr_foreach(array, i, most, value)
    {
        if (status == OK)
            status = put_value(out, value, depth + 1);
        buffer_add_byte(out, ',');
    }
    buffer_add_byte(out, ']');
    return status;
}

/* Numbers count as they are read: 1.0 and 1.00 are one, 1 and 1.0 are two. */
static enum status
put_scalar(struct buffer *out, yyjson_val *value)
{
    char *text = yyjson_val_write(value, YYJSON_WRITE_ALLOW_INF_AND_NAN, NULL);

    if (text == NULL)
        return ERR_INVALID;
    buffer_add_text(out, text);
    free(text);
    return OK;
}

static enum status
put_value(struct buffer *out, yyjson_val *value, unsigned depth)
{
    if (depth > DEPTH_MOST)
        return ERR_LIMIT;
    if (yyjson_is_obj(value))
        return put_object(out, value, depth);
    if (yyjson_is_arr(value))
        return put_array(out, value, depth);
    if (!yyjson_is_str(value))
        return put_scalar(out, value);
    put_string(out, value);
    return OK;
}

enum status
fingerprint_request(enum api api, struct slice tenant, struct slice body, struct digest *out)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct buffer canonical = {0};
    enum status status = ERR_INVALID;

    if (yyjson_is_obj(root)) {
        buffer_printf(&canonical, "%zu:", tenant.len);
        buffer_add(&canonical, tenant);
        buffer_printf(&canonical, "%s:", api_name(api));
        status = put_value(&canonical, root, 0);
    }
    if (status == OK)
        *out = hash_sha256(buffer_content(&canonical));
    buffer_free(&canonical);
    yyjson_doc_free(doc);
    return status;
}
