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

bool
cmd_print(struct slice bytes)
{
    if ((bytes.len == 0 || fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len) && fflush(stdout) == 0)
        return true;
    cmd_complain("cannot write to standard output: %s.", strerror(errno));
    return false;
}

static void
print_commands(const char *program, const char *words, const struct command *commands, size_t count)
{
    printf("%s\n\nUsage: %s COMMAND [OPTIONS]\n\nCommands:\n", words, program);
    for (size_t i = 0; i < count; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`%s COMMAND --help` shows examples and options of each.\n", program);
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
    const char **names = must_calloc(count, sizeof *names);
    const char *nearest;

    for (size_t i = 0; i < count; i++)
        names[i] = commands[i].name;
    nearest = text_nearest(slice_of(name), names, count);
    if (nearest != NULL)
        cmd_complain("there is no command '%s'; did you mean '%s'? `%s --help` lists them all.", name, nearest,
                     program);
    else
        cmd_complain("there is no command '%s'; `%s --help` lists them all.", name, program);
    free(names);
    return CMD_USAGE;
}

int
cmd_dispatch(const char *program, const char *words, const struct command *commands, size_t count, int argc,
             char **argv)
{
    static char help_option[] = "--help";
    const struct command *command;
    bool help = argc > 0 && strcmp(argv[0], "help") == 0;

    if (argc < 1) {
        cmd_complain("which command? `%s --help` lists them.", program);
        return CMD_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 || (help && argc == 1)) {
        print_commands(program, words, commands, count);
        return CMD_FINE;
    }
    command = find_command(commands, count, argv[help ? 1 : 0]);
    if (command == NULL)
        return complain_unknown(program, commands, count, argv[help ? 1 : 0]);
    if (help) {
        char *args[] = {argv[1], help_option, NULL};

        return command->run(2, args);
    }
    return command->run(argc, argv);
}
