#include "live/outside.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "live/dns_client.h"

#define RESOLV_CONF "/etc/resolv.conf"
enum { RESOLV_CONF_BYTES_MOST = 64 * 1024 };

/* Where a look-up stands. */
struct look_up {
    struct dns_servers servers;
    struct arena *arena;
    struct config_place *out;
    size_t count, most;
    const char **why;
};

static size_t
ask_system(const char *host, struct arena *arena, struct config_place *out, size_t most, const char **why)
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
            out[count++] = (struct config_place){arena_strdup(arena, text), 0};
    }
    freeaddrinfo(found);
    if (count == 0)
        *why = arena_printf(arena, "the name '%s' has no address", host);
    return count;
}

/* Those of the records that are an address of this name, or, where that is NULL, of any: an answer's own may stand under the
 * names that the one asked for is another name of. */
static size_t
take_addresses(struct look_up *look_up, const struct dns_records *records, const char *owner, unsigned port)
{
    size_t before = look_up->count;

    for (size_t i = 0; i < records->count && look_up->count < look_up->most; i++) {
        const struct dns_record *record = &records->all[i];
        char text[INET6_ADDRSTRLEN];

        if ((record->type != DNS_A && record->type != DNS_AAAA) ||
            (owner != NULL && !dns_same_name(record->owner, owner)) ||
            inet_ntop(record->type == DNS_A ? AF_INET : AF_INET6, record->address, text, sizeof(text)) == NULL)
            continue;
        look_up->out[look_up->count++] = (struct config_place){arena_strdup(look_up->arena, text), port};
    }
    return look_up->count - before;
}

/* Both kinds; what one of them lacks is no failure while the other is there. False: nothing is known, or one of the answers
 * did not come, and half of the addresses would be taken for all. */
static bool
ask_for_addresses(struct look_up *look_up, const char *host, unsigned port)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA};
    size_t found = 0;

    for (size_t i = 0; i < 2; i++) {
        struct dns_records records;
        enum status status = dns_ask(&look_up->servers, host, types[i], look_up->arena, &records, look_up->why);

        if (status == OK)
            found += take_addresses(look_up, &records, NULL, port);
        else if (status != ERR_NOT_FOUND)
            return false;
    }
    return found > 0;
}

static unsigned
best_priority(const struct dns_records *records)
{
    unsigned best = UINT16_MAX;

    for (size_t i = 0; i < records->count; i++)
        if (records->all[i].type == DNS_SRV && records->all[i].priority < best)
            best = records->all[i].priority;
    return best;
}

/* The addresses of its targets mostly come along. */
static bool
ask_for_service(struct look_up *look_up, const char *host)
{
    struct dns_records records;
    unsigned best;

    if (dns_ask(&look_up->servers, host, DNS_SRV, look_up->arena, &records, look_up->why) != OK)
        return false;
    best = best_priority(&records);
    for (size_t i = 0; i < records.count; i++) {
        const struct dns_record *record = &records.all[i];

        if (record->type != DNS_SRV || record->priority != best || record->target[0] == '\0' || record->port == 0)
            continue;
        if (take_addresses(look_up, &records, record->target, record->port) == 0 &&
            !ask_for_addresses(look_up, record->target, record->port))
            return false;
    }
    if (look_up->count == 0)
        *look_up->why = arena_printf(look_up->arena, "the service '%s' is said to be nowhere", host);
    return look_up->count > 0;
}

static void
servers_of_system(struct dns_servers *servers)
{
    struct buffer text = {0};

    if (config_outside_read_file(RESOLV_CONF, RESOLV_CONF_BYTES_MOST, &text) != OK)
        buffer_clear(&text);
    dns_servers_of_system(servers, buffer_content(&text));
    buffer_free(&text);
}

size_t
outside_resolve(const struct config_name *name, struct arena *arena, struct config_place *out, size_t most,
                const char **why)
{
    struct look_up look_up = {.arena = arena, .out = out, .most = most, .why = why};
    bool found;

    if (name->resolver == NULL && !name->services)
        return ask_system(name->host, arena, out, most, why);
    if (name->resolver == NULL) {
        servers_of_system(&look_up.servers);
    } else if (dns_servers_of(&look_up.servers, name->resolver) != OK) {
        *why = arena_printf(arena, "'%s' is no server's address", name->resolver);
        return 0;
    }
    found = name->services ? ask_for_service(&look_up, name->host) : ask_for_addresses(&look_up, name->host, 0);
    return found ? look_up.count : 0;
}

const struct config_outside config_outside_live = {
    .environment = config_outside_environment, .read_file = config_outside_read_file, .resolve = outside_resolve};
