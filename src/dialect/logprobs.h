/* Logprobs: how sure a model was of each token that it said, as OpenAI's APIs tell it to who asks. Here is how a request is
 * made to ask, what an answer tells, and the answer without them, for a client that did not ask.
 *
 * chat: `logprobs: true`, then choices[].logprobs.content[].logprob; completions: `logprobs: 1`, then
 * choices[].logprobs.token_logprobs[]; responses: `include: ["message.output_text.logprobs"]`, then the `logprobs` of its
 * texts. Messages has none. */
#ifndef DIALECT_LOGPROBS_H
#define DIALECT_LOGPROBS_H

#include <yyjson.h>

#include "base/buffer.h"
#include "base/status.h"
#include "dialect/api.h"

/* How a request stands to them. */
struct logprobs_wish {
    bool asked;      /* the client wants them itself */
    const char *why; /* they would tell nothing of its answer, or cannot be asked for; for a person; NULL: they can */
    struct slice place; /* raw, in the body: what `with` takes the place of; NULL data: it goes first into the body */
    const char *with;
};

/* `raw`: the body's own value of the member that asks for them (logprobs_member), SLICE_NONE if it has none. */
const char *logprobs_member(enum api api); /* NULL: the API has none */
struct logprobs_wish logprobs_wish(enum api api, yyjson_val *root, struct slice raw);

/* Whether the request holds the word beside that member: an error that speaks of logprobs may then only repeat its words. */
bool logprobs_in_words(enum api api, const struct logprobs_wish *wish, struct slice body);

/* A further member, with a comma before it, of a request that was put in that API's words; NULL: there is none. */
const char *logprobs_translated(enum api api);

/* What an answer told, of its first choice. */
struct logprobs_told {
    bool wanted; /* false: nothing is gathered */
    bool odd;    /* one of them is none */
    double sum;  /* natural logarithms */
    uint64_t tokens;
};

/* An event of a streamed answer, or the whole of another, as parsed. */
void logprobs_of_event(struct logprobs_told *told, enum api api, yyjson_val *root);

/* The geometric mean of the probabilities of its tokens, more than 0 to 1. False: it told none. */
bool logprobs_sureness(const struct logprobs_told *told, double *out);

/* Appends the answer, or the frame of a stream, without them, all other bytes as they came: null or [] stands in their place,
 * as it does in answers to who did not ask. ERR_NOT_FOUND: it has none. ERR_INVALID: it is no JSON, or in several lines of
 * data; nothing is written. */
enum status logprobs_take_out(enum api api, struct slice answer, struct buffer *out) MUST_CHECK;
enum status logprobs_take_out_of_frame(enum api api, struct slice frame, struct buffer *out) MUST_CHECK;

#endif
