/* Our own ledger as a trace. Stores walk their rows newest first and hand out whole rows only by id: the ids are kept. */
#include <stdlib.h>

#include "virtual/trace_inside.h"

struct ledger_row_id {
    uint64_t id;
    int64_t arrived_wall_us;
    size_t store;
};

struct gathering {
    struct trace *trace;
    size_t store;
};

static enum status
gather(void *user, const struct row *row)
{
    struct gathering *gathering = user;
    struct trace *trace = gathering->trace;

    if (trace->id_count == TRACE_LEDGER_MOST)
        return trace_bad(trace, NULL, "the ledger has more than %d requests, the most that are replayed",
                         TRACE_LEDGER_MOST);
    if (trace->id_count == trace->ids_size) {
        trace->ids_size = trace->ids_size != 0 ? 2 * trace->ids_size : 1024;
        trace->ids = must_realloc(trace->ids, trace->ids_size * sizeof(struct ledger_row_id));
    }
    trace->ids[trace->id_count++] = (struct ledger_row_id){row->id, row->arrived_wall_us, gathering->store};
    return OK;
}

static int
compare_arrivals(const void *a, const void *b)
{
    const struct ledger_row_id *left = a, *right = b;

    if (left->arrived_wall_us != right->arrived_wall_us)
        return left->arrived_wall_us < right->arrived_wall_us ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* What asked for tokens of a model, whatever became of it. */
static bool
is_inference(const struct row *row)
{
    return !slice_is(row->api, "passthrough") && !slice_is(row->api, "embeddings") && row->input_tokens > 0 &&
           row->input_tokens <= TRACE_TOKENS_MOST && row->output_tokens >= 0 && row->output_tokens <= TRACE_TOKENS_MOST;
}

static enum status
next(struct trace *trace, struct trace_request *out)
{
    while (trace->id_at < trace->id_count) {
        const struct ledger_row_id *id = &trace->ids[trace->id_at++];
        struct ledger_store *store = trace->stores[id->store];
        struct row *row;
        enum status status;

        arena_reset(&trace->arena);
        row = arena_alloc(&trace->arena, sizeof(*row));
        status = store->ops->find_row(store, id->id, &trace->arena, row);
        if (status != OK) {
            trace_bad(trace, NULL, "a request of the ledger cannot be read: %s", status_text(status));
            return status == ERR_INVALID || status == ERR_NOT_FOUND ? ERR_CORRUPT : status;
        }
        if (!is_inference(row)) {
            trace->left_out++;
            continue;
        }
        if (trace->wall_us == 0)
            trace->wall_us = row->arrived_wall_us;
        *out = (struct trace_request){.at_us = row->arrived_wall_us,
                                      .input_tokens = row->input_tokens,
                                      .output_tokens = row->output_tokens,
                                      .streamed = row->streamed != 0,
                                      .route = row->route.len != 0 ? row->route : row->model_asked,
                                      .key = row->key_name,
                                      .api = row->api,
                                      .conversation = row->conversation};
        return OK;
    }
    return ERR_NOT_FOUND;
}

static void
free_ids(struct trace *trace)
{
    free(trace->ids);
    arena_reset(&trace->arena);
}

static const struct trace_reader reader = {.next = next, .free = free_ids};

enum status
trace_open_ledger(struct ledger_store *const *stores, size_t count, const char *name,
                  const struct trace_options *options, struct problems *problems, struct trace **out)
{
    struct trace *trace = must_calloc(1, sizeof(*trace));
    enum status status = OK;

    *trace = (struct trace){.reader = &reader, .format = TRACE_LEDGER, .options = *options, .name = name};
    trace->problems = problems;
    trace->stores = stores;
    arena_init(&trace->arena);
    for (size_t i = 0; i < count && status == OK; i++)
        status = stores[i]->ops->each_row(stores[i], gather, &(struct gathering){trace, i});
    if (status == OK && trace->id_count == 0)
        status = trace_bad(trace, NULL, "there are no requests in this ledger");
    else if (status != OK && problems->errors == 0)
        trace_bad(trace, NULL, "the ledger cannot be read: %s", status_text(status));
    if (status != OK) {
        trace_close(trace);
        return status;
    }
    qsort(trace->ids, trace->id_count, sizeof(trace->ids[0]), compare_arrivals);
    *out = trace;
    return OK;
}
