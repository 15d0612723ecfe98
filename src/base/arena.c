#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sanitize.h"

/* The first block is one that malloc keeps at hand (glibc: up to 1032 bytes with its head). */
enum { FIRST_BLOCK_BYTES = 1008, LARGEST_BLOCK_BYTES = 256 * 1024, ALIGN_BYTES = 16 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    bool lent; /* not ours to free */
    _Alignas(ALIGN_BYTES) char bytes[];
};

void
arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void
arena_lend(struct arena *arena, void *memory, size_t size)
{
    struct arena_block *block = memory;

    ENSURE(size > sizeof(*block) && (uintptr_t)memory % ALIGN_BYTES == 0);
    block->size = size - sizeof(*block);
    block->next = NULL;
    block->lent = true;
    POISON(block->bytes, block->size);
    *arena = (struct arena){.blocks = block};
}

static void
free_blocks(struct arena *arena, bool wipe)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        UNPOISON(block->bytes, block->size);
        if (wipe)
            explicit_bzero(block->bytes, block->size);
        if (!block->lent)
            free(block);
        block = next;
    }
    arena_init(arena);
}

void
arena_reset(struct arena *arena)
{
    free_blocks(arena, false);
}

void
arena_wipe(struct arena *arena)
{
    free_blocks(arena, true);
}

static void
add_block(struct arena *arena, size_t need)
{
    size_t size = arena->blocks != NULL ? arena->blocks->size * 2 : FIRST_BLOCK_BYTES;
    struct arena_block *block;

    if (size > LARGEST_BLOCK_BYTES)
        size = LARGEST_BLOCK_BYTES;
    if (size < need)
        size = need;
    block = must_alloc(sizeof(*block) + size);
    block->size = size;
    block->lent = false;
    block->next = arena->blocks;
    POISON(block->bytes, size);
    arena->blocks = block;
    arena->used = 0;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    char *at;

    ENSURE(need >= size);
    if (arena->blocks == NULL || arena->blocks->size - arena->used < need)
        add_block(arena, need);
    ENSURE(arena->used + need <= arena->blocks->size);
    at = arena->blocks->bytes + arena->used;
    arena->used += need;
    UNPOISON(at, size);
    return memset(at, 0, size);
}

struct slice
arena_copy(struct arena *arena, struct slice bytes)
{
    if (bytes.data == NULL)
        return SLICE_NONE;
    return (struct slice){arena_slice_text(arena, bytes), bytes.len};
}

char *
arena_strdup(struct arena *arena, const char *text)
{
    return arena_slice_text(arena, slice_of(text));
}

char *
arena_slice_text(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (text.len != 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    int len;
    char *text;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ENSURE(len >= 0);
    text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}
