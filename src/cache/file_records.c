/* Records: a head with a sum in front of what it says. */
#include "cache/file_inside.h"

static const char file_magic[8] = {'E', 'Q', 'C', 'A', 'C', 'H', 'E', '\0'};
const char cache_record_magic[8] = {'\xe9', 'Q', 'R', 'E', 'C', '\r', '\n', '\0'};

uint64_t
cache_file_sum(uint64_t seed, struct slice payload)
{
    return hash_fast(payload, seed + payload.len);
}

uint64_t
cache_file_seed(const struct digest *secret)
{
    struct hasher hasher;
    struct digest digest;
    uint64_t seed;

    hasher_init(&hasher);
    hasher_begin_keyed(&hasher, secret);
    hasher_add(&hasher, SLICE_LITERAL("the seed of the cache file's sums"));
    digest = hasher_end_keyed(&hasher, secret);
    hasher_free(&hasher);
    memcpy(&seed, digest.bytes, sizeof(seed));
    return seed;
}

struct file_head
cache_file_head_of(uint64_t seed)
{
    struct file_head head = {.version = CACHE_FILE_VERSION};

    memcpy(head.magic, file_magic, sizeof(head.magic));
    head.sum = cache_file_sum(seed, slice_make((const char *)&head, offsetof(struct file_head, sum)));
    return head;
}

/* Puts the head in front of the payload that stands behind `at`. */
static void
finish_record(uint64_t seed, struct buffer *out, size_t at)
{
    struct record_head head = {.len = (uint32_t)(buffer_len(out) - at - sizeof(head))};

    memcpy(head.magic, cache_record_magic, sizeof(head.magic));
    head.sum = cache_file_sum(seed, slice_from(buffer_content(out), at + sizeof(head)));
    memcpy(out->data + out->start + at, &head, sizeof(head));
}

static size_t
begin_record(struct buffer *out, char kind)
{
    static const struct record_head none;
    size_t at = buffer_len(out);

    buffer_add(out, slice_make((const char *)&none, sizeof(none)));
    buffer_add_byte(out, kind);
    return at;
}

void
cache_file_put_entry(const struct cache_file *file, struct buffer *out, const struct cache_entry *entry, uint64_t uses)
{
    size_t at = begin_record(out, KIND_ENTRY);

    cache_entry_write(entry, uses, out);
    finish_record(file->seed, out, at);
}

void
cache_file_put_purge(const struct cache_file *file, struct buffer *out, enum cache_mark which, uint64_t mark)
{
    size_t at = begin_record(out, KIND_PURGE);

    buffer_add_byte(out, (char)which);
    buffer_add(out, slice_make((const char *)&mark, sizeof(mark)));
    finish_record(file->seed, out, at);
}

void
cache_file_put_note(const struct cache_file *file, struct buffer *out, struct slice note)
{
    size_t at = begin_record(out, KIND_NOTE);

    buffer_add(out, note);
    finish_record(file->seed, out, at);
}

void
cache_file_write_head(const struct digest *secret, struct buffer *out)
{
    struct file_head head = cache_file_head_of(cache_file_seed(secret));

    buffer_add(out, slice_make((const char *)&head, sizeof(head)));
}

void
cache_file_write_record(const struct digest *secret, struct slice payload, struct buffer *out)
{
    static const struct record_head none;
    size_t at = buffer_len(out);

    buffer_add(out, slice_make((const char *)&none, sizeof(none)));
    buffer_add(out, payload);
    finish_record(cache_file_seed(secret), out, at);
}
