/* The table of the built-in embedder, src/embed/static.table, linked into the program. */
#ifndef EMBED_STATIC_TABLE_H
#define EMBED_STATIC_TABLE_H

#include "base/slice.h"

/* Its bytes, at a multiple of 64; they live as long as the program. */
struct slice static_table(void);

#endif
