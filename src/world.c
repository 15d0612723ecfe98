#include "world.h"

struct slice
http_head_find(const struct http_head *head, struct slice name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equal_nocase(head->headers[i].name, name))
            return slice_trim(head->headers[i].value);
    return SLICE_NONE;
}
