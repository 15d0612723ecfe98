/* Reading a command's arguments by a table, which also makes its --help. Options may stand anywhere before "--":
 * --name VALUE, --name=VALUE, -n VALUE; the rest are operands. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "cmd/cmd.h"

enum option_kind {
    OPTION_FLAG,   /* bool: set to true */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_NUMBER, /* uint64_t */
    OPTION_TIME    /* usec since the Unix epoch, from RFC 3339 text (base/clock.h) */
};

struct option {
    const char *name; /* without "--" */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *argument; /* what help calls the value, "FILE"; NULL for flags */
    const char *help;
    void *target; /* of the kind's type; keeps its value where the option is not given */
};

struct example {
    const char *line, *words;
};

struct options {
    const char *command;  /* "prices quote" */
    const char *summary;  /* one sentence */
    const char *operands; /* "FILE...", "" if it takes none */
    size_t operands_least, operands_most;
    const struct example *examples;
    size_t example_count;
    const struct option *options; /* --help needs no entry */
    size_t option_count;
    const char *notes; /* printed at the end of the help; NULL: none */
};

enum { OPTIONS_GO_ON = -1 };

/* OPTIONS_GO_ON, with the operands moved to the front of argv (from argv[1]) and *argc cut to them; or the exit status
 * to end with: CMD_FINE after --help, CMD_USAGE after what is wrong has been said. */
int options_read(const struct options *options, int *argc, char **argv);

#endif
