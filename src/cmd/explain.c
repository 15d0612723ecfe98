/* equipoise explain ID: one request, whole. */
#include "money/report/explain.h"
#include "base/text.h"
#include "cmd/data_folder.h"
#include "cmd/ledger_view.h"
#include "cmd/options.h"

static int
print_row(const struct row *row, bool json)
{
    struct buffer out = {0};
    bool printed;

    if (json)
        explain_write_json(row, &out);
    else
        explain_write_text(row, cmd_colour(stdout), &out);
    printed = cmd_print(buffer_content(&out));
    buffer_free(&out);
    return printed ? CMD_FINE : CMD_FAILED;
}

static int
find_and_print(const char *data, const char *name, uint64_t id, bool json)
{
    struct ledger_view view;
    struct problems problems = {0};
    struct arena arena = {0};
    struct row row;
    enum status status = ledger_view_open(data, &problems, &view);
    int exit_status = CMD_FAILED;

    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    if (status == OK) {
        status = ledger_view_find(&view, id, &arena, &row);
        if (status == OK)
            exit_status = print_row(&row, json);
        else
            cmd_complain("explain: there is no request %s in %s: %s", name, data, status_text(status));
    }
    ledger_view_close(&view);
    arena_reset(&arena);
    return exit_status;
}

int
cmd_explain(int argc, char **argv)
{
    struct data_folder folder = {0};
    struct arena arena = {0};
    bool json = false;
    uint64_t id;
    const struct option table[] = {
        DATA_FOLDER_OPTIONS(&folder),
        {"json", 0, OPTION_FLAG, NULL, "everything, as JSON; amounts are exact decimal texts", &json},
    };
    static const struct example examples[] = {
        {"equipoise explain 01k2m3n4p5q6r", "the id stands in each answer's header x-equipoise-id"},
    };
    const struct options options = {
        .command = "explain",
        .summary = "Tells one request: plans and why each lost, attempts, cost line by line, timing, savings.",
        .operands = "ID",
        .operands_least = 1,
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes =
            "Finds a request as soon as it is in the journal, also while the gateway runs.\n"
            "Exit status: 0 fine, 1 no such request or no ledger, 2 the command line is wrong, 3 the configuration.",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (text_parse_id(slice_of(argv[1]), &id) != OK) {
        cmd_complain("explain: '%s' is no id; one has 13 characters, as 01k2m3n4p5q6r", argv[1]);
        return CMD_USAGE;
    }
    exit_status = data_folder_find(&folder, &arena);
    if (exit_status == CMD_FINE)
        exit_status = find_and_print(folder.data, argv[1], id, json);
    arena_reset(&arena);
    return exit_status;
}
