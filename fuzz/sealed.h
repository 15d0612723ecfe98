/* What was kept and sealed (quality/saved.h): the checksum keeps a fuzzer from what is inside, so the bytes also come with the right
 * one. */
#ifndef FUZZ_SEALED_H
#define FUZZ_SEALED_H

#include "base/buffer.h"
#include "base/hash.h"

static inline void
fuzz_sealed(const uint8_t *data, size_t size, uint64_t magic, void (*restore)(struct slice bytes))
{
    struct slice bytes = slice_make((const char *)data, size);
    struct buffer whole = {0};
    uint64_t sum = hash_fast(bytes, magic);

    restore(bytes);
    buffer_add(&whole, bytes);
    buffer_add(&whole, slice_make((const char *)&sum, sizeof(sum)));
    restore(buffer_content(&whole));
    buffer_free(&whole);
}

#endif
