/* The inner loops of a search: how far stored vectors' signs are from a query, and exact products. Chosen once for the
 * processor at hand; all give the same numbers.
 *
 * The signs are those of the vector after a fixed rotation by random signs and Hadamard transforms: so each bit says as much
 * as any other, however unevenly the dims carry the meaning (RaBitQ; Gao and Long, 2024). Of the query, sizes are kept too,
 * in three bits: where the signs differ, the query's sizes add up to the distance. That halves the noise of a plain Hamming
 * distance, for three times its population counts. */
#ifndef EMBED_VECTOR_SCAN_H
#define EMBED_VECTOR_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum {
    SCAN_DIMS_MOST = 1024,
    SCAN_WORDS_MOST = SCAN_DIMS_MOST / 64,
    SCAN_PLANES = 3,
    SCAN_SIZE_MOST = 7, /* of one dim of the query */
    SCAN_DISTANCE_MOST = SCAN_DIMS_MOST * SCAN_SIZE_MOST,
};

struct scan_query {
    unsigned dims, words;
    uint64_t signs[SCAN_WORDS_MOST];
    uint64_t planes[SCAN_PLANES][SCAN_WORDS_MOST]; /* bit p of the size of each dim */
    unsigned sizes;                                /* their sum */
};

struct scan_kernels {
    const char *name;
    /* out[i]: the sum of the query's sizes where its signs differ from those of vector i, `words` words each. */
    void (*distances)(const struct scan_query *query, const uint64_t *signs, size_t count, uint16_t *out);
    int32_t (*dot)(const int8_t *a, const int8_t *b, size_t dims); /* dims: a multiple of 32 */
};

/* The fastest that the processor runs; and the plain ones, which run everywhere. */
const struct scan_kernels *scan_kernels_best(void);
const struct scan_kernels *scan_kernels_plain(void);

/* All that this processor runs, at most `most`: for tests. */
size_t scan_kernels_all(const struct scan_kernels **out, size_t most);

static inline unsigned
scan_words(unsigned dims)
{
    return (dims + 63) / 64;
}

/* dims: a multiple of 32, at most SCAN_DIMS_MOST. `out` has scan_words(dims) words. */
void scan_signs(const int8_t *vector, unsigned dims, uint64_t *out);
void scan_query_init(struct scan_query *query, const int8_t *vector, unsigned dims);

/* The cosine that a distance stands for, on average, and the distance that stands for a cosine. */
float scan_cosine(const struct scan_query *query, unsigned distance);
float scan_distance(const struct scan_query *query, float cosine);

/* The standard error of scan_cosine where the cosine is this, -1 to 1. */
float scan_error(const struct scan_query *query, float cosine);

#endif
