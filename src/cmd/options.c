#include "cmd/options.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"

enum { HELP_COLUMN = 26 };

static void
print_option(char letter, const char *name, const char *argument, const char *help)
{
    char left[80];

    snprintf(left, sizeof left, "%c%c%c --%s%s%s", letter != 0 ? '-' : ' ', letter != 0 ? letter : ' ',
             letter != 0 ? ',' : ' ', name, argument != NULL ? " " : "", argument != NULL ? argument : "");
    printf("  %-*s %s\n", HELP_COLUMN, left, help);
}

static void
print_help(const struct options *options)
{
    printf("%s\n\n", options->summary);
    for (size_t i = 0; i < options->example_count; i++)
        printf("  %s\n      %s\n", options->examples[i].line, options->examples[i].words);
    printf("%sUsage: equipoise %s [OPTIONS]%s%s\n\nOptions:\n", options->example_count > 0 ? "\n" : "",
           options->command, options->operands[0] != '\0' ? " " : "", options->operands);
    for (size_t i = 0; i < options->option_count; i++)
        print_option(options->options[i].letter, options->options[i].name, options->options[i].argument,
                     options->options[i].help);
    print_option('h', "help", NULL, "print this");
    if (options->notes != NULL)
        printf("\n%s\n", options->notes);
}

static const struct option *
find_option(const struct options *options, struct slice word)
{
    for (size_t i = 0; i < options->option_count; i++) {
        const struct option *option = &options->options[i];

        if (slice_starts(word, "--") ? slice_is(slice_from(word, 2), option->name)
                                     : word.len == 2 && option->letter != 0 && word.data[1] == option->letter)
            return option;
    }
    return NULL;
}

static int
complain_unknown(const struct options *options, struct slice word)
{
    const char **names = must_calloc(options->option_count, sizeof *names);
    const char *nearest;

    for (size_t i = 0; i < options->option_count; i++)
        names[i] = options->options[i].name;
    nearest = slice_starts(word, "--") ? text_nearest(slice_from(word, 2), names, options->option_count) : NULL;
    cmd_complain("%s has no option %.*s%s%s%s `equipoise %s --help` lists them.", options->command, SLICE_ARGS(word),
                 nearest != NULL ? "; did you mean --" : ";", nearest != NULL ? nearest : "",
                 nearest != NULL ? "?" : "", options->command);
    free(names);
    return CMD_USAGE;
}

/* False, having said why, if the value is none of the option's kind. */
static bool
store(const struct options *options, const struct option *option, const char *value)
{
    enum status status = OK;

    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->target = true;
        break;
    case OPTION_TEXT:
        *(const char **)option->target = value;
        break;
    case OPTION_NUMBER:
        status = text_parse_u64(slice_of(value), option->target);
        break;
    case OPTION_TIME:
        status = clock_parse_utc(slice_of(value), option->target);
        break;
    }
    if (status != OK)
        cmd_complain("%s: --%s wants %s, not '%s'.", options->command, option->name,
                     option->kind == OPTION_TIME ? "a time such as 2026-01-31T12:00:00Z" : "a whole number", value);
    return status == OK;
}

/* Takes the option at argv[*at] and its value, and moves *at to the last word taken. */
static int
take_option(const struct options *options, int argc, char **argv, int *at)
{
    struct slice word = slice_of(argv[*at]);
    struct slice name = slice_starts(word, "--") ? slice_first(word, slice_find_byte(word, '=')) : word;
    const struct option *option = find_option(options, name);
    bool attached = name.len < word.len;
    const char *value = attached ? word.data + name.len + 1 : NULL;

    if (option == NULL)
        return complain_unknown(options, name);
    if (option->kind == OPTION_FLAG && attached) {
        cmd_complain("%s: --%s takes no value.", options->command, option->name);
        return CMD_USAGE;
    }
    if (option->kind != OPTION_FLAG && !attached) {
        if (*at + 1 >= argc) {
            cmd_complain("%s: --%s wants a value: --%s %s.", options->command, option->name, option->name,
                         option->argument);
            return CMD_USAGE;
        }
        value = argv[++*at];
    }
    return store(options, option, value) ? OPTIONS_GO_ON : CMD_USAGE;
}

static int
check_operands(const struct options *options, size_t count)
{
    if (count >= options->operands_least && count <= options->operands_most)
        return OPTIONS_GO_ON;
    cmd_complain("%s: %s. Usage: equipoise %s [OPTIONS]%s%s; see --help.", options->command,
                 count < options->operands_least ? "something is missing" : "too many words", options->command,
                 options->operands[0] != '\0' ? " " : "", options->operands);
    return CMD_USAGE;
}

int
options_read(const struct options *options, int *argc, char **argv)
{
    int kept = 1;
    bool over = false;

    for (int i = 1; i < *argc; i++) {
        if (over || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[kept++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            over = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(options);
            return CMD_FINE;
        } else {
            int end = take_option(options, *argc, argv, &i);

            if (end != OPTIONS_GO_ON)
                return end;
        }
    }
    *argc = kept;
    return check_operands(options, (size_t)(kept - 1));
}
