#include <stdlib.h>

#include "virtual/vbackend_inside.h"

struct vbackend *
vbackend_new(struct history *history, const struct endpoint *endpoint, const char *name)
{
    struct vbackend *backend = must_calloc(1, sizeof(*backend));

    REFEREE(history, vbackend_at(history, endpoint->id) == NULL, "two backends at endpoint %u", endpoint->id);
    backend->history = history;
    backend->endpoint_id = endpoint->id;
    backend->name = must_strdup(name);
    backend->authority = must_strdup(endpoint->authority != NULL ? endpoint->authority : name);
    backend->ops = &script_ops;
    list_init(&backend->runs);
    list_append(&history->backends, &backend->node);
    return backend;
}

void
vbackend_is_application(struct vbackend *backend, struct application *application)
{
    backend->application = application;
    backend->ops = &bridge_ops;
}

static void
vbackend_free(struct vbackend *backend)
{
    if (backend->application != NULL)
        bridge_runs_free(backend);
    else
        script_runs_free(backend);
    for (size_t i = 0; i < backend->script_count; i++)
        vscript_free(&backend->scripts[i]);
    for (size_t i = 0; i < backend->memory_count; i++)
        memory_free(backend->memories[i]);
    free(backend->memories);
    free(backend->authority);
    free(backend->name);
    free(backend);
}

void
vbackend_free_all(struct history *history)
{
    LIST_EACH(&history->backends, node, after)
    vbackend_free(CONTAINER_OF(node, struct vbackend, node));
}

struct vbackend *
vbackend_at(struct history *history, unsigned endpoint_id)
{
    LIST_EACH(&history->backends, node, after)
    {
        struct vbackend *backend = CONTAINER_OF(node, struct vbackend, node);

        if (backend->endpoint_id == endpoint_id)
            return backend;
    }
    return NULL;
}

const char *
vbackend_name(const struct vbackend *backend)
{
    return backend->name;
}

bool
vbackend_refuses(const struct vbackend *backend)
{
    return backend->refusing;
}

bool
vbackend_silent(const struct vbackend *backend)
{
    return backend->silent;
}

void
vbackend_set_refusing(struct vbackend *backend, bool refusing)
{
    backend->refusing = refusing;
}

void
vbackend_set_silent(struct vbackend *backend, bool silent)
{
    backend->silent = silent;
}

void
vbackend_set_stale(struct vbackend *backend, bool stale)
{
    backend->stale = stale;
}

/* Kept connections. Those of a world made apart count as worker 0's. */
bool
vbackend_take_idle(struct vbackend *backend, struct virtual_world *world)
{
    unsigned *idle = &backend->idle[world->world.worker % WORKERS_MOST];

    if (*idle == 0)
        return false;
    --*idle;
    return true;
}

void
vbackend_put_idle(struct vbackend *backend, struct virtual_world *world)
{
    backend->idle[world->world.worker % WORKERS_MOST]++;
}

/* Memory */

struct memory *
memory_new(struct vbackend *backend, const struct vcall *call)
{
    struct memory *memory;

    if (backend->history->options.forgetful && backend->decide == NULL) /* which looks at it */
        return NULL;
    memory = must_calloc(1, sizeof(*memory));
    buffer_add(&memory->line, call->head.head.method);
    buffer_add(&memory->line, call->head.head.target);
    memory->method_len = call->head.head.method.len;
    vhead_print(&call->head.head, &memory->headers);
    memory->seen.arrived_us = backend->history->now_us;
    memory_body(memory, call);
    if (backend->memory_count == backend->memory_size) {
        backend->memory_size = backend->memory_size != 0 ? 2 * backend->memory_size : 16;
        backend->memories = must_realloc(backend->memories, backend->memory_size * sizeof(*backend->memories));
    }
    backend->memories[backend->memory_count++] = memory;
    return memory;
}

void
memory_body(struct memory *memory, const struct vcall *call)
{
    if (memory == NULL)
        return;
    buffer_add(&memory->body, slice_from(buffer_content(&call->body), buffer_len(&memory->body)));
    memory->seen.body_whole = call->body_whole;
}

void
memory_over(struct memory *memory, const struct vcall *call)
{
    if (memory == NULL)
        return;
    memory->seen.over_us = call->history->now_us;
    memory->seen.completed = call->end_given;
    memory->seen.sent_len = call->given_len;
}

struct vcall_seen
memory_seen(const struct memory *memory)
{
    struct vcall_seen seen = memory->seen;
    struct slice line = buffer_content(&memory->line);

    seen.method = slice_first(line, memory->method_len);
    seen.target = slice_from(line, memory->method_len);
    seen.headers = buffer_content(&memory->headers);
    seen.body = buffer_content(&memory->body);
    return seen;
}

void
memory_free(struct memory *memory)
{
    buffer_free(&memory->line);
    buffer_free(&memory->headers);
    buffer_free(&memory->body);
    free(memory);
}

size_t
vbackend_opened(const struct vbackend *backend)
{
    return backend->opened;
}

size_t
vbackend_seen_count(const struct vbackend *backend)
{
    return backend->memory_count;
}

struct vcall_seen
vbackend_seen(const struct vbackend *backend, size_t index)
{
    REFEREE(backend->history, index < backend->memory_count, "backend %s saw %zu calls, not %zu", backend->name,
            backend->memory_count, index + 1);
    return memory_seen(backend->memories[index]);
}

struct slice
vbackend_seen_header(const struct vbackend *backend, size_t index, const char *name)
{
    struct slice rest = vbackend_seen(backend, index).headers;

    while (rest.data != NULL) {
        struct slice line = slice_split(&rest, '\n');
        size_t colon = slice_find_byte(line, ':');

        if (slice_is_nocase(slice_first(line, colon), name))
            return slice_trim(slice_from(line, colon + 1));
    }
    return SLICE_NONE;
}

bool
vbackend_working(const struct vbackend *backend)
{
    for (size_t i = 0; i < backend->memory_count; i++)
        if (backend->memories[i]->seen.over_us == 0)
            return true;
    return false;
}

usec
vbackend_worked_after_us(const struct vbackend *backend, usec since_us)
{
    usec sum = 0;

    for (size_t i = 0; i < backend->memory_count; i++) {
        const struct vcall_seen *seen = &backend->memories[i]->seen;
        usec end = seen->over_us != 0 ? seen->over_us : backend->history->now_us;
        usec start = seen->arrived_us > since_us ? seen->arrived_us : since_us;

        sum += end > start ? end - start : 0;
    }
    return sum;
}
