/* The lines of a stream, which may be compressed with gzip (RFC 1952, several members too). */
#ifndef BASE_TEXT_LINES_H
#define BASE_TEXT_LINES_H

#include <stdio.h>
#include <zlib.h>

#include "base/buffer.h"

struct text_lines {
    FILE *file;
    size_t most;       /* bytes of a line */
    unsigned number;   /* of the line read last, from 1 */
    uint64_t bytes;    /* read from the file */
    uint64_t inflated; /* bytes of text that came of them, if compressed */
    struct buffer in;  /* as read: compressed bytes */
    struct buffer text;
    size_t searched; /* of `text`: no line end stands in these bytes */
    z_stream inflater;
    bool started, compressed, in_member, damaged, ended;
};

void text_lines_init(struct text_lines *lines, FILE *file, size_t most);
void text_lines_free(struct text_lines *lines);

/* The next line without its end, also the last one without a line end; until the next call. ERR_NOT_FOUND: no more.
 * ERR_IO: the file cannot be read. ERR_CORRUPT: what is compressed is damaged or cut off. ERR_LIMIT: a line is longer
 * than `most`. */
enum status text_lines_next(struct text_lines *lines, struct slice *line) MUST_CHECK;

/* About how many bytes of the file the lines given out so far took; exact at its end. */
uint64_t text_lines_taken(const struct text_lines *lines);

#endif
