#include "live/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

bool
resolve_number(const char *host, unsigned port, struct resolved *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    *out = (struct resolved){.count = 1};
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        memcpy(&out->addresses[0].storage, &in, sizeof(in));
        out->addresses[0].len = sizeof(in);
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        memcpy(&out->addresses[0].storage, &in6, sizeof(in6));
        out->addresses[0].len = sizeof(in6);
        return true;
    }
    out->count = 0;
    return false;
}

enum status
resolve_name(const char *host, unsigned port, struct resolved *out, char *why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[16];
    int failed;

    snprintf(service, sizeof(service), "%u", port);
    failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0) {
        snprintf(why, RESOLVE_WORDS_SIZE, "the name '%s' cannot be resolved: %s", host, gai_strerror(failed));
        return ERR_NOT_FOUND;
    }
    *out = (struct resolved){.count = 0};
    for (struct addrinfo *at = found; at != NULL && out->count < RESOLVE_MOST; at = at->ai_next) {
        memcpy(&out->addresses[out->count].storage, at->ai_addr, at->ai_addrlen);
        out->addresses[out->count++].len = at->ai_addrlen;
    }
    freeaddrinfo(found);
    return OK;
}

/* RFC 1122 (0/8, 127/8), RFC 1918, RFC 6598 (100.64/10), RFC 3927 (169.254/16), RFC 5771 and 1112 (224/3). */
static bool
is_private_v4(uint32_t address)
{
    static const struct {
        uint32_t network;
        unsigned bits;
    } ranges[] = {{0x00000000, 8},  {0x7f000000, 8},  {0x0a000000, 8},  {0xac100000, 12},
                  {0xc0a80000, 16}, {0x64400000, 10}, {0xa9fe0000, 16}, {0xe0000000, 3}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
        if (address >> (32 - ranges[i].bits) == ranges[i].network >> (32 - ranges[i].bits))
            return true;
    return false;
}

static uint32_t
v4_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* RFC 4291 (::, ::1, fe80::/10, ff00::/8, ::ffff:a.b.c.d and ::a.b.c.d), RFC 4193 (fc00::/7), RFC 6052 (64:ff9b::/96),
 * RFC 3056 (2002:a.b.c.d::/48). */
static bool
is_private_v6(const unsigned char *bytes)
{
    static const unsigned char zeros[12] = {0};
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};

    if (memcmp(bytes, zeros, 12) == 0)
        return v4_at(bytes + 12) <= 1 || is_private_v4(v4_at(bytes + 12));
    if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, translated, 12) == 0)
        return is_private_v4(v4_at(bytes + 12));
    if (bytes[0] == 0x20 && bytes[1] == 0x02)
        return is_private_v4(v4_at(bytes + 2));
    return (bytes[0] & 0xfe) == 0xfc || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || bytes[0] == 0xff;
}

static bool
is_private(const struct resolved_address *address)
{
    if (address->storage.ss_family == AF_INET)
        return is_private_v4(ntohl(((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr));
    return is_private_v6(((const struct sockaddr_in6 *)&address->storage)->sin6_addr.s6_addr);
}

enum status
resolve_drop_private(const char *host, struct resolved *resolved, char *why)
{
    size_t kept = 0;

    for (size_t i = 0; i < resolved->count; i++)
        if (!is_private(&resolved->addresses[i]))
            resolved->addresses[kept++] = resolved->addresses[i];
    resolved->count = kept;
    if (kept > 0)
        return OK;
    snprintf(
        why, RESOLVE_WORDS_SIZE,
        "'%s' is at a loopback, private or link-local address; if that is meant, say 'private: yes' at the backend",
        host);
    return ERR_DENIED;
}
