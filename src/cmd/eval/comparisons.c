#include "cmd/eval/comparisons.h"

#include <stdlib.h>

#include "base/json_lines.h"
#include "base/list.h"

static const char hint[] = "A line looks like {\"request\": \"...\", \"reference\": \"...\", \"candidate\": \"...\", "
                           "\"acceptable\": 1}, with 1 "
                           "where the candidate's answer is as acceptable as the reference's.";

struct reading {
    struct json_lines lines;
    struct comparisons *out;
};

struct slice
comparisons_text(const struct comparisons *comparisons, struct compared_text text)
{
    return slice_make(comparisons->texts.data + comparisons->texts.start + text.at, text.len);
}

static struct compared_text
keep(struct comparisons *out, struct slice text)
{
    struct compared_text kept = {buffer_len(&out->texts), text.len};

    buffer_add(&out->texts, text);
    return kept;
}

/* A text is what a user says; an object is a body already. */
static bool
take_request(struct comparisons *out, yyjson_val *request, struct compared_text *kept)
{
    size_t from = buffer_len(&out->texts), len = 0;
    char *json;

    if (yyjson_is_str(request)) {
        buffer_add_text(&out->texts, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
        buffer_add_json(&out->texts, json_lines_text(request));
        buffer_add_text(&out->texts, "\"}]}");
        *kept = (struct compared_text){from, buffer_len(&out->texts) - from};
        return true;
    }
    json = yyjson_is_obj(request) ? yyjson_val_write(request, YYJSON_WRITE_NOFLAG, &len) : NULL;
    if (json == NULL)
        return false;
    *kept = keep(out, slice_make(json, len));
    free(json);
    return true;
}

static bool
take_label(yyjson_val *label, float *out)
{
    if (yyjson_is_bool(label))
        *out = (float)yyjson_get_bool(label);
    else if (yyjson_is_num(label))
        *out = (float)yyjson_get_num(label);
    else
        return false;
    return *out >= 0 && *out <= 1;
}

static enum status
take(struct json_lines *lines, yyjson_val *root)
{
    struct reading *reading = CONTAINER_OF(lines, struct reading, lines);
    struct comparisons *out = reading->out;
    yyjson_val *reference = yyjson_obj_get(root, "reference"), *candidate = yyjson_obj_get(root, "candidate");
    yyjson_val *again = yyjson_obj_get(root, "again");
    struct labelled_comparison one = {.has_again = again != NULL};

    if (out->count == COMPARISONS_MOST)
        return json_lines_bad(lines, ERR_LIMIT, "there are more than 1,000,000 comparisons");
    if (!yyjson_is_str(reference) || !yyjson_is_str(candidate))
        return json_lines_bad(lines, ERR_INVALID, "expected reference and candidate, two texts");
    if (again != NULL && !yyjson_is_str(again))
        return json_lines_bad(lines, ERR_INVALID, "expected again to be a text");
    if (!take_label(yyjson_obj_get(root, "acceptable"), &one.acceptable))
        return json_lines_bad(lines, ERR_INVALID, "expected acceptable, true, false or a number from 0 to 1");
    if (!take_request(out, yyjson_obj_get(root, "request"), &one.request))
        return json_lines_bad(lines, ERR_INVALID, "expected request, a text or the body of a request");
    one.reference = keep(out, json_lines_text(reference));
    one.candidate = keep(out, json_lines_text(candidate));
    one.again = keep(out, json_lines_text(again));
    if (out->count == out->size) {
        out->size = out->size > 0 ? 2 * out->size : 256;
        out->all = must_realloc(out->all, out->size * sizeof(out->all[0]));
    }
    out->all[out->count++] = one;
    return OK;
}

enum status
comparisons_read(FILE *file, const char *name, struct problems *problems, struct comparisons *out)
{
    struct reading reading = {.lines = {.name = name, .hint = hint, .problems = problems, .take = take}, .out = out};
    enum status status;

    *out = (struct comparisons){.count = 0};
    status = json_lines_read(&reading.lines, file);
    if (status == OK && out->count == 0)
        status = json_lines_empty(&reading.lines, "it holds no comparisons");
    return status;
}

void
comparisons_free(struct comparisons *comparisons)
{
    free(comparisons->all);
    buffer_free(&comparisons->texts);
    *comparisons = (struct comparisons){.count = 0};
}
