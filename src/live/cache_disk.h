/* The store's file on disk (cache/file.h): one file, and PATH.new beside it while it is written anew. Readable for its
 * owner only, as it holds answers. */
#ifndef LIVE_CACHE_DISK_H
#define LIVE_CACHE_DISK_H

#include "base/problem.h"
#include "cache/file.h"

/* Opens or makes PATH, and its folder. ERR_IO, told as a problem: it cannot be read or written. ERR_DENIED, likewise:
 * another process has it. */
enum status cache_disk_open(const char *path, struct problems *problems, struct cache_disk **out) MUST_CHECK;

#endif
