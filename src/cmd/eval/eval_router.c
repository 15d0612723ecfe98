/* equipoise eval router: model choice on labelled requests of your own. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <yyjson.h>

#include "base/rng.h"
#include "cmd/eval/eval_commands.h"
#include "cmd/eval/eval_router_report.h"
#include "cmd/options.h"
#include "config/value.h"

enum { STREAMS_MOST = 10000, PASSES_MOST = 1000, PRICES_MOST = 1 << 20 /* bytes */, TIMED_DECISIONS = 2000 };

struct wanted {
    const char *train, *test, *weak, *strong, *candidates, *prices, *confidence;
    uint64_t folds, seed, streams, passes;
    bool tags, online, warm, time, json;
};

static enum status
read_labelled(FILE *file, const char *name, struct problems *problems, void *out)
{
    return labelled_read(file, name, problems, out);
}

static bool
take_prices(yyjson_val *root, const char *path, struct labelled *labelled)
{
    size_t i, count;
    yyjson_val *name, *price;

    if (!yyjson_is_obj(root)) {
        cmd_complain("eval router: %s: expected an object with a price for each model, as {\"small\": 0.2}.", path);
        return false;
    }
    yyjson_obj_foreach(root, i, count, name, price)
    {
        unsigned model = labelled_model(labelled, slice_make(yyjson_get_str(name), yyjson_get_len(name)));

        if (!yyjson_is_num(price) || !(yyjson_get_num(price) >= 0) || !isfinite(yyjson_get_num(price))) {
            cmd_complain("eval router: %s: expected the price of %s to be a number, 0 or more.", path,
                         yyjson_get_str(name));
            return false;
        }
        if (model < LABELLED_MODELS_MOST)
            labelled->prices[model] = yyjson_get_num(price);
    }
    return true;
}

static bool
read_prices(const char *path, struct labelled *labelled)
{
    struct buffer text = {0};
    yyjson_read_err error = {0};
    yyjson_doc *doc;
    bool fine;

    if (cmd_read_file(path, PRICES_MOST, &text) != OK) {
        buffer_free(&text);
        return false;
    }
    doc = yyjson_read_opts(text.data + text.start, buffer_len(&text), YYJSON_READ_NOFLAG, NULL, &error);
    if (doc == NULL)
        cmd_complain("eval router: %s: %s.", path, error.msg != NULL ? error.msg : "this is not JSON");
    fine = doc != NULL && take_prices(yyjson_doc_get_root(doc), path, labelled);
    yyjson_doc_free(doc);
    buffer_free(&text);
    return fine;
}

static bool
find_model(const struct labelled *labelled, const char *option, const char *name, unsigned *model)
{
    *model = name != NULL ? labelled_model(labelled, slice_of(name)) : LABELLED_MODELS_MOST;
    if (name == NULL || *model < LABELLED_MODELS_MOST)
        return true;
    cmd_complain("eval router: %s: there are no scores of '%s'; there are of '%s'%s.", option, name,
                 labelled->models[0], labelled->model_count > 1 ? " and others" : "");
    return false;
}

/* Which may be candidates beside the reference, as a set of bits. */
static bool
read_candidates(const struct wanted *wanted, const struct labelled *labelled, unsigned *only)
{
    struct slice rest = wanted->candidates != NULL ? slice_of(wanted->candidates) : SLICE_NONE;

    *only = wanted->candidates == NULL ? ~0u : 0;
    while (rest.data != NULL) {
        struct slice name = slice_trim(slice_split(&rest, ','));
        unsigned model = labelled_model(labelled, name);

        if (model == LABELLED_MODELS_MOST) {
            cmd_complain("eval router: --candidates: there are no scores of '%.*s'.", SLICE_ARGS(name));
            return false;
        }
        *only |= 1u << model;
    }
    return true;
}

/* A reference without a weak model: there must be cheaper ones. */
static bool
find_cheaper(const struct wanted *wanted, struct router_result *result)
{
    if (wanted->strong == NULL || wanted->weak != NULL)
        return true;
    if (!read_candidates(wanted, result->labelled, &result->only))
        return false;
    eval_router_pick_cheaper(result);
    if (result->several.count > 0)
        return true;
    cmd_complain("eval router: no model is known to be cheaper than '%s': say with --prices what each costs.",
                 wanted->strong);
    return false;
}

/* CMD_FINE, with all files read and the models found. */
static int
read_all(const struct wanted *wanted, struct labelled *labelled, struct fit_wanted *fit_wanted)
{
    int end = cmd_read_lines(wanted->train, read_labelled, labelled);

    if (end == CMD_FINE && wanted->test != NULL) {
        fit_wanted->taught = labelled->count;
        end = cmd_read_lines(wanted->test, read_labelled, labelled);
    }
    if (end != CMD_FINE)
        return end;
    if (wanted->prices != NULL && !read_prices(wanted->prices, labelled))
        return CMD_FAILED;
    if (!find_model(labelled, "--weak", wanted->weak, &fit_wanted->weak) ||
        !find_model(labelled, "--strong", wanted->strong, &fit_wanted->strong))
        return CMD_FAILED;
    if (wanted->folds > labelled->count) {
        cmd_complain("eval router: there are fewer requests than folds.");
        return CMD_FAILED;
    }
    return CMD_FINE;
}

/* The processor time of a decision, as the gateway takes it: from the text to the scores of all models. */
static double
time_decisions(const struct labelled *labelled, const struct embedder *embedder, bool tags)
{
    struct router *router = router_new(labelled->model_count, embedder_table_id(embedder), embedder_dims(embedder));
    struct features *features = must_alloc(sizeof(*features));
    struct router_explanation why[ROUTER_MODELS_MOST];
    struct router_view *view;
    float p[ROUTER_MODELS_MOST];
    const size_t count = labelled->count;
    struct rng rng;
    clock_t from;

    ENSURE(count > 0);
    for (size_t i = 0; i < count && i < NEIGHBOURS_MOST; i++) {
        features_read(features, embedder, &(struct routed_request){.text = labelled_prompt(labelled, i)});
        router_learn(router, features, labelled->all[i].scores, i);
    }
    view = router_freeze(router);
    rng_seed(&rng, 1);
    from = clock();
    for (size_t i = 0; i < TIMED_DECISIONS; i++) {
        size_t request = (size_t)rng_below(&rng, count);
        struct routed_request routed = {.text = labelled_prompt(labelled, request)};

        routed.tag = tags ? labelled_task(labelled, request) : SLICE_NONE;
        features_read(features, embedder, &routed);
        router_view_tell(view, features, p, why);
    }
    from = clock() - from;
    router_view_free(view);
    router_free(router);
    free(features);
    return (double)from * 1e6 / CLOCKS_PER_SEC / TIMED_DECISIONS;
}

static int
judge(const struct wanted *wanted, const struct labelled *labelled, const struct fit_wanted *fit_wanted,
      struct router_result *result)
{
    struct embedder *embedder;
    enum status status = embedder_open_builtin(&embedder);
    struct buffer out = {0};
    int end;

    if (status != OK) {
        cmd_complain("eval router: the built-in embedder cannot be opened: %s.", status_text(status));
        return CMD_FAILED;
    }
    result->name = cmd_name_of(wanted->test != NULL ? wanted->test : wanted->train);
    fit(labelled, embedder, fit_wanted, &result->fitted);
    eval_router_judge(result);
    if (wanted->time)
        result->decision_us = time_decisions(labelled, embedder, wanted->tags);
    embedder_close(embedder);
    if (wanted->json)
        eval_router_json(result, &out);
    else
        eval_router_text(result, &out);
    end = cmd_print(buffer_content(&out)) ? CMD_FINE : CMD_FAILED;
    buffer_free(&out);
    fitted_free(&result->fitted);
    return end;
}

static bool
in_range(const char *option, uint64_t value, uint64_t least, uint64_t most)
{
    if (value >= least && value <= most)
        return true;
    cmd_complain("eval router: %s wants a number from %llu to %llu.", option, (unsigned long long)least,
                 (unsigned long long)most);
    return false;
}

static bool
parse_wanted(const struct wanted *wanted, struct router_result *result)
{
    unsigned confidence_ppm;

    if (wanted->train == NULL) {
        cmd_complain("eval router: which labelled requests? Give --train FILE (\"-\": standard input).");
        return false;
    }
    if (wanted->weak != NULL && wanted->strong == NULL) {
        cmd_complain("eval router: --weak wants a --strong beside it.");
        return false;
    }
    if (wanted->candidates != NULL && (wanted->strong == NULL || wanted->weak != NULL)) {
        cmd_complain("eval router: --candidates are beside a --strong, and in place of --weak.");
        return false;
    }
    if (wanted->online && wanted->test != NULL) {
        cmd_complain("eval router: --online learns from what it judges: it takes no --test.");
        return false;
    }
    if (value_share(slice_of(wanted->confidence), &confidence_ppm) != OK || confidence_ppm == 0 ||
        confidence_ppm >= PPM) {
        cmd_complain("eval router: --confidence wants a share such as 95%%, not '%s'.", wanted->confidence);
        return false;
    }
    result->alpha_ppm = PPM - confidence_ppm;
    result->warm = wanted->warm;
    result->streams = (unsigned)wanted->streams;
    result->passes = (unsigned)wanted->passes;
    return in_range("--folds", wanted->folds, 2, FIT_FOLDS_MOST) &&
           in_range("--streams", wanted->streams, 0, STREAMS_MOST) &&
           in_range("--passes", wanted->passes, 1, PASSES_MOST);
}

static int
run(const struct wanted *wanted)
{
    struct router_result result = {.name = NULL};
    struct fit_wanted fit_wanted = {.tags = wanted->tags, .seed = wanted->seed};
    struct labelled labelled = {.count = 0};
    int end;

    if (!parse_wanted(wanted, &result))
        return CMD_USAGE;
    fit_wanted.folds = wanted->test != NULL || wanted->online ? 0 : (unsigned)wanted->folds;
    result.labelled = &labelled;
    result.fit = &fit_wanted;
    end = read_all(wanted, &labelled, &fit_wanted);
    if (end == CMD_FINE && !find_cheaper(wanted, &result))
        end = CMD_FAILED;
    if (end == CMD_FINE)
        end = judge(wanted, &labelled, &fit_wanted, &result);
    labelled_free(&labelled);
    return end;
}

int
eval_router(int argc, char **argv)
{
    struct wanted wanted = {.confidence = "95%", .folds = 5, .seed = 1, .streams = 20, .passes = 10};
    const struct option table[] = {
        {"train", 0, OPTION_TEXT, "FILE", "labelled requests, also with gzip; -: standard input", &wanted.train},
        {"test", 0, OPTION_TEXT, "FILE", "others to judge by; without: --train is cut into folds", &wanted.test},
        {"folds", 0, OPTION_NUMBER, "N", "each is scored by what the other folds taught (default: 5)", &wanted.folds},
        {"online", 0, OPTION_FLAG, NULL, "no folds: each request is scored before it is learned from", &wanted.online},
        {"weak", 0, OPTION_TEXT, "MODEL", "the cheaper of two models to choose from", &wanted.weak},
        {"strong", 0, OPTION_TEXT, "MODEL", "the other one, the reference; alone: beside all that are cheaper",
         &wanted.strong},
        {"candidates", 0, OPTION_TEXT, "MODELS", "without --weak: beside these alone, as a,b", &wanted.candidates},
        {"tags", 0, OPTION_FLAG, NULL, "tell the router each request's task", &wanted.tags},
        {"prices", 0, OPTION_TEXT, "FILE", "what models cost: {\"small\": 0.2, \"large\": 0.9}", &wanted.prices},
        {"confidence", 0, OPTION_TEXT, "SHARE", "that no arm below the floor ever serves (default: 95%)",
         &wanted.confidence},
        {"streams", 0, OPTION_NUMBER, "N", "histories to play evidence in; 0: none (default: 20)", &wanted.streams},
        {"passes", 0, OPTION_NUMBER, "N", "times that all requests come in the longer ones (default: 10)",
         &wanted.passes},
        {"warm", 0, OPTION_FLAG, NULL, "arms are cut of scores seen before a history begins", &wanted.warm},
        {"seed", 0, OPTION_NUMBER, "N", "the same seed, the same figures (default: 1)", &wanted.seed},
        {"time", 0, OPTION_FLAG, NULL, "also how much processor time a decision takes", &wanted.time},
        {"json", 0, OPTION_FLAG, NULL, "as JSON", &wanted.json},
    };
    const struct example examples[] = {
        {"equipoise eval router --train labelled.jsonl.gz --weak small --strong large", "five folds of one file"},
        {"equipoise eval router --train may.jsonl --test june.jsonl --weak small --strong large", "learn, then judge"},
        {"equipoise eval router --train labelled.jsonl --prices prices.json", "accuracy against cost, of many models"},
        {"equipoise eval router --train labelled.jsonl --prices prices.json --strong large",
         "what evidence lets all cheaper ones serve"},
    };
    const struct options options = {
        .command = "eval router",
        .summary = "Judges model choice on requests of which you know how good each model's answer was.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes =
            "A line is {\"prompt\": \"...\", \"task\": \"...\", \"scores\": {\"small\": 0, \"large\": 1}}; task and "
            "\"prices\": {...} may\nbe left out. Scores are from 0 to 1.\n"
            "APGR: how much of the gap between the two models is recovered, over all shares of calls to the strong "
            "one; CPT50:\nthe share of such calls that recovers half of it."};
    int end = options_read(&options, &argc, argv);

    return end != OPTIONS_GO_ON ? end : run(&wanted);
}
