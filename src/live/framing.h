/* Where one message ends and the next begins, more strictly than the parser: whatever two programs might read differently
 * is refused (RFC 9112, 11.2: request smuggling). Each rule names its section. What llhttp refuses by itself (bare CR
 * or LF, folded lines, space before the colon, broken chunk sizes) is proven by the tests. */
#ifndef LIVE_FRAMING_H
#define LIVE_FRAMING_H

#include "base/slice.h"
#include "world.h"

struct framing_refusal {
    unsigned status;  /* what a client is answered with; 0: fine */
    const char *text; /* for a person */
};

#define FRAMING_FINE ((struct framing_refusal){0, NULL})

/* What the head says beyond its bytes. */
struct framing {
    int64_t body_len; /* -1: chunked, or for answers up to the end of the connection */
    bool chunked;
    bool expects_continue;
};

/* Checks a request's head of HTTP/1.`minor` and brings its target into the form "/path?query". */
struct framing_refusal framing_check_request(struct http_head *head, unsigned minor, struct framing *out);

/* `bodyless`: it answers a HEAD. */
struct framing_refusal framing_check_answer(struct http_head *head, unsigned minor, bool bodyless, struct framing *out);

/* RFC 9110, 6.5.1: fields about framing, routing, content and credentials have no place in a trailer. */
bool framing_trailer_allowed(struct slice name);

/* Fields that belong to a connection (RFC 9110, 7.6.1) and those that say where a message ends. */
bool framing_owns(struct slice name);

#endif
