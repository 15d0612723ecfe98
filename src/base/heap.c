#include "base/heap.h"

#include <stdlib.h>

void
heap_init(struct heap *heap, heap_before *before)
{
    *heap = (struct heap){.before = before};
}

void
heap_free(struct heap *heap)
{
    free(heap->nodes);
    *heap = (struct heap){.before = heap->before};
}

static void
set(struct heap *heap, size_t index, struct heap_node *node)
{
    heap->nodes[index] = node;
    node->place = index + 1;
}

static void
sift_up(struct heap *heap, size_t index)
{
    struct heap_node *node = heap->nodes[index];

    for (; index > 0 && heap->before(node, heap->nodes[(index - 1) / 2]); index = (index - 1) / 2)
        set(heap, index, heap->nodes[(index - 1) / 2]);
    set(heap, index, node);
}

static void
sift_down(struct heap *heap, size_t index)
{
    struct heap_node *node = heap->nodes[index];

    for (size_t child; (child = 2 * index + 1) < heap->count; index = child) {
        if (child + 1 < heap->count && heap->before(heap->nodes[child + 1], heap->nodes[child]))
            child++;
        if (!heap->before(heap->nodes[child], node))
            break;
        set(heap, index, heap->nodes[child]);
    }
    set(heap, index, node);
}

void
heap_put(struct heap *heap, struct heap_node *node)
{
    ENSURE(node->place == 0);
    if (heap->count == heap->size) {
        heap->size = heap->size != 0 ? heap->size * 2 : 16;
        heap->nodes = must_realloc(heap->nodes, heap->size * sizeof(*heap->nodes));
    }
    set(heap, heap->count++, node);
    sift_up(heap, heap->count - 1);
}

void
heap_take(struct heap *heap, struct heap_node *node)
{
    size_t index = node->place - 1;
    struct heap_node *last;

    if (node->place == 0)
        return;
    ENSURE(index < heap->count && heap->nodes[index] == node);
    node->place = 0;
    last = heap->nodes[--heap->count];
    if (last == node)
        return;
    set(heap, index, last);
    sift_up(heap, index);
    sift_down(heap, last->place - 1);
}
