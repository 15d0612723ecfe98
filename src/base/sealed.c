#include "base/sealed.h"

#include "base/hash.h"

void
sealed_begin(struct buffer *out, const char mark[SEALED_MARK_BYTES])
{
    ENSURE(buffer_len(out) == 0);
    buffer_add(out, slice_make(mark, SEALED_MARK_BYTES));
}

void
sealed_put(struct buffer *out, struct slice text)
{
    uint32_t len = (uint32_t)text.len;

    buffer_add(out, slice_make((const char *)&len, sizeof(len)));
    buffer_add(out, text);
}

void
sealed_end(struct buffer *out)
{
    uint64_t sum = hash_xxh64(buffer_content(out), 0);

    buffer_add(out, slice_make((const char *)&sum, sizeof(sum)));
}

enum status
sealed_open(struct slice file, const char mark[SEALED_MARK_BYTES], struct slice *rest)
{
    uint64_t sum;

    if (file.len < SEALED_MARK_BYTES + sizeof(sum) || memcmp(file.data, mark, SEALED_MARK_BYTES) != 0)
        return ERR_CORRUPT;
    memcpy(&sum, file.data + file.len - sizeof(sum), sizeof(sum));
    file = slice_first(file, file.len - sizeof(sum));
    if (hash_xxh64(file, 0) != sum)
        return ERR_CORRUPT;
    *rest = slice_from(file, SEALED_MARK_BYTES);
    return OK;
}

bool
sealed_take(struct slice *rest, struct slice *out)
{
    uint32_t len;

    if (rest->len < sizeof(len))
        return false;
    memcpy(&len, rest->data, sizeof(len));
    *rest = slice_from(*rest, sizeof(len));
    if (rest->len < len)
        return false;
    *out = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return true;
}
