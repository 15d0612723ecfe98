/* A model as a judge: the question that it is asked of two answers, and its reply. It is asked in both orders, for a judge
 * that leans towards the first or the second answer does so in both: an answer that is at least as acceptable in one
 * order only counts one half. What is asked stands in doc/judges.md, word for word. */
#ifndef QUALITY_JUDGE_MODEL_H
#define QUALITY_JUDGE_MODEL_H

#include "base/buffer.h"
#include "base/status.h"

struct judge_question {
    struct slice request;              /* its body, as JSON */
    struct slice reference, candidate; /* texts */
    bool candidate_first;              /* answer A is the candidate's */
    uint64_t mark; /* drawn at random: what stands between is known by it, so that no answer can end itself */
};

/* Appends the body of a chat completion for that model. */
void judge_question(const struct judge_question *question, const char *model, struct buffer *out);

/* Whether the candidate is at least as acceptable, as the reply says: "A", "B" or "EQUAL" and nothing else. ERR_INVALID. */
enum status judge_reply(struct slice reply, bool candidate_first, bool *acceptable) MUST_CHECK;

/* What any model is shown that judges: a text between two marks, so that it cannot end itself; a long request cut to its
 * beginning and its end. */
void judge_show(struct buffer *out, const char *what, uint64_t mark, struct slice text);
void judge_show_request(struct buffer *out, uint64_t mark, struct slice request);

#endif
