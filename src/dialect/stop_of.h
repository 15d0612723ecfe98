/* Why an answer stopped, from its events as they come or from the whole of it, whatever the API: whether it is what was
 * asked for, or was filtered, refused, cut or paused on its way. Reasons that we do not know count as the latter. */
#ifndef DIALECT_STOP_OF_H
#define DIALECT_STOP_OF_H

#include <yyjson.h>

#include "base/slice.h"
#include "dialect/api.h"

struct stop_of {
    bool wanted;             /* false: nothing is gathered */
    bool ended;              /* messages, responses, embeddings: it is all there */
    bool spoilt;             /* some part of it stopped for another reason than its own */
    uint64_t begun, stopped; /* chat, completions: bit i stands for choice i */
};

/* An event of a streamed answer, or the whole of another, as parsed. */
void stop_of_event(struct stop_of *stop, enum api api, yyjson_val *root);

/* The model came to its own end, met the caller's stop or cap, or called a tool, in all that it began. */
bool stop_of_itself(const struct stop_of *stop);

#endif
