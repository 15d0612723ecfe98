/* Traces: which requests came when, how long they were and how long their answers. Read line by line, in bounded memory,
 * from a stream that may be compressed with gzip. Four kinds, told apart by their content:
 *
 *   azure     CSV with the columns arrival_s,input_tokens,output_tokens, or those that the Azure LLM inference traces came
 *             with: TIMESTAMP,ContextTokens,GeneratedTokens; the columns route and key may stand beside them
 *   mooncake  JSON lines {"timestamp": MS, "input_length": N, "output_length": N, "hash_ids": [N, ...]}; a hash id stands
 *             for TRACE_BLOCK_TOKENS tokens of the prompt and all that was before them
 *   rates     CSV with the columns pool,start_s,rate_req_s, as ServeGen's: requests arrive by a Poisson process of that
 *             rate until the pool's next line; their lengths are drawn (see trace_options)
 *   ledger    our own (trace_open_ledger)
 *
 * Times are counted from the first request's arrival, those of rates from the first line's start. */
#ifndef VIRTUAL_TRACE_H
#define VIRTUAL_TRACE_H

#include <stdio.h>

#include "base/problem.h"
#include "base/timers.h"
#include "money/ledger/ledger_store.h"

enum trace_format { TRACE_ANY, TRACE_AZURE, TRACE_MOONCAKE, TRACE_RATES, TRACE_LEDGER };

const char *trace_format_name(enum trace_format format); /* "azure"; TRACE_ANY: "any" */

enum {
    TRACE_BLOCK_TOKENS = 512,
    TRACE_TOKENS_MOST = 1 << 24,  /* of one request's input or output */
    TRACE_LINE_MOST = 1 << 20,    /* bytes */
    TRACE_RATES_MOST = 1 << 20,   /* lines of rates, which are kept */
    TRACE_LEDGER_MOST = 100000000 /* requests of a ledger, of which the ids are kept */
};

struct trace_request {
    usec at_us; /* since the trace's start, with options.speed */
    int64_t input_tokens, output_tokens;
    const uint64_t *blocks; /* until the next request is read; NULL: not told */
    size_t block_count;
    bool streamed;
    /* Until the next request is read; empty: not told. Only a ledger tells all of these, `azure` route and key. */
    struct slice route, key, api, conversation;
};

/* All zero means the standard. */
struct trace_options {
    enum trace_format format;
    uint64_t seed;    /* of arrivals and lengths drawn for rates */
    uint64_t limit;   /* as many requests; 0: all */
    usec from_us;     /* leaves out what came before, and starts there */
    usec until_us;    /* leaves out what came at that time or later; 0: nothing. Both in the trace's own time */
    double speed;     /* 2: everything comes in half the time; 0: 1 */
    double scale;     /* rates: times this; 0: 1 */
    const char *pool; /* rates: only of this pool; NULL: there must be only one */
    /* Rates: prompts are log-normal (sigma 1) with this mean, answers exponential with that, as ServeGen finds real ones
     * to be in their bodies. 0: TRACE_INPUT_MEAN, TRACE_OUTPUT_MEAN. */
    int64_t input_mean, output_mean;
};

enum { TRACE_INPUT_MEAN = 1000, TRACE_OUTPUT_MEAN = 250, TRACE_INPUT_DRAWN_MOST = 131072 };

struct trace;

/* `name` is what problems call the file; it, the options' texts and `problems` stay until trace_close, which does not
 * close the file. ERR_INVALID, ERR_IO: a problem says why. */
enum status trace_open(FILE *file, const char *name, const struct trace_options *options, struct problems *problems,
                       struct trace **out) MUST_CHECK;

/* The requests of these stores together, in the order in which they came. */
enum status trace_open_ledger(struct ledger_store *const *stores, size_t count, const char *name,
                              const struct trace_options *options, struct problems *problems, struct trace **out)
    MUST_CHECK;

void trace_close(struct trace *trace);

/* The next request. ERR_NOT_FOUND: there are no more. ERR_INVALID: a line that is none, or earlier than the one before it
 * (a problem is added; going on with the next line is possible). ERR_IO, ERR_CORRUPT, ERR_LIMIT: likewise a problem, and
 * nothing more can be read. */
enum status trace_next(struct trace *trace, struct trace_request *out) MUST_CHECK;

enum trace_format trace_format(const struct trace *trace);
usec trace_start_wall_us(const struct trace *trace);   /* when it began, since the Unix epoch; 0: not told (yet) */
uint64_t trace_bytes_taken(const struct trace *trace); /* of the file, by what was read so far; about, if compressed */
uint64_t trace_left_out(const struct trace *trace);    /* ledger: requests that asked for no tokens of a model */

#endif
