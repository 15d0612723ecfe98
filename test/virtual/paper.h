/* A file in memory, for whoever keeps something on a disk: struct paper paper = {.disk = {.ops = &paper_ops}}. */
#ifndef TEST_PAPER_H
#define TEST_PAPER_H

#include "base/buffer.h"
#include "cache/file.h"

struct paper {
    struct cache_disk disk;
    struct buffer file, next;
    unsigned written; /* how often it was written anew */
};

extern const struct cache_disk_ops paper_ops;

void paper_free(struct paper *paper);

#endif
