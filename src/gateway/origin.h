/* Requests that browsers make for the pages of other sites. A page cannot read what is answered here, but what it asks for
 * would be done and paid for; and by pointing a name of its own to loopback (DNS rebinding) it can read too. */
#ifndef GATEWAY_ORIGIN_H
#define GATEWAY_ORIGIN_H

#include "world.h"

/* "localhost", or an address of loopback, with or without port and brackets. */
bool origin_is_loopback(struct slice authority);

/* False if an Origin header (RFC 6454, 7) says that a page from elsewhere asks; browsers send it with every POST. */
bool origin_may_ask(const struct http_head *head);

#endif
