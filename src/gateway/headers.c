#include "gateway/headers.h"

struct hop_names
hop_names_of(const struct http_header *headers, size_t count)
{
    struct hop_names hops = {.count = 0};

    for (size_t i = 0; i < count && hops.count < HOP_LISTS_MOST; i++)
        if (slice_is_nocase(headers[i].name, "connection"))
            hops.lists[hops.count++] = headers[i].value;
    return hops;
}

static bool
is_declared(const struct hop_names *hops, struct slice name)
{
    for (size_t i = 0; i < hops->count; i++) {
        struct slice list = hops->lists[i];

        while (list.data != NULL) {
            struct slice part = slice_trim(slice_split(&list, ','));

            if (part.len > 0 && slice_equal_nocase(part, name))
                return true;
        }
    }
    return false;
}

/* Of this hop by their nature, in both directions (RFC 9110, 7.6.1; RFC 9112). */
static bool
is_of_hop(const struct hop_names *hops, struct slice name)
{
    static const char *const names[] = {"connection",         "keep-alive", "proxy-connection",
                                        "proxy-authenticate", "te",         "trailer",
                                        "transfer-encoding",  "upgrade",    "content-length"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is_nocase(name, names[i]))
            return true;
    return is_declared(hops, name);
}

/* Servers that hand headers on as variables (CGI, RFC 3875, 4.1.18) make no difference between '-' and '_'. */
static struct slice
with_dashes(struct slice name, char *room, size_t size)
{
    if (name.len > size || slice_find_byte(name, '_') == name.len)
        return name;
    for (size_t i = 0; i < name.len; i++)
        room[i] = name.data[i] == '_' ? '-' : name.data[i];
    return slice_make(room, name.len);
}

static bool
is_ours(struct slice name)
{
    return name.len > 12 && strncasecmp(name.data, "x-equipoise-", 12) == 0;
}

bool
header_goes_up(const struct hop_names *hops, struct slice name)
{
    static const char *const stay[] = {"host",
                                       "expect",
                                       "authorization",
                                       "proxy-authorization",
                                       "x-api-key",
                                       "api-key",
                                       "x-goog-api-key",
                                       "cookie",
                                       "forwarded",
                                       "accept-encoding",
                                       "idempotency-key",
                                       "x-forwarded-for",
                                       "x-forwarded-host",
                                       "x-forwarded-proto",
                                       "x-real-ip",
                                       "via"};
    char room[32];

    name = with_dashes(name, room, sizeof(room));
    if (is_ours(name) || is_of_hop(hops, name))
        return false;
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
        if (slice_is_nocase(name, stay[i]))
            return false;
    return true;
}

bool
header_goes_down(const struct hop_names *hops, struct slice name)
{
    static const char *const stay[] = {"date",        "server",  "set-cookie",
                                       "set-cookie2", "alt-svc", "strict-transport-security"};

    if (is_ours(name) || is_of_hop(hops, name))
        return false;
    for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++)
        if (slice_is_nocase(name, stay[i]))
            return false;
    return true;
}
