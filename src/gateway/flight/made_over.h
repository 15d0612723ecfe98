/* Answers in another form than they came: a whole answer as events for who streams, a stream as the whole answer for who
 * does not. What comes out has the head of an answer, with nothing of the backend's in it. */
#ifndef GATEWAY_MADE_OVER_H
#define GATEWAY_MADE_OVER_H

#include "base/buffer.h"
#include "dialect/api.h"
#include "gateway/kept.h"

/* The answer for a client out of the whole answer as its API says it: as events if it streams, with the usage in them if it
 * wants that, else the very bytes. The caller is its holder. NULL: it is no answer of that API. Any thread; above 64 KiB
 * not on a worker's loop. */
struct kept_answer *made_over_of(enum api api, struct chunk *content, bool streams, bool tells_usage);

/* The whole answer of what came in pieces, as events if `is_stream`, appended to *out. ERR_INVALID: it is none. */
enum status made_over_join(const struct kept_answer *pieces, bool is_stream, enum api api, struct buffer *out)
    MUST_CHECK;

#endif
