/* The table of subcommands; nothing else. */
#include <string.h>

#include "cmd/cmd.h"
#include "version.h"

static const struct command commands[] = {
#define COMMAND(name, function, summary) {name, function, summary},
#include "cmd/commands.def"
#undef COMMAND
};

int
main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)) {
        printf("equipoise %s\n", EQUIPOISE_VERSION);
        return cmd_finish(CMD_FINE);
    }
    return cmd_finish(cmd_dispatch("equipoise", "The cheapest acceptable output from AI model servers.", commands,
                                   sizeof commands / sizeof commands[0], argc - 1, argv + 1));
}
