/* Counts what the whole program, libraries included, has allocated and not freed. Not with sanitizers, which have allocators
 * of their own and look for leaks themselves: then it is always 0. */
#ifndef SOAK_ALLOCATIONS_H
#define SOAK_ALLOCATIONS_H

#include <stdint.h>

int64_t allocations_outstanding(void);

#endif
