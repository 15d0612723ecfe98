#include "cache/file.h"

#include <stdlib.h>

#include "base/lock.h"

enum { FILE_VERSION = 1, KIND_ENTRY = 1, KIND_PURGE = 2, KIND_NOTE = 3, DAMAGED_MOST = 100, PIECE_BYTES = 1 << 20 };

/* Waiting beyond this, entries are not written: the store grows faster than the disk takes it. */
#define QUEUE_BYTES_MOST ((size_t)32 << 20)

/* An answer that is larger is kept in memory only. */
#define RECORD_BYTES_MOST ((size_t)64 << 20)

/* A file this small is not worth writing anew. */
#define SMALL_BYTES ((uint64_t)1 << 20)

static const char file_magic[8] = {'E', 'Q', 'C', 'A', 'C', 'H', 'E', '\0'};
static const char record_magic[8] = {'\xe9', 'Q', 'R', 'E', 'C', '\r', '\n', '\0'};

struct file_head {
    char magic[8];
    uint32_t version, zero;
    uint64_t sum;
};

struct record_head {
    char magic[8];
    uint32_t len, zero; /* of the payload */
    uint64_t sum;
};

struct queued {
    struct cache_entry *entry; /* held; NULL: a note or a purge */
    struct chunk *note;        /* held; NULL: a purge */
    enum cache_mark which;
    uint64_t mark;
};

/* Invariant: `queue`, `rewrite`, `writing` and `stats` under the lock, the disk and `readable` under disk_lock. */
struct cache_file {
    struct cache_follower follower;
    struct cache *cache;
    struct cache_disk *disk;
    struct cache_notes *notes; /* NULL: none */
    uint64_t seed;
    struct lock lock;
    struct lock disk_lock; /* held while the disk is written, by whoever may wait that long; taken before `lock` */
    struct queued *queue;
    size_t count, size, bytes;
    bool rewrite; /* whatever its garbage: there was a purge, or the file lacks something */
    bool writing;
    bool full;     /* the file held what has no room in the store */
    bool readable; /* the file has our head, so that what is appended is found */
    struct cache_file_stats stats;
};

/* Records */

static uint64_t
seed_of(const struct digest *secret)
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

static uint64_t
sum_of(uint64_t seed, struct slice payload)
{
    return hash_fast(payload, seed + payload.len);
}

static struct file_head
head_of(uint64_t seed)
{
    struct file_head head = {.version = FILE_VERSION};

    memcpy(head.magic, file_magic, sizeof(head.magic));
    head.sum = sum_of(seed, slice_make((const char *)&head, offsetof(struct file_head, sum)));
    return head;
}

/* Puts the head in front of the payload that stands behind `at`. */
static void
finish_record(uint64_t seed, struct buffer *out, size_t at)
{
    struct record_head head = {.len = (uint32_t)(buffer_len(out) - at - sizeof(head))};

    memcpy(head.magic, record_magic, sizeof(head.magic));
    head.sum = sum_of(seed, slice_from(buffer_content(out), at + sizeof(head)));
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

static void
put_entry(const struct cache_file *file, struct buffer *out, const struct cache_entry *entry, uint64_t uses)
{
    size_t at = begin_record(out, KIND_ENTRY);

    cache_entry_write(entry, uses, out);
    finish_record(file->seed, out, at);
}

static void
put_purge(const struct cache_file *file, struct buffer *out, enum cache_mark which, uint64_t mark)
{
    size_t at = begin_record(out, KIND_PURGE);

    buffer_add_byte(out, (char)which);
    buffer_add(out, slice_make((const char *)&mark, sizeof(mark)));
    finish_record(file->seed, out, at);
}

static void
put_note(const struct cache_file *file, struct buffer *out, struct slice note)
{
    size_t at = begin_record(out, KIND_NOTE);

    buffer_add(out, note);
    finish_record(file->seed, out, at);
}

void
cache_file_write_head(const struct digest *secret, struct buffer *out)
{
    struct file_head head = head_of(seed_of(secret));

    buffer_add(out, slice_make((const char *)&head, sizeof(head)));
}

void
cache_file_write_record(const struct digest *secret, struct slice payload, struct buffer *out)
{
    static const struct record_head none;
    size_t at = buffer_len(out);

    buffer_add(out, slice_make((const char *)&none, sizeof(none)));
    buffer_add(out, payload);
    finish_record(seed_of(secret), out, at);
}

/* Reading */

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
    if (memcmp(head.magic, record_magic, sizeof(head.magic)) != 0 || head.zero != 0 || head.len == 0 ||
        head.len > RECORD_BYTES_MOST || !window_has(window, sizeof(head) + head.len))
        return false;
    payload = slice_first(slice_from(window_bytes(window), sizeof(head)), head.len);
    if (sum_of(file->seed, payload) != head.sum)
        return false;
    take_payload(file, payload, now_wall_us);
    buffer_consume(&window->bytes, sizeof(head) + head.len);
    return true;
}

/* To where the next record may begin. False: nowhere. */
static bool
skip_damage(struct window *window)
{
    struct slice magic = slice_make(record_magic, sizeof(record_magic));

    buffer_consume(&window->bytes, buffer_len(&window->bytes) > 0 ? 1 : 0);
    while (window_has(window, sizeof(record_magic))) {
        struct slice bytes = window_bytes(window);
        size_t at = slice_find(bytes, magic);

        if (at < bytes.len) {
            buffer_consume(&window->bytes, at);
            return true;
        }
        buffer_consume(&window->bytes, bytes.len - (sizeof(record_magic) - 1));
    }
    return false;
}

/* False: it is no file of ours, or of another version or secret. */
static bool
take_head(struct cache_file *file, struct window *window)
{
    struct file_head head = head_of(file->seed);

    if (!window_has(window, sizeof(head)) || memcmp(window_bytes(window).data, &head, sizeof(head)) != 0)
        return false;
    buffer_consume(&window->bytes, sizeof(head));
    return true;
}

static void
load(struct cache_file *file, usec now_wall_us)
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

/* The queue */

static struct queued *
queue_more(struct cache_file *file)
{
    if (file->count == file->size) {
        file->size = file->size != 0 ? 2 * file->size : 64;
        file->queue = must_realloc(file->queue, file->size * sizeof(struct queued));
    }
    return &file->queue[file->count++];
}

/* A purge that counted itself before this look has its record in the queue after it; one that this look misses leaves
 * the entry out: what was purged is never written behind the record of its purge. */
static void
on_stored(struct cache_follower *follower, struct cache_entry *entry, uint64_t purges)
{
    struct cache_file *file = (struct cache_file *)(void *)follower;
    size_t bytes = entry->content->len + sizeof(*entry);

    lock_take(&file->lock);
    if (file->bytes + bytes > QUEUE_BYTES_MOST || bytes > RECORD_BYTES_MOST / 2) {
        file->stats.dropped++;
    } else if (cache_purges(file->cache) == purges) {
        *queue_more(file) = (struct queued){.entry = cache_entry_hold(entry)};
        file->bytes += bytes;
    }
    lock_drop(&file->lock);
}

void
cache_file_note(struct cache_file *file, struct slice note)
{
    ENSURE(note.len < CACHE_NOTE_MOST);
    lock_take(&file->lock);
    if (file->bytes + note.len > QUEUE_BYTES_MOST) {
        file->stats.dropped++;
    } else {
        *queue_more(file) = (struct queued){.note = chunk_from(note)};
        file->bytes += note.len;
    }
    lock_drop(&file->lock);
}

static void
on_purged(struct cache_follower *follower, enum cache_mark which, uint64_t mark)
{
    struct cache_file *file = (struct cache_file *)(void *)follower;

    lock_take(&file->lock);
    *queue_more(file) = (struct queued){.which = which, .mark = mark};
    file->rewrite = true;
    lock_drop(&file->lock);
}

/* Writing */

static bool
is_garbage(const struct cache_file *file, uint64_t live)
{
    live += file->notes != NULL ? file->notes->ops->bytes(file->notes) : 0;
    return file->stats.bytes > SMALL_BYTES && file->stats.bytes / 2 > live;
}

bool
cache_file_due(struct cache_file *file)
{
    struct cache_stats stats;
    bool due;

    cache_stats(file->cache, &stats);
    lock_take(&file->lock);
    due = !file->writing && (file->count > 0 || file->rewrite || is_garbage(file, stats.bytes));
    lock_drop(&file->lock);
    return due;
}

/* Appends and empties the buffer. */
static enum status
append(struct cache_file *file, struct buffer *out, uint64_t *bytes)
{
    enum status status = buffer_len(out) > 0 ? file->disk->ops->append(file->disk, buffer_content(out)) : OK;

    *bytes += buffer_len(out);
    buffer_clear(out);
    return status;
}

static enum status
write_shard(struct cache_file *file, unsigned shard, struct buffer *out, uint64_t *bytes)
{
    struct cache_held *all;
    size_t count = cache_hold_all(file->cache, shard, &all);
    enum status status = OK;

    for (size_t i = 0; i < count; i++) {
        if (status == OK && all[i].entry->content->len <= RECORD_BYTES_MOST / 2)
            put_entry(file, out, all[i].entry, all[i].uses);
        if (status == OK && buffer_len(out) >= PIECE_BYTES)
            status = append(file, out, bytes);
        cache_entry_release(all[i].entry);
    }
    free(all);
    return status;
}

/* The notes that hold. */
static enum status
write_notes(struct cache_file *file, struct buffer *out, uint64_t *bytes)
{
    enum status status = OK;
    struct buffer note = {0};
    uint64_t at = 0;

    while (status == OK && file->notes != NULL && file->notes->ops->next(file->notes, &at, &note)) {
        put_note(file, out, buffer_content(&note));
        buffer_clear(&note);
        if (buffer_len(out) >= PIECE_BYTES)
            status = append(file, out, bytes);
    }
    buffer_free(&note);
    return status;
}

/* All that is in the store, in a new file that takes the place of the old one or is forgotten. */
static enum status
write_anew(struct cache_file *file)
{
    struct file_head head = head_of(file->seed);
    struct buffer out = {0};
    uint64_t bytes = 0;
    enum status status = file->disk->ops->begin(file->disk);

    if (status != OK)
        return status;
    buffer_add(&out, slice_make((const char *)&head, sizeof(head)));
    for (unsigned shard = 0; shard < cache_shards(file->cache) && status == OK; shard++)
        status = write_shard(file, shard, &out, &bytes);
    if (status == OK)
        status = write_notes(file, &out, &bytes);
    if (status == OK)
        status = append(file, &out, &bytes);
    if (status == OK)
        status = file->disk->ops->replace(file->disk);
    else
        file->disk->ops->abandon(file->disk);
    buffer_free(&out);
    lock_take(&file->lock);
    if (status == OK)
        file->stats.bytes = bytes;
    lock_drop(&file->lock);
    return status;
}

static enum status
write_queue(struct cache_file *file, const struct queued *queue, size_t count)
{
    struct buffer out = {0};
    uint64_t bytes = 0, written = 0;
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        if (queue[i].entry != NULL)
            put_entry(file, &out, queue[i].entry, 1);
        else if (queue[i].note != NULL)
            put_note(file, &out, chunk_bytes(queue[i].note));
        else
            put_purge(file, &out, queue[i].which, queue[i].mark);
        written += queue[i].entry != NULL;
        if (buffer_len(&out) >= PIECE_BYTES)
            status = append(file, &out, &bytes);
    }
    if (status == OK)
        status = append(file, &out, &bytes);
    buffer_free(&out);
    lock_take(&file->lock);
    file->stats.bytes += bytes;
    file->stats.written += status == OK ? written : 0;
    lock_drop(&file->lock);
    return status;
}

static struct queued *
take_queue(struct cache_file *file, size_t *count)
{
    struct queued *queue;

    lock_take(&file->lock);
    queue = file->queue;
    *count = file->count;
    file->queue = NULL;
    file->count = file->size = file->bytes = 0;
    lock_drop(&file->lock);
    return queue;
}

/* What could not be written: entries and notes come with the next file that is written anew, purges must not be forgotten. They
 * may now stand behind entries that came after them: then those are lost with the next start, which is safe. */
static void
give_back_purges(struct cache_file *file, const struct queued *queue, size_t count)
{
    lock_take(&file->lock);
    for (size_t i = 0; i < count; i++)
        if (queue[i].entry == NULL && queue[i].note == NULL)
            *queue_more(file) = queue[i];
    lock_drop(&file->lock);
}

static void
free_queue(struct queued *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cache_entry_release(queue[i].entry);
        chunk_release(queue[i].note);
    }
    free(queue);
}

/* What waits goes to the old file first, so that a purge holds should writing anew fail. */
static enum status
write_round(struct cache_file *file, bool anew)
{
    size_t count;
    struct queued *queue = take_queue(file, &count);
    enum status status = file->readable ? write_queue(file, queue, count) : OK;

    if (status == OK && anew)
        status = write_anew(file);
    if (status == OK)
        file->readable = true;
    else
        give_back_purges(file, queue, count);
    free_queue(queue, count);
    return status;
}

enum status
cache_file_write(struct cache_file *file)
{
    struct cache_stats stats;
    enum status status;
    bool anew;

    lock_take(&file->disk_lock);
    cache_stats(file->cache, &stats);
    lock_take(&file->lock);
    anew = file->rewrite || is_garbage(file, stats.bytes);
    file->writing = true;
    file->rewrite = false;
    lock_drop(&file->lock);
    status = write_round(file, anew);
    lock_take(&file->lock);
    file->writing = false;
    file->rewrite |= status != OK;
    file->stats.failed += status != OK;
    lock_drop(&file->lock);
    lock_drop(&file->disk_lock);
    return status;
}

struct cache_file *
cache_file_open(struct cache *cache, struct cache_disk *disk, const struct digest *secret, struct cache_notes *notes,
                usec now_wall_us)
{
    struct cache_file *file = must_calloc(1, sizeof(*file));

    file->seed = seed_of(secret);
    file->follower = (struct cache_follower){.stored = on_stored, .purged = on_purged};
    file->cache = cache;
    file->disk = disk;
    file->notes = notes;
    lock_init(&file->lock);
    lock_init(&file->disk_lock);
    load(file, now_wall_us);
    cache_follow(cache, &file->follower);
    return file;
}

void
cache_file_stats(struct cache_file *file, struct cache_file_stats *out)
{
    lock_take(&file->lock);
    *out = file->stats;
    lock_drop(&file->lock);
}

void
cache_file_close(struct cache_file *file)
{
    enum status status = ERR_IO;

    for (int tries = 0; tries < 2 && status != OK && cache_file_due(file); tries++)
        status = cache_file_write(file);
    cache_follow(file->cache, NULL);
    free_queue(file->queue, file->count);
    file->disk->ops->close(file->disk);
    lock_destroy(&file->lock);
    lock_destroy(&file->disk_lock);
    free(file);
}
