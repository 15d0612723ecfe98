#include "base/json_lines.h"

#include <errno.h>
#include <string.h>

enum { LINE_MOST = 1024 * 1024 };

enum status
json_lines_bad(struct json_lines *lines, enum status status, const char *what)
{
    struct problem where = {.file = lines->name, .line = lines->lines.number, .elsewhere = true};

    where.hint = status == ERR_INVALID ? lines->hint : NULL;
    problems_add(lines->problems, where, "%s", what);
    return status;
}

enum status
json_lines_empty(struct json_lines *lines, const char *what)
{
    problems_add(lines->problems, (struct problem){.file = lines->name, .hint = lines->hint, .elsewhere = true}, "%s",
                 what);
    return ERR_INVALID;
}

struct slice
json_lines_text(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_make(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_LITERAL("");
}

static enum status
take_line(struct json_lines *lines, struct slice line)
{
    yyjson_read_err error = {0};
    yyjson_doc *doc;
    yyjson_val *root;
    enum status status;

    if (slice_trim(line).len == 0)
        return OK;
    doc = yyjson_read_opts((char *)line.data, line.len, YYJSON_READ_NOFLAG, NULL, &error);
    if (doc == NULL)
        return json_lines_bad(lines, ERR_INVALID, error.msg != NULL ? error.msg : "this is not JSON");
    root = yyjson_doc_get_root(doc);
    status =
        yyjson_is_obj(root) ? lines->take(lines, root) : json_lines_bad(lines, ERR_INVALID, "expected a JSON object");
    yyjson_doc_free(doc);
    return status;
}

static enum status
read_all(struct json_lines *lines)
{
    struct slice line;
    enum status status;

    while ((status = text_lines_next(&lines->lines, &line)) == OK)
        if ((status = take_line(lines, line)) != OK)
            return status;
    if (status == ERR_IO)
        return json_lines_bad(lines, status, strerror(errno));
    if (status == ERR_CORRUPT)
        return json_lines_bad(lines, status, "what is compressed is damaged or cut off");
    if (status == ERR_LIMIT)
        return json_lines_bad(lines, status, "the line is longer than 1 MiB");
    return OK;
}

enum status
json_lines_read(struct json_lines *lines, FILE *file)
{
    enum status status;

    text_lines_init(&lines->lines, file, LINE_MOST);
    status = read_all(lines);
    text_lines_free(&lines->lines);
    return status;
}
