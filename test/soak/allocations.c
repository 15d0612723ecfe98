#include "allocations.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* In place of the C library's functions, in front of its own (which glibc exports under these names). */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *at);

static _Atomic int64_t outstanding;

static void *
counted(void *at)
{
    if (at != NULL)
        atomic_fetch_add_explicit(&outstanding, 1, memory_order_relaxed);
    return at;
}

void *
malloc(size_t size)
{
    return counted(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
    return counted(__libc_calloc(count, size));
}

void *
realloc(void *old, size_t size)
{
    if (old == NULL)
        return malloc(size);
    return __libc_realloc(old, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
    return counted(__libc_memalign(align, size));
}

void *
memalign(size_t align, size_t size)
{
    return counted(__libc_memalign(align, size));
}

int
posix_memalign(void **out, size_t align, size_t size)
{
    *out = memalign(align, size);
    return *out != NULL ? 0 : ENOMEM;
}

void
free(void *at)
{
    if (at != NULL)
        atomic_fetch_sub_explicit(&outstanding, 1, memory_order_relaxed);
    __libc_free(at);
}

int64_t
allocations_outstanding(void)
{
    return atomic_load_explicit(&outstanding, memory_order_relaxed);
}

#else

int64_t
allocations_outstanding(void)
{
    return 0;
}

#endif
