#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/options.h"
#include "cmd/probe/discover.h"
#include "cmd/usual.h"

struct init_options {
    const char *output;
    bool force;
};

static int
read_options(struct init_options *given, int argc, char **argv)
{
    const struct option options[] = {
        {"output", 'o', OPTION_TEXT, "FILE", "where to write it (equipoise.yaml; - for standard output)",
         &given->output},
        {"force", 'f', OPTION_FLAG, NULL, "replace a file that is there", &given->force},
    };
    static const struct example examples[] = {
        {"equipoise init", "write equipoise.yaml from what is found"},
        {"equipoise init -o -", "only show it"},
    };
    const struct options table = {
        .command = "init",
        .summary =
            "Writes a configuration from what it finds: providers' keys in the environment, engines on local ports.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof examples / sizeof *examples,
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .notes = "Keys are written as $NAME and stay in the environment.",
    };

    return options_read(&table, &argc, argv);
}

static int
write_config(const struct init_options *given, struct slice text)
{
    enum status status = given->force ? file_replace(given->output, text) : file_create(given->output, text);

    if (status == OK)
        return CMD_FINE;
    if (status == ERR_EXISTS)
        cmd_complain("%s is there already; --force replaces it, -o writes another", given->output);
    else
        cmd_complain("%s cannot be written: %s", given->output, strerror(errno));
    return CMD_FAILED;
}

static void
tell(const struct discovery *discovery, const char *file)
{
    struct buffer found;

    buffer_init(&found);
    discovery_describe(discovery, &found);
    if (discovery->count == 0)
        fprintf(stderr,
                "Nothing found: no provider's key in the environment, no engine on its usual port. %s has "
                "examples.\n",
                file);
    else
        fprintf(stderr, "Found:\n%.*s", SLICE_ARGS(buffer_content(&found)));
    if (strcmp(file, USUAL_CONFIG) == 0)
        fprintf(stderr, "Wrote %s. Next: equipoise check --probe, then equipoise serve\n", file);
    else
        fprintf(stderr, "Wrote %s. Next: equipoise check %s --probe, then equipoise serve --config %s\n", file, file,
                file);
    buffer_free(&found);
}

int
cmd_init(int argc, char **argv)
{
    struct init_options given = {.output = USUAL_CONFIG};
    int exit_status = read_options(&given, argc, argv);
    struct discovery discovery;
    struct buffer text;

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    buffer_init(&text);
    discover(&discovery, &discover_here);
    discovery_write(&discovery, true, &text);
    if (strcmp(given.output, "-") == 0) {
        exit_status = cmd_print(buffer_content(&text)) ? CMD_FINE : CMD_FAILED;
    } else {
        exit_status = write_config(&given, buffer_content(&text));
        if (exit_status == CMD_FINE)
            tell(&discovery, given.output);
    }
    discovery_free(&discovery);
    buffer_free(&text);
    return exit_status;
}
