#include "quality/saved.h"

#include "base/hash.h"

void
saved_put(struct buffer *out, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buffer_add_byte(out, (char)(number >> (8 * i)));
}

void
saved_put_double(struct buffer *out, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    saved_put(out, bits, sizeof(bits));
}

void
saved_put_float(struct buffer *out, float number)
{
    uint32_t bits;

    memcpy(&bits, &number, sizeof(bits));
    saved_put(out, bits, sizeof(bits));
}

void
saved_seal(struct buffer *out, size_t from, uint64_t magic)
{
    saved_put(out, hash_fast(slice_from(buffer_content(out), from), magic), SAVED_CHECKSUM_BYTES);
}

struct slice
saved_open(struct slice bytes, uint64_t magic)
{
    struct slice content, checksum;

    if (bytes.len < SAVED_CHECKSUM_BYTES)
        return SLICE_NONE;
    content = slice_first(bytes, bytes.len - SAVED_CHECKSUM_BYTES);
    checksum = slice_from(bytes, content.len);
    return saved_take(&checksum, SAVED_CHECKSUM_BYTES) == hash_fast(content, magic) ? content : SLICE_NONE;
}

uint64_t
saved_take(struct slice *rest, unsigned bytes)
{
    uint64_t number = 0;

    if (rest->data == NULL || rest->len < bytes) {
        *rest = SLICE_NONE;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        number |= (uint64_t)(unsigned char)rest->data[i] << (8 * i);
    *rest = slice_from(*rest, bytes);
    return number;
}

double
saved_take_double(struct slice *rest)
{
    uint64_t bits = saved_take(rest, sizeof(bits));
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

float
saved_take_float(struct slice *rest)
{
    uint32_t bits = (uint32_t)saved_take(rest, sizeof(bits));
    float number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

bool
saved_take_flag(struct slice *rest)
{
    uint64_t flag = saved_take(rest, 1);

    if (flag > 1)
        *rest = SLICE_NONE;
    return flag == 1;
}
