/* CSV of arrivals and token counts. */
#include "base/clock.h"
#include "virtual/trace_inside.h"

enum { ARRIVAL, INPUT, OUTPUT };

static enum status
parse_arrival(const struct trace *trace, struct slice text, usec *out)
{
    return trace->stamps ? clock_parse_utc(text, out) : trace_parse_seconds(text, out);
}

static struct slice
named(const struct slice *fields, size_t at)
{
    return at != SIZE_MAX ? fields[at] : SLICE_NONE;
}

static enum status
next(struct trace *trace, struct trace_request *out)
{
    const struct columns *columns = &trace->columns;
    struct slice fields[TRACE_COLUMNS_MOST], line;
    enum status status = trace_line(trace, &line);

    if (status != OK)
        return status;
    if (trace_split(line, fields) != columns->count)
        return trace_bad(trace, NULL, "expected %zu fields, as the first line has, found: %.*s", columns->count,
                         SLICE_ARGS(slice_first(line, 80)));
    if (parse_arrival(trace, fields[columns->at[ARRIVAL]], &out->at_us) != OK)
        return trace_bad(trace, NULL, "expected an arrival %s, found '%.*s'",
                         trace->stamps ? "such as 2023-11-16 18:15:46.6805900" : "in seconds such as 12.345",
                         SLICE_ARGS(slice_first(fields[columns->at[ARRIVAL]], 40)));
    if (trace_parse_tokens(fields[columns->at[INPUT]], &out->input_tokens) != OK ||
        trace_parse_tokens(fields[columns->at[OUTPUT]], &out->output_tokens) != OK)
        return trace_bad(trace, NULL,
                         "expected input and output as whole numbers up to %d tokens, found '%.*s' and '%.*s'",
                         TRACE_TOKENS_MOST, SLICE_ARGS(slice_first(fields[columns->at[INPUT]], 40)),
                         SLICE_ARGS(slice_first(fields[columns->at[OUTPUT]], 40)));
    out->route = named(fields, columns->route_at);
    out->key = named(fields, columns->key_at);
    if (trace->stamps && trace->wall_us == 0)
        trace->wall_us = out->at_us;
    return OK;
}

static const struct trace_reader reader = {.next = next};

static bool
has_columns(struct columns *columns, const struct slice *fields, const char *const names[3])
{
    for (size_t i = 0; i < 3; i++) {
        columns->at[i] = trace_column(fields, columns->count, names[i]);
        if (columns->at[i] == SIZE_MAX)
            return false;
    }
    return true;
}

enum status
trace_azure_start(struct trace *trace, struct slice first)
{
    static const char *const seconds[] = {"arrival_s", "input_tokens", "output_tokens"};
    static const char *const stamps[] = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"};
    struct slice fields[TRACE_COLUMNS_MOST];

    trace->columns.count = trace_split(first, fields);
    trace->stamps = has_columns(&trace->columns, fields, stamps);
    if (!trace->stamps && !has_columns(&trace->columns, fields, seconds))
        return ERR_NOT_FOUND;
    trace->columns.route_at = trace_column(fields, trace->columns.count, "route");
    trace->columns.key_at = trace_column(fields, trace->columns.count, "key");
    trace->reader = &reader;
    return OK;
}
