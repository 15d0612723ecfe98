#include "live/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/ip.h"

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

static struct ip
ip_of(const struct resolved_address *address)
{
    struct ip ip = {.bytes = {[10] = 0xff, [11] = 0xff}};

    if (address->storage.ss_family == AF_INET)
        memcpy(ip.bytes + 12, &((const struct sockaddr_in *)&address->storage)->sin_addr, 4);
    else
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)&address->storage)->sin6_addr, 16);
    return ip;
}

enum status
resolve_keep_allowed(const char *host, bool private_allowed, bool metadata_allowed, struct resolved *resolved,
                     char *why)
{
    size_t kept = 0;

    for (size_t i = 0; i < resolved->count; i++) {
        struct ip ip = ip_of(&resolved->addresses[i]);

        if ((metadata_allowed || !ip_is_metadata(&ip)) && (private_allowed || !ip_is_private(&ip)))
            resolved->addresses[kept++] = resolved->addresses[i];
    }
    resolved->count = kept;
    if (kept > 0)
        return OK;
    snprintf(
        why, RESOLVE_WORDS_SIZE,
        "'%s' is at a loopback, private or link-local address; if that is meant, say 'private: yes' where its URL is",
        host);
    return ERR_DENIED;
}
