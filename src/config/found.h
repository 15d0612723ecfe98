/* Where a backend's replicas are said to be, apart from the configuration's own text: in a file, or in the DNS. Read when
 * the configuration is loaded, and looked at again now and then by whoever serves (cmd/serve/rediscover.h). Blocks: not for a
 * worker's loop. */
#ifndef CONFIG_FOUND_H
#define CONFIG_FOUND_H

#include "base/arena.h"
#include "base/timers.h"
#include "config/outside.h"

enum { FOUND_MOST = 1024, FOUND_FILE_BYTES_MOST = 1024 * 1024 };

struct discover_config {
    const char *file;        /* NULL: none */
    const char *dns_host;    /* NULL: none */
    unsigned dns_port;       /* 0: it is a service's name, whose records tell it */
    const char *resolver;    /* who is asked for it, "10.0.0.2:53"; NULL: whom the system asks */
    const char *server_name; /* what replicas found in the DNS are spoken to by TLS as; NULL: by plain http */
    usec every_us;
};

/* Sorted, none twice, at least one. */
struct found {
    const char **urls;
    size_t count;
    bool silent; /* whoever was asked did not answer in time: then there are none */
};

/* One URL a line, empty lines and what follows a # left out; or JSON: a list of URLs, of objects with a `url`, or an object
 * with such a list as `replicas`. ERR_INVALID, ERR_LIMIT: *why says what is wrong, in the arena. */
enum status found_parse(struct slice text, struct arena *arena, struct found *out, const char **why) MUST_CHECK;

/* All that the file and the name lead to now. Any other status: *why says what is wrong, in the arena, and nothing is to be
 * changed for it. A name in the DNS without anybody to ask is itself the one replica, a service's at port 80.
 * `hurried`: as in config_name. */
enum status found_read(const struct discover_config *discover, const struct config_outside *outside, bool hurried,
                       struct arena *arena, struct found *out, const char **why) MUST_CHECK;

bool found_equal(const struct found *a, const struct found *b);

#endif
