#define _GNU_SOURCE /* vasprintf */
#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/text.h"

void
problems_init(struct problems *problems)
{
    *problems = (struct problems){0};
}

void
problems_free(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free((char *)(uintptr_t)problems->all[i].file);
        free((char *)(uintptr_t)problems->all[i].text);
        free((char *)(uintptr_t)problems->all[i].hint);
    }
    free(problems->all);
    problems_init(problems);
}

static char *
format_text(const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);

    ENSURE(len >= 0);
    return text;
}

void
problems_add(struct problems *problems, struct problem where, const char *format, ...)
{
    va_list args;

    if (problems->count == problems->size) {
        problems->size = problems->size != 0 ? problems->size * 2 : 8;
        problems->all = must_realloc(problems->all, problems->size * sizeof(struct problem));
    }
    va_start(args, format);
    where.text = format_text(format, args);
    va_end(args);
    where.file = where.file != NULL ? must_strdup(where.file) : NULL;
    where.hint = where.hint != NULL ? must_strdup(where.hint) : NULL;
    problems->errors += where.severity == PROBLEM_ERROR;
    problems->all[problems->count++] = where;
}

static struct slice
source_line(struct slice source, unsigned line)
{
    struct slice part = SLICE_NONE;

    for (unsigned i = 0; i < line; i++) {
        if (source.data == NULL)
            return SLICE_NONE;
        part = slice_split(&source, '\n');
    }
    return part;
}

/* Of a line too long to be read (JSON on one line), what stands around the place; the column moves with it. */
enum { LINE_MOST = 110, LINE_BEFORE = 50 };

/* How many bytes the first `count` characters are; a byte that is no UTF-8 is one. */
static size_t
characters_len(struct slice line, size_t count)
{
    size_t at = 0;

    for (; count > 0 && at < line.len; count--) {
        size_t len = text_utf8_len(slice_from(line, at));

        at += len != 0 ? len : 1;
    }
    return at;
}

static struct slice
shorten_line(struct slice line, unsigned *column)
{
    unsigned start = *column > LINE_BEFORE ? *column - LINE_BEFORE : 0;

    if (line.len <= LINE_MOST)
        return line;
    *column -= start;
    line = slice_from(line, characters_len(line, start));
    return slice_first(line, characters_len(line, LINE_MOST));
}

/* As wide as what stands before the column: tabs stay tabs. */
static void
print_caret(struct slice line, unsigned column, struct buffer *out)
{
    buffer_add_text(out, "       | ");
    for (; column > 1 && line.len > 0; column--) {
        buffer_add_byte(out, line.data[0] == '\t' ? '\t' : ' ');
        line = slice_from(line, characters_len(line, 1));
    }
    buffer_add_text(out, "^\n");
}

static void
print_place(const struct problem *problem, struct slice source, struct buffer *out)
{
    unsigned column = problem->column;
    struct slice line = source.data != NULL && problem->line > 0 && !problem->elsewhere
                            ? source_line(source, problem->line)
                            : SLICE_NONE;

    if (line.data == NULL)
        return;
    while (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    line = shorten_line(line, &column);
    buffer_printf(out, "%6u | %.*s\n", problem->line, SLICE_ARGS(line));
    if (column != 0)
        print_caret(line, column, out);
}

static void
print_one(const struct problem *problem, struct slice source, bool colour, struct buffer *out)
{
    bool error = problem->severity == PROBLEM_ERROR;
    const char *on = !colour ? "" : error ? "\033[1;31m" : "\033[1;33m";

    if (problem->file != NULL)
        buffer_printf(out, "%s:", problem->file);
    if (problem->line > 0)
        buffer_printf(out, "%u:", problem->line);
    if (problem->line > 0 && problem->column > 0)
        buffer_printf(out, "%u:", problem->column);
    buffer_printf(out, "%s%s%s:%s %s\n", problem->file != NULL ? " " : "", on, error ? "error" : "warning",
                  colour ? "\033[0m" : "", problem->text);
    print_place(problem, source, out);
    if (problem->hint != NULL)
        buffer_printf(out, "         %s\n", problem->hint);
}

void
problems_print(const struct problems *problems, struct slice source, bool colour, struct buffer *out)
{
    for (size_t i = 0; i < problems->count; i++)
        print_one(&problems->all[i], source, colour, out);
}
