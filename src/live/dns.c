/* ares_query and ares_parse_srv_reply are in every c-ares of Debian 12 and 13; what newer ones would have instead is not. */
#define CARES_NO_DEPRECATED
#include "live/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <poll.h>

#include "base/clock.h"
#include "base/ip.h"

/* A datagram may be lost. All together is less than what several silent servers could take. */
enum {
    TRIES = 2,
    AGAIN_MOST = 2,
    SOCKETS_MOST = 32,
    ASKED_AT_ONCE = 32,
    UDP_BYTES = 1232,
    CLASS_IN = 1,
    TYPE_SRV = 33
};
static const usec EACH_US = 2 * USEC_PER_S, ALL_US = 10 * USEC_PER_S, HURRIED_US = USEC_PER_S;

/* Where a look-up stands. */
struct look_up {
    ares_channel channel;
    struct pollfd sockets[SOCKETS_MOST];
    size_t socket_count;
    struct dns_manner manner;
    unsigned asked; /* what is not answered yet */
    bool failed, *silent;
    struct service *services;
    struct arena *arena;
    struct config_place *out;
    size_t count, most;
    const char **why;
};

struct service {
    struct service *next;
    const char *target;
    unsigned port;
};

struct question {
    struct look_up *look_up;
    const char *host;
    bool whole; /* no search domains: it is asked for with a dot at its end */
    unsigned port, again;
};

void
dns_start(void)
{
    ENSURE(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

/* Waiting */

/* c-ares tells what it waits for at that socket; for neither: it is closed. One too many is not looked at, so that what is
 * asked through it is not answered. */
static void
on_socket(void *context, ares_socket_t fd, int readable, int writable)
{
    struct look_up *look_up = context;
    short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    size_t at = 0;

    while (at < look_up->socket_count && look_up->sockets[at].fd != fd)
        at++;
    if (events == 0 && at < look_up->socket_count)
        look_up->sockets[at] = look_up->sockets[--look_up->socket_count];
    else if (events != 0 && at < SOCKETS_MOST)
        look_up->sockets[at] = (struct pollfd){.fd = fd, .events = events};
    if (events != 0 && at == look_up->socket_count && at < SOCKETS_MOST)
        look_up->socket_count++;
}

static int
wait_ms(struct look_up *look_up, usec left_us)
{
    struct timeval most = {.tv_sec = left_us / USEC_PER_S, .tv_usec = left_us % USEC_PER_S}, next;
    const struct timeval *wait = ares_timeout(look_up->channel, &most, &next);

    return (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000) + 1;
}

/* Until all is answered; what then is not has failed. */
static void
wait_for_answers(struct look_up *look_up, usec until_us)
{
    while (look_up->asked > 0) {
        struct pollfd sockets[SOCKETS_MOST]; /* while answers are read, others open and close */
        size_t count = look_up->socket_count;
        usec left_us = until_us - clock_now_us();

        if (left_us <= 0) {
            ares_cancel(look_up->channel);
            continue;
        }
        memcpy(sockets, look_up->sockets, count * sizeof(sockets[0]));
        if (poll(sockets, count, wait_ms(look_up, left_us)) <= 0)
            count = 0;
        for (size_t i = 0; i < count; i++)
            if (sockets[i].revents != 0)
                ares_process_fd(look_up->channel, sockets[i].revents & ~POLLOUT ? sockets[i].fd : ARES_SOCKET_BAD,
                                sockets[i].revents & POLLOUT ? sockets[i].fd : ARES_SOCKET_BAD);
        if (count == 0)
            ares_process_fd(look_up->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

/* Asking */

static const char *
words_of(struct arena *arena, const char *host, int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return arena_printf(arena, "there is no name '%s'", host);
    case ARES_ENODATA:
        return arena_printf(arena, "'%s' has no such records", host);
    case ARES_EFORMERR:
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
    case ARES_EREFUSED: /* they stand in the order of the DNS' own codes (RFC 1035, 4.1.1) */
        return arena_printf(arena, "the server of the DNS cannot tell where '%s' leads (code %d)", host,
                            status - ARES_EFORMERR + 1);
    case ARES_ECONNREFUSED: /* for trouble that a server tells of, it asks another; what remains is this */
        return arena_printf(arena, "no server of the DNS that was asked for '%s' answers, or each has trouble", host);
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
        return arena_printf(arena, "no server of the DNS that was asked for '%s' answers", host);
    case ARES_EBADRESP:
        return arena_printf(arena, "what was answered for '%s' is no message of the DNS", host);
    case ARES_EBADNAME:
        return arena_printf(arena, "'%s' is no name", host);
    default:
        return arena_printf(arena, "the name '%s' cannot be resolved: %s", host, ares_strerror(status));
    }
}

static void
fail(struct look_up *look_up, const char *host, int status)
{
    look_up->failed = true;
    if (look_up->silent != NULL && (status == ARES_ETIMEOUT || status == ARES_ECANCELLED))
        *look_up->silent = true;
    *look_up->why = words_of(look_up->arena, host, status);
}

/* Some of too many would be others each time. */
static void
add_place(struct look_up *look_up, const struct sockaddr *address, unsigned port)
{
    const void *bytes = address->sa_family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                                                      : &((const struct sockaddr_in6 *)address)->sin6_addr;
    char text[INET6_ADDRSTRLEN];

    if (look_up->count == look_up->most) {
        look_up->failed = true;
        *look_up->why = arena_printf(look_up->arena, "it leads to more than %zu places", look_up->most);
    } else if (inet_ntop(address->sa_family, bytes, text, sizeof(text)) != NULL) {
        look_up->out[look_up->count++] = (struct config_place){arena_strdup(look_up->arena, text), port};
    }
}

/* Both kinds are asked for, and c-ares is content with one. When something was lost, the other may be missing for that: half of
 * the addresses would be taken for all. */
static bool
may_be_half(const struct question *question, const struct ares_addrinfo *found, int timeouts)
{
    bool v4 = false, v6 = false;

    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next) {
        v4 |= node->ai_family == AF_INET;
        v6 |= node->ai_family == AF_INET6;
    }
    return question->look_up->manner.ipv6 && timeouts > 0 && v4 != v6;
}

static const char *
whole_name(struct arena *arena, const char *host)
{
    return slice_ends(slice_of(host), ".") ? host : arena_printf(arena, "%s.", host);
}

static void ask_for_addresses(struct question *question);

/* What was asked for with search domains is asked for without: of the domain "." (systemd writes it) an old c-ares makes a name
 * that is none, and gives up. */
static bool
ask_without_domains(struct question *question, int status)
{
    if (status != ARES_EBADNAME || question->whole)
        return false;
    question->whole = true;
    ask_for_addresses(question);
    return true;
}

static void
on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = context;
    struct look_up *look_up = question->look_up;

    look_up->asked--;
    if (status == ARES_SUCCESS && found->nodes == NULL)
        status = ARES_ENODATA;
    if (ask_without_domains(question, status))
        return;
    if (status != ARES_SUCCESS) {
        fail(look_up, question->host, status);
    } else if (question->again < AGAIN_MOST && may_be_half(question, found, timeouts)) {
        question->again++;
        ask_for_addresses(question);
    } else {
        for (const struct ares_addrinfo_node *node = found->nodes; node != NULL; node = node->ai_next)
            if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
                add_place(look_up, node->ai_addr, question->port);
    }
    if (found != NULL)
        ares_freeaddrinfo(found);
}

static void
ask_for_addresses(struct question *question)
{
    struct look_up *look_up = question->look_up;
    struct ares_addrinfo_hints hints = {.ai_family = look_up->manner.ipv6 ? AF_UNSPEC : AF_INET,
                                        .ai_flags = ARES_AI_NOSORT,
                                        .ai_socktype = SOCK_STREAM};
    const char *name = question->whole ? whole_name(look_up->arena, question->host) : question->host;

    look_up->asked++;
    ares_getaddrinfo(look_up->channel, name, NULL, &hints, on_addresses, question);
}

static struct question *
question_of(struct look_up *look_up, const char *host, bool whole, unsigned port)
{
    struct question *question = arena_alloc(look_up->arena, sizeof(*question));

    *question = (struct question){.look_up = look_up, .host = host, .whole = whole, .port = port};
    return question;
}

/* Of the best priority alone; what has no name or port is said to be nowhere. */
static void
take_services(struct look_up *look_up, const struct ares_srv_reply *records)
{
    unsigned best = UINT16_MAX;

    for (const struct ares_srv_reply *at = records; at != NULL; at = at->next)
        best = at->priority < best ? at->priority : best;
    for (const struct ares_srv_reply *at = records; at != NULL; at = at->next) {
        struct service *service = arena_alloc(look_up->arena, sizeof(*service));

        if (at->priority != best || at->port == 0 || at->host[0] == '\0' || strcmp(at->host, ".") == 0)
            continue;
        *service = (struct service){
            .next = look_up->services, .target = arena_strdup(look_up->arena, at->host), .port = at->port};
        look_up->services = service;
    }
}

static void
on_services(void *context, int status, int timeouts, unsigned char *message, int len)
{
    struct question *question = context;
    struct look_up *look_up = question->look_up;
    struct ares_srv_reply *records = NULL;

    (void)timeouts;
    look_up->asked--;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(message, len, &records);
    if (status == ARES_SUCCESS && records == NULL)
        status = ARES_ENODATA;
    if (status != ARES_SUCCESS) {
        fail(look_up, question->host, status);
        return;
    }
    take_services(look_up, records);
    ares_free_data(records);
    if (look_up->services == NULL) {
        look_up->failed = true;
        *look_up->why = arena_printf(look_up->arena, "the service '%s' is said to be nowhere", question->host);
    }
}

static void
ask_for_service(struct look_up *look_up, const char *host, usec until_us)
{
    look_up->asked++;
    ares_query(look_up->channel, host, CLASS_IN, TYPE_SRV, on_services, question_of(look_up, host, true, 0));
    wait_for_answers(look_up, until_us);
    for (const struct service *at = look_up->services; at != NULL && !look_up->failed; at = at->next) {
        ask_for_addresses(question_of(look_up, at->target, true, at->port));
        if (at->next == NULL || look_up->asked >= ASKED_AT_ONCE)
            wait_for_answers(look_up, until_us);
    }
}

/* Whom to ask */

/* A server's address as c-ares reads it: with a port, and then IPv6 in brackets. */
static const char *
server_of(struct arena *arena, const char *resolver)
{
    struct slice text = slice_of(resolver);
    struct ip ip;

    if (ip_parse(text, &ip) == OK)
        return arena_printf(arena, ip_is_v4(&ip) ? "%s:53" : "[%s]:53", resolver);
    return slice_ends(text, "]") ? arena_printf(arena, "%s:53", resolver) : resolver;
}

static bool
open_channel(struct look_up *look_up, const struct config_name *name)
{
    bool alone = name->resolver != NULL; /* there is no other to turn to: its trouble is the answer */
    char lookups[] = "b";                /* servers alone, no files */
    struct ares_options options = {.flags = alone ? ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP : ARES_FLAG_EDNS,
                                   .ednspsz = UDP_BYTES,
                                   .timeout = (int)(look_up->manner.each_us / USEC_PER_MS),
                                   .tries = TRIES,
                                   .lookups = lookups,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = look_up};
    int given = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&look_up->channel, &options, alone ? given | ARES_OPT_LOOKUPS : given);

    if (status != ARES_SUCCESS) {
        fail(look_up, name->host, status);
        return false;
    }
    if (!alone)
        return true;
    status = ares_set_servers_ports_csv(look_up->channel, server_of(look_up->arena, name->resolver));
    if (status == ARES_SUCCESS)
        return true;
    *look_up->why = arena_printf(look_up->arena, "'%s' is no server's address", name->resolver);
    ares_destroy(look_up->channel);
    return false;
}

size_t
dns_resolve_so(struct dns_manner manner, const struct config_name *name, struct arena *arena, struct config_place *out,
               size_t most, const char **why)
{
    struct look_up look_up = {
        .manner = manner, .silent = name->silent, .arena = arena, .out = out, .most = most, .why = why};
    usec until_us = clock_now_us() + manner.all_us;
    struct ip ip;

    if (!name->services && ip_parse(slice_of(name->host), &ip) == OK) {
        out[0] = (struct config_place){.address = name->host};
        return 1;
    }
    if (!open_channel(&look_up, name))
        return 0;
    if (name->services)
        ask_for_service(&look_up, name->host, until_us);
    else
        ask_for_addresses(question_of(&look_up, name->host, name->resolver != NULL, 0));
    wait_for_answers(&look_up, until_us);
    ares_destroy(look_up.channel);
    return look_up.failed ? 0 : look_up.count;
}

/* As AI_ADDRCONFIG has it (RFC 3493, 6.1), but without link-local addresses, which every machine has. */
static bool
has_ipv6(void)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return true;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        const struct sockaddr_in6 *in6 = (const void *)at->ifa_addr;

        found |= in6 != NULL && in6->sin6_family == AF_INET6 && !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) &&
                 !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
    }
    freeifaddrs(all);
    return found;
}

size_t
dns_resolve(const struct config_name *name, struct arena *arena, struct config_place *out, size_t most,
            const char **why)
{
    struct dns_manner manner = {.each_us = EACH_US, .all_us = ALL_US, .ipv6 = has_ipv6()};

    if (name->hurried)
        manner.each_us = manner.all_us = HURRIED_US;

    return dns_resolve_so(manner, name, arena, out, most, why);
}
