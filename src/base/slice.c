#define _GNU_SOURCE /* memmem */
#include "base/slice.h"

#include "base/status.h"

size_t
slice_find(struct slice a, struct slice needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    if (a.len < needle.len)
        return a.len;
    at = memmem(a.data, a.len, needle.data, needle.len);
    return at != NULL ? (size_t)(at - a.data) : a.len;
}

bool
slice_is_among_nocase(struct slice a, const struct slice *some, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(a, some[i]))
            return true;
    return false;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
slice_trim(struct slice a)
{
    while (a.len > 0 && is_blank(a.data[0])) {
        a.data++;
        a.len--;
    }
    while (a.len > 0 && is_blank(a.data[a.len - 1]))
        a.len--;
    return a;
}

struct slice
slice_split(struct slice *rest, char byte)
{
    size_t at = slice_find_byte(*rest, byte);
    struct slice part = {rest->data, at};

    if (at < rest->len)
        *rest = (struct slice){rest->data + at + 1, rest->len - at - 1};
    else
        *rest = SLICE_NONE;
    return part;
}

char *
slice_strdup(struct slice a)
{
    char *copy = must_alloc(a.len + 1);

    if (a.len != 0)
        memcpy(copy, a.data, a.len);
    copy[a.len] = '\0';
    return copy;
}
