/* `equipoise serve`: the gateway. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/probe/discover.h"
#include "cmd/serve/reread.h"
#include "cmd/serve/stand.h"
#include "cmd/usual.h"
#include "config/compare.h"
#include "config/outside.h"
#include "config/value.h"
#include "gateway/gateway.h"
#include "live/dns.h"
#include "live/outside.h"
#include "live/process.h"

enum { CONFIG_BYTES_MOST = 16 * 1024 * 1024 };

/* Addresses given on the command line; a port of 0: not given. */
struct override {
    struct value_address listen, admin;
};

struct serve_options {
    const char *config, *listen, *admin, *data;
    uint64_t workers;
    bool observe, core_dumps;
    struct override override;
};

static int
read_options(int *argc, char **argv, struct serve_options *out)
{
    const struct option table[] = {
        {"config", 'c', OPTION_TEXT, "FILE", "the configuration (equipoise.yaml, if it is here; else what is found)",
         &out->config},
        {"observe", 0, OPTION_FLAG, NULL, "forward and book, never alter or refuse", &out->observe},
        {"listen", 0, OPTION_TEXT, "ADDRESS", "instead of the configuration's `listen`", &out->listen},
        {"admin", 0, OPTION_TEXT, "ADDRESS", "instead of the configuration's `admin`", &out->admin},
        {"data", 'd', OPTION_TEXT, "DIR", "instead of the configuration's `data`", &out->data},
        {"workers", 0, OPTION_NUMBER, "N", "instead of the configuration's `workers`", &out->workers},
        {"core-dumps", 0, OPTION_FLAG, NULL, "let a crash leave its memory behind, keys and prompts in it",
         &out->core_dumps},
    };
    static const struct example examples[] = {
        {"equipoise serve",
         "as equipoise.yaml here says; without it: keys in the environment, engines on this machine"},
        {"equipoise serve --config /etc/equipoise/equipoise.yaml", "as that file says"},
        {"equipoise serve --observe", "only forward and book, whatever the file says"},
    };
    const struct options options = {
        .command = "serve",
        .summary = "The gateway: forwards requests to model servers, weighs plans, prices and books every request.",
        .operands = "",
        .examples = examples,
        .example_count = sizeof(examples) / sizeof(examples[0]),
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
        .notes = "SIGTERM or Ctrl-C: takes no new requests, lets those under way finish, writes the ledger, ends.\n"
                 "A second one ends at once. SIGHUP: reads the configuration again (`equipoise reload`). Exit status: "
                 "0 fine, 1 failed, 2 usage, 3 bad configuration.\n",
    };

    return options_read(&options, argc, argv);
}

static bool
read_address(const char *name, const char *text, struct value_address *out)
{
    if (text == NULL || value_address(slice_of(text), out) == OK)
        return true;
    cmd_complain("serve: --%s wants an address such as 127.0.0.1:8080, [::1]:8080 or :8080, not '%s'.", name, text);
    return false;
}

static bool
read_override(const struct serve_options *options, struct override *out)
{
    if (!read_address("listen", options->listen, &out->listen) || !read_address("admin", options->admin, &out->admin))
        return false;
    if (options->admin != NULL && !out->admin.loopback) {
        cmd_complain("serve: --admin listens on loopback only, for it shows and steers everything; '%s' is not that. "
                     "For probes and metrics elsewhere the configuration has `health`.",
                     options->admin);
        return false;
    }
    if (options->workers > WORKERS_MOST)
        cmd_complain("serve: --workers is at most %d.", WORKERS_MOST);
    return options->workers <= WORKERS_MOST;
}

static void
override_address(struct config *config, const struct value_address *address, struct listen_address *out)
{
    if (address->port != 0)
        *out = (struct listen_address){.host = arena_slice_text(&config->arena, address->host),
                                       .port = address->port,
                                       .loopback = address->loopback};
}

/* Options of the command line stand above the file. */
static void
override(struct config *config, const struct serve_options *options)
{
    config->observe |= options->observe;
    if (options->workers > 0)
        config->workers = (unsigned)options->workers;
    if (options->data != NULL)
        config->data = arena_strdup(&config->arena, options->data);
    override_address(config, &options->override.listen, &config->listen);
    override_address(config, &options->override.admin, &config->admin);
}

/* All that is wrong goes to `shown`. `present` (NULL: none) is what it replaces. */
static enum status
load(const struct serve_options *options, struct slice text, const struct config *present, bool colour,
     struct config **out, struct buffer *shown)
{
    struct problems problems;
    enum status status;

    problems_init(&problems);
    status = config_load_input(
        &(struct config_input){
            .file = options->config, .text = text, .before = present, .outside = &config_outside_live},
        &problems, out);
    if (status == OK) {
        override(*out, options);
        if (present != NULL) {
            config_keep_started(*out, present);
            config_check_successor(*out, present, &problems);
        }
        config_check_exposure(*out, &problems);
        config_check_backends(*out, &problems);
        config_check_budgets(*out, &problems);
    }
    config_print_problems(&problems, text, colour, shown);
    if (status == OK && problems.errors > 0) {
        config_release(*out);
        *out = NULL;
        status = ERR_INVALID;
    }
    problems_free(&problems);
    return status;
}

/* At the start: what is wrong is told at once. */
static int
load_first(const struct serve_options *options, struct slice text, struct config **out)
{
    struct buffer shown = {0};
    enum status status = load(options, text, NULL, cmd_colour(stderr), out, &shown);

    cmd_tell(buffer_content(&shown));
    buffer_free(&shown);
    return status == OK ? CMD_FINE : CMD_CONFIG;
}

/* The same file again, with the same options. */
static enum status
load_again(void *context, const struct config *present, struct config **out, struct buffer *words)
{
    const struct serve_options *options = context;
    struct buffer text = {0};
    enum status status = config_outside_real.read_file(options->config, CONFIG_BYTES_MOST, &text);

    if (status == OK)
        status = load(options, buffer_content(&text), present, false, out, words);
    else
        buffer_printf(words, "%s cannot be read: %s\n", options->config, status_text(status));
    if (text.data != NULL)
        explicit_bzero(text.data, text.size); /* it may hold secrets */
    buffer_free(&text);
    return status;
}

/* With the text that holds. */
static enum status
find_again(void *context, const struct config *present, struct config **out, struct buffer *words)
{
    return load(context, present->text, present, false, out, words);
}

static int
serve_file(struct serve_options *options)
{
    const struct config_source source = {.context = options, .load = load_again, .find = find_again};
    bool is_file = strcmp(options->config, "-") != 0;
    struct buffer text = {0};
    struct config *config = NULL;
    int exit_status = CMD_CONFIG;

    if (cmd_read_config(options->config, CONFIG_BYTES_MOST, &text) == OK)
        exit_status = load_first(options, buffer_content(&text), &config);
    if (text.data != NULL)
        explicit_bzero(text.data, text.size); /* it may hold secrets */
    buffer_free(&text);
    if (exit_status != CMD_FINE)
        return exit_status;
    exit_status = stand_serve(config, is_file ? &source : NULL);
    config_release(config);
    return exit_status;
}

/* Without a file: what is on this machine, else the modelled backend, so that there is something to try. */
static int
serve_found(const struct serve_options *options)
{
    struct discovery discovery;
    struct stand_twin *twin = NULL;
    struct buffer text = {0}, words = {0};
    struct config *config = NULL;
    int exit_status = CMD_FINE;

    discover(&discovery, &discover_here);
    discovery_describe(&discovery, &words);
    discovery_write(&discovery, false, &text);
    if (discovery.count == 0) {
        exit_status = stand_twin_start(NULL, &twin);
        if (exit_status == CMD_FINE)
            stand_twin_config(twin, &text);
        fputs("No configuration, no OPENAI_API_KEY or ANTHROPIC_API_KEY, and no engine on this machine:\n"
              "serving the built-in modelled backend, so that you can try it. Its answers and prices are modelled.\n"
              "Its models: twin-small, twin-medium, twin-large, twin-large-thinking, twin-embed.\n",
              stderr);
    } else {
        fprintf(stderr, "No configuration given; found:\n%.*s", SLICE_ARGS(buffer_content(&words)));
    }
    if (exit_status == CMD_FINE)
        exit_status = load_first(options, buffer_content(&text), &config);
    if (exit_status == CMD_FINE)
        exit_status = stand_serve(config, NULL);
    if (config != NULL)
        config_release(config);
    if (twin != NULL)
        stand_twin_stop(twin);
    discovery_free(&discovery);
    buffer_free(&text);
    buffer_free(&words);
    return exit_status;
}

int
cmd_serve(int argc, char **argv)
{
    struct serve_options options = {0};
    int exit_status = read_options(&argc, argv, &options);

    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    process_hold_hangups();
    if (!options.core_dumps)
        process_keep_memory_private(); /* before a secret is read */
    if (!read_override(&options, &options.override))
        return CMD_USAGE;
    if (options.config == NULL && usual_config_is_here()) {
        options.config = USUAL_CONFIG;
        fputs("Serves as " USUAL_CONFIG " of this folder says (--config names another).\n", stderr);
    }
    dns_start();
    return options.config != NULL ? serve_file(&options) : serve_found(&options);
}
