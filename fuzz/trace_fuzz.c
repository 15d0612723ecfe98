/* Any bytes as a trace: what is taken as a request keeps to the limits, arrivals never go back, and every line that is
 * refused is said so. */
#include <stdlib.h>

#include "virtual/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { READ_MOST = 2000 };

static void
check(const struct trace_request *request, usec last_us)
{
    uint64_t sum = 0;

    if (request->at_us < last_us || request->input_tokens < 0 || request->input_tokens > TRACE_TOKENS_MOST ||
        request->output_tokens < 0 || request->output_tokens > TRACE_TOKENS_MOST)
        abort();
    for (size_t i = 0; i < request->block_count; i++)
        sum |= request->blocks[i]; /* ASan looks on */
    if (sum != 0 && request->blocks == NULL)
        abort();
}

static void
read_all(struct trace *trace, struct problems *problems)
{
    struct trace_request request;
    enum status status = OK;
    usec last_us = 0;

    for (unsigned i = 0; i < READ_MOST && (status == OK || status == ERR_INVALID); i++) {
        size_t before = problems->count;

        status = trace_next(trace, &request);
        if ((status == OK || status == ERR_NOT_FOUND) != (problems->count == before))
            abort();
        if (status != OK)
            continue;
        check(&request, last_us);
        last_us = request.at_us;
    }
}

static void
run(const uint8_t *data, size_t size, enum trace_format format)
{
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "rb");
    struct problems problems = {0};
    struct trace *trace = NULL;

    if (file == NULL)
        abort();
    problems_init(&problems);
    if (trace_open(file, "trace", &(struct trace_options){.seed = size, .format = format}, &problems, &trace) == OK)
        read_all(trace, &problems);
    else if (problems.count == 0)
        abort();
    trace_close(trace);
    problems_free(&problems);
    fclose(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    run(data, size, TRACE_ANY);
    run(data, size, (enum trace_format)(TRACE_AZURE + data[size - 1] % 4));
    return 0;
}
