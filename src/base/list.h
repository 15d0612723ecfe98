/* A doubly linked list through the members themselves. A node that is in no list has next == NULL. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct list {
    struct list *next, *prev;
};

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* The loop may take `node` out of the list. */
#define LIST_EACH(head, node, after)                                                                                   \
    for (struct list *node = (head)->next, *after = node->next; node != (head); node = after, after = node->next)

static inline void
list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool
list_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool
list_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void
list_append(struct list *head, struct list *node)
{
    ENSURE(!list_linked(node));
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

/* Takes the node out of whatever list it is in; fine if it is in none. */
static inline void
list_remove(struct list *node)
{
    if (!list_linked(node))
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

static inline struct list *
list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

#endif
