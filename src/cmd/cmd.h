/* What every subcommand is, and what they share. A command reads its arguments (options.h), prints data on stdout and
 * messages on stderr, and returns one of the exit statuses. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdio.h>

#include "base/buffer.h"
#include "base/problem.h"

enum cmd_exit {
    CMD_FINE = 0,
    CMD_FAILED = 1,
    CMD_USAGE = 2, /* the command line is wrong */
    CMD_CONFIG = 3 /* a configuration or price file is wrong */
};

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
    const char *summary;
};

#define COMMAND(name, function, summary) int function(int argc, char **argv);
#include "cmd/commands.def"
#undef COMMAND

/* Runs argv[0] from a table of commands, as main does for the program and a command for its own subcommands. `program`
 * is what stands before the name ("equipoise"); an unknown name is answered with the nearest and CMD_USAGE; --help and
 * `help` print `words` and the table. */
int cmd_dispatch(const char *program, const char *words, const struct command *commands, size_t count, int argc,
                 char **argv);

/* The exit status to end the program with: CMD_FAILED instead of CMD_FINE if something that was printed could not be
 * written, which it then says. */
int cmd_finish(int exit_status);

/* "equipoise: ..." on stderr. */
void cmd_complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* True if the stream is a terminal that shows colours, and NO_COLOR is not set. */
bool cmd_colour(FILE *stream);

/* Prints all problems to stderr, with the lines of `source` if given. */
void cmd_print_problems(const struct problems *problems, struct slice source);

/* Appends the whole file ("-": standard input) to `out`. On failure it has said why. ERR_LIMIT: above `most` bytes. */
enum status cmd_read_file(const char *path, size_t most, struct buffer *out) MUST_CHECK;

/* The same for a configuration; where there is none it also says how to come by one. */
enum status cmd_read_config(const char *path, size_t most, struct buffer *out) MUST_CHECK;

/* Opens the file ("-": standard input), has `read` put what stands in its lines into `out`, and prints what it finds wrong.
 * CMD_FINE or CMD_FAILED; what was put into `out` is the caller's either way. */
typedef enum status cmd_line_reader(FILE *file, const char *name, struct problems *problems, void *out);
int cmd_read_lines(const char *path, cmd_line_reader *read, void *out);

/* How a file is named in what is printed of it: without its folders, "-" as "standard input". */
const char *cmd_name_of(const char *path);

/* Writes it to stderr. */
void cmd_tell(struct slice bytes);

/* Writes it to stdout; false (having said so) if that fails, as on a full disk. */
bool cmd_print(struct slice bytes);

#endif
