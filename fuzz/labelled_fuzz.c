/* Any bytes as labelled requests, as answers by version, as comparisons and as what a judge's calibration is read from: what is taken keeps to its bounds, and every refusal is said. */
#include <math.h>
#include <stdlib.h>

#include "cmd/eval/comparisons.h"
#include "cmd/eval/guard_file.h"
#include "config/calibration.h"
#include "config/labelled.h"

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

static void
check_comparisons(const struct comparisons *comparisons)
{
    for (size_t i = 0; i < comparisons->count; i++) {
        const struct labelled_comparison *one = &comparisons->all[i];
        struct slice request = comparisons_text(comparisons, one->request);

        if (request.len == 0 || request.data[0] != '{' || !(one->acceptable >= 0 && one->acceptable <= 1))
            abort();
        if (one->again.at + one->again.len > buffer_len(&comparisons->texts) || (!one->has_again && one->again.len > 0))
            abort();
    }
}

static void
read_comparisons(const uint8_t *data, size_t size)
{
    struct comparisons comparisons;
    struct problems problems;
    FILE *file = open_bytes(data, size);

    problems_init(&problems);
    if ((comparisons_read(file, "bytes", &problems, &comparisons) == OK) != (problems.count == 0))
        abort();
    check_comparisons(&comparisons);
    comparisons_free(&comparisons);
    fclose(file);
    problems_free(&problems);
}

static void
read_calibration(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    struct arena arena;

    arena_init(&arena);
    if (calibration_read(slice_make((const char *)data, size), "exact", &arena, &why) == NULL && why == NULL)
        abort();
    arena_reset(&arena);
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
    read_comparisons(data, size);
    read_calibration(data, size);
    return 0;
}
