/* A binary heap through the members themselves: the node that goes before all others is at hand, and any can be taken out.
 *
 * Invariant: nodes[i]->place == i + 1; no node goes before its parent, nodes[(i - 1) / 2]. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct heap_node {
    size_t place; /* 1 + index; 0: in no heap */
};

/* Whether `a` goes before `b`: a strict order that does not change while either is in the heap. */
typedef bool heap_before(const struct heap_node *a, const struct heap_node *b);

struct heap {
    heap_before *before;
    struct heap_node **nodes;
    size_t count, size;
};

void heap_init(struct heap *heap, heap_before *before);
void heap_free(struct heap *heap); /* the nodes themselves belong to others */

void heap_put(struct heap *heap, struct heap_node *node);

/* Fine if it is in none. */
void heap_take(struct heap *heap, struct heap_node *node);

static inline struct heap_node *
heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

#endif
