/* Which headers go on from one side to the other. Each side gets its own framing, connection and credentials, written
 * afresh; these are the headers that are not copied. */
#ifndef GATEWAY_HEADERS_H
#define GATEWAY_HEADERS_H

#include "world.h"

/* The lists of names that the Connection headers of a head declare to be for this hop only (RFC 9110, 7.6.1). */
enum { HOP_LISTS_MOST = 8 };
struct hop_names {
    struct slice lists[HOP_LISTS_MOST];
    size_t count;
};

struct hop_names hop_names_of(const struct http_header *headers, size_t count);

/* From a client to a backend: not framing and connection, credentials, cookies, what proxies add, and our own. */
bool header_goes_up(const struct hop_names *hops, struct slice name);

/* From a backend to a client: not framing and connection, cookies, what concerns its connection, and our own. */
bool header_goes_down(const struct hop_names *hops, struct slice name);

#endif
