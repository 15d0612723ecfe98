/* What the readers of traces share; nobody else includes it. */
#ifndef VIRTUAL_TRACE_INSIDE_H
#define VIRTUAL_TRACE_INSIDE_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/text_lines.h"
#include "virtual/trace.h"

enum { TRACE_COLUMNS_MOST = 64 };

struct trace_reader {
    /* The next request, at_us in the trace's own time and absolute. As trace_next. */
    enum status (*next)(struct trace *, struct trace_request *);
    void (*free)(struct trace *); /* NULL: nothing to free */
};

struct rate {
    usec start_us, end_us;
    double per_s;
};

/* The columns of a CSV file that matter, by their place. */
struct columns {
    size_t at[3];
    size_t route_at, key_at; /* SIZE_MAX: there is none */
    size_t count;            /* of all */
};

struct trace {
    const struct trace_reader *reader;
    enum trace_format format;
    struct trace_options options;
    const char *name;
    struct problems *problems;
    struct text_lines lines;
    bool begun;
    usec first_us; /* absolute time of the trace's start */
    usec last_us;  /* arrival of the request read last, from the start */
    usec wall_us;  /* trace_start_wall_us */
    uint64_t given, left_out;

    struct columns columns; /* azure */
    bool stamps;            /* azure: times are dates */

    struct buffer first_line; /* mooncake */
    uint64_t *blocks;
    size_t blocks_size;

    struct rate *rates; /* rates */
    size_t rate_count, rates_size, rate_at;
    usec now_us;
    struct rng rng;

    struct ledger_row_id *ids; /* ledger */
    size_t id_count, ids_size, id_at;
    struct ledger_store *const *stores;
    struct arena arena;
};

/* Adds a problem at the line read last. Returns ERR_INVALID. */
enum status trace_bad(struct trace *trace, const char *hint, const char *format, ...) PRINTF_LIKE(3, 4);

/* As text_lines_next, blank lines left out, with a problem for what goes wrong. */
enum status trace_line(struct trace *trace, struct slice *line);

/* A whole number of tokens, up to TRACE_TOKENS_MOST. */
enum status trace_parse_tokens(struct slice text, int64_t *out);

/* Seconds with decimals, not negative, in microseconds. */
enum status trace_parse_seconds(struct slice text, usec *out);

/* Cuts a CSV line without quotes at its commas into at most TRACE_COLUMNS_MOST fields, trimmed. Returns how many. */
size_t trace_split(struct slice line, struct slice *fields);

/* Where a column of that name is, or SIZE_MAX. */
size_t trace_column(const struct slice *fields, size_t count, const char *name);

/* Each reads what it needs of the first line, which is given, and sets trace->reader. ERR_NOT_FOUND: it is not of that
 * format. ERR_INVALID: it is, and wrong; a problem says how. */
enum status trace_azure_start(struct trace *trace, struct slice first);
enum status trace_mooncake_start(struct trace *trace, struct slice first);
enum status trace_rates_start(struct trace *trace, struct slice first);

#endif
