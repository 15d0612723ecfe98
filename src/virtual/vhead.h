/* Heads with bytes of their own, made from text or copied; and the rules that a head from an application must keep. */
#ifndef VIRTUAL_VHEAD_H
#define VIRTUAL_VHEAD_H

#include "world.h"

/* One block holds headers and bytes; it is overwritten before it is freed. */
struct vhead {
    struct http_head head;
    char *block;
    size_t size;
};

void vhead_copy(struct vhead *out, const struct http_head *head);

/* `lines`: "name: value" by lines, NULL: none. Method and target are NULL for answers. */
void vhead_parse(struct vhead *out, const struct http_head *start, const char *lines);

void vhead_free(struct vhead *head);

/* NULL, or what is wrong with these headers as an application's own. */
const char *vhead_fault(const struct http_header *headers, size_t count);

/* "name: value\n" for each header. */
struct buffer;
void vhead_print(const struct http_head *head, struct buffer *out);

#endif
