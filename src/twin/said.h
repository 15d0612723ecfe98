/* What a request says of itself by headers of its own, so that traces of real traffic, which hold lengths and no texts,
 * can be played without bodies of that length:
 *
 *   x-twin-prompt-tokens: 1155     the prompt counts as so many tokens, whatever its text
 *   x-twin-output-tokens: 211      the answer is prose of so many tokens, no more and no less; a limit in the body still
 *                                  cuts it
 *   x-twin-blocks: 46,47,53        the prompt's beginning, as numbers (below 2^64) of blocks; equal numbers behind equal
 *                                  beginnings are equal text. Whole blocks within the prompt only; for models with an
 *                                  engine. Without it, a prompt whose length is said shares nothing with any other
 *   x-twin-block-tokens: 512       tokens in a block of x-twin-blocks, a multiple of 16; 16 if it is not there */
#ifndef TWIN_SAID_H
#define TWIN_SAID_H

#include "base/arena.h"
#include "world.h"

enum { SAID_TOKENS_MOST = 1 << 24 };

struct said {
    int64_t prompt_tokens, output_tokens; /* 0: not said */
    const uint64_t *hashes;               /* one for each 16 tokens, over all up to its end */
    size_t hash_count;
};

/* On failure *why (static text) says what is wrong. */
enum status said_read(struct said *said, const struct http_head *head, struct arena *arena, const char **why)
    MUST_CHECK;

#endif
