/* The whole answer that a stream amounts to: what its API would have said to a request that did not stream. Texts that come
 * in pieces are joined, entries of lists are brought together by their `index` (as the official SDKs do), what comes whole
 * replaces what stood there before. Members that we do not know are merged by the same rules and so survive. */
#ifndef DIALECT_WHOLE_OF_H
#define DIALECT_WHOLE_OF_H

#include "base/buffer.h"
#include "dialect/api.h"

/* A gatherer for the frames of one stream; the caller frees it. */
struct whole_of *whole_of_new(enum api api) __attribute__((returns_nonnull));
void whole_of_free(struct whole_of *whole); /* NULL is fine */

/* The next frame, from the first on, as sse_next cuts them. */
void whole_of_frame(struct whole_of *whole, struct slice frame);

/* The stream is known to be complete, though it may not have said so: chat and completions of some backends just end. */
void whole_of_complete(struct whole_of *whole);

/* The answer as JSON. ERR_INVALID: the stream was not complete, or not one of that API; nothing is written. */
enum status whole_of_end(struct whole_of *whole, struct buffer *out) MUST_CHECK;

#endif
