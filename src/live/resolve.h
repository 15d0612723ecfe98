/* From a configured host to addresses that we may connect to: numbers at once, names by the system's resolver, off the
 * loop. */
#ifndef LIVE_RESOLVE_H
#define LIVE_RESOLVE_H

#include <sys/socket.h>

#include "base/slice.h"
#include "base/status.h"

enum { RESOLVE_MOST = 8, RESOLVE_WORDS_SIZE = 256 };

struct resolved_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

struct resolved {
    struct resolved_address addresses[RESOLVE_MOST];
    size_t count;
};

/* `host` is a numeric address: fills *out. */
bool resolve_number(const char *host, unsigned port, struct resolved *out);

/* Asks the system's resolver; blocks. ERR_NOT_FOUND: `why` says what is wrong. */
enum status resolve_name(const char *host, unsigned port, struct resolved *out, char *why) MUST_CHECK;

/* Takes out the addresses that nobody allowed: loopback, private, shared and reserved ones unless `private_allowed`, those at
 * which clouds keep credentials unless `metadata_allowed`; also in their IPv6 dress. What is left is what is connected to: the
 * name is not looked up again. ERR_DENIED: none is left. */
enum status resolve_keep_allowed(const char *host, bool private_allowed, bool metadata_allowed,
                                 struct resolved *resolved, char *why) MUST_CHECK;

#endif
