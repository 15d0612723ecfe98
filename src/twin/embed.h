/* Modelled embeddings: each word, and each three neighbouring letters of it, is a direction drawn from its hash; a text
 * is their sum at unit length. So texts that share words are near, and nothing else is claimed. */
#ifndef TWIN_EMBED_H
#define TWIN_EMBED_H

#include "twin/ask.h"

enum { EMBED_DIMENSIONS = 256, EMBED_DIMENSIONS_MOST = 4096, EMBED_INPUTS_MOST = 2048 };

/* Fills vector[0 .. dimensions - 1]; all zeros but for a first 1 if the text holds no word. */
void embed_text(struct slice text, float *vector, size_t dimensions);

/* What is wrong with an embeddings request, for the caller; NULL if nothing is. */
const char *embed_objection(const struct ask *ask);

/* How many inputs it has. */
size_t embed_inputs(const struct ask *ask);

/* Its input tokens, and the answer's whole body; for requests without objection. */
int64_t embed_tokens(const struct ask *ask);
void embed_answer(const struct ask *ask, bool no_usage, struct buffer *out);

#endif
