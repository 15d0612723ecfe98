/* equipoise replay: what a configuration would have cost over traffic that is known, and how fast it would have been. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/files.h"
#include "cmd/interrupt.h"
#include "cmd/options.h"
#include "cmd/replay/replay_report.h"
#include "cmd/replay/replay_run.h"
#include "cmd/replay/replay_scaling.h"
#include "cmd/replay/replay_trace.h"
#include "cmd/replay/replay_variants.h"
#include "cmd/replay/replay_wanted.h"

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
tell(const struct replay_wanted *wanted, const struct replay_world *world, const char *name, bool interrupted)
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
replay(const struct replay_wanted *wanted, struct replay_trace *trace)
{
    struct replay_world *world = must_calloc(1, sizeof(*world));
    int exit_status = replay_world_new(world, &wanted->settings, trace->trace);
    usec start_us = clock_now_us();
    bool interrupted = false;

    if (exit_status == CMD_FINE && world->trace_status == ERR_NOT_FOUND && !world->first_waits &&
        world->answered == 0) {
        replay_trace_say_empty(trace);
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
tell_comparison(const struct replay_wanted *wanted, const struct replay_comparison *comparison)
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

/* One for each size and policy; what is not said is as the settings have it. */
static void
add_variants(const struct replay_wanted *wanted, struct replay_comparison *comparison)
{
    size_t sizes = wanted->sizes.count > 0 ? wanted->sizes.count : 1;
    size_t policies = wanted->policy_count > 0 ? wanted->policy_count : 1;

    for (size_t i = 0; i < sizes; i++)
        for (size_t k = 0; k < policies; k++) {
            struct replay_settings settings = wanted->settings;

            if (wanted->sizes.count > 0)
                settings.replicas = wanted->sizes.counts[i];
            if (wanted->policy_count > 0)
                settings.policy = policy_name(wanted->policies[k]);
            replay_variant_add(comparison, &settings);
        }
}

static int
compare(const struct replay_wanted *wanted)
{
    struct replay_comparison *comparison = must_calloc(1, sizeof(*comparison));
    int exit_status;

    comparison->sizes_vary = wanted->sizes.count > 1;
    comparison->policies_vary = wanted->policy_count > 1;
    comparison->fleets_change = wanted->scales;
    comparison->attain_ppm = wanted->attain_ppm;
    comparison->trace = base_name(wanted->path);
    if (wanted->scales) {
        exit_status = replay_scaling_play(wanted, comparison);
    } else {
        add_variants(wanted, comparison);
        exit_status = replay_variants_play(comparison, wanted->path, &wanted->trace);
    }
    if (exit_status == CMD_FINE && !tell_comparison(wanted, comparison))
        exit_status = CMD_FAILED;
    if (comparison->interrupted)
        exit_status = CMD_FAILED;
    free(comparison);
    return exit_status;
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
replay_once(const struct replay_wanted *wanted)
{
    struct replay_trace trace;
    int exit_status;

    exit_status = replay_trace_open(&trace, wanted->path, &wanted->trace);
    if (exit_status == CMD_FINE)
        exit_status = replay(wanted, &trace);
    replay_trace_close(&trace);
    return exit_status;
}

int
cmd_replay(int argc, char **argv)
{
    struct replay_wanted wanted;
    int exit_status = replay_wanted_read(&wanted, argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (wanted.engines)
        return list_engines();
    if (strcmp(wanted.path, "-") != 0) /* a pipe may be silent for long, and must not keep the user waiting */
        interrupt_hold();
    return wanted.sizes.count > 1 || wanted.policy_count > 1 || wanted.scales ? compare(&wanted) : replay_once(&wanted);
}
