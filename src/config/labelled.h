/* Labelled requests, of which a route's router learns before it has audits (`warm_start`), and on which one is judged
 * (`equipoise eval router`): what was asked, and how good each model's answer was. JSON lines, which may be compressed with gzip:
 *
 *     {"prompt": "...", "task": "...", "scores": {"small": 0, "large": 1}, "prices": {"small": 0.2, "large": 0.9}}
 *
 * A score is from 0 (not acceptable) to 1. All lines have scores of the same models. `task` (what kind of request it is) and
 * `prices` (of a model, say in USD for a million tokens; the last one said counts) may be left out; other members are left
 * alone, empty lines too. */
#ifndef CONFIG_LABELLED_H
#define CONFIG_LABELLED_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/problem.h"

enum { LABELLED_MOST = 1000000, LABELLED_MODELS_MOST = 15 };

struct labelled_request {
    size_t prompt, prompt_len, task, task_len; /* in `texts` */
    float scores[LABELLED_MODELS_MOST];
};

/* Zeroed: empty. */
struct labelled {
    unsigned model_count;
    char *models[LABELLED_MODELS_MOST];
    double prices[LABELLED_MODELS_MOST]; /* NAN: nobody says */
    size_t count, size;
    struct labelled_request *all;
    struct buffer texts;
};

/* Adds the lines of a file; `name` is what problems call it. What was read before must be of the same models. Else than
 * with OK a problem says what is wrong, with its line, and `labelled` is to be freed. ERR_INVALID, ERR_LIMIT, ERR_IO,
 * ERR_CORRUPT. */
enum status labelled_read(FILE *file, const char *name, struct problems *problems, struct labelled *labelled)
    MUST_CHECK;
void labelled_free(struct labelled *labelled);

struct slice labelled_prompt(const struct labelled *labelled, size_t request);
struct slice labelled_task(const struct labelled *labelled, size_t request); /* SLICE_NONE: none */

/* LABELLED_MODELS_MOST: there is none of this name. */
unsigned labelled_model(const struct labelled *labelled, struct slice name);

/* The same for a route's model, by its whole name ("backend/model") or else by its last part. */
struct target;
unsigned labelled_target(const struct labelled *labelled, const struct target *target);

#endif
