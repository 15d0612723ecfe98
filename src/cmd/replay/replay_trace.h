/* Opening whatever a trace is kept in: a file, standard input, a gateway's data directory or its ledger.db. */
#ifndef CMD_REPLAY_TRACE_H
#define CMD_REPLAY_TRACE_H

#include "cmd/ledger_view.h"
#include "virtual/trace.h"

struct replay_trace {
    const char *name;
    FILE *file;
    struct ledger_view view;     /* of a directory */
    struct ledger_store *ledger; /* of a single file */
    struct trace *trace;
    uint64_t size; /* of the file in bytes; 0: not known */
    struct problems problems;
    bool bounded; /* by --from or --until */
};

/* CMD_FINE, or the exit status once it has said what is wrong. Closed in any case. */
int replay_trace_open(struct replay_trace *trace, const char *path, const struct trace_options *options);
void replay_trace_close(struct replay_trace *trace);

/* That it holds no request to be played. */
void replay_trace_say_empty(const struct replay_trace *trace);

/* Reads on, to find what else is wrong with it, and prints it all. */
void replay_trace_complain(struct replay_trace *trace);

#endif
