#include "cmd/eval/eval_pairs.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_lines.h"
#include "base/list.h"
#include "quality/betting.h"

static const char hint[] =
    "A line looks like {\"text_a\": \"...\", \"text_b\": \"...\", \"label\": 1}, with 0 where the "
    "texts do not mean the same.";

struct reading {
    struct json_lines lines;
    judge_similarity *similarity;
    void *context;
    struct scored_pairs *out;
};

/* 0, 1, false and true; -1 else. */
static int
label_of(yyjson_val *value)
{
    if (yyjson_is_bool(value))
        return yyjson_get_bool(value);
    return yyjson_is_uint(value) && yyjson_get_uint(value) <= 1 ? (int)yyjson_get_uint(value) : -1;
}

static void
add(struct scored_pairs *pairs, struct scored_pair pair)
{
    if (pairs->count == pairs->size) {
        pairs->size = pairs->size > 0 ? 2 * pairs->size : 1024;
        pairs->all = must_realloc(pairs->all, pairs->size * sizeof(pairs->all[0]));
    }
    pairs->all[pairs->count++] = pair;
    pairs->same += pair.same;
    pairs->scored += isfinite(pair.score) ? 1 : 0;
}

static enum status
take(struct json_lines *lines, yyjson_val *root)
{
    struct reading *reading = CONTAINER_OF(lines, struct reading, lines);
    struct scored_pairs *out = reading->out;
    yyjson_val *a = yyjson_obj_get(root, "text_a"), *b = yyjson_obj_get(root, "text_b");
    int label = label_of(yyjson_obj_get(root, "label"));
    struct scored_pair pair = {.same = label == 1};

    if (!yyjson_is_str(a) || !yyjson_is_str(b))
        return json_lines_bad(lines, ERR_INVALID, "expected text_a and text_b, two texts");
    if (label < 0)
        return json_lines_bad(lines, ERR_INVALID, "expected label, 0 or 1");
    if (out->count == PAIRS_MOST)
        return json_lines_bad(lines, ERR_LIMIT, "there are more pairs than can be judged at once; take a sample");
    if (!reading->similarity(reading->context, json_lines_text(a), json_lines_text(b), &pair.score) ||
        !isfinite(pair.score))
        pair.score = -INFINITY;
    add(out, pair);
    return OK;
}

/* Of equal scores those that are the same come first, so that the order is one whatever sorts. */
static int
best_first(const void *a, const void *b)
{
    const struct scored_pair *left = a, *right = b;

    if (left->score != right->score)
        return left->score < right->score ? 1 : -1;
    return (int)right->same - (int)left->same;
}

static void
sort(struct scored_pairs *pairs)
{
    qsort(pairs->all, pairs->count, sizeof(pairs->all[0]), best_first);
    pairs->wrong = must_alloc((pairs->count + 1) * sizeof(pairs->wrong[0]));
    pairs->wrong[0] = 0;
    for (size_t i = 0; i < pairs->count; i++)
        pairs->wrong[i + 1] = pairs->wrong[i] + !pairs->all[i].same;
}

enum status
scored_pairs_read(FILE *file, const char *name, judge_similarity *similarity, void *context, struct problems *problems,
                  struct scored_pairs *out)
{
    struct reading reading = {.lines = {.name = name, .hint = hint, .problems = problems, .take = take},
                              .similarity = similarity,
                              .context = context,
                              .out = out};
    enum status status;

    *out = (struct scored_pairs){.count = 0};
    status = json_lines_read(&reading.lines, file);
    if (status == OK && out->count == 0)
        status = json_lines_empty(&reading.lines, "it holds no pairs");
    if (status == OK)
        sort(out);
    else
        scored_pairs_free(out);
    return status;
}

void
scored_pairs_free(struct scored_pairs *pairs)
{
    free(pairs->all);
    free(pairs->wrong);
    *pairs = (struct scored_pairs){.count = 0};
}

/* Where the pairs of the score of number `from` end. */
static size_t
end_of_ties(const struct scored_pairs *pairs, size_t from)
{
    size_t end = from + 1;

    while (end < pairs->count && pairs->all[end].score == pairs->all[from].score)
        end++;
    return end;
}

double
scored_pairs_auc(const struct scored_pairs *pairs)
{
    double above = 0, same_so_far = 0;
    size_t wrong = pairs->count - pairs->same;

    if (pairs->same == 0 || wrong == 0)
        return NAN;
    for (size_t from = 0, end; from < pairs->count; from = end) {
        double wrong_here, same_here;

        end = end_of_ties(pairs, from);
        wrong_here = pairs->wrong[end] - pairs->wrong[from];
        same_here = (double)(end - from) - wrong_here;
        above += wrong_here * (same_so_far + same_here / 2);
        same_so_far += same_here;
    }
    return above / (double)pairs->same / (double)wrong;
}

struct pairs_served
scored_pairs_from(const struct scored_pairs *pairs, double threshold)
{
    size_t served = 0, not = pairs->scored; /* the first `served` are, from number `not` on they are not */

    while (served < not ) {
        size_t middle = served + (not -served) / 2;

        if (pairs->all[middle].score >= threshold)
            served = middle + 1;
        else
            not = middle;
    }
    return (struct pairs_served){.threshold = threshold, .hits = served, .wrong = pairs->wrong[served]};
}

struct pairs_served
scored_pairs_best(const struct scored_pairs *pairs, uint32_t limit_ppm)
{
    struct pairs_served best = {.threshold = NAN};

    for (size_t from = 0, end; from < pairs->scored; from = end) {
        end = end_of_ties(pairs, from);
        if ((uint64_t)pairs->wrong[end] * PPM <= (uint64_t)end * limit_ppm)
            best = (struct pairs_served){pairs->all[from].score, end, pairs->wrong[end]};
    }
    return best;
}
