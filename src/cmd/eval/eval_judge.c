/* equipoise eval judge: how good a judge is, on comparisons that were labelled by hand. */
#include "cmd/eval/eval_judge.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "cmd/eval/eval_commands.h"
#include "cmd/options.h"
#include "config/calibration.h"
#include "config/outside.h"
#include "config/value.h"
#include "config/yaml.h"
#include "embed/embedder.h"

struct wanted {
    const char *path, *judge, *similar, *tolerance, *config, *route, *confidence;
    uint64_t most, attacks;
    bool json;
};

/* Each costs a call or two. */
enum { ATTACKED_IF_CALLED = 50 };

/* What is evaluated, and what it lives on. */
struct evaluated {
    struct judge_config judge;
    struct judge_asking asking;
    struct config *config; /* NULL: none */
    struct embedder *embedder;
    struct arena arena;
    uint32_t alpha_ppm;
};

static bool
take_share(const char *option, const char *text, unsigned *out)
{
    if (value_share(slice_of(text), out) == OK)
        return true;
    cmd_complain("eval judge: %s wants a share such as 95%%, not '%s'.", option, text);
    return false;
}

static bool
take_rule(const struct wanted *wanted, struct judge_config *out)
{
    enum judge judge;

    if (!judge_of_name(slice_of(wanted->judge), &judge)) {
        cmd_complain(
            "eval judge: --judge is one of exact, numeric, json and embedding, not '%s'. A model, a command or a "
            "service is taken from a configuration: --config FILE --route NAME.",
            wanted->judge);
        return false;
    }
    *out = (struct judge_config){.is_set = true, .judge = judge};
    return take_share("--similar", wanted->similar, &out->similar_ppm) &&
           take_share("--tolerance", wanted->tolerance, &out->tolerance_ppm);
}

static bool
take_confidence(const struct wanted *wanted, struct evaluated *out)
{
    unsigned confidence_ppm;

    if (!take_share("--confidence", wanted->confidence, &confidence_ppm))
        return false;
    out->alpha_ppm = PPM - confidence_ppm;
    if (confidence_ppm > 0 && confidence_ppm < PPM)
        return true;
    cmd_complain("eval judge: --confidence wants a share above 0%% and below 100%%.");
    return false;
}

/* CMD_FINE, with the configuration loaded. */
static int
load_config(const char *file, struct config **out)
{
    struct buffer text = {0};
    struct problems problems;
    enum status status;

    problems_init(&problems);
    status = cmd_read_config(file, YAML_BYTES_MOST, &text);
    if (status == OK) {
        status = config_load_input(
            &(struct config_input){.file = file, .text = buffer_content(&text), .outside = &config_outside_real},
            &problems, out);
        if (status != OK)
            cmd_print_problems(&problems, buffer_content(&text));
    }
    problems_free(&problems);
    buffer_free(&text);
    return status == OK ? CMD_FINE : CMD_CONFIG;
}

/* The route's, or of the only route that has a judge. */
static const struct route_config *
find_route(const struct config *config, const char *name)
{
    const struct route_config *found = NULL;

    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        if (name != NULL ? strcmp(route->name, name) != 0 : !route->judge.is_set)
            continue;
        if (found != NULL) {
            cmd_complain("eval judge: which route's judge? Give --route: %s, %s, ...", found->name, route->name);
            return NULL;
        }
        found = route;
    }
    if (found == NULL && name != NULL)
        cmd_complain("eval judge: the configuration has no route '%s'.", name);
    else if (found == NULL || !found->judge.is_set)
        cmd_complain("eval judge: %s%s has no judge: say judge: { by: exact } there.",
                     found != NULL ? "the route " : "no route of the configuration", found != NULL ? found->name : "");
    return found != NULL && found->judge.is_set ? found : NULL;
}

static int
take_judge(const struct wanted *wanted, struct evaluated *out)
{
    const struct route_config *route;
    int end;

    out->asking.route = wanted->route != NULL ? wanted->route : "";
    if (wanted->config == NULL)
        return take_rule(wanted, &out->judge) ? CMD_FINE : CMD_USAGE;
    end = load_config(wanted->config, &out->config);
    if (end != CMD_FINE)
        return end;
    route = find_route(out->config, wanted->route);
    if (route == NULL)
        return CMD_USAGE;
    out->judge = route->judge;
    out->asking.route = route->name;
    return CMD_FINE;
}

static int
prepare(struct evaluated *out)
{
    const struct judge_config *judge = &out->judge;
    enum status status;

    out->asking.judge = judge;
    out->asking.rule = judge_rule_of(judge);
    out->asking.rule.similarity = embedder_similarity;
    if (judge_asking_calls(judge) || judge->judge != JUDGE_EMBEDDING)
        return CMD_FINE;
    status = embedder_open_builtin(&out->embedder);
    out->asking.rule.context = out->embedder;
    if (status == OK)
        return CMD_FINE;
    cmd_complain("eval judge: the built-in embedder cannot be opened: %s.", status_text(status));
    return CMD_FAILED;
}

static enum status
read_comparisons(FILE *file, const char *name, struct problems *problems, void *out)
{
    return comparisons_read(file, name, problems, out);
}

static int
ask_and_print(const struct wanted *wanted, struct evaluated *evaluated, const struct comparisons *comparisons)
{
    struct judge_told *told = must_calloc(1, sizeof(*told));
    bool calls = judge_asking_calls(&evaluated->judge);
    size_t attacked = wanted->attacks != UINT64_MAX ? (size_t)wanted->attacks
                      : calls                       ? ATTACKED_IF_CALLED
                                                    : comparisons->count;
    struct buffer out = {0};
    int end = CMD_FAILED;

    told->name = cmd_name_of(wanted->path);
    told->words = judge_words(&evaluated->judge, &evaluated->arena);
    told->alpha_ppm = evaluated->alpha_ppm;
    if (eval_judge_ask(comparisons, attacked, &evaluated->asking, told) != OK) {
        cmd_complain("eval judge: nobody could be asked: %s.", evaluated->asking.why);
    } else {
        (wanted->json ? eval_judge_json : eval_judge_text)(told, &out);
        end = cmd_print(buffer_content(&out)) ? CMD_FINE : CMD_FAILED;
    }
    buffer_free(&out);
    free(told);
    return end;
}

static int
run(const struct wanted *wanted)
{
    struct evaluated evaluated = {.config = NULL};
    struct comparisons comparisons = {.count = 0};
    int end;

    if ((wanted->judge == NULL) == (wanted->config == NULL)) {
        cmd_complain("eval judge: which judge? Give --judge RULE, or --config FILE for a route's.");
        return CMD_USAGE;
    }
    if (wanted->most == 0) {
        cmd_complain("eval judge: --most wants a number from 1.");
        return CMD_USAGE;
    }
    if (!take_confidence(wanted, &evaluated))
        return CMD_USAGE;
    arena_init(&evaluated.arena);
    end = take_judge(wanted, &evaluated);
    if (end == CMD_FINE)
        end = cmd_read_lines(wanted->path, read_comparisons, &comparisons);
    if (end == CMD_FINE)
        end = prepare(&evaluated);
    if (end == CMD_FINE) {
        comparisons.count = comparisons.count < wanted->most ? comparisons.count : (size_t)wanted->most;
        end = ask_and_print(wanted, &evaluated, &comparisons);
    }
    comparisons_free(&comparisons);
    if (evaluated.embedder != NULL)
        embedder_close(evaluated.embedder);
    if (evaluated.config != NULL)
        config_release(evaluated.config);
    arena_reset(&evaluated.arena);
    return end;
}

int
eval_judge(int argc, char **argv)
{
    struct wanted wanted = {
        .similar = "90%", .tolerance = "0%", .confidence = "95%", .most = COMPARISONS_MOST, .attacks = UINT64_MAX};
    const struct option table[] = {
        {"judge", 0, OPTION_TEXT, "RULE", "by texts alone: exact, numeric, json, embedding", &wanted.judge},
        {"similar", 0, OPTION_TEXT, "SHARE", "with embedding: how alike two answers must be (default: 90%)",
         &wanted.similar},
        {"tolerance", 0, OPTION_TEXT, "SHARE", "with numeric: how far two numbers may be apart (default: 0%)",
         &wanted.tolerance},
        {"config", 0, OPTION_TEXT, "FILE", "the judge of a route there: also a model, a command, a service",
         &wanted.config},
        {"route", 0, OPTION_TEXT, "NAME", "which route's; without: of the only one that has a judge", &wanted.route},
        {"most", 0, OPTION_NUMBER, "N", "only the first so many comparisons", &wanted.most},
        {"attacks", 0, OPTION_NUMBER, "N",
         "try worthless answers on the first so many (default: all; 50 where each is a call)", &wanted.attacks},
        {"confidence", 0, OPTION_TEXT, "SHARE", "of what is said about floors (default: 95%)", &wanted.confidence},
        {"json", 0, OPTION_FLAG, NULL, "as JSON, which `judge: calibration` and `semantic_cache: calibration` take",
         &wanted.json},
    };
    const struct example examples[] = {
        {"equipoise eval judge labelled.jsonl.gz --judge numeric", "a rule for texts"},
        {"equipoise eval judge labelled.jsonl --config equipoise.yaml --route assistant",
         "the route's judge: it is asked"},
        {"equipoise eval judge labelled.jsonl --config equipoise.yaml --json >judge.json", "for `judge: calibration`"},
    };
    const struct options options = {
        .command = "eval judge",
        .summary =
            "Judges a judge on comparisons that you have labelled: whether it agrees with you and with itself, and "
            "what it lets pass.",
        .operands = "FILE",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes = "A line is {\"request\": \"...\", \"reference\": \"...\", \"candidate\": \"...\", \"acceptable\": 1, "
                 "\"again\": "
                 "\"...\"}, also with gzip;\n-: standard input. `request` is a text or a request's body; `acceptable` "
                 "says whether "
                 "the candidate's answer is as\nacceptable as the reference's; `again`, another answer of the "
                 "reference, may be "
                 "left out.\nA model is asked twice for each, in both orders; what it costs its backend bills, and no "
                 "gateway "
                 "books."};
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    wanted.path = argv[1];
    return run(&wanted);
}
