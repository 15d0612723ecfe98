#include "cmd/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

void
cmd_complain(const char *format, ...)
{
    va_list args;

    fputs("equipoise: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

bool
cmd_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0')
        return false;
    return isatty(fileno(stream)) && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

void
cmd_print_problems(const struct problems *problems, struct slice source)
{
    struct buffer text;

    buffer_init(&text);
    problems_print(problems, source, cmd_colour(stderr), &text);
    cmd_tell(buffer_content(&text));
    buffer_free(&text);
}

void
cmd_tell(struct slice bytes)
{
    if (bytes.len != 0) /* fwrite takes no NULL, not even for nothing */
        fwrite(bytes.data, 1, bytes.len, stderr);
}

static enum status
read_stream(FILE *file, size_t most, struct buffer *out)
{
    size_t start = buffer_len(out);

    for (;;) {
        char *room = buffer_reserve(out, (size_t)1 << 16);
        size_t got = fread(room, 1, (size_t)1 << 16, file);

        out->end += got;
        if (buffer_len(out) - start > most)
            return ERR_LIMIT;
        if (got == 0)
            return ferror(file) ? ERR_IO : OK;
    }
}

enum status
cmd_read_file(const char *path, size_t most, struct buffer *out)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    enum status status = file != NULL ? read_stream(file, most, out) : ERR_IO;
    int error = errno;

    if (status == ERR_LIMIT)
        cmd_complain("%s is larger than %zu bytes, the most that is read.", path, most);
    else if (status != OK)
        cmd_complain("cannot read %s: %s.", standard ? "standard input" : path, strerror(error));
    if (file != NULL && !standard)
        fclose(file);
    return status;
}

int
cmd_read_lines(const char *path, cmd_line_reader *read, void *out)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    enum status status = ERR_IO;
    struct problems problems;

    problems_init(&problems);
    if (file != NULL)
        status = read(file, standard ? "standard input" : path, &problems, out);
    else
        problems_add(&problems, (struct problem){.file = path}, "cannot be opened: %s", strerror(errno));
    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    if (file != NULL && !standard)
        fclose(file);
    return status == OK ? CMD_FINE : CMD_FAILED;
}

const char *
cmd_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcmp(path, "-") == 0 ? "standard input" : slash != NULL ? slash + 1 : path;
}

enum status
cmd_read_config(const char *path, size_t most, struct buffer *out)
{
    if (strcmp(path, "-") != 0 && access(path, F_OK) != 0 && errno == ENOENT) {
        cmd_complain("there is no configuration %s. `equipoise init -o %s` writes one from what it finds here.", path,
                     path);
        return ERR_NOT_FOUND;
    }
    return cmd_read_file(path, most, out);
}

bool
cmd_print(struct slice bytes)
{
    if ((bytes.len == 0 || fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len) && fflush(stdout) == 0)
        return true;
    cmd_complain("cannot write to standard output: %s.", strerror(errno));
    return false;
}

int
cmd_finish(int exit_status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_status;
    if (exit_status != CMD_FINE)
        return exit_status; /* which has been explained */
    cmd_complain("cannot write to standard output: %s.", strerror(errno));
    return CMD_FAILED;
}

static void
print_commands(FILE *stream, const char *program, const char *words, const struct command *commands, size_t count)
{
    fprintf(stream, "%s\n\nUsage: %s COMMAND [OPTIONS]\n\nCommands:\n", words, program);
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(stream, "\n`%s COMMAND --help` shows examples and options of each.\n", program);
}

static const struct command *
find_command(const struct command *commands, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int
complain_unknown(const char *program, const struct command *commands, size_t count, const char *name)
{
    const char **names = must_calloc(count + 1, sizeof *names);
    const char *nearest;

    for (size_t i = 0; i < count; i++)
        names[i] = commands[i].name;
    names[count] = "help";
    nearest = text_nearest(slice_of(name), names, count + 1);
    if (nearest != NULL)
        cmd_complain("there is no command '%s'; did you mean '%s'? `%s --help` lists them all.", name, nearest,
                     program);
    else
        cmd_complain("there is no command '%s'; `%s --help` lists them all.", name, program);
    free(names);
    return CMD_USAGE;
}

/* `help COMMAND WORD...` is `COMMAND WORD... --help`. */
static int
run_help(const struct command *command, int argc, char **argv)
{
    char help_option[] = "--help";
    char **args = must_calloc((size_t)argc + 2, sizeof *args);
    int exit_status;

    memcpy(args, argv, (size_t)argc * sizeof *args);
    args[argc] = help_option;
    exit_status = command->run(argc + 1, args);
    free(args);
    return exit_status;
}

int
cmd_dispatch(const char *program, const char *words, const struct command *commands, size_t count, int argc,
             char **argv)
{
    const struct command *command;
    bool help = argc > 0 && strcmp(argv[0], "help") == 0;

    if (argc < 1) {
        print_commands(stderr, program, words, commands, count);
        return CMD_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || (help && argc == 1)) {
        print_commands(stdout, program, words, commands, count);
        return CMD_FINE;
    }
    if (help) {
        argc--;
        argv++;
    }
    command = find_command(commands, count, argv[0]);
    if (command == NULL)
        return complain_unknown(program, commands, count, argv[0]);
    return help ? run_help(command, argc, argv) : command->run(argc, argv);
}
