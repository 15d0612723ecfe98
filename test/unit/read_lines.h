/* Lines of a text as if they stood in a file, for readers that say what is wrong with which. */
#ifndef TEST_READ_LINES_H
#define TEST_READ_LINES_H

#include "cmocka_ready.h"

#include "base/problem.h"
#include "base/slice.h"
#include "base/status.h"

typedef enum status line_reader(FILE *file, const char *name, struct problems *problems, void *out);

enum { PROBLEM_SIZE = 300 };

/* With the first problem, "LINE: TEXT", in `problem`, which is empty where there is none. */
static inline enum status
read_lines_by(line_reader *reader, struct slice lines, void *out, char problem[PROBLEM_SIZE])
{
    FILE *file = fmemopen((char *)lines.data, lines.len, "rb");
    struct problems problems;
    enum status status;

    assert_non_null(file);
    problems_init(&problems);
    status = reader(file, "lines", &problems, out);
    problem[0] = '\0';
    assert_int_equal(problems.count, status != OK);
    if (problems.count > 0)
        snprintf(problem, PROBLEM_SIZE, "%u: %s", problems.all[0].line, problems.all[0].text);
    problems_free(&problems);
    fclose(file);
    return status;
}

#endif
