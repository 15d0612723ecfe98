#include "config/found.h"

#include <stdlib.h>
#include <yyjson.h>

#include "config/value.h"

static enum status
refuse(struct arena *arena, const char **why, const char *words, struct slice what)
{
    *why = arena_printf(arena, "%s%s%.*s%s", words, what.len > 0 ? " '" : "", (int)slice_first(what, 80).len,
                        what.data != NULL ? what.data : "", what.len > 0 ? "'" : "");
    return ERR_INVALID;
}

static enum status
add_url(struct arena *arena, struct found *out, struct slice text, const char **why)
{
    struct value_url url;
    const char *wrong;

    if (value_url(text, &url, &wrong) != OK)
        return refuse(arena, why, arena_printf(arena, "%s:", wrong), text);
    if (out->count == FOUND_MOST) {
        *why = "more than 1,024 replicas";
        return ERR_LIMIT;
    }
    out->urls[out->count++] = arena_slice_text(arena, text);
    return OK;
}

static enum status
parse_lines(struct slice text, struct arena *arena, struct found *out, const char **why)
{
    enum status status = OK;

    while (status == OK && text.data != NULL) {
        struct slice line = slice_split(&text, '\n');

        line = slice_trim(slice_first(line, slice_find_byte(line, '#')));
        if (line.len > 0)
            status = add_url(arena, out, line, why);
    }
    return status;
}

static enum status
parse_json(struct slice text, struct arena *arena, struct found *out, const char **why)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_is_obj(root) ? yyjson_obj_get(root, "replicas") : root;
    yyjson_val *each;
    enum status status = OK;
    size_t i, most;

    if (!yyjson_is_arr(list))
        status =
            refuse(arena, why, doc == NULL ? "it is not JSON" : "expected a list of URLs, or `replicas`", SLICE_NONE);
    yyjson_arr_foreach(list, i, most, each)
    {
        yyjson_val *url = yyjson_is_obj(each) ? yyjson_obj_get(each, "url") : each;

        if (status == OK && !yyjson_is_str(url))
            status = refuse(arena, why, "expected URLs, or objects with a `url`", SLICE_NONE);
        if (status == OK)
            status = add_url(arena, out, slice_make(yyjson_get_str(url), yyjson_get_len(url)), why);
    }
    yyjson_doc_free(doc);
    return status;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
sort(struct found *out)
{
    size_t kept = 0;

    qsort(out->urls, out->count, sizeof(out->urls[0]), compare);
    for (size_t i = 0; i < out->count; i++)
        if (i == 0 || strcmp(out->urls[i], out->urls[kept - 1]) != 0)
            out->urls[kept++] = out->urls[i];
    out->count = kept;
}

enum status
found_parse(struct slice text, struct arena *arena, struct found *out, const char **why)
{
    struct slice start = slice_trim(text);
    bool json = start.len > 0 && (start.data[0] == '[' || start.data[0] == '{');
    enum status status;

    *out = (struct found){.urls = arena_alloc(arena, FOUND_MOST * sizeof(out->urls[0]))};
    status = json ? parse_json(start, arena, out, why) : parse_lines(start, arena, out, why);
    if (status == OK && out->count == 0)
        status = refuse(arena, why, "it has no replica", SLICE_NONE);
    if (status == OK)
        sort(out);
    return status;
}

static enum status
read_file(const struct discover_config *discover, const struct config_outside *outside, struct arena *arena,
          struct found *out, const char **why)
{
    struct buffer text = {0};
    const char *wrong = NULL;
    enum status status = outside->read_file(discover->file, FOUND_FILE_BYTES_MOST, &text);

    if (status != OK)
        *why = arena_printf(arena, "%s cannot be read: %s", discover->file, status_text(status));
    else
        status = found_parse(buffer_content(&text), arena, out, &wrong);
    if (wrong != NULL)
        *why = arena_printf(arena, "%s: %s", discover->file, wrong);
    buffer_free(&text);
    return status;
}

enum { PORT_OF_NOBODY = 80 };

static enum status
resolve(const struct discover_config *discover, const struct config_outside *outside, bool hurried, struct arena *arena,
        struct found *out, const char **why)
{
    struct config_name name = {discover->dns_host, discover->resolver, discover->dns_port == 0, hurried, &out->silent};
    struct config_place *places = arena_alloc(arena, FOUND_MOST * sizeof(places[0]));
    const char *scheme = discover->server_name != NULL ? "https" : "http";
    unsigned usual = discover->dns_port != 0 ? discover->dns_port : PORT_OF_NOBODY;

    out->silent = false;
    out->urls = arena_alloc(arena, FOUND_MOST * sizeof(out->urls[0]));
    if (outside->resolve == NULL) {
        out->urls[0] = arena_printf(arena, "%s://%s:%u", scheme, name.host, usual);
        out->count = 1;
        return OK;
    }
    out->count = outside->resolve(&name, arena, places, FOUND_MOST, why);
    if (out->count == 0)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < out->count; i++)
        out->urls[i] = arena_printf(arena, strchr(places[i].address, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u",
                                    scheme, places[i].address, places[i].port != 0 ? places[i].port : usual);
    sort(out);
    return OK;
}

enum status
found_read(const struct discover_config *discover, const struct config_outside *outside, bool hurried,
           struct arena *arena, struct found *out, const char **why)
{
    if (discover->file != NULL)
        return read_file(discover, outside, arena, out, why);
    return resolve(discover, outside, hurried, arena, out, why);
}

bool
found_equal(const struct found *a, const struct found *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->urls[i], b->urls[i]) != 0)
            return false;
    return true;
}
