/* Labelled comparisons, by which a judge is judged: a request, two answers to it, and whether the second is as acceptable as
 * the first. JSON lines, which may be compressed with gzip:
 *
 *     {"request": "...", "reference": "...", "candidate": "...", "acceptable": 1, "again": "..."}
 *
 * `request` is a text, or a request's body as an object; `acceptable` is true, false or a number from 0 to 1. `again`, another
 * answer of the reference to the same request, may be left out; other members are left alone, empty lines too. */
#ifndef CMD_COMPARISONS_H
#define CMD_COMPARISONS_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/problem.h"

enum { COMPARISONS_MOST = 1000000 };

struct compared_text {
    size_t at, len; /* in `texts` */
};

struct labelled_comparison {
    struct compared_text request; /* as a body: JSON */
    struct compared_text reference, candidate, again;
    bool has_again;
    float acceptable;
};

struct comparisons {
    size_t count, size;
    struct labelled_comparison *all;
    struct buffer texts;
};

/* Else than with OK a problem says what is wrong, with its line. Freed in any case. ERR_INVALID, ERR_LIMIT, ERR_IO,
 * ERR_CORRUPT. */
enum status comparisons_read(FILE *file, const char *name, struct problems *problems, struct comparisons *out)
    MUST_CHECK;
void comparisons_free(struct comparisons *comparisons);

struct slice comparisons_text(const struct comparisons *comparisons, struct compared_text text);

#endif
