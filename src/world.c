#include "world.h"

struct slice
http_head_get(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_is_nocase(head->headers[i].name, name))
            return slice_trim(head->headers[i].value);
    return SLICE_NONE;
}
