#include "cmd/replay/replay_wanted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/options.h"
#include "config/value.h"

enum { LOGICAL_WORKERS_MOST = 64, ATTAIN_USUAL_PPM = 990000 };

/* Parts of it */

static bool
read_format(const char *text, enum trace_format *out)
{
    if (text == NULL)
        return true;
    for (enum trace_format format = TRACE_AZURE; format <= TRACE_LEDGER; format++)
        if (strcmp(text, trace_format_name(format)) == 0) {
            *out = format;
            return true;
        }
    cmd_complain("replay: --format wants azure, mooncake, rates or ledger, not '%s'.", text);
    return false;
}

static bool
read_factor(const char *option, const char *text, double *out)
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
read_time(const char *option, const char *text, usec *out)
{
    if (text == NULL || value_duration(slice_of(text), out) == OK)
        return true;
    cmd_complain("replay: %s wants a time since the trace's start such as 90s, 10m or 1h30m, not '%s'.", option, text);
    return false;
}

static bool
read_limit(const char *option, const char *text, usec *out)
{
    if (text == NULL || (value_duration(slice_of(text), out) == OK && *out > 0))
        return true;
    cmd_complain("replay: %s wants a time that answers may take such as 800ms or 20s, not '%s'.", option, text);
    return false;
}

static bool
read_price(const char *text, usd *out)
{
    static const usd most = 100000 * USD_ONE;

    if (text == NULL || (usd_parse(slice_of(text), out) == OK && *out > 0 && *out <= most))
        return true;
    cmd_complain("replay: --usd-per-hour wants what a replica costs for an hour, such as 2.50, not '%s'.", text);
    return false;
}

static bool
read_share(const char *text, unsigned *out)
{
    if (text == NULL || (value_share(slice_of(text), out) == OK && *out > 0))
        return true;
    cmd_complain("replay: --attain wants a share of the answers such as 99%%, not '%s'.", text);
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

static bool
add_policy(struct replay_wanted *wanted, enum policy_id id)
{
    for (size_t i = 0; i < wanted->policy_count; i++)
        if (wanted->policies[i] == id) {
            cmd_complain("replay: --policy: %s is there twice.", policy_name(id));
            return false;
        }
    wanted->policies[wanted->policy_count++] = id;
    return true;
}

/* "affinity,p2c", or "all". */
static bool
read_policies(struct replay_wanted *wanted)
{
    struct slice rest = slice_of(wanted->said.policies), name;
    enum policy_id id = 0;

    if (slice_is(rest, "all")) {
        for (; id < POLICY_COUNT; id++)
            wanted->policies[wanted->policy_count++] = id;
        return true;
    }
    while (rest.data != NULL) {
        name = slice_trim(slice_split(&rest, ','));
        if (!policy_find(name, &id)) {
            cmd_complain("replay: --policy wants names such as affinity,least_in_flight or all, not '%.*s'. There are: "
                         "round_robin, least_in_flight, p2c, lmetric, chwbl, affinity.",
                         SLICE_ARGS(name));
            return false;
        }
        if (!add_policy(wanted, id))
            return false;
    }
    return true;
}

/* "capacity,static", or "all". */
static bool
read_scalers(struct replay_wanted *wanted)
{
    struct slice rest = slice_of(wanted->said.scaling);
    bool all = slice_is(rest, "all");
    enum scaler scaler;

    for (scaler = 0; all && scaler < SCALER_COUNT; scaler++)
        wanted->scalers[scaler] = true;
    wanted->by_gateway = all;
    while (!all && rest.data != NULL) {
        struct slice name = slice_trim(slice_split(&rest, ','));

        if (slice_is(name, REPLAY_BY_GATEWAY)) {
            wanted->by_gateway = true;
        } else if (scaler_find(name, &scaler)) {
            wanted->scalers[scaler] = true;
        } else {
            cmd_complain("replay: --scaling wants static, in_flight, capacity, oracle or gateway, several with commas, "
                         "or all; not '%.*s'.",
                         SLICE_ARGS(name));
            return false;
        }
    }
    wanted->scales = true;
    return true;
}

/* What belongs together */

static bool
read_trace_options(struct replay_wanted *wanted)
{
    struct trace_options *trace = &wanted->trace;

    if (!read_format(wanted->said.format, &trace->format) ||
        !read_factor("--speed", wanted->said.speed, &trace->speed) ||
        !read_factor("--scale", wanted->said.scale, &trace->scale) ||
        !read_time("--from", wanted->said.from, &trace->from_us) ||
        !read_time("--until", wanted->said.until, &trace->until_us) ||
        !in_range("--input-mean", wanted->said.input_mean, TRACE_INPUT_DRAWN_MOST) ||
        !in_range("--output-mean", wanted->said.output_mean, TRACE_TOKENS_MOST))
        return false;
    if (trace->until_us != 0 && trace->until_us <= trace->from_us) {
        cmd_complain("replay: --until must come after --from.");
        return false;
    }
    trace->seed = wanted->settings.seed;
    wanted->settings.limit = trace->limit;
    trace->input_mean = (int64_t)wanted->said.input_mean;
    trace->output_mean = (int64_t)wanted->said.output_mean;
    return true;
}

static bool
read_fleet(struct replay_wanted *wanted)
{
    struct replay_settings *settings = &wanted->settings;

    wanted->attain_ppm = ATTAIN_USUAL_PPM;
    if ((wanted->said.replicas != NULL && !replay_sizes_read(wanted->said.replicas, &wanted->sizes)) ||
        (wanted->said.policies != NULL && !read_policies(wanted)) ||
        (wanted->said.scaling != NULL && !read_scalers(wanted)) ||
        !read_limit("--cold-start", wanted->said.cold_start, &wanted->cold_start_us) ||
        !read_time("--learn", wanted->said.learn, &wanted->learn_us) ||
        !read_share(wanted->said.attain, &wanted->attain_ppm) ||
        !read_limit("--first-token", wanted->said.first_token, &settings->first_token_us) ||
        !read_limit("--total", wanted->said.total, &settings->total_us) ||
        !read_price(wanted->said.usd_per_hour, &settings->usd_per_hour))
        return false;
    if (wanted->sizes.pool[0] != '\0' && settings->config_file == NULL) {
        cmd_complain("replay: --replicas %s: only a configuration has pools with names; say the numbers alone.",
                     wanted->said.replicas);
        return false;
    }
    if (wanted->said.usd_per_hour != NULL && settings->config_file != NULL) {
        cmd_complain("replay: --usd-per-hour is for replays without a configuration; with one, its backend says "
                     "`usd_per_hour`.");
        return false;
    }
    return true;
}

/* Who changes a fleet decides how many there are; the pool itself shares requests out. */
static bool
scaling_agrees(const struct replay_wanted *wanted)
{
    if (!wanted->scales && (wanted->said.cold_start != NULL || wanted->said.learn != NULL)) {
        cmd_complain("replay: --cold-start and --learn are for --scaling.");
        return false;
    }
    if (wanted->scales && (wanted->sizes.count > 1 || wanted->policy_count > 0 || wanted->csv != NULL)) {
        cmd_complain("replay: --scaling goes with one number of --replicas, that fleets begin with, and neither with "
                     "--policy nor with --csv.");
        return false;
    }
    return true;
}

/* What stands against each other. */
static bool
agrees(const struct replay_wanted *wanted)
{
    bool several = wanted->sizes.count > 1 || wanted->policy_count > 1;

    if (wanted->said.attain != NULL && wanted->sizes.count < 2 && !wanted->scales) {
        cmd_complain("replay: --attain asks which of several sizes is enough; name them, as in --replicas 2,4,8.");
        return false;
    }
    if (several && wanted->csv != NULL) {
        cmd_complain("replay: --csv is of one replay; name one policy and one number of replicas.");
        return false;
    }
    if ((wanted->sizes.count > 0 ? wanted->sizes.count : 1) * (wanted->policy_count > 0 ? wanted->policy_count : 1) >
        REPLAY_VARIANTS_MOST) {
        cmd_complain("replay: %zu sizes by %zu policies are too many: at most %d at a time.", wanted->sizes.count,
                     wanted->policy_count, REPLAY_VARIANTS_MOST);
        return false;
    }
    return true;
}

/* What is the same for all that will be played. */
static void
settle_settings(struct replay_wanted *wanted)
{
    struct replay_settings *settings = &wanted->settings;

    settings->pool = wanted->sizes.pool;
    if (wanted->sizes.count > 0)
        settings->replicas = wanted->sizes.counts[0];
    else if (settings->config_file == NULL)
        settings->replicas = 1;
    if (wanted->policy_count > 0)
        settings->policy = policy_name(wanted->policies[0]);
}

/* The options */

enum { OPTIONS_MOST = 40 };

struct option_table {
    struct option options[OPTIONS_MOST];
    size_t count;
};

static void
add_options(struct option_table *table, const struct option *options, size_t count)
{
    ENSURE(table->count + count <= OPTIONS_MOST);
    memcpy(&table->options[table->count], options, count * sizeof(options[0]));
    table->count += count;
}

static void
add_gateway_options(struct replay_wanted *wanted, struct option_table *table)
{
    struct replay_settings *settings = &wanted->settings;
    const struct option options[] = {
        {"config", 'c', OPTION_TEXT, "FILE", "what to replay it through; no secret of it is read",
         &settings->config_file},
        {"engine", 'e', OPTION_TEXT, "NAME", "who plays engines that name none (h100-llama-3.1-8b)", &settings->engine},
        {"engines", 0, OPTION_FLAG, NULL, "list the modelled engines", &wanted->engines},
        {"route", 0, OPTION_TEXT, "NAME", "what is asked for, where the trace does not say (the first)",
         &settings->route},
        {"key", 0, OPTION_TEXT, "NAME", "who asks, where the trace does not say (the first)", &settings->key},
        {"seed", 's', OPTION_NUMBER, "N", "decides everything left to chance (1)", &settings->seed},
        {"workers", 0, OPTION_NUMBER, "N", "the gateway's logical workers (1)", &settings->workers},
        {"at", 0, OPTION_TIME, "TIME", "when it plays, for the prices", &settings->wall_us},
    };

    add_options(table, options, sizeof(options) / sizeof(options[0]));
}

static void
add_fleet_options(struct replay_wanted *wanted, struct option_table *table)
{
    const struct option options[] = {
        {"replicas", 'r', OPTION_TEXT, "N,M",
         "how many engines (1); several (2,4,8 or 2-8): side by side; of a pool: gpus=2,4", &wanted->said.replicas},
        {"policy", 0, OPTION_TEXT, "A,B,C", "how requests are shared out over engines; several (all): side by side",
         &wanted->said.policies},
        {"scaling", 0, OPTION_TEXT, "A,B", "fleets that change: static, in_flight, capacity, oracle, gateway; or all",
         &wanted->said.scaling},
        {"cold-start", 0, OPTION_TEXT, "TIME", "scaling: until a replica is there (the pool's own, else 2m)",
         &wanted->said.cold_start},
        {"learn", 0, OPTION_TEXT, "TIME", "scaling: what came before is played and not counted: 24h",
         &wanted->said.learn},
        {"attain", 0, OPTION_TEXT, "SHARE", "the cheapest of several fleets is told that keeps so many in limits (99%)",
         &wanted->said.attain},
        {"first-token", 0, OPTION_TEXT, "TIME", "a limit for the first token, in place of the routes': 800ms",
         &wanted->said.first_token},
        {"total", 0, OPTION_TEXT, "TIME", "a limit for the whole answer, in place of the routes': 20s",
         &wanted->said.total},
        {"usd-per-hour", 0, OPTION_TEXT, "AMOUNT", "what a replica costs, where there is no configuration: 2.50",
         &wanted->said.usd_per_hour},
    };

    add_options(table, options, sizeof(options) / sizeof(options[0]));
}

static void
add_output_options(struct replay_wanted *wanted, struct option_table *table)
{
    const struct option options[] = {
        {"json", 0, OPTION_FLAG, NULL, "everything, as JSON", &wanted->json},
        {"svg", 0, OPTION_TEXT, "FILE", "a picture: what it came to over time; of several, side by side", &wanted->svg},
        {"csv", 0, OPTION_TEXT, "FILE", "one line for each request", &wanted->csv},
    };

    add_options(table, options, sizeof(options) / sizeof(options[0]));
}

static void
add_trace_options(struct replay_wanted *wanted, struct option_table *table)
{
    const struct option options[] = {
        {"format", 0, OPTION_TEXT, "NAME", "azure, mooncake, rates or ledger, where it is not clear",
         &wanted->said.format},
        {"limit", 'n', OPTION_NUMBER, "N", "only so many requests", &wanted->trace.limit},
        {"from", 0, OPTION_TEXT, "TIME", "leave out what came before: 10m", &wanted->said.from},
        {"until", 0, OPTION_TEXT, "TIME", "leave out what came then or later: 20m", &wanted->said.until},
        {"speed", 0, OPTION_TEXT, "FACTOR", "2: everything comes in half the time", &wanted->said.speed},
        {"scale", 0, OPTION_TEXT, "FACTOR", "rates: times this", &wanted->said.scale},
        {"pool", 0, OPTION_TEXT, "NAME", "rates: of this pool", &wanted->trace.pool},
        {"input-mean", 0, OPTION_NUMBER, "N", "rates: tokens of a prompt, log-normal (1000)", &wanted->said.input_mean},
        {"output-mean", 0, OPTION_NUMBER, "N", "rates: tokens of an answer, exponential (250)",
         &wanted->said.output_mean},
    };

    add_options(table, options, sizeof(options) / sizeof(options[0]));
}

static const struct example examples[] = {
    {"equipoise replay trace.csv.gz", "over one modelled engine"},
    {"equipoise replay trace.csv.gz --replicas 2-8 --first-token 1s --usd-per-hour 2.50 --svg sizes.svg",
     "which number of engines is enough, and what each would cost, with a picture"},
    {"equipoise replay trace.csv.gz --scaling all --cold-start 2m --first-token 1s",
     "what changing the number as traffic does would save, beside fixed fleets"},
    {"equipoise replay trace.jsonl.gz --replicas 4 --policy all", "six ways to share it out over four, in one table"},
    {"equipoise replay equipoise-data --config new.yaml", "your own traffic through another configuration"},
};

static int
read_options(struct replay_wanted *wanted, int *argc, char **argv)
{
    struct option_table table = {.count = 0};
    struct options options = {
        .command = "replay",
        .summary =
            "Runs a trace through the gateway on a virtual clock, over modelled engines: what it would have cost,\n"
            "and how fast it would have been; several fleet sizes and policies side by side.",
        .operands = "TRACE",
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table.options,
        .notes =
            "TRACE is CSV of arrivals and lengths, Mooncake's JSON lines, rates, a data directory of ours or its\n"
            "ledger.db; compressed with gzip or not; - is standard input. Nobody real is contacted. The same trace,\n"
            "configuration and seed give the same bytes.\n"
            "Exit status: 0 fine, 1 not readable or interrupted, 2 the command line is wrong, 3 the configuration.",
    };

    add_gateway_options(wanted, &table);
    add_fleet_options(wanted, &table);
    add_output_options(wanted, &table);
    add_trace_options(wanted, &table);
    options.option_count = table.count;
    return options_read(&options, argc, argv);
}

int
replay_wanted_read(struct replay_wanted *wanted, int argc, char **argv)
{
    int exit_status;

    *wanted = (struct replay_wanted){
        .settings = {.engine = REPLAY_ENGINE_USUAL, .workers = 1, .seed = 1},
        .said = {.input_mean = TRACE_INPUT_MEAN, .output_mean = TRACE_OUTPUT_MEAN},
    };
    exit_status = read_options(wanted, &argc, argv);
    if (exit_status != OPTIONS_GO_ON || wanted->engines)
        return exit_status;
    if (argc < 2) {
        cmd_complain("replay: which trace? Usage: equipoise replay TRACE [OPTIONS]; see --help.");
        return CMD_USAGE;
    }
    wanted->path = argv[1];
    if (!in_range("--workers", wanted->settings.workers, LOGICAL_WORKERS_MOST) || !read_trace_options(wanted) ||
        !read_fleet(wanted) || !agrees(wanted) || !scaling_agrees(wanted) ||
        !replay_engines_know(wanted->settings.engine))
        return CMD_USAGE;
    settle_settings(wanted);
    return OPTIONS_GO_ON;
}
