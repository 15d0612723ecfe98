/* Asks servers of the DNS directly, where the system's resolver cannot be told whom to ask, or not for services. Blocks, for
 * some seconds at most: not for a worker's loop. Over UDP, and over TCP for what does not fit. */
#ifndef LIVE_DNS_CLIENT_H
#define LIVE_DNS_CLIENT_H

#include <sys/socket.h>

#include "base/arena.h"
#include "live/dns_message.h"

enum { DNS_SERVERS_MOST = 3 };

struct dns_servers {
    struct sockaddr_storage all[DNS_SERVERS_MOST];
    socklen_t lens[DNS_SERVERS_MOST];
    size_t count;
};

/* "10.0.0.2:53", "[fd00::2]:53", or without a port, which is 53 then. ERR_INVALID. */
enum status dns_servers_of(struct dns_servers *servers, const char *text) MUST_CHECK;

/* Those that the system asks: the `nameserver` lines of such a file's text (resolv.conf(5)); none: the one on this machine. */
void dns_servers_of_system(struct dns_servers *servers, struct slice resolv_conf);

struct dns_records {
    struct dns_record *all; /* in the arena */
    size_t count;
};

/* All records that one of the servers knows of that name and type, additional ones too; the first that answers is believed.
 * ERR_NOT_FOUND: there is no such name, or nothing of that type. Else, and then too, *why says what is wrong, in the arena. */
enum status dns_ask(const struct dns_servers *servers, const char *name, enum dns_type type, struct arena *arena,
                    struct dns_records *out, const char **why) MUST_CHECK;

#endif
