/* Server-sent events (WHATWG HTML, 9.2.6): cuts a stream of bytes at the ends of its events, however the bytes come in.
 * Nothing is changed: all frames put together are the stream. */
#ifndef DIALECT_SSE_H
#define DIALECT_SSE_H

#include "base/buffer.h"

/* A frame is the lines up to and including a blank one; lines end in LF, CR or CRLF. After a frame that ended in CR, a
 * LF that comes next is put at the front of the frame after it, where it means nothing.
 *
 * Invariant: `kept` is the start of a frame whose end has not come. */
struct sse_framer {
    struct buffer kept;
    size_t frame_most; /* a longer frame is given out in pieces, as `oversized` */
    bool given_out;    /* what is in `kept` went out with the last call */
    bool line_empty;   /* nothing stands in the current line yet */
    bool after_cr;     /* the last byte was a CR */
    bool any_byte;     /* the current frame holds more than line ends */
    bool oversized;    /* the current frame was longer than frame_most */
};

/* What sse_next found. */
enum sse_piece {
    SSE_NOTHING,  /* all bytes are used up, no frame is complete */
    SSE_FRAME,    /* a whole frame */
    SSE_OVERSIZED /* a piece of a frame that is too long to keep, maybe its last */
};

void sse_init(struct sse_framer *framer, size_t frame_most);
void sse_free(struct sse_framer *framer);

/* Takes from *input until a frame is complete. *frame points into *input or the framer and is valid until the next
 * call. Call again until SSE_NOTHING. */
enum sse_piece sse_next(struct sse_framer *framer, struct slice *input, struct slice *frame);

/* The start of a frame that never ended. */
struct slice sse_rest(const struct sse_framer *framer);

/* The event's data, its lines joined with LF, and its name. Both point into `frame`, or into `joined` when there are
 * several data lines. False if the frame has no data (comments, pings, retry). */
bool sse_parse(struct slice frame, struct buffer *joined, struct slice *event, struct slice *data);

#endif
