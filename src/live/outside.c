#include "live/outside.h"

#include <netdb.h>
#include <sys/socket.h>

size_t
outside_resolve(const char *host, struct arena *arena, const char **out, size_t most, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &found);
    size_t count = 0;

    if (failed != 0) {
        *why = arena_printf(arena, "the name '%s' cannot be resolved: %s", host, gai_strerror(failed));
        return 0;
    }
    for (struct addrinfo *at = found; at != NULL && count < most; at = at->ai_next) {
        char text[NI_MAXHOST];

        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
            out[count++] = arena_strdup(arena, text);
    }
    freeaddrinfo(found);
    if (count == 0)
        *why = arena_printf(arena, "the name '%s' has no address", host);
    return count;
}

const struct config_outside config_outside_live = {
    .environment = config_outside_environment, .read_file = config_outside_read_file, .resolve = outside_resolve};
