/* Files of JSON lines that a user labelled: one object a line, blank ones are passed over, plain or gzip. */
#ifndef BASE_JSON_LINES_H
#define BASE_JSON_LINES_H

#include <stdio.h>
#include <yyjson.h>

#include "base/problem.h"
#include "base/text_lines.h"

struct json_lines {
    struct text_lines lines;
    const char *name;          /* the file's, for problems */
    const char *hint;          /* what a line looks like */
    struct problems *problems; /* where they go */
    enum status (*take)(struct json_lines *lines,
                        yyjson_val *root); /* a line's object; not OK: it said why (json_lines_bad) */
};

/* Notes what is wrong with the line that is being taken; returns the status. */
enum status json_lines_bad(struct json_lines *lines, enum status status, const char *what);

/* Gives each line to `take`, up to the first that is not OK. Whatever is returned but OK is among the problems. */
enum status json_lines_read(struct json_lines *lines, FILE *file) MUST_CHECK;

/* The file held nothing: "it holds no pairs". */
enum status json_lines_empty(struct json_lines *lines, const char *what);

/* The text; none: it is no string. */
struct slice json_lines_text(yyjson_val *value);

#endif
