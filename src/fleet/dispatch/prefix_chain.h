/* A prompt as a chain of hashes: h_k stands for all of it up to the end of its k-th block, under the model it is for and
 * the tenant who asks, so that nobody learns from times what others asked. Two prompts that begin alike share the start of
 * their chains. Made once per request; nothing of what was asked can be read from it.
 *
 * Blocks end at the same places in every prompt: a block has PREFIX_BLOCK_BYTES (about 64 tokens), later ones a
 * 128th of all that stands before them. So how much two prompts share is known to better than 1 %, and the longest has no
 * more than PREFIX_BLOCKS_MOST. */
#ifndef FLEET_PREFIX_CHAIN_H
#define FLEET_PREFIX_CHAIN_H

#include <stdatomic.h>

#include "base/slice.h"

enum {
    PREFIX_BLOCK_BYTES = 256,
    PREFIX_BLOCKS_MOST = 1152 /* 64 MiB and a little */
};

struct prefix_block {
    uint64_t hash;
    uint64_t end; /* bytes from the prompt's start */
};

/* Counted by its holders, any thread; does not change. */
struct prefix_chain {
    atomic_uint holders;
    unsigned count;
    uint64_t bytes; /* of the prompt, the rest behind the last block included */
    struct prefix_block blocks[];
};

/* Of the prompt that these pieces make up, one after the other; where one ends is part of it. The caller is the holder. Some 0.1 ms per MiB. */
struct prefix_chain *prefix_chain_new(const struct slice *pieces, size_t count, uint64_t salt)
    __attribute__((returns_nonnull));
struct prefix_chain *prefix_chain_hold(struct prefix_chain *chain); /* NULL stays NULL */
void prefix_chain_release(struct prefix_chain *chain);              /* of NULL: nothing */

/* What its first `blocks` come to, of a prompt with so many tokens. */
static inline int64_t
prefix_chain_tokens(const struct prefix_chain *chain, unsigned blocks, int64_t prompt_tokens)
{
    if (blocks == 0)
        return 0;
    return (int64_t)((double)prompt_tokens * ((double)chain->blocks[blocks - 1].end / (double)chain->bytes));
}

#endif
