/* A judge of one's own, a command or a service: what it is asked about two answers, and what it says, as JSON. */
#ifndef QUALITY_JUDGE_TOLD_H
#define QUALITY_JUDGE_TOLD_H

#include "base/buffer.h"
#include "base/status.h"

enum { JUDGE_WORDS_SIZE = 160 };

/* Appends {"route":...,"id":...,"request":{...},"reference":"...","candidate":"..."}: the request's body as it came, and the texts of
 * both answers. `id`: of the audit's row. */
void judge_told_question(const char *route, const char *id, struct slice request, struct slice reference,
                         struct slice candidate, struct buffer *out);

/* {"acceptable":true} or false, or a number from 0 to 1; beside it, if it likes, "reason", a text, which is for a person and is
 * cut if it is long. ERR_INVALID: it says nothing of the kind. */
enum status judge_told_answer(struct slice answer, double *outcome, char words[JUDGE_WORDS_SIZE]) MUST_CHECK;

#endif
