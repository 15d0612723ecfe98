/* Any bytes as labelled requests, and as answers by version: what is taken keeps to its bounds, and every refusal is said. */
#include <math.h>
#include <stdlib.h>

#include "cmd/guard_file.h"
#include "cmd/labelled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *
open_bytes(const uint8_t *data, size_t size)
{
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "rb");

    if (file == NULL)
        abort();
    return file;
}

static void
check_labelled(const struct labelled *labelled)
{
    for (size_t i = 0; i < labelled->count; i++) {
        struct slice prompt = labelled_prompt(labelled, i), task = labelled_task(labelled, i);

        if (prompt.len + task.len > buffer_len(&labelled->texts))
            abort();
        for (unsigned model = 0; model < labelled->model_count; model++)
            if (!(labelled->all[i].scores[model] >= 0 && labelled->all[i].scores[model] <= 1))
                abort();
    }
    for (unsigned model = 0; model < labelled->model_count; model++)
        if (!isnan(labelled->prices[model]) && !(labelled->prices[model] >= 0 && isfinite(labelled->prices[model])))
            abort();
}

static void
check_changes(const struct guard_answers *answers)
{
    struct guard_change *changes;
    size_t count = guard_changes(answers, &changes);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < changes[i].after_count; k++)
            if (!(changes[i].after[k] >= 0 && changes[i].after[k] <= 1))
                abort();
    guard_changes_free(changes, count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct labelled labelled = {.count = 0};
    struct guard_answers answers;
    struct problems problems;
    FILE *file;

    if (size == 0)
        return 0;
    problems_init(&problems);
    file = open_bytes(data, size);
    if ((labelled_read(file, "bytes", &problems, &labelled) == OK) != (problems.count == 0))
        abort();
    check_labelled(&labelled);
    labelled_free(&labelled);
    fclose(file);
    problems_free(&problems);
    problems_init(&problems);
    file = open_bytes(data, size);
    if ((guard_answers_read(file, "bytes", &problems, &answers) == OK) != (problems.count == 0))
        abort();
    check_changes(&answers);
    guard_answers_free(&answers);
    fclose(file);
    problems_free(&problems);
    return 0;
}
