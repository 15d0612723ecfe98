#include "virtual/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/usd.h"
#include "virtual/trace_inside.h"

static const usec SPAN_MOST_US = 100LL * 365 * 86400 * USEC_PER_S;

const char *
trace_format_name(enum trace_format format)
{
    static const char *const names[] = {"any", "azure", "mooncake", "rates", "ledger"};

    return names[format];
}

/* What readers share */

/* A trace may hold anything; what is quoted of it must not steer the terminal. */
static void
quote_harmlessly(char *text)
{
    bool utf8 = text_is_utf8(slice_of(text));

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < ' ' || byte == 0x7f || (byte >= 0x80 && !utf8))
            *text = '?';
    }
}

enum status
trace_bad(struct trace *trace, const char *hint, const char *format, ...)
{
    struct problem where = {.file = trace->name, .line = trace->lines.number, .hint = hint};
    char said[512];
    va_list args;

    va_start(args, format);
    vsnprintf(said, sizeof(said), format, args);
    va_end(args);
    quote_harmlessly(said);
    problems_add(trace->problems, where, "%s", said);
    return ERR_INVALID;
}

static enum status
unreadable(struct trace *trace, enum status status)
{
    if (status == ERR_LIMIT)
        trace_bad(trace, NULL, "the line is longer than %d bytes, the most that is read", TRACE_LINE_MOST);
    else if (status == ERR_CORRUPT)
        trace_bad(trace, "Fetch or copy the file again.",
                  "the compressed data behind this line are damaged or cut off");
    else
        trace_bad(trace, NULL, "cannot be read on behind this line: %s", status_text(status));
    return status;
}

enum status
trace_line(struct trace *trace, struct slice *line)
{
    enum status status;

    do {
        status = text_lines_next(&trace->lines, line);
    } while (status == OK && slice_trim(*line).len == 0);
    return status == OK || status == ERR_NOT_FOUND ? status : unreadable(trace, status);
}

enum status
trace_parse_tokens(struct slice text, int64_t *out)
{
    uint64_t number;

    if (text_parse_u64(text, &number) != OK || number > TRACE_TOKENS_MOST)
        return ERR_INVALID;
    *out = (int64_t)number;
    return OK;
}

enum status
trace_parse_seconds(struct slice text, usec *out)
{
    wide_int micros;

    if (wide_parse_decimal(text, 6, true, &micros) != OK || micros < 0 || micros > SPAN_MOST_US)
        return ERR_INVALID;
    *out = (usec)micros;
    return OK;
}

size_t
trace_split(struct slice line, struct slice *fields)
{
    size_t count = 0;

    while (line.data != NULL && count < TRACE_COLUMNS_MOST)
        fields[count++] = slice_trim(slice_split(&line, ','));
    return count;
}

size_t
trace_column(const struct slice *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(fields[i], name))
            return i;
    return SIZE_MAX;
}

/* Opening */

static enum status
refuse_content(struct trace *trace, struct slice first)
{
    static const char hint[] =
        "Columns arrival_s,input_tokens,output_tokens or TIMESTAMP,ContextTokens,GeneratedTokens (azure); or "
        "pool,start_s,rate_req_s (rates); or lines like {\"timestamp\": 0, \"input_length\": 100, \"output_length\": "
        "10, "
        "\"hash_ids\": [1]} (mooncake).";

    if (trace->options.format == TRACE_LEDGER)
        return trace_bad(trace, "Name the gateway's data directory, or its ledger.db.", "this is not a ledger");
    if (trace->options.format != TRACE_ANY)
        return trace_bad(trace, hint, "the first line is not that of a trace in the format %s, but: %.*s",
                         trace_format_name(trace->options.format), SLICE_ARGS(slice_first(first, 80)));
    return trace_bad(trace, hint, "the first line is of no trace that is known here: %.*s",
                     SLICE_ARGS(slice_first(first, 80)));
}

static enum status
find_format(struct trace *trace, struct slice first)
{
    static const struct {
        enum trace_format format;
        enum status (*start)(struct trace *, struct slice);
    } formats[] = {
        {TRACE_AZURE, trace_azure_start}, {TRACE_MOONCAKE, trace_mooncake_start}, {TRACE_RATES, trace_rates_start}};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        enum status status;

        if (trace->options.format != TRACE_ANY && trace->options.format != formats[i].format)
            continue;
        status = formats[i].start(trace, first);
        if (status == ERR_NOT_FOUND)
            continue;
        trace->format = formats[i].format;
        return status;
    }
    return refuse_content(trace, first);
}

static enum status
start(struct trace *trace)
{
    struct slice first = SLICE_NONE;
    enum status status = trace_line(trace, &first);

    if (status == ERR_NOT_FOUND)
        return trace_bad(trace, NULL, "the trace is empty");
    return status == OK ? find_format(trace, first) : status;
}

enum status
trace_open(FILE *file, const char *name, const struct trace_options *options, struct problems *problems,
           struct trace **out)
{
    struct trace *trace = must_calloc(1, sizeof(*trace));
    enum status status;

    trace->options = *options;
    trace->name = name;
    trace->problems = problems;
    text_lines_init(&trace->lines, file, TRACE_LINE_MOST);
    rng_seed(&trace->rng, options->seed);
    status = start(trace);
    if (status == OK)
        *out = trace;
    else
        trace_close(trace);
    return status;
}

void
trace_close(struct trace *trace)
{
    if (trace == NULL)
        return;
    if (trace->reader != NULL && trace->reader->free != NULL)
        trace->reader->free(trace);
    text_lines_free(&trace->lines);
    buffer_free(&trace->first_line);
    free(trace);
}

/* Reading */

static enum status
check_order(struct trace *trace, usec at_us)
{
    if (!trace->begun) {
        trace->begun = true;
        if (trace->format != TRACE_RATES) /* these have set it */
            trace->first_us = at_us;
        trace->last_us = at_us - trace->first_us;
    }
    if (at_us - trace->first_us >= trace->last_us)
        return OK;
    return trace_bad(trace, "Sort the trace by arrival.",
                     "this request came %.6f s after the first, but the one before it %.6f s after",
                     (double)(at_us - trace->first_us) / USEC_PER_S, (double)trace->last_us / USEC_PER_S);
}

/* From the trace's time to the time at which it plays. */
static enum status
place_in_time(struct trace *trace, usec at_us, usec *out)
{
    double speed = trace->options.speed > 0 ? trace->options.speed : 1;

    at_us -= trace->options.from_us;
    if ((double)at_us / speed > (double)SPAN_MOST_US)
        return trace_bad(trace, "Look at its time, and at --speed.",
                         "this request comes more than 100 years after the start");
    *out = trace->options.speed > 0 ? (usec)((double)at_us / speed) : at_us;
    return OK;
}

enum status
trace_next(struct trace *trace, struct trace_request *out)
{
    const struct trace_options *options = &trace->options;

    if (options->limit != 0 && trace->given >= options->limit)
        return ERR_NOT_FOUND;
    for (;;) {
        enum status status;

        *out = (struct trace_request){.streamed = true};
        status = trace->reader->next(trace, out);
        if (status == OK)
            status = check_order(trace, out->at_us);
        if (status != OK)
            return status;
        trace->last_us = out->at_us - trace->first_us;
        if (options->until_us != 0 && trace->last_us >= options->until_us)
            return ERR_NOT_FOUND;
        if (trace->last_us < options->from_us)
            continue;
        status = place_in_time(trace, trace->last_us, &out->at_us);
        trace->given += status == OK ? 1 : 0;
        return status;
    }
}

enum trace_format
trace_format(const struct trace *trace)
{
    return trace->format;
}

usec
trace_start_wall_us(const struct trace *trace)
{
    return trace->wall_us != 0 ? trace->wall_us + trace->options.from_us : 0;
}

uint64_t
trace_bytes_taken(const struct trace *trace)
{
    return text_lines_taken(&trace->lines);
}

uint64_t
trace_left_out(const struct trace *trace)
{
    return trace->left_out;
}
