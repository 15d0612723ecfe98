/* A stream of answers that were right or wrong, by version of a model. JSON lines, which may be compressed with gzip:
 *
 *     {"model": "large-march", "correct": 1, "task": "sums", "id": "17"}
 *
 * `correct` is from 0 to 1. `task` (what kind of question) and `id` (which one) may be left out; other members are left
 * alone, empty lines too. */
#ifndef CMD_GUARD_FILE_H
#define CMD_GUARD_FILE_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/problem.h"

enum { GUARD_LINES_MOST = 5000000, GUARD_NAMES_MOST = 64 };

struct guard_answer {
    uint8_t model, task; /* numbers of names */
    bool has_id;
    uint64_t id; /* stands for the question's id and task */
    float correct;
};

/* Zeroed: empty. Names in the order in which they first came. */
struct guard_answers {
    unsigned model_count, task_count;
    char *models[GUARD_NAMES_MOST], *tasks[GUARD_NAMES_MOST]; /* "" for lines without a task */
    size_t count, size;
    struct guard_answer *all;
};

/* `name` is what problems call the file. Else than with OK a problem says what is wrong, with its line; `answers` is to be
 * freed in any case. ERR_INVALID, ERR_LIMIT, ERR_IO, ERR_CORRUPT. */
enum status guard_answers_read(FILE *file, const char *name, struct problems *problems, struct guard_answers *answers)
    MUST_CHECK;
void guard_answers_free(struct guard_answers *answers);

/* What an audit would have found before a change of version and after it, on one task. Where both versions answered the same
 * questions, an answer is acceptable if it is at least as right as the one before: all were, before. */
struct guard_change {
    const char *task, *from, *to;
    bool paired;
    float *before, *after; /* outcomes, 0 to 1; owned */
    size_t before_count, after_count;
};

/* All changes from one version of a model to the next, for each task: versions are models of one name up to its last "-".
 * Returns how many; *out is to be freed by guard_changes_free. */
size_t guard_changes(const struct guard_answers *answers, struct guard_change **out);
void guard_changes_free(struct guard_change *changes, size_t count);

#endif
