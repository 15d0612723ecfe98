#include "fleet/dispatch/prefix_chain.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"

/* A longer block where much stands before it. */
enum { GROWTH = 128 };

static uint64_t
block_length(uint64_t before)
{
    return before / GROWTH > PREFIX_BLOCK_BYTES ? before / GROWTH : PREFIX_BLOCK_BYTES;
}

static unsigned
count_blocks(uint64_t bytes)
{
    unsigned count = 0;

    for (uint64_t at = 0; count < PREFIX_BLOCKS_MOST; count++) {
        at += block_length(at);
        if (at > bytes)
            break;
    }
    return count;
}

/* A block may go over the end of a piece. */
static void
fill(struct prefix_chain *chain, const struct slice *pieces, uint64_t salt)
{
    uint64_t at = 0, hash = salt;
    struct slice rest = *pieces++;

    for (unsigned i = 0; i < chain->count; i++) {
        uint64_t left = block_length(at);

        at += left;
        while (left > 0) {
            struct slice part = slice_first(rest, left);

            if (part.len > 0)
                hash = hash_fast(part, hash);
            left -= part.len;
            rest = slice_from(rest, part.len);
            if (left > 0)
                rest = *pieces++;
        }
        chain->blocks[i] = (struct prefix_block){.hash = hash, .end = at};
    }
}

struct prefix_chain *
prefix_chain_new(const struct slice *pieces, size_t count, uint64_t salt)
{
    struct prefix_chain *chain;
    uint64_t bytes = 0;
    unsigned blocks;

    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].len;
    blocks = count_blocks(bytes);
    chain = must_alloc(sizeof(*chain) + blocks * sizeof(chain->blocks[0]));
    atomic_init(&chain->holders, 1);
    chain->count = blocks;
    chain->bytes = bytes;
    if (blocks > 0)
        fill(chain, pieces, salt);
    return chain;
}

struct prefix_chain *
prefix_chain_hold(struct prefix_chain *chain)
{
    if (chain != NULL)
        atomic_fetch_add_explicit(&chain->holders, 1, memory_order_relaxed);
    return chain;
}

void
prefix_chain_release(struct prefix_chain *chain)
{
    if (chain != NULL && atomic_fetch_sub_explicit(&chain->holders, 1, memory_order_acq_rel) == 1)
        free(chain);
}
