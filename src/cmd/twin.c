/* `equipoise twin`: the modelled backend as a server of its own. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "cmd/options.h"
#include "live/live.h"
#include "twin/twin.h"

enum { WORKERS_MOST = 64, PORT_MOST = 65535, PORT = 8000, SLOTS = 32, ABILITY_LEAST = -20, ABILITY_MOST = 20 };

static const usec FIRST_TOKEN_US = 300 * USEC_PER_MS, PER_TOKEN_US = 20 * USEC_PER_MS;
static const double JITTER = 0.1;

/* No --concurrency on the command line. */
static const uint64_t NOT_SAID = UINT64_MAX;

/* As given on the command line. */
struct arguments {
    const char *listen, *model, *first_token, *per_token, *jitter, *fault, *key, *engine;
    uint64_t port, concurrency, seed, workers;
    uint64_t sequences, kv_tokens, step_tokens, stream_interval; /* of the engine; 0: as it is known for */
    bool instant, no_prefix_cache;
};

static const struct example examples[] = {
    {"equipoise twin --instant", "answers at once, on 127.0.0.1:8000"},
    {"equipoise twin --first-token 300ms --per-token 20ms --concurrency 8",
     "in modelled time; the ninth request waits, and load slows all of them down"},
    {"equipoise twin --engine h100-llama-3.1-8b --max-num-seqs 64",
     "each model on a modelled engine: continuous batching, chunked prompts, a cache for prefixes"},
    {"equipoise twin --model llama-3.1-8b:small,gpt-large:large:600ms:15ms",
     "under names of your own, each with its ability and, if given, its times"},
    {"equipoise twin --model gpt-large:large,coder:small/arithmetic=3.5/units=large",
     "one that is good at some kinds of tasks and poor at others"},
    {"equipoise twin --fault status=500:1%,cut-mid-stream:2%", "with faults; a request can ask for its own by the "
                                                               "header x-twin-fault: cut-after=40"},
};

static const char notes[] =
    "Abilities: small (0.6), medium (2.2), large (4.5), embed, or a number from -20 to 20: a task of hardness b is\n"
    "answered right with a chance of 1 / (1 + e^(b - ability)). Behind a slash, another for a kind of tasks:\n"
    "arithmetic, units, dates, extract, classify, lookup, guide. doc/twin.md tells of the kinds and how hard they "
    "are.\n"
    "A name that ends in -thinking reasons first. Without --model there are twin-small, twin-medium, twin-large,\n"
    "twin-large-thinking and twin-embed.\n"
    "\n"
    "Engines (--engine): a100-llama-3-8b, a100-llama-3-70b-tp4, h100-llama-3.1-8b,\n"
    "h100-llama-3-70b-tp4, h100-llama-3-70b-tp8.\n"
    "Every model but those that embed gets an engine of its own, which decides when its tokens come; --first-token,\n"
    "--per-token, --jitter, --instant and --concurrency are not for it, and there is one worker. By the headers\n"
    "x-twin-prompt-tokens, x-twin-output-tokens and x-twin-blocks a request says how long it and its answer are to "
    "be.\n"
    "\n"
    "Faults: drop-before-first-byte, drop-after-first-byte, cut-mid-stream, cut-after=TOKENS, end-early=TOKENS,\n"
    "stall-after=TOKENS, delay=TIME, slow=TIME, status=NNN, malformed-sse, no-usage; each with an optional share\n"
    "(:1%) and number of times (*3). POST /twin/faults {\"faults\": [...]} sets them while it runs.\n"
    "\n"
    "GET /twin/seen tells what it has seen and done, /twin/last the last request, /metrics the same in vLLM's names.\n"
    "All of its times, tokens and answers are modelled.";

static int
read_arguments(struct arguments *arguments, int argc, char **argv)
{
    const struct option table[] = {
        {"listen", 'l', OPTION_TEXT, "ADDRESS", "where to listen (127.0.0.1)", &arguments->listen},
        {"port", 'p', OPTION_NUMBER, "PORT", "0: any free one (8000)", &arguments->port},
        {"model", 'm', OPTION_TEXT, "LIST", "NAME:ABILITY[/KIND=ABILITY][:FIRST:PER],...", &arguments->model},
        {"instant", 'i', OPTION_FLAG, NULL, "answer at once", &arguments->instant},
        {"first-token", 0, OPTION_TEXT, "TIME", "until the first token (300ms)", &arguments->first_token},
        {"per-token", 0, OPTION_TEXT, "TIME", "for each further token, or input to embed (20ms)",
         &arguments->per_token},
        {"jitter", 0, OPTION_TEXT, "SHARE", "of every time (10%)", &arguments->jitter},
        {"concurrency", 'c', OPTION_NUMBER, "N", "answers at a time; 0: no limit, no load (32)",
         &arguments->concurrency},
        {"fault", 'f', OPTION_TEXT, "LIST", "faults to commit, see below", &arguments->fault},
        {"key", 'k', OPTION_TEXT, "KEY", "the API key to demand (none)", &arguments->key},
        {"no-prefix-cache", 0, OPTION_FLAG, NULL, "never report cached input", &arguments->no_prefix_cache},
        {"seed", 's', OPTION_NUMBER, "N", "decides answers, jitter and faults (1)", &arguments->seed},
        {"workers", 'w', OPTION_NUMBER, "N", "threads; each has its share of the slots (1)", &arguments->workers},
        {"engine", 'e', OPTION_TEXT, "PAIR", "a modelled engine for each model, see below", &arguments->engine},
        {"max-num-seqs", 0, OPTION_NUMBER, "N", "sequences that run at a time in an engine (256)",
         &arguments->sequences},
        {"kv-tokens", 0, OPTION_NUMBER, "N", "tokens that its cache has room for (what the devices have)",
         &arguments->kv_tokens},
        {"token-budget", 0, OPTION_NUMBER, "N", "tokens in one of its steps (2048; on an H100 8192)",
         &arguments->step_tokens},
        {"stream-interval", 0, OPTION_NUMBER, "N", "tokens from event to event of a stream (1)",
         &arguments->stream_interval},
    };
    const struct options options = {
        .command = "twin",
        .summary = "A modelled backend as a server: OpenAI and Anthropic APIs, for trials and tests.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof examples / sizeof examples[0],
        .options = table,
        .option_count = sizeof table / sizeof table[0],
        .notes = notes,
    };

    return options_read(&options, &argc, argv);
}

/* From text to settings; each says itself what is wrong. */

static bool
read_time(const char *option, const char *text, usec otherwise, usec *out)
{
    *out = otherwise;
    if (text == NULL)
        return true;
    if (twin_fault_parse_time(slice_of(text), out) == OK)
        return true;
    cmd_complain("--%s %s: expected a time like 300ms, 2s or 150us.", option, text);
    return false;
}

static bool
read_jitter(const char *text, double *out)
{
    char *end = NULL;

    *out = JITTER;
    if (text == NULL)
        return true;
    *out = strtod(text, &end) / 100;
    if (end != text && strcmp(end, "%") == 0 && *out >= 0 && *out < 1)
        return true;
    cmd_complain("--jitter %s: expected a share from 0%% to below 100%%.", text);
    return false;
}

static bool
read_ability(struct slice text, double *ability)
{
    char *end = NULL;
    char *number;
    bool whole;

    *ability = slice_is(text, "small")    ? TWIN_ABILITY_SMALL
               : slice_is(text, "medium") ? TWIN_ABILITY_MEDIUM
                                          : TWIN_ABILITY_LARGE;
    if (slice_is(text, "small") || slice_is(text, "medium") || slice_is(text, "large"))
        return true;
    number = slice_strdup(text);
    *ability = strtod(number, &end);
    whole = text.len != 0 && *end == '\0' && *ability >= ABILITY_LEAST && *ability <= ABILITY_MOST;
    free(number);
    return whole;
}

/* ABILITY[/KIND=ABILITY...] */
static bool
read_abilities(struct slice text, struct twin_model *model)
{
    struct slice rest = text, ability = slice_split(&rest, '/');

    model->embeds = slice_is(ability, "embed");
    if (model->embeds)
        return rest.data == NULL;
    if (!read_ability(ability, &model->ability))
        return false;
    while (rest.data != NULL) {
        struct slice item = slice_split(&rest, '/');
        enum task_family kind = task_family_find(slice_split(&item, '='));
        double there = 0;

        if (kind == TASK_FAMILIES || item.data == NULL || !read_ability(item, &there))
            return false;
        model->more[kind] = there - model->ability;
    }
    return true;
}

/* NAME:ABILITY[/KIND=ABILITY...][:FIRST:PER] */
static bool
read_model(struct slice item, struct twin_pace pace, struct twin_model *model, struct arena *arena)
{
    struct slice rest = item;
    struct slice name = slice_split(&rest, ':');
    struct slice ability = rest.data != NULL ? slice_split(&rest, ':') : SLICE_NONE;
    struct slice first = rest.data != NULL ? slice_split(&rest, ':') : SLICE_NONE;

    *model = (struct twin_model){.pace = pace, .thinks = slice_ends(name, "-thinking")};
    if (name.len == 0 || !read_abilities(ability, model) ||
        (first.data != NULL && (rest.data == NULL || twin_fault_parse_time(first, &model->pace.first_token_us) != OK ||
                                twin_fault_parse_time(rest, &model->pace.per_token_us) != OK))) {
        cmd_complain("--model %.*s: expected NAME:ABILITY or NAME:ABILITY:FIRST:PER, as in llama-8b:small:300ms:20ms, "
                     "and if it is better or worse at a kind of tasks, as in llama-8b:small/guide=large.",
                     SLICE_ARGS(item));
        return false;
    }
    model->name = arena_slice_text(arena, name);
    return true;
}

static bool
read_models(const char *list, struct twin_pace pace, struct twin_settings *settings, struct arena *arena)
{
    struct slice rest = slice_of(list);

    settings->model_count = 0;
    while (rest.data != NULL) {
        struct slice item = slice_trim(slice_split(&rest, ','));

        if (settings->model_count == TWIN_MODELS_MOST) {
            cmd_complain("--model: at most %d models.", TWIN_MODELS_MOST);
            return false;
        }
        if (!read_model(item, pace, &settings->models[settings->model_count], arena))
            return false;
        settings->model_count++;
    }
    return true;
}

static void
complain_of_engine(const char *name)
{
    struct buffer known;

    buffer_init(&known);
    for (size_t i = 0; engine_pair_at(i) != NULL; i++)
        buffer_printf(&known, "%s%s", i == 0 ? "" : ", ", engine_pair_at(i)->name);
    cmd_complain("--engine %s: there is no such engine; known are %.*s.", name, SLICE_ARGS(buffer_content(&known)));
    buffer_free(&known);
}

/* Gives each model that does not embed its engine. */
static bool
read_engine(const struct arguments *arguments, struct twin_settings *settings)
{
    uint64_t most = arguments->sequences | arguments->kv_tokens | arguments->step_tokens | arguments->stream_interval;
    const struct engine_pair *pair;
    struct engine_settings engine;
    const char *why;

    if (arguments->engine == NULL && most == 0)
        return true;
    if (arguments->engine == NULL) {
        cmd_complain(
            "--max-num-seqs, --kv-tokens, --token-budget and --stream-interval are an engine's: name it, as in "
            "--engine h100-llama-3.1-8b.");
        return false;
    }
    if (arguments->workers != 1) {
        cmd_complain(
            "--workers %llu: with --engine there is one worker; several would each have an engine of their own. "
            "Start several twins for several replicas.",
            (unsigned long long)arguments->workers);
        return false;
    }
    if (arguments->concurrency != NOT_SAID || arguments->first_token != NULL || arguments->per_token != NULL ||
        arguments->jitter != NULL || arguments->instant) {
        cmd_complain("--concurrency, --first-token, --per-token, --jitter and --instant are not for --engine: it has "
                     "times of its own, and runs as many at a time as --max-num-seqs says.");
        return false;
    }
    if (most > INT32_MAX) {
        cmd_complain("--max-num-seqs, --kv-tokens, --token-budget and --stream-interval are at most 2147483647.");
        return false;
    }
    pair = engine_pair_find(slice_of(arguments->engine));
    if (pair == NULL) {
        complain_of_engine(arguments->engine);
        return false;
    }
    engine_settings_of(pair, &engine);
    if (arguments->sequences != 0)
        engine.sequences_most = (unsigned)arguments->sequences;
    if (arguments->kv_tokens != 0)
        engine.kv_tokens = (int64_t)arguments->kv_tokens;
    if (arguments->step_tokens != 0)
        engine.step_tokens_most = (int64_t)arguments->step_tokens;
    why = engine_settings_objection(&engine);
    if (why != NULL) {
        cmd_complain("--engine %s: %s.", arguments->engine, why);
        return false;
    }
    settings->stream_interval = (int64_t)arguments->stream_interval;
    for (unsigned i = 0; i < settings->model_count; i++)
        if (!settings->models[i].embeds)
            settings->models[i].engine = engine;
    return true;
}

static bool
read_settings(const struct arguments *arguments, struct twin_settings *settings, struct arena *arena)
{
    struct twin_pace pace = {0, 0};
    const char *why = NULL;
    double jitter = 0;

    if (arguments->port > PORT_MOST || arguments->workers < 1 || arguments->workers > WORKERS_MOST ||
        (arguments->concurrency > INT32_MAX && arguments->concurrency != NOT_SAID)) {
        cmd_complain("a port is at most 65535, --concurrency at most 2147483647; workers are 1 to %d.", WORKERS_MOST);
        return false;
    }
    if (!arguments->instant &&
        (!read_time("first-token", arguments->first_token, FIRST_TOKEN_US, &pace.first_token_us) ||
         !read_time("per-token", arguments->per_token, PER_TOKEN_US, &pace.per_token_us) ||
         !read_jitter(arguments->jitter, &jitter)))
        return false;
    twin_settings_default(settings, pace);
    settings->jitter = jitter;
    settings->slots = (unsigned)(arguments->concurrency != NOT_SAID ? arguments->concurrency : SLOTS);
    settings->seed = arguments->seed;
    settings->key = arguments->key;
    settings->prefix_cache = !arguments->no_prefix_cache;
    if (arguments->fault != NULL && twin_faults_add(&settings->faults, slice_of(arguments->fault), &why) != OK) {
        cmd_complain("--fault %s: %s.", arguments->fault, why);
        return false;
    }
    return (arguments->model == NULL || read_models(arguments->model, pace, settings, arena)) &&
           read_engine(arguments, settings);
}

/* Serving */

struct stand {
    struct twin *twin;
    struct application *applications[WORKERS_MOST];
};

static void
worker_started(void *context, struct world *world)
{
    struct stand *stand = context;

    stand->applications[world->worker] = twin_worker_new(stand->twin, world);
}

static struct application *
worker_application(void *context, struct world *world, size_t listener)
{
    struct stand *stand = context;

    ENSURE(listener == 0);
    return stand->applications[world->worker];
}

static void
worker_stopped(void *context, struct world *world)
{
    struct stand *stand = context;

    twin_worker_free(stand->applications[world->worker]);
}

static void
tell_address(const struct arguments *arguments, const struct twin_settings *settings, unsigned port)
{
    bool plain = strchr(arguments->listen, ':') == NULL;

    printf("modelled backend on http://%s%s%s:%u\n", plain ? "" : "[", arguments->listen, plain ? "" : "]", port);
    fflush(stdout);
    fprintf(stderr, "models:");
    for (unsigned i = 0; i < settings->model_count; i++)
        fprintf(stderr, " %s", settings->models[i].name);
    fprintf(stderr, "; Ctrl-C stops\n");
}

static int
run(const struct arguments *arguments, const struct twin_settings *settings)
{
    struct log log = log_to_stderr(LOG_WARN);
    struct stand stand = {.twin = twin_new(settings)};
    const struct live_listener listener = {.address = arguments->listen, .port = (unsigned)arguments->port};
    const struct live_options options = {
        .workers = (unsigned)arguments->workers,
        .listeners = &listener,
        .listener_count = 1,
        .log = &log,
        .context = &stand,
        .worker_started = worker_started,
        .application = worker_application,
        .worker_stopped = worker_stopped,
    };
    struct live *live = NULL;
    char problem[LIVE_PROBLEM_SIZE];
    int status = CMD_FINE;

    if (live_new(&options, &live, problem) == OK) {
        tell_address(arguments, settings, live_port(live, 0));
        live_run(live);
        live_free(live);
    } else {
        cmd_complain("%s", problem);
        status = CMD_FAILED;
    }
    twin_free(stand.twin);
    return status;
}

int
cmd_twin(int argc, char **argv)
{
    struct arguments arguments = {
        .listen = "127.0.0.1",
        .port = PORT,
        .concurrency = NOT_SAID,
        .seed = 1,
        .workers = 1,
    };
    struct twin_settings settings;
    struct arena names;
    int status = read_arguments(&arguments, argc, argv);

    if (status != OPTIONS_GO_ON)
        return status;
    arena_init(&names);
    status = read_settings(&arguments, &settings, &names) ? run(&arguments, &settings) : CMD_USAGE;
    arena_reset(&names);
    return status;
}
