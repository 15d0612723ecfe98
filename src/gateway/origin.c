#include "gateway/origin.h"

#include "base/ip.h"

/* "name", "name:port", "[address]:port": without its port and brackets. */
static struct slice
host_alone(struct slice authority)
{
    if (slice_starts(authority, "["))
        return slice_first(slice_from(authority, 1), slice_find_byte(slice_from(authority, 1), ']'));
    return slice_first(authority, slice_find_byte(authority, ':'));
}

bool
origin_is_loopback(struct slice authority)
{
    struct slice host = host_alone(authority);
    struct ip ip;

    return slice_is_nocase(host, "localhost") || (ip_parse(host, &ip) == OK && ip_is_loopback(&ip));
}

bool
origin_may_ask(const struct http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        struct slice value = head->headers[i].value;
        size_t scheme = slice_find(value, SLICE_LITERAL("://"));

        if (!slice_is_nocase(head->headers[i].name, "origin"))
            continue;
        if (scheme == value.len || !origin_is_loopback(slice_from(value, scheme + 3)))
            return false;
    }
    return true;
}
