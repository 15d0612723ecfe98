/* What is here of an answer, and who reads it. */
#include <stdlib.h>

#include "gateway/flight/flight_inside.h"

enum { ALLOCATION_BYTES = 16 /* what the allocator adds to each, about */ };

static void
check_flight(const struct flight *flight)
{
    size_t kept = 0;

    LIST_EACH(&flight->chunks, node, after)
    kept += CONTAINER_OF(node, struct flight_chunk, link)->bytes->len;
    ENSURE(kept == flight->kept && kept <= flight->all->kept);
    ENSURE(flight->is_mirror || flight->telling != NULL || (flight->call.inside != NULL) == !flight_over(flight));
}

void
flight_wake_all(struct flight *flight)
{
    flight_hold(flight);
    for (struct list *node = flight->cursors.next; node != &flight->cursors; node = flight->next_to_wake) {
        struct cursor *cursor = CONTAINER_OF(node, struct cursor, link);

        flight->next_to_wake = node->next;
        cursor->wake(cursor);
    }
    flight_release(flight);
}

static size_t
memory_of(const struct flight_chunk *chunk)
{
    return chunk->bytes->len + sizeof(*chunk) + sizeof(*chunk->bytes) + (size_t)2 * ALLOCATION_BYTES;
}

void
flight_add_chunk(struct flight *flight, struct flight_chunk *chunk)
{
    list_append(&flight->chunks, &chunk->link);
    flight->kept += chunk->bytes->len;
    flight->all->kept += memory_of(chunk);
    LIST_EACH(&flight->cursors, node, after)
    {
        struct cursor *cursor = CONTAINER_OF(node, struct cursor, link);

        if (cursor->at == NULL) {
            cursor->at = chunk;
            cursor->offset = 0;
        }
    }
}

void
flight_drop_chunk(struct flight *flight, struct flight_chunk *chunk)
{
    flight->kept -= chunk->bytes->len;
    flight->all->kept -= memory_of(chunk);
    list_remove(&chunk->link);
    chunk_release(chunk->bytes);
    free(chunk);
}

void
flight_trim(struct flight *flight)
{
    LIST_EACH(&flight->chunks, node, after)
    {
        struct flight_chunk *chunk = CONTAINER_OF(node, struct flight_chunk, link);

        LIST_EACH(&flight->cursors, reader, next)
        {
            struct cursor *cursor = CONTAINER_OF(reader, struct cursor, link);

            if (!cursor->lets_go || cursor->at == chunk)
                return;
        }
        flight_drop_chunk(flight, chunk);
    }
}

static void
set_paused(struct flight *flight, bool paused)
{
    flight->paused = paused;
    flight->ticket.held_up |= paused;
    if (!flight->is_mirror)
        flight->world->ops->call_pause(flight->world, &flight->call, paused);
    if (flight->pressed != NULL)
        flight->pressed(flight);
}

void
flight_pause_if_behind(struct flight *flight)
{
    bool letting_go = false;

    if (flight_over(flight) || flight->paused)
        return;
    LIST_EACH(&flight->cursors, node, after)
    letting_go |= CONTAINER_OF(node, struct cursor, link)->lets_go;
    if (letting_go && flight->kept > (flights_crowded(flight->all) ? 0 : flight->pause_above))
        set_paused(flight, true);
}

static void
resume_if_near(struct flight *flight)
{
    if (flight_over(flight) || !flight->paused)
        return;
    if (flight->kept == 0 || (flight->kept < flight->pause_above / 2 && !flights_crowded(flight->all)))
        set_paused(flight, false);
}

void
cursor_join(struct cursor *cursor, struct flight *flight, void (*wake)(struct cursor *))
{
    struct list *first = list_first(&flight->chunks);

    *cursor = (struct cursor){.flight = flight, .wake = wake};
    cursor->at = first != NULL ? CONTAINER_OF(first, struct flight_chunk, link) : NULL;
    list_append(&flight->cursors, &cursor->link);
    flight_hold(flight);
}

void
cursor_leave(struct cursor *cursor)
{
    struct flight *flight = cursor->flight;

    if (flight == NULL)
        return;
    check_flight(flight);
    if (flight->next_to_wake == &cursor->link)
        flight->next_to_wake = cursor->link.next;
    list_remove(&cursor->link);
    cursor->flight = NULL;
    cursor->at = NULL;
    if (!list_empty(&flight->cursors) || flight->is_mirror) { /* it may have been the one that kept the start */
        flight_trim(flight);
        resume_if_near(flight);
    }
    flight_close_if_unread(flight);
    flight_release(flight);
}

struct slice
cursor_bytes(const struct cursor *cursor)
{
    return cursor->at != NULL ? slice_from(chunk_bytes(cursor->at->bytes), cursor->offset) : SLICE_NONE;
}

void
cursor_skip(struct cursor *cursor)
{
    while (cursor->at != NULL)
        cursor_advance(cursor, cursor->at->bytes->len - cursor->offset);
}

void
cursor_advance(struct cursor *cursor, size_t len)
{
    struct flight *flight = cursor->flight;

    cursor->offset += len;
    ENSURE(cursor->at != NULL && cursor->offset <= cursor->at->bytes->len);
    if (cursor->offset < cursor->at->bytes->len)
        return;
    cursor->offset = 0;
    cursor->at = cursor->at->link.next == &flight->chunks
                     ? NULL
                     : CONTAINER_OF(cursor->at->link.next, struct flight_chunk, link);
    if (cursor->lets_go) {
        flight_trim(flight);
        resume_if_near(flight);
    }
}
