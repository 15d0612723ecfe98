/* What the assistant said: the text of an answer's first choice, from its events as they come or from the whole of it,
 * whatever the API. Reasoning, refusals and the arguments of tools are not part of it. */
#ifndef DIALECT_TEXT_OF_H
#define DIALECT_TEXT_OF_H

#include <yyjson.h>

#include "base/buffer.h"
#include "dialect/api.h"

struct text_of {
    bool wanted; /* false: nothing is gathered */
    bool cut;    /* there was more than `most`, or it could not all be read */
    bool called; /* the answer calls a tool */
    size_t most; /* bytes */
    struct buffer text;
};

/* An event of a streamed answer, or the whole of another, as parsed. */
void text_of_event(struct text_of *out, enum api api, yyjson_val *root);

#endif
