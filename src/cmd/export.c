/* equipoise export --focus: the ledger for other tools. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/data_folder.h"
#include "cmd/ledger_view.h"
#include "cmd/options.h"
#include "cmd/span.h"
#include "money/ledger/accounts.h"
#include "money/report/focus.h"

struct wanted {
    struct data_folder folder;
    const char *since, *until, *output;
    bool focus;
    usec from, to;
};

static bool
write_file(const char *path, struct slice bytes)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(bytes.data, 1, bytes.len, file) == bytes.len;

    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written)
        cmd_complain("export: %s cannot be written: %s", path, strerror(errno));
    return written;
}

static int
export_view(const struct wanted *wanted, struct ledger_view *view)
{
    struct buffer out = {0};
    enum status status = focus_write(view->stores, view->count, wanted->from, wanted->to, &out);
    bool written = false;

    if (status != OK)
        cmd_complain("export: the ledger in %s cannot be read: %s", wanted->folder.data, status_text(status));
    else if (wanted->output != NULL)
        written = write_file(wanted->output, buffer_content(&out));
    else
        written = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return written ? CMD_FINE : CMD_FAILED;
}

static int
export_focus(const struct wanted *wanted)
{
    struct ledger_view view;
    struct problems problems = {0};
    enum status status = ledger_view_open(wanted->folder.data, &problems, &view);
    int exit_status = CMD_FAILED;

    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    if (status == OK)
        exit_status = export_view(wanted, &view);
    ledger_view_close(&view);
    return exit_status;
}

/* Whole hours, as the ledger keeps them. */
static bool
parse_span(struct wanted *wanted)
{
    usec now = clock_wall_us(), hour = 3600 * USEC_PER_S;

    wanted->to = now;
    if (!span_parse("export: --since", wanted->since, now, &wanted->from) ||
        (wanted->until != NULL && !span_parse("export: --until", wanted->until, now, &wanted->to)))
        return false;
    wanted->from = ledger_period_start(LEDGER_HOUR, wanted->from);
    wanted->to = ledger_period_start(LEDGER_HOUR, wanted->to + hour - 1);
    return true;
}

int
cmd_export(int argc, char **argv)
{
    struct wanted wanted = {.since = "30d"};
    struct arena arena = {0};
    const struct option table[] = {
        {"focus", 0, OPTION_FLAG, NULL, "FOCUS 1.4 as CSV (focus.finops.org)", &wanted.focus},
        DATA_FOLDER_OPTIONS(&wanted.folder),
        {"since", 0, OPTION_TEXT, "TIME", "from then on: 24h, 7d, or a date (default 30d)", &wanted.since},
        {"until", 0, OPTION_TEXT, "TIME", "up to then (default now)", &wanted.until},
        {"output", 'o', OPTION_TEXT, "FILE", "where to (default standard output)", &wanted.output},
    };
    static const struct example examples[] = {
        {"equipoise export --focus --since 2026-01-01 --until 2026-02-01 -o january.csv", "one month"},
    };
    const struct options options = {
        .command = "export",
        .summary = "Writes costs and usage for other tools: one row for each hour, key, model and kind of token.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes =
            "The sum of BilledCost is the ledger's, to the pico-dollar. Requests without a known cost are counted in\n"
            "x_UnpricedRequests.\nExit status: 0 fine, 1 no ledger or not written, 2 the command line is wrong, 3 the "
            "configuration.",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (!wanted.focus) {
        cmd_complain("export: say in which form: --focus");
        return CMD_USAGE;
    }
    if (!parse_span(&wanted))
        return CMD_USAGE;
    exit_status = data_folder_find(&wanted.folder, &arena);
    if (exit_status == CMD_FINE)
        exit_status = export_focus(&wanted);
    arena_reset(&arena);
    return exit_status;
}
