/* `equipoise budget`: all budgets and how they stand, from the running gateway, or else from the ledger. */
#include <stdio.h>
#include <yyjson.h>

#include "admin/budget_page.h"
#include "base/clock.h"
#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/serve/recall.h"
#include "config/outside.h"
#include "config/yaml.h"
#include "money/amount.h"

enum { COLUMNS = 10, CELL_SIZE = 112 };

static const char *const titles[COLUMNS] = {"whose", "budget",    "spent",    "reserved", "left",
                                            "used",  "resets in", "forecast", "refused",  "if exceeded"};

struct line {
    char cells[COLUMNS][CELL_SIZE];
};

/* The table */

static const char *
text_of(yyjson_val *budget, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(budget, name));

    return text != NULL ? text : "";
}

static bool
is_money(yyjson_val *budget)
{
    return strcmp(text_of(budget, "unit"), "usd") == 0;
}

/* -1: unknown. */
static int64_t
amount_of(yyjson_val *budget, const char *name)
{
    yyjson_val *value = yyjson_obj_get(budget, name);
    usd amount;

    if (yyjson_is_int(value))
        return yyjson_get_sint(value);
    if (yyjson_is_str(value) && usd_parse(slice_of(yyjson_get_str(value)), &amount) == OK)
        return amount;
    return -1;
}

/* Cents, but where a cent is much. */
static unsigned
places_of(yyjson_val *budget, int64_t amount)
{
    bool small = amount_of(budget, "limit") < USD_ONE || amount < USD_ONE / 100;

    return amount != 0 && small ? 6 : 2;
}

static void
put_amount(yyjson_val *budget, const char *name, char *cell)
{
    int64_t amount = amount_of(budget, name);
    char text[AMOUNT_TEXT_SIZE];

    if (amount < 0)
        snprintf(cell, CELL_SIZE, "-");
    else if (!is_money(budget))
        snprintf(cell, CELL_SIZE, "%lld", (long long)amount);
    else {
        amount_format_places(amount, places_of(budget, amount), text);
        snprintf(cell, CELL_SIZE, "%s", text);
    }
}

static void
put_share(yyjson_val *budget, char *cell)
{
    int64_t limit = amount_of(budget, "limit"), spent = amount_of(budget, "spent");

    if (limit > 0 && spent >= 0)
        snprintf(cell, CELL_SIZE, "%lld%%", (long long)((wide_int)spent * 100 / limit));
}

static void
put_span(int64_t seconds, char *cell)
{
    int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (days > 0)
        snprintf(cell, CELL_SIZE, "%lldd %lldh", (long long)days, (long long)(hours % 24));
    else if (hours > 0)
        snprintf(cell, CELL_SIZE, "%lldh %lldm", (long long)hours, (long long)(minutes % 60));
    else if (minutes > 0)
        snprintf(cell, CELL_SIZE, "%lldm", (long long)minutes);
    else
        snprintf(cell, CELL_SIZE, "%llds", (long long)seconds);
}

static void
fill_line(yyjson_val *budget, struct line *line)
{
    const char *name = text_of(budget, "name");

    snprintf(line->cells[0], CELL_SIZE, "%s%s%.80s", text_of(budget, "scope"), name[0] != '\0' ? " " : "", name);
    snprintf(line->cells[1], CELL_SIZE, "%.100s", text_of(budget, "limit_text"));
    put_amount(budget, "spent", line->cells[2]);
    put_amount(budget, "reserved", line->cells[3]);
    put_amount(budget, "left", line->cells[4]);
    put_share(budget, line->cells[5]);
    put_span(yyjson_get_sint(yyjson_obj_get(budget, "resets_in_s")), line->cells[6]);
    put_amount(budget, "forecast", line->cells[7]);
    snprintf(line->cells[8], CELL_SIZE, "%lld", (long long)yyjson_get_sint(yyjson_obj_get(budget, "refusals")));
    snprintf(line->cells[9], CELL_SIZE, "%s, %s", text_of(budget, "on_exceed"), text_of(budget, "exposure"));
}

/* Names and what happens stand left, what is counted right. */
static bool
is_left(unsigned column)
{
    return column < 2 || column == COLUMNS - 1;
}

static void
print_line(const struct line *line, const int *widths)
{
    for (unsigned column = 0; column < COLUMNS; column++)
        printf("%*s%s", is_left(column) ? (column + 1 < COLUMNS ? -widths[column] : 0) : widths[column],
               line->cells[column], column + 1 < COLUMNS ? "  " : "\n");
}

static void
print_table(yyjson_val *budgets)
{
    size_t rows = yyjson_arr_size(budgets), i, count;
    struct line *lines = must_calloc(rows + 1, sizeof(*lines));
    int widths[COLUMNS] = {0};
    yyjson_val *budget;

    for (unsigned column = 0; column < COLUMNS; column++)
        snprintf(lines[0].cells[column], CELL_SIZE, "%s", titles[column]);
    yyjson_arr_foreach(budgets, i, count, budget) fill_line(budget, &lines[i + 1]);
    for (i = 0; i <= rows; i++)
        for (unsigned column = 0; column < COLUMNS; column++) {
            int len = (int)strlen(lines[i].cells[column]);

            widths[column] = len > widths[column] ? len : widths[column];
        }
    for (i = 0; i <= rows; i++)
        print_line(&lines[i], widths);
    free(lines);
}

/* Beyond what is reserved: only where there is something. */
static void
print_exposures(yyjson_val *budgets)
{
    size_t i, count;
    yyjson_val *budget;

    yyjson_arr_foreach(budgets, i, count, budget)
    {
        if (amount_of(budget, "exposed") > 0 || yyjson_get_sint(yyjson_obj_get(budget, "unbounded")) > 0)
            printf("Exposure of %s: %s.\n", text_of(budget, "budget"), text_of(budget, "exposure_words"));
    }
}

static int
print_budgets(struct slice json)
{
    yyjson_doc *doc = yyjson_read(json.data, json.len, YYJSON_READ_NOFLAG);
    yyjson_val *budgets = yyjson_obj_get(yyjson_doc_get_root(doc), "budgets");
    bool understood = yyjson_is_arr(budgets);

    if (!understood)
        cmd_complain("the gateway's answer is not understood; is it another version than this program?");
    else if (yyjson_arr_size(budgets) == 0)
        puts("There are no budgets in the configuration. For example: budget: $50/day");
    else {
        print_table(budgets);
        print_exposures(budgets);
    }
    yyjson_doc_free(doc);
    return understood ? CMD_FINE : CMD_FAILED;
}

/* Without a gateway: the budgets of the configuration, and what the ledger has of them. */

struct offline {
    const char *config_file, *data; /* NULL: the usual ones */
};

static struct config *
load_config(const char *file)
{
    struct config_outside outside = config_outside_real;
    struct buffer text = {0}, shown = {0};
    struct problems problems = {0};
    struct config *config = NULL;

    outside.no_secrets = true; /* none is needed to look at budgets */
    if (cmd_read_config(file, YAML_BYTES_MOST, &text) == OK &&
        config_load_input(&(struct config_input){.file = file, .text = buffer_content(&text), .outside = &outside},
                          &problems, &config) != OK) {
        config_print_problems(&problems, buffer_content(&text), cmd_colour(stderr), &shown);
        cmd_tell(buffer_content(&shown));
    }
    problems_free(&problems);
    buffer_free(&shown);
    buffer_free(&text);
    return config;
}

static enum status
recall(struct budgets *budgets, const char *data, usec wall_us)
{
    struct problems problems = {0};
    enum status status = recall_budgets(budgets, data, wall_us, &problems);

    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    return status;
}

static int
read_ledger(const struct offline *offline, struct buffer *out)
{
    const char *file = offline->config_file != NULL ? offline->config_file : USUAL_CONFIG;
    struct config *config = load_config(file);
    usec wall_us = clock_wall_us();
    struct budgets budgets;
    enum status status;

    if (config == NULL)
        return CMD_CONFIG;
    budgets_init(&budgets);
    budgets_configure(&budgets, config->all_budgets.all, config->all_budgets.count);
    status = recall(&budgets, offline->data != NULL ? offline->data : config->data, wall_us);
    if (status == OK)
        budget_page_write(&budgets, config, wall_us, out);
    budgets_free(&budgets);
    config_release(config);
    return status == OK ? CMD_FINE : CMD_FAILED;
}

static void
say_no_gateway(const char *admin)
{
    struct arena arena = {0};

    fprintf(stderr,
            "No gateway answers on %s (--admin): this is what the ledger says of the budgets in %s (--config).\n",
            admin != NULL ? admin : usual_admin(&arena), USUAL_CONFIG);
    arena_wipe(&arena); /* the configuration was in it */
}

static int
collect(const char *admin, const struct offline *offline, struct buffer *out)
{
    if (offline->config_file == NULL && offline->data == NULL && admin_answers(admin))
        return admin_call(admin, "GET", "/budgets", SLICE_NONE, out);
    if (offline->config_file == NULL && offline->data == NULL)
        say_no_gateway(admin);
    return read_ledger(offline, out);
}

int
cmd_budget(int argc, char **argv)
{
    const char *admin = NULL;
    struct offline offline = {0};
    bool json = false;
    const struct option table[] = {
        ADMIN_OPTION(&admin),
        {"config", 'c', OPTION_TEXT, "FILE", "ask no gateway: the budgets of this configuration, and its ledger",
         &offline.config_file},
        {"data", 'd', OPTION_TEXT, "DIR", "ask no gateway: the ledger in this data directory", &offline.data},
        {"json", 0, OPTION_FLAG, NULL, "as JSON; dollars are exact decimal texts", &json},
    };
    static const struct example examples[] = {
        {"equipoise budget", "all budgets of the running gateway"},
        {"equipoise budget --json", "the same, for programs"},
        {"equipoise budget --config equipoise.yaml", "from the ledger, whether or not the gateway runs"},
    };
    const struct options options = {
        .command = "budget",
        .summary =
            "Shows all budgets: what is spent, reserved and left, when they start anew, and where they will end.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "The forecast is what will be spent by the window's end if it goes on as since its start.\n"
                 "What the ledger says lags by what is under way: only the gateway knows what is reserved.\n"
                 "Exit status: 0 fine, 1 neither gateway nor ledger can be read, 2 the command line is wrong,\n"
                 "3 the configuration.",
    };
    struct buffer out = {0};
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    exit_status = collect(admin, &offline, &out);
    if (exit_status == CMD_FINE && json)
        exit_status = cmd_print(buffer_content(&out)) && putchar('\n') != EOF ? CMD_FINE : CMD_FAILED;
    else if (exit_status == CMD_FINE)
        exit_status = print_budgets(buffer_content(&out));
    buffer_free(&out);
    return exit_status;
}
