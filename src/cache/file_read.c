/* A start reads what is there: record by record, over what is damaged, and never more than the file may hold. */
#include "cache/file_inside.h"

enum { DAMAGED_MOST = 100 };

/* The part of the file that is in memory. */
struct window {
    struct cache_disk *disk;
    struct buffer bytes;
    uint64_t next, most; /* where to read on, and no further */
    bool ended;
};

/* At least `len` bytes at the front, if there are as many. */
static bool
window_has(struct window *window, size_t len)
{
    while (buffer_len(&window->bytes) < len && !window->ended) {
        size_t want = len > PIECE_BYTES ? len : PIECE_BYTES, got = 0;
        char *room = buffer_reserve(&window->bytes, want);

        if (window->next >= window->most || window->disk->ops->read(window->disk, window->next, room, want, &got) != OK)
            got = 0;
        window->bytes.end += got;
        window->next += got;
        window->ended = got < want;
    }
    return buffer_len(&window->bytes) >= len;
}

/* Only where window_has said that there is some. */
static struct slice
window_bytes(const struct window *window)
{
    struct slice bytes = buffer_content(&window->bytes);

    ENSURE(bytes.data != NULL);
    return bytes;
}

static void
restore(struct cache_file *file, struct slice bytes, usec now_wall_us)
{
    uint64_t uses;
    struct cache_entry *entry = cache_entry_read(bytes, &uses);

    if (entry == NULL)
        file->stats.damaged++;
    else if (cache_entry_expired(entry, now_wall_us))
        cache_entry_release(entry);
    else
        file->full |= cache_restore(file->cache, entry, uses) != OK;
}

static void
take_payload(struct cache_file *file, struct slice payload, usec now_wall_us)
{
    uint64_t mark;

    if (payload.data[0] == KIND_ENTRY) {
        restore(file, slice_from(payload, 1), now_wall_us);
    } else if (payload.data[0] == KIND_PURGE && payload.len == 2 + sizeof(mark) &&
               (unsigned char)payload.data[1] <= CACHE_MARKS) {
        memcpy(&mark, payload.data + 2, sizeof(mark));
        cache_purge(file->cache, (enum cache_mark)payload.data[1], mark);
    } else if (payload.data[0] == KIND_NOTE && payload.len <= CACHE_NOTE_MOST) {
        if (file->notes != NULL && !file->notes->ops->read(file->notes, slice_from(payload, 1)))
            file->stats.damaged++;
    } else {
        file->stats.damaged++;
    }
}

/* Takes the record at the window's front. False: there is none that is whole. */
static bool
take_record(struct cache_file *file, struct window *window, usec now_wall_us)
{
    struct record_head head;
    struct slice payload;

    if (!window_has(window, sizeof(head)))
        return false;
    memcpy(&head, window_bytes(window).data, sizeof(head));
    if (memcmp(head.magic, cache_record_magic, sizeof(head.magic)) != 0 || head.zero != 0 || head.len == 0 ||
        head.len > RECORD_BYTES_MOST || !window_has(window, sizeof(head) + head.len))
        return false;
    payload = slice_first(slice_from(window_bytes(window), sizeof(head)), head.len);
    if (cache_file_sum(file->seed, payload) != head.sum)
        return false;
    take_payload(file, payload, now_wall_us);
    buffer_consume(&window->bytes, sizeof(head) + head.len);
    return true;
}

/* To where the next record may begin. False: nowhere. */
static bool
skip_damage(struct window *window)
{
    struct slice magic = slice_make(cache_record_magic, sizeof(cache_record_magic));

    buffer_consume(&window->bytes, buffer_len(&window->bytes) > 0 ? 1 : 0);
    while (window_has(window, sizeof(cache_record_magic))) {
        struct slice bytes = window_bytes(window);
        size_t at = slice_find(bytes, magic);

        if (at < bytes.len) {
            buffer_consume(&window->bytes, at);
            return true;
        }
        buffer_consume(&window->bytes, bytes.len - (sizeof(cache_record_magic) - 1));
    }
    return false;
}

/* False: it is no file of ours, or of another version or secret. */
static bool
take_head(struct cache_file *file, struct window *window)
{
    struct file_head head = cache_file_head_of(file->seed);

    if (!window_has(window, sizeof(head)) || memcmp(window_bytes(window).data, &head, sizeof(head)) != 0)
        return false;
    buffer_consume(&window->bytes, sizeof(head));
    return true;
}

void
cache_file_load(struct cache_file *file, usec now_wall_us)
{
    struct cache_stats stats;
    struct window window = {.disk = file->disk};

    cache_stats(file->cache, &stats);
    window.most = 4 * stats.bytes_most + SMALL_BYTES;
    file->readable = take_head(file, &window);
    file->rewrite = !file->readable;
    while (file->readable && (buffer_len(&window.bytes) > 0 || !window.ended)) {
        if (take_record(file, &window, now_wall_us))
            continue;
        if (buffer_len(&window.bytes) == 0 && window.ended)
            break;
        if (++file->stats.damaged >= DAMAGED_MOST || !skip_damage(&window))
            break;
    }
    buffer_free(&window.bytes);
    file->rewrite |= file->stats.damaged > 0 || file->full;
    file->stats.bytes = window.next;
    cache_stats(file->cache, &stats);
    file->stats.loaded = stats.entries;
}
