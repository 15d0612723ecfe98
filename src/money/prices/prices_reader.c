/* Members, matches and problems with their places. */
#include "money/prices/prices_reader.h"

enum { CLAUSE_DEPTH_MOST = 16 };

struct place
reader_place_at(struct reader *r, size_t offset)
{
    if (offset < r->line_at) {
        r->line_at = r->line_start = 0;
        r->line = 1;
    }
    for (; r->line_at < offset; r->line_at++) {
        if (r->json.data[r->line_at] == '\n') {
            r->line++;
            r->line_start = r->line_at + 1;
        }
    }
    return (struct place){(unsigned)r->line, (unsigned)(offset - r->line_start + 1)};
}

struct place
reader_place(struct reader *r, yyjson_val *value)
{
    const char *at = yyjson_is_str(value) ? yyjson_get_str(value) : yyjson_is_raw(value) ? yyjson_get_raw(value) : NULL;

    if (at == NULL || at < r->text || at > r->text + r->json.len)
        return (struct place){0, 0};
    return reader_place_at(r, (size_t)(at - r->text));
}

void
reader_complain(struct reader *r, enum severity severity, yyjson_val *where, const char *what, const char *hint)
{
    struct place place = reader_place(r, where);
    struct problem problem = {
        .severity = severity, .file = r->file, .line = place.line, .column = place.column, .hint = hint};

    problems_add(r->problems, problem, "%s%s%s", r->owner != NULL ? r->owner : "", r->owner != NULL ? ": " : "", what);
}

enum status
reader_refuse(struct reader *r, yyjson_val *where, const char *what)
{
    reader_complain(r, PROBLEM_ERROR, where, what, NULL);
    return ERR_INVALID;
}

/* Members */

struct slice
reader_text(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_make(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_NONE;
}

struct slice
reader_raw(yyjson_val *value)
{
    return yyjson_is_raw(value) ? slice_make(yyjson_get_raw(value), yyjson_get_len(value)) : SLICE_NONE;
}

/* A text that must be there. */
enum status
reader_take_text(struct reader *r, yyjson_val *object, const char *name, const char **out)
{
    struct slice text = reader_text(yyjson_obj_get(object, name));

    if (text.len == 0)
        return reader_refuse(r, yyjson_obj_get(object, name),
                             READER_SAY(r, "\"%s\" must be a text that is not empty", name));
    *out = arena_slice_text(&r->book->arena, text);
    return OK;
}

const char *
reader_maybe_text(struct reader *r, yyjson_val *object, const char *name)
{
    struct slice text = reader_text(yyjson_obj_get(object, name));

    return text.data != NULL ? arena_slice_text(&r->book->arena, text) : NULL;
}

enum status
reader_number(yyjson_val *value, int64_t *out)
{
    wide_int number;
    enum status status = ERR_INVALID;

    if (yyjson_is_raw(value))
        status = wide_parse_decimal(reader_raw(value), 0, false, &number);
    if (status != OK || number < 0 || number > USAGE_COUNT_MOST)
        return ERR_INVALID;
    *out = (int64_t)number;
    return OK;
}

/* Clauses */

static enum status
read_clauses(struct reader *r, yyjson_val *list, unsigned depth, struct clause *out)
{
    yyjson_val *item;
    size_t index, count;

    if (!yyjson_is_arr(list))
        return reader_refuse(r, list, "\"or\" and \"and\" in a match want a list of matches");
    out->parts = arena_alloc(&r->book->arena, yyjson_arr_size(list) * sizeof *out->parts);
    yyjson_arr_foreach(list, index, count, item)
    {
        enum status status = reader_clause(r, item, depth + 1, &out->parts[out->part_count]);

        if (status != OK)
            return status;
        out->part_count++;
    }
    return OK;
}

static void
read_regex(struct reader *r, yyjson_val *value, struct clause *out)
{
    out->regex = prices_compile_regex(r->book, reader_text(value), false);
    if (out->regex != NULL)
        return;
    out->kind = CLAUSE_NEVER;
    reader_complain(r, PROBLEM_WARNING, value, "this regular expression is not understood and never matches",
                    "Use groups, classes, \\d, \\w, \\s and small repeats; no look-around, no back-references.");
}

static bool
clause_kind_of(struct slice name, enum clause_kind *out)
{
    static const struct {
        const char *name;
        enum clause_kind kind;
    } kinds[] = {{"equals", CLAUSE_EQUALS},     {"starts_with", CLAUSE_STARTS}, {"ends_with", CLAUSE_ENDS},
                 {"contains", CLAUSE_CONTAINS}, {"regex", CLAUSE_REGEX},        {"or", CLAUSE_ANY_OF},
                 {"and", CLAUSE_ALL_OF}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(name, kinds[i].name)) {
            *out = kinds[i].kind;
            return true;
        }
    }
    return false;
}

enum status
reader_clause(struct reader *r, yyjson_val *value, unsigned depth, struct clause *out)
{
    yyjson_obj_iter members;
    yyjson_val *name, *operand;

    *out = (struct clause){0};
    if (depth > CLAUSE_DEPTH_MOST)
        return reader_refuse(r, value, "matches are nested too deep");
    if (!yyjson_obj_iter_init(value, &members) || (name = yyjson_obj_iter_next(&members)) == NULL)
        return reader_refuse(r, value, "a match must be an object such as {\"equals\": \"gpt-5\"}");
    operand = yyjson_obj_iter_get_val(name);
    if (!clause_kind_of(reader_text(name), &out->kind)) {
        reader_complain(r, PROBLEM_WARNING, name, "this kind of match is not known and never matches",
                        "Known are equals, starts_with, ends_with, contains, regex, or, and.");
        return OK;
    }
    if (out->kind == CLAUSE_ANY_OF || out->kind == CLAUSE_ALL_OF)
        return read_clauses(r, operand, depth, out);
    if (!yyjson_is_str(operand))
        return reader_refuse(r, name, "a match wants a text");
    if (out->kind == CLAUSE_REGEX)
        read_regex(r, operand, out);
    else
        out->text = prices_lower(&r->book->arena, reader_text(operand));
    return OK;
}

enum status
reader_maybe_clause(struct reader *r, yyjson_val *object, const char *name, bool *has, struct clause *out)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    *has = value != NULL && !yyjson_is_null(value);
    return *has ? reader_clause(r, value, 0, out) : OK;
}
