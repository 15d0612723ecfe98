/* The stream that a whole answer could have come as: well-formed events of its API, texts in pieces of a few words, so
 * that a client which streams cannot tell an answer given again from one that is being made. whole_of.h is the way back. */
#ifndef DIALECT_FRAMES_OF_H
#define DIALECT_FRAMES_OF_H

#include "base/buffer.h"
#include "dialect/api.h"

/* Called with each event in turn, its blank line included; the last one ends the stream. */
typedef void frames_of_put(void *context, struct slice frame);

/* Cuts an answer (JSON) up. `tell_usage`: chat and completions tell the usage, if the answer has any, in a chunk of its
 * own (stream_options.include_usage); the others always do. ERR_INVALID: it is no answer of that API, or of one that does
 * not stream; `put` was not called. */
enum status frames_of(enum api api, struct slice answer, bool tell_usage, frames_of_put *put, void *context) MUST_CHECK;

#endif
