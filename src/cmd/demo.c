/* `equipoise demo`: modelled backends, the gateway, a day's workload over real sockets, and the report. Everything that
 * a figure here rests on is modelled: answers, times, prices. What is real is the gateway: it does not know. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/demo_truth.h"
#include "cmd/evidence_view.h"
#include "cmd/interrupt.h"
#include "cmd/options.h"
#include "cmd/probe/probe.h"
#include "cmd/serve/stand.h"
#include "live/live.h"
#include "twin/customers.h"
#include "twin/twin.h"

enum { REQUESTS = 12000, REQUESTS_PER_S = 430, IN_FLIGHT_MOST = 400, BAR = 30 };

static const usec STEP_US = 100 * USEC_PER_MS;

/* Of a million: how many customers leave a stream, how many say whether an answer was useful, and how often a whole crowd
 * comes instead of one. */
enum { LEAVE_PPM = 10000, FEEDBACK_PPM = 700000, CROWD_PPM = 15000, CROWD_MOST = 12 };

static const char demo_key[] = "eq-demo-key";

struct demo {
    bool once;
    uint64_t requests, seed;
    char data[64];
    struct stand_twin *hosted, *partner;
    struct config *config;
    struct stand *stand;
    struct live *crowd;      /* where the customers live */
    struct endpoint gateway; /* as they see it */
    struct customers *customers;
    struct customers_tally tallies[CUSTOMERS_TALLIES_MOST];
    size_t tally_count;
    struct log log;
};

static int
start_twin(usec first_token_us, usec per_token_us, uint64_t seed, struct stand_twin **out)
{
    struct twin_settings settings;
    const char *why;

    twin_settings_default(&settings, (struct twin_pace){first_token_us, per_token_us});
    settings.jitter = 0.3;
    settings.seed = seed;
    if (twin_faults_add(&settings.faults, SLICE_LITERAL("status=500:1%"), &why) != OK) {
        cmd_complain("demo: %s", why);
        return CMD_FAILED;
    }
    return stand_twin_start(&settings, out);
}

/* Where a cheaper model is to do what the large one does, and a judge says whether it did. */
static void
write_choice(const char *route, const char *candidates, const char *acceptable, const char *judge, const char *owner,
             struct buffer *out)
{
    buffer_printf(out,
                  "  %s:\n"
                  "    reference: hosted/twin-large\n"
                  "    candidates: [ %s ]\n"
                  "    acceptable: { %s }\n"
                  "    judge: { by: %s }\n"
                  "    learning: 10%%\n"
                  "    levers: { exact_cache: on, coalesce: on, router: on }\n"
                  "    owner: %s\n",
                  route, candidates, acceptable, judge, owner);
}

static void
write_config(const struct demo *demo, struct buffer *out)
{
    struct digest digest = hash_sha256(slice_of(demo_key));
    char hex[2 * sizeof(digest.bytes) + 1];
    unsigned hosted = stand_twin_port(demo->hosted), partner = stand_twin_port(demo->partner);

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    buffer_printf(out,
                  "listen: 127.0.0.1:8080\n"
                  "data: %s\n"
                  "backends:\n"
                  "  hosted:  { url: \"http://127.0.0.1:%u\", engine: twin }\n"
                  "  claude:  { url: \"http://127.0.0.1:%u\", engine: twin, dialect: anthropic }\n"
                  "  partner: { url: \"http://127.0.0.1:%u\", engine: twin }\n"
                  "routes:\n",
                  demo->data, hosted, hosted, partner);
    write_choice("support", "partner/twin-medium", "quality: 90%, of: route", "exact", "care", out);
    write_choice("orders", "partner/twin-medium", "quality: 95%, of: route", "json", "sales", out);
    write_choice("figures", "partner/twin-medium, partner/twin-small", "quality: 90%, of: route", "numeric", "accounts",
                 out);
    buffer_printf(out,
                  "  assistant:\n"
                  "    reference: hosted/twin-large\n"
                  "    candidates: [ partner/twin-large ]\n"
                  "    levers:\n"
                  "      { exact_cache: on, coalesce: on, prompt_cache: on, alternatives: { on: 50%% } }\n"
                  "    attempts: 3\n"
                  "    owner: product\n"
                  "  catalogue:\n"
                  "    reference: claude/twin-large\n"
                  "    repeatable: yes\n"
                  "    levers: { exact_cache: on, coalesce: on, prompt_cache: on }\n"
                  "    owner: sales\n"
                  "  helpdesk:\n"
                  "    reference: hosted/twin-large\n"
                  "    levers: { exact_cache: on, coalesce: on, semantic_cache: on }\n"
                  "    acceptable: { quality: 80%% }\n"
                  "    semantic_cache: { judge: exact }\n"
                  "    owner: people\n"
                  "  search:\n"
                  "    reference: hosted/twin-embed\n"
                  "    levers: { exact_cache: on, coalesce: on }\n"
                  "    owner: search\n"
                  "keys:\n"
                  "  demo: { sha256: %s, tenant: demo }\n"
                  "prices:\n"
                  "  override:\n"
                  "    hosted/twin-large:   { input: $2.50/M, output: $10/M, cache_read: $0.25/M }\n"
                  "    claude/twin-large:   { input: $3/M, output: $15/M, cache_read: $0.30/M, cache_write: $3.75/M }\n"
                  "    partner/twin-large:  { input: $1.10/M, output: $4.40/M, cache_read: $0.55/M }\n"
                  "    partner/twin-medium: { input: $0.40/M, output: $1.60/M }\n"
                  "    partner/twin-small:  { input: $0.10/M, output: $0.40/M }\n"
                  "    hosted/twin-embed:   { input: $0.02/M }\n",
                  hex);
}

static int
start_gateway(struct demo *demo)
{
    struct buffer text = {0};
    struct problems problems;
    enum status status;

    write_config(demo, &text);
    problems_init(&problems);
    status = config_load(NULL, buffer_content(&text), &problems, &demo->config);
    if (status != OK)
        cmd_print_problems(&problems, buffer_content(&text));
    problems_free(&problems);
    buffer_free(&text);
    if (status != OK)
        return CMD_FAILED;
    if (!probe_port_is_free(demo->config->listen.port))
        demo->config->listen.port = 0;
    if (!probe_port_is_free(demo->config->admin.port))
        demo->config->admin.port = 0;
    return stand_new(demo->config, NULL, &demo->stand);
}

/* The customers' own thread. */

static void
crowd_started(void *context, struct world *world)
{
    struct demo *demo = context;
    const char *port = strrchr(stand_url(demo->stand), ':') + 1;

    demo->gateway = (struct endpoint){.id = UINT32_MAX,
                                      .host = "127.0.0.1",
                                      .port = (unsigned)strtoul(port, NULL, 10),
                                      .authority = "127.0.0.1",
                                      .private_allowed = true,
                                      .connect_timeout_us = 10 * USEC_PER_S,
                                      .first_byte_timeout_us = 60 * USEC_PER_S,
                                      .idle_timeout_us = 60 * USEC_PER_S,
                                      .connections_most = IN_FLIGHT_MOST};
    demo->customers = customers_start(world, &(struct customers_options){.endpoint = &demo->gateway,
                                                                         .key = demo_key,
                                                                         .models = {.chat = "assistant",
                                                                                    .messages = "catalogue",
                                                                                    .embedding = "search",
                                                                                    .helpdesk = "helpdesk",
                                                                                    .support = "support",
                                                                                    .orders = "orders",
                                                                                    .figures = "figures"},
                                                                         .seed = demo->seed,
                                                                         .requests = demo->requests,
                                                                         .requests_per_s = REQUESTS_PER_S,
                                                                         .in_flight_most = IN_FLIGHT_MOST / 2,
                                                                         .crowd_ppm = CROWD_PPM,
                                                                         .crowd_most = CROWD_MOST,
                                                                         .leave_ppm = LEAVE_PPM,
                                                                         .feedback_ppm = FEEDBACK_PPM});
}

static void
crowd_stopped(void *context, struct world *world)
{
    struct demo *demo = context;

    (void)world;
    demo->tally_count = customers_tallies(demo->customers, demo->tallies);
    customers_stop(demo->customers);
    demo->customers = NULL;
}

static int
start_crowd(struct demo *demo)
{
    struct live_options options = {.workers = 1,
                                   .log = &demo->log,
                                   .context = demo,
                                   .worker_started = crowd_started,
                                   .worker_stopped = crowd_stopped,
                                   .drain_us = USEC_PER_S};
    char problem[LIVE_PROBLEM_SIZE];

    if (live_new(&options, &demo->crowd, problem) != OK) {
        cmd_complain("%s", problem);
        return CMD_FAILED;
    }
    live_start(demo->crowd);
    return CMD_FINE;
}

static void
show_progress(const struct demo *demo, const struct customers_counts *counts, bool terminal)
{
    unsigned filled = (unsigned)(counts->ended * BAR / demo->requests);
    char bar[BAR + 1];

    for (unsigned i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(stderr, "%s[%s] %5llu of %llu requests, %llu useful of %llu checked (modelled)%s", terminal ? "\r" : "",
            bar, (unsigned long long)counts->ended, (unsigned long long)demo->requests,
            (unsigned long long)counts->useful, (unsigned long long)counts->checked, terminal ? "" : "\n");
}

/* False if the user stopped it. A line that is written over on a terminal; else one now and then. */
static bool
wait_for_customers(struct demo *demo)
{
    bool terminal = isatty(STDERR_FILENO);
    struct customers_counts counts;
    uint64_t shown = 0;

    while (!customers_done(demo->customers)) {
        if (interrupt_within(STEP_US))
            return false;
        customers_counts(demo->customers, &counts);
        if (!terminal && counts.ended < shown + demo->requests / 5)
            continue;
        shown = counts.ended;
        show_progress(demo, &counts, terminal);
    }
    customers_counts(demo->customers, &counts);
    show_progress(demo, &counts, terminal);
    fprintf(stderr, "%s%llu answered with an error, %llu streams left by their customer, feedback on %llu answers.\n\n",
            terminal ? "\n" : "", (unsigned long long)counts.failed, (unsigned long long)counts.left,
            (unsigned long long)counts.told);
    return true;
}

/* What was right, beside what was promised of it. */
static int
show_truth(const struct demo *demo)
{
    struct evidence_view evidence;
    struct buffer out = {0};
    bool printed;

    evidence_view_open(demo->data, &evidence);
    demo_truth_text(demo->tallies, demo->tally_count, evidence.lines, evidence.count, &out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    evidence_view_close(&evidence);
    return printed ? CMD_FINE : CMD_FAILED;
}

static int
show_report(struct demo *demo)
{
    char *arguments[] = {"report", "--data", demo->data, NULL};
    int exit_status;

    if (stand_settle(demo->stand) != OK) {
        cmd_complain("the ledger could not be written");
        return CMD_FAILED;
    }
    fflush(stdout);
    exit_status = cmd_report(3, arguments);
    return exit_status == CMD_FINE ? show_truth(demo) : exit_status;
}

static void
stay(struct demo *demo)
{
    fprintf(
        stderr,
        "\nThe gateway stays up until Ctrl-C. Try it:\n"
        "  curl %s/v1/chat/completions -H 'authorization: Bearer %s' -H 'content-type: application/json' \\\n"
        "    -d '{\"model\": \"assistant\", \"messages\": [{\"role\": \"user\", \"content\": \"What is 17 * 23?\"}]}' "
        "-i\n"
        "  equipoise explain ID --data %s        # the x-equipoise-id of an answer\n"
        "  curl %s/metrics\n",
        stand_url(demo->stand), demo_key, demo->data, stand_admin_url(demo->stand));
    while (!interrupt_within(USEC_PER_S))
        continue;
}

static int
play(struct demo *demo)
{
    int exit_status;

    fprintf(stderr,
            "Modelled backends: 'hosted', and 'partner' with the same model, slower and cheaper; of each, 1 %% of the "
            "answers "
            "are errors.\n"
            "Gateway: %s, ledger in %s. Half of the conversations may use the cheaper one, the other half is shadow.\n"
            "Caches are on. On `helpdesk` also the one that compares by meaning: it serves nothing until audits have "
            "shown\nthat 90 %% of its answers would be as good as fresh ones. On `support`, `orders` and `figures` the "
            "same holds of\na middle and a small model beside the large one. The report tells how far they came.\n",
            stand_url(demo->stand), demo->data);
    exit_status = start_crowd(demo);
    if (exit_status != CMD_FINE)
        return exit_status;
    if (!wait_for_customers(demo))
        fputs("\nStopped; what was booked so far:\n", stderr);
    live_stop(demo->crowd, true);
    live_join(demo->crowd);
    exit_status = show_report(demo);
    if (exit_status == CMD_FINE && !demo->once)
        stay(demo);
    return exit_status;
}

static void
clean_up(struct demo *demo)
{
    if (demo->stand != NULL)
        stand_free(demo->stand);
    live_free(demo->crowd);
    if (demo->config != NULL)
        config_release(demo->config);
    if (demo->hosted != NULL)
        stand_twin_stop(demo->hosted);
    if (demo->partner != NULL)
        stand_twin_stop(demo->partner);
}

static int
run(struct demo *demo)
{
    int exit_status = CMD_FAILED;

    interrupt_hold(); /* before there are threads, which inherit it */
    demo->log = log_to_stderr(LOG_WARN);
    strcpy(demo->data, "/tmp/equipoise-demo-XXXXXX");
    if (mkdtemp(demo->data) == NULL) {
        cmd_complain("no folder for the ledger can be made in /tmp");
        return CMD_FAILED;
    }
    if (start_twin(120 * USEC_PER_MS, 4 * USEC_PER_MS, demo->seed, &demo->hosted) == CMD_FINE &&
        start_twin(150 * USEC_PER_MS, 5 * USEC_PER_MS, demo->seed + 1, &demo->partner) == CMD_FINE &&
        start_gateway(demo) == CMD_FINE) {
        stand_start(demo->stand);
        exit_status = play(demo);
    }
    clean_up(demo);
    return exit_status;
}

int
cmd_demo(int argc, char **argv)
{
    struct demo demo = {.requests = REQUESTS, .seed = 1};
    const struct option table[] = {
        {"once", 0, OPTION_FLAG, NULL, "end after the report", &demo.once},
        {"requests", 'n', OPTION_NUMBER, "N", "how many requests the customers send (12000)", &demo.requests},
        {"seed", 's', OPTION_NUMBER, "N", "decides workload, answers and faults (1)", &demo.seed},
    };
    static const struct example examples[] = {
        {"equipoise demo", "half a minute of traffic, the report, and a gateway to try"},
        {"equipoise demo --once", "the same, and end"},
    };
    const struct options options = {
        .command = "demo",
        .summary = "Modelled backends, a realistic workload over real sockets, the gateway between, and the report.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "All figures of the demo are modelled. Its ledger stays in /tmp for `report` and `explain`.\n",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (demo.requests == 0) {
        cmd_complain("demo: --requests must be at least 1");
        return CMD_USAGE;
    }
    return run(&demo);
}
