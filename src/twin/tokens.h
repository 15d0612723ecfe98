/* The modelled tokenizer: a token is four bytes of text, longer only so as not to split a character (UTF-8), so a text
 * has at most bytes / 4 + 1. Simple, stated, and the same for a whole answer as for its pieces. */
#ifndef TWIN_TOKENS_H
#define TWIN_TOKENS_H

#include "base/slice.h"

/* Takes the first token off *rest (which is not empty). */
struct slice token_next(struct slice *rest);

int64_t token_count(struct slice text);

/* As much of the text as `most` tokens hold. */
struct slice token_first(struct slice text, int64_t most);

#endif
