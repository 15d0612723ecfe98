/* `equipoise bypass on|off`: everything goes to the reference, still booked. */
#include <stdio.h>

#include "cmd/admin_call.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

static int
say(struct slice answer)
{
    bool on = slice_find(answer, SLICE_LITERAL("\"bypass\":true")) < answer.len;

    printf("bypass is %s\n", on ? "on: everything goes to the reference" : "off: the levers work");
    admin_say_recorded(answer);
    return CMD_FINE;
}

int
cmd_bypass(int argc, char **argv)
{
    const char *admin = NULL;
    struct buffer answer = {0};
    const struct option table[] = {
        ADMIN_OPTION(&admin),
    };
    static const struct example examples[] = {
        {"equipoise bypass on", "everything goes to the reference, at once, still booked"},
        {"equipoise bypass off", "the levers work again"},
        {"equipoise bypass", "tells which it is"},
    };
    const struct options options = {
        .command = "bypass",
        .summary = "Sends everything to the reference models, or lets the levers work again.",
        .operands = "[on|off]",
        .operands_most = 1,
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
    };
    int exit_status = options_read(&options, &argc, argv);
    bool on = argc > 1 && slice_is(slice_of(argv[1]), "on"), off = argc > 1 && slice_is(slice_of(argv[1]), "off");

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    if (argc > 1 && !on && !off) {
        cmd_complain("bypass: '%s' is neither 'on' nor 'off'", argv[1]);
        return CMD_USAGE;
    }
    exit_status = admin_call(admin, argc > 1 ? "POST" : "GET", "/bypass",
                             on    ? SLICE_LITERAL("{\"on\":true}")
                             : off ? SLICE_LITERAL("{\"on\":false}")
                                   : SLICE_NONE,
                             &answer);
    if (exit_status == CMD_FINE)
        exit_status = say(buffer_content(&answer));
    buffer_free(&answer);
    return exit_status;
}
