/* Problems to show to a person: what is wrong, where, and what to do. Collected, so that all are shown and not only the
 * first. */
#ifndef BASE_PROBLEM_H
#define BASE_PROBLEM_H

#include "base/slice.h"
#include "base/status.h"

enum severity { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
    enum severity severity;
    const char *file; /* NULL: no file */
    unsigned line;    /* from 1; 0: unknown */
    unsigned column;  /* from 1, in characters; 0: unknown */
    const char *text; /* one sentence: what is wrong and what was expected */
    const char *hint; /* what to do, or NULL */
    bool elsewhere;   /* in another file than the one that most are about: its text is not shown */
};

/* Owns the texts. */
struct problems {
    struct problem *all;
    size_t count, size;
    size_t errors; /* how many of them are errors */
};

void problems_init(struct problems *problems);
void problems_free(struct problems *problems);

/* Adds a copy; the texts of `where` (file, line, column, severity, hint) may be temporary. */
void problems_add(struct problems *problems, struct problem where, const char *format, ...) PRINTF_LIKE(3, 4);

struct buffer;

/* Writes all of them as "file:line:column: error: text", the source line with a caret below the place if `source` (the
 * whole file's text) is given and the problem is not elsewhere, and the hint. */
void problems_print(const struct problems *problems, struct slice source, bool colour, struct buffer *out);

#endif
