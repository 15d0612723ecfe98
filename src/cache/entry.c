#include "cache/entry.h"

#include <stdlib.h>
#include <zstd.h>

#include "money/wire.h"

enum {
    COMPRESSION_LEVEL = 1, /* zstd's fastest regular one: JSON shrinks to a third, further levels add little */
    ALLOCATION_BYTES = 16, /* what malloc takes for itself */
    USAGE_WORDS = 3,       /* service tier, speed, place */
    USAGE_BYTES_MOST = (1 + USAGE_KIND_COUNT + 1) * WIRE_NUMBER_MOST + USAGE_WORDS * (USAGE_WORD_SIZE + 1)
};

_Static_assert(USAGE_WORD_SIZE < 0x80, "a word's length takes one byte");

static size_t
write_usage(const struct usage *usage, unsigned char *out)
{
    unsigned char *at = wire_put(out, usage->reported);

    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++)
        if (usage_reports(usage, (enum usage_kind)kind))
            at = wire_put(at, (uint64_t)usage->counts[kind]);
    *at++ = (unsigned char)usage->exactness;
    at = wire_put_text(at, slice_of(usage->service_tier));
    at = wire_put_text(at, slice_of(usage->speed));
    at = wire_put_text(at, slice_of(usage->inference_geo));
    return (size_t)(at - out);
}

static void
take_word(struct wire_reader *reader, char *out)
{
    struct slice word = slice_first(wire_take_text(reader), USAGE_WORD_SIZE - 1);

    if (word.len != 0)
        memcpy(out, word.data, word.len);
    out[word.len] = '\0';
}

/* What is damaged is unknown, not wrong. */
void
cache_entry_usage(const struct cache_entry *entry, struct usage *out)
{
    struct wire_reader reader = wire_reader_of(slice_make((const char *)entry->usage, entry->usage_len));
    unsigned exactness;

    usage_init(out);
    out->reported = wire_take(&reader);
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++)
        if (usage_reports(out, (enum usage_kind)kind))
            out->counts[kind] = (int64_t)wire_take(&reader);
    exactness = wire_take_byte(&reader);
    out->exactness = exactness <= USAGE_EXACT ? (enum usage_exactness)exactness : USAGE_UNKNOWN;
    take_word(&reader, out->service_tier);
    take_word(&reader, out->speed);
    take_word(&reader, out->inference_geo);
    if (reader.bad || out->reported >> USAGE_KIND_COUNT != 0 || usage_fault(out) != NULL)
        usage_init(out);
}

static struct chunk *
pack(struct slice content)
{
    size_t room = ZSTD_compressBound(content.len);
    char *data = must_alloc(room);
    size_t len = ZSTD_compress(data, room, content.data, content.len, COMPRESSION_LEVEL);

    if (ZSTD_isError(len) || len >= content.len) {
        free(data);
        return NULL;
    }
    return chunk_take(must_realloc(data, len), len);
}

struct cache_entry *
cache_entry_new(const struct cache_facts *facts, struct slice content, size_t compress_above)
{
    unsigned char usage[USAGE_BYTES_MOST];
    size_t usage_len = facts->usage != NULL ? write_usage(facts->usage, usage) : 0;
    struct cache_entry *entry = must_calloc(1, sizeof(*entry) + usage_len);

    ENSURE(facts->form <= UINT8_MAX && facts->status >= 200 && facts->status < 300 &&
           content.len <= CACHE_CONTENT_MOST);
    atomic_init(&entry->holders, 1);
    entry->key = facts->key;
    entry->api = (unsigned char)facts->api;
    entry->form = (unsigned char)facts->form;
    entry->status = (unsigned short)facts->status;
    entry->marks[CACHE_TENANT] = cache_mark_of(facts->tenant);
    entry->marks[CACHE_KEY_NAME] = cache_mark_of(facts->key_name);
    entry->marks[CACHE_ROUTE] = cache_mark_of(facts->route);
    entry->marks[CACHE_MODEL] = cache_mark_of(facts->model);
    entry->cost = usd_known(facts->cost) && facts->cost > 0 ? facts->cost : 0;
    entry->created_wall_us = facts->created_wall_us;
    entry->ttl_us = facts->ttl_us;
    entry->first_token_us = facts->first_token_us;
    entry->total_us = facts->total_us;
    entry->len = content.len;
    entry->content = content.len > compress_above ? pack(content) : NULL;
    entry->packed = entry->content != NULL;
    if (!entry->packed)
        entry->content = chunk_from(content);
    entry->usage_len = (unsigned)usage_len;
    memcpy(entry->usage, usage, usage_len);
    return entry;
}

enum { WRITTEN_NUMBERS = 12 };

void
cache_entry_write(const struct cache_entry *entry, uint64_t uses, struct buffer *out)
{
    size_t most =
        sizeof(entry->key) + sizeof(entry->marks) + (WRITTEN_NUMBERS + 1) * WIRE_NUMBER_MOST + entry->usage_len;
    unsigned char *start = (unsigned char *)buffer_reserve(out, most), *at = start;

    memcpy(at, &entry->key, sizeof(entry->key));
    at += sizeof(entry->key);
    memcpy(at, entry->marks, sizeof(entry->marks));
    at += sizeof(entry->marks);
    at = wire_put(at, entry->api);
    at = wire_put(at, entry->form);
    at = wire_put(at, entry->status);
    at = wire_put(at, entry->packed);
    at = wire_put(at, (uint64_t)entry->cost);
    at = wire_put_signed(at, entry->created_wall_us);
    at = wire_put_signed(at, entry->ttl_us);
    at = wire_put_signed(at, entry->first_token_us);
    at = wire_put_signed(at, entry->total_us);
    at = wire_put(at, uses);
    at = wire_put(at, entry->len);
    at = wire_put_text(at, slice_make((const char *)entry->usage, entry->usage_len));
    ENSURE((size_t)(at - start) <= most);
    out->end += (size_t)(at - start);
    buffer_add(out, chunk_bytes(entry->content));
}

static void
read_numbers(struct wire_reader *reader, struct cache_entry *entry, uint64_t *uses)
{
    uint64_t api = wire_take(reader), form = wire_take(reader), status = wire_take(reader), packed = wire_take(reader);
    uint64_t cost = wire_take(reader);

    entry->api = (unsigned char)api;
    entry->form = (unsigned char)form;
    entry->status = (unsigned short)status;
    entry->packed = packed == 1;
    entry->cost = (usd)cost;
    entry->created_wall_us = wire_take_signed(reader);
    entry->ttl_us = wire_take_signed(reader);
    entry->first_token_us = wire_take_signed(reader);
    entry->total_us = wire_take_signed(reader);
    *uses = wire_take(reader);
    entry->len = wire_take(reader);
    if (api >= API_COUNT || form > UINT8_MAX || status < 200 || status > 299 || packed > 1 || cost > INT64_MAX ||
        entry->created_wall_us < 0 || entry->ttl_us < 0 || *uses == 0 || *uses > UINT32_MAX ||
        entry->len > CACHE_CONTENT_MOST)
        reader->bad = true;
}

struct cache_entry *
cache_entry_read(struct slice bytes, uint64_t *uses)
{
    enum { FIXED = sizeof(struct digest) + CACHE_MARKS * sizeof(uint64_t) };
    struct wire_reader reader = wire_reader_of(slice_from(bytes, FIXED));
    struct cache_entry *entry, read;
    struct slice usage, content;

    if (bytes.len < FIXED)
        return NULL;
    memset(&read, 0, sizeof(read));
    memcpy(&read.key, bytes.data, sizeof(read.key));
    memcpy(read.marks, bytes.data + sizeof(read.key), sizeof(read.marks));
    read_numbers(&reader, &read, uses);
    usage = wire_take_text(&reader);
    content = slice_make((const char *)reader.at, (size_t)(reader.end - reader.at));
    if (reader.bad || usage.len > USAGE_BYTES_MOST || (read.packed ? content.len >= read.len : content.len != read.len))
        return NULL;
    entry = must_alloc(sizeof(*entry) + usage.len);
    memcpy(entry, &read, sizeof(*entry));
    atomic_init(&entry->holders, 1);
    entry->usage_len = (unsigned)usage.len;
    if (usage.len > 0)
        memcpy(entry->usage, usage.data, usage.len);
    entry->content = chunk_from(content);
    return entry;
}

struct cache_entry *
cache_entry_hold(struct cache_entry *entry)
{
    unsigned before = atomic_fetch_add_explicit(&entry->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return entry;
}

void
cache_entry_release(struct cache_entry *entry)
{
    unsigned before;

    if (entry == NULL)
        return;
    before = atomic_fetch_sub_explicit(&entry->holders, 1, memory_order_acq_rel);
    ENSURE(before > 0);
    if (before > 1)
        return;
    chunk_release(entry->content);
    free(entry);
}

struct chunk *
cache_entry_content(const struct cache_entry *entry)
{
    struct slice bytes = chunk_bytes(entry->content);
    char *data;
    size_t len;

    if (!entry->packed)
        return chunk_hold(entry->content);
    data = must_alloc(entry->len + 1);
    len = ZSTD_decompress(data, entry->len, bytes.data, bytes.len);
    if (!ZSTD_isError(len) && len == entry->len)
        return chunk_take(data, len);
    free(data);
    return NULL;
}

usec
cache_entry_age_us(const struct cache_entry *entry, usec now_wall_us)
{
    return now_wall_us > entry->created_wall_us ? now_wall_us - entry->created_wall_us : 0;
}

bool
cache_entry_expired(const struct cache_entry *entry, usec now_wall_us)
{
    return entry->ttl_us != USEC_NEVER && cache_entry_age_us(entry, now_wall_us) >= entry->ttl_us;
}

size_t
cache_entry_bytes(const struct cache_entry *entry)
{
    return sizeof(*entry) + entry->usage_len + sizeof(struct chunk) + entry->content->len + 3 * ALLOCATION_BYTES;
}

uint64_t
cache_mark_of(struct slice name)
{
    return hash_fast(name, 0);
}
