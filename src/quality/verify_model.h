/* A model as a verifier: the question that it is asked of one answer, without any other beside it, and its reply: how sure it
 * is that the answer will do. What it says is a score and no more: from which score on answers are kept is for audits to
 * say. What is asked stands in doc/levers.md, word for word. */
#ifndef QUALITY_VERIFY_MODEL_H
#define QUALITY_VERIFY_MODEL_H

#include "base/buffer.h"
#include "base/status.h"

/* About so many tokens stand in the question beside the request and the answer, and in the reply. */
enum { VERIFY_TOKENS = 200, VERIFY_REPLY_TOKENS = 5 };

/* Bytes of an answer. Of a longer one nobody could say that it will do without having seen all of it, and a verifier that
 * was shown a part would. */
enum { VERIFY_ANSWER_MOST = 64 * 1024 };

/* Appends the body of a chat completion for that model. `request` is the body that was answered, as JSON; the answer is not longer
 * than VERIFY_ANSWER_MOST; `mark` as in judge_model.h. */
void verify_question(struct slice request, struct slice answer, uint64_t mark, const char *model, struct buffer *out);

/* The score, 0 to 1: the reply is a whole number from 0 to 100 and nothing else, but for a full stop or "%". ERR_INVALID. */
enum status verify_reply(struct slice reply, double *score) MUST_CHECK;

#endif
