/* Blocks of one size that are needed again and again, as one for every request: what is given back waits for the next
 * who takes one, so that the allocator need not look for room of that size each time. Under AddressSanitizer every block
 * is malloced and freed, so that a late use is caught. Not for use by several threads at a time.
 *
 * Invariant: `count` blocks are on the list at `spare`, at most `most`. */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include <stddef.h>

struct spares {
    void *spare; /* each holds the address of the next */
    size_t size; /* bytes of a block */
    size_t count, most;
};

/* `size` is at least a pointer's. */
void spares_init(struct spares *spares, size_t size, size_t most);

/* Frees what is spare; what is taken stays its user's. They may be used again. */
void spares_clear(struct spares *spares);

/* Aligned for any type, not cleared. */
void *spares_take(struct spares *spares) __attribute__((returns_nonnull));

/* Taken from here. NULL is fine. */
void spares_give(struct spares *spares, void *block);

#endif
