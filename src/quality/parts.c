#include "quality/parts.h"

#include <stdlib.h>

#include "quality/saved.h"

#define MAGIC 0x54524150u /* "PART" */
enum { VERSION = 1 };

/* Invariant: `route` never changes; the rest is read and written under the lock. Names stand at the places from 0 to below `count`,
 * each once. */
struct route_parts {
    struct route_parts *next;
    char *route;
    uint64_t mark;
    unsigned count;
    bool told; /* that somebody found no place */
    char *names[PARTS_MOST];
};

void
parts_init(struct parts *parts)
{
    *parts = (struct parts){.first = NULL};
    lock_init(&parts->lock);
    map_init(&parts->map);
}

static void
forget(struct route_parts *one)
{
    while (one->count > 0)
        free(one->names[--one->count]);
}

void
parts_free(struct parts *parts)
{
    while (parts->first != NULL) {
        struct route_parts *one = parts->first;

        parts->first = one->next;
        forget(one);
        free(one->route);
        free(one);
    }
    map_free(&parts->map);
    lock_destroy(&parts->lock);
}

/* Under the lock, as all that follows with no lock of its own. */
static struct route_parts *
at(struct parts *parts, const char *route)
{
    struct route_parts *one = map_get(&parts->map, slice_of(route));

    if (one != NULL)
        return one;
    one = must_calloc(1, sizeof(*one));
    one->route = must_strdup(route);
    one->next = parts->first;
    parts->first = one;
    map_put(&parts->map, slice_of(one->route), one);
    return one;
}

static uint64_t
mark_of(const struct parts *parts, const char *route)
{
    const struct route_parts *one = map_get(&parts->map, slice_of(route));

    return one != NULL ? one->mark : 0;
}

bool
parts_follow(struct parts *parts, const char *route, uint64_t mark)
{
    bool other;

    lock_take(&parts->lock);
    other = mark_of(parts, route) != mark;
    if (other) {
        struct route_parts *one = at(parts, route);

        forget(one);
        one->mark = mark;
        one->told = false;
    }
    lock_drop(&parts->lock);
    return other;
}

bool
parts_are(struct parts *parts, const char *route, uint64_t mark)
{
    bool are;

    lock_take(&parts->lock);
    are = mark_of(parts, route) == mark;
    lock_drop(&parts->lock);
    return are;
}

static unsigned
find(const struct route_parts *one, struct slice name)
{
    for (unsigned i = 0; i < one->count; i++)
        if (slice_is(name, one->names[i]))
            return i + 1;
    return 0;
}

unsigned
parts_place(struct parts *parts, const char *route, uint64_t mark, const char *name, bool *is_new)
{
    struct route_parts *one;
    unsigned place = 0;

    *is_new = false;
    lock_take(&parts->lock);
    one = map_get(&parts->map, slice_of(route));
    if (one != NULL && mark != 0 && one->mark == mark) {
        place = find(one, slice_of(name));
        *is_new = place == 0 && one->count < PARTS_MOST && strlen(name) <= PART_NAME_BYTES_MOST;
        if (*is_new) {
            one->names[one->count++] = must_strdup(name);
            place = one->count;
        }
    }
    lock_drop(&parts->lock);
    return place;
}

bool
parts_is_first_without(struct parts *parts, const char *route)
{
    struct route_parts *one;
    bool is_first;

    lock_take(&parts->lock);
    one = at(parts, route);
    is_first = !one->told;
    one->told = true;
    lock_drop(&parts->lock);
    return is_first;
}

bool
parts_at(struct parts *parts, const char *route, unsigned place, struct buffer *name)
{
    const struct route_parts *one;
    bool found;

    lock_take(&parts->lock);
    one = map_get(&parts->map, slice_of(route));
    found = one != NULL && place >= 1 && place <= one->count;
    if (found)
        buffer_add_text(name, one->names[place - 1]);
    lock_drop(&parts->lock);
    return found;
}

uint32_t
parts_alpha_ppm(uint32_t alpha_ppm, unsigned place)
{
    ENSURE(place >= 1 && place <= PARTS_MOST);
    return alpha_ppm / (place * (place + 1));
}

void
parts_save(struct parts *parts, const char *route, struct buffer *out)
{
    size_t from = buffer_len(out);
    const struct route_parts *one;

    lock_take(&parts->lock);
    one = map_get(&parts->map, slice_of(route));
    if (one != NULL && one->mark != 0) {
        saved_put(out, MAGIC, 4);
        saved_put(out, VERSION, 1);
        saved_put(out, one->mark, 8);
        for (unsigned i = 0; i < one->count; i++) {
            saved_put(out, strlen(one->names[i]), 2);
            buffer_add_text(out, one->names[i]);
        }
        saved_seal(out, from, MAGIC);
    }
    lock_drop(&parts->lock);
}

/* Each once, and no more than there are places. */
static bool
take_names(struct slice *rest, struct route_parts *out)
{
    while (rest->len > 0) {
        size_t len = (size_t)saved_take(rest, 2);
        struct slice name;

        if (rest->data == NULL || len > rest->len || len > PART_NAME_BYTES_MOST || out->count == PARTS_MOST)
            return false;
        name = slice_first(*rest, len);
        if (find(out, name) != 0 || slice_find_byte(name, '\0') < name.len)
            return false;
        out->names[out->count++] = slice_strdup(name);
        *rest = slice_from(*rest, len);
    }
    return true;
}

static bool
take_all(struct slice rest, struct route_parts *out)
{
    if (saved_take(&rest, 4) != MAGIC || saved_take(&rest, 1) != VERSION)
        return false;
    out->mark = saved_take(&rest, 8);
    return rest.data != NULL && out->mark != 0 && take_names(&rest, out);
}

enum status
parts_restore(struct parts *parts, const char *route, struct slice bytes)
{
    struct route_parts taken = {.mark = 0}, *one;

    if (!take_all(saved_open(bytes, MAGIC), &taken)) {
        forget(&taken);
        return ERR_CORRUPT;
    }
    lock_take(&parts->lock);
    one = at(parts, route);
    forget(one);
    one->mark = taken.mark;
    one->count = taken.count;
    memcpy(one->names, taken.names, sizeof(one->names));
    lock_drop(&parts->lock);
    return OK;
}

struct route_parts *
parts_next(struct parts *parts, struct route_parts *route)
{
    struct route_parts *next;

    lock_take(&parts->lock);
    next = route != NULL ? route->next : parts->first;
    lock_drop(&parts->lock);
    return next;
}

const char *
route_parts_name(const struct route_parts *route)
{
    return route->route;
}
