#include "cache/file_inside.h"

#include <stdlib.h>

/* Waiting beyond this, entries are not written: the store grows faster than the disk takes it. */
#define QUEUE_BYTES_MOST ((size_t)32 << 20)

struct queued {
    struct cache_entry *entry; /* held; NULL: a note or a purge */
    struct chunk *note;        /* held; NULL: a purge */
    enum cache_mark which;
    uint64_t mark;
};

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
            cache_file_put_entry(file, out, all[i].entry, all[i].uses);
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
        cache_file_put_note(file, out, buffer_content(&note));
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
    struct file_head head = cache_file_head_of(file->seed);
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
            cache_file_put_entry(file, &out, queue[i].entry, 1);
        else if (queue[i].note != NULL)
            cache_file_put_note(file, &out, chunk_bytes(queue[i].note));
        else
            cache_file_put_purge(file, &out, queue[i].which, queue[i].mark);
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

    file->seed = cache_file_seed(secret);
    file->follower = (struct cache_follower){.stored = on_stored, .purged = on_purged};
    file->cache = cache;
    file->disk = disk;
    file->notes = notes;
    lock_init(&file->lock);
    lock_init(&file->disk_lock);
    cache_file_load(file, now_wall_us);
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
