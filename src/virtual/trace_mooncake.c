/* JSON lines with the hashes of the prompt's blocks. */
#include <stdlib.h>
#include <yyjson.h>

#include "virtual/trace_inside.h"

static const uint64_t MS_MOST = (uint64_t)INT64_MAX / USEC_PER_MS;

static const char hint[] =
    "A line looks like {\"timestamp\": 0, \"input_length\": 100, \"output_length\": 10, \"hash_ids\": [1]}.";

static enum status
take_blocks(struct trace *trace, yyjson_val *list, struct trace_request *out)
{
    size_t count = yyjson_arr_size(list), index, most;
    yyjson_val *id;

    if (list == NULL)
        return OK;
    if (!yyjson_is_arr(list))
        return trace_bad(trace, hint, "hash_ids is not a list");
    if (count > trace->blocks_size) {
        trace->blocks = must_realloc(trace->blocks, count * sizeof(trace->blocks[0]));
        trace->blocks_size = count;
    }
    yyjson_arr_foreach(list, index, most, id)
    {
        if (!yyjson_is_uint(id))
            return trace_bad(trace, hint, "number %zu of hash_ids is not a whole number", index + 1);
        trace->blocks[index] = yyjson_get_uint(id);
    }
    out->blocks = trace->blocks;
    out->block_count = count;
    return OK;
}

static enum status
take_line(struct trace *trace, yyjson_val *root, struct trace_request *out)
{
    yyjson_val *at = yyjson_obj_get(root, "timestamp"), *input = yyjson_obj_get(root, "input_length");
    yyjson_val *output = yyjson_obj_get(root, "output_length");

    if (!yyjson_is_uint(at) || yyjson_get_uint(at) > MS_MOST)
        return trace_bad(trace, hint, "expected timestamp, a whole number of milliseconds");
    if (!yyjson_is_uint(input) || !yyjson_is_uint(output) || yyjson_get_uint(input) > TRACE_TOKENS_MOST ||
        yyjson_get_uint(output) > TRACE_TOKENS_MOST)
        return trace_bad(trace, hint, "expected input_length and output_length, whole numbers up to %d",
                         TRACE_TOKENS_MOST);
    out->at_us = (usec)(yyjson_get_uint(at) * (uint64_t)USEC_PER_MS);
    out->input_tokens = (int64_t)yyjson_get_uint(input);
    out->output_tokens = (int64_t)yyjson_get_uint(output);
    return take_blocks(trace, yyjson_obj_get(root, "hash_ids"), out);
}

static enum status
parse(struct trace *trace, struct slice line, struct trace_request *out)
{
    yyjson_doc *doc = yyjson_read(line.data, line.len, 0);
    enum status status;

    if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        status = trace_bad(trace, hint, "expected a JSON object, found: %.*s", SLICE_ARGS(slice_first(line, 80)));
    else
        status = take_line(trace, yyjson_doc_get_root(doc), out);
    yyjson_doc_free(doc);
    return status;
}

static enum status
next_line(struct trace *trace, struct trace_request *out)
{
    struct slice line;
    enum status status = trace_line(trace, &line);

    return status == OK ? parse(trace, line, out) : status;
}

static void
free_blocks(struct trace *trace)
{
    free(trace->blocks);
}

static const struct trace_reader reader = {.next = next_line, .free = free_blocks};

/* There is no head: the first line is a request already. */
static enum status
next_first(struct trace *trace, struct trace_request *out)
{
    struct slice line = buffer_content(&trace->first_line);
    enum status status;

    trace->reader = &reader;
    status = parse(trace, line, out);
    buffer_free(&trace->first_line);
    return status;
}

static const struct trace_reader first_reader = {.next = next_first, .free = free_blocks};

enum status
trace_mooncake_start(struct trace *trace, struct slice first)
{
    if (!slice_starts(slice_trim(first), "{"))
        return ERR_NOT_FOUND;
    buffer_add(&trace->first_line, first);
    trace->reader = &first_reader;
    return OK;
}
