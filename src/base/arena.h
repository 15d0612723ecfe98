/* Memory that is freed all at once: one arena per exchange, per loaded file. What is freed is poisoned under ASan, so a
 * late use is caught. Not for use by several threads at a time.
 *
 * Invariant: every block is reachable from `blocks`; `used` <= `size` of the newest block. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"
#include "base/status.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used;                /* bytes taken of the newest block */
};

void arena_init(struct arena *arena);

/* The same, with memory to begin with, which stays the caller's and must outlive what is allocated: until arena_reset,
 * which gives it back. Aligned for any type. */
void arena_lend(struct arena *arena, void *memory, size_t size);

/* Frees all. The arena may be used again. */
void arena_reset(struct arena *arena);

/* The same for an arena that holds secrets: they are overwritten. */
void arena_wipe(struct arena *arena);

/* Zeroed, aligned for any type; never NULL. Lives until arena_reset. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* A copy with a NUL behind it (not counted in len). SLICE_NONE stays SLICE_NONE. */
struct slice arena_copy(struct arena *arena, struct slice bytes);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_slice_text(struct arena *arena, struct slice text);

/* As printf into the arena. */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
