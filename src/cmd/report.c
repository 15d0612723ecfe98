/* equipoise report: what was spent, what was saved, and what it was worth. */
#include "money/report/report.h"
#include "base/clock.h"
#include "cmd/data_folder.h"
#include "cmd/evidence_view.h"
#include "cmd/ledger_view.h"
#include "cmd/options.h"
#include "cmd/span.h"
#include "config/config.h"
#include "config/outside.h"
#include "config/yaml.h"

struct wanted {
    struct data_folder folder;
    const char *since, *until, *by;
    bool json, csv, look_ups, pools;
};

static const char *
risk_of(struct slice lever)
{
    if (slice_is(lever, lever_name(LEVER_EXACT_CACHE)))
        return "answers as old as their ttl";
    if (slice_is(lever, lever_name(LEVER_PROMPT_CACHE)))
        return "none to answers; writes in vain";
    if (slice_is(lever, lever_name(LEVER_BATCHING)))
        return "waits for others; last bits of floats";
#define LEVER(id, name, may_change_answer, words)                                                                      \
    if (slice_is(lever, name))                                                                                         \
        return may_change_answer ? "may change answers" : "none to answers";
#include "config/levers.def"
#undef LEVER
    if (slice_is(lever, ROW_AUDITS))
        return "none: what evidence costs";
    return slice_is(lever, "unattributed") ? "no lever's doing" : "unknown";
}

/* tag:NAME */
static bool
parse_one_tag(struct slice word, struct report_options *out)
{
    struct slice rest = word, before = slice_split(&rest, ':');

    if (!slice_is(before, "tag") || rest.len == 0)
        return false;
    out->tag = rest;
    out->by[out->by_count++] = REPORT_BY_TAG;
    return true;
}

static bool
parse_one_by(struct slice word, struct report_options *out)
{
    for (int by = 0; by < REPORT_BYS; by++)
        if (slice_is(word, report_by_name((enum report_by)by))) {
            out->by[out->by_count++] = (enum report_by)by;
            return true;
        }
    if (parse_one_tag(word, out))
        return true;
    cmd_complain("report: --by: '%.*s' is not one of key, route, tag, tag:NAME, model, backend, tenant, owner, source, "
                 "hour, day",
                 SLICE_ARGS(word));
    return false;
}

/* Tags are summed by themselves: a request has any number of them. */
static bool
tags_fit(const struct report_options *options)
{
    unsigned tags = 0, others = 0;

    for (size_t i = 0; i < options->by_count; i++) {
        bool time = options->by[i] == REPORT_BY_HOUR || options->by[i] == REPORT_BY_DAY;

        tags += options->by[i] == REPORT_BY_TAG;
        others += options->by[i] != REPORT_BY_TAG && !time;
    }
    if (tags == 0 || (tags == 1 && others == 0))
        return true;
    cmd_complain("report: --by: the ledger sums each tag by itself, so 'tag' goes with hour and day and nothing else; "
                 "ask twice: --by tag:NAME, and --by the rest");
    return false;
}

static bool
parse_by(const char *text, struct report_options *out)
{
    struct slice rest = slice_of(text);

    while (rest.data != NULL) {
        struct slice word = slice_trim(slice_split(&rest, ','));

        if (out->by_count == REPORT_BY_MOST) {
            cmd_complain("report: --by: at most %d at a time", REPORT_BY_MOST);
            return false;
        }
        if (!parse_one_by(word, out))
            return false;
    }
    return tags_fit(out);
}

static bool
parse_wanted(const struct wanted *wanted, struct report_options *out)
{
    *out = (struct report_options){.now = clock_wall_us(), .risk = risk_of};
    out->until = out->now;
    if (wanted->json && wanted->csv) {
        cmd_complain("report: --json and --csv exclude each other");
        return false;
    }
    if (wanted->look_ups && !wanted->csv) {
        cmd_complain("report: --look-ups goes with --csv; the report for people and --json have them anyway");
        return false;
    }
    if (wanted->pools && (!wanted->csv || wanted->look_ups)) {
        cmd_complain("report: --pools goes with --csv and without --look-ups; the report for people and --json have "
                     "them anyway");
        return false;
    }
    return span_parse("report: --since", wanted->since, out->now, &out->since) &&
           (wanted->until == NULL || span_parse("report: --until", wanted->until, out->now, &out->until)) &&
           (wanted->by == NULL || parse_by(wanted->by, out));
}

static int
print_report(const struct wanted *wanted, const struct report *report)
{
    struct buffer out = {0};
    bool printed;

    if (wanted->json)
        report_write_json(report, &out);
    else if (wanted->pools)
        report_write_pools_csv(report, &out);
    else if (wanted->look_ups)
        report_write_look_ups_csv(report, &out);
    else if (wanted->csv)
        report_write_csv(report, &out);
    else
        report_write_text(report, cmd_colour(stdout), &out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return printed ? CMD_FINE : CMD_FAILED;
}

static int
make_report(const struct wanted *wanted, struct report_options *options)
{
    struct ledger_view view;
    struct evidence_view evidence;
    struct problems problems = {0};
    struct report report = {0};
    enum status status = ledger_view_open(wanted->folder.data, &problems, &view);
    int exit_status = CMD_FAILED;

    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    evidence_view_open(wanted->folder.data, &evidence);
    options->evidence = evidence.lines;
    options->evidence_count = evidence.count;
    if (status == OK) {
        status = report_collect(view.stores, view.count, options, &report);
        if (status == OK)
            exit_status = print_report(wanted, &report);
        else
            cmd_complain("report: the ledger in %s cannot be read: %s", wanted->folder.data, status_text(status));
        report_free(&report);
    }
    evidence_view_close(&evidence);
    ledger_view_close(&view);
    return exit_status;
}

/* What the configuration allows for a month of everything; without one that holds, the report goes without. */
static usd
month_budget(const char *file)
{
    struct config_outside outside = config_outside_real;
    struct problems problems = {0};
    struct config *config = NULL;
    struct buffer text = {0};
    usd limit = 0;

    outside.no_secrets = true;
    if (cmd_read_config(file, YAML_BYTES_MOST, &text) == OK &&
        config_load_input(&(struct config_input){.file = file, .text = buffer_content(&text), .outside = &outside},
                          &problems, &config) != OK)
        cmd_complain("report: %s has errors, so its budget is not shown: 'equipoise check' tells them.", file);
    for (size_t i = 0; config != NULL && i < config->budgets.count; i++)
        if (config->budgets.all[i].unit == BUDGET_USD && config->budgets.all[i].window == BUDGET_MONTH)
            limit = config->budgets.all[i].limit;
    if (config != NULL)
        config_release(config);
    problems_free(&problems);
    buffer_free(&text);
    return limit;
}

int
cmd_report(int argc, char **argv)
{
    struct wanted wanted = {.since = "30d"};
    struct report_options report_options;
    struct arena arena = {0};
    const struct option table[] = {
        DATA_FOLDER_OPTIONS(&wanted.folder),
        {"since", 0, OPTION_TEXT, "TIME", "from then on: 24h, 7d, or a date (default 30d)", &wanted.since},
        {"until", 0, OPTION_TEXT, "TIME", "up to then (default now)", &wanted.until},
        {"by", 0, OPTION_TEXT, "WHAT",
         "key, route, tag, tag:NAME, model, backend, tenant, owner, source, hour, day; several with commas, but tags "
         "only with hour or day",
         &wanted.by},
        {"json", 0, OPTION_FLAG, NULL, "everything, as JSON; amounts are exact decimal texts", &wanted.json},
        {"csv", 0, OPTION_FLAG, NULL, "the lines, as CSV", &wanted.csv},
        {"look-ups", 0, OPTION_FLAG, NULL,
         "with --csv: what became of looking for stored answers, instead of the lines", &wanted.look_ups},
        {"pools", 0, OPTION_FLAG, NULL, "with --csv: engines paid by the hour, busy and idle, instead of the lines",
         &wanted.pools},
    };
    static const struct example examples[] = {
        {"equipoise report", "the last 30 days"},
        {"equipoise report --since 24h --by route,model", "yesterday till now, by route and model"},
        {"equipoise report --by tag:feature,day", "what each value of the tag `feature` cost, day by day"},
        {"equipoise report --by day --csv", "for a spreadsheet"},
        {"equipoise report --look-ups --csv", "likewise: hits, near misses and evidence of the caches, by route"},
    };
    const struct options options = {
        .command = "report",
        .summary = "Says what was spent and saved, per lever with both its sides, and what a useful output costs.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "Times are taken to whole hours, UTC. Works while the gateway runs.\n"
                 "The forecast for the month's end stands beside the configuration's budget of everything for the "
                 "month, if it has one.\n"
                 "Exit status: 0 fine, 1 no ledger that can be read, 2 the command line is wrong, 3 the configuration.",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (!parse_wanted(&wanted, &report_options))
        return CMD_USAGE;
    exit_status = data_folder_find(&wanted.folder, &arena);
    if (exit_status == CMD_FINE && wanted.folder.config != NULL)
        report_options.month_budget = month_budget(wanted.folder.config);
    if (exit_status == CMD_FINE)
        exit_status = make_report(&wanted, &report_options);
    arena_reset(&arena);
    return exit_status;
}
