/* A text's vector, from a table of the vectors of word pieces: src/embed/FORMAT.md says how, and what is in the table.
 * An embedder does not change once it is open: any number of threads may use it. */
#ifndef EMBED_EMBEDDER_H
#define EMBED_EMBEDDER_H

#include "base/slice.h"
#include "base/status.h"

/* Of a longer text the beginning and the end are read, and nothing between: what is asked mostly stands there, and an
 * embedding stays well below a millisecond. */
enum { EMBED_TEXT_FIRST = 24 << 10, EMBED_TEXT_LAST = 8 << 10, EMBED_DIMS_MOST = 1024 };

struct embedder;

/* Opens a table, at a multiple of 64 bytes, that outlives the embedder. ERR_CORRUPT: its checksum or its layout is wrong. */
enum status embedder_open(struct slice table, struct embedder **out) MUST_CHECK;

/* The table that is linked into the program. */
enum status embedder_open_builtin(struct embedder **out) MUST_CHECK;

void embedder_close(struct embedder *embedder); /* NULL is fine */

/* How many numbers a vector has: a multiple of 32, at most EMBED_DIMS_MOST. */
unsigned embedder_dims(const struct embedder *embedder);

/* Which table it is: vectors of different tables must not be compared. */
uint64_t embedder_table_id(const struct embedder *embedder);

/* The text's vector, of length 1; *pieces (may be NULL): of how many word pieces. False if it has none: there is no word
 * in it; `out` is zero then. Any bytes are a text. */
bool embedder_embed(const struct embedder *embedder, struct slice text, float *out, size_t *pieces);

/* The cosine of two texts' vectors, as judges ask for it (quality/judge.h): `embedder` is a const struct embedder. False if
 * one of them has no word in it. */
bool embedder_similarity(void *embedder, struct slice a, struct slice b, double *cosine);

/* As whole numbers from -127 to 127, the largest in size being 127 or -127: a cosine does not ask for the length. Returns
 * false, and zeros, for zeros. */
bool embedder_quantize(const float *vector, unsigned dims, int8_t *out);

#endif
