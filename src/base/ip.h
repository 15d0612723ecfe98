/* Numeric network addresses, read from text without asking the system. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/slice.h"
#include "base/status.h"

/* IPv4 addresses stand in their IPv4-mapped form (RFC 4291, 2.5.5.2), so that one rule covers both. */
struct ip {
    unsigned char bytes[16];
};

/* "10.0.0.1" (four decimal numbers, no leading zeros), "::1", "fe80::1"; no brackets, zone or port. */
enum status ip_parse(struct slice text, struct ip *out) MUST_CHECK;

bool ip_is_v4(const struct ip *ip);
bool ip_is_loopback(const struct ip *ip); /* 127.0.0.0/8, ::1 */

/* Where clouds hand out credentials to whoever asks: the link-local 169.254.0.0/16 and fe80::/10, and some of providers'
 * own; in whatever IPv6 dress. */
bool ip_is_metadata(const struct ip *ip);

/* Whatever does not lead to the public internet: loopback, link-local, private, shared, reserved (RFC 6890), the former, and
 * the IPv6 addresses that lead to such IPv4 ones. */
bool ip_is_private(const struct ip *ip);

#endif
