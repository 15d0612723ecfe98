#include "fleet/health/engine_metrics.h"

#include <math.h>
#include <yyjson.h>

#include "base/hash.h"
#include "fleet/health/metrics_page.h"

/* How the samples of several models or engines go together. */
enum told_how { TOLD_SUM, TOLD_MEAN };

struct metric {
    enum engine engine;
    enum told_field field;
    struct slice name, label, chosen; /* no label: all samples */
    enum told_how how;
};

static const struct metric metrics[] = {
#define ENGINE_METRIC(engine, field, name, label, value, how)                                                          \
    {(engine), (field), SLICE_CONSTANT(name), SLICE_CONSTANT(label), SLICE_CONSTANT(value), (how)},
#include "fleet/health/engine_metrics.def"
#undef ENGINE_METRIC
};

enum { METRICS = sizeof(metrics) / sizeof(metrics[0]), SAMPLES_MOST = 256 };

/* One line of the table over a page. */
struct gathered {
    double sum;
    unsigned count;
    uint64_t groups[SAMPLES_MOST]; /* whose samples were taken */
};

const char *
told_field_name(enum told_field field)
{
    static const char *const names[] = {
        [TOLD_QUEUED] = "queued",
        [TOLD_RUNNING] = "running",
        [TOLD_KV_SHARE] = "kv_share",
        [TOLD_PREFIX_SHARE] = "prefix_share",
        [TOLD_PROMPT_TOKENS] = "prompt_tokens",
        [TOLD_GENERATED_TOKENS] = "generated_tokens",
        [TOLD_PREFIX_ASKED] = "prefix_asked",
        [TOLD_PREFIX_FOUND] = "prefix_found",
        [TOLD_PREEMPTIONS] = "preemptions",
    };

    return names[field];
}

void
engine_told_init(struct engine_told *told)
{
    for (unsigned i = 0; i < TOLD_FIELDS; i++)
        told->of[i] = -1;
}

/* The ranks of one engine repeat what it tells: tensor, pipeline and expert parallel ones. Those of data parallelism are
 * engines of their own. */
static bool
is_rank(struct slice label)
{
    return slice_is(label, "tp_rank") || slice_is(label, "pp_rank") || slice_is(label, "moe_ep_rank");
}

/* Whose sample it is, whatever the rank that tells it. Labels may stand in any order. */
static uint64_t
group_of(const struct metrics_sample *sample)
{
    uint64_t group = 0;

    for (size_t i = 0; i < sample->label_count; i++)
        if (!is_rank(sample->labels[i].name))
            group += hash_fast(sample->labels[i].value, hash_fast(sample->labels[i].name, 1));
    return group;
}

/* SGLang that schedules by priority shows how many run and wait as a whole, with an empty label, and its part of each priority
 * beside that: added up, every request would count twice. Of tokens it has no whole. */
static bool
is_part(const struct metric *metric, const struct metrics_sample *sample)
{
    return metric->engine == ENGINE_SGLANG && (metric->field == TOLD_RUNNING || metric->field == TOLD_QUEUED) &&
           metrics_label_of(sample, "priority").len > 0;
}

static void
gather(struct gathered *gathered, const struct metrics_sample *sample, uint64_t group)
{
    if (!isfinite(sample->value) || sample->value < 0 || gathered->count == SAMPLES_MOST)
        return;
    for (unsigned i = 0; i < gathered->count; i++)
        if (gathered->groups[i] == group)
            return;
    gathered->groups[gathered->count++] = group;
    gathered->sum += sample->value;
}

static void
take_sample(struct gathered *all, enum engine engine, const struct metrics_sample *sample)
{
    for (size_t i = 0; i < METRICS; i++) {
        const struct metric *metric = &metrics[i];

        if (metric->engine != engine || !slice_equal(metric->name, sample->name) || is_part(metric, sample))
            continue;
        if (metric->label.len == 0 || slice_equal(metrics_label_of(sample, metric->label.data), metric->chosen))
            gather(&all[i], sample, group_of(sample));
    }
}

static bool
is_share(enum told_field field)
{
    return field == TOLD_KV_SHARE || field == TOLD_PREFIX_SHARE;
}

/* Engines that tell what they found, but not among how much: all prompts, which llama.cpp counts without what it found. */
static void
count_asked(enum engine engine, struct engine_told *told)
{
    double found = told->of[TOLD_PREFIX_FOUND], prompts = told->of[TOLD_PROMPT_TOKENS];

    if (found >= 0 && prompts >= 0 && told->of[TOLD_PREFIX_ASKED] < 0)
        told->of[TOLD_PREFIX_ASKED] = engine == ENGINE_LLAMACPP ? prompts + found : prompts;
}

static void
put_together(enum engine engine, const struct gathered *all, struct engine_told *told)
{
    engine_told_init(told);
    for (size_t i = 0; i < METRICS; i++) {
        double *out = &told->of[metrics[i].field];

        if (all[i].count == 0 || *out >= 0)
            continue;
        *out = metrics[i].how == TOLD_MEAN ? all[i].sum / all[i].count : all[i].sum;
        if (is_share(metrics[i].field) && *out > 1)
            *out = 1;
        if (!isfinite(*out))
            *out = -1;
    }
    count_asked(engine, told);
}

enum status
engine_metrics_read(enum engine engine, struct slice text, struct engine_told *told, unsigned *line, const char **why)
{
    struct gathered all[METRICS];
    struct metrics_page page;
    struct metrics_sample sample;
    enum status status;

    for (size_t i = 0; i < METRICS; i++)
        all[i].sum = all[i].count = 0;
    metrics_page_init(&page, text);
    while ((status = metrics_page_next(&page, &sample)) == OK)
        take_sample(all, engine == ENGINE_TWIN ? ENGINE_VLLM : engine, &sample);
    *line = page.line;
    *why = page.why;
    if (status != ERR_NOT_FOUND)
        return status;
    put_together(engine, all, told);
    return OK;
}

enum engine
engine_metrics_guess(struct slice page)
{
    enum engine best = ENGINE_HOSTED;
    unsigned most = 0;

    for (size_t i = 0; i < METRICS; i++) { /* the table has all of one engine's together */
        enum engine engine = metrics[i].engine;
        struct engine_told told;
        unsigned line, count = 0;
        const char *why;

        if ((i > 0 && metrics[i - 1].engine == engine) || engine_metrics_read(engine, page, &told, &line, &why) != OK)
            continue;
        for (unsigned field = 0; field < TOLD_FIELDS; field++)
            count += told.of[field] >= 0;
        best = count > most ? engine : best;
        most = count > most ? count : most;
    }
    return best;
}

/* Of a slot that works, the tokens of its prompt and of what it said so far are in its part of the cache. Where it does not
 * say how many, all of its part is taken: it is nobody else's. */
static double
tokens_in(yyjson_val *slot, double size)
{
    yyjson_val *told = yyjson_obj_get(slot, "n_prompt_tokens");
    double tokens = yyjson_get_num(told);

    return yyjson_is_num(told) && tokens >= 0 && tokens < size ? tokens : size;
}

static enum status
add_slot(yyjson_val *slot, double *taken, double *room)
{
    yyjson_val *processing = yyjson_obj_get(slot, "is_processing");
    double size = yyjson_get_num(yyjson_obj_get(slot, "n_ctx"));

    if (!yyjson_is_bool(processing) || !(size > 0 && isfinite(size)))
        return ERR_INVALID;
    *room += size;
    *taken += yyjson_get_bool(processing) ? tokens_in(slot, size) : 0;
    return OK;
}

enum status
engine_slots_read(struct slice answer, double *kv_share)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NOFLAG);
    yyjson_val *slots = yyjson_doc_get_root(doc), *slot;
    enum status status = yyjson_is_arr(slots) && yyjson_arr_size(slots) > 0 ? OK : ERR_INVALID;
    double taken = 0, room = 0;
    size_t i, most;

    yyjson_arr_foreach(slots, i, most, slot)
    {
        if (status == OK)
            status = add_slot(slot, &taken, &room);
    }
    yyjson_doc_free(doc);
    if (status == OK && isfinite(room))
        *kv_share = taken / room;
    return status == OK && isfinite(room) ? OK : ERR_INVALID;
}
