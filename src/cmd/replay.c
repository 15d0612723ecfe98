/* equipoise replay: what a configuration would have cost over traffic that is known, and how fast it would have been. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/files.h"
#include "cmd/interrupt.h"
#include "cmd/options.h"
#include "cmd/replay_report.h"
#include "cmd/replay_run.h"
#include "cmd/replay_trace.h"
#include "cmd/replay_variants.h"
#include "config/value.h"

enum { LOGICAL_WORKERS_MOST = 64, REPLICAS_MOST = 64 };

/* What the command line says. */
struct wanted {
    struct replay_settings settings;
    struct trace_options trace;
    const char *format, *from, *until, *speed, *scale;
    uint64_t input_mean, output_mean;
    bool json, engines;
    const char *svg, *csv;
    const char *policies; /* with commas; NULL: as the configuration says */
};

/* The command line */

static bool
parse_format(const char *text, enum trace_format *out)
{
    for (enum trace_format format = TRACE_AZURE; format <= TRACE_LEDGER; format++)
        if (strcmp(text, trace_format_name(format)) == 0) {
            *out = format;
            return true;
        }
    cmd_complain("replay: --format wants azure, mooncake, rates or ledger, not '%s'.", text);
    return false;
}

static bool
parse_factor(const char *option, const char *text, double *out)
{
    char *end;

    if (text == NULL)
        return true;
    *out = strtod(text, &end);
    if (end != text && *end == '\0' && isfinite(*out) && *out >= 1e-6 && *out <= 1e6)
        return true;
    cmd_complain("replay: %s wants a factor such as 2 or 0.5, not '%s'.", option, text);
    return false;
}

static bool
parse_time(const char *option, const char *text, usec *out)
{
    if (text == NULL || value_duration(slice_of(text), out) == OK)
        return true;
    cmd_complain("replay: %s wants a time since the trace's start such as 90s, 10m or 1h30m, not '%s'.", option, text);
    return false;
}

static bool
in_range(const char *option, uint64_t value, uint64_t most)
{
    if (value >= 1 && value <= most)
        return true;
    cmd_complain("replay: %s wants a number from 1 to %llu.", option, (unsigned long long)most);
    return false;
}

/* "affinity,p2c", or "all". False: one of them is none. */
static bool
add_policies(const struct wanted *wanted, struct replay_comparison *comparison)
{
    bool all = strcmp(wanted->policies, "all") == 0;
    struct slice rest = slice_of(wanted->policies);
    enum policy_id id = 0;

    for (; all ? id < POLICY_COUNT : rest.data != NULL; id++) {
        struct slice name = all ? slice_of(policy_name(id)) : slice_trim(slice_split(&rest, ','));
        struct replay_variant *variant;

        if (!policy_find(name, &id)) {
            cmd_complain("replay: --policy wants names such as affinity,least_in_flight or all, not '%.*s'. There are: "
                         "round_robin, least_in_flight, p2c, lmetric, chwbl, affinity.",
                         SLICE_ARGS(name));
            return false;
        }
        variant = replay_variant_add(comparison, &wanted->settings, policy_name(id));
        if (variant == NULL) {
            cmd_complain("replay: --policy: at most %d at a time.", REPLAY_VARIANTS_MOST);
            return false;
        }
        variant->settings.policy = policy_name(id);
    }
    return true;
}

static bool
parse_wanted(struct wanted *wanted)
{
    struct trace_options *trace = &wanted->trace;

    if (wanted->format != NULL && !parse_format(wanted->format, &trace->format))
        return false;
    if (!parse_factor("--speed", wanted->speed, &trace->speed) ||
        !parse_factor("--scale", wanted->scale, &trace->scale) ||
        !parse_time("--from", wanted->from, &trace->from_us) ||
        !parse_time("--until", wanted->until, &trace->until_us) ||
        !in_range("--workers", wanted->settings.workers, LOGICAL_WORKERS_MOST) ||
        !in_range("--replicas", wanted->settings.replicas, REPLICAS_MOST) ||
        !in_range("--input-mean", wanted->input_mean, TRACE_INPUT_DRAWN_MOST) ||
        !in_range("--output-mean", wanted->output_mean, TRACE_TOKENS_MOST))
        return false;
    if (trace->until_us != 0 && trace->until_us <= trace->from_us) {
        cmd_complain("replay: --until must come after --from.");
        return false;
    }
    trace->seed = wanted->settings.seed;
    wanted->settings.limit = trace->limit;
    trace->input_mean = (int64_t)wanted->input_mean;
    trace->output_mean = (int64_t)wanted->output_mean;
    return true;
}

/* Telling */

static bool
put_file(const char *path, const struct buffer *out)
{
    if (strcmp(path, "-") == 0)
        return cmd_print(buffer_content(out));
    if (file_replace(path, buffer_content(out)) == OK)
        return true;
    cmd_complain("replay: %s cannot be written: %s.", path, strerror(errno));
    return false;
}

static bool
write_file(const char *path, const struct replay_result *result,
           void (*write)(const struct replay_result *, struct buffer *))
{
    struct buffer out = {0};
    bool fine;

    if (path == NULL)
        return true;
    write(result, &out);
    fine = put_file(path, &out);
    buffer_free(&out);
    return fine;
}

/* Where a trace lies is not what was found out about it. */
static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static bool
tell(const struct wanted *wanted, const struct replay_world *world, const char *name, bool interrupted)
{
    struct replay_result *result = must_calloc(1, sizeof(*result));
    struct buffer out = {0};
    bool fine;

    *result = (struct replay_result){.world = world, .name = base_name(name), .interrupted = interrupted};
    replay_summarize(&world->stats, REPLAY_LINES_MOST, &result->coarse);
    replay_summarize(&world->stats, REPLAY_DOTS_MOST, &result->fine);
    if (wanted->json)
        replay_write_json(result, &out);
    else
        replay_write_text(result, cmd_colour(stdout), &out);
    fine = cmd_print(buffer_content(&out));
    buffer_free(&out);
    fine = write_file(wanted->svg, result, replay_write_svg) && fine;
    fine = write_file(wanted->csv, result, replay_write_csv) && fine;
    free(result);
    return fine;
}

/* Why it ended before the trace did; CMD_FINE if it did not. */
static int
complain_trace(struct replay_world *world, struct replay_trace *trace)
{
    if (world->trace_status == OK || world->trace_status == ERR_NOT_FOUND)
        return CMD_FINE;
    replay_trace_complain(trace);
    return CMD_FAILED;
}

static int
replay(const struct wanted *wanted, struct replay_trace *trace)
{
    struct replay_world *world = must_calloc(1, sizeof(*world));
    int exit_status = replay_world_new(world, &wanted->settings, trace->trace);
    usec start_us = clock_now_us();
    bool interrupted = false;

    if (exit_status == CMD_FINE && world->trace_status == ERR_NOT_FOUND && !world->first_waits &&
        world->answered == 0) {
        cmd_complain("replay: %s holds no request between --from and --until%s.", trace->name,
                     trace_left_out(trace->trace) > 0 ? " that asked for tokens of a model" : "");
        exit_status = CMD_FAILED;
    }
    if (exit_status == CMD_FINE) {
        interrupted = replay_run(world, trace, NULL);
        exit_status = complain_trace(world, trace);
    }
    if (exit_status == CMD_FINE && !tell(wanted, world, trace->name, interrupted))
        exit_status = CMD_FAILED;
    if (exit_status == CMD_FINE && isatty(STDERR_FILENO))
        fprintf(stderr, "%llu requests in %.2f s.\n", (unsigned long long)world->answered,
                (double)(clock_now_us() - start_us) / USEC_PER_S);
    replay_world_free(world);
    free(world);
    return interrupted ? CMD_FAILED : exit_status;
}

/* Side by side */

static bool
tell_comparison(const struct wanted *wanted, const struct replay_comparison *comparison)
{
    struct buffer out = {0};
    bool fine;

    if (wanted->json)
        replay_variants_json(comparison, &out);
    else
        replay_variants_text(comparison, cmd_colour(stdout), &out);
    fine = cmd_print(buffer_content(&out));
    buffer_clear(&out);
    if (wanted->svg != NULL) {
        replay_variants_svg(comparison, &out);
        fine = put_file(wanted->svg, &out) && fine;
    }
    buffer_free(&out);
    return fine;
}

static int
compare(const struct wanted *wanted, struct replay_comparison *comparison, const char *path)
{
    int exit_status;

    if (wanted->csv != NULL) {
        cmd_complain("replay: --csv is of one replay; name one policy.");
        return CMD_USAGE;
    }
    comparison->trace = base_name(path);
    exit_status = replay_variants_play(comparison, path, &wanted->trace);
    if (exit_status == CMD_FINE && !tell_comparison(wanted, comparison))
        exit_status = CMD_FAILED;
    return comparison->interrupted ? CMD_FAILED : exit_status;
}

static int
list_engines(void)
{
    struct buffer out = {0};
    bool printed;

    replay_engines_list(&out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return printed ? CMD_FINE : CMD_FAILED;
}

static int
replay_once(const struct wanted *wanted, const char *path)
{
    struct replay_trace trace;
    int exit_status;

    exit_status = replay_trace_open(&trace, path, &wanted->trace);
    if (exit_status == CMD_FINE)
        exit_status = replay(wanted, &trace);
    replay_trace_close(&trace);
    return exit_status;
}

static int
run(struct wanted *wanted, const char *path)
{
    struct replay_comparison *comparison = must_calloc(1, sizeof(*comparison));
    int exit_status = CMD_USAGE;

    comparison->what = "policy";
    if (parse_wanted(wanted) && replay_engines_know(wanted->settings.engine) &&
        (wanted->policies == NULL || add_policies(wanted, comparison))) {
        if (strcmp(path, "-") != 0) /* a pipe may be silent for long, and must not keep the user waiting */
            interrupt_hold();
        if (comparison->count == 1)
            wanted->settings.policy = comparison->variants[0].settings.policy;
        exit_status = comparison->count > 1 ? compare(wanted, comparison, path) : replay_once(wanted, path);
    }
    free(comparison);
    return exit_status;
}

int
cmd_replay(int argc, char **argv)
{
    struct wanted wanted = {
        .settings = {.engine = REPLAY_ENGINE_USUAL, .replicas = 1, .workers = 1, .seed = 1},
        .input_mean = TRACE_INPUT_MEAN,
        .output_mean = TRACE_OUTPUT_MEAN,
    };
    struct replay_settings *settings = &wanted.settings;
    const struct option table[] = {
        {"config", 'c', OPTION_TEXT, "FILE", "what to replay it through; no secret of it is read",
         &settings->config_file},
        {"engine", 'e', OPTION_TEXT, "NAME", "who plays engines that name none (h100-llama-3.1-8b)", &settings->engine},
        {"engines", 0, OPTION_FLAG, NULL, "list the modelled engines", &wanted.engines},
        {"replicas", 'r', OPTION_NUMBER, "N", "engines, where there is no configuration (1)", &settings->replicas},
        {"policy", 0, OPTION_TEXT, "A,B,C", "how requests are shared out over engines; several (all): side by side",
         &wanted.policies},
        {"route", 0, OPTION_TEXT, "NAME", "what is asked for, where the trace does not say (the first)",
         &settings->route},
        {"key", 0, OPTION_TEXT, "NAME", "who asks, where the trace does not say (the first)", &settings->key},
        {"seed", 's', OPTION_NUMBER, "N", "decides everything left to chance (1)", &settings->seed},
        {"workers", 0, OPTION_NUMBER, "N", "the gateway's logical workers (1)", &settings->workers},
        {"at", 0, OPTION_TIME, "TIME", "when it plays, for the prices", &settings->wall_us},
        {"json", 0, OPTION_FLAG, NULL, "everything, as JSON", &wanted.json},
        {"svg", 0, OPTION_TEXT, "FILE", "a picture: latency, requests in flight, spend over time", &wanted.svg},
        {"csv", 0, OPTION_TEXT, "FILE", "one line for each request", &wanted.csv},
        {"format", 0, OPTION_TEXT, "NAME", "azure, mooncake, rates or ledger, where it is not clear", &wanted.format},
        {"limit", 'n', OPTION_NUMBER, "N", "only so many requests", &wanted.trace.limit},
        {"from", 0, OPTION_TEXT, "TIME", "leave out what came before: 10m", &wanted.from},
        {"until", 0, OPTION_TEXT, "TIME", "leave out what came then or later: 20m", &wanted.until},
        {"speed", 0, OPTION_TEXT, "FACTOR", "2: everything comes in half the time", &wanted.speed},
        {"scale", 0, OPTION_TEXT, "FACTOR", "rates: times this", &wanted.scale},
        {"pool", 0, OPTION_TEXT, "NAME", "rates: of this pool", &wanted.trace.pool},
        {"input-mean", 0, OPTION_NUMBER, "N", "rates: tokens of a prompt, log-normal (1000)", &wanted.input_mean},
        {"output-mean", 0, OPTION_NUMBER, "N", "rates: tokens of an answer, exponential (250)", &wanted.output_mean},
    };
    static const struct example examples[] = {
        {"equipoise replay trace.csv.gz", "over one modelled engine"},
        {"equipoise replay trace.csv.gz --replicas 2 --svg trace.svg", "over two, with a picture"},
        {"equipoise replay trace.jsonl.gz --replicas 4 --policy all",
         "six ways to share it out over four, in one table"},
        {"equipoise replay equipoise-data --config new.yaml", "your own traffic through another configuration"},
    };
    const struct options options = {
        .command = "replay",
        .summary =
            "Runs a trace through the gateway on a virtual clock, over modelled engines: what it would have cost,\n"
            "and how fast it would have been.",
        .operands = "TRACE",
        .operands_least = 0,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes =
            "TRACE is CSV of arrivals and lengths, Mooncake's JSON lines, rates, a data directory of ours or its\n"
            "ledger.db; compressed with gzip or not; - is standard input. Nobody real is contacted. The same trace,\n"
            "configuration and seed give the same bytes.\n"
            "Exit status: 0 fine, 1 not readable or interrupted, 2 the command line is wrong, 3 the configuration.",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (wanted.engines)
        return list_engines();
    if (argc < 2) {
        cmd_complain("replay: which trace? Usage: equipoise replay TRACE [OPTIONS]; see --help.");
        return CMD_USAGE;
    }
    return run(&wanted, argv[1]);
}
