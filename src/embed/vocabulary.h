/* The pieces that words are made of, and the longest one at the front of a word. Immutable once made: any thread. */
#ifndef EMBED_VOCABULARY_H
#define EMBED_VOCABULARY_H

#include "base/slice.h"
#include "base/status.h"

/* No piece. */
#define PIECE_NONE UINT32_MAX

enum { VOCABULARY_PIECE_BYTES_MOST = 128, VOCABULARY_PIECES_MOST = 1 << 20 };

struct vocabulary_place;

struct vocabulary {
    struct slice lines;             /* not owned */
    uint32_t *starts;               /* of each piece in `lines`; one more at the end */
    struct vocabulary_place *index; /* open addressing by the hash of a piece's text; `mask` + 1 places */
    uint32_t mask;
    uint32_t count;
    size_t longest_bytes; /* of any piece, without "##" */
};

/* One piece a line, each line ended by "\n", the first has id 0. "##" at the front marks what only goes on a word.
 * `lines` stays the caller's and outlives the vocabulary. ERR_INVALID: a piece that is empty, too long or there twice,
 * or no end of the last line; ERR_LIMIT: too many. */
enum status vocabulary_init(struct vocabulary *vocabulary, struct slice lines) MUST_CHECK;
void vocabulary_free(struct vocabulary *vocabulary);

/* As it stands in its line, with "##" if that is there; `id` < count. */
struct slice vocabulary_text(const struct vocabulary *vocabulary, uint32_t id);

/* The longest piece at the front of `text`, of those that begin a word, or that go on one. *len: the bytes that it
 * takes. PIECE_NONE if there is none. */
uint32_t vocabulary_longest(const struct vocabulary *vocabulary, struct slice text, bool goes_on, size_t *len);

#endif
