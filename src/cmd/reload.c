/* `equipoise reload`: has the running gateway read its configuration again, and waits until it holds. */
#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

int
cmd_reload(int argc, char **argv)
{
    const char *admin = NULL;
    struct buffer answer = {0};
    const struct option table[] = {
        ADMIN_OPTION(&admin),
    };
    static const struct example examples[] = {
        {"equipoise reload", "the file that the gateway was started with holds from now on"},
    };
    const struct options options = {
        .command = "reload",
        .summary = "Has the gateway read its configuration again, and tells what changed or what is wrong.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "Requests under way end by what they began with. A file with an error changes nothing.\n"
                 "SIGHUP does the same without waiting; the gateway's log says how it went.\n"
                 "Exit status: 0 it holds, 1 failed, 2 usage, 3 bad configuration.\n",
    };
    int exit_status = options_read(&options, &argc, argv);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    exit_status = admin_call(admin, "POST", "/reload", SLICE_LITERAL("{}"), &answer);
    if (exit_status == CMD_FINE && !cmd_print(buffer_content(&answer)))
        exit_status = CMD_FAILED;
    if (exit_status == CMD_CONFIG)
        cmd_tell(buffer_content(&answer));
    buffer_free(&answer);
    return exit_status;
}
