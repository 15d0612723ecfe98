/* equipoise eval: the levers on labelled data of your own. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "cmd/eval/eval_commands.h"
#include "cmd/eval/eval_report.h"
#include "cmd/options.h"
#include "config/value.h"
#include "embed/embedder.h"

enum { ORDERS_MOST = 10000, PASSES_MOST = 1000 };

struct wanted {
    const char *path, *confidence;
    uint64_t seed, orders, passes;
    bool json;
};

static bool
in_range(const char *option, uint64_t value, uint64_t most)
{
    if (value >= 1 && value <= most)
        return true;
    cmd_complain("eval cache: %s wants a number from 1 to %llu.", option, (unsigned long long)most);
    return false;
}

static bool
parse_wanted(const struct wanted *wanted, struct eval_settings *out)
{
    unsigned confidence_ppm;

    if (wanted->path == NULL) {
        cmd_complain("eval cache: which pairs? Give --pairs FILE (\"-\": standard input).");
        return false;
    }
    if (value_share(slice_of(wanted->confidence), &confidence_ppm) != OK || confidence_ppm == 0 ||
        confidence_ppm >= PPM) {
        cmd_complain("eval cache: --confidence wants a share such as 95%%, not '%s'.", wanted->confidence);
        return false;
    }
    *out = (struct eval_settings){.alpha_ppm = PPM - confidence_ppm, .seed = wanted->seed};
    out->orders = (unsigned)wanted->orders;
    out->passes = (unsigned)wanted->passes;
    return in_range("--orders", wanted->orders, ORDERS_MOST) && in_range("--passes", wanted->passes, PASSES_MOST);
}

/* What pairs are read into, and scored by. */
struct scoring {
    struct embedder *embedder;
    struct scored_pairs *pairs;
};

static enum status
score_lines(FILE *file, const char *name, struct problems *problems, void *out)
{
    struct scoring *scoring = out;

    return scored_pairs_read(file, name, embedder_similarity, scoring->embedder, problems, scoring->pairs);
}

/* CMD_FINE, with the pairs read. */
static int
read_pairs(const char *path, struct scored_pairs *out)
{
    struct scoring scoring = {.pairs = out};
    enum status status = embedder_open_builtin(&scoring.embedder);
    int end;

    if (status != OK) {
        cmd_complain("eval cache: the built-in embedder cannot be opened: %s.", status_text(status));
        return CMD_FAILED;
    }
    end = cmd_read_lines(path, score_lines, &scoring);
    embedder_close(scoring.embedder);
    return end;
}

static int
run_pairs(const struct wanted *wanted, const struct eval_settings *settings)
{
    struct eval_result result = {.settings = *settings, .name = cmd_name_of(wanted->path)};
    struct buffer out = {0};
    int end = read_pairs(wanted->path, &result.pairs);

    if (end != CMD_FINE)
        return end;
    eval_pairs_judge(&result);
    if (wanted->json)
        eval_pairs_json(&result, &out);
    else
        eval_pairs_text(&result, &out);
    end = cmd_print(buffer_content(&out)) ? CMD_FINE : CMD_FAILED;
    buffer_free(&out);
    scored_pairs_free(&result.pairs);
    return end;
}

static int
run_cache(int argc, char **argv)
{
    struct wanted wanted = {.confidence = "95%", .seed = 1, .orders = 100, .passes = 1};
    struct eval_settings settings;
    const struct option table[] = {
        {"pairs", 0, OPTION_TEXT, "FILE",
         "lines of {\"text_a\", \"text_b\", \"label\"}, also with gzip; -: standard input", &wanted.path},
        {"confidence", 0, OPTION_TEXT, "SHARE", "that no arm beyond the limit ever serves (default: 95%)",
         &wanted.confidence},
        {"orders", 0, OPTION_NUMBER, "N", "random orders in which the pairs come as requests (default: 100)",
         &wanted.orders},
        {"passes", 0, OPTION_NUMBER, "N", "times that all pairs come in each of them (default: 1)", &wanted.passes},
        {"seed", 0, OPTION_NUMBER, "N", "the same seed, the same figures (default: 1)", &wanted.seed},
        {"json", 0, OPTION_FLAG, NULL, "as JSON", &wanted.json},
    };
    const struct example examples[] = {
        {"equipoise eval cache --pairs pairs.jsonl.gz", "how well the built-in embedder tells them apart"},
        {"equipoise eval cache --pairs pairs.jsonl --passes 10 --json", "the same with ten times the traffic"},
    };
    const struct options options = {
        .command = "eval cache",
        .summary =
            "Judges the semantic cache on pairs of texts that you have labelled: 1 where the answer to one would do "
            "for the other.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes =
            "In hindsight: the most that a threshold could have served with so many false hits among the hits.\n"
            "By evidence: what the gateway would have chosen and served, learning from audits as the pairs come.\n"
            "Texts are compared by the built-in embedder alone; the guards for numbers, names and the like come on "
            "top."};
    int end = options_read(&options, &argc, argv);

    if (end != OPTIONS_GO_ON)
        return end;
    return parse_wanted(&wanted, &settings) ? run_pairs(&wanted, &settings) : CMD_USAGE;
}

int
cmd_eval(int argc, char **argv)
{
    static const struct command commands[] = {
        {"cache", run_cache, "the semantic cache, on labelled pairs of texts"},
        {"router", eval_router, "model choice, on requests of which each model's score is known"},
        {"guard", eval_guard, "how soon a model that has become worse is suspended"},
        {"judge", eval_judge, "whether a judge agrees with labels and with itself, and what it lets pass"},
    };

    return cmd_dispatch("equipoise eval", "Judges levers on labelled data of your own.", commands,
                        sizeof commands / sizeof commands[0], argc - 1, argv + 1);
}
