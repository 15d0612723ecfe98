/* Small files that are written and read whole: 8 bytes that say what it is, texts with their lengths, the sum of all
 * before. Numbers in this machine's order. What was damaged, or is another's, is told by mark and sum. */
#ifndef BASE_SEALED_H
#define BASE_SEALED_H

#include "base/buffer.h"
#include "base/status.h"

enum { SEALED_MARK_BYTES = 8 };

/* Begins one, in an empty buffer. */
void sealed_begin(struct buffer *out, const char mark[SEALED_MARK_BYTES]);
void sealed_put(struct buffer *out, struct slice text);
void sealed_end(struct buffer *out);

/* ERR_CORRUPT: it is no whole file with that mark. `*rest` is then for sealed_take. */
enum status sealed_open(struct slice file, const char mark[SEALED_MARK_BYTES], struct slice *rest) MUST_CHECK;

/* The next text; false: there is none. */
bool sealed_take(struct slice *rest, struct slice *out);

#endif
