/* Where names lead: addresses (A, AAAA) and the places of services (SRV, RFC 2782), asked through c-ares. Blocks until that is
 * known or the patience is over: not for a worker's loop; any other threads, several at once. */
#ifndef LIVE_DNS_H
#define LIVE_DNS_H

#include "base/timers.h"
#include "config/outside.h"

/* Once, before there are other threads. */
void dns_start(void);

/* config_outside.resolve. Whom the system asks, and as it does: /etc/hosts and search domains too. Another resolver, and
 * anybody for a service, is asked for the very name. Of a service those of the best priority alone are taken: the others are
 * what stands in for them. IPv6 is left out where this machine has no address of it. */
size_t dns_resolve(const struct config_name *name, struct arena *arena, struct config_place *out, size_t most,
                   const char **why);

struct dns_manner {
    usec each_us, all_us; /* for a server's first chance to answer (more for its second), and for all of it */
    bool ipv6;
};

/* The same in that manner, for tests. */
size_t dns_resolve_so(struct dns_manner manner, const struct config_name *name, struct arena *arena,
                      struct config_place *out, size_t most, const char **why);

#endif
