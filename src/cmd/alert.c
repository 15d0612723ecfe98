/* `equipoise alert test`: an alert for trial, raised by the running gateway. */
#include <stdio.h>
#include <yyjson.h>

#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

static int
say(struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *webhook = yyjson_get_str(yyjson_obj_get(root, "webhook"));
    bool command = yyjson_get_bool(yyjson_obj_get(root, "command"));
    int exit_status = CMD_FINE;

    if (webhook != NULL || command)
        printf("An alert was raised. It goes to %s%s%s; whether it arrived, the gateway's log and "
               "equipoise_alerts_total say.\n",
               webhook != NULL ? "the webhook at " : "", webhook != NULL ? webhook : "",
               command ? (webhook != NULL ? " and to the command" : "the command") : "");
    else {
        cmd_complain("the gateway's configuration has neither a webhook nor a command for alerts: it went to the log "
                     "alone. For example: alerts: { webhook: https://hooks.example.com/x }");
        exit_status = CMD_FAILED;
    }
    yyjson_doc_free(doc);
    return exit_status;
}

int
cmd_alert(int argc, char **argv)
{
    const char *admin = NULL;
    struct buffer answer = {0};
    const struct option table[] = {
        ADMIN_OPTION(&admin),
    };
    static const struct example examples[] = {
        {"equipoise alert test", "one that says it is a test"},
    };
    const struct options options = {
        .command = "alert",
        .summary = "Has the running gateway raise an alert for trial, and tells where it goes.",
        .operands = "test",
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (argc != 2 || !slice_is(slice_of(argv[1]), "test")) {
        cmd_complain("alert: say 'test': it raises an alert for trial");
        return CMD_USAGE;
    }
    exit_status = admin_call(admin, "POST", "/alert", SLICE_LITERAL("{}"), &answer);
    if (exit_status == CMD_FINE)
        exit_status = say(buffer_content(&answer));
    buffer_free(&answer);
    return exit_status;
}
