/* Ending a stream in the middle as its own API would at a cap on output: what has begun is closed, the reason is told
 * ("length", "max_tokens", "max_output_tokens"), and the end is marked. */
#ifndef DIALECT_STREAM_END_H
#define DIALECT_STREAM_END_H

#include <yyjson.h>

#include "base/buffer.h"
#include "dialect/api.h"
#include "dialect/usage.h"

/* What a stream has said so far, as far as its end must repeat it. */
struct stream_so_far {
    bool wanted;         /* false: nothing is gathered */
    struct buffer first; /* chat, completions: the first chunk; responses: the response as it was created; JSON */
    int64_t choices;     /* chat, completions: the greatest index so far, plus one */
    uint64_t ended;      /* bit i: choice i has told why it ended; choices beyond 63 are never known to have */
    int64_t block;       /* messages: the content block that came last */
    bool block_open;
    int64_t sequence;    /* responses: the number of the last event */
    struct buffer items; /* responses: the output items that are complete, joined by commas */
    struct buffer item;  /* and the one that is not; empty: there is none */
    int64_t item_index, part_index;
    bool part_open; /* it has a part of text under way: */
    struct buffer text;
    const struct item_text *written; /* or it is a tool's call, whose arguments are the text; NULL: it is none */
    bool written_told;               /* whole, by an event of their own */
};

void stream_so_far_free(struct stream_so_far *so_far);

/* An event of the stream, parsed. */
void stream_so_far_event(struct stream_so_far *so_far, enum api api, yyjson_val *root);

/* Chat, completions: whether all of so many choices (at least 1) have told why they ended; of more than 64: never. */
bool stream_so_far_over(const struct stream_so_far *so_far, int64_t choices);

/* The events that end it. `tell_usage`: chat and completions tell the usage in a chunk of its own. */
void stream_end(const struct stream_so_far *so_far, enum api api, const struct usage *usage, bool tell_usage,
                struct buffer *out);

#endif
