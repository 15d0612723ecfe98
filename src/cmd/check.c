#include "base/clock.h"
#include "cmd/check_summary.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/probe/probe_backends.h"
#include "cmd/usual.h"
#include "config/yaml.h"
#include "levers/terms.h"
#include "live/dns.h"
#include "live/outside.h"
#include "quality/evidence.h"

struct check_options {
    const char *file;
    bool probe, json, help_config, markdown;
};

static int
read_options(struct check_options *given, int argc, char **argv)
{
    const struct option options[] = {
        {"probe", 'p', OPTION_FLAG, NULL,
         "ask every backend too: reachable, key accepted, models there, what engines' metrics tell", &given->probe},
        {"json", 0, OPTION_FLAG, NULL, "print JSON: problems, and what was understood", &given->json},
        {"help-config", 0, OPTION_FLAG, NULL, "print every key that a configuration may have", &given->help_config},
        {"markdown", 0, OPTION_FLAG, NULL, "with --help-config: as doc/config.md", &given->markdown},
    };
    static const struct example examples[] = {
        {"equipoise check equipoise.yaml", "all errors at once, and what is understood"},
        {"equipoise check equipoise.yaml --probe", "and whether every backend answers and has its models"},
        {"equipoise check --help-config", "every key, its type, default and meaning"},
    };
    const struct options table = {
        .command = "check",
        .summary = "Checks a configuration without serving it.",
        .operands = "[FILE]",
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof examples / sizeof *examples,
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .notes = "FILE is equipoise.yaml unless given; - is standard input. Exit status: 0 fine, 1 a probe failed, 3 "
                 "errors.",
    };
    int exit_status = options_read(&table, &argc, argv);

    if (exit_status == OPTIONS_GO_ON && argc > 1)
        given->file = argv[1];
    return exit_status;
}

static int
print_help(bool markdown)
{
    struct buffer out;
    bool printed;

    buffer_init(&out);
    if (markdown)
        config_help_markdown(&out);
    else
        config_help(&out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return printed ? CMD_FINE : CMD_FAILED;
}

static void
warn_expired(const struct config *config, struct problems *problems)
{
    usec now_us = clock_wall_us();

    for (size_t i = 0; i < config->key_count; i++) {
        char when[CLOCK_TEXT_SIZE];

        if (config->keys[i].expires_wall_us > now_us)
            continue;
        clock_format_utc(config->keys[i].expires_wall_us, when);
        problems_add(problems, (struct problem){.severity = PROBLEM_WARNING, .file = config->file},
                     "the key %s expired on %s and is not accepted", config->keys[i].name, when);
    }
}

/* With the mistakes that its judge is known for, answers that are all acceptable would not be found so. */
static void
warn_unfit_judge(const struct config *config, const char *what, const struct judge_noise *noise, bool of_route,
                 uint32_t floor_ppm, struct problems *problems)
{
    if (noise_reachable(noise, of_route, floor_ppm))
        return;
    problems_add(
        problems,
        (struct problem){.severity = PROBLEM_WARNING,
                         .file = config->file,
                         .hint = "Label more examples for its calibration, take a better judge, or a lower floor."},
        "%s will earn nothing: by its calibration the judge accepts %.1f to %.1f %% of acceptable "
        "answers, and would have to accept %.1f %% for a floor of %g %%",
        what, noise->sensitive_low_ppm / 1e4, noise->sensitive_high_ppm / 1e4,
        noise_earn_ppm(noise, of_route, floor_ppm) / 1e4, floor_ppm / 1e4);
}

static void
warn_unfit_judges(const struct config *config, struct problems *problems)
{
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];
        struct judge_noise noise = terms_noise(route), semantic = terms_semantic_noise(route);
        struct arena arena;

        arena_init(&arena);
        warn_unfit_judge(config, arena_printf(&arena, "the route %s", route->name), &noise,
                         route->floor_of != FLOOR_SERVED, terms_floor_of_model_ppm(route), problems);
        warn_unfit_judge(config, arena_printf(&arena, "the semantic cache of the route %s", route->name), &semantic,
                         false, route->quality_ppm, problems);
        arena_reset(&arena);
    }
}

static void
print_problems(const struct problems *problems, struct slice text)
{
    struct buffer out;

    buffer_init(&out);
    config_print_problems(problems, text, cmd_colour(stderr), &out);
    cmd_tell(buffer_content(&out));
    buffer_free(&out);
}

/* JSON is one object: the probes are a member of it. */
static bool
add_probes(const struct check_options *given, const struct config *config, struct buffer *out)
{
    struct probe_results results;
    bool fine;

    probe_backends(config, &results);
    if (given->json) {
        ENSURE(slice_ends(buffer_content(out), "}\n"));
        out->end -= 2;
        buffer_add_byte(out, ',');
        fine = probe_print_json(config, &results, out);
        buffer_add_text(out, "}\n");
    } else {
        fine = probe_print_text(config, &results, out);
    }
    probe_results_free(&results);
    return fine;
}

/* Prints all; false if a probe, or printing, fails. */
static bool
print_result(const struct check_options *given, struct slice text, const struct problems *problems,
             const struct config *config)
{
    struct buffer out;
    bool fine = true, printed;

    buffer_init(&out);
    if (given->json) {
        summary_json(given->file, problems, config, &out);
    } else {
        print_problems(problems, text);
        if (config != NULL)
            summary_text(config, &out);
        if (problems->errors > 0)
            fprintf(stderr, "%s: %zu error%s\n", given->file, problems->errors, problems->errors == 1 ? "" : "s");
    }
    if (given->probe && config != NULL)
        fine = add_probes(given, config, &out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return fine && printed;
}

static int
check_file(const struct check_options *given, struct slice text)
{
    struct problems problems;
    struct config *config = NULL;
    bool fine;
    int exit_status;
    /* Who asks backends asks where they are. */
    struct config_input input = {
        .file = given->file, .text = text, .outside = given->probe ? &config_outside_live : &config_outside_real};

    dns_start();
    problems_init(&problems);
    if (config_load_input(&input, &problems, &config) == OK) {
        config_check_exposure(config, &problems);
        config_check_backends(config, &problems);
        config_check_budgets(config, &problems);
        warn_expired(config, &problems);
        warn_unfit_judges(config, &problems);
    }
    fine = print_result(given, text, &problems, config);
    exit_status = problems.errors > 0 ? CMD_CONFIG : fine ? CMD_FINE : CMD_FAILED;
    config_release(config);
    problems_free(&problems);
    return exit_status;
}

int
cmd_check(int argc, char **argv)
{
    struct check_options given = {.file = USUAL_CONFIG};
    int exit_status = read_options(&given, argc, argv);
    struct buffer text;

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (given.help_config)
        return print_help(given.markdown);
    buffer_init(&text);
    exit_status = cmd_read_config(given.file, YAML_BYTES_MOST, &text) == OK ? check_file(&given, buffer_content(&text))
                                                                            : CMD_CONFIG;
    buffer_free(&text);
    return exit_status;
}
