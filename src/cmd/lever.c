/* `equipoise lever`: the levers of all routes, and how to set one while the gateway runs. */
#include <stdio.h>
#include <yyjson.h>

#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

enum { COLUMNS = 5 };

static const char *const titles[COLUMNS] = {"route", "lever", "mode", "set by", "file says"};
static const char *const members[COLUMNS] = {"route", "lever", "mode", "set_by", "file"};

static const char *
cell(yyjson_val *lever, unsigned column)
{
    const char *text = yyjson_get_str(yyjson_obj_get(lever, members[column]));

    return text != NULL ? text : "";
}

static void
print_table(yyjson_val *levers)
{
    int widths[COLUMNS];
    yyjson_val *lever;
    size_t i, count;

    for (unsigned column = 0; column < COLUMNS; column++) {
        widths[column] = (int)strlen(titles[column]);
        yyjson_arr_foreach(levers, i, count, lever)
        {
            int len = (int)strlen(cell(lever, column));

            widths[column] = len > widths[column] ? len : widths[column];
        }
    }
    for (unsigned column = 0; column < COLUMNS; column++)
        printf("%-*s%s", column + 1 < COLUMNS ? widths[column] : 0, titles[column], column + 1 < COLUMNS ? "  " : "\n");
    yyjson_arr_foreach(levers, i, count, lever)
    {
        for (unsigned column = 0; column < COLUMNS; column++)
            printf("%-*s%s", column + 1 < COLUMNS ? widths[column] : 0, cell(lever, column),
                   column + 1 < COLUMNS ? "  " : "\n");
    }
}

static int
print_levers(struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc), *levers = yyjson_obj_get(root, "levers");

    if (!yyjson_is_arr(levers)) {
        yyjson_doc_free(doc);
        cmd_complain("the gateway's answer is not understood; is it another version than this program?");
        return CMD_FAILED;
    }
    if (yyjson_arr_size(levers) == 0)
        puts("There are no routes in the gateway's configuration, and levers belong to routes.");
    else
        print_table(levers);
    if (yyjson_get_bool(yyjson_obj_get(root, "bypass")))
        puts("Bypass is on: whatever the levers' modes, everything goes to the reference.");
    if (yyjson_get_bool(yyjson_obj_get(root, "observe")))
        puts("The gateway observes: a lever that is on works as shadow.");
    yyjson_doc_free(doc);
    return CMD_FINE;
}

static void
put_member(struct buffer *json, const char *name, const char *value)
{
    buffer_printf(json, "%s\"%s\":\"", buffer_len(json) == 0 ? "{" : ",", name);
    buffer_add_json(json, slice_of(value));
    buffer_add_byte(json, '"');
}

static int
call(const char *admin, int argc, char **argv, bool as_json)
{
    struct buffer json = {0}, answer = {0};
    int exit_status;

    if (argc > 1) {
        put_member(&json, "route", argv[1]);
        put_member(&json, "lever", argv[2]);
        put_member(&json, "to", argv[3]);
        buffer_add_byte(&json, '}');
    }
    exit_status = admin_call(admin, argc > 1 ? "POST" : "GET", "/levers", buffer_content(&json), &answer);
    if (exit_status == CMD_FINE && as_json)
        exit_status = cmd_print(buffer_content(&answer)) && putchar('\n') != EOF ? CMD_FINE : CMD_FAILED;
    else if (exit_status == CMD_FINE)
        exit_status = print_levers(buffer_content(&answer));
    admin_say_recorded(buffer_content(&answer));
    buffer_free(&json);
    buffer_free(&answer);
    return exit_status;
}

int
cmd_lever(int argc, char **argv)
{
    const char *admin = NULL;
    bool json = false;
    const struct option table[] = {
        ADMIN_OPTION(&admin),
        {"json", 0, OPTION_FLAG, NULL, "as JSON", &json},
    };
    static const struct example examples[] = {
        {"equipoise lever", "every route's levers, their modes, and whether file or run time set them"},
        {"equipoise lever assistant alternatives shadow", "book what it would save, serve nothing by it"},
        {"equipoise lever assistant alternatives on:5%", "on for that share of conversations, shadow for the rest"},
        {"equipoise lever all alternatives off", "off on every route"},
        {"equipoise lever assistant alternatives file", "give it back to the configuration"},
    };
    const struct options options = {
        .command = "lever",
        .summary = "Shows the levers of all routes, or sets one while the gateway runs.",
        .operands = "[ROUTE|all LEVER off|shadow|on|on:SHARE|file]",
        .operands_most = 3,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "What is set here stands above the configuration, also when that is read again, until it is given\n"
                 "back by `file` or the gateway starts anew. Requests under way keep the mode they began with.\n",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (argc != 1 && argc != 4) {
        cmd_complain("lever: name a route (or all), a lever and its mode; or nothing, to see all of them. "
                     "`equipoise lever --help` shows examples.");
        return CMD_USAGE;
    }
    return call(admin, argc, argv, json);
}
