#include "gateway/attempt/headers.h"

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

#define HOP_NAMES(X)                                                                                                   \
    X("connection")                                                                                                    \
    X("keep-alive")                                                                                                    \
    X("proxy-connection")                                                                                              \
    X("proxy-authenticate") X("te") X("trailer") X("transfer-encoding") X("upgrade") X("content-length")

/* Of this hop by their nature, in both directions (RFC 9110, 7.6.1; RFC 9112). */
static bool
is_of_hop(const struct hop_names *hops, struct slice name)
{
    static const struct slice all[] = {HOP_NAMES(SLICE_LISTED)};
    static const struct slice_set names = {all, sizeof(all) / sizeof(*all), 0 HOP_NAMES(SLICE_LENGTH)};

    return slice_set_has_nocase(&names, name) || is_declared(hops, name);
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
    static const struct slice stay[] = {SLICE_CONSTANT("host"),
                                        SLICE_CONSTANT("expect"),
                                        SLICE_CONSTANT("authorization"),
                                        SLICE_CONSTANT("proxy-authorization"),
                                        SLICE_CONSTANT("x-api-key"),
                                        SLICE_CONSTANT("api-key"),
                                        SLICE_CONSTANT("x-goog-api-key"),
                                        SLICE_CONSTANT("cookie"),
                                        SLICE_CONSTANT("forwarded"),
                                        SLICE_CONSTANT("accept-encoding"),
                                        SLICE_CONSTANT("idempotency-key"),
                                        SLICE_CONSTANT("x-forwarded-for"),
                                        SLICE_CONSTANT("x-forwarded-host"),
                                        SLICE_CONSTANT("x-forwarded-proto"),
                                        SLICE_CONSTANT("x-real-ip"),
                                        SLICE_CONSTANT("via")};
    char room[32];

    name = with_dashes(name, room, sizeof(room));
    return !is_ours(name) && !is_of_hop(hops, name) && !slice_is_among_nocase(name, stay, sizeof(stay) / sizeof(*stay));
}

bool
header_goes_down(const struct hop_names *hops, struct slice name)
{
    static const struct slice stay[] = {SLICE_CONSTANT("date"),       SLICE_CONSTANT("server"),
                                        SLICE_CONSTANT("set-cookie"), SLICE_CONSTANT("set-cookie2"),
                                        SLICE_CONSTANT("alt-svc"),    SLICE_CONSTANT("strict-transport-security")};

    return !is_ours(name) && !is_of_hop(hops, name) && !slice_is_among_nocase(name, stay, sizeof(stay) / sizeof(*stay));
}
